//! A request whose signature was verified, with whoever signed it.

use std::str::FromStr;

use koshin_protocol::jwk::{PublicKey, Thumbprint};
use koshin_protocol::jws::Verified;
use koshin_protocol::problem::Language;
use koshin_protocol::time::Time;
use serde::de::DeserializeOwned;

use super::Arrival;
use crate::error::Error;
use crate::store::row::{ActiveSession, Holder, Purpose, Role};

/// A request that `P` signed.
pub struct Authenticated<P> {
    pub(super) arrival: Arrival,
    pub(super) verified: Verified,
    pub(super) principal: P,
}

/// Who signed a read.
#[derive(Debug)]
pub enum Reader {
    /// A session.
    Session(Box<ActiveSession>),
    /// A bare key.
    Key(Thumbprint),
    /// A certificate.
    Certificate(Box<Holder>),
}

impl<P> Authenticated<P> {
    /// The id in the path of the resource, or `notFound` where that is no id.
    pub fn id<I: FromStr>(&self) -> Result<I, Error> {
        self.arrival.route.id().and_then(|id| id.parse().ok()).ok_or(Error::NotFound)
    }

    /// Who signed it.
    pub const fn principal(&self) -> &P {
        &self.principal
    }

    /// In which language it is answered.
    pub const fn language(&self) -> Language {
        self.arrival.language
    }

    /// When it came.
    pub const fn now(&self) -> Time {
        self.arrival.now
    }

    /// The key that the request itself carries.
    pub const fn key(&self) -> Option<&PublicKey> {
        self.verified.own_key()
    }

    /// Stage `payload`: the object that the operation wants.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Ok(self.verified.object()?)
    }

    /// What can be read of a payload that may be malformed.
    pub fn glimpse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.verified.payload()).ok()
    }

    /// Stage `payload` of a read: there is none.
    pub fn no_payload(&self) -> Result<(), Error> {
        Ok(self.verified.nothing()?)
    }

    pub(super) fn map<Q>(self, principal: impl FnOnce(P) -> Q) -> Authenticated<Q> {
        Authenticated {
            arrival: self.arrival,
            verified: self.verified,
            principal: principal(self.principal),
        }
    }
}

impl Authenticated<ActiveSession> {
    /// Stage `signer`: the session was opened for this.
    pub fn with_purpose(self, purpose: Purpose) -> Result<Self, Error> {
        if self.principal.purpose == purpose { Ok(self) } else { Err(Error::SessionPurpose) }
    }

    /// Stage `signer`: the session's subject administrates its contract.
    pub fn as_administrator(self) -> Result<Self, Error> {
        let session = self.with_purpose(Purpose::Renewal)?;
        match session.principal.holder.subject.role {
            Role::Administrator => Ok(session),
            Role::User => Err(Error::NotAuthorized),
        }
    }
}
