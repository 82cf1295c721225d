//! The invariants of a bank (DESIGN 6), asserted over every subject of a database, and that the audit tells the same story.

use std::collections::{BTreeMap, HashSet};

use koshin_protocol::state::certificate::Certificate as State;
use koshin_protocol::state::order::Order as OrderState;
use koshin_protocol::state::reissue::Reissue as ReissueState;
use koshin_server::rule::subject::{Order, Origin, Subject};
use koshin_server::store::{By, Store};
use rusqlite::Connection;
use serde_json::Value;

use crate::stored::at_once;

/// Asserts every rule, of a database and what its store reads of it.
pub fn check(sql: &Connection, store: &dyn Store) {
    let subjects = subjects(sql, store);
    let mut keys = HashSet::new();
    let mut certificates = HashSet::new();
    for subject in &subjects {
        check_certificates(subject);
        check_orders(subject);
        check_others(subject);
        for certificate in &subject.certificates {
            assert!(certificates.insert(certificate.id.clone()), "a serial is unique: {certificate:?}");
            if certificate.order.is_none() {
                assert!(keys.insert(certificate.key), "a key is taken once: {certificate:?}");
            }
        }
        for order in &subject.orders {
            assert!(keys.insert(order.key), "a key is taken once: {order:?}");
        }
    }
    check_audit(sql, &subjects);
}

/// Every subject, with its chapters.
pub fn subjects(sql: &Connection, store: &dyn Store) -> Vec<Subject> {
    let mut numbers = sql.prepare("SELECT number FROM subject").expect("a query");
    let numbers = numbers.query_map([], |row| row.get::<_, i64>(0)).expect("rows");
    let numbers = numbers.map(|number| number.expect("a number").unsigned_abs());
    let whole = |number| {
        let loaded = at_once(store.load(By::Number(number))).expect("read").expect("a subject");
        let mut subject = loaded.known.subject;
        while let Some(chapter) = subject.chapter {
            subject.unfold(at_once(store.chapter(chapter)).expect("read").expect("a chapter"));
        }
        subject
    };
    numbers.map(whole).collect()
}

fn check_certificates(subject: &Subject) {
    let count = |state| subject.certificates.iter().filter(|of| of.state == state).count();
    assert!(count(State::Current) <= 1, "at most one certificate is current: {subject:?}");
    assert!(count(State::Unconfirmed) <= 1, "at most one is unconfirmed: {subject:?}");
    for certificate in &subject.certificates {
        let order = certificate.order.map(|id| subject.order(id).expect("its order"));
        if let Some(order) = order {
            assert_eq!(order.certificate, Some(certificate.number), "an order has its certificate");
            assert_eq!(order.key, certificate.key, "a certificate has its order's key");
        }
        let fits = match (certificate.state, order.map(|order| order.state)) {
            (State::Unconfirmed, state) => matches!(state, Some(OrderState::Valid(_))),
            (State::Current | State::Superseded, state) => {
                matches!(state, None | Some(OrderState::Completed(_)))
            }
            (State::Revoked, state) => {
                !matches!(state, Some(OrderState::Processing(_) | OrderState::Valid(_)))
            }
        };
        assert!(fits, "a certificate's state fits its order's: {certificate:?} {order:?}");
    }
}

fn check_orders(subject: &Subject) {
    let open = subject.orders.iter().filter(|order| order.state.is_open()).count();
    assert!(open <= 1, "at most one order is open: {subject:?}");
    let mut completed = HashSet::new();
    for order in &subject.orders {
        if let Origin::Renewal(number) = order.origin {
            let replaced = subject.certificate(number).expect("the certificate that it replaces");
            assert!(
                (replaced.not_before..=replaced.not_after).contains(&order.created),
                "an order was placed within its predecessor's validity: {order:?} {replaced:?}"
            );
            if matches!(order.state, OrderState::Completed(_)) {
                assert!(completed.insert(number), "a certificate is replaced once: {order:?}");
                assert!(
                    matches!(replaced.state, State::Superseded | State::Revoked),
                    "a completed order's predecessor does not count: {order:?} {replaced:?}"
                );
            }
        }
        check_order(order);
    }
}

fn check_order(order: &Order) {
    let issued = order.certificate.is_some();
    let fits = match order.state {
        OrderState::Processing(_) => !issued && order.issuing.is_some(),
        OrderState::Valid(_) | OrderState::Completed(_) | OrderState::RolledBack => {
            issued && order.issuing.is_none()
        }
        OrderState::Canceled | OrderState::Invalid(_) => order.issuing.is_none(),
    };
    assert!(fits, "an order has a certificate where its state says so: {order:?}");
}

fn check_others(subject: &Subject) {
    let open = subject.reissues.iter().filter(|reissue| reissue.is_open()).count();
    assert!(open <= 1, "at most one reissue is open: {subject:?}");
    let mut sessions = HashSet::new();
    for session in &subject.sessions {
        let certificate = subject.certificate(session.certificate).expect("its certificate");
        assert!(sessions.insert(session.certificate), "a certificate has one session: {session:?}");
        assert_ne!(certificate.state, State::Revoked, "no session of a revoked one: {session:?}");
    }
}

/// Every object's state follows from the audit alone.
fn check_audit(sql: &Connection, subjects: &[Subject]) {
    let mut told: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut statement =
        sql.prepare("SELECT record FROM audit ORDER BY sequence").expect("a query");
    let mut rows = statement.query([]).expect("rows");
    while let Some(row) = rows.next().expect("a row") {
        let record: Vec<u8> = row.get(0).expect("bytes");
        for line in record.split(|octet| *octet == b'\n').skip(1) {
            let entry: Value = serde_json::from_slice(line).expect("JSON");
            for change in entry["changes"].as_array().expect("changes") {
                let word = |name: &str| change[name].as_str().expect("a word").to_owned();
                told.insert((word("object"), word("id")), word("state"));
            }
        }
    }
    told.retain(|(object, _), state| match object.as_str() {
        "order" | "certificate" | "reissue" => true,
        "session" => state == "active",
        _ => false,
    });
    assert_eq!(told, states(subjects), "the audit (left) and the registry (right) differ");
}

fn states(subjects: &[Subject]) -> BTreeMap<(String, String), String> {
    let mut states = BTreeMap::new();
    let mut add = |object: &str, id: String, state: &str| {
        states.insert((object.to_owned(), id), state.to_owned());
    };
    for subject in subjects {
        for order in &subject.orders {
            add("order", order.id.to_string(), order.state.status().as_str());
        }
        for certificate in &subject.certificates {
            add("certificate", certificate.id.to_string(), certificate.state.as_str());
        }
        for session in &subject.sessions {
            add("session", session.id.to_string(), "active");
        }
        for reissue in &subject.reissues {
            let state = match reissue.state {
                ReissueState::Pending(_) => "pending",
                ReissueState::Redeemed(_) => "redeemed",
                ReissueState::Completed => "completed",
                ReissueState::Failed => "failed",
                ReissueState::Canceled => "canceled",
                ReissueState::Voided => "voided",
            };
            add("reissue", reissue.id.to_string(), state);
        }
    }
    states
}
