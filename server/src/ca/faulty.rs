//! An issuer that is slow, down or stubborn on purpose, in front of one that is not: for tests and
//! mischief.

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Answer, Answering, Authority, Crl, Issuer, ToBeSigned, Unavailable};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing, from now on.
    #[default]
    None,
    /// The next so many questions for a certificate are answered [`Answer::Pending`].
    Slow {
        /// How many are left.
        questions: u32,
    },
    /// It signs nothing until told otherwise.
    Down,
    /// It refuses every certificate until told otherwise.
    Refuses,
}

/// Passes questions on to another issuer, unless there is a [`Fault`].
///
/// It never signs at once, so that callers take the way of a remote CA: bytes stored first, then
/// signed.
pub struct FaultyIssuer {
    issuer: Arc<dyn Issuer>,
    fault: Mutex<Fault>,
    retry_after: Duration,
}

impl FaultyIssuer {
    /// Stands in front of `issuer`; says to ask again after `retry_after`.
    pub fn new(issuer: Arc<dyn Issuer>, retry_after: Duration) -> Self {
        Self { issuer, fault: Mutex::default(), retry_after }
    }

    /// From now on it has this fault instead of any former one.
    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// What is wrong with it for one more question, counted if that runs out.
    fn meet(&self) -> Fault {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let met = *fault;
        if let Fault::Slow { questions } = met {
            *fault = match questions {
                0 | 1 => Fault::None,
                more => Fault::Slow { questions: more - 1 },
            };
        }
        met
    }
}

impl Issuer for FaultyIssuer {
    fn authority(&self) -> &Authority {
        self.issuer.authority()
    }

    fn signs_at_once(&self) -> bool {
        false
    }

    fn issue<'a>(&'a self, request: &'a ToBeSigned) -> Answering<'a, Answer> {
        let retry_after = self.retry_after;
        match self.meet() {
            Fault::None | Fault::Slow { questions: 0 } => self.issuer.issue(request),
            Fault::Slow { .. } | Fault::Down => Box::pin(ready(Answer::Pending { retry_after })),
            Fault::Refuses => {
                Box::pin(ready(Answer::Refused { reason: "refused on purpose".to_owned() }))
            }
        }
    }

    fn sign_crl<'a>(&'a self, crl: &'a Crl) -> Answering<'a, Result<Vec<u8>, Unavailable>> {
        let down = *self.fault.lock().unwrap_or_else(PoisonError::into_inner) == Fault::Down;
        if down {
            return Box::pin(ready(Err(Unavailable { retry_after: self.retry_after })));
        }
        self.issuer.sign_crl(crl)
    }
}
