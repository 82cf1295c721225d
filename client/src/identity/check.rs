//! The checks that a new certificate passes before anything points to it.

use koshin_protocol::certificate::{Certificate, Name};
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::time::Time;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// What a new certificate must fit.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The roots the bank's certificates are checked against; never the predecessor's issuer, which may have changed.
    pub anchors: &'a [Certificate],
    /// The time to judge validity by: the bank's, from its `Date`.
    pub now: Time,
    /// Whose certificate it must be: the predecessor's subject, however its DER encodes the name (SPEC.md 4.7).
    pub subject: &'a Name,
}

/// Why a certificate is not installed. Whatever it is, the current pair stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// No certificate at all.
    #[error("the bank sent no certificate")]
    Empty,
    /// A certificate of another key.
    #[error("the bank sent a certificate of another key")]
    Key,
    /// Somebody else's certificate.
    #[error("the bank sent the certificate of {found}, expected that of {expected}")]
    Subject {
        /// Whose it should be.
        expected: String,
        /// Whose it is.
        found: String,
    },
    /// A certificate that is not valid yet.
    #[error("the certificate is valid from {not_before} only")]
    NotYetValid {
        /// Its first second.
        not_before: Time,
    },
    /// A certificate that is not valid any more.
    #[error("the certificate expired at {not_after}")]
    Expired {
        /// Its last second.
        not_after: Time,
    },
    /// A certificate that does not lead to a configured root.
    #[error("the certificate's chain does not lead to a root configured for this bank: {detail}")]
    Chain {
        /// Where the chain breaks.
        detail: String,
    },
}

/// Checks a chain (leaf first) against the key it was ordered for and against what is expected of it.
pub(super) fn check(
    chain: &[Certificate],
    key: &PublicKey,
    expected: Expected<'_>,
) -> Result<(), Mismatch> {
    let (leaf, issuers) = chain.split_first().ok_or(Mismatch::Empty)?;
    if leaf.key() != key {
        return Err(Mismatch::Key);
    }
    if leaf.subject() != expected.subject {
        let (expected, found) = (expected.subject.to_string(), leaf.subject().to_string());
        return Err(Mismatch::Subject { expected, found });
    }
    if expected.now < leaf.not_before() {
        return Err(Mismatch::NotYetValid { not_before: leaf.not_before() });
    }
    if expected.now > leaf.not_after() {
        return Err(Mismatch::Expired { not_after: leaf.not_after() });
    }
    path(leaf, issuers, expected)
}

/// Validates the path (RFC 5280, 6.1) for client authentication.
fn path(
    leaf: &Certificate,
    issuers: &[Certificate],
    expected: Expected<'_>,
) -> Result<(), Mismatch> {
    let broken = |error: webpki::Error| Mismatch::Chain { detail: format!("{error:?}") };
    let roots =
        expected.anchors.iter().map(|root| CertificateDer::from(root.der())).collect::<Vec<_>>();
    let anchors = roots
        .iter()
        .map(anchor_from_trusted_cert)
        .collect::<Result<Vec<_>, _>>()
        .map_err(broken)?;
    let issuers =
        issuers.iter().map(|issuer| CertificateDer::from(issuer.der())).collect::<Vec<_>>();
    let leaf_der = CertificateDer::from(leaf.der());
    let leaf = EndEntityCert::try_from(&leaf_der).map_err(broken)?;
    let seconds = u64::try_from(expected.now.unix()).unwrap_or_default();
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        &issuers,
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)),
        KeyUsage::client_auth(),
        None,
        None,
    )
    .map(drop)
    .map_err(broken)
}
