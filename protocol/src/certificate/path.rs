//! Whether a certificate leads to a configured root (RFC 5280 section 6.1, for chains that come in
//! order, without policies and name constraints).

use thiserror::Error;

use super::{Certificate, NotIssuedBy};
use crate::time::Time;
use crate::verify::Verifier;

/// Why a certificate does not lead to a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// One of the certificates, or the root, is not valid at that time.
    #[error("a certificate of the chain is not valid at that time")]
    NotValid,
    /// One of the certificates has a critical extension that is not understood here.
    #[error("a certificate of the chain has a critical extension that is not understood")]
    UnknownCritical,
    /// There are more authorities than one of them, or this crate, allows.
    #[error("the chain is longer than an authority in it allows")]
    TooLong,
    /// One of the certificates was not issued by the next.
    #[error("the chain is broken: {0}")]
    NotIssuedBy(NotIssuedBy),
    /// None of the roots issued the last one.
    #[error("the chain does not lead to a configured root")]
    NoRoot,
}

/// No chain is longer, root not counted.
const MAX_LENGTH: usize = 8;

/// Verifies that `leaf` was issued by the first of `issuers`, each of these by the next, and the
/// last by one of `roots`, and that all of them are valid at that time. Says nothing of revocation
/// and of what the leaf may be used for.
pub fn verify_path(
    leaf: &Certificate,
    issuers: &[Certificate],
    roots: &[Certificate],
    at: Time,
    verifier: &dyn Verifier,
) -> Result<(), PathError> {
    if issuers.len() >= MAX_LENGTH {
        return Err(PathError::TooLong);
    }
    let mut subject = leaf;
    check(subject, at)?;
    for (below, issuer) in issuers.iter().enumerate() {
        step(subject, issuer, below, at, verifier)?;
        subject = issuer;
    }
    // A chain that ends in the root itself is as good as one without it.
    if roots.iter().any(|root| root == subject) && !issuers.is_empty() {
        return Ok(());
    }
    let mut refused = PathError::NoRoot;
    for root in roots {
        match step(subject, root, issuers.len(), at, verifier) {
            Ok(()) => return Ok(()),
            // Of several roots the one of that name says the most.
            Err(PathError::NotIssuedBy(NotIssuedBy::Name)) => {}
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn step(
    subject: &Certificate,
    issuer: &Certificate,
    below: usize,
    at: Time,
    verifier: &dyn Verifier,
) -> Result<(), PathError> {
    subject.verify_issued_by(issuer, verifier).map_err(PathError::NotIssuedBy)?;
    if issuer.path_length().is_some_and(|allowed| below > usize::from(allowed)) {
        return Err(PathError::TooLong);
    }
    check(issuer, at)
}

fn check(certificate: &Certificate, at: Time) -> Result<(), PathError> {
    if !certificate.unknown_critical().is_empty() {
        return Err(PathError::UnknownCritical);
    }
    if certificate.is_valid_at(at) { Ok(()) } else { Err(PathError::NotValid) }
}
