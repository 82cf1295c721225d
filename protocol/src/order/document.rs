//! The flat JSON object of an order, and which members belong to which status (SPEC.md 7.9).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Issued, Kind, Order, RollbackRight, Status, StatusName};
use crate::{
    cert_id::CertId, chain::Chain, embedded_jws::EmbeddedJws, json, jwk::Thumbprint,
    key_store::KeyStoreName, problem::Problem, subject::SubjectId, time::Time, url::Url,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    #[serde(rename = "self")]
    url: Url,
    status: StatusName,
    kind: KindName,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    replaces: Option<CertId>,
    subject: SubjectId,
    key_store: KeyStoreName,
    key: Thumbprint,
    created: Time,
    #[serde(flatten)]
    members: Members,
}

/// The members that depend on the status.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    #[serde(
        rename = "certID",
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    cert_id: Option<CertId>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    certificate: Option<Url>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    chain: Option<Chain>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    cancel: Option<Url>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    confirm: Option<Url>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    rollback: Option<Url>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    rollback_until: Option<Time>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    error: Option<Box<Problem>>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    receipt: Option<EmbeddedJws>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindName {
    Renewal,
    Enrollment,
}

/// The members do not fit the order's kind or status.
#[derive(Debug, Error)]
pub(super) enum InvalidOrder {
    #[error("replaces is there exactly when kind is renewal")]
    Replaces,
    #[error("only a renewal can be canceled or rolled back")]
    Enrollment,
    #[error("an order that is {} needs {member}", .status.as_str())]
    Missing { status: StatusName, member: &'static str },
    #[error("an order that is {} has no {member}", .status.as_str())]
    Unexpected { status: StatusName, member: &'static str },
    #[error("rollback and rollbackUntil come together")]
    RollbackUntil,
}

impl TryFrom<Document> for Order {
    type Error = InvalidOrder;

    fn try_from(document: Document) -> Result<Self, InvalidOrder> {
        let Document { url, status, kind, replaces, subject, key_store, key, created, members } =
            document;
        let kind = match (kind, replaces) {
            (KindName::Renewal, Some(replaces)) => Kind::Renewal { replaces },
            (KindName::Enrollment, None) => Kind::Enrollment,
            (KindName::Renewal, None) | (KindName::Enrollment, Some(_)) => {
                return Err(InvalidOrder::Replaces);
            }
        };
        let goes_back = members.cancel.is_some() || members.rollback.is_some();
        if goes_back && matches!(kind, Kind::Enrollment) {
            return Err(InvalidOrder::Enrollment);
        }
        let status = members.into_status(status)?;
        Ok(Self { url, kind, subject, key_store, key, created, status })
    }
}

impl Members {
    /// Takes the status's members out; what is left over does not belong to it.
    fn into_status(mut self, status: StatusName) -> Result<Status, InvalidOrder> {
        let of_status = match status {
            StatusName::Processing => Status::Processing { cancel: self.cancel.take() },
            StatusName::Valid => {
                Status::Valid { issued: self.issued(status)?, cancel: self.cancel.take() }
            }
            StatusName::Completed => Status::Completed {
                issued: self.issued(status)?,
                rollback: self.rollback()?,
                receipt: self.receipt(status)?,
            },
            StatusName::Canceled => Status::Canceled { receipt: self.receipt(status)? },
            StatusName::Invalid => Status::Invalid {
                error: needed(self.error.take(), status, "error")?,
                receipt: self.receipt(status)?,
            },
            StatusName::RolledBack => Status::RolledBack {
                cert_id: needed(self.cert_id.take(), status, "certID")?,
                receipt: self.receipt(status)?,
            },
        };
        match self.first() {
            None => Ok(of_status),
            Some(member) => Err(InvalidOrder::Unexpected { status, member }),
        }
    }

    fn issued(&mut self, status: StatusName) -> Result<Issued, InvalidOrder> {
        Ok(Issued {
            cert_id: needed(self.cert_id.take(), status, "certID")?,
            certificate: needed(self.certificate.take(), status, "certificate")?,
            chain: needed(self.chain.take(), status, "chain")?,
            confirm: needed(self.confirm.take(), status, "confirm")?,
        })
    }

    fn rollback(&mut self) -> Result<Option<RollbackRight>, InvalidOrder> {
        match (self.rollback.take(), self.rollback_until.take()) {
            (None, None) => Ok(None),
            (Some(url), Some(until)) => Ok(Some(RollbackRight { url, until })),
            (None, Some(_)) | (Some(_), None) => Err(InvalidOrder::RollbackUntil),
        }
    }

    fn receipt(&mut self, status: StatusName) -> Result<EmbeddedJws, InvalidOrder> {
        needed(self.receipt.take(), status, "receipt")
    }

    /// The name of a member that is there.
    fn first(&self) -> Option<&'static str> {
        [
            ("certID", self.cert_id.is_some()),
            ("certificate", self.certificate.is_some()),
            ("chain", self.chain.is_some()),
            ("cancel", self.cancel.is_some()),
            ("confirm", self.confirm.is_some()),
            ("rollback", self.rollback.is_some()),
            ("rollbackUntil", self.rollback_until.is_some()),
            ("error", self.error.is_some()),
            ("receipt", self.receipt.is_some()),
        ]
        .into_iter()
        .find_map(|(member, is_there)| is_there.then_some(member))
    }
}

fn needed<T>(
    value: Option<T>,
    status: StatusName,
    member: &'static str,
) -> Result<T, InvalidOrder> {
    value.ok_or(InvalidOrder::Missing { status, member })
}

impl From<Order> for Document {
    fn from(order: Order) -> Self {
        let (kind, replaces) = match order.kind {
            Kind::Renewal { replaces } => (KindName::Renewal, Some(replaces)),
            Kind::Enrollment => (KindName::Enrollment, None),
        };
        Self {
            url: order.url,
            status: order.status.name(),
            kind,
            replaces,
            subject: order.subject,
            key_store: order.key_store,
            key: order.key,
            created: order.created,
            members: order.status.into(),
        }
    }
}

impl From<Status> for Members {
    fn from(status: Status) -> Self {
        match status {
            Status::Processing { cancel } => Self { cancel, ..Self::default() },
            Status::Valid { issued, cancel } => Self { cancel, ..issued.into() },
            Status::Completed { issued, rollback, receipt } => {
                let (rollback, rollback_until) =
                    rollback.map(|right| (right.url, right.until)).unzip();
                Self { rollback, rollback_until, receipt: Some(receipt), ..issued.into() }
            }
            Status::Canceled { receipt } => Self { receipt: Some(receipt), ..Self::default() },
            Status::Invalid { error, receipt } => {
                Self { error: Some(error), receipt: Some(receipt), ..Self::default() }
            }
            Status::RolledBack { cert_id, receipt } => {
                Self { cert_id: Some(cert_id), receipt: Some(receipt), ..Self::default() }
            }
        }
    }
}

impl From<Issued> for Members {
    fn from(issued: Issued) -> Self {
        Self {
            cert_id: Some(issued.cert_id),
            certificate: Some(issued.certificate),
            chain: Some(issued.chain),
            confirm: Some(issued.confirm),
            ..Self::default()
        }
    }
}
