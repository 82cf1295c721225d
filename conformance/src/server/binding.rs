//! A binding (SPEC.md 13.4) made by hand, of which everything can be made wrong.

use koshin_protocol::base64url;
use koshin_protocol::sign::Signer as _;
use serde_json::{Value, json};

use super::Bank;
use super::deed::Ticket;
use super::key::Key;
use crate::case::{Outcome, Stop};

/// What a binding is made of before it is signed.
pub(super) struct Parts {
    /// The protected header.
    pub header: Value,
    /// The payload.
    pub payload: String,
    /// The key of the request.
    pub key: Key,
    /// The reissue and its code.
    pub ticket: Ticket,
}

/// What a binding is signed by.
#[derive(Clone, Copy)]
pub(super) enum SignedBy {
    /// The enrollment key.
    Code,
    /// Another code's.
    OtherCode,
    /// The key of the request.
    NewKey,
    /// The enrollment key, one octet changed.
    Changed,
    /// The enrollment key, in DER.
    Der,
    /// Nothing: no octets.
    Nothing,
    /// Zeros.
    Zeros,
}

impl Parts {
    /// Those of a right binding.
    pub(super) async fn right(bank: &Bank, ticket: &Ticket, key: &Key) -> Outcome<Self> {
        let url = bank.full().await?.new_enrollment;
        Ok(Self {
            header: json!({ "alg": "ES256", "kid": ticket.id.to_string(), "typ": "koshin-binding+jws", "url": url.as_str() }),
            payload: key.public().to_canonical_jwk(),
            key: key.clone(),
            ticket: ticket.clone(),
        })
    }

    /// The binding.
    pub(super) fn sign(&self, by: SignedBy) -> Outcome<Value> {
        let protected = base64url::encode(self.header.to_string().as_bytes());
        let payload = base64url::encode(self.payload.as_bytes());
        let input = format!("{protected}.{payload}");
        let code = |ticket: &Ticket| {
            let signed = ticket.code.key(&ticket.id).sign(input.as_bytes());
            signed.map_err(|error| Stop::blocked(format_args!("the suite cannot sign: {error}")))
        };
        let signature = match by {
            SignedBy::Code => code(&self.ticket)?,
            SignedBy::OtherCode => code(&self.ticket.with_wrong_code())?,
            SignedBy::NewKey => self.key.sign(input.as_bytes()),
            SignedBy::Changed => {
                let mut octets = code(&self.ticket)?;
                octets[40] ^= 1;
                octets
            }
            SignedBy::Der => {
                let raw = code(&self.ticket)?;
                let integer = |octets: &[u8]| {
                    let mut der = vec![2, 33, 0];
                    der.extend_from_slice(octets);
                    der
                };
                let mut der = vec![0x30, 70];
                der.extend(integer(&raw[..32]));
                der.extend(integer(&raw[32..]));
                der
            }
            SignedBy::Nothing => Vec::new(),
            SignedBy::Zeros => vec![0; 64],
        };
        Ok(
            json!({ "protected": protected, "payload": payload, "signature": base64url::encode(&signature) }),
        )
    }
}

/// Signed again after a change of the header.
fn signed_again(binding: &mut Value, parts: &Parts, header: &Value) {
    let again = Parts {
        header: header.clone(),
        payload: parts.payload.clone(),
        key: parts.key.clone(),
        ticket: parts.ticket.clone(),
    };
    if let Ok(signed) = again.sign(SignedBy::Code) {
        *binding = signed;
    }
}

/// Without a member of the header.
pub(super) fn without(binding: &mut Value, parts: &Parts, member: &str) {
    let mut header = parts.header.clone();
    header.as_object_mut().map(|members| members.remove(member));
    signed_again(binding, parts, &header);
}

/// With a further member of the header.
pub(super) fn with(binding: &mut Value, parts: &Parts, member: &str, value: Value) {
    let mut header = parts.header.clone();
    header[member] = value;
    signed_again(binding, parts, &header);
}
