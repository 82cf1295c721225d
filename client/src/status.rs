//! What there is, and what could be done with it, without logging on.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::renewal_info::Window;
use koshin_protocol::time::Time;

use crate::client::Client;
use crate::error::Error;
use crate::identity::{Identity, IdentityError};
use crate::journal::Journal;
use crate::window;

/// The state of an identity, as its folder has it.
#[derive(Clone, Debug)]
pub struct Status {
    /// The pairs that may be used or rolled back to, the current one first; superseded ones leave after their notAfter
    /// (CLI-73).
    pub pairs: Vec<PairStatus>,
    /// What was begun and is not finished, the oldest first; `None` where only a key is left of it.
    pub open: Vec<Option<Journal>>,
}

/// A pair of an identity.
#[derive(Clone, Debug)]
pub struct PairStatus {
    /// The generation's number.
    pub generation: u64,
    /// Its certificate.
    pub certificate: Certificate,
    /// Its name.
    pub cert_id: CertId,
    /// Whether this is the one to use.
    pub is_current: bool,
}

/// What an identity's folder says at a time, without asking the bank. It blocks.
pub fn of(identity: &Identity, now: Time) -> Result<Status, IdentityError> {
    let current = identity.current()?;
    let mut pairs = identity.pairs()?;
    if let Some(current) = &current {
        pairs.retain(|pair| {
            pair.generation != current.generation && pair.certificate.not_after() >= now
        });
        pairs.insert(0, current.clone());
    }
    let pairs = pairs.into_iter().map(|pair| PairStatus {
        generation: pair.generation,
        cert_id: CertId::of(&pair.certificate),
        is_current: current.as_ref().is_some_and(|one| one.generation == pair.generation),
        certificate: pair.certificate,
    });
    let open = identity.resume()?.iter().map(|open| open.journal().cloned()).collect();
    Ok(Status { pairs: pairs.collect(), open })
}

impl Client {
    /// What the identity's folder says, without asking the bank.
    pub async fn status(&self) -> Result<Status, Error> {
        let now = self.bank.own_now();
        self.on_disk(move |identity| of(identity, now)).await
    }

    /// When the current certificate may be renewed, by the bank's published rule (SPEC.md 8.1); no logon is needed.
    pub async fn window(&self) -> Result<Window, Error> {
        let current = self.on_disk(Identity::current).await?.ok_or(Error::NoPair)?;
        Ok(window::enforced(&current.certificate, &self.bank.directory().await?.meta))
    }
}
