//! What the bank decides: pure functions on a loaded subject (SPEC.md 7 to 10, 13).
//!
//! Each is given what is [`Known`] of one subject, a command and the bank's time, and answers a [`Judged`]: what the
//! requester is told, and the [`Change`] that makes it true, to be written in one commit if the subject still is what it
//! was; or the refusal. None has a clock, a database or randomness, so that a model can run them.

pub mod actor;
pub mod cause;
pub mod command;
pub mod enrollment;
pub mod order;
pub mod pin;
pub mod refused;
pub mod registry;
pub mod reissue;
pub mod revocation;
pub mod row;
pub mod session;
pub mod subject;
pub mod transition;
pub mod view;

pub use self::actor::Authority;
use self::refused::{Failure, Refused};
use self::subject::{Certificate, Subject};
pub use self::transition::{Change, Name};
use self::transition::Transition;

/// A subject as it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The subject.
    pub subject: Subject,
    /// The bank disabled its contract.
    pub contract_disabled: bool,
}

impl Known {
    /// Refuses a subject that is disabled, by itself or with its contract.
    pub(crate) fn enabled(&self) -> Result<(), Refused> {
        if self.subject.disabled || self.contract_disabled {
            Err(Refused::SubjectDisabled)
        } else {
            Ok(())
        }
    }

    /// A certificate that must be there, in a chapter perhaps.
    fn certificate(&self, number: u64) -> Result<&Certificate, Failure> {
        match self.subject.certificate(number) {
            Some(certificate) => Ok(certificate),
            None if self.subject.chapter.is_some() => Err(Failure::Chapter),
            None => Err(Failure::corrupt(format_args!("certificate {number} is missing"))),
        }
    }

    /// The certificate with this fingerprint.
    fn certificate_by(
        &self,
        fingerprint: crate::id::Fingerprint,
    ) -> Result<&Certificate, Failure> {
        let mut certificates = self.subject.certificates.iter().rev();
        match certificates.find(|certificate| certificate.fingerprint == fingerprint) {
            Some(certificate) => Ok(certificate),
            None if self.subject.chapter.is_some() => Err(Failure::Chapter),
            None => Err(Refused::CertificateUnknown.into()),
        }
    }
}

/// A decision.
#[derive(Clone, Debug)]
pub struct Judged<A> {
    /// What is to be written; `None` if the answer is true already.
    pub change: Option<Change>,
    /// What the requester is told once it is written.
    pub answer: A,
}

impl<A> Judged<A> {
    /// The answer holds already: a request that was repeated.
    fn already(answer: A) -> Self {
        Self { change: None, answer }
    }

    /// A transition, and what is answered of the subject as it is after it.
    fn of(
        known: &Known,
        transition: Transition,
        answer: impl FnOnce(&Known) -> Result<A, Failure>,
    ) -> Result<Self, Failure> {
        let Change { subject, rows, entry } = transition.end();
        let after = Known { subject, contract_disabled: known.contract_disabled };
        let answer = answer(&after)?;
        Ok(Self { change: Some(Change { subject: after.subject, rows, entry }), answer })
    }
}

impl Judged<()> {
    /// A transition of which there is nothing to tell.
    fn done(transition: Transition) -> Self {
        Self { change: Some(transition.end()), answer: () }
    }
}
