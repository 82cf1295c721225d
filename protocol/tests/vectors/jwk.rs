//! Public keys.

use koshin_protocol::base64url;
use koshin_protocol::jwk::{KeyError, PublicKey};
use koshin_protocol::jws::{JwsError, Parsed};
use koshin_protocol::problem::Token;
use serde_json::{Value, json};

use super::outcome::Outcome;

/// Reads the jwk where it stands in a request's header, which tells its faults from those of form.
pub(crate) fn run(input: &Value) -> Outcome {
    let jwk = input["jwk"].as_str().expect("the text of a JWK");
    let alg = algorithm(jwk);
    let header = format!(
        r#"{{"alg":"{alg}","typ":"koshin-find-order+jws","nonce":"AAAAAAAAAAAAAAAA","url":"https://bank.example/koshin/find-order","jwk":{jwk}}}"#
    );
    let body = json!({ "protected": base64url::encode(header.as_bytes()), "payload": "", "signature": "" });
    match Parsed::from_slice(body.to_string().as_bytes()) {
        Ok(parsed) => {
            let key: &PublicKey = parsed.own_key().expect("the request carries a key");
            Outcome::valid(json!({
                "keyType": key.key_type().as_str(),
                "thumbprint": key.thumbprint().to_string(),
            }))
        }
        Err(JwsError::Key(
            KeyError::UnsupportedType
            | KeyError::Members
            | KeyError::Encoding
            | KeyError::Point
            | KeyError::Modulus
            | KeyError::Exponent,
        )) => Outcome::refused(Token::BadPublicKey, "key"),
        Err(other) => panic!("not a fault of the key: {other}"),
    }
}

/// Any algorithm that fits what the key says to be.
fn algorithm(jwk: &str) -> &'static str {
    if jwk.contains("\"RSA\"") {
        "RS256"
    } else if jwk.contains("Ed25519") {
        "EdDSA"
    } else if jwk.contains("P-384") {
        "ES384"
    } else {
        "ES256"
    }
}
