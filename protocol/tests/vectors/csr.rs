//! Certificate signing requests.

use koshin_protocol::algorithm::KeyType;
use koshin_protocol::base64url;
use koshin_protocol::csr::{Csr, CsrError};
use koshin_protocol::problem::Token;
use koshin_protocol::verify::default_verifier;
use serde_json::{Value, json};

use super::outcome::Outcome;

pub(crate) fn run(input: &Value) -> Outcome {
    let der = base64url::decode(input["csr"].as_str().expect("csr")).expect("base64url");
    let key_types: Vec<KeyType> =
        serde_json::from_value(input["keyTypes"].clone()).expect("key types of the protocol");
    match Csr::from_der_of(&key_types, &der, default_verifier()) {
        // 4.7: names are equal when their strings are.
        Ok(csr) if input["subject"] != csr.subject().as_str() => refused("subject"),
        Ok(csr) => Outcome::valid(json!({
            "keyType": csr.key().key_type().as_str(),
            "key": csr.key().thumbprint().to_string(),
            "subject": csr.subject().as_str(),
        })),
        Err(CsrError::Encoding) => Outcome::refused(Token::Malformed, "payload"),
        Err(error) => refused(error.reason().expect("every other fault has a reason")),
    }
}

fn refused(reason: &str) -> Outcome {
    Outcome::refused(Token::BadCsr, "state").and("reason", reason)
}
