//! A subject as others see it: rows for handlers and commands, made of what is loaded.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::state::certificate::Certificate as State;
use koshin_protocol::state::order::{Completed, Order as OrderState, RollbackRight};
use koshin_protocol::time::Time;

use super::Known;
use super::refused::Failure;
use super::row::{
    ActiveSession, CertificateEntry, CertificateRow, Holder, OpenOrder, OrderRow, Origin as Came,
    Purpose, ReissueRow, Rollback, SubjectEntry, SubjectRow,
};
use super::subject::{Certificate, Order, Origin, Reissue, Session, Subject};

impl Known {
    /// The subject itself.
    pub fn row(&self) -> SubjectRow {
        let subject = &self.subject;
        SubjectRow {
            id: subject.id,
            contract: subject.contract,
            name: subject.name.clone(),
            name_der: subject.name_der.clone(),
            role: subject.role,
            pin: subject.pin_state(),
            disabled: subject.disabled || self.contract_disabled,
        }
    }

    /// A certificate with all that an authentication decides on.
    pub fn holder(&self, certificate: &Certificate) -> Holder {
        let subject = &self.subject;
        let (successor, predecessor, rollback) = match certificate.state {
            State::Superseded => {
                (descendant(subject, certificate), None, rollback(subject, certificate.number))
            }
            State::Revoked => (None, undone(subject, certificate), None),
            State::Unconfirmed | State::Current => (None, None, None),
        };
        let order = subject.open_order().map(|open| OpenOrder { id: open.id, key: open.key });
        let certificate = certificate_row(subject, certificate);
        Holder { certificate, subject: self.row(), successor, predecessor, order, rollback }
    }

    /// A session with its holder. Nobody has looked at the time.
    pub fn active_session(&self, session: &Session) -> Result<ActiveSession, Failure> {
        let mut holder = self.holder(self.certificate(session.certificate)?);
        // Whose renewal was rolled back is current again, and its session still the one that did it.
        if session.purpose == Purpose::Recovery && holder.rollback.is_none() {
            holder.rollback = rollback(&self.subject, session.certificate);
        }
        Ok(ActiveSession {
            id: session.id,
            purpose: session.purpose,
            created: session.created,
            last_use: session.last_use,
            idle: session.idle,
            expires: session.expires,
            holder,
        })
    }

    /// An order.
    pub fn order_row(&self, order: &Order) -> Result<OrderRow, Failure> {
        let origin = match order.origin {
            Origin::Renewal(number) => {
                let replaced = self.certificate(number)?;
                Came::Renewal { replaces: replaced.id.clone(), not_after: replaced.not_after }
            }
            Origin::Enrollment(reissue) => Came::Enrollment { reissue },
        };
        let certificate = order.certificate.map(|number| self.certificate(number)).transpose()?;
        Ok(OrderRow {
            id: order.id,
            origin,
            subject: self.subject.id,
            role: self.subject.role,
            contract: self.subject.contract,
            key_store: order.key_store.clone(),
            key: order.key,
            created: order.created,
            entered: order.entered,
            state: order.state,
            certificate: certificate.map(|found| certificate_row(&self.subject, found)),
            der: None,
        })
    }

    /// A reissue.
    pub fn reissue_row(&self, reissue: &Reissue) -> ReissueRow {
        let subject = &self.subject;
        ReissueRow {
            id: reissue.id,
            subject: subject.id,
            contract: subject.contract,
            subject_name: subject.name.clone(),
            subject_der: subject.name_der.clone(),
            role: subject.role,
            reason: reissue.reason,
            enrollment_key: reissue.enrollment_key.clone(),
            created: reissue.created,
            expires: reissue.expires,
            state: reissue.state,
            order: reissue.order,
        }
    }

    /// The subject on its contract's status page.
    pub fn entry(&self) -> SubjectEntry {
        let subject = &self.subject;
        let entry = |certificate: &Certificate| CertificateEntry {
            successor: successor(subject, certificate.number).map(|found| found.id.clone()),
            certificate: certificate_row(subject, certificate),
        };
        let mut newest: Vec<&Certificate> = subject.certificates.iter().rev().collect();
        newest.sort_by_key(|certificate| std::cmp::Reverse(certificate.not_before));
        SubjectEntry {
            subject: self.row(),
            certificates: newest.into_iter().map(entry).collect(),
            order: subject.open_order().map(|order| order.id),
            reissue: subject.open_reissue().map(|reissue| (reissue.id, reissue.state)),
        }
    }
}

fn certificate_row(subject: &Subject, certificate: &Certificate) -> CertificateRow {
    CertificateRow {
        number: certificate.number,
        cert_id: certificate.id.clone(),
        fingerprint: certificate.fingerprint,
        subject: subject.id,
        order: certificate.order,
        key: certificate.key,
        key_store: certificate.key_store.clone(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        state: certificate.state,
        deferrals: certificate.deferrals,
        deferred_at: certificate.deferred_at,
    }
}

/// The subject's current certificate, or the newest that descends from this one (SES-07).
pub(super) fn descendant(subject: &Subject, certificate: &Certificate) -> Option<CertId> {
    if let Some(current) = subject.current() {
        return Some(current.id.clone());
    }
    let mut newest = None;
    let mut of = certificate.number;
    while let Some(next) = successor(subject, of) {
        newest = Some(next.id.clone());
        of = next.number;
    }
    newest
}

/// The certificate that replaced the one with this number, confirmed and not undone since.
pub(super) fn successor(subject: &Subject, number: u64) -> Option<&Certificate> {
    subject.certificates.iter().rev().find(|next| {
        next.replaces == Some(number)
            && match next.state {
                State::Current | State::Superseded => true,
                State::Unconfirmed => false,
                // Revoked after it was confirmed, or because it was canceled or rolled back.
                State::Revoked => next.order.is_some_and(|order| {
                    subject
                        .order(order)
                        .is_some_and(|order| matches!(order.state, OrderState::Completed(_)))
                }),
            }
    })
}

/// The certificate to go back to, where a cancel or a rollback revoked this one, and the last second of its validity.
pub(super) fn undone(subject: &Subject, certificate: &Certificate) -> Option<(CertId, Time)> {
    let order = subject.order(certificate.order?)?;
    let undone = match order.state {
        OrderState::Canceled | OrderState::RolledBack => true,
        OrderState::Processing(_)
        | OrderState::Valid(_)
        | OrderState::Completed(_)
        | OrderState::Invalid(_) => false,
    };
    let predecessor = subject.certificate(certificate.replaces?)?;
    (undone && predecessor.state.is_current()).then(|| (predecessor.id.clone(), predecessor.not_after))
}

/// The order that replaced a certificate, and what is left of the right to undo it.
fn rollback(subject: &Subject, number: u64) -> Option<Rollback> {
    let order = subject.replacing(number)?;
    let right = match order.state {
        OrderState::Completed(Completed { rollback }) => rollback,
        OrderState::Processing(_)
        | OrderState::Valid(_)
        | OrderState::Canceled
        | OrderState::Invalid(_)
        | OrderState::RolledBack => RollbackRight::Ended,
    };
    Some(Rollback { order: order.id, key: order.key, right })
}
