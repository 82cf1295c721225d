//! What the store is asked to do: the arguments and results of its writing methods.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{Certificate, Name};
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::state::order::Finality;
use koshin_protocol::time::{Period, Time};

use super::id::{ContractId, Fingerprint, OrderId, ReissueId, RequestId, SessionId, SubjectId};
use super::row::{ActiveSession, OrderRow, Purpose, Reason, Reserved, Role};

/// Who does it. The store checks inside the transaction that they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A session, which must be active.
    Session(SessionId),
    /// A certificate that signs for itself.
    Certificate(Fingerprint),
    /// An operator, who must be enabled.
    Operator(String),
    /// The bank itself.
    Bank,
}

/// A PIN attempt that was counted before its hash is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The Argon2id hash to verify against; `None` if no PIN was set for the subject.
    pub hash: Option<String>,
    /// Attempts that are left if this one is wrong; 0 means that it locks.
    pub left: u32,
}

/// Whether the PIN was verified for this request.
#[derive(Clone, PartialEq, Eq)]
pub enum PinCheck {
    /// Policy asks for none.
    NotAsked,
    /// It fitted this hash: the one of [`Attempt`]. The count of wrong ones starts anew.
    Verified {
        /// The hash that it fitted; refused if another PIN was set meanwhile.
        hash: String,
    },
}

/// A logon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOn {
    /// By this certificate, whose signature was verified.
    pub fingerprint: Fingerprint,
    /// For this.
    pub purpose: Purpose,
    /// The declared environment, as JSON.
    pub environment: String,
    /// The id of the session to be.
    pub session: SessionId,
    /// Whether the PIN was verified.
    pub pin: PinCheck,
    /// How long the session may stay unused.
    pub idle: Period,
    /// How long it may last.
    pub absolute: Period,
    /// How long a rollback is possible, if this logon completes an order; `None` if never.
    pub rollback_within: Option<Period>,
}

/// What a logon led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOn {
    /// The session.
    pub session: ActiveSession,
    /// The order that this first logon with a new certificate confirmed.
    pub confirmed: Option<OrderId>,
}

/// A certificate that the CA signed.
#[derive(Clone, Debug)]
pub struct Signed {
    /// It.
    pub certificate: Certificate,
}

/// A renewal order.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    /// The session that orders.
    pub session: SessionId,
    /// The certificate to be replaced: the session's.
    pub replaces: CertId,
    /// The id of the order to be.
    pub order: OrderId,
    /// Where the client keeps the key.
    pub key_store: String,
    /// The verified CSR's DER.
    pub csr: Vec<u8>,
    /// The thumbprint of its key.
    pub key: Thumbprint,
    /// When the window opens, from policy.
    pub window_opens: Time,
    /// The certificate, if the CA signs at once; `None` leaves the order `processing`.
    pub issued: Option<Signed>,
}

/// The order, and whether this request made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The order.
    pub order: OrderRow,
    /// False if it was there already.
    pub created: bool,
}

/// What became of a CA's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The order is `valid` and the certificate stored.
    Stored(OrderRow),
    /// The order had ended: the certificate is revoked and never handed out.
    Revoked(OrderRow),
    /// The order has its certificate already: this one was thrown away.
    Discarded(OrderRow),
}

/// A cancel or a rollback, by a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undo {
    /// The session that asks.
    pub session: SessionId,
    /// The order.
    pub order: OrderId,
    /// The thumbprint that the request names: must be the order's key.
    pub key: Thumbprint,
}

/// A confirmation by the new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The order.
    pub order: OrderId,
    /// The certificate that signed: must be the order's.
    pub fingerprint: Fingerprint,
    /// Whether the right to roll back is given up.
    pub finality: Finality,
    /// How long a rollback is possible; `None` if never.
    pub rollback_within: Option<Period>,
}

/// Permission to enroll anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReissue {
    /// Its id, chosen by who made the code.
    pub id: ReissueId,
    /// For whom.
    pub subject: SubjectId,
    /// The subject's name as the requester knows it, as RFC 4514 text.
    pub subject_name: String,
    /// Why.
    pub reason: Reason,
    /// The public key derived from the code, as the RFC 7638 JSON of a JWK.
    pub enrollment_key: String,
    /// Last second in which the code may be redeemed.
    pub expires: Time,
}

/// An enrollment. The binding was verified against the reissue's enrollment key.
#[derive(Clone, Debug)]
pub struct Enroll {
    /// The reissue whose code is redeemed.
    pub reissue: ReissueId,
    /// The id of the order to be.
    pub order: OrderId,
    /// Where the client keeps the key.
    pub key_store: String,
    /// The declared environment, as JSON.
    pub environment: String,
    /// The verified CSR's DER.
    pub csr: Vec<u8>,
    /// The thumbprint of its key, which signed the request.
    pub key: Thumbprint,
    /// Whether the PIN was verified.
    pub pin: PinCheck,
    /// The certificate, if the CA signs at once.
    pub issued: Option<Signed>,
}

/// A revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoke {
    /// Which certificate.
    pub certificate: CertId,
    /// Why.
    pub reason: Reason,
    /// Its successors as well. Of sessions and operators only.
    pub include_successors: bool,
}

/// A contract to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewContract {
    /// Its id.
    pub id: ContractId,
    /// The corporation's name.
    pub name: String,
}

/// A subject to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSubject {
    /// Its id.
    pub id: SubjectId,
    /// Whose.
    pub contract: ContractId,
    /// The subject of its certificates to be: unique over the bank, and taken over in DER as it is.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// The Argon2id hash of its first PIN.
    pub pin_hash: Option<String>,
}

/// A certificate of another CA, or of before, to be taken in as its subject's current one.
#[derive(Clone, Debug)]
pub struct Import {
    /// The certificate.
    pub certificate: Certificate,
    /// The contract that its subject belongs to.
    pub contract: ContractId,
    /// The subject's id, if the subject is made by this import.
    pub subject: SubjectId,
    /// The subject's role, likewise.
    pub role: Role,
}

/// What became of one certificate of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// Taken in.
    Imported {
        /// Its subject.
        subject: SubjectId,
        /// The subject was made, too.
        subject_created: bool,
    },
    /// It is there already, the same bytes for the same contract.
    Unchanged {
        /// Its subject.
        subject: SubjectId,
    },
    /// Not taken in.
    Refused(ImportRefused),
}

/// Why a certificate cannot be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportRefused {
    /// The contract does not exist.
    #[error("no such contract")]
    ContractUnknown,
    /// What it has as subject is no name (SPEC.md 4.7).
    #[error("its subject is empty or longer than {} bytes", Name::MAX_TEXT)]
    Nameless,
    /// The subject's name belongs to another contract.
    #[error("a subject of another contract has this name")]
    OtherContract,
    /// The name is there with the other role.
    #[error("the subject exists with the other role")]
    OtherRole,
    /// Its key is the key of another certificate or order.
    #[error("another certificate or order has this key")]
    KeyReused,
    /// Another certificate has the same issuer and serial.
    #[error("another certificate has the same issuer and serial number")]
    SerialReused,
    /// The subject has a current certificate already.
    #[error("the subject has another certificate that is current")]
    OtherCurrent,
    /// A renewal of the subject's expired certificate is open: its new certificate may still be confirmed.
    #[error("the subject's renewal is under way: revoke its expired certificate to end it")]
    OrderOpen,
    /// The certificate has ended.
    #[error("the certificate has expired")]
    Expired,
    /// The CRL lists it: of a certificate that a restored bank does not know otherwise.
    #[error("the certificate is on the CRL")]
    Listed,
}

/// A maker's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    /// Its id.
    pub id: RequestId,
    /// For whom.
    pub subject: SubjectId,
    /// Why.
    pub reason: Reason,
    /// The number of the paper form.
    pub form: String,
}

/// What a slow CA is about to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// For this order.
    pub order: OrderId,
    /// The serial and the bytes.
    pub reserved: Reserved,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Attempt").field("left", &self.left).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PinCheck {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NotAsked => "NotAsked",
            Self::Verified { .. } => "Verified { .. }",
        })
    }
}
