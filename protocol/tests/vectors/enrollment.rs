//! Enrollment codes, keys, tickets and bindings.

use koshin_protocol::binding::{Binding, BindingError};
use koshin_protocol::embedded_jws::EmbeddedJws;
use koshin_protocol::enrollment_code::EnrollmentCode;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::problem::Token;
use koshin_protocol::reissue::ReissueId;
use koshin_protocol::sign::Signer;
use koshin_protocol::ticket::Ticket;
use koshin_protocol::url::Url;
use koshin_protocol::verify::default_verifier;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::outcome::Outcome;
use super::{hexadecimal, hexadecimal_of};

fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name].as_str().unwrap_or_else(|| panic!("the input has no text {name}"))
}

fn read<T: DeserializeOwned>(input: &Value, name: &str) -> T {
    serde_json::from_value(input[name].clone())
        .unwrap_or_else(|error| panic!("{name} of the input: {error}"))
}

fn code(input: &Value) -> EnrollmentCode {
    let octets: [u8; 16] = hexadecimal(text(input, "octets")).try_into().expect("16 octets");
    EnrollmentCode::from_bytes(octets)
}

/// The octets of a code: whoever knows its key knows the octets' key.
fn octets(code: &EnrollmentCode) -> String {
    let compact = code.to_compact();
    let symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let value = compact.chars().take(26).fold(0_u128, |value, symbol| {
        let digit = symbols.find(symbol).expect("a symbol of the code");
        value << 5 | digit as u128
    });
    hexadecimal_of(&value.to_be_bytes())
}

pub(crate) fn run(input: &Value) -> Outcome {
    if input.get("binding").is_some() {
        return binding(input);
    }
    if input.get("ticket").is_some() {
        return match text(input, "ticket").parse::<Ticket>() {
            Ok(ticket) => Outcome::valid(json!({
                "directory": ticket.directory.as_str(),
                "reissue": ticket.reissue.to_string(),
                "name": ticket.name.as_str(),
                "octets": octets(&ticket.code),
                "ticket": ticket.to_text().as_str(),
            })),
            Err(_) => Outcome::refused_by_client(),
        };
    }
    if input.get("code").is_some() {
        return match text(input, "code").parse::<EnrollmentCode>() {
            Ok(code) => Outcome::valid(json!({ "octets": octets(&code) })),
            Err(_) => Outcome::refused_by_client(),
        };
    }
    match input.get("reissue") {
        Some(_) => {
            let key = code(input).key(&read::<ReissueId>(input, "reissue"));
            Outcome::valid(json!({
                "enrollmentKey": serde_json::to_value(key.public_key()).expect("a JWK is JSON")
            }))
        }
        None => Outcome::valid(json!({ "code": code(input).to_grouped().as_str() })),
    }
}

fn binding(input: &Value) -> Outcome {
    let jws: EmbeddedJws = read(input, "binding");
    let (reissue, url): (ReissueId, Url) = (read(input, "reissue"), read(input, "url"));
    let (key, enrollment_key): (PublicKey, PublicKey) =
        (read(input, "jwk"), read(input, "enrollmentKey"));
    let binding = Binding { reissue: &reissue, url: &url, key: &key };
    match binding.verify(&jws, &enrollment_key, default_verifier()) {
        Ok(()) => Outcome::valid(json!({})),
        Err(BindingError::Form) => Outcome::refused(Token::Malformed, "payload"),
        Err(BindingError::Refused) => Outcome::refused(Token::EnrollmentRefused, "state"),
    }
}
