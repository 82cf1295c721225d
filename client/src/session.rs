//! A logon (SPEC.md 7.4, 9), as a handle whose calls are the protocol's.

use std::sync::Arc;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::contract::Contract;
use koshin_protocol::empty::Empty;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::jws::By;
use koshin_protocol::key_store::KeyStoreName;
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{self, NewOrder};
use koshin_protocol::pin::{ChangePin, Unlock};
use koshin_protocol::reissue::{NewReissue, Reissue};
use koshin_protocol::revocation::{Revocation, RevokeCert};
use koshin_protocol::session::{Access, Session as Document};
use koshin_protocol::subject::SubjectId;
use koshin_protocol::unverified_csr::UnverifiedCsr;
use koshin_protocol::url::Url;
use serde::Serialize;

use crate::bank::{Answer, Bank, Call};
use crate::contract::Pages;
use crate::error::Error;
use crate::identity::Pair;
use crate::order::{BySession, Order};

/// A session. It ends by itself after a while, and when another logon of the same certificate comes.
#[derive(Clone, Debug)]
pub struct Session {
    inner: Arc<Inner>,
    document: Document,
}

#[derive(Debug)]
struct Inner {
    bank: Bank,
    kid: Url,
    pair: Pair,
}

impl Session {
    pub(crate) fn new(bank: Bank, kid: Url, pair: Pair, document: Document) -> Self {
        Self { inner: Arc::new(Inner { bank, kid, pair }), document }
    }

    /// What the bank said at logon, or at the last reading.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The pair that logged on.
    pub fn pair(&self) -> &Pair {
        &self.inner.pair
    }

    /// How often the renewal of the certificate was deferred.
    pub fn deferrals(&self) -> u32 {
        let notice = self.document.notice.as_ref();
        notice.and_then(|notice| notice.deferred).map_or(0, |deferred| deferred.count.get())
    }

    pub(crate) fn bank(&self) -> &Bank {
        &self.inner.bank
    }

    /// Orders the renewal of the session's certificate (SPEC.md 7.8). The key of the CSR must be stored durably, and the
    /// CSR in the journal, before this is called.
    pub async fn order(
        &self,
        key_store: KeyStoreName,
        csr: &[u8],
    ) -> Result<Order<BySession>, Error> {
        let directory = self.bank().directory().await?;
        let replaces = CertId::of(&self.inner.pair.certificate);
        let request = NewOrder { replaces, key_store, csr: UnverifiedCsr::new(csr) };
        let answer = self.ask(Operation::NewOrder, &directory.new_order, &request).await?;
        Order::of_session(self, &answer)
    }

    /// Reads an order of the session's subject.
    pub async fn read_order(&self, url: &Url) -> Result<Order<BySession>, Error> {
        let order = Order::of_session(self, &self.read(url).await?)?;
        if order.document().url == *url { Ok(order) } else { Err(Error::OtherOrder) }
    }

    /// Defers the renewal to a later logon (SPEC.md 8.3); an error if the bank offers no deferral now.
    pub async fn defer(&mut self) -> Result<(), Error> {
        let notice = self.document.notice.as_ref();
        let Some(url) = notice.and_then(|notice| notice.defer.clone()) else {
            return Err(Error::Nothing { what: "renewal to defer" });
        };
        self.document = self.ask(Operation::Defer, &url, &Empty {}).await?.object()?;
        Ok(())
    }

    /// Takes the renewal back that superseded the session's certificate (SPEC.md 7.14); needs a session with purpose
    /// `recovery`. `key` is that of the order.
    pub async fn roll_back(&self, key: Thumbprint) -> Result<Order<BySession>, Error> {
        let Access::Recovery { rollback } = &self.document.access else {
            return Err(Error::Nothing { what: "renewal to roll back in this session" });
        };
        let answer = self.ask(Operation::Rollback, rollback, &order::Rollback { key }).await?;
        Order::of_session(self, &answer)
    }

    /// The contract with all its pages (SPEC.md 7.7): a user sees itself, an administrator everybody.
    pub async fn contract(&self) -> Result<Contract, Error> {
        let Access::Renewal { contract } = &self.document.access else {
            return Err(Error::Nothing { what: "contract in a session of purpose recovery" });
        };
        let signer = &self.inner.pair.signer;
        let (mut pages, mut next) = (Pages::default(), Some(contract.clone()));
        while let Some(url) = next {
            let answer = self.bank().read_long(&url, self.by(), signer).await?;
            next = pages.add(answer.long_object()?, answer.length())?;
        }
        pages.into_whole().ok_or(Error::Nothing { what: "page of the contract" })
    }

    /// Permits a user of the own contract to enroll anew (SPEC.md 7.15); for administrators. The same request may be sent
    /// again after it got no answer.
    pub async fn reissue(&self, request: &NewReissue) -> Result<Reissue, Error> {
        let full = self.bank().full("reissue").await?;
        self.ask(Operation::NewReissue, &full.new_reissue, request).await?.object()
    }

    /// Reads a reissue; for administrators.
    pub async fn read_reissue(&self, url: &Url) -> Result<Reissue, Error> {
        self.read(url).await?.object()
    }

    /// Withdraws a reissue by its `cancel` (SPEC.md 7.16); for administrators.
    pub async fn cancel_reissue(&self, cancel: &Url) -> Result<Reissue, Error> {
        self.ask(Operation::CancelReissue, cancel, &Empty {}).await?.object()
    }

    /// Unlocks the PIN of a user of the own contract (SPEC.md 7.17); for administrators.
    pub async fn unlock(&self, subject: SubjectId) -> Result<(), Error> {
        let full = self.bank().full("unlocking of PINs").await?;
        self.ask(Operation::Unlock, &full.unlock, &Unlock { subject }).await.map(drop)
    }

    /// Revokes a certificate of a user of the own contract (SPEC.md 7.20); for administrators.
    pub async fn revoke(&self, request: &RevokeCert) -> Result<Revocation, Error> {
        let directory = self.bank().directory().await?;
        self.ask(Operation::RevokeCert, &directory.revoke_cert, request).await?.object()
    }

    /// Changes the PIN of the session's subject (SPEC.md 7.18). After no answer the old PIN may be wrong already.
    pub async fn change_pin(&self, request: &ChangePin) -> Result<(), Error> {
        let full = self.bank().full("change of PINs").await?;
        self.ask(Operation::Pin, &full.pin, request).await.map(drop)
    }

    /// Ends the session (SPEC.md 7.6).
    pub async fn log_off(self) -> Result<(), Error> {
        self.ask(Operation::Logoff, &self.document.logoff, &Empty {}).await.map(drop)
    }

    pub(crate) async fn ask(
        &self,
        operation: Operation,
        url: &Url,
        payload: &impl Serialize,
    ) -> Result<Answer, Error> {
        let call = Call { operation, url, by: self.by(), signer: &self.inner.pair.signer };
        self.bank().ask(call, payload).await
    }

    pub(crate) async fn read(&self, url: &Url) -> Result<Answer, Error> {
        self.bank().read(url, self.by(), &self.inner.pair.signer).await
    }

    fn by(&self) -> By {
        By::Session(self.inner.kid.clone())
    }
}
