//! `crl` (SPEC.md 6.6, 7.21).

use std::time::Duration;

use http::StatusCode;
use hyper::body::Bytes;

use crate::bank::Bank;
use crate::error::Error;
use crate::publish;
use crate::reply::Reply;

const MEDIA_TYPE: &str = "application/pkix-crl";
/// A revocation is seen within this time by whoever keeps a copy.
const KEPT: Duration = Duration::from_mins(5);

/// The newest CRL of an issuer.
pub async fn get(bank: &Bank, issuer: &str) -> Result<Reply, Error> {
    let der = match &bank.root_crl {
        Some((root, der)) if root == issuer => der.clone(),
        _ if bank.issuer.authority().id() == issuer => Bytes::from(publish::newest(bank).await?),
        _ => return Err(Error::NotFound),
    };
    let mut reply = Reply::bytes(StatusCode::OK, MEDIA_TYPE, der);
    reply.max_age = Some(KEPT);
    Ok(reply)
}
