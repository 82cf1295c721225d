//! Flows replayed: every request is parsed and its signature verified, every answer is read as its
//! object, and what the two sides say fits together from one exchange to the next.

use std::collections::{BTreeMap, BTreeSet};

use koshin_protocol::base64url;
use koshin_protocol::binding::Binding;
use koshin_protocol::certificate::{CLIENT_AUTH, Certificate, verify_path};
use koshin_protocol::contract::Contract;
use koshin_protocol::csr::Csr;
use koshin_protocol::directory::Directory;
use koshin_protocol::enrollment::NewEnrollment;
use koshin_protocol::json;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::jws::{By, Parsed, Verified};
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{NewOrder, Order, Status, StatusName};
use koshin_protocol::problem::Problem;
use koshin_protocol::receipt::Receipt;
use koshin_protocol::reissue::{NewReissue, Reissue, ReissueId};
use koshin_protocol::session::Session;
use koshin_protocol::time::Time;
use koshin_protocol::url::{Base, Url};
use koshin_protocol::verify::default_verifier;
use serde_json::{Value, json};

use super::outcome::Outcome;

/// What is known after the exchanges so far.
#[derive(Default)]
struct Replay {
    roots: Vec<Certificate>,
    base: Option<Base>,
    /// Nonces given and not spent.
    nonces: BTreeSet<String>,
    /// The key of each session.
    sessions: BTreeMap<String, PublicKey>,
    enrollment_keys: BTreeMap<ReissueId, PublicKey>,
    /// The statuses of each order, by its URL, in the order of their first answers.
    orders: Vec<(String, Vec<&'static str>)>,
    now: Option<Time>,
}

pub(crate) fn run(input: &Value) -> Outcome {
    let mut replay = Replay::default();
    for root in input["roots"].as_array().expect("roots") {
        replay.roots.push(certificate(root.as_str().expect("base64")));
    }
    let exchanges = input["exchanges"].as_array().expect("exchanges");
    for exchange in exchanges {
        replay.exchange(&exchange["request"], &exchange["response"]);
    }
    let orders: Vec<&Vec<&str>> = replay.orders.iter().map(|(_, statuses)| statuses).collect();
    Outcome::valid(json!({ "requests": exchanges.len(), "orders": orders }))
}

fn certificate(base64: &str) -> Certificate {
    let der = base64url::decode_standard(base64).expect("base64");
    Certificate::from_der(&der).expect("a certificate")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
}

fn read<T: serde::de::DeserializeOwned>(response: &Value) -> T {
    json::parse(text(response, "/body").as_bytes()).expect("the answer is its object")
}

impl Replay {
    fn exchange(&mut self, request: &Value, response: &Value) {
        let date = text(response, "/headers/Date");
        let date =
            jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", date).expect("an HTTP date");
        let date = date.to_datetime().expect("a date").to_zoned(jiff::tz::TimeZone::UTC);
        let now = Time::from_timestamp(date.expect("a time").timestamp()).expect("a time");
        assert!(self.now.is_none_or(|before| before <= now), "the clock goes back");
        self.now = Some(now);
        match text(request, "/method") {
            "GET" => {
                read::<Directory>(response);
                self.base = Some(Base::of(&Url::parse(text(request, "/url")).expect("a URL")));
            }
            "POST" => self.signed(request, response),
            other => panic!("no method {other}"),
        }
        assert_eq!(text(response, "/headers/Cache-Control"), "no-store");
        let nonce = text(response, "/headers/Replay-Nonce").to_owned();
        assert!(self.nonces.insert(nonce), "a nonce was given twice");
    }

    fn signed(&mut self, request: &Value, response: &Value) {
        assert_eq!(text(request, "/headers/Content-Type"), "application/jose+json");
        assert!(text(response, "/headers/Link").ends_with(";rel=\"index\""));
        let parsed = Parsed::from_slice(text(request, "/body").as_bytes()).expect("a request");
        assert_eq!(parsed.url().as_str(), text(request, "/url"));
        assert!(
            self.base.as_ref().is_some_and(|base| base.contains(parsed.url())),
            "not below the base"
        );
        assert!(self.nonces.remove(parsed.nonce().as_str()), "a nonce that the bank did not give");
        let key = match parsed.by() {
            By::Session(url) => self.sessions.get(url.as_str()).expect("an open session").clone(),
            By::Certificate(der) => {
                self.issued(&Certificate::from_der(der).expect("a certificate"), &[])
            }
            By::Key(key) => (**key).clone(),
        };
        let verified = parsed.verify(default_verifier(), &key).expect("the signature is right");
        super::jws::read_payload(&verified).expect("the payload is that of the operation");
        self.answered(&verified, &key, response);
    }

    /// A customer's certificate: issued by this bank, its chain to a root, and valid now.
    fn issued(&self, leaf: &Certificate, issuers: &[Certificate]) -> PublicKey {
        if !issuers.is_empty() {
            let now = self.now.expect("a time");
            verify_path(leaf, issuers, &self.roots, now, default_verifier())
                .expect("a path to the root");
            assert_eq!(leaf.extended_key_usages(), Some(&[CLIENT_AUTH][..]));
        }
        leaf.key().clone()
    }

    fn answered(&mut self, request: &Verified, key: &PublicKey, response: &Value) {
        let status = response["status"].as_u64().expect("a status");
        if status >= 400 {
            let problem: Problem = read(response);
            assert_eq!(u64::from(problem.status), status);
            assert_eq!(problem.token().map(|token| u64::from(token.row().status)), Some(status));
            return;
        }
        match request.operation() {
            Operation::NewSession => {
                let _: Session = read(response);
                assert_eq!(status, 201);
                self.sessions.insert(text(response, "/headers/Location").to_owned(), key.clone());
            }
            Operation::Defer => drop(read::<Session>(response)),
            Operation::Logoff => {
                assert_eq!((status, text(response, "/body")), (204, ""));
                let By::Session(url) = request.by() else { panic!("a session logs off") };
                self.sessions.remove(url.as_str());
            }
            Operation::NewOrder => {
                let payload: NewOrder = request.object().expect("read before");
                let csr =
                    Csr::from_der(payload.csr.der(), default_verifier()).expect("a right CSR");
                self.order(response, Some(csr.key()));
            }
            Operation::NewEnrollment => {
                let payload: NewEnrollment = request.object().expect("read before");
                let csr =
                    Csr::from_der(payload.csr.der(), default_verifier()).expect("a right CSR");
                assert_eq!(csr.key(), key, "the key of the CSR signs");
                let binding = Binding { reissue: &payload.reissue, url: request.url(), key };
                let enrollment_key = self.enrollment_keys.get(&payload.reissue).expect("a reissue");
                binding
                    .verify(&payload.binding, enrollment_key, default_verifier())
                    .expect("it proves the code");
                self.order(response, Some(key));
            }
            Operation::FindOrder | Operation::Confirm => self.order(response, Some(key)),
            Operation::Cancel | Operation::Rollback => self.order(response, None),
            Operation::Read => self.resource(request.url(), key, response),
            Operation::NewReissue => {
                let payload: NewReissue = request.object().expect("read before");
                let reissue: Reissue = read(response);
                assert_eq!((status, reissue.id), (201, payload.id));
                self.enrollment_keys.insert(payload.id, payload.enrollment_key);
            }
            Operation::CancelReissue
            | Operation::Unlock
            | Operation::Pin
            | Operation::RevokeCert => {
                panic!("no flow has {}", request.operation())
            }
        }
    }

    fn resource(&mut self, url: &Url, key: &PublicKey, response: &Value) {
        match text(response, "/headers/Content-Type") {
            "application/pem-certificate-chain" => {
                let leaf = text(response, "/body").split("-----").nth(2).expect("PEM");
                assert_eq!(certificate(&leaf.replace('\n', "")).key(), key);
            }
            _ if url.path().contains("/contract/") => drop(read::<Contract>(response)),
            _ => self.order(response, Some(key)),
        }
    }

    /// An order's answer: its key, its certificate, its receipt, and its way from the last status.
    fn order(&mut self, response: &Value, key: Option<&PublicKey>) {
        let order: Order = read(response);
        if let Some(key) = key {
            assert_eq!(order.key, key.thumbprint(), "the order of another key");
        }
        let name = order.status.name();
        match &order.status {
            Status::Processing { .. } => {
                assert!(text(response, "/headers/Retry-After").parse::<u32>().is_ok());
            }
            Status::Valid { issued, .. } | Status::Completed { issued, .. } => {
                let certificates: Vec<Certificate> = issued
                    .chain
                    .iter()
                    .map(|der| Certificate::from_der(der).expect("a certificate"))
                    .collect();
                let leaf = self.issued(&certificates[0], &certificates[1..]);
                assert_eq!(leaf.thumbprint(), order.key, "the certificate of another key");
            }
            Status::Canceled { .. } | Status::Invalid { .. } | Status::RolledBack { .. } => {}
        }
        let receipt = match &order.status {
            Status::Processing { .. } | Status::Valid { .. } => None,
            Status::Completed { receipt, .. }
            | Status::Canceled { receipt }
            | Status::Invalid { receipt, .. }
            | Status::RolledBack { receipt, .. } => Some(receipt),
        };
        if let Some(receipt) = receipt {
            let receipt =
                Receipt::verify(receipt, &self.roots, default_verifier()).expect("a right receipt");
            let told = (receipt.order, receipt.key, receipt.subject, receipt.status);
            assert_eq!(told, (order.url.clone(), order.key, order.subject.clone(), name));
        }
        let url = order.url.to_string();
        match self.orders.iter_mut().find(|(known, _)| *known == url) {
            Some((_, statuses)) => {
                assert!(follows(statuses.last().copied(), name), "{statuses:?}, then {name:?}");
                statuses.push(name.as_str());
            }
            None => self.orders.push((url, vec![name.as_str()])),
        }
    }
}

/// SPEC.md 10.1
fn follows(before: Option<&str>, now: StatusName) -> bool {
    let after: &[&str] = match now {
        StatusName::Processing => &["processing"],
        StatusName::Valid => &["processing", "valid"],
        StatusName::Completed => &["valid", "completed"],
        StatusName::Canceled => &["processing", "valid", "canceled"],
        StatusName::Invalid => &["processing", "valid", "invalid"],
        StatusName::RolledBack => &["completed", "rolledBack"],
    };
    before.is_none_or(|before| after.contains(&before))
}
