//! Signed requests, and the bare signatures of the RFCs.

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::base64url;
use koshin_protocol::empty::Empty;
use koshin_protocol::enrollment::NewEnrollment;
use koshin_protocol::json::{JsonError, MAX_DOCUMENT};
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::jws::{By, JwsError, Parsed, Resource, Verified};
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Cancel, Confirm, NewOrder, Rollback};
use koshin_protocol::pin::{ChangePin, Unlock};
use koshin_protocol::problem::Token;
use koshin_protocol::reissue::NewReissue;
use koshin_protocol::revocation::RevokeCert;
use koshin_protocol::session::NewSession;
use koshin_protocol::url::Url;
use koshin_protocol::verify::{BadSignature, default_verifier};
use serde_json::{Value, json};

use super::outcome::Outcome;

pub(crate) fn run(input: &Value) -> Outcome {
    if input.get("signingInput").is_some() {
        return bare(input);
    }
    match request(input) {
        Ok((by, verified)) => Outcome::valid(json!({
            "signer": by,
            "payload": String::from_utf8_lossy(verified.payload()),
        })),
        Err(error) => refusal(&error),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("the input has no text {name}"))
}

/// A signature over some octets.
fn bare(input: &Value) -> Outcome {
    let algorithm: Algorithm = text(input, "alg").parse().expect("an algorithm of the protocol");
    let key: PublicKey = serde_json::from_value(input["key"].clone()).expect("a good key");
    let signature = base64url::decode(text(input, "signature")).expect("base64url");
    let message = text(input, "signingInput").as_bytes();
    match default_verifier().verify(algorithm, &key, message, &signature) {
        Ok(()) => Outcome::valid(json!({})),
        Err(BadSignature::Wrong) => Outcome::refused(Token::BadSignature, "signature"),
        Err(BadSignature::KeyMismatch | BadSignature::Unsupported) => {
            Outcome::refused(Token::BadSignatureAlgorithm, "key")
        }
    }
}

/// The request's octets.
fn body(input: &Value) -> Vec<u8> {
    let mut body = match input.get("bodyHex").and_then(Value::as_str) {
        Some(hex) => super::hexadecimal(hex),
        None => text(input, "body").as_bytes().to_vec(),
    };
    let spaces = input.get("spacesBehindBody").and_then(Value::as_u64).unwrap_or(0);
    body.resize(body.len() + usize::try_from(spaces).expect("a small number"), b' ');
    body
}

/// As a bank reads a request: form and resource, signature, payload.
fn request(input: &Value) -> Result<(&'static str, Verified), JwsError> {
    let resource = &input["resource"];
    let operation = Operation::from_typ(text(resource, "typ")).expect("an operation");
    let url: Url = text(resource, "url").parse().expect("a URL");
    let parsed = Parsed::for_resource(&body(input), Resource { operation, url: &url })?;
    let provider = default_verifier();
    let (by, verified) = match parsed.by() {
        By::Session(session) => {
            assert_eq!(
                session.as_str(),
                text(&input["session"], "url"),
                "vectors have one session"
            );
            let key = serde_json::from_value(input["session"]["key"].clone()).expect("a good key");
            ("kid", parsed.verify(provider, &key)?)
        }
        By::Certificate(_) => ("x5c", parsed.verify_by_own_key(provider)?),
        By::Key(_) => ("jwk", parsed.verify_by_own_key(provider)?),
    };
    read_payload(&verified)?;
    Ok((by, verified))
}

/// The payload is read as what the operation wants.
pub(crate) fn read_payload(verified: &Verified) -> Result<(), JwsError> {
    match verified.operation() {
        Operation::Read => verified.nothing(),
        Operation::NewSession => verified.object::<NewSession>().map(drop),
        Operation::Logoff | Operation::Defer | Operation::FindOrder | Operation::CancelReissue => {
            verified.object::<Empty>().map(drop)
        }
        Operation::NewOrder => verified.object::<NewOrder>().map(drop),
        Operation::Cancel => verified.object::<Cancel>().map(drop),
        Operation::Confirm => verified.object::<Confirm>().map(drop),
        Operation::Rollback => verified.object::<Rollback>().map(drop),
        Operation::NewReissue => verified.object::<NewReissue>().map(drop),
        Operation::Unlock => verified.object::<Unlock>().map(drop),
        Operation::Pin => verified.object::<ChangePin>().map(drop),
        Operation::NewEnrollment => verified.object::<NewEnrollment>().map(drop),
        Operation::RevokeCert => verified.object::<RevokeCert>().map(drop),
    }
}

/// Token and stage of SPEC.md 5.7 for each fault of a request.
fn refusal(error: &JwsError) -> Outcome {
    let (token, stage) = match error {
        JwsError::Flattened(JsonError::TooLong) => {
            assert_eq!(MAX_DOCUMENT, 65_536);
            (Token::PayloadTooLarge, "http")
        }
        JwsError::Flattened(_)
        | JwsError::Base64(_)
        | JwsError::Header(_)
        | JwsError::NotOneSigner
        | JwsError::Nonce
        | JwsError::Url { .. }
        | JwsError::Certificate => (Token::Malformed, "jws"),
        JwsError::UnknownType | JwsError::OtherType => (Token::TypeMismatch, "operation"),
        JwsError::OtherUrl => (Token::UrlMismatch, "operation"),
        JwsError::WrongSigner { .. } => (Token::Malformed, "operation"),
        JwsError::UnknownAlgorithm | JwsError::Algorithm(_) => {
            (Token::BadSignatureAlgorithm, "key")
        }
        JwsError::Key(_) => (Token::BadPublicKey, "key"),
        JwsError::Signature => (Token::BadSignature, "signature"),
        JwsError::Payload(_) | JwsError::PayloadNotEmpty => (Token::Malformed, "payload"),
    };
    Outcome::refused(token, stage)
}
