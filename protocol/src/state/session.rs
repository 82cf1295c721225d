//! The life of a session (SPEC.md 10.3, 10.5).
//!
//! Its end by time is no state of it: whoever looks compares [`Active::over`].

use super::{Step, refused, stays, stepped};
use crate::problem::Token;
pub use crate::session::Purpose;
use crate::time::Time;

/// A logon of one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Session {
    /// Requests may name it.
    Active(Active),
    /// Requests that name it are told to log on again.
    Ended(Ended),
}

/// What an active session knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Active {
    /// What it was opened for.
    pub purpose: Purpose,
    /// The last second in which it may be used unless it is used before; never after `absolute`.
    pub idle: Time,
    /// The last second in which it may be used at all.
    pub absolute: Time,
}

/// What an ended session knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ended {
    /// Why it ended: the first reason stays.
    pub reason: Reason,
}

/// Why a session ended, other than by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its holder logged off.
    Logoff,
    /// The same certificate logged on again.
    NewLogon,
    /// Its certificate was superseded: the order completed.
    OrderCompleted,
    /// Its certificate was revoked.
    CertificateRevoked,
    /// The subject got a new enrollment code.
    SubjectReissued,
    /// Its certificate's order was rolled back.
    RolledBack,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A request names it.
    Used {
        /// The bank's time.
        now: Time,
        /// Now plus the policy's idle period.
        idle: Time,
        /// What the request needs the session to be for.
        need: Need,
    },
    /// Its holder logs off.
    Logoff,
    /// It ends for this reason, whether or not its holder knows.
    End(Reason),
}

/// What a request needs a session to be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// `rollback`.
    Recovery,
    /// Everything that neither of the other two names.
    Renewal,
    /// To read the session, to log off.
    Either,
}

/// A session's end owes the bank's other data nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {}

impl Session {
    /// A new session; `idle` and `absolute` are now plus the policy's periods.
    pub fn open(purpose: Purpose, idle: Time, absolute: Time) -> Self {
        Self::Active(Active { purpose, idle: idle.min(absolute), absolute })
    }

    /// One event. A use after the time ran out is refused and ends nothing.
    pub fn step(self, event: Event) -> Step<Self, Effect> {
        match self {
            Self::Active(active) => match event {
                Event::Used { now, idle, need } => active.used(now, idle, need),
                Event::Logoff => stepped(Self::Ended(Ended { reason: Reason::Logoff }), &[]),
                Event::End(reason) => stepped(Self::Ended(Ended { reason }), &[]),
            },
            Self::Ended(_) => match event {
                Event::Used { .. } | Event::Logoff => refused(self, Token::SessionEnded),
                Event::End(_) => stays(self),
            },
        }
    }
}

impl Active {
    /// When the session ends if nobody uses it: `expires` of the wire.
    pub fn expires(&self) -> Time {
        self.idle.min(self.absolute)
    }

    /// Whether its time is over at `now`: idle too long, or whole.
    pub fn over(&self, now: Time) -> bool {
        now > self.expires()
    }

    fn used(self, now: Time, idle: Time, need: Need) -> Step<Session, Effect> {
        if self.over(now) {
            return refused(Session::Active(self), Token::SessionEnded);
        }
        match (need, self.purpose) {
            (Need::Either, Purpose::Renewal | Purpose::Recovery)
            | (Need::Renewal, Purpose::Renewal)
            | (Need::Recovery, Purpose::Recovery) => {
                // A clock that went back shortens nothing.
                let idle = idle.max(self.idle).min(self.absolute);
                stays(Session::Active(Self { idle, ..self }))
            }
            (Need::Renewal, Purpose::Recovery) | (Need::Recovery, Purpose::Renewal) => {
                refused(Session::Active(self), Token::SessionPurpose)
            }
        }
    }
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::Logoff,
        Self::NewLogon,
        Self::OrderCompleted,
        Self::CertificateRevoked,
        Self::SubjectReissued,
        Self::RolledBack,
    ];

    /// As a store's column and the audit write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logoff => "logoff",
            Self::NewLogon => "newLogon",
            Self::OrderCompleted => "orderCompleted",
            Self::CertificateRevoked => "certificateRevoked",
            Self::SubjectReissued => "subjectReissued",
            Self::RolledBack => "rolledBack",
        }
    }
}
