//! The bank's CA, with pranks played in front of it.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use crate::ca::{Answer, Answering, Authority, Crl, Issuer, ToBeSigned, Unavailable};

tokio::task_local! {
    /// Set while a request is worked on for which the CA is slow.
    static RELUCTANT: ();
}

/// Works on a request, to which a [`Reluctant`] issuer says `Pending`: what it orders stays
/// `processing` until the bank asks again on its own account.
pub(super) fn reluctantly<F: Future>(request: F) -> impl Future<Output = F::Output> {
    RELUCTANT.scope((), request)
}

fn is_reluctant() -> bool {
    RELUCTANT.try_with(|()| ()).is_ok()
}

/// An issuer that is slow with the requests that meet [`Prank::Processing`](super::Prank::Processing),
/// and as quick as the one behind it with all others.
pub struct Reluctant(Arc<dyn Issuer>);

impl Reluctant {
    /// Stands in front of `issuer`.
    pub fn new(issuer: Arc<dyn Issuer>) -> Self {
        Self(issuer)
    }
}

impl Issuer for Reluctant {
    fn authority(&self) -> &Authority {
        self.0.authority()
    }

    fn signs_at_once(&self) -> bool {
        !is_reluctant() && self.0.signs_at_once()
    }

    fn issue<'a>(&'a self, request: &'a ToBeSigned) -> Answering<'a, Answer> {
        if is_reluctant() {
            let retry_after = Duration::from_secs(1);
            return Box::pin(ready(Answer::Pending { retry_after }));
        }
        self.0.issue(request)
    }

    fn sign_crl<'a>(&'a self, crl: &'a Crl) -> Answering<'a, Result<Vec<u8>, Unavailable>> {
        self.0.sign_crl(crl)
    }
}
