//! Receipts, as a client verifies them.

use koshin_protocol::base64url;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::embedded_jws::EmbeddedJws;
use koshin_protocol::receipt::Receipt;
use koshin_protocol::verify::default_verifier;
use serde_json::{Value, json};

use super::outcome::Outcome;

pub(crate) fn run(input: &Value) -> Outcome {
    let roots: Vec<Certificate> = input["roots"]
        .as_array()
        .expect("roots")
        .iter()
        .map(|root| {
            let der = base64url::decode_standard(root.as_str().expect("base64")).expect("base64");
            Certificate::from_der(&der).expect("a certificate")
        })
        .collect();
    let Ok(jws) = serde_json::from_value::<EmbeddedJws>(input["receipt"].clone()) else {
        return Outcome::refused_by_client();
    };
    match Receipt::verify(&jws, &roots, default_verifier()) {
        Ok(receipt) => Outcome::valid(json!({
            "payload": serde_json::to_value(&receipt).expect("a receipt is JSON")
        })),
        Err(_) => Outcome::refused_by_client(),
    }
}
