//! The state tables of SPEC.md 10, read from the text and compared with the machines cell by cell.

use std::collections::BTreeSet;

use koshin_protocol::problem::Token;
use koshin_protocol::state::order::{
    Cause, Completed, Finality, Invalid, Kind, Offer, Order, Predecessor, Processing,
    RollbackRight, Valid,
};
use koshin_protocol::state::reissue::{Pending, Redeemed, Reissue, Revocation};
use koshin_protocol::state::session::{Active, Ended, Need, Purpose, Reason, Session};
use koshin_protocol::state::{Step, certificate, order, reissue, session};
use koshin_protocol::time::Time;

const SPEC: &str = include_str!("../../SPEC.md");

/// One cell: event, state, what stands there.
struct Cell {
    event: String,
    state: String,
    text: String,
}

impl Cell {
    /// The words in backquotes, which are the permitted outcomes.
    fn outcomes(&self) -> BTreeSet<&str> {
        self.text.split('`').skip(1).step_by(2).collect()
    }
}

/// Every cell of the table in the section whose heading is given.
fn table(heading: &str) -> Vec<Cell> {
    let (_, section) = SPEC.split_once(heading).expect("the section exists");
    let mut rows = section.lines().skip_while(|line| !line.starts_with('|'));
    let mut cells_of = || -> Option<Vec<String>> {
        let line = rows.next().filter(|line| line.starts_with('|'))?;
        Some(line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
    };
    let states = cells_of().expect("a table has a head");
    cells_of().expect("a table has a rule");
    let mut cells = Vec::new();
    while let Some(row) = cells_of() {
        assert_eq!(row.len(), states.len(), "row {:?} of {heading}", row[0]);
        for (state, text) in states.iter().zip(&row).skip(1) {
            let state = state.trim_matches('`').to_owned();
            cells.push(Cell { event: row[0].clone(), state, text: text.clone() });
        }
    }
    cells
}

/// What came of one step, in the words of a cell, and what the bank owes for it.
fn outcome<S: Copy, E: Copy>(
    before: S,
    step: Step<S, E>,
    name: fn(S) -> &'static str,
) -> (&'static str, Vec<E>) {
    match step {
        Ok(stepped) if name(stepped.state) == name(before) => ("=", stepped.effects.to_vec()),
        Ok(stepped) => (name(stepped.state), stepped.effects.to_vec()),
        Err(refused) => (refused.token.as_str(), Vec::new()),
    }
}

/// Walks a table: in every cell each representative of the state meets each of the event; the outcome
/// is one of those written, and each of those written comes about. Returns the number of cells.
fn walk<S: Copy + std::fmt::Debug, V: Copy + std::fmt::Debug, E: Copy + std::fmt::Debug>(
    heading: &str,
    states: &[S],
    name: fn(S) -> &'static str,
    events: fn(&str) -> Vec<V>,
    step: fn(S, V) -> Step<S, E>,
    check: fn(&Cell, S, V, &str, &[E]),
) -> usize {
    let cells = table(heading);
    for cell in &cells {
        let place = format!("{heading}: {} in {}", cell.event, cell.state);
        let wanted = cell.outcomes();
        assert!(!wanted.is_empty(), "{place}: no outcome is written");
        let mut seen = BTreeSet::new();
        let representatives: Vec<S> =
            states.iter().copied().filter(|state| name(*state) == cell.state).collect();
        assert!(!representatives.is_empty(), "{place}: no such state in the code");
        let events = events(&cell.event);
        assert!(!events.is_empty(), "{place}: no such event in the code");
        for state in representatives {
            for event in &events {
                let (word, effects) = outcome(state, step(state, *event), name);
                if wanted.contains("-") {
                    assert!(step(state, *event).is_err(), "{place}: took place: {state:?}");
                    continue;
                }
                let noted = note(cell, word);
                assert!(wanted.contains(word) || noted, "{place}: {word} of {state:?} {event:?}");
                check(cell, state, *event, word, &effects);
                seen.insert(word);
            }
        }
        if !wanted.contains("-") {
            let unseen: Vec<_> = wanted.difference(&seen).collect();
            assert!(unseen.is_empty(), "{place}: {unseen:?} never comes about");
        }
    }
    cells.len()
}

/// The further outcomes that notes 1, 6 and 8 of the order table give to their cells.
fn note(cell: &Cell, word: &str) -> bool {
    (cell.text.contains("(1)") && word == Token::NotAuthorized.as_str())
        || (cell.text.contains("(6)") && word == Token::RollbackDisabled.as_str())
        || (cell.text.contains("(8)") && word == "=")
}

fn at(seconds: i64) -> Time {
    Time::from_unix(seconds).expect("a small number of seconds is a time")
}

const NOW: i64 = 1_000;

#[test]
fn every_cell_of_the_order_table_is_what_the_order_machine_does() {
    let kinds = [Kind::Renewal, Kind::Enrollment];
    let rights = [
        RollbackRight::Until(at(NOW)),
        RollbackRight::Until(at(NOW - 1)),
        RollbackRight::Ended,
        RollbackRight::Disabled,
    ];
    let causes = [
        Cause::IssueFailed,
        Cause::PredecessorRevoked,
        Cause::SuccessorRevoked,
        Cause::SubjectReissued,
    ];
    let mut states = vec![Order::Canceled, Order::RolledBack];
    states.extend(kinds.map(|kind| Order::Processing(Processing { kind })));
    states.extend(kinds.map(|kind| Order::Valid(Valid { kind })));
    states.extend(rights.map(|rollback| Order::Completed(Completed { rollback })));
    states.extend(causes.map(|cause| Order::Invalid(Invalid { cause })));
    let cells = walk(
        "### 10.1 Order",
        &states,
        |order| order.status().as_str(),
        order_events,
        Order::step,
        check_order,
    );
    assert_eq!(cells, 10 * 6);
}

fn order_events(row: &str) -> Vec<order::Event> {
    use order::Event;
    let offers = [Offer::Until(at(NOW + 100)), Offer::Disabled];
    match row {
        "issued" => vec![Event::Issued],
        "issue failed" => vec![Event::IssueFailed],
        "cancel" => [Predecessor::Unexpired, Predecessor::Expired]
            .map(|predecessor| Event::Cancel { predecessor })
            .into(),
        "confirm" => offers
            .into_iter()
            .flat_map(|offer| {
                [Finality::Revertible, Finality::Final]
                    .map(|finality| Event::Confirm { finality, offer })
            })
            .collect(),
        "first use" => offers.map(|offer| Event::FirstUse { offer }).into(),
        "rollback" => vec![Event::Rollback { now: at(NOW) }],
        "predecessor revoked" => vec![Event::PredecessorRevoked],
        "successor ordered" => vec![Event::SuccessorOrdered],
        "successor revoked" => vec![Event::SuccessorRevoked],
        "subject reissued" => vec![Event::SubjectReissued],
        _ => Vec::new(),
    }
}

/// The text after the semicolon: the effects, and the right to roll back.
fn check_order(
    cell: &Cell,
    state: Order,
    event: order::Event,
    word: &str,
    effects: &[order::Effect],
) {
    use order::Effect;
    let place = format!("{} in {}: {state:?}", cell.event, cell.state);
    let accepted = state.step(event).ok().map(|stepped| stepped.state);
    let phrases: [(&str, Effect); 5] = [
        ("discard", Effect::DiscardSecondCertificate),
        ("revoke the late certificate", Effect::RevokeLateCertificate),
        ("revoke the successor", Effect::RevokeSuccessor),
        ("(2)", Effect::ConfirmSuccessor),
        ("(5)", Effect::RestorePredecessor),
    ];
    for (phrase, effect) in phrases {
        // Note 5 revokes the successor in its own words.
        let written = cell.text.contains(phrase)
            || (effect == Effect::RevokeSuccessor && cell.text.contains("(5)"));
        let refused = accepted.is_none();
        let concerns = !(word == "=" && cell.text.contains("(8)"));
        let wanted = written && !refused && concerns;
        assert_eq!(effects.contains(&effect), wanted, "{place}: {effect:?}");
    }
    if let Some(Order::Completed(Completed { rollback })) = accepted {
        let ends = cell.text.contains("end the right") || is_final(event);
        assert!(!(ends && matches!(rollback, RollbackRight::Until(_))), "{place}: the right stays");
    }
    if cell.text.contains("(2)") {
        let begun = matches!(
            accepted,
            Some(Order::Completed(Completed { rollback: RollbackRight::Until(_) }))
        );
        let renewal = Order::Valid(Valid { kind: Kind::Renewal });
        assert_eq!(begun, state == renewal && offers_rollback(event), "{place}: note 2");
    }
}

fn is_final(event: order::Event) -> bool {
    matches!(event, order::Event::Confirm { finality: Finality::Final, .. })
}

fn offers_rollback(event: order::Event) -> bool {
    match event {
        order::Event::Confirm { finality: Finality::Revertible, offer }
        | order::Event::FirstUse { offer } => matches!(offer, Offer::Until(_)),
        _ => false,
    }
}

#[test]
fn every_cell_of_the_certificate_table_is_what_the_certificate_machine_does() {
    use certificate::{Certificate, Event};
    let cells = walk(
        "### 10.2 Certificate",
        &[
            Certificate::Unconfirmed,
            Certificate::Current,
            Certificate::Superseded,
            Certificate::Revoked,
        ],
        |state| match state {
            Certificate::Unconfirmed => "unconfirmed",
            Certificate::Current => "current",
            Certificate::Superseded => "superseded",
            Certificate::Revoked => "revoked",
        },
        |row| match row {
            "confirmed" => vec![Event::Confirmed],
            "superseded by a confirmed successor" => vec![Event::Superseded],
            "restored by rollback" => vec![Event::Restored],
            "revoked" => vec![Event::Revoked],
            _ => Vec::new(),
        },
        Certificate::step,
        |_, _, _, _, _| {},
    );
    assert_eq!(cells, 4 * 4);
}

#[test]
fn every_cell_of_the_session_table_is_what_the_session_machine_does() {
    use session::Event;
    fn active(purpose: Purpose) -> Session {
        Session::Active(Active { purpose, idle: at(NOW + 10), absolute: at(NOW + 60) })
    }
    let mut states = vec![active(Purpose::Renewal), active(Purpose::Recovery)];
    states.extend(Reason::ALL.map(|reason| Session::Ended(Ended { reason })));
    let cells = walk(
        "### 10.3 Session",
        &states,
        |state| match state {
            Session::Active(_) => "active",
            Session::Ended(_) => "ended",
        },
        |row| match row {
            // The last second of the idle time, and the one after it.
            "signed request" => [NOW + 10, NOW + 11]
                .map(|now| Event::Used { now: at(now), idle: at(now + 10), need: Need::Either })
                .into(),
            "logoff" => vec![Event::Logoff],
            "new logon of the same certificate" => vec![Event::End(Reason::NewLogon)],
            "certificate superseded: its order completed" => {
                vec![Event::End(Reason::OrderCompleted)]
            }
            "certificate revoked" => vec![Event::End(Reason::CertificateRevoked)],
            "reissue of the subject created or redeemed" => {
                vec![Event::End(Reason::SubjectReissued)]
            }
            "order of the certificate rolled back" => vec![Event::End(Reason::RolledBack)],
            _ => Vec::new(),
        },
        Session::step,
        |cell, state, event, word, _| {
            let after = state.step(event).map_or_else(|refused| refused.state, |s| s.state);
            match (state, after) {
                (Session::Active(_), Session::Ended(Ended { reason })) => {
                    let written = format!("({})", reason.as_str());
                    assert!(cell.text.contains(&written), "{}: {written}", cell.event);
                }
                (Session::Active(before), Session::Active(after)) => {
                    let anew = after.idle > before.idle;
                    assert_eq!(anew, word == "=", "{}: idle begins anew", cell.event);
                }
                (Session::Ended(_), after) => assert_eq!(after, state, "the first reason stays"),
            }
        },
    );
    assert_eq!(cells, 7 * 2);
}

#[test]
fn every_cell_of_the_reissue_table_is_what_the_reissue_machine_does() {
    use reissue::{Effect, Event};
    let mut states = vec![Reissue::Completed, Reissue::Failed, Reissue::Canceled, Reissue::Voided];
    for revocation in [Revocation::AtOnce, Revocation::AtConfirmation] {
        states.push(Reissue::Pending(Pending { expires: at(NOW), revocation }));
        states.push(Reissue::Redeemed(Redeemed { revocation }));
    }
    let cells = walk(
        "### 10.4 Reissue",
        &states,
        |state| match state {
            Reissue::Pending(_) => "pending",
            Reissue::Redeemed(_) => "redeemed",
            Reissue::Completed => "completed",
            Reissue::Failed => "failed",
            Reissue::Canceled => "canceled",
            Reissue::Voided => "voided",
        },
        |row| match row {
            "enrollment, key of its order" => vec![Event::RedeemAgain],
            "enrollment, new key" => {
                [NOW, NOW + 1].map(|now| Event::Redeem { now: at(now) }).into()
            }
            "its order completed" => vec![Event::OrderCompleted],
            "its order became invalid otherwise" => vec![Event::OrderInvalid],
            "cancel" => [NOW, NOW + 1].map(|now| Event::Cancel { now: at(now) }).into(),
            "newer reissue of the subject" => vec![Event::Void],
            _ => Vec::new(),
        },
        Reissue::step,
        |cell, _, _, word, effects| {
            let ends = cell.text.contains("its order: subject reissued");
            assert_eq!(effects.contains(&Effect::EndOwnOrder), ends, "{}", cell.event);
            let creates = cell.text.contains("create the order") && word == "redeemed";
            assert_eq!(effects.contains(&Effect::PlaceOrder), creates, "{}", cell.event);
        },
    );
    assert_eq!(cells, 6 * 6);
}
