//! Logons, orders, enrollments.

use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::time::{Period, Time};

use super::{Failure, Registry, by_fingerprint};
use crate::id::{OrderId, ReissueId, SessionId};
use crate::rule::command::{
    Confirm, Delivery, Enroll, LogOn, LoggedOn, Names, PlaceOrder, Placed, Reserve, Signed, Undo,
};
use crate::rule::refused::Refused;
use crate::rule::row::{ActiveSession, OrderRow, Reserved, Role, Unfinished};
use crate::rule::{Name, enrollment, order, session};
use crate::store::{By, StoreError};

impl Registry {
    /// Logs on: ends the former session of the same certificate. The first logon with an unconfirmed successor confirms
    /// its order.
    pub async fn log_on(&self, log_on: LogOn, now: Time) -> Result<LoggedOn, Failure> {
        let by = by_fingerprint(log_on.fingerprint);
        let found = self.load(by.clone()).await?.ok_or(Refused::CertificateUnknown)?;
        let id = self.ids.session(found.number);
        self.transact(by, Refused::CertificateUnknown, now, |known, _| {
            session::log_on(known, &log_on, id, now)
        })
        .await
    }

    /// Ends the session.
    pub async fn log_off(&self, session: SessionId, now: Time) -> Result<(), Failure> {
        self.transact(self.of_session(session)?, Refused::SessionEnded, now, |known, _| {
            session::log_off(known, session, now)
        })
        .await
    }

    /// Records that the renewal of the session's certificate is put off.
    pub async fn defer(&self, session: SessionId, now: Time) -> Result<ActiveSession, Failure> {
        self.transact(self.of_session(session)?, Refused::SessionEnded, now, |known, _| {
            session::defer(known, session, now)
        })
        .await
    }

    /// Places a renewal order. The same key for the same certificate gives the same order.
    pub async fn place_order(&self, place: PlaceOrder, now: Time) -> Result<Placed, Failure> {
        let by = self.of_session(place.session)?;
        let By::Number(number) = by else { return Err(Refused::SessionEnded.into()) };
        let names = self.names(number).await?;
        let reused = self.is_taken(place.key).await?;
        let placed = self.transact(by, Refused::SessionEnded, now, |known, taken| {
            order::place(known, &place, names, reused || taken.is_some(), now)
        });
        self.placed(placed.await?).await
    }

    /// Whether some certificate or order has the key.
    async fn is_taken(&self, key: Thumbprint) -> Result<bool, StoreError> {
        Ok(self.store.load(By::Name(Name::Key(key))).await?.is_some())
    }

    async fn names(&self, subject: u64) -> Result<Names, StoreError> {
        let certificate = self.numbers.next(&*self.store).await?;
        Ok(Names { order: self.ids.order(subject), certificate })
    }

    async fn placed(&self, placed: Placed) -> Result<Placed, Failure> {
        Ok(Placed { order: self.hand_out(placed.order).await?, created: placed.created })
    }

    /// Takes up to `limit` orders in `processing` that nobody works on, for this caller to issue within `lease`.
    pub async fn unfinished_orders(
        &self,
        limit: u32,
        lease: Period,
        now: Time,
    ) -> Result<Vec<Unfinished>, Failure> {
        let mut unfinished = Vec::new();
        for (subject, id) in self.store.waiting(limit).await? {
            let taken = self.transact(By::Number(subject), Refused::NotFound, now, |known, _| {
                order::take_up(known, id, lease, now)
            });
            unfinished.extend(taken.await?);
        }
        Ok(unfinished)
    }

    /// Stores what a slow CA is about to be asked to sign; the answer is what was stored first and is to be signed.
    /// Refused once the order is not `processing`.
    pub async fn reserve_signing(&self, reserve: Reserve, now: Time) -> Result<Reserved, Failure> {
        self.transact(self.of_order(reserve.order)?, Refused::NotFound, now, |known, _| {
            order::reserve(known, &reserve, now)
        })
        .await
    }

    /// Hands in a CA's certificate. Stored if the order is still `processing`, revoked if it ended, thrown away if the
    /// order has its certificate.
    pub async fn issued(
        &self,
        id: OrderId,
        signed: Signed,
        now: Time,
    ) -> Result<Delivery, Failure> {
        let number = self.numbers.next(&*self.store).await?;
        let delivered = self.transact(self.of_order(id)?, Refused::NotFound, now, |known, _| {
            order::issued(known, id, &signed, number, now)
        });
        Ok(match delivered.await? {
            Delivery::Stored(order) => Delivery::Stored(self.hand_out(order).await?),
            Delivery::Revoked(order) => Delivery::Revoked(order),
            Delivery::Discarded(order) => Delivery::Discarded(self.hand_out(order).await?),
        })
    }

    /// The CA refused for good.
    pub async fn issue_failed(
        &self,
        id: OrderId,
        reason: String,
        now: Time,
    ) -> Result<OrderRow, Failure> {
        let failed = self.transact(self.of_order(id)?, Refused::NotFound, now, |known, _| {
            order::issue_failed(known, id, &reason, now)
        });
        Ok(self.hand_out(failed.await?).await?)
    }

    /// Cancels an open order of the session's subject.
    pub async fn cancel_order(&self, undo: Undo, now: Time) -> Result<OrderRow, Failure> {
        let canceled =
            self.transact(self.of_session(undo.session)?, Refused::SessionEnded, now, |known, _| {
                order::cancel(known, undo, now)
            });
        Ok(self.hand_out(canceled.await?).await?)
    }

    /// Completes the order: the successor is current, the predecessor superseded.
    pub async fn confirm_order(&self, confirm: Confirm, now: Time) -> Result<OrderRow, Failure> {
        let by = by_fingerprint(confirm.fingerprint);
        let confirmed = self.transact(by, Refused::CertificateUnknown, now, |known, _| {
            order::confirm(known, confirm, now)
        });
        Ok(self.hand_out(confirmed.await?).await?)
    }

    /// Goes back to the predecessor, by a recovery session of it.
    pub async fn roll_back(&self, undo: Undo, now: Time) -> Result<OrderRow, Failure> {
        let rolled_back =
            self.transact(self.of_session(undo.session)?, Refused::SessionEnded, now, |known, _| {
                order::roll_back(known, undo, now)
            });
        Ok(self.hand_out(rolled_back.await?).await?)
    }

    /// What is decided of an enrollment before PIN and CSR are looked at: the order, where this key redeemed the code
    /// already, or why the code is not to be redeemed.
    pub async fn begin_enrollment(
        &self,
        reissue: ReissueId,
        key: Thumbprint,
        now: Time,
    ) -> Result<Option<Placed>, Failure> {
        let missing = Refused::EnrollmentRefused { role: Role::User };
        let mut loaded = self.named(Name::Reissue(reissue), missing).await?;
        loop {
            match enrollment::begin(&loaded.known, reissue, key, now) {
                Err(crate::rule::refused::Failure::Chapter) => self.unfold(&mut loaded).await?,
                Err(other) => return Err(other.into()),
                Ok(Some(placed)) => return self.placed(placed).await.map(Some),
                Ok(None) => return Ok(None),
            }
        }
    }

    /// Redeems an enrollment code. The same key gives the same order.
    pub async fn enroll(&self, enroll: Enroll, now: Time) -> Result<Placed, Failure> {
        let missing = || Refused::EnrollmentRefused { role: Role::User };
        let found = self.named(Name::Reissue(enroll.reissue), missing()).await?;
        let names = self.names(found.number).await?;
        let reused = self.is_taken(enroll.key).await?;
        let by = By::Number(found.number);
        let placed = self.transact(by, missing(), now, |known, taken| {
            enrollment::redeem(known, &enroll, names, reused || taken.is_some(), now)
        });
        self.placed(placed.await?).await
    }

    fn of_session(&self, id: SessionId) -> Result<By, Refused> {
        self.ids.subject_of_session(id).map(By::Number).ok_or(Refused::SessionEnded)
    }

    fn of_order(&self, id: OrderId) -> Result<By, Refused> {
        self.ids.subject_of_order(id).map(By::Number).ok_or(Refused::NotFound)
    }
}
