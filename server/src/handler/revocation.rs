//! `revokeCert` (SPEC.md 7.20).

use http::StatusCode;
use koshin_protocol::directory::ProfileName;
use koshin_protocol::jws::By;
use koshin_protocol::revocation::{Revocation, RevokeCert};
use koshin_protocol::state::certificate::Use;

use crate::bank::Bank;
use crate::error::Error;
use crate::reply::Reply;
use crate::request::{Authenticated, Fresh};
use crate::store::change::{Actor, Revoke};
use crate::store::row::{ActiveSession, Holder, Role};

/// Revokes a certificate, on its own word or on an administrator's.
pub async fn create(bank: &Bank, request: Fresh) -> Result<Reply, Error> {
    match request.by() {
        By::Certificate(_) => itself(bank, &request.by_certificate(bank).await?).await,
        By::Session(_) => another(bank, request.by_session(bank).await?).await,
        By::Key(_) => Err(Error::WrongSigner),
    }
}

async fn itself(bank: &Bank, request: &Authenticated<Holder>) -> Result<Reply, Error> {
    let (holder, now) = (request.principal(), request.now());
    holder.admits(Use::RevokeItself, now)?;
    let certificate = &holder.certificate;
    let payload: RevokeCert = request.payload()?;
    if payload.cert_id != certificate.cert_id || payload.include_successors {
        return Err(Error::NotAuthorized);
    }
    revoke(bank, payload, Actor::Certificate(certificate.fingerprint), now).await
}

async fn another(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.as_administrator()?;
    if bank.policy.profile == ProfileName::Core {
        return Err(Error::NotAuthorized);
    }
    let payload: RevokeCert = request.payload()?;
    let own = &request.principal().holder.subject;
    let holder = bank.store.certificate(&payload.cert_id).await?.ok_or(Error::NotFound)?;
    if holder.subject.contract != own.contract {
        return Err(Error::NotFound);
    }
    if holder.subject.role == Role::Administrator {
        return Err(Error::NotAuthorized);
    }
    revoke(bank, payload, Actor::Session(request.principal().id), request.now()).await
}

async fn revoke(
    bank: &Bank,
    payload: RevokeCert,
    by: Actor,
    now: koshin_protocol::time::Time,
) -> Result<Reply, Error> {
    let revoke = Revoke {
        certificate: payload.cert_id,
        reason: payload.reason,
        include_successors: payload.include_successors,
    };
    let revoked = bank.store.revoke(revoke, by, now).await?;
    bank.metrics.certificates_revoked(revoked.len());
    Ok(Reply::json(StatusCode::OK, &Revocation { revoked }))
}
