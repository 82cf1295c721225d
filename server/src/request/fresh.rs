//! A request whose nonce was spent for it: next, who signed it.

use std::time::Instant;

use koshin_protocol::certificate::Certificate;
use koshin_protocol::jwk::{PublicKey, Thumbprint};
use koshin_protocol::jws::{self, By};

use super::{Arrival, Authenticated, Reader};
use crate::bank::Bank;
use crate::error::Error;
use crate::store::id::{Fingerprint, SessionId};
use crate::store::row::{ActiveSession, Holder};

/// A request that is no replay. Its signature has not been looked at.
pub struct Fresh {
    pub(super) arrival: Arrival,
    pub(super) jws: jws::Parsed,
}

impl Fresh {
    /// How its signer is named.
    pub const fn by(&self) -> &By {
        self.jws.by()
    }

    /// Stage `signature` by `x5c`: the certificate is in the registry and its key signed. What the certificate may do is
    /// the operation's to check.
    pub async fn by_certificate(self, bank: &Bank) -> Result<Authenticated<Holder>, Error> {
        let By::Certificate(der) = self.jws.by() else { return Err(Error::WrongSigner) };
        // A certificate that is known by its whole DER was validated when it was issued or imported.
        let fingerprint = Fingerprint::of(der);
        let holder = bank.store.certificate_by_fingerprint(fingerprint).await?;
        let holder = holder.ok_or(Error::CertificateUnknown)?;
        if let Some(key) = self.jws.own_key() {
            bank.keys.keep(fingerprint, key);
        }
        // The request's key is the registry's: the fingerprint is of the whole certificate.
        let verified = self.jws.verify_by_own_key(bank.verifier)?;
        count(bank, fingerprint)?;
        Ok(Authenticated { arrival: self.arrival, verified, principal: holder })
    }

    /// Stages `signature` and `signer` by `kid`: the session is active and its certificate's key signed.
    pub async fn by_session(self, bank: &Bank) -> Result<Authenticated<ActiveSession>, Error> {
        let By::Session(kid) = self.jws.by() else { return Err(Error::WrongSigner) };
        let id: Option<SessionId> = bank.urls.session(kid).and_then(|id| id.parse().ok());
        let id = id.ok_or(Error::SessionEnded)?;
        let now = self.arrival.now;
        let session = bank.store.session(id, now).await?.ok_or(Error::SessionEnded)?;
        let key = bank.keys.of(&session.holder.certificate)?;
        let verified = self.jws.verify(bank.verifier, &key)?;
        count(bank, session.holder.certificate.fingerprint)?;
        // A session's resources are its own alone (AUT-02).
        if self.arrival.route.session().is_some_and(|own| own != id.to_string()) {
            return Err(Error::SessionEnded);
        }
        let holder = &session.holder;
        if now > holder.certificate.not_after {
            return Err(Error::CertificateExpired(holder.subject.role));
        }
        if holder.subject.disabled {
            return Err(Error::SubjectDisabled);
        }
        bank.store.touch_session(id, now);
        Ok(Authenticated { arrival: self.arrival, verified, principal: session })
    }

    /// Stage `signature` by `jwk`: the key itself signed.
    pub fn by_key(self, bank: &Bank) -> Result<Authenticated<Thumbprint>, Error> {
        let By::Key(_) = self.jws.by() else { return Err(Error::WrongSigner) };
        let thumbprint = self.jws.own_key().ok_or(Error::WrongSigner)?.thumbprint();
        let verified = self.jws.verify_by_own_key(bank.verifier)?;
        Ok(Authenticated { arrival: self.arrival, verified, principal: thumbprint })
    }

    /// A read, by any of the three.
    pub async fn by_reader(self, bank: &Bank) -> Result<Authenticated<Reader>, Error> {
        match self.jws.by() {
            By::Certificate(_) => Ok(self
                .by_certificate(bank)
                .await?
                .map(|holder| Reader::Certificate(Box::new(holder)))),
            By::Session(_) => {
                Ok(self.by_session(bank).await?.map(|session| Reader::Session(Box::new(session))))
            }
            By::Key(_) => Ok(self.by_key(bank)?.map(Reader::Key)),
        }
    }
}

/// Counts a request of the certificate whose key signed it: nobody else spends what it may ask (RTA-08).
fn count(bank: &Bank, certificate: Fingerprint) -> Result<(), Error> {
    let Some(rates) = &bank.rates else { return Ok(()) };
    rates.ask(certificate, Instant::now()).map_err(|retry_after| Error::TooOften { retry_after })
}

/// The key of a certificate of the registry.
pub(crate) fn key_of(der: &[u8]) -> Result<PublicKey, Error> {
    match Certificate::from_der(der) {
        Ok(certificate) => Ok(certificate.key().clone()),
        Err(error) => Err(Error::Registry(error.to_string())),
    }
}
