//! `renewalInfo` (SPEC.md 7.3, RFC 9773 4).

use std::time::Duration;

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, StatusCode};
use koshin_protocol::base64url;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::renewal_info::RenewalInfo;
use sha2::{Digest, Sha256};

use crate::bank::Bank;
use crate::error::Error;
use crate::reply::Reply;
use crate::wire;

/// Policy changes rarely, and a window even less.
const AGAIN: Duration = Duration::from_hours(6);

/// When the certificate may and should renew.
pub async fn get(bank: &Bank, certificate: &str, headers: &HeaderMap) -> Result<Reply, Error> {
    let id: CertId = certificate.parse().map_err(|_| Error::NotFound)?;
    let holder = bank.registry.certificate(&id).await?.ok_or(Error::NotFound)?;
    let now = bank.clock.now();
    if holder.certificate.shown(now) != CertificateState::Current {
        return Err(Error::NotRenewable);
    }
    let not_after = holder.certificate.not_after;
    let info = RenewalInfo {
        suggested_window: wire::window(&bank.policy.suggested_window(not_after))?,
        explanation_url: bank.policy.explanation_url.clone(),
        enforced_window: wire::window(&bank.policy.window(not_after))?,
    };
    let mut reply = Reply::json(StatusCode::OK, &info);
    let tag = base64url::encode(&Sha256::digest(&reply.body)[..12]);
    if headers.get(IF_NONE_MATCH).is_some_and(|known| names(known.as_bytes(), &tag)) {
        reply = Reply::empty(StatusCode::NOT_MODIFIED);
    }
    reply.retry_after(AGAIN);
    reply.max_age = Some(AGAIN);
    Ok(reply.tagged(&tag))
}

/// Whether `If-None-Match` names the tag (RFC 9110 13.1.2, weak comparison).
fn names(known: &[u8], tag: &str) -> bool {
    let known = String::from_utf8_lossy(known);
    known
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/").trim_matches('"') == tag)
}
