//! Documents of a bank, and payloads of requests.

use koshin_protocol::contract::Contract;
use koshin_protocol::directory::Directory;
use koshin_protocol::empty::Empty;
use koshin_protocol::enrollment::NewEnrollment;
use koshin_protocol::json;
use koshin_protocol::notice::Notice;
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Cancel, Confirm, NewOrder, Order, Rollback};
use koshin_protocol::pin::{ChangePin, Unlock};
use koshin_protocol::problem::Token;
use koshin_protocol::reissue::{NewReissue, Reissue};
use koshin_protocol::renewal_info::RenewalInfo;
use koshin_protocol::revocation::{Revocation, RevokeCert};
use koshin_protocol::session::{NewSession, Session};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::outcome::Outcome;

/// Reads a document, and writes it again.
fn written<T: DeserializeOwned + Serialize>(document: &Value) -> Option<Value> {
    let object: T = json::parse(document.to_string().as_bytes()).ok()?;
    Some(serde_json::to_value(object).expect("an object is JSON"))
}

/// What the document says is what is written again, but for members that nobody knows.
fn same(document: &Value, again: &Value) {
    let mut known = document.clone();
    if let Value::Object(members) = &mut known {
        members.retain(|name, _| !name.starts_with("x-"));
    }
    assert_eq!(&known, again, "written again it is another document");
}

pub(crate) fn order(input: &Value) -> Outcome {
    let document = &input["document"];
    match written::<Order>(document) {
        Some(again) => {
            same(document, &again);
            Outcome::valid(json!({ "status": again["status"], "kind": again["kind"] }))
        }
        None => Outcome::refused_by_client(),
    }
}

pub(crate) fn run(input: &Value) -> Outcome {
    let document = &input["document"];
    let again = match input["object"].as_str().expect("the object's name") {
        "session" => written::<Session>(document),
        "contract" => written::<Contract>(document),
        "reissue" => written::<Reissue>(document),
        "directory" => written::<Directory>(document),
        "renewalInfo" => written::<RenewalInfo>(document),
        "notice" => written::<Notice>(document),
        "revocation" => written::<Revocation>(document),
        other => panic!("no object {other}"),
    };
    match again {
        Some(again) => {
            same(document, &again);
            Outcome::valid(json!({}))
        }
        None => Outcome::refused_by_client(),
    }
}

pub(crate) fn payload(input: &Value) -> Outcome {
    let payload = input["payload"].as_str().expect("the payload's text").as_bytes();
    let operation = Operation::from_typ(input["typ"].as_str().expect("typ")).expect("an operation");
    let good = match operation {
        Operation::Read => payload.is_empty(),
        Operation::NewSession => reads::<NewSession>(payload),
        Operation::Logoff | Operation::Defer | Operation::FindOrder | Operation::CancelReissue => {
            reads::<Empty>(payload)
        }
        Operation::NewOrder => reads::<NewOrder>(payload),
        Operation::Cancel => reads::<Cancel>(payload),
        Operation::Confirm => reads::<Confirm>(payload),
        Operation::Rollback => reads::<Rollback>(payload),
        Operation::NewReissue => reads::<NewReissue>(payload),
        Operation::Unlock => reads::<Unlock>(payload),
        Operation::Pin => reads::<ChangePin>(payload),
        Operation::NewEnrollment => reads::<NewEnrollment>(payload),
        Operation::RevokeCert => reads::<RevokeCert>(payload),
    };
    if good { Outcome::valid(json!({})) } else { Outcome::refused(Token::Malformed, "payload") }
}

fn reads<T: DeserializeOwned>(payload: &[u8]) -> bool {
    json::parse_request::<T>(payload).is_ok()
}
