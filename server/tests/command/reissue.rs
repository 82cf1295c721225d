//! Maker and checker.

use koshin_protocol::ticket::Ticket;
use serde_json::Value;

use crate::bank::{Bank, text};

const NAME: &str = "CN=Tanaka Hanako,O=Example K.K.,C=JP";
const REQUEST: [&str; 4] = ["--reason", "unspecified", "--form", "2026-0417"];

// [REI-30]
#[test]
fn a_reissue_takes_two_operators_and_gives_a_ticket_once() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let taro = bank.further("taro", &hanako);
    let contract = bank.contract(&hanako);
    let subject = bank.subject(&hanako, &contract, NAME, "administrator");
    let mut request = vec!["reissue", "request", &subject];
    request.extend(REQUEST);
    let id = text(&bank.by(&hanako, &request).json()["request"]);
    let waiting = || bank.run(&["reissue", "list", "--json"]).json()["requests"].clone();
    assert_eq!(waiting()[0]["maker"], "hanako");
    assert_eq!(waiting()[0]["form"], "2026-0417");
    bank.by(&hanako, &["reissue", "approve", &id]).failed(3, "another operator has to");
    assert_eq!(waiting()[0]["request"], id.as_str());
    let approved = bank.by(&taro, &["reissue", "approve", &id]).json();
    let ticket: Ticket = text(&approved["ticket"]).parse().expect("a ticket");
    assert_eq!(ticket.name.as_str(), NAME);
    assert_eq!(ticket.directory.as_str(), "http://localhost/koshin/directory");
    assert_eq!(ticket.reissue.to_string(), text(&approved["reissue"]));
    assert_eq!(ticket.code.to_grouped().as_str(), text(&approved["code"]));
    assert_eq!(waiting(), Value::Array(vec![]));
    bank.by(&taro, &["reissue", "approve", &id]).failed(3, "no such request waits");
    let shown = bank.run(&["subject", "show", &subject, "--json"]).json();
    assert_eq!(shown["reissue"], approved["reissue"]);
}

#[test]
fn neither_code_nor_ticket_is_in_the_audit() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let taro = bank.further("taro", &hanako);
    let contract = bank.contract(&hanako);
    let subject = bank.subject(&hanako, &contract, NAME, "user");
    let mut request = vec!["reissue", "request", &subject];
    request.extend(REQUEST);
    let id = text(&bank.by(&hanako, &request).json()["request"]);
    let approved = bank.by(&taro, &["reissue", "approve", &id]).json();
    let audit = bank.run(&["audit", "show", &contract]).out;
    assert!(audit.contains("reissueApproved") && audit.contains("2026-0417"), "{audit}");
    let code = text(&approved["code"]);
    assert!(!audit.contains(&code) && !audit.contains(&code.replace('-', "")), "{audit}");
}

#[test]
fn a_canceled_reissue_is_not_open_any_more() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let taro = bank.further("taro", &hanako);
    let contract = bank.contract(&hanako);
    let subject = bank.subject(&hanako, &contract, NAME, "user");
    let mut request = vec!["reissue", "request", &subject];
    request.extend(REQUEST);
    let id = text(&bank.by(&hanako, &request).json()["request"]);
    let reissue = text(&bank.by(&taro, &["reissue", "approve", &id]).json()["reissue"]);
    assert_eq!(bank.by(&hanako, &["reissue", "cancel", &reissue]).code, 0);
    let shown = bank.run(&["subject", "show", &subject, "--json"]).json();
    assert!(shown["reissue"].is_null());
}

#[test]
fn a_request_needs_a_form_and_a_subject() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let id = "AAAAAAAAAAAAAAAAAAAAAA";
    let request = |form| ["reissue", "request", id, "--reason", "keyLost", "--form", form];
    bank.by(&hanako, &request(" ")).failed(2, "form");
    bank.by(&hanako, &request("17")).failed(3, "no such subject");
}
