//! Invariants 1 to 5 of DESIGN.md 6, and witnesses that what should be possible is.

use koshin_protocol::state::certificate::{Certificate, Validity};
use koshin_protocol::state::order::Status;
use stateright::Property;

use crate::bank::{Clock, FIRST, Machine, PAIRS, Pair, Row};
use crate::scenario::Scenario;
use crate::world::{MACHINES, World};

pub(crate) const ONE: &str =
    "1: one current certificate, one open order, one unconfirmed successor";
pub(crate) const SOME_MACHINE: &str = "2: some machine has a usable pair";
pub(crate) const EVERY_MACHINE: &str =
    "2: every intact machine has a usable pair or is told useSuccessor";
pub(crate) const COMPLETABLE: &str =
    "2: some machine can complete a renewal without an administrator";
pub(crate) const RENEWABLE: &str = "3: nothing for a certificate that may not renew";
pub(crate) const ONE_CERTIFICATE: &str = "4: an order yields at most one certificate";
pub(crate) const ONE_WINS: &str = "5: exactly one wins, and only who may cancel does";
pub(crate) const NO_REFUSED_EFFECT: &str = "no state machine refuses an effect of another";

pub(crate) const RENEWED: &str = "a renewal completes";
pub(crate) const RENEWED_LATE: &str = "a renewal completes after the predecessor expired";
pub(crate) const RENEWED_AGAIN: &str =
    "a renewal completes after the bank's clock was wrong and is right again";
pub(crate) const CANCELED: &str = "a cancel wins";
pub(crate) const TOOK_OVER: &str = "a machine starts over after another machine's abandoned order";
pub(crate) const ROLLED_BACK: &str = "a renewal is rolled back";
pub(crate) const TWICE: &str = "a successor is renewed in its turn";
pub(crate) const ENROLLED: &str = "an enrollment completes";

/// Everything that some scenario shows to be possible.
pub(crate) const WITNESSES: [&str; 8] =
    [RENEWED, RENEWED_LATE, RENEWED_AGAIN, CANCELED, TOOK_OVER, ROLLED_BACK, TWICE, ENROLLED];

pub(crate) fn all() -> Vec<Property<Scenario>> {
    vec![
        Property::always(ONE, |_, world| one(world)),
        Property::always(SOME_MACHINE, |_, world| some_machine(world)),
        Property::always(EVERY_MACHINE, |_, world| every_machine(world)),
        Property::always(COMPLETABLE, |_, world| completable(world)),
        Property::always(RENEWABLE, |_, world| renewable(world)),
        Property::always(ONE_CERTIFICATE, |_, world| one_certificate(world)),
        Property::always(ONE_WINS, |_, world| one_wins(world)),
        Property::always(NO_REFUSED_EFFECT, |_, world: &World| !world.bank.effect_refused),
        Property::sometimes(RENEWED, |_, world| renewals(world).any(completed)),
        Property::sometimes(RENEWED_LATE, |_, world: &World| {
            world.promised && renewals(world).any(completed)
        }),
        Property::sometimes(RENEWED_AGAIN, |_, world: &World| {
            world.still_to_renew && renewals(world).any(completed)
        }),
        Property::sometimes(CANCELED, |_, world| renewals(world).any(canceled)),
        Property::sometimes(TOOK_OVER, |_, world: &World| {
            renewals(world).any(|row| canceled(row) && row.abandoned)
                && renewals(world).any(completed)
        }),
        Property::sometimes(ROLLED_BACK, |_, world: &World| {
            renewals(world).any(|row| row.order.status() == Status::RolledBack)
        }),
        Property::sometimes(TWICE, |_, world: &World| {
            renewals(world).any(|row| completed(row) && row.replaces != Some(FIRST))
        }),
        Property::sometimes(ENROLLED, |_, world: &World| {
            rows(world).any(|row| completed(row) && row.replaces.is_none())
        }),
    ]
}

/// Whether the machine has a pair that is current and not the first one.
pub(crate) fn has_successor(world: &World, machine: Machine) -> bool {
    (1..PAIRS).any(|pair| usable(world, machine, pair))
}

fn usable(world: &World, machine: Machine, pair: Pair) -> bool {
    world.machines[machine].holds(pair)
        && world.bank.certificates[pair] == Some(Certificate::Current)
        && world.bank.validity(pair) == Validity::Within
}

fn has_usable(world: &World, machine: Machine) -> bool {
    (0..PAIRS).any(|pair| usable(world, machine, pair))
}

fn rows(world: &World) -> impl Iterator<Item = &Row> {
    world.bank.orders.iter().flatten()
}

fn renewals(world: &World) -> impl Iterator<Item = &Row> {
    rows(world).filter(|row| row.replaces.is_some())
}

fn completed(row: &Row) -> bool {
    row.order.status() == Status::Completed
}

fn canceled(row: &Row) -> bool {
    row.order.status() == Status::Canceled
}

fn one(world: &World) -> bool {
    let count = |state| {
        world.bank.certificates.iter().filter(|certificate| **certificate == Some(state)).count()
    };
    count(Certificate::Current) <= 1
        && count(Certificate::Unconfirmed) <= 1
        && rows(world).filter(|row| row.order.is_open()).count() <= 1
}

/// Whether the bank and the machines still owe the subject a usable certificate: nobody from outside
/// took it, if the first one expired, a successor was ordered in time, and the bank's clock is right: a
/// wrong one refuses what it takes for expired, but for so long only.
fn owed(world: &World) -> bool {
    let is_current = |pair: &Pair| world.bank.certificates[*pair] == Some(Certificate::Current);
    let renewed = (1..PAIRS).any(|pair| is_current(&pair));
    // A key lost while its confirmation was on the way: what is left is a rollback or a reissue.
    let key_gone = (1..PAIRS).filter(is_current).any(|pair| world.lost.has(pair));
    let clock_right = world.bank.clock != Clock::Ahead;
    !world.excused && !key_gone && clock_right && (!world.bank.expired || world.promised || renewed)
}

fn some_machine(world: &World) -> bool {
    if !owed(world) {
        return true;
    }
    // What was accepted before the expiry is issued after it, to the key that some machine holds.
    let finishing = |machine: Machine| {
        world.bank.expired
            && world.bank.open_order().is_some_and(|key| world.machines[machine].keys.has(key))
    };
    MACHINES.iter().any(|machine| has_usable(world, *machine) || finishing(*machine))
}

fn every_machine(world: &World) -> bool {
    if world.bank.expired || !owed(world) {
        return true;
    }
    MACHINES.iter().all(|machine| {
        let client = &world.machines[*machine];
        let told = (0..PAIRS).any(|pair| {
            client.holds(pair) && world.bank.certificates[pair] == Some(Certificate::Superseded)
        });
        client.damaged || told || has_usable(world, *machine)
    })
}

fn completable(world: &World) -> bool {
    // While somebody enrolls with an administrator's code, the subject is not without one.
    !owed(world)
        || world.bank.open_enrollment().is_some()
        || MACHINES.iter().any(|machine| has_successor(world, *machine))
        || MACHINES.iter().any(|machine| world.completes_alone(*machine))
}

fn renewable(world: &World) -> bool {
    let bank = &world.bank;
    let under_nothing_bad = (0..PAIRS).all(|pair| {
        let unconfirmed = bank.certificates[pair] == Some(Certificate::Unconfirmed);
        let predecessor = bank.orders[pair].and_then(|row| row.replaces);
        let bad = predecessor.is_some_and(|predecessor| {
            matches!(
                bank.certificates[predecessor],
                Some(Certificate::Revoked | Certificate::Superseded)
            )
        });
        !(unconfirmed && bad)
    });
    let not_reissued =
        rows(world).all(|row| row.order.status() != Status::Valid || row.reissues == bank.reissues);
    // Once the current certificate was revoked, only an enrollment brings another one.
    let stays_shut = !bank.shut
        || (0..PAIRS).all(|pair| {
            let renewal = bank.orders[pair].is_none_or(|row| row.replaces.is_some());
            let counts = matches!(
                bank.certificates[pair],
                Some(Certificate::Current | Certificate::Unconfirmed)
            );
            !(renewal && counts)
        });
    !bank.accepted_wrongly && under_nothing_bad && not_reissued && stays_shut
}

fn one_certificate(world: &World) -> bool {
    let bank = &world.bank;
    (1..PAIRS).all(|pair| {
        let stored = bank.orders[pair].map_or(0, |row| row.stored);
        stored == u8::from(bank.certificates[pair].is_some())
    })
}

fn one_wins(world: &World) -> bool {
    rows(world).all(|row| {
        let status = row.order.status();
        !row.hit
            && (!row.told_canceled || status == Status::Canceled)
            && (!row.told_completed || matches!(status, Status::Completed | Status::RolledBack))
            && (!row.told_rolled_back || status == Status::RolledBack)
    })
}
