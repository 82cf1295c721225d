//! A memory that forgets one thing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::time::Time;
use koshin_server::audit::{AuditRecord, Chain, Export, Head};
use koshin_server::store::backup::{BackedUp, Backup};
use koshin_server::store::change::{
    Actor, Attempt, Confirm, Delivery, Enroll, Import, ImportOutcome, LogOn, LoggedOn, NewContract,
    NewReissue, NewRequest, NewSubject, PinCheck, PlaceOrder, Placed, Reserve, Revoke, Signed,
    Undo,
};
use koshin_server::store::id::{
    ContractId, Fingerprint, OrderId, ReissueId, RequestId, SessionId, SubjectId,
};
use koshin_server::store::row::{
    ActiveSession, ContractLine, ContractRow, CrlRow, Holder, Integrity, OperatorRow, OrderRow,
    ReissueRow, RequestRow, Reserved, RevocationRow, SubjectRow, SupersededRow, Unfinished,
};
use koshin_server::store::{Read, Store, StoreError, Write};

/// What is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// That somebody logged off.
    LogOff,
    /// That an order was canceled.
    Cancel,
    /// That a PIN was unlocked.
    Unlock,
    /// That a PIN was changed.
    Pin,
    /// That a session ended.
    Sessions,
    /// Whom a contract's page is for.
    Contract,
    /// How many wrong PINs there were.
    Attempts,
    /// That a renewal was deferred.
    Defer,
}

/// Another memory, less one thing.
pub(super) struct Forgetful {
    whole: Arc<dyn Store>,
    lapse: Lapse,
    sessions: Mutex<HashMap<String, ActiveSession>>,
}

impl Forgetful {
    pub(super) fn new(whole: Arc<dyn Store>, lapse: Lapse) -> Self {
        Self { whole, lapse, sessions: Mutex::default() }
    }
}

macro_rules! as_it_is {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ident<$kind:ty>;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> $answer<'_, $kind> { self.whole.$name($($argument),*) })*
    };
}

impl Store for Forgetful {
    fn backup(&self, backup: Backup) -> BackedUp<'_> {
        self.whole.backup(backup)
    }

    fn session(&self, session: SessionId, now: Time) -> Read<'_, Option<ActiveSession>> {
        Box::pin(async move {
            let found = self.whole.session(session, now).await?;
            if self.lapse != Lapse::Sessions {
                return Ok(found);
            }
            let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = &found {
                sessions.insert(session.to_string(), found.clone());
            }
            Ok(sessions.get(&session.to_string()).cloned())
        })
    }

    fn touch_session(&self, session: SessionId, now: Time) {
        self.whole.touch_session(session, now);
    }

    fn contract(
        &self,
        contract: ContractId,
        only: Option<SubjectId>,
    ) -> Read<'_, Option<ContractRow>> {
        self.whole.contract(contract, only.filter(|_| self.lapse != Lapse::Contract))
    }

    fn begin_pin_attempt(&self, subject: SubjectId, now: Time) -> Write<'_, Attempt> {
        Box::pin(async move {
            if self.lapse == Lapse::Attempts {
                self.whole.unlock(subject, Actor::Bank, now).await?;
            }
            self.whole.begin_pin_attempt(subject, now).await
        })
    }

    fn log_off(&self, session: SessionId, now: Time) -> Write<'_, ()> {
        if self.lapse == Lapse::LogOff {
            return Box::pin(async { Ok(()) });
        }
        self.whole.log_off(session, now)
    }

    fn defer(&self, session: SessionId, now: Time) -> Write<'_, ActiveSession> {
        if self.lapse != Lapse::Defer {
            return self.whole.defer(session, now);
        }
        Box::pin(async move {
            let found = self.whole.session(session, now).await?;
            Ok(found.ok_or_else(|| StoreError::Database("the session is gone".to_owned()))?)
        })
    }

    fn cancel_order(&self, undo: Undo, now: Time) -> Write<'_, OrderRow> {
        if self.lapse != Lapse::Cancel {
            return self.whole.cancel_order(undo, now);
        }
        Box::pin(async move {
            let found = self.whole.order(undo.order).await?;
            Ok(found.ok_or_else(|| StoreError::Database("the order is gone".to_owned()))?)
        })
    }

    fn unlock(&self, subject: SubjectId, by: Actor, now: Time) -> Write<'_, ()> {
        if self.lapse == Lapse::Unlock {
            return Box::pin(async { Ok(()) });
        }
        self.whole.unlock(subject, by, now)
    }

    fn set_pin_hash(
        &self,
        subject: SubjectId,
        hash: String,
        old: PinCheck,
        by: Actor,
        now: Time,
    ) -> Write<'_, ()> {
        // Of an operator's first PIN nothing is forgotten.
        if self.lapse == Lapse::Pin && matches!(by, Actor::Session(_)) {
            return Box::pin(async { Ok(()) });
        }
        self.whole.set_pin_hash(subject, hash, old, by, now)
    }

    as_it_is! {
        certificate_by_fingerprint(fingerprint: Fingerprint) -> Read<Option<Holder>>;
        certificate(certificate: &CertId) -> Read<Option<Holder>>;
        order(order: OrderId) -> Read<Option<OrderRow>>;
        order_by_key(key: Thumbprint) -> Read<Option<OrderRow>>;
        contracts() -> Read<Vec<ContractLine>>;
        subject(subject: SubjectId) -> Read<Option<SubjectRow>>;
        reissue(reissue: ReissueId) -> Read<Option<ReissueRow>>;
        requests() -> Read<Vec<RequestRow>>;
        revocations(issuer: Vec<u8>, unexpired_at: Time) -> Read<Vec<RevocationRow>>;
        superseded(issuer: Vec<u8>, now: Time) -> Read<Vec<SupersededRow>>;
        latest_crl(issuer: Vec<u8>) -> Read<Option<CrlRow>>;
        operators() -> Read<Vec<OperatorRow>>;
        operator_credential(name: &str) -> Read<Option<String>>;
        audit(chain: Chain, after: u64, limit: u32) -> Read<Vec<AuditRecord>>;
        audit_heads() -> Read<Vec<Head>>;
        audit_export(now: Time) -> Read<Export>;
        newest_record() -> Read<Option<Time>>;
        integrity() -> Read<Integrity>;
        pin_was_right(subject: SubjectId, hash: String, now: Time) -> Write<()>;
        log_on(log_on: LogOn, now: Time) -> Write<LoggedOn>;
        place_order(place: PlaceOrder, now: Time) -> Write<Placed>;
        unfinished_orders(limit: u32, lease: Time, now: Time) -> Write<Vec<Unfinished>>;
        reserve_signing(reserve: Reserve, now: Time) -> Write<Reserved>;
        issued(order: OrderId, signed: Signed, now: Time) -> Write<Delivery>;
        issue_failed(order: OrderId, reason: String, now: Time) -> Write<OrderRow>;
        confirm_order(confirm: Confirm, now: Time) -> Write<OrderRow>;
        roll_back(undo: Undo, now: Time) -> Write<OrderRow>;
        tidy_up(limit: u32, now: Time) -> Write<u32>;
        open_reissue(reissue: NewReissue, by: Actor, now: Time) -> Write<(ReissueRow, bool)>;
        cancel_reissue(reissue: ReissueId, by: Actor, now: Time) -> Write<ReissueRow>;
        enroll(enroll: Enroll, now: Time) -> Write<Placed>;
        request_reissue(request: NewRequest, maker: String, now: Time) -> Write<RequestRow>;
        approve_reissue(request: RequestId, reissue: NewReissue, checker: String, now: Time) -> Write<ReissueRow>;
        revoke(revoke: Revoke, by: Actor, now: Time) -> Write<Vec<CertId>>;
        next_crl_number(issuer: Vec<u8>, now: Time) -> Write<u64>;
        publish_crl(issuer: Vec<u8>, crl: CrlRow) -> Write<()>;
        add_operator(name: String, credential_hash: String, by: Actor, now: Time) -> Write<()>;
        operator_refused(name: String, now: Time) -> Write<()>;
        disable_operator(name: String, by: Actor, now: Time) -> Write<()>;
        add_contract(contract: NewContract, by: Actor, now: Time) -> Write<()>;
        add_subject(subject: NewSubject, by: Actor, now: Time) -> Write<SubjectRow>;
        set_subject_disabled(subject: SubjectId, disabled: bool, by: Actor, now: Time) -> Write<()>;
        set_contract_disabled(contract: ContractId, disabled: bool, by: Actor, now: Time) -> Write<()>;
        import_certificates(imports: Vec<Import>, dry_run: bool, by: Actor, now: Time) -> Write<Vec<ImportOutcome>>;
    }
}
