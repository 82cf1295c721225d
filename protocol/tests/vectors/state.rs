//! The four state machines.

use koshin_protocol::problem::Token;
use koshin_protocol::revocation;
use koshin_protocol::state::Step;
use koshin_protocol::state::certificate::{self, Certificate, Validity};
use koshin_protocol::state::order::{
    self, Cause, Completed, Finality, Invalid, Kind, Offer, Order, Predecessor, Processing,
    RollbackRight, Valid,
};
use koshin_protocol::state::reissue::{self, Pending, Redeemed, Reissue, Revocation};
use koshin_protocol::state::session::{self, Active, Ended, Need, Purpose, Session};
use koshin_protocol::time::{Period, Time};
use serde_json::{Value, json};

use super::outcome::Outcome;

/// The bank's time in every vector; other times are told in words.
const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Time {
    Time::from_unix(seconds).expect("a time of this century")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("the input has no text {name}: {value}"))
}

pub(crate) fn run(input: &Value) -> Outcome {
    match text(input, "machine") {
        "order" => of_order(input),
        "certificate" => of_certificate(input),
        "session" => of_session(input),
        "reissue" => of_reissue(input),
        other => panic!("no machine {other}"),
    }
}

/// What `earlier` left, where there is one: the state, whether the event was refused or not.
fn after<S: Copy, V, E>(
    state: S,
    input: &Value,
    event: fn(&Value) -> V,
    step: fn(S, V) -> Step<S, E>,
) -> S {
    match &input["earlier"] {
        Value::Null => state,
        earlier => step(state, event(earlier))
            .map_or_else(|refused| refused.state, |stepped| stepped.state),
    }
}

fn of_order(input: &Value) -> Outcome {
    let before = after(order_state(&input["state"]), input, order_event, Order::step);
    match before.step(order_event(&input["event"])) {
        Err(refused) => Outcome::refused(refused.token, "state"),
        Ok(stepped) => {
            let mut does: Vec<&str> = stepped.effects.iter().map(|one| effect(*one)).collect();
            does.sort_unstable();
            let status = stepped.state.status().as_str();
            let outcome = Outcome::valid(json!({ "state": status, "does": does }));
            match stepped.state {
                Order::Completed(Completed { rollback }) => match rollback {
                    RollbackRight::Until(until) if at(NOW) <= until => {
                        outcome.and("rollback", "open")
                    }
                    RollbackRight::Until(_) => outcome.and("rollback", "over"),
                    RollbackRight::Ended => outcome.and("rollback", "ended"),
                    RollbackRight::Disabled => outcome.and("rollback", "disabled"),
                },
                Order::Processing(_)
                | Order::Valid(_)
                | Order::Canceled
                | Order::Invalid(_)
                | Order::RolledBack => outcome,
            }
        }
    }
}

fn order_state(state: &Value) -> Order {
    let kind = || match text(state, "kind") {
        "renewal" => Kind::Renewal,
        "enrollment" => Kind::Enrollment,
        other => panic!("no kind {other}"),
    };
    match text(state, "status") {
        "processing" => Order::Processing(Processing { kind: kind() }),
        "valid" => Order::Valid(Valid { kind: kind() }),
        "completed" => {
            let rollback = match text(state, "rollback") {
                "open" => RollbackRight::Until(at(NOW + 1000)),
                "lastSecond" => RollbackRight::Until(at(NOW)),
                "over" => RollbackRight::Until(at(NOW - 1)),
                "ended" => RollbackRight::Ended,
                "disabled" => RollbackRight::Disabled,
                other => panic!("no right {other}"),
            };
            Order::Completed(Completed { rollback })
        }
        "canceled" => Order::Canceled,
        "invalid" => Order::Invalid(Invalid { cause: Cause::IssueFailed }),
        "rolledBack" => Order::RolledBack,
        other => panic!("no status {other}"),
    }
}

fn order_event(event: &Value) -> order::Event {
    use order::Event;
    // The predecessor ends in a thousand seconds, or has just ended.
    let not_after = match event["predecessor"].as_str() {
        None => NOW + 1000,
        Some("expired") => NOW - 1,
        Some(other) => panic!("no predecessor {other}"),
    };
    let within = event["rollbackWithin"].as_bool().unwrap_or(true);
    let within = within.then(|| Period::from_days(7));
    let offer = Offer::at(at(NOW), within, Some(at(not_after)));
    let is_final = event["final"].as_bool().unwrap_or(false);
    let finality = if is_final { Finality::Final } else { Finality::Revertible };
    match text(event, "name") {
        "issued" => Event::Issued,
        "issueFailed" => Event::IssueFailed,
        "cancel" => Event::Cancel { predecessor: Predecessor::at(at(NOW), Some(at(not_after))) },
        "confirm" => Event::Confirm { finality, offer },
        "firstUse" => Event::FirstUse { offer },
        "rollback" => Event::Rollback {
            now: at(match event["at"].as_str() {
                None => NOW,
                Some("secondAfter") => NOW + 1,
                Some("predecessorsLastSecond") => NOW - 1,
                Some(other) => panic!("no time {other}"),
            }),
        },
        "predecessorRevoked" => Event::PredecessorRevoked,
        "successorOrdered" => Event::SuccessorOrdered,
        "successorRevoked" => Event::SuccessorRevoked,
        "subjectReissued" => Event::SubjectReissued,
        other => panic!("no event {other}"),
    }
}

fn effect(effect: order::Effect) -> &'static str {
    use order::Effect;
    match effect {
        Effect::TellPredecessorsOrder => "tellPredecessorsOrder",
        Effect::EndSessionsOfPredecessor => "endSessionsOfPredecessor",
        Effect::SupersedePredecessor => "supersedePredecessor",
        Effect::ConfirmSuccessor => "confirmSuccessor",
        Effect::EndSessionsOfSuccessor => "endSessionsOfSuccessor",
        Effect::RevokeSuccessor => "revokeSuccessor",
        Effect::RestorePredecessor => "restorePredecessor",
        Effect::CompleteReissue => "completeReissue",
        Effect::FailReissue => "failReissue",
        Effect::RevokeLateCertificate => "revokeLateCertificate",
        Effect::DiscardSecondCertificate => "discardCertificate",
    }
}

const CERTIFICATES: [(&str, Certificate); 4] = [
    ("unconfirmed", Certificate::Unconfirmed),
    ("current", Certificate::Current),
    ("superseded", Certificate::Superseded),
    ("revoked", Certificate::Revoked),
];

fn of_certificate(input: &Value) -> Outcome {
    let state = text(input, "state");
    let before = CERTIFICATES.into_iter().find(|one| one.0 == state).expect("a state").1;
    // Whoever looked before changed nothing.
    assert!(matches!(input["earlier"]["name"].as_str(), None | Some("looked")), "{input}");
    let event = &input["event"];
    if text(event, "name") == "looked" {
        let shown = before.shown(validity(text(event, "at"))).as_str();
        return Outcome::valid(json!({ "state": state, "shown": shown }));
    }
    match before.step(certificate_event(event)) {
        Ok(stepped) => {
            let name =
                CERTIFICATES.into_iter().find(|one| one.1 == stepped.state).expect("named").0;
            Outcome::valid(json!({ "state": name }))
        }
        Err(refused) => Outcome::refused(refused.token, "state"),
    }
}

/// Where an instant lies in the validity of a certificate that ends now.
fn validity(word: &str) -> Validity {
    let now = match word {
        "lastSecond" => NOW,
        "secondAfter" => NOW + 1,
        other => panic!("no time {other}"),
    };
    Validity::at(at(now), at(NOW - 1000), at(NOW))
}

fn certificate_event(event: &Value) -> certificate::Event {
    use certificate::Event;
    match text(event, "name") {
        "confirmed" => Event::Confirmed,
        "superseded" => Event::Superseded,
        "restored" => Event::Restored,
        "revoked" => Event::Revoked,
        other => panic!("no event {other}"),
    }
}

fn of_session(input: &Value) -> Outcome {
    let state = &input["state"];
    let before = match text(state, "status") {
        "active" => {
            let purpose = match text(state, "purpose") {
                "renewal" => Purpose::Renewal,
                "recovery" => Purpose::Recovery,
                other => panic!("no purpose {other}"),
            };
            Session::Active(Active { purpose, idle: at(NOW + 600), absolute: at(NOW + 3600) })
        }
        "ended" => Session::Ended(Ended { reason: reason(text(state, "reason")) }),
        other => panic!("no status {other}"),
    };
    let before = after(before, input, session_event, Session::step);
    match before.step(session_event(&input["event"])) {
        Ok(stepped) => match stepped.state {
            Session::Active(_) => Outcome::valid(json!({ "state": "active" })),
            Session::Ended(Ended { reason }) => {
                Outcome::valid(json!({ "state": "ended", "reason": reason.as_str() }))
            }
        },
        Err(refused) => {
            let by_purpose = refused.token == Token::SessionPurpose;
            Outcome::refused(refused.token, if by_purpose { "signer" } else { "signature" })
        }
    }
}

fn reason(name: &str) -> session::Reason {
    session::Reason::ALL.into_iter().find(|reason| reason.as_str() == name).expect("a reason")
}

fn session_event(event: &Value) -> session::Event {
    use session::Event;
    match text(event, "name") {
        "signedRequest" => {
            let need = match text(event, "need") {
                "renewal" => Need::Renewal,
                "recovery" => Need::Recovery,
                "either" => Need::Either,
                other => panic!("no need {other}"),
            };
            let now = match event["at"].as_str() {
                None => NOW,
                Some("lastIdleSecond") => NOW + 600,
                Some("secondAfterIdle") => NOW + 601,
                Some(other) => panic!("no time {other}"),
            };
            Event::Used { now: at(now), idle: at(now + 600), need }
        }
        "logoff" => Event::Logoff,
        other => Event::End(reason(other)),
    }
}

fn of_reissue(input: &Value) -> Outcome {
    let why: revocation::Reason =
        serde_json::from_value(input["reason"].clone()).expect("a reason of SPEC.md 7.15");
    let revocation =
        if why.revokes_at_once() { Revocation::AtOnce } else { Revocation::AtConfirmation };
    let before = match text(input, "state") {
        "pending" => Reissue::Pending(Pending { expires: at(NOW + 1000), revocation }),
        "redeemed" => Reissue::Redeemed(Redeemed { revocation }),
        "completed" => Reissue::Completed,
        "failed" => Reissue::Failed,
        "canceled" => Reissue::Canceled,
        "voided" => Reissue::Voided,
        other => panic!("no state {other}"),
    };
    let before = after(before, input, reissue_event, Reissue::step);
    let event = &input["event"];
    if text(event, "name") == "looked" {
        let shown = before.status(instant(event)).as_str();
        let outcome = Outcome::valid(json!({ "state": reissue_word(before), "does": [] }));
        return outcome.and("shown", shown);
    }
    match before.step(reissue_event(event)) {
        Ok(stepped) => {
            let mut does: Vec<&str> =
                stepped.effects.iter().map(|one| reissue_effect(*one)).collect();
            does.sort_unstable();
            Outcome::valid(json!({ "state": reissue_word(stepped.state), "does": does }))
        }
        Err(refused) => Outcome::refused(refused.token, "state"),
    }
}

/// The state, as it is while its time is not over.
fn reissue_word(reissue: Reissue) -> &'static str {
    reissue.status(at(NOW)).as_str()
}

/// When an event of a reissue happens whose code may be redeemed for a thousand seconds more.
fn instant(event: &Value) -> Time {
    at(match event["at"].as_str() {
        None => NOW,
        Some("lastSecond") => NOW + 1000,
        Some("secondAfter") => NOW + 1001,
        Some(other) => panic!("no time {other}"),
    })
}

fn reissue_event(event: &Value) -> reissue::Event {
    use reissue::Event;
    match text(event, "name") {
        "enrollmentSameKey" => Event::RedeemAgain,
        "enrollmentNewKey" => Event::Redeem { now: instant(event) },
        "orderCompleted" => Event::OrderCompleted,
        "orderInvalid" => Event::OrderInvalid,
        "cancel" => Event::Cancel { now: instant(event) },
        "newerReissue" => Event::Void,
        other => panic!("no event {other}"),
    }
}

fn reissue_effect(effect: reissue::Effect) -> &'static str {
    use reissue::Effect;
    match effect {
        Effect::VoidFormerReissues => "voidFormerReissues",
        Effect::EndOrdersOfSubject => "endRenewalOrders",
        Effect::EndSessionsOfSubject => "endSessions",
        Effect::RevokeOtherCertificates => "revokeOtherCertificates",
        Effect::EndOwnOrder => "endOwnOrder",
        Effect::PlaceOrder => "placeOrder",
    }
}
