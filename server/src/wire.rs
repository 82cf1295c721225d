//! The store's rows as the protocol's objects: who may see what was decided before (SPEC.md 7).

use std::num::NonZeroU32;

use koshin_protocol::certificate_entry::{CertificateEntry, CertificateState};
use koshin_protocol::chain::Chain;
use koshin_protocol::contract::{Contract, SubjectEntry};
use koshin_protocol::notice::{Deferred, Notice};
use koshin_protocol::order::{Issued, Kind, Order, RollbackRight, Status};
use koshin_protocol::problem::{Language, Problem, Token};
use koshin_protocol::receipt::Receipt;
use koshin_protocol::reissue::{Reissue, Status as ReissueStatus, StatusName as ReissueWord};
use koshin_protocol::renewal_info::Window;
use koshin_protocol::session::{Access, Session};
use koshin_protocol::state::order::{Cause, Order as OrderState, RollbackRight as Right};
use koshin_protocol::subject::{Subject, SubjectName};
use koshin_protocol::time::Time;

use crate::bank::Bank;
use crate::error::Error;
use crate::policy;
use crate::route::Route;
use crate::store::row::{
    ActiveSession, CertificateRow, ContractRow, Holder, OrderRow, Origin, Purpose, ReissueRow,
    Role, SubjectRow,
};

/// A session as its holder sees it.
pub fn session(bank: &Bank, session: &ActiveSession, now: Time) -> Result<Session, Error> {
    let id = session.id.to_string();
    let holder = &session.holder;
    let access = match (session.purpose, &holder.rollback) {
        (Purpose::Renewal, _) => Access::Renewal {
            contract: bank.urls.of(&Route::Contract(holder.subject.contract.to_string())),
        },
        (Purpose::Recovery, Some(rollback)) => Access::Recovery {
            rollback: bank.urls.of(&Route::Rollback(rollback.order.to_string())),
        },
        (Purpose::Recovery, None) => {
            return Err(Error::Registry(format!("session {id} recovers from no order")));
        }
    };
    let idle_end = now.checked_add(session.idle).unwrap_or(session.expires);
    Ok(Session {
        subject: subject(&holder.subject)?,
        certificate: certificate(&holder.certificate, now),
        access,
        notice: notice(bank, session, now)?,
        order: holder.order.as_ref().map(|order| bank.urls.of(&Route::Order(order.id.to_string()))),
        logoff: bank.urls.of(&Route::Logoff(id)),
        expires: idle_end.min(session.expires),
    })
}

/// The notice of a renewal session whose certificate will soon expire (SPEC.md 8.2, 8.3).
fn notice(bank: &Bank, session: &ActiveSession, now: Time) -> Result<Option<Notice>, Error> {
    let certificate = &session.holder.certificate;
    let current = certificate.shown(now) == CertificateState::Current;
    let reminded = bank.policy.notices(certificate.not_after).any(|time| time <= now);
    let enforced = bank.policy.window(certificate.not_after);
    let open = enforced.contains(now);
    if session.purpose != Purpose::Renewal || !current || !(open || reminded) {
        return Ok(None);
    }
    let deferred = match (NonZeroU32::new(certificate.deferrals), certificate.deferred_at) {
        (Some(count), Some(last)) => Some(Deferred { count, last }),
        _ => None,
    };
    let may_defer = open && session.holder.order.is_none();
    Ok(Some(Notice {
        expires: certificate.not_after,
        window: window(&enforced)?,
        deferred,
        defer: may_defer.then(|| bank.urls.of(&Route::Defer(session.id.to_string()))),
    }))
}

/// A window of the wire.
pub fn window(window: &policy::Window) -> Result<Window, Error> {
    Window::new(window.opens, window.closes).map_err(registry)
}

fn subject(row: &SubjectRow) -> Result<Subject, Error> {
    Ok(Subject {
        id: row.id.to_string().parse().map_err(registry)?,
        name: name(&row.name)?,
        role: row.role,
    })
}

fn name(text: &str) -> Result<SubjectName, Error> {
    text.parse().map_err(registry)
}

/// A certificate entry of a session: where the key is kept, and what came after, a contract tells.
fn certificate(row: &CertificateRow, now: Time) -> CertificateEntry {
    CertificateEntry {
        cert_id: row.cert_id.clone(),
        not_before: row.not_before,
        not_after: row.not_after,
        state: row.shown(now),
        successor: None,
        key_store: None,
    }
}

/// A page of the contract, as `reader` sees it.
pub fn contract(
    bank: &Bank,
    row: &ContractRow,
    reader: &Holder,
    now: Time,
) -> Result<Contract, Error> {
    let subjects = row.subjects.iter().map(|entry| {
        let certificates = entry.certificates.iter().map(|listed| {
            let row = &listed.certificate;
            let mut entry = certificate(row, now);
            entry.successor.clone_from(&listed.successor);
            let key_store = row.key_store.as_deref().map(str::parse);
            entry.key_store = key_store.transpose().map_err(registry)?;
            Ok(entry)
        });
        let current = entry
            .certificates
            .iter()
            .find(|listed| listed.certificate.shown(now) == CertificateState::Current);
        let shows_reissues = reader.subject.role == Role::Administrator;
        let reissue = entry.open_reissue(now).filter(|_| shows_reissues);
        Ok(SubjectEntry {
            id: entry.subject.id.to_string().parse().map_err(registry)?,
            name: name(&entry.subject.name)?,
            role: entry.subject.role,
            pin: entry.subject.pin,
            certificates: certificates.collect::<Result<_, Error>>()?,
            order: entry.order.map(|order| bank.urls.of(&Route::Order(order.to_string()))),
            deferrals: current.map_or(0, |listed| listed.certificate.deferrals),
            reissue: reissue.map(|reissue| bank.urls.of(&Route::Reissue(reissue.to_string()))),
        })
    });
    Ok(Contract {
        id: row.id.to_string().parse().map_err(registry)?,
        name: row.name.clone(),
        subjects: subjects.collect::<Result<_, Error>>()?,
        next: row.next.map(|last| bank.urls.of(&Route::ContractAfter(last.to_string()))),
    })
}

/// An order, with the receipt that belongs to its end.
pub fn order(bank: &Bank, row: &OrderRow, language: Language, now: Time) -> Result<Order, Error> {
    let id = row.id.to_string();
    let url = bank.urls.of(&Route::Order(id.clone()));
    let kind = match &row.origin {
        Origin::Renewal { replaces, .. } => Kind::Renewal { replaces: replaces.clone() },
        Origin::Enrollment { .. } => Kind::Enrollment,
    };
    let cancel = match &row.origin {
        Origin::Renewal { not_after, .. } if now <= *not_after => {
            Some(bank.urls.of(&Route::Cancel(id.clone())))
        }
        Origin::Renewal { .. } | Origin::Enrollment { .. } => None,
    };
    let receipt = || receipt(bank, row, &url);
    let status = match &row.state {
        OrderState::Processing(_) => Status::Processing { cancel },
        OrderState::Valid(_) => Status::Valid { issued: issued(bank, row)?, cancel },
        OrderState::Completed(completed) => Status::Completed {
            issued: issued(bank, row)?,
            rollback: match completed.rollback {
                Right::Until(until) if now <= until => {
                    Some(RollbackRight { url: bank.urls.of(&Route::Rollback(id)), until })
                }
                Right::Until(_) | Right::Ended | Right::Disabled => None,
            },
            receipt: receipt()?,
        },
        OrderState::Canceled => Status::Canceled { receipt: receipt()? },
        OrderState::Invalid(invalid) => Status::Invalid {
            error: Box::new(invalid_because(row, invalid.cause, language, now)),
            receipt: receipt()?,
        },
        OrderState::RolledBack => Status::RolledBack {
            cert_id: certificate_of(row)?.cert_id.clone(),
            receipt: receipt()?,
        },
    };
    Ok(Order {
        url: url.clone(),
        kind,
        subject: row.subject.to_string().parse().map_err(registry)?,
        key_store: row.key_store.parse().map_err(registry)?,
        key: row.key,
        created: row.created,
        status,
    })
}

fn invalid_because(row: &OrderRow, cause: Cause, language: Language, now: Time) -> Problem {
    let token = match (cause, &row.origin) {
        (Cause::IssueFailed, _) => Token::IssueFailed,
        (Cause::PredecessorRevoked | Cause::SuccessorRevoked, _) => Token::CertificateRevoked,
        (Cause::SubjectReissued, Origin::Renewal { .. }) => Token::OrderInvalid,
        (Cause::SubjectReissued, Origin::Enrollment { .. }) => Token::EnrollmentCanceled,
    };
    Problem::builder(token, language, now).role(row.role).build()
}

fn certificate_of(row: &OrderRow) -> Result<&CertificateRow, Error> {
    row.certificate.as_ref().ok_or_else(|| {
        Error::Registry(format!("order {} has a state with, and no certificate", row.id))
    })
}

fn issued(bank: &Bank, row: &OrderRow) -> Result<Issued, Error> {
    let id = row.id.to_string();
    let certificate = certificate_of(row)?;
    Ok(Issued {
        cert_id: certificate.cert_id.clone(),
        certificate: bank.urls.of(&Route::Certificate(id.clone())),
        chain: chain(bank, certificate)?,
        confirm: bank.urls.of(&Route::Confirm(id)),
    })
}

/// A certificate with its issuers, without the root.
pub fn chain(bank: &Bank, certificate: &CertificateRow) -> Result<Chain, Error> {
    let issuers = bank.issuer.authority().chain().map(|issuer| issuer.der().into());
    let certificates = std::iter::once(certificate.der.as_ref().into()).chain(issuers).collect();
    Chain::new(certificates).map_err(registry)
}

fn receipt(
    bank: &Bank,
    row: &OrderRow,
    url: &koshin_protocol::url::Url,
) -> Result<koshin_protocol::embedded_jws::EmbeddedJws, Error> {
    let replaces = match &row.origin {
        Origin::Renewal { replaces, .. } => Some(replaces.clone()),
        Origin::Enrollment { .. } => None,
    };
    let receipt = Receipt {
        order: url.clone(),
        status: row.state.status(),
        subject: row.subject.to_string().parse().map_err(registry)?,
        key: row.key,
        replaces,
        cert_id: row.certificate.as_ref().map(|certificate| certificate.cert_id.clone()),
        time: row.entered,
    };
    bank.receipts.sign(&receipt).map_err(registry)
}

/// A reissue.
pub fn reissue(bank: &Bank, row: &ReissueRow, now: Time) -> Result<Reissue, Error> {
    let cancel = || bank.urls.of(&Route::CancelReissue(row.id.to_string()));
    let order = row.order.map(|order| bank.urls.of(&Route::Order(order.to_string())));
    let needed = || {
        order.clone().ok_or_else(|| {
            Error::Registry(format!("reissue {} is redeemed, and has no order", row.id))
        })
    };
    let status = match row.state.status(now) {
        ReissueWord::Pending => ReissueStatus::Pending { cancel: cancel() },
        ReissueWord::Redeemed => ReissueStatus::Redeemed { cancel: cancel(), order: needed()? },
        ReissueWord::Completed => ReissueStatus::Completed { order: needed()? },
        ReissueWord::Failed => ReissueStatus::Failed { order: needed()? },
        ReissueWord::Canceled => ReissueStatus::Canceled { order },
        ReissueWord::Voided => ReissueStatus::Voided { order },
        ReissueWord::Expired => ReissueStatus::Expired,
    };
    Ok(Reissue {
        id: koshin_protocol::reissue::ReissueId::from_bytes(*row.id.as_bytes()),
        subject: row.subject.to_string().parse().map_err(registry)?,
        subject_name: name(&row.subject_name)?,
        reason: row.reason,
        created: row.created,
        expires: row.expires,
        status,
    })
}

fn registry(error: impl std::fmt::Display) -> Error {
    Error::Registry(error.to_string())
}
