//! The CA inside the bank: its keys in files, its certificates signed at once.

use std::future::ready;
use std::path::Path;
use std::time::Duration;

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::{Certificate, DOCUMENT_SIGNING, sign_crl, sign_tbs};
use koshin_protocol::sign::{AwsLcKey, Signer};
use koshin_protocol::verify::default_verifier;

use super::files::{Fault, FileError, Passphrase, read, read_certificate, read_key};
use super::{Answer, Answering, Authority, Crl, Issuer, ToBeSigned, Unavailable};
use crate::config::Origin;

/// An issuer whose key is a file.
///
/// It signs on aws-lc-rs, five times faster than a deterministic signature of the pure-Rust library
/// would be made. Nothing here needs determinism: certificate and order are stored in one commit,
/// so that the same bytes are never signed twice.
#[derive(Debug)]
pub struct Embedded {
    authority: Authority,
    key: AwsLcKey,
    receipts: Receipts,
    root_crl: Vec<u8>,
}

/// Signs receipts.
#[derive(Debug)]
pub struct Receipts {
    key: AwsLcKey,
    chain: Vec<Certificate>,
}

impl Receipts {
    /// The receipt key.
    pub fn signer(&self) -> &dyn Signer {
        &self.key
    }

    /// Its certificate and those above it without the root: a receipt's `x5c`.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }
}

impl Embedded {
    /// Reads the authority that `init` made in `folder`, for the bank with `origin`. Every key must
    /// be its certificate's, and every certificate its issuer's.
    pub fn load(
        folder: &Path,
        passphrase: Option<&Passphrase>,
        origin: &Origin,
    ) -> Result<Self, FileError> {
        let file = |name: &str| folder.join(name);
        let mismatch = |name: &str, what| FileError::new(&file(name), Fault::Mismatch(what));
        let root = read_certificate(&file("root.pem"))?;
        let issuing = read_certificate(&file("issuing.pem"))?;
        let receipt = read_certificate(&file("receipt.pem"))?;
        let key = read_key(&file("issuing.key"), passphrase)?;
        let receipt_key = read_key(&file("receipt.key"), passphrase)?;
        let issued = |certificate: &Certificate, issuer| {
            certificate.verify_issued_by(issuer, default_verifier()).is_ok()
        };
        if !issued(&root, &root) {
            return Err(mismatch("root.pem", "not signed by itself"));
        }
        if !issued(&issuing, &root) {
            return Err(mismatch("issuing.pem", "not issued under root.pem"));
        }
        if !issued(&receipt, &issuing) || receipt.extended_key_usages() != Some(&[DOCUMENT_SIGNING])
        {
            return Err(mismatch(
                "receipt.pem",
                "not issued under issuing.pem for documentSigning alone",
            ));
        }
        if key.public_key() != issuing.key() {
            return Err(mismatch("issuing.key", "not the key of issuing.pem"));
        }
        if receipt_key.public_key() != receipt.key() {
            return Err(mismatch("receipt.key", "not the key of receipt.pem"));
        }
        let authority = Authority::new(issuing.clone(), vec![root], Algorithm::Es256, origin)
            .map_err(|_| {
                mismatch("issuing.pem", "not a P-256 CA certificate for certificates and CRLs")
            })?;
        let receipts = Receipts { key: receipt_key, chain: vec![receipt, issuing] };
        let root_crl = read(&file("root.crl"))?;
        Ok(Self { authority, key, receipts, root_crl })
    }

    /// The issuing CA's key.
    pub(super) fn signer(&self) -> &dyn Signer {
        &self.key
    }

    /// What signs receipts.
    pub fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// The root's CRL in DER, which says that the issuing CA is not revoked.
    pub fn root_crl(&self) -> &[u8] {
        &self.root_crl
    }

    /// What names the root's CRL in a URL (`crl/{issuer}`).
    pub fn root_id(&self) -> String {
        super::hex(self.authority.root().subject_key_id().unwrap_or_default())
    }

    fn sign(&self, request: &ToBeSigned) -> Answer {
        match sign_tbs(request.tbs(), &self.key) {
            Ok(certificate) if certificate.issuer() == self.authority.certificate().subject() => {
                Answer::Issued(Box::new(certificate))
            }
            Ok(_) => Answer::Refused { reason: "prepared for another issuer".to_owned() },
            Err(error) => {
                tracing::error!(%error, "the CA's key does not sign");
                Answer::Pending { retry_after: RETRY_AFTER }
            }
        }
    }
}

const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Issuer for Embedded {
    fn authority(&self) -> &Authority {
        &self.authority
    }

    fn signs_at_once(&self) -> bool {
        true
    }

    fn issue<'a>(&'a self, request: &'a ToBeSigned) -> Answering<'a, Answer> {
        Box::pin(ready(self.sign(request)))
    }

    fn sign_crl<'a>(&'a self, crl: &'a Crl) -> Answering<'a, Result<Vec<u8>, Unavailable>> {
        let signed = sign_crl(crl.tbs(), &self.key);
        Box::pin(ready(signed.map_err(|error| {
            tracing::error!(%error, "the CA's key does not sign");
            Unavailable { retry_after: RETRY_AFTER }
        })))
    }
}
