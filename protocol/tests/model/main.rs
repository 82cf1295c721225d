//! A bounded model of a bank, two machines with the same certificate, and the network between them,
//! built on the state machines that the bank itself uses (DESIGN.md 5 and 6).
//!
//! `world` is the whole and its steps, `bank` (with `effect`) and `client` are the two sides, `property` holds the
//! invariants, `scenario` the bounds within which every state is visited, and `mistake` what goes
//! wrong in the bank or in the client when it is put in on purpose.
//!
//! What the model leaves out: the PIN, nonces (a request that the network repeats is refused, so
//! that a repetition is a request that its client sent anew), and times but for the order of what
//! happens.

mod bank;
mod client;
mod effect;
mod mistake;
mod property;
mod scenario;
mod world;

use std::collections::BTreeSet;

use mistake::Mistake;
use scenario::Scenario;
use stateright::{Checker, HasDiscoveries, Model};

/// Visits every state of a scenario; no invariant may fail, and what should be possible is.
fn visit(scenario: Scenario) -> usize {
    let name = scenario.name;
    let checker =
        scenario.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    for (property, path) in checker.discoveries() {
        if !property::WITNESSES.contains(&property) {
            let state = path.last_state().clone();
            panic!("{name}: {property} fails after {:?} in {state:#?}", path.into_actions());
        }
    }
    assert!(checker.is_done(), "{name}: not every state was visited");
    for witness in property::WITNESSES {
        let wanted = scenario.witnesses.contains(&witness);
        assert_eq!(checker.discovery(witness).is_some(), wanted, "{name}: {witness}");
    }
    let states = checker.unique_state_count();
    println!("{name}: {states} states, {} steps deep", checker.max_depth());
    states
}

#[test]
fn the_invariants_hold_in_every_state_of_every_scenario() {
    let counts = Scenario::all().map(visit);
    let total: usize = counts.iter().sum();
    println!("{total} states in all");
    assert!(total >= 1_000_000, "{total} states are too few to say much");
}

/// Puts a mistake in, and asserts that the named invariant is then found broken. The scenario is one
/// of those in which the invariants hold without it.
fn finds(mistake: Mistake, scenario: Scenario, invariant: &'static str) {
    let name = scenario.name;
    assert!(Scenario::all().iter().any(|sound| sound.name == name), "{name} is not visited");
    let faulty = Scenario { mistake: Some(mistake), ..scenario };
    let checker = faulty
        .checker()
        .finish_when(HasDiscoveries::AllOf(BTreeSet::from([invariant])))
        .spawn_bfs()
        .join();
    let path = checker.discovery(invariant);
    let path = path.unwrap_or_else(|| panic!("{mistake:?} goes unnoticed by {invariant:?}"));
    let actions = path.into_actions();
    println!("{mistake:?} breaks {invariant:?} in {} steps: {actions:?}", actions.len());
}

#[test]
fn rollback_after_the_successors_successor_was_ordered_is_found() {
    finds(Mistake::RollbackAfterSuccessorOrdered, Scenario::generations(), property::ONE);
}

#[test]
fn rollback_after_an_administrator_revoked_the_successor_is_found() {
    finds(Mistake::RollbackAfterRevocation, Scenario::administrator(), property::RENEWABLE);
}

#[test]
fn issuing_under_a_predecessor_revoked_between_signing_and_storing_is_found() {
    finds(Mistake::IssueUnderRevoked, Scenario::administrator(), property::RENEWABLE);
}

#[test]
fn issuing_to_a_subject_reissued_between_signing_and_storing_is_found() {
    finds(Mistake::IssueUnderReissued, Scenario::reissue(), property::RENEWABLE);
}

#[test]
fn deleting_the_old_pair_at_confirmation_is_found() {
    finds(Mistake::DeleteOldPair, Scenario::generations(), property::EVERY_MACHINE);
}

#[test]
fn a_lost_answer_to_new_order_and_then_expiry_without_find_order_is_found() {
    finds(Mistake::NoFindOrder, Scenario::expiry(), property::COMPLETABLE);
}

#[test]
fn a_cancel_that_names_no_key_and_hits_the_other_machines_order_is_found() {
    finds(Mistake::CancelWithoutKey, Scenario::race(), property::ONE_WINS);
}

#[test]
fn a_client_that_cancels_unasked_what_it_did_not_begin_is_found() {
    finds(Mistake::CancelForeign, Scenario::race(), property::ONE_WINS);
}

#[test]
fn deciding_on_a_stale_no_order_is_found() {
    finds(Mistake::StaleNoOrder, Scenario::expiry(), property::SOME_MACHINE);
}

// [STA-09]
#[test]
fn an_expiry_that_is_stored_while_the_clock_is_wrong_is_found() {
    finds(Mistake::StoreExpiry, Scenario::clock(), property::SOME_MACHINE);
}

#[test]
fn cancel_after_the_predecessor_expired_is_found() {
    finds(Mistake::CancelAfterExpiry, Scenario::expiry(), property::SOME_MACHINE);
}
