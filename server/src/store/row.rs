//! What the store answers: rows as the bank's decisions need them.

use std::sync::Arc;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate_entry::CertificateState as ShownState;
pub use koshin_protocol::contract::PinState;
use koshin_protocol::jwk::Thumbprint;
pub use koshin_protocol::revocation::Reason;
pub use koshin_protocol::session::Purpose;
use koshin_protocol::state::certificate::{Certificate as CertificateState, Validity};
use koshin_protocol::state::order::Order as OrderState;
pub use koshin_protocol::state::order::RollbackRight;
use koshin_protocol::state::reissue::{Reissue as ReissueState, Status as ReissueStatus};
pub use koshin_protocol::subject::Role;
use koshin_protocol::time::{Period, Time};

use super::id::{ContractId, Fingerprint, OrderId, ReissueId, RequestId, SessionId, SubjectId};

/// A certificate of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRow {
    /// Its name on the wire.
    pub cert_id: CertId,
    /// How an `x5c` finds it.
    pub fingerprint: Fingerprint,
    /// Whose it is.
    pub subject: SubjectId,
    /// The order that it came from; `None` for an imported one.
    pub order: Option<OrderId>,
    /// The thumbprint of its key.
    pub key: Thumbprint,
    /// Where its client said that it keeps the key; `None` for an imported one.
    pub key_store: Option<String>,
    /// First second of its validity.
    pub not_before: Time,
    /// Last second of its validity.
    pub not_after: Time,
    /// What the registry says, which does not look at the clock: see [`CertificateRow::shown`].
    pub state: CertificateState,
    /// How often its renewal was deferred.
    pub deferrals: u32,
    /// When it was last deferred.
    pub deferred_at: Option<Time>,
    /// The certificate itself.
    pub der: Arc<[u8]>,
}

impl CertificateRow {
    /// Where `now` lies in its validity.
    pub fn validity(&self, now: Time) -> Validity {
        Validity::at(now, self.not_before, self.not_after)
    }

    /// The word for its state at `now`, `expired` included (SPEC.md 10.5).
    pub fn shown(&self, now: Time) -> ShownState {
        self.state.shown(self.validity(now))
    }
}

/// A subject of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRow {
    /// Its id on the wire.
    pub id: SubjectId,
    /// Whose subject it is.
    pub contract: ContractId,
    /// The subject of its certificates, as the text of SPEC.md 4.7.
    pub name: String,
    /// The same, in the DER that its certificates have.
    pub name_der: Vec<u8>,
    /// What it may do.
    pub role: Role,
    /// Its PIN.
    pub pin: PinState,
    /// The bank disabled it or its contract.
    pub disabled: bool,
}

/// A certificate with everything that an authentication and a new session decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The certificate.
    pub certificate: CertificateRow,
    /// Whose it is.
    pub subject: SubjectRow,
    /// The newest confirmed certificate that descends from this one.
    pub successor: Option<CertId>,
    /// Where this certificate was revoked by a cancel or a rollback: the one to go back to, which
    /// nothing but time can have ended since, and the last second of its validity.
    pub predecessor: Option<(CertId, Time)>,
    /// The open order of the subject.
    pub order: Option<OpenOrder>,
    /// What became of the right to go back to this certificate, where an order replaced it.
    pub rollback: Option<Rollback>,
}

impl Holder {
    /// The current certificate to go back to at `now`, where a cancel or a rollback revoked this one.
    pub fn predecessor_at(&self, now: Time) -> Option<CertId> {
        let unexpired = self.predecessor.as_ref().filter(|(_, not_after)| now <= *not_after);
        unexpired.map(|(cert_id, _)| cert_id.clone())
    }
}

/// An order in `processing` or `valid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Which.
    pub id: OrderId,
    /// The thumbprint of its key.
    pub key: Thumbprint,
}

/// The order that replaced a certificate, completed or rolled back since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// Which.
    pub order: OrderId,
    /// The thumbprint of its key.
    pub key: Thumbprint,
    /// What is left of the right to undo it; [`RollbackRight::Ended`] once it is undone.
    pub right: RollbackRight,
}

/// A session that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveSession {
    /// Its id.
    pub id: SessionId,
    /// What it is for.
    pub purpose: Purpose,
    /// When it began.
    pub created: Time,
    /// When it was last used, as far as this node knows.
    pub last_use: Time,
    /// How long it may stay unused.
    pub idle: Period,
    /// When it ends at the latest.
    pub expires: Time,
    /// Who logged on.
    pub holder: Holder,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// Its id.
    pub id: OrderId,
    /// What it is for.
    pub origin: Origin,
    /// Whose it is.
    pub subject: SubjectId,
    /// What the subject may do.
    pub role: Role,
    /// The subject's contract.
    pub contract: ContractId,
    /// Where the client keeps the key, as ordered.
    pub key_store: String,
    /// The thumbprint of the CSR's key.
    pub key: Thumbprint,
    /// The CSR's DER.
    pub csr: Arc<[u8]>,
    /// When it was placed.
    pub created: Time,
    /// When it entered the state that it is in.
    pub entered: Time,
    /// Where it stands.
    pub state: OrderState,
    /// The certificate that it yielded, revoked or not.
    pub certificate: Option<CertificateRow>,
}

/// What an order came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It replaces a certificate.
    Renewal {
        /// Which.
        replaces: CertId,
        /// Last second of that certificate's validity.
        not_after: Time,
    },
    /// An enrollment code was redeemed.
    Enrollment {
        /// Whose.
        reissue: ReissueId,
    },
}

/// An order in `processing` whose issuing is to be taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The order.
    pub order: OrderRow,
    /// The subject DN of the certificate, as DER.
    pub subject_name: Vec<u8>,
    /// What was already promised to be signed: exactly these bytes are signed again.
    pub reserved: Option<Reserved>,
}

/// The serial and the bytes that a slow CA was or will be asked to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// Content octets of the serial's DER.
    pub serial: Vec<u8>,
    /// The DER of the `TBSCertificate`.
    pub tbs: Vec<u8>,
}

/// A contract with some of its subjects: a page of its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractRow {
    /// Its id.
    pub id: ContractId,
    /// The corporation's name.
    pub name: String,
    /// Its subjects, by name.
    pub subjects: Vec<SubjectEntry>,
    /// The last of them, where more follow it.
    pub next: Option<SubjectId>,
}

/// A contract in the bank's own list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractLine {
    /// Its id.
    pub id: ContractId,
    /// The corporation's name.
    pub name: String,
    /// The bank disabled it.
    pub disabled: bool,
    /// When it was added.
    pub created: Time,
    /// How many subjects it has.
    pub subjects: u64,
}

/// A subject on the status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectEntry {
    /// The subject.
    pub subject: SubjectRow,
    /// Its certificates, newest first; of more than twenty those that CTR-03 names.
    pub certificates: Vec<CertificateEntry>,
    /// Its open order.
    pub order: Option<OrderId>,
    /// Its reissue in `pending` or `redeemed`: see [`SubjectEntry::open_reissue`].
    pub reissue: Option<(ReissueId, ReissueState)>,
}

impl SubjectEntry {
    /// The reissue that is open at `now`: not one whose time is over.
    pub fn open_reissue(&self, now: Time) -> Option<ReissueId> {
        let open = self.reissue.filter(|(_, state)| state.status(now) != ReissueStatus::Expired);
        open.map(|(id, _)| id)
    }
}

/// A certificate on the status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEntry {
    /// The certificate.
    pub certificate: CertificateRow,
    /// The one that replaced it.
    pub successor: Option<CertId>,
}

/// A reissue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReissueRow {
    /// Its id, the salt of the enrollment key.
    pub id: ReissueId,
    /// For whom.
    pub subject: SubjectId,
    /// The subject's contract.
    pub contract: ContractId,
    /// The subject's name, as the text of SPEC.md 4.7.
    pub subject_name: String,
    /// What the subject may do.
    pub role: Role,
    /// Why.
    pub reason: Reason,
    /// The public key derived from the code, as the JSON of a JWK.
    pub enrollment_key: String,
    /// When it was opened.
    pub created: Time,
    /// Last second in which the code may be redeemed.
    pub expires: Time,
    /// Where it stands.
    pub state: ReissueState,
    /// The order that redeemed it.
    pub order: Option<OrderId>,
}

/// An operator's request for a reissue, waiting for another operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Its id.
    pub id: RequestId,
    /// For whom.
    pub subject: SubjectId,
    /// Why.
    pub reason: Reason,
    /// The number of the paper form.
    pub form: String,
    /// Who requested it.
    pub maker: String,
    /// When.
    pub created: Time,
    /// Who approved it and what came of it; `None` while it waits.
    pub approved: Option<Approval>,
}

/// The second pair of eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who.
    pub checker: String,
    /// When.
    pub at: Time,
    /// The reissue.
    pub reissue: ReissueId,
}

/// A certificate of another CA that was imported and revoked here: no CRL of this bank lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedRevocation {
    /// Its name.
    pub cert_id: CertId,
    /// When it was revoked.
    pub revoked_at: Time,
    /// `CRLReason`; `None` for unspecified.
    pub crl_reason: Option<u8>,
}

/// A revoked certificate, as the CRL lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationRow {
    /// Content octets of the serial's DER.
    pub serial: Vec<u8>,
    /// When it was revoked.
    pub revoked_at: Time,
    /// `CRLReason` (RFC 5280 5.3.1); `None` for unspecified, which is left out.
    pub crl_reason: Option<u8>,
    /// Last second of the certificate's validity; `None` if only a former CRL knows it.
    pub not_after: Option<Time>,
    /// The number of the first CRL that lists it.
    pub listed_from: u64,
}

/// A superseded certificate that cannot be restored any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupersededRow {
    /// Content octets of the serial's DER.
    pub serial: Vec<u8>,
    /// When its successor was confirmed.
    pub confirmed: Time,
}

/// A CRL as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlRow {
    /// `cRLNumber`
    pub number: u64,
    /// When it was published.
    pub published: Time,
    /// The CRL itself.
    pub der: Vec<u8>,
}

/// One of the bank's staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRow {
    /// How the audit calls them.
    pub name: String,
    /// When they were added.
    pub created: Time,
    /// When they were disabled.
    pub disabled: Option<Time>,
}

/// How many rows there are and whether the file is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integrity {
    /// What the database's own check found; empty if sound.
    pub findings: Vec<String>,
    /// The schema's version.
    pub version: u32,
}
