//! certIDs.

use koshin_protocol::base64url;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::problem::Token;
use serde_json::{Value, json};

use super::outcome::Outcome;

pub(crate) fn run(input: &Value) -> Outcome {
    if let Some(certificate) = input.get("certificate") {
        let der =
            base64url::decode_standard(certificate.as_str().expect("base64")).expect("base64");
        let certificate = Certificate::from_der(&der).expect("a certificate");
        return Outcome::valid(json!({ "certID": CertId::of(&certificate).to_string() }));
    }
    match input["text"].as_str().expect("text").parse::<CertId>() {
        Ok(cert_id) => Outcome::valid(json!({
            "keyIdentifier": super::hexadecimal_of(&cert_id.authority()),
            "serial": super::hexadecimal_of(&cert_id.serial()),
        })),
        Err(_) => Outcome::refused(Token::Malformed, "payload"),
    }
}
