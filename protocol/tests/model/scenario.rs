//! The bounds within which every state is visited. Each scenario allows some of what can happen, so
//! that all of it together stays within a minute.

use crate::mistake::Mistake;
use crate::property::{
    CANCELED, ENROLLED, RENEWED, RENEWED_AGAIN, RENEWED_LATE, ROLLED_BACK, TOOK_OVER, TWICE,
};

/// What may happen.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each names one thing that may happen")]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// How many keys the machines may make, both together.
    pub(crate) keys: usize,
    /// The CA signs later, and may be interrupted between signing and storing.
    pub(crate) slow_ca: bool,
    /// The CA may refuse for good.
    pub(crate) issue_fails: bool,
    /// The first pair may expire.
    pub(crate) expiry: bool,
    /// The bank's clock may stand ahead of the first pair's notAfter for a while.
    pub(crate) clock: bool,
    /// An order may stay unconfirmed longer than `meta.confirmWithin`.
    pub(crate) abandon: bool,
    /// Users may cancel.
    pub(crate) cancel: bool,
    /// Users may say `--start-over`.
    pub(crate) start_over: bool,
    /// The bank's policy and the users may roll back.
    pub(crate) rollback: bool,
    /// A successor may be renewed in its turn.
    pub(crate) generations: bool,
    /// A machine may log on with the new pair instead of confirming it.
    pub(crate) first_use: bool,
    /// An administrator may revoke.
    pub(crate) revoke: bool,
    /// How many enrollment codes an administrator may make.
    pub(crate) reissues: u8,
    /// A machine may lose a key or its journal, once.
    pub(crate) losses: bool,
    /// What is wrong on purpose.
    pub(crate) mistake: Option<Mistake>,
    /// What is possible here, and nothing else of [`crate::property::WITNESSES`].
    pub(crate) witnesses: &'static [&'static str],
}

const QUIET: Scenario = Scenario {
    name: "",
    keys: 2,
    slow_ca: false,
    issue_fails: false,
    expiry: false,
    clock: false,
    abandon: false,
    cancel: false,
    start_over: false,
    rollback: false,
    generations: false,
    first_use: false,
    revoke: false,
    reissues: 0,
    losses: false,
    mistake: None,
    witnesses: &[],
};

impl Scenario {
    /// Every scenario.
    pub(crate) fn all() -> [Self; 7] {
        [
            Self::losses(),
            Self::expiry(),
            Self::clock(),
            Self::generations(),
            Self::reissue(),
            Self::administrator(),
            Self::race(),
        ]
    }

    /// Two machines renew at once, and users change their minds.
    pub(crate) fn race() -> Self {
        Self {
            name: "race",
            abandon: true,
            cancel: true,
            start_over: true,
            witnesses: &[RENEWED, CANCELED, TOOK_OVER],
            ..QUIET
        }
    }

    /// The first pair expires at any moment, and the CA is slow.
    pub(crate) fn expiry() -> Self {
        Self {
            name: "expiry",
            slow_ca: true,
            expiry: true,
            cancel: true,
            witnesses: &[RENEWED, RENEWED_LATE, CANCELED],
            ..QUIET
        }
    }

    /// The bank's clock is wrong at any moment, and right again.
    pub(crate) fn clock() -> Self {
        Self {
            name: "clock",
            keys: 1,
            slow_ca: true,
            clock: true,
            cancel: true,
            rollback: true,
            witnesses: &[RENEWED, RENEWED_AGAIN, CANCELED, ROLLED_BACK],
            ..QUIET
        }
    }

    /// Renewals, renewals of renewals, and rollbacks between them.
    pub(crate) fn generations() -> Self {
        Self {
            name: "generations",
            rollback: true,
            generations: true,
            first_use: true,
            witnesses: &[RENEWED, ROLLED_BACK, TWICE],
            ..QUIET
        }
    }

    /// An administrator revokes at any moment.
    pub(crate) fn administrator() -> Self {
        Self {
            name: "administrator",
            keys: 1,
            slow_ca: true,
            rollback: true,
            revoke: true,
            witnesses: &[RENEWED, ROLLED_BACK],
            ..QUIET
        }
    }

    /// An administrator makes enrollment codes, and somebody uses them, at any moment.
    pub(crate) fn reissue() -> Self {
        Self {
            name: "reissue",
            keys: 1,
            slow_ca: true,
            issue_fails: true,
            reissues: 1,
            witnesses: &[RENEWED, ENROLLED],
            ..QUIET
        }
    }

    /// Keys and journals get lost.
    pub(crate) fn losses() -> Self {
        Self {
            name: "losses",
            keys: 1,
            expiry: true,
            start_over: true,
            losses: true,
            witnesses: &[RENEWED, RENEWED_LATE, CANCELED],
            ..QUIET
        }
    }
}
