//! Receipts: the bank's signed word on the end of an order (SPEC.md 6.7).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::algorithm::Algorithm;
use crate::cert_id::CertId;
use crate::certificate::{
    Certificate, CertificateError, DOCUMENT_SIGNING, KeyUsages, PathError, verify_path,
};
use crate::chain::Chain;
use crate::embedded_jws::EmbeddedJws;
use crate::json::{self, JsonError};
use crate::jwk::Thumbprint;
use crate::jws::flattened::{Flattened, read_object};
use crate::order::StatusName;
use crate::sign::{SignError, Signer};
use crate::subject::SubjectId;
use crate::time::Time;
use crate::url::Url;
use crate::verify::{BadSignature, Verifier};

const TYP: &str = "koshin-receipt+jws";

/// What a receipt says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The order.
    pub order: Url,
    /// The order's status.
    pub status: StatusName,
    /// The id of the subject.
    pub subject: SubjectId,
    /// The order's key.
    pub key: Thumbprint,
    /// The predecessor, of a renewal.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub replaces: Option<CertId>,
    /// The new certificate, where one was issued for the order.
    #[serde(
        rename = "certID",
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub cert_id: Option<CertId>,
    /// When the order entered the status.
    pub time: Time,
}

/// Why a receipt is not to be relied on.
#[derive(Debug, Error)]
pub enum ReceiptError {
    /// Not a flattened JWS with exactly `alg`, `typ` and `x5c`.
    #[error("the receipt is not a flattened JWS with the header of a receipt")]
    Form,
    /// A certificate of it cannot be read.
    #[error("a certificate of the receipt: {0}")]
    Certificate(#[source] CertificateError),
    /// Its certificate is not for signing receipts.
    #[error("the receipt's certificate is not one for receipts")]
    Usage,
    /// Its certificates do not lead to a configured root.
    #[error("the receipt's certificate: {0}")]
    Path(#[source] PathError),
    /// The signature is not its certificate's.
    #[error("the receipt: {0}")]
    Signature(#[source] BadSignature),
    /// What was signed is not a receipt.
    #[error("the receipt's payload: {0}")]
    Payload(#[source] JsonError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    typ: Cow<'a, str>,
    x5c: Chain,
}

impl Receipt {
    /// Signs the receipt; the chain is the signer's certificate and its issuers without the root.
    pub fn sign(&self, chain: &Chain, signer: &dyn Signer) -> Result<EmbeddedJws, SignError> {
        let alg = signer.algorithm().as_str().into();
        let header = Header { alg, typ: TYP.into(), x5c: chain.clone() };
        let header = serde_json::to_vec(&header).expect("a header of strings is JSON");
        let payload = serde_json::to_vec(self).expect("a receipt of strings is JSON");
        let jws = Flattened::sign(&header, &payload, signer)?;
        Ok(EmbeddedJws::from_slice(&jws).expect("a flattened JWS that was just written"))
    }

    /// Verifies a receipt up to a configured root. The certificates must have been valid at the
    /// time that it tells, since a receipt is kept longer than they are.
    ///
    /// Whether it is the receipt of the right order is for the caller to compare.
    pub fn verify(
        receipt: &EmbeddedJws,
        roots: &[Certificate],
        verifier: &dyn Verifier,
    ) -> Result<Self, ReceiptError> {
        let jws = Flattened::from_slice(&receipt.to_vec()).map_err(|_| ReceiptError::Form)?;
        let header: Header<'_> = read_object(jws.header()).map_err(|_| ReceiptError::Form)?;
        if header.typ != TYP {
            return Err(ReceiptError::Form);
        }
        let algorithm: Algorithm = header.alg.parse().map_err(|_| ReceiptError::Form)?;
        let certificates: Result<Vec<_>, _> =
            header.x5c.iter().map(Certificate::from_der).collect();
        let certificates = certificates.map_err(ReceiptError::Certificate)?;
        let (leaf, issuers) = certificates.split_first().ok_or(ReceiptError::Form)?;
        if leaf.extended_key_usages() != Some(&[DOCUMENT_SIGNING])
            || leaf.key_usages() != Some(KeyUsages::DIGITAL_SIGNATURE)
        {
            return Err(ReceiptError::Usage);
        }
        verifier
            .verify(algorithm, leaf.key(), jws.signing_input(), jws.signature())
            .map_err(ReceiptError::Signature)?;
        let receipt: Self = json::parse(jws.payload()).map_err(ReceiptError::Payload)?;
        verify_path(leaf, issuers, roots, receipt.time, verifier).map_err(ReceiptError::Path)?;
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use der::asn1::ObjectIdentifier;

    use super::*;
    use crate::certificate::{Attribute, CLIENT_AUTH, Kind, Name, NotIssuedBy, Profile};
    use crate::sign::Es256Key;
    use crate::verify::RustCrypto;

    fn key(byte: u8) -> Es256Key {
        Es256Key::from_random(&[byte; 48])
    }

    fn at(text: &str) -> Time {
        text.parse().expect("a time")
    }

    fn make(
        subject: (&str, u8),
        issuer: (&str, u8),
        kind: Kind,
        usages: &[ObjectIdentifier],
    ) -> Certificate {
        let name = |text| Name::new(&[(Attribute::CommonName, text)]).expect("a name");
        let key_usages = match kind {
            Kind::Leaf => KeyUsages::DIGITAL_SIGNATURE,
            Kind::Authority { .. } => KeyUsages::AUTHORITY,
        };
        Profile {
            serial: &[1],
            issuer: &name(issuer.0),
            not_before: at("2026-01-01T00:00:00Z"),
            not_after: at("2027-01-01T00:00:00Z"),
            subject: &name(subject.0),
            key: key(subject.1).public_key(),
            kind,
            key_usages,
            extended_key_usages: usages,
            authority_key_id: None,
            crl: &[],
        }
        .sign(&key(issuer.1))
        .expect("a certificate")
    }

    const ANY: Kind = Kind::Authority { path_length: None };

    fn root() -> Certificate {
        make(("Root", 1), ("Root", 1), ANY, &[])
    }

    fn receipt(time: &str) -> Receipt {
        Receipt {
            order: Url::parse("https://bank.example/order/1").expect("a URL"),
            status: StatusName::Completed,
            subject: "u-1001".parse().expect("an id"),
            key: key(9).public_key().thumbprint(),
            replaces: None,
            cert_id: Some(CertId::new(&[1], &[2]).expect("a certID")),
            time: at(time),
        }
    }

    fn sign(time: &str, usages: &[ObjectIdentifier]) -> EmbeddedJws {
        let issuing = make(("Issuing", 2), ("Root", 1), ANY, &[]);
        let leaf = make(("Receipts", 3), ("Issuing", 2), Kind::Leaf, usages);
        let chain = Chain::new(vec![leaf.der().into(), issuing.der().into()]).expect("a chain");
        receipt(time).sign(&chain, &key(3)).expect("signed")
    }

    const DURING: &str = "2026-06-01T00:00:00Z";

    #[test]
    fn what_was_signed_is_verified_up_to_the_root() {
        let signed = sign(DURING, &[DOCUMENT_SIGNING]);
        let verified = Receipt::verify(&signed, &[root()], &RustCrypto).expect("verified");
        assert_eq!(verified, receipt(DURING));
    }

    #[test]
    fn another_root_or_none_is_refused() {
        let signed = sign(DURING, &[DOCUMENT_SIGNING]);
        let other = make(("Root", 7), ("Root", 7), ANY, &[]);
        for roots in [vec![], vec![other]] {
            let refused = Receipt::verify(&signed, &roots, &RustCrypto);
            assert!(matches!(refused, Err(ReceiptError::Path(_))), "{refused:?}");
        }
    }

    #[test]
    fn a_certificate_for_something_else_is_refused() {
        for usages in [&[CLIENT_AUTH][..], &[], &[DOCUMENT_SIGNING, CLIENT_AUTH]] {
            let refused = Receipt::verify(&sign(DURING, usages), &[root()], &RustCrypto);
            assert!(matches!(refused, Err(ReceiptError::Usage)), "{refused:?}");
        }
    }

    #[test]
    fn a_time_outside_the_certificates_validity_is_refused() {
        for time in ["2025-12-31T23:59:59Z", "2027-01-01T00:00:01Z"] {
            let refused = Receipt::verify(&sign(time, &[DOCUMENT_SIGNING]), &[root()], &RustCrypto);
            assert!(matches!(refused, Err(ReceiptError::Path(PathError::NotValid))), "{refused:?}");
        }
    }

    #[test]
    fn an_edited_receipt_and_one_signed_by_another_key_are_refused() {
        let leaf = make(("Receipts", 3), ("Root", 1), Kind::Leaf, &[DOCUMENT_SIGNING]);
        let chain = Chain::new(vec![leaf.der().into()]).expect("a chain");
        let signed = receipt(DURING).sign(&chain, &key(4)).expect("signed");
        let refused = Receipt::verify(&signed, &[root()], &RustCrypto);
        assert!(matches!(refused, Err(ReceiptError::Signature(_))), "{refused:?}");
    }

    #[test]
    fn a_path_through_a_certificate_that_is_no_authority_is_refused() {
        let middle = make(("Middle", 2), ("Root", 1), Kind::Leaf, &[]);
        let leaf = make(("Receipts", 3), ("Middle", 2), Kind::Leaf, &[DOCUMENT_SIGNING]);
        let refused = verify_path(&leaf, &[middle], &[root()], at(DURING), &RustCrypto);
        assert_eq!(refused, Err(PathError::NotIssuedBy(NotIssuedBy::NotAuthority)));
    }

    #[test]
    fn a_path_longer_than_an_authority_allows_is_refused() {
        let short = make(("Short", 4), ("Short", 4), Kind::Authority { path_length: Some(0) }, &[]);
        let middle = make(("Middle", 2), ("Short", 4), ANY, &[]);
        let leaf = make(("Receipts", 3), ("Middle", 2), Kind::Leaf, &[DOCUMENT_SIGNING]);
        let refused = verify_path(&leaf, &[middle], &[short], at(DURING), &RustCrypto);
        assert_eq!(refused, Err(PathError::TooLong));
    }
}
