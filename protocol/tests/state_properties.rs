//! Every state machine, driven by random sequences of events, keeps the invariants of DESIGN.md 6 that
//! concern it alone. What concerns several of them at once is the model's business (`tests/model`).

use koshin_protocol::state::certificate::{Certificate, Use, Validity};
use koshin_protocol::state::order::{Effect, Finality, Kind, Offer, Order, Predecessor, Status};
use koshin_protocol::state::reissue::{Reissue, Revocation};
use koshin_protocol::state::session::{Ended, Need, Purpose, Reason, Session};
use koshin_protocol::state::{certificate, order, reissue, session};
use koshin_protocol::time::{Period, Time};
use proptest::prelude::*;

fn at(seconds: i64) -> Time {
    Time::from_unix(seconds).expect("a small number of seconds is a time")
}

fn instant() -> impl Strategy<Value = Time> {
    (0_i64..100).prop_map(at)
}

fn offer() -> impl Strategy<Value = Offer> {
    prop_oneof![instant().prop_map(Offer::Until), Just(Offer::Disabled)]
}

fn predecessor() -> impl Strategy<Value = Predecessor> {
    prop_oneof![Just(Predecessor::Unexpired), Just(Predecessor::Expired)]
}

fn order_event() -> impl Strategy<Value = order::Event> {
    use order::Event;
    let finality = prop_oneof![Just(Finality::Revertible), Just(Finality::Final)];
    prop_oneof![
        3 => Just(Event::Issued),
        1 => Just(Event::IssueFailed),
        1 => predecessor().prop_map(|predecessor| Event::Cancel { predecessor }),
        2 => (finality, offer()).prop_map(|(finality, offer)| Event::Confirm { finality, offer }),
        1 => offer().prop_map(|offer| Event::FirstUse { offer }),
        2 => instant().prop_map(|now| Event::Rollback { now }),
        1 => Just(Event::PredecessorRevoked),
        1 => Just(Event::SuccessorOrdered),
        1 => Just(Event::SuccessorRevoked),
        1 => Just(Event::SubjectReissued),
    ]
}

fn new_order() -> impl Strategy<Value = Order> {
    let renewal = Order::renewal(Certificate::Current, Validity::Within).map(|placed| placed.state);
    prop_oneof![
        4 => Just(renewal.expect("a current certificate may be replaced")),
        1 => Just(Order::enrollment().state),
    ]
}

/// What an order did in its life.
#[derive(Default)]
struct Life {
    issued: u32,
    confirmed: u32,
    superseded: i32,
    revoked: u32,
}

impl Life {
    fn take(&mut self, before: Order, after: Order, effects: &[Effect]) {
        let processing = before.status() == Status::Processing;
        self.issued += u32::from(processing && after.status() == Status::Valid);
        for effect in effects {
            match effect {
                Effect::ConfirmSuccessor => self.confirmed += 1,
                Effect::SupersedePredecessor => self.superseded += 1,
                Effect::RestorePredecessor => self.superseded -= 1,
                Effect::RevokeSuccessor => self.revoked += 1,
                Effect::TellPredecessorsOrder
                | Effect::EndSessionsOfPredecessor
                | Effect::EndSessionsOfSuccessor
                | Effect::CompleteReissue
                | Effect::FailReissue
                | Effect::RevokeLateCertificate
                | Effect::DiscardSecondCertificate => {}
            }
        }
    }
}

proptest! {
    // [STA-09]
    #[test]
    fn an_order_yields_one_certificate_confirmed_once_and_supersedes_only_while_completed(
        order in new_order(),
        events in prop::collection::vec(order_event(), 0..40),
    ) {
        let renewal = order == Order::renewal(Certificate::Current, Validity::Within)
            .expect("a current certificate may be replaced").state;
        let mut now = order;
        let mut life = Life::default();
        for event in events {
            match now.step(event) {
                Ok(stepped) => {
                    life.take(now, stepped.state, stepped.effects);
                    now = stepped.state;
                }
                Err(refused) => prop_assert_eq!(refused.state, now, "a refusal changes nothing"),
            }
            prop_assert!(life.issued <= 1, "one order, one certificate");
            prop_assert!(life.confirmed <= life.issued, "only what was issued is confirmed");
            prop_assert!(life.revoked <= 1, "the successor is revoked once at most");
            let superseded = renewal && now.status() == Status::Completed;
            prop_assert_eq!(life.superseded, i32::from(superseded), "{:?}", now);
        }
    }

    #[test]
    fn a_final_order_stays_what_it_is(
        order in new_order(),
        events in prop::collection::vec(order_event(), 0..40),
    ) {
        let mut now = order;
        for event in events {
            let before = now.status();
            if let Ok(stepped) = now.step(event) {
                now = stepped.state;
            }
            let after = now.status();
            match before {
                Status::Processing | Status::Valid => {}
                Status::Completed => {
                    prop_assert!(matches!(after, Status::Completed | Status::RolledBack));
                }
                Status::Canceled | Status::Invalid | Status::RolledBack => {
                    prop_assert_eq!(after, before);
                }
            }
        }
    }

    #[test]
    fn what_was_granted_is_granted_again_and_changes_nothing(
        order in new_order(),
        events in prop::collection::vec(order_event(), 0..40),
    ) {
        let mut now = order;
        for event in events {
            let requested = matches!(
                event,
                order::Event::Cancel { .. }
                    | order::Event::Confirm { .. }
                    | order::Event::Rollback { .. }
            );
            let Ok(stepped) = now.step(event) else { continue };
            now = stepped.state;
            if requested {
                let again = now.step(event).expect("a repeated request is answered");
                prop_assert_eq!(again.state, now);
                prop_assert!(again.effects.is_empty());
            }
        }
    }

    #[test]
    fn an_order_is_neither_canceled_nor_rolled_back_once_its_predecessor_expired(
        order in new_order(),
        events in prop::collection::vec(order_event(), 0..30),
        not_after in 0_i64..50,
        later in 1_i64..50,
    ) {
        let offer = |now| Offer::at(now, Some(Period::from_seconds(20)), Some(at(not_after)));
        let mut state = order;
        for (second, event) in (0_i64..).zip(events) {
            let now = at(second);
            let event = match event {
                order::Event::Cancel { .. } => {
                    let predecessor = Predecessor::at(now, Some(at(not_after)));
                    order::Event::Cancel { predecessor }
                }
                order::Event::Confirm { finality, .. } => {
                    order::Event::Confirm { finality, offer: offer(now) }
                }
                order::Event::FirstUse { .. } => order::Event::FirstUse { offer: offer(now) },
                order::Event::Rollback { .. } => order::Event::Rollback { now },
                other => other,
            };
            let before = state.status();
            state = state.step(event).map_or_else(|refused| refused.state, |stepped| stepped.state);
            let after = state.status();
            if before != after && second > not_after {
                let undone = matches!(after, Status::Canceled | Status::RolledBack);
                prop_assert!(!undone, "{} {}", before, after);
            }
        }
        let late = at(not_after + later);
        let rolled_back = state.step(order::Event::Rollback { now: late });
        prop_assert!(rolled_back.is_err() || state.status() == Status::RolledBack);
    }

    #[test]
    fn a_revoked_certificate_stays_revoked_and_permits_nothing_but_to_be_revoked(
        events in prop::collection::vec(certificate_event(), 0..30),
    ) {
        let mut now = Certificate::Unconfirmed;
        let mut revoked = false;
        for event in events {
            revoked |= event == certificate::Event::Revoked;
            now = now.step(event).map_or_else(|refused| refused.state, |stepped| stepped.state);
            prop_assert_eq!(revoked, now == Certificate::Revoked);
            let uses = [Use::Logon, Use::RecoveryLogon, Use::Renewal, Use::Confirm, Use::Fetch];
            for purpose in uses {
                let admitted = now.admits(purpose, Validity::Within).is_ok();
                prop_assert!(!(revoked && admitted), "{:?}", purpose);
                prop_assert!(now.admits(purpose, Validity::Over).is_err(), "{:?}", purpose);
            }
            let orders = now.admits(Use::Renewal, Validity::Within).is_ok();
            prop_assert_eq!(orders, now.is_current(), "only a current certificate is replaced");
            prop_assert_eq!(Order::renewal(now, Validity::Within).is_ok(), now.is_current());
        }
    }

    // [STA-09]
    #[test]
    fn an_ended_session_serves_nothing_and_keeps_its_first_reason(
        absolute in 20_i64..60,
        events in prop::collection::vec(session_event(), 0..30),
    ) {
        let mut now = Session::open(Purpose::Renewal, at(10), at(absolute));
        let mut reason: Option<Reason> = None;
        for event in events {
            let step = now.step(event);
            if let Some(first) = reason {
                prop_assert_eq!(now, Session::Ended(Ended { reason: first }));
                let served = matches!(event, session::Event::Used { .. }) && step.is_ok();
                prop_assert!(!served, "served after its end");
            }
            if let Err(refused) = step {
                prop_assert_eq!(refused.state, now, "a refusal changes nothing");
            }
            if let session::Event::Used { now: instant, need, .. } = event && step.is_ok() {
                prop_assert!(instant <= at(absolute), "used after its absolute end");
                prop_assert!(need != Need::Recovery, "used for another purpose");
            }
            now = step.map_or_else(|refused| refused.state, |stepped| stepped.state);
            match now {
                Session::Active(active) => prop_assert!(active.expires() <= at(absolute)),
                Session::Ended(ended) => reason = reason.or(Some(ended.reason)),
            }
        }
    }

    // [STA-09]
    #[test]
    fn a_code_is_redeemed_once_at_most_and_never_after_its_end(
        at_once in any::<bool>(),
        expires in 0_i64..100,
        events in prop::collection::vec(reissue_event(), 0..30),
    ) {
        let revocation = if at_once { Revocation::AtOnce } else { Revocation::AtConfirmation };
        let opened = Reissue::open(at(expires), revocation);
        let mut revokes =
            u32::from(opened.effects.contains(&reissue::Effect::RevokeOtherCertificates));
        let mut now = opened.state;
        let mut redeemed = 0;
        for event in events {
            let step = now.step(event);
            if let Err(refused) = step {
                prop_assert_eq!(refused.state, now, "a refusal changes nothing");
            }
            if let Ok(stepped) = step {
                let placed = stepped.effects.contains(&reissue::Effect::PlaceOrder);
                redeemed += u32::from(placed);
                let revoked =
                    stepped.effects.contains(&reissue::Effect::RevokeOtherCertificates);
                revokes += u32::from(revoked);
                match event {
                    reissue::Event::Redeem { now: instant } => {
                        prop_assert!(placed && instant <= at(expires));
                    }
                    reissue::Event::Cancel { now: instant } => {
                        let pending = matches!(now, Reissue::Pending(_));
                        prop_assert!(!pending || instant <= at(expires));
                    }
                    _ => {}
                }
            }
            now = step.map_or_else(|refused| refused.state, |stepped| stepped.state);
            prop_assert!(redeemed <= 1);
            // The other certificates go once: at the start, or when the new one is confirmed.
            let due = at_once || now == Reissue::Completed;
            prop_assert_eq!(revokes, u32::from(due));
        }
    }
}

fn certificate_event() -> impl Strategy<Value = certificate::Event> {
    use certificate::Event;
    prop_oneof![
        3 => Just(Event::Confirmed),
        2 => Just(Event::Superseded),
        2 => Just(Event::Restored),
        1 => Just(Event::Revoked),
    ]
}

fn session_event() -> impl Strategy<Value = session::Event> {
    use session::Event;
    let need = prop_oneof![Just(Need::Renewal), Just(Need::Recovery), Just(Need::Either)];
    let reason = prop::sample::select(Reason::ALL.to_vec());
    prop_oneof![
        6 => (0_i64..80, need).prop_map(|(now, need)| Event::Used {
            now: at(now),
            idle: at(now + 10),
            need,
        }),
        1 => Just(Event::Logoff),
        1 => reason.prop_map(Event::End),
    ]
}

fn reissue_event() -> impl Strategy<Value = reissue::Event> {
    use reissue::Event;
    prop_oneof![
        3 => instant().prop_map(|now| Event::Redeem { now }),
        1 => Just(Event::RedeemAgain),
        2 => Just(Event::OrderCompleted),
        1 => Just(Event::OrderInvalid),
        1 => instant().prop_map(|now| Event::Cancel { now }),
        1 => Just(Event::Void),
    ]
}

#[test]
fn only_a_current_certificate_within_its_validity_is_replaced() {
    for validity in [Validity::NotYet, Validity::Over] {
        assert!(Order::renewal(Certificate::Current, validity).is_err(), "{validity:?}");
    }
    let placed = Order::renewal(Certificate::Current, Validity::Within);
    let placed = placed.expect("a current certificate may be replaced");
    assert_eq!(placed.state, Order::Processing(order::Processing { kind: Kind::Renewal }));
}

#[test]
fn both_seconds_at_the_ends_of_a_validity_are_within_it() {
    let (not_before, not_after) = (at(10), at(20));
    let places = [9, 10, 20, 21].map(|now| Validity::at(at(now), not_before, not_after));
    let wanted = [Validity::NotYet, Validity::Within, Validity::Within, Validity::Over];
    assert_eq!(places, wanted);
}

// [STA-10]
#[test]
fn expired_is_shown_of_what_would_count_and_only_while_the_clock_says_so() {
    use koshin_protocol::certificate_entry::CertificateState as Shown;
    let cases = [
        (Certificate::Unconfirmed, Shown::Unconfirmed, Shown::Expired),
        (Certificate::Current, Shown::Current, Shown::Expired),
        (Certificate::Superseded, Shown::Superseded, Shown::Superseded),
        (Certificate::Revoked, Shown::Revoked, Shown::Revoked),
    ];
    for (state, within, over) in cases {
        assert_eq!(state.shown(Validity::NotYet), within, "{state:?}");
        assert_eq!(state.shown(Validity::Within), within, "{state:?}");
        assert_eq!(state.shown(Validity::Over), over, "{state:?}");
    }
}
