//! A subject as the bank knows it: everything that a decision about it needs, loaded whole and written whole.
//!
//! What is old leaves it: a [`Chapter`] takes up what has ended, so that a subject stays small for ever. A certificate's
//! DER stands in a row of its own, which [`Certificate::number`] names.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::state::certificate::{Certificate as CertificateState, Validity};
use koshin_protocol::state::order::Order as OrderState;
use koshin_protocol::state::reissue::Reissue as ReissueState;
use koshin_protocol::state::session::Active;
use koshin_protocol::time::{Period, Time};
use serde::{Deserialize, Serialize};

use crate::id::{ContractId, Fingerprint, OrderId, ReissueId, SessionId, SubjectId};
use crate::rule::row::{PinState, Purpose, Reason, Role};

/// How many wrong PINs in a row lock it (SPEC.md 9.3).
pub const PIN_ATTEMPTS: u32 = 5;

/// A person or machine of a contract that certificates are issued to, with all that is live of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Its id on the wire.
    pub id: SubjectId,
    /// The contract that it belongs to.
    pub contract: ContractId,
    /// The subject DN of its certificates, as RFC 4514 text.
    pub name: String,
    /// The same name, as the DER that its certificates carry.
    pub name_der: Vec<u8>,
    /// What it may do.
    pub role: Role,
    /// The bank disabled it. Its contract may be disabled besides.
    pub disabled: bool,
    /// Its PIN, if one was set.
    pub pin: Option<Pin>,
    /// Its certificates, oldest first.
    pub certificates: Vec<Certificate>,
    /// Its orders, oldest first.
    pub orders: Vec<Order>,
    /// Its sessions that nothing has ended. Whether time has is for [`Session::active`] to tell.
    pub sessions: Vec<Session>,
    /// Its reissues, oldest first.
    pub reissues: Vec<Reissue>,
    /// The number of the newest [`Chapter`] of what has ended.
    pub chapter: Option<u64>,
}

/// A PIN that was set.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pin {
    /// Its Argon2id hash, as PHC text.
    pub hash: String,
    /// Attempts since a right one, 0 to [`PIN_ATTEMPTS`].
    pub attempts: u32,
}

/// A certificate of the registry, without its DER.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Certificate {
    /// The row of its DER.
    pub number: u64,
    /// Its name on the wire.
    pub id: CertId,
    /// The SHA-256 of its DER.
    pub fingerprint: Fingerprint,
    /// The thumbprint of its key.
    pub key: Thumbprint,
    /// The order that it came from; `None` for an imported one.
    pub order: Option<OrderId>,
    /// The number of the certificate that it replaces; `None` for an imported or enrolled one.
    pub replaces: Option<u64>,
    /// Where its client said that it keeps the key; `None` for an imported one.
    pub key_store: Option<String>,
    /// The first second of its validity.
    pub not_before: Time,
    /// The last second of its validity.
    pub not_after: Time,
    /// What the registry says of it. The clock says besides whether it has expired.
    pub state: CertificateState,
    /// How often its renewal was put off.
    pub deferrals: u32,
    /// When its renewal was last put off.
    pub deferred_at: Option<Time>,
}

/// A renewal or an enrollment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// What it came from.
    pub origin: Origin,
    /// Where the client keeps the key, as ordered.
    pub key_store: String,
    /// The thumbprint of the CSR's key.
    pub key: Thumbprint,
    /// When it was placed.
    pub created: Time,
    /// When it entered the state that it is in.
    pub entered: Time,
    /// Where it stands.
    pub state: OrderState,
    /// The number of the certificate that it yielded, revoked or not.
    pub certificate: Option<u64>,
    /// What is needed to issue it, until it is issued.
    pub issuing: Option<Issuing>,
}

/// What an order came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// It replaces the certificate with this number.
    Renewal(u64),
    /// The code of this reissue was redeemed.
    Enrollment(ReissueId),
}

/// What a CA that does not sign at once is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Issuing {
    /// The CSR's DER.
    pub csr: Vec<u8>,
    /// The serial and the bytes that the CA was asked to sign: the same are signed again.
    pub reserved: Option<Reserved>,
    /// Until when somebody works on it.
    pub lease: Option<Time>,
}

/// The serial and the bytes that a slow CA was or will be asked to sign.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reserved {
    /// Content octets of the serial's DER.
    pub serial: Vec<u8>,
    /// The DER of the `TBSCertificate`.
    pub tbs: Vec<u8>,
}

/// A logon that nothing but time can have ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The number of the certificate that logged on.
    pub certificate: u64,
    /// What it is for.
    pub purpose: Purpose,
    /// When it began.
    pub created: Time,
    /// When it was last used, as far as is written down.
    pub last_use: Time,
    /// How long it may stay unused.
    pub idle: Period,
    /// When it ends at the latest.
    pub expires: Time,
    /// The renewal was put off in it.
    pub deferred: bool,
}

/// Permission to enroll anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reissue {
    /// Its id, the salt of the enrollment key.
    pub id: ReissueId,
    /// Why.
    pub reason: Reason,
    /// The public key derived from the code, as the JSON of a JWK.
    pub enrollment_key: String,
    /// When it was opened.
    pub created: Time,
    /// The last second in which the code may be redeemed.
    pub expires: Time,
    /// Where it stands.
    pub state: ReissueState,
    /// The order that redeemed it.
    pub order: Option<OrderId>,
}

/// What has ended of a subject, out of its way: read when somebody asks for it by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// Certificates that are superseded for good or revoked.
    pub certificates: Vec<Certificate>,
    /// Orders that nothing can change any more.
    pub orders: Vec<Order>,
    /// Reissues that are closed.
    pub reissues: Vec<Reissue>,
    /// The number of the chapter before.
    pub before: Option<u64>,
}

/// As many closed certificates, orders or reissues as a subject carries before a chapter takes them up.
const CARRIED: usize = 4;

impl Subject {
    /// A subject that has nothing yet.
    pub fn new(
        id: SubjectId,
        contract: ContractId,
        (name, name_der): (String, Vec<u8>),
        role: Role,
        pin_hash: Option<String>,
    ) -> Self {
        Self {
            id,
            contract,
            name,
            name_der,
            role,
            disabled: false,
            pin: pin_hash.map(|hash| Pin { hash, attempts: 0 }),
            certificates: Vec::new(),
            orders: Vec::new(),
            sessions: Vec::new(),
            reissues: Vec::new(),
            chapter: None,
        }
    }

    /// What the wire says of its PIN.
    pub fn pin_state(&self) -> PinState {
        match &self.pin {
            None => PinState::None,
            Some(pin) if pin.attempts >= PIN_ATTEMPTS => PinState::Locked,
            Some(_) => PinState::Set,
        }
    }

    /// Its name in the form in which equal names are equal bytes (SPEC.md 4.7).
    pub fn name_key(&self) -> Vec<u8> {
        self.name_der.clone()
    }

    /// The certificate with this number.
    pub fn certificate(&self, number: u64) -> Option<&Certificate> {
        self.certificates.iter().rev().find(|certificate| certificate.number == number)
    }

    /// The certificate that it works with, expired or not.
    pub fn current(&self) -> Option<&Certificate> {
        self.certificates.iter().rev().find(|certificate| certificate.state.is_current())
    }

    /// The order with this id.
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.iter().rev().find(|order| order.id == id)
    }

    /// The order whose CSR has this key.
    pub fn order_by_key(&self, key: Thumbprint) -> Option<&Order> {
        self.orders.iter().rev().find(|order| order.key == key)
    }

    /// The order that is open: there is at most one (STA-08).
    pub fn open_order(&self) -> Option<&Order> {
        self.orders.iter().rev().find(|order| order.state.is_open())
    }

    /// The order that replaced the certificate with this number, undone since or not; the open one does not count.
    pub fn replacing(&self, certificate: u64) -> Option<&Order> {
        let of_it = |order: &&Order| order.origin == Origin::Renewal(certificate);
        let orders = || self.orders.iter().rev().filter(of_it);
        orders()
            .find(|order| matches!(order.state, OrderState::Completed(_)))
            .or_else(|| orders().find(|order| matches!(order.state, OrderState::RolledBack)))
    }

    /// The reissue with this id.
    pub fn reissue(&self, id: ReissueId) -> Option<&Reissue> {
        self.reissues.iter().rev().find(|reissue| reissue.id == id)
    }

    /// The reissue that is open: there is at most one (STA-08).
    pub fn open_reissue(&self) -> Option<&Reissue> {
        self.reissues.iter().rev().find(|reissue| reissue.is_open())
    }

    /// The session with this id, whether or not its time is over.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    /// Whether more has ended of it than a subject carries.
    pub fn carries_too_much(&self) -> bool {
        let certificates = self.certificates.iter().filter(|of| self.is_past(of)).count();
        let orders = self.orders.iter().filter(|order| self.is_over(order)).count();
        let reissues = self.reissues.iter().filter(|reissue| !reissue.is_open()).count();
        certificates.max(orders).max(reissues) > CARRIED
    }

    /// Takes what has ended out. The chapter is to be written under `number`, in the commit that writes the subject.
    pub fn fold(&mut self, number: u64) -> Chapter {
        let past = self.certificates.iter().filter(|of| self.is_past(of)).map(|of| of.number);
        let past: Vec<u64> = past.collect();
        let over = self.orders.iter().filter(|order| self.is_over(order)).map(|order| order.id);
        let over: Vec<OrderId> = over.collect();
        Chapter {
            certificates: self.certificates.extract_if(.., |of| past.contains(&of.number)).collect(),
            orders: self.orders.extract_if(.., |order| over.contains(&order.id)).collect(),
            reissues: self.reissues.extract_if(.., |reissue| !reissue.is_open()).collect(),
            before: self.chapter.replace(number),
        }
    }

    /// Takes a chapter back in; the chapter before it is the next one to read.
    pub fn unfold(&mut self, chapter: Chapter) {
        fn before<T>(mut old: Vec<T>, newer: &mut Vec<T>) {
            old.append(newer);
            *newer = old;
        }
        before(chapter.certificates, &mut self.certificates);
        before(chapter.orders, &mut self.orders);
        before(chapter.reissues, &mut self.reissues);
        self.chapter = chapter.before;
    }

    /// Superseded or revoked, with no order that could make it count again, and no session.
    fn is_past(&self, certificate: &Certificate) -> bool {
        let ended = match certificate.state {
            CertificateState::Superseded | CertificateState::Revoked => true,
            CertificateState::Unconfirmed | CertificateState::Current => false,
        };
        let number = certificate.number;
        let needed = |order: &Order| {
            !self.is_over(order)
                && (order.certificate == Some(number) || order.origin == Origin::Renewal(number))
        };
        ended && !self.has_session(number) && !self.orders.iter().any(needed)
    }

    /// An order that nothing can change, and that no recovery session is about.
    fn is_over(&self, order: &Order) -> bool {
        order.is_final()
            && match order.origin {
                Origin::Renewal(replaced) => !self.has_session(replaced),
                Origin::Enrollment(_) => true,
            }
    }

    fn has_session(&self, certificate: u64) -> bool {
        self.sessions.iter().any(|session| session.certificate == certificate)
    }
}

impl Certificate {
    /// Where `now` lies in its validity.
    pub fn validity(&self, now: Time) -> Validity {
        Validity::at(now, self.not_before, self.not_after)
    }
}

impl Order {
    /// Whether no event can change it any more: the right to roll back of a completed one is given up or was never there.
    /// That the time of the right is over is no reason, since a clock may be wrong.
    pub fn is_final(&self) -> bool {
        use koshin_protocol::state::order::{Completed, RollbackRight};
        match self.state {
            OrderState::Processing(_) | OrderState::Valid(_) => false,
            OrderState::Completed(Completed { rollback }) => match rollback {
                RollbackRight::Until(_) => false,
                RollbackRight::Ended | RollbackRight::Disabled => true,
            },
            OrderState::Canceled | OrderState::Invalid(_) | OrderState::RolledBack => true,
        }
    }
}

impl Reissue {
    /// Whether its code, or the order of it, is still on its way.
    pub fn is_open(&self) -> bool {
        match self.state {
            ReissueState::Pending(_) | ReissueState::Redeemed(_) => true,
            ReissueState::Completed
            | ReissueState::Failed
            | ReissueState::Canceled
            | ReissueState::Voided => false,
        }
    }
}

impl Session {
    /// The session as its state machine sees it.
    pub fn active(&self) -> Active {
        let idle = self.last_use.checked_add(self.idle).unwrap_or(self.expires);
        Active { purpose: self.purpose, idle: idle.min(self.expires), absolute: self.expires }
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pin").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}
