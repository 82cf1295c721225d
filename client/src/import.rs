//! Taking in a key and certificate that were made elsewhere: PEM, DER, PKCS#8, PKCS#1, SEC1, and PKCS#12 of any age.
//!
//! PKCS#12 comes in three kinds that customers have: OpenSSL 3's (AES), what banks handed out for years (3DES, RC2), and
//! what Firefox and NSS's `pk12util` export, which is BER and not DER.

mod ber;
mod pkcs12;

use koshin_protocol::certificate::Certificate;
use koshin_protocol::sign::Signer;
use koshin_protocol::time::Time;
use secrecy::SecretString;

use crate::keystore::file::{Decrypt, decrypt};
use crate::keystore::{KeyError, PrivateKey};
use crate::pem::{self, PemError};

/// A chain longer than this is no chain of a bank.
const MAX_CHAIN: usize = 8;

/// A key with the certificate that belongs to it.
#[derive(Debug)]
pub struct Imported {
    /// The private key.
    pub key: PrivateKey,
    /// The certificate of this key, then its issuers as far as the files had them, without the root.
    pub chain: Vec<Certificate>,
}

/// Why files cannot be imported, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A PEM file that is damaged.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A private key that cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Neither PEM nor a certificate, a key or a PKCS#12 file.
    #[error("this is neither PEM nor a certificate, a PKCS#8 key or a PKCS#12 file: {0}")]
    Unknown(String),
    /// A certificate that cannot be read.
    #[error("this certificate cannot be read: {0}")]
    Certificate(String),
    /// The key is encrypted and no passphrase was given.
    #[error("the key is encrypted; give its passphrase")]
    PassphraseMissing,
    /// The passphrase does not open the file.
    #[error("the passphrase is wrong")]
    PassphraseWrong,
    /// The file's encryption is not supported.
    #[error(
        "the encryption of this file is not supported; write it anew with \
         `openssl pkcs12 -legacy -in FILE -nodes -out ALL.pem`, or \
         `openssl pkcs8 -topk8 -in KEY -out NEW-KEY` for a key alone, and import the result"
    )]
    EncryptionUnsupported,
    /// No private key in the files.
    #[error("there is no private key in these files")]
    NoKey,
    /// No certificate in the files.
    #[error("there is no certificate in these files")]
    NoCertificate,
    /// The key and the certificate are of different pairs.
    #[error("the private key does not belong to the certificate of {subject}")]
    KeyMismatch {
        /// Whose certificate it is.
        subject: String,
    },
    /// The certificate has expired.
    #[error("the certificate of {subject} expired at {not_after}; an expired one needs a reissue")]
    Expired {
        /// Whose certificate it is.
        subject: String,
        /// Its last second.
        not_after: Time,
    },
}

/// Reads a key and its certificate from the contents of one or more files: PEM with any number of sections, DER, or PKCS#12.
///
/// Of several pairs the one that is valid longest is taken. `now` is the time to judge expiry by; a certificate that is not
/// valid yet is let through, since the clock may be wrong.
pub fn read(
    files: &[&[u8]],
    passphrase: Option<&SecretString>,
    now: Time,
) -> Result<Imported, ImportError> {
    let mut found = Found::default();
    for file in files {
        found.add(file, passphrase)?;
    }
    found.pair(now)
}

/// What files hold, before it is known what belongs together.
#[derive(Default)]
struct Found {
    keys: Vec<PrivateKey>,
    certificates: Vec<Certificate>,
}

impl Found {
    fn add(&mut self, file: &[u8], passphrase: Option<&SecretString>) -> Result<(), ImportError> {
        if file.windows(11).any(|window| window == b"-----BEGIN ") {
            for section in pem::sections(file)? {
                self.add_section(&section, passphrase)?;
            }
            return Ok(());
        }
        if let Ok(certificate) = Certificate::from_der(file) {
            self.certificates.push(certificate);
        } else if let Ok(key) = PrivateKey::from_pkcs8_der(file) {
            self.keys.push(key);
        } else {
            let passphrase = passphrase.ok_or(ImportError::PassphraseMissing);
            let contents = pkcs12::read(file, passphrase?)?;
            for der in contents.keys {
                self.keys.push(PrivateKey::from_pkcs8_der(&der)?);
            }
            for der in contents.certificates {
                self.certificates.push(certificate(&der)?);
            }
        }
        Ok(())
    }

    fn add_section(
        &mut self,
        section: &pem::Section,
        passphrase: Option<&SecretString>,
    ) -> Result<(), ImportError> {
        let der = &section.der;
        match section.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                self.certificates.push(certificate(der)?);
            }
            "PRIVATE KEY" => self.keys.push(PrivateKey::from_pkcs8_der(der)?),
            "RSA PRIVATE KEY" => self.keys.push(PrivateKey::from_pkcs1_der(der)?),
            "EC PRIVATE KEY" => self.keys.push(PrivateKey::from_sec1_der(der)?),
            "ENCRYPTED PRIVATE KEY" => {
                let passphrase = passphrase.ok_or(ImportError::PassphraseMissing)?;
                let plain = decrypt(der, passphrase).map_err(|error| match error {
                    Decrypt::Unsupported => ImportError::EncryptionUnsupported,
                    Decrypt::Wrong => ImportError::PassphraseWrong,
                })?;
                self.keys.push(PrivateKey::from_pkcs8_der(&plain)?);
            }
            // Parameters, requests and public keys stand in such files too and say nothing that is needed.
            _ => {}
        }
        Ok(())
    }

    fn pair(mut self, now: Time) -> Result<Imported, ImportError> {
        if self.keys.is_empty() {
            return Err(ImportError::NoKey);
        }
        let Some(first) = self.certificates.first() else {
            return Err(ImportError::NoCertificate);
        };
        let subject = first.subject().to_string();
        let pairs = self.certificates.iter().enumerate().filter_map(|(place, certificate)| {
            let key = self.keys.iter().position(|key| key.public_key() == certificate.key())?;
            Some((certificate.not_after(), place, key))
        });
        let Some((not_after, place, key)) = pairs.max() else {
            return Err(ImportError::KeyMismatch { subject });
        };
        let chain = self.chain(place);
        if now > not_after {
            let subject = chain[0].subject().to_string();
            return Err(ImportError::Expired { subject, not_after });
        }
        Ok(Imported { key: self.keys.swap_remove(key), chain })
    }

    /// The certificate at a place and its issuers, each found by name and proven by signature.
    fn chain(&self, place: usize) -> Vec<Certificate> {
        let verifier = koshin_protocol::verify::default_verifier();
        let mut chain = vec![self.certificates[place].clone()];
        while let Some(last) = chain.last()
            && chain.len() < MAX_CHAIN
        {
            let issuer = self.certificates.iter().find(|candidate| {
                !chain.contains(candidate)
                    && candidate.subject() != candidate.issuer()
                    && last.verify_issued_by(candidate, verifier).is_ok()
            });
            match issuer {
                Some(issuer) => chain.push(issuer.clone()),
                None => break,
            }
        }
        chain
    }
}

fn certificate(der: &[u8]) -> Result<Certificate, ImportError> {
    Certificate::from_der(der).map_err(|error| ImportError::Certificate(error.to_string()))
}
