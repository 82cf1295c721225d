//! A transition of one subject: events are given to the protocol's state machines, the effects that they ask for are
//! carried out on the subject, and what is to be written beside it is collected.
//!
//! Nothing here reads a clock or a database, and nothing is written: see [`Change`].

mod certificate;
mod order;
pub(super) mod reissue;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::state::session;
use koshin_protocol::time::Time;

use super::cause::Cause;
use super::subject::{Session, Subject};
use crate::audit::{Entry, Principal};
use crate::id::{Fingerprint, ReissueId};

/// A subject as it is to be, and what is to be written with it in one commit.
#[derive(Clone, Debug)]
pub struct Change {
    /// The subject as it is after the transition.
    pub subject: Subject,
    /// What stands beside it.
    pub rows: Rows,
    /// What the audit says.
    pub entry: Entry,
}

/// Rows that a transition appends. None of them is ever changed again.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// What names the subject from now on; each must be new to the bank.
    pub names: Vec<Name>,
    /// Certificates, by number.
    pub certificates: Vec<CertificateRow>,
    /// What a CRL lists.
    pub revocations: Vec<RevocationRow>,
    /// What a CRL may list, or not any more, as superseded.
    pub superseded: Vec<SupersededRow>,
}

/// What finds a subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// A key that an order or a certificate has: it is taken once, for ever (CSR-07).
    Key(Thumbprint),
    /// A certificate, by its whole DER.
    Fingerprint(Fingerprint),
    /// A certificate, by its certID.
    CertId(CertId),
    /// A reissue.
    Reissue(ReissueId),
    /// The subject's id.
    Subject(crate::id::SubjectId),
    /// The subject's name, in the form in which equal names are equal bytes (SPEC.md 4.7).
    SubjectName(Vec<u8>),
}

/// A certificate as it is kept: what it is, and what it was asked for with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRow {
    /// Its number.
    pub number: u64,
    /// Its DER.
    pub der: std::sync::Arc<[u8]>,
    /// The DER of the CSR; `None` for an imported one.
    pub csr: Option<Vec<u8>>,
}

/// An entry of a CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationRow {
    /// Which certificate, of the registry or not.
    pub certificate: CertId,
    /// Since when.
    pub revoked: Time,
    /// Why.
    pub cause: Cause,
    /// The last second of its validity.
    pub not_after: Time,
}

/// A certificate was superseded, or is so no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupersededRow {
    /// Which certificate.
    pub certificate: CertId,
    /// The last second of its validity.
    pub not_after: Time,
    /// Since when it is superseded; `None` where a rollback or a revocation ended that.
    pub since: Option<Time>,
    /// Until when it may be restored; `None` if never.
    pub restorable: Option<Time>,
}

/// A transition on its way.
#[derive(Debug)]
pub(super) struct Transition {
    pub(super) subject: Subject,
    pub(super) now: Time,
    pub(super) rows: Rows,
    pub(super) entry: Entry,
}

impl Transition {
    /// Begins one of `subject`, which the audit calls `event`.
    pub(super) fn new(subject: &Subject, now: Time, event: &'static str, by: Principal) -> Self {
        let mut entry = Entry::new(event, by);
        entry.say("subject", subject.id.to_string());
        Self { subject: subject.clone(), now, rows: Rows::default(), entry }
    }

    /// What is to be written.
    pub(super) fn end(self) -> Change {
        Change { subject: self.subject, rows: self.rows, entry: self.entry }
    }

    /// Ends the sessions that `which` picks.
    pub(super) fn end_sessions(
        &mut self,
        reason: session::Reason,
        which: impl Fn(&Session) -> bool,
    ) {
        for ended in self.subject.sessions.extract_if(.., |session| which(session)) {
            self.entry.change("session", &ended.id, reason.as_str());
        }
    }
}
