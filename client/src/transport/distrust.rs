//! Why whoever answers is not taken for the bank, read from what TLS says.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// Why whoever answers is not taken for the bank. The same again does not help: see [`Distrust::remedy`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// No root that is trusted for TLS leads to its certificate.
    #[error("its TLS certificate comes from nobody who is trusted here")]
    Issuer,
    /// It has a certificate for another host.
    #[error("its TLS certificate is for another host")]
    Name,
    /// Its certificate has expired, by this machine's clock.
    #[error("its TLS certificate has expired")]
    Expired,
    /// Its certificate is not valid yet, by this machine's clock.
    #[error("its TLS certificate is not valid yet")]
    NotYetValid,
    /// None of the pinned keys is in its chain.
    #[error("its TLS certificates have none of the pinned keys")]
    Pin,
    /// It has a certificate that proves nothing, or none.
    #[error("its TLS certificate proves nothing: {0}")]
    Certificate(String),
}

impl Distrust {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Issuer => {
                "if the bank has roots of its own for TLS, get their file from the bank and give it with --tls-trust \
                 (`tls-trust` in identity.toml); a proxy that reads along looks the same"
            }
            Self::Name => "check the address of the bank's directory",
            Self::Expired => "check this machine's clock; if it is right, tell the bank",
            Self::NotYetValid => "set this machine's clock right",
            Self::Pin => "ask the bank for its present pins (`tls-pins` in identity.toml)",
            Self::Certificate(_) => "tell the bank",
        }
    }

    /// Why TLS ended, if it was for want of trust. An [`io::Error`] does not name what it wraps as its source, so that one
    /// is opened.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<rustls::Error>() {
                return Self::of_tls(error);
            }
            next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        None
    }

    fn of_tls(error: &rustls::Error) -> Option<Self> {
        let certificate = match error {
            rustls::Error::InvalidCertificate(certificate) => certificate,
            rustls::Error::NoCertificatesPresented => {
                return Some(Self::Certificate(error.to_string()));
            }
            // Not a matter of trust: the connection, or versions and ciphers.
            _ => return None,
        };
        Some(match certificate {
            // Somebody of the same name as one who is trusted, as a bank's roots before and after a change.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Issuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::Name
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::ApplicationVerificationFailure => Self::Pin,
            other => Self::Certificate(other.to_string()),
        })
    }
}
