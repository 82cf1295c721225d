//! What a restore did, each thing by name, for the operators who have to act on it.

use std::fmt;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::time::Time;
use serde::{Serialize, Serializer};

use crate::audit::{Chain, Differs};
use crate::store::id::{ContractId, ReissueId, SubjectId};

/// What a restore did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// What was done to whom, and what is known to differ from the bank that was lost.
    pub notes: Vec<Note>,
    /// How many entries of the CRLs are of certificates that the backup does not know.
    pub unknown: usize,
    /// The chains that the backup has fewer records of than were exported.
    pub lost: Vec<Lost>,
    /// When the heads were exported, and since when they tell of PINs that were set; `None` if there
    /// were none to compare: then nobody knows what was disabled, locked or set after the backup.
    pub heads: Option<Told>,
}

/// Records that were exported and that the backup does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Of this chain.
    pub chain: Chain,
    /// How many records there are.
    pub found: u64,
    /// How many there were.
    pub exported: u64,
}

/// How far the exported heads tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Until then.
    pub until: Time,
    /// Of PINs that were set, since then.
    pub pins_since: Time,
}

/// A subject, as operators know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedSubject {
    /// Its id.
    #[serde(serialize_with = "text")]
    pub subject: SubjectId,
    /// Its name, as RFC 4514 text.
    pub name: String,
}

/// A certificate and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedCertificate {
    /// The certificate.
    #[serde(rename = "certID")]
    pub certificate: CertId,
    /// Whose it is.
    #[serde(flatten)]
    pub subject: NamedSubject,
}

/// One thing that a restore did or found. As JSON, the member `note` says which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "camelCase")]
pub enum Note {
    /// The backup has it otherwise than its own audit says, and an operator accepted that.
    Altered {
        /// What, and how.
        differs: Differs,
    },
    /// The backup took it for good and the CRL, or the heads, list it: revoked again.
    RevokedAgain {
        /// The certificate.
        #[serde(flatten)]
        revoked: NamedCertificate,
        /// The subject has no other that it can work with.
        last: bool,
    },
    /// The CRL lists it as superseded by a certificate that the backup does not know: it is the
    /// newest that the bank knows, and stays current.
    LeftCurrent(NamedCertificate),
    /// The successor of a superseded certificate, which the backup has as unconfirmed: its order is
    /// completed.
    Confirmed(NamedCertificate),
    /// Its successor was rolled back after the backup: it is current again.
    RolledBack(NamedCertificate),
    /// Its successor, which the backup does not know, was revoked after the backup, and the subject
    /// had no other: it is revoked, for it must not come back by a restore.
    Stopped(NamedCertificate),
    /// A certificate that the backup does not know was revoked after the heads were exported: it may
    /// be the successor of one that is current now.
    RevokedUnknown {
        /// The certificate.
        #[serde(rename = "certID")]
        certificate: CertId,
    },
    /// Disabled after the backup, and now again.
    ContractDisabled(NamedContract),
    /// Enabled after the backup, and disabled as in the backup.
    ContractEnabled(NamedContract),
    /// Disabled after the backup, and now again.
    SubjectDisabled(NamedSubject),
    /// Enabled after the backup, and disabled as in the backup.
    SubjectEnabled(NamedSubject),
    /// Locked after the backup, and now again.
    PinLocked(NamedSubject),
    /// Unlocked after the backup, and locked as in the backup.
    PinUnlocked(NamedSubject),
    /// Set after the backup, and now the one of the backup.
    PinSet(NamedSubject),
    /// Its code was redeemed or given up after the backup: the reissue is canceled.
    ReissueEnded {
        /// The reissue.
        #[serde(serialize_with = "text")]
        reissue: ReissueId,
        /// For whom it was.
        #[serde(flatten)]
        subject: NamedSubject,
    },
    /// Disabled after the backup, and now again.
    OperatorDisabled {
        /// Who.
        operator: String,
    },
    /// Disabled after the backup, and enabled now, since nobody else is left.
    OperatorLeft {
        /// Who.
        operator: String,
    },
}

/// A contract, as operators know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedContract {
    /// Its id.
    #[serde(serialize_with = "text")]
    pub contract: ContractId,
    /// The corporation's name.
    pub name: String,
}

impl RestoreReport {
    /// The certificates that were revoked again.
    pub fn revoked(&self) -> Vec<&CertId> {
        let revoked = self.notes.iter().filter_map(|note| {
            let Note::RevokedAgain { revoked, .. } = note else { return None };
            Some(&revoked.certificate)
        });
        revoked.collect()
    }

    /// How many things the backup has otherwise than its audit says.
    pub(super) fn altered(&self) -> usize {
        self.notes.iter().filter(|note| matches!(note, Note::Altered { .. })).count()
    }
}

fn text<T: fmt::Display, S: Serializer>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

impl fmt::Display for NamedSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (subject {})", self.name, self.subject)
    }
}

impl fmt::Display for NamedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {} of {}", self.certificate, self.subject)
    }
}

impl fmt::Display for NamedContract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "contract {} ({})", self.contract, self.name)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered { differs } => write!(f, "{differs}"),
            Self::RevokedAgain { revoked, last: false } => write!(f, "{revoked}: revoked again"),
            Self::RevokedAgain { revoked, last: true } => write!(
                f,
                "{revoked}: revoked again; the subject has no other: reissue, or import one that \
                 was issued after the backup"
            ),
            Self::LeftCurrent(certificate) => write!(
                f,
                "{certificate}: left current; it was superseded after the backup, by one that is \
                 unknown now: it renews once more"
            ),
            Self::Confirmed(certificate) => {
                write!(f, "{certificate}: current, as it was confirmed after the backup")
            }
            Self::RolledBack(certificate) => {
                write!(f, "{certificate}: current again, by a rollback after the backup")
            }
            Self::Stopped(certificate) => write!(
                f,
                "{certificate}: revoked; its successor is unknown now, and was revoked after the \
                 backup: the subject had none, and needs a reissue"
            ),
            Self::RevokedUnknown { certificate } => write!(
                f,
                "certificate {certificate}: revoked, and unknown to backup and heads; if a \
                 certificate of its subject was left current, look whether that is right"
            ),
            Self::ContractDisabled(contract) => {
                write!(f, "{contract}: disabled again, as after the backup")
            }
            Self::ContractEnabled(contract) => {
                write!(f, "{contract}: disabled as in the backup; it was enabled later")
            }
            Self::SubjectDisabled(subject) => {
                write!(f, "{subject}: disabled again, as after the backup")
            }
            Self::SubjectEnabled(subject) => {
                write!(f, "{subject}: disabled as in the backup; it was enabled later")
            }
            Self::PinLocked(subject) => {
                write!(f, "{subject}: PIN locked again, as after the backup")
            }
            Self::PinUnlocked(subject) => {
                write!(f, "{subject}: PIN locked as in the backup; it was unlocked later")
            }
            Self::PinSet(subject) => {
                write!(f, "{subject}: the PIN is that of the backup; another was set later")
            }
            Self::ReissueEnded { reissue, subject } => write!(
                f,
                "{subject}: reissue {reissue} canceled; its code was used or given up after the \
                 backup"
            ),
            Self::OperatorDisabled { operator } => {
                write!(f, "operator {operator}: disabled again, as after the backup")
            }
            Self::OperatorLeft { operator } => write!(
                f,
                "operator {operator}: enabled, although disabled after the backup, since the backup \
                 has nobody else: add another, then disable {operator}"
            ),
        }
    }
}
