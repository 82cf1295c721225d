//! HTTPS by reqwest and rustls, with one provider of cryptography: aws-lc-rs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use koshin_protocol::base64url;
use koshin_protocol::certificate::Certificate;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};

use super::{Distrust, Request, Response, Transport, TransportError};
use crate::Later;

const CONNECT: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_mins(1);

/// Port 0 stands for that of the URL.
const LOCALHOST: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
];

/// HTTPS with trust of its own; a proxy is taken from the environment (`HTTPS_PROXY`, `NO_PROXY`).
#[derive(Clone, Debug)]
pub struct Https {
    client: reqwest::Client,
}

/// SHA-256 of a public key (SPKI) that the bank's TLS chain must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// Why there can be no connection of this kind.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// A pin is not 32 bytes in base64url.
    #[error("`{0}` is no pin: SHA-256 of a public key in base64url")]
    Pin(String),
    /// The roots cannot be used, or the system has none.
    #[error("the roots for TLS cannot be used: {0}")]
    Roots(String),
    /// The HTTP client could not be set up, as with a proxy of an odd form.
    #[error("HTTP cannot be set up: {0}")]
    Client(String),
}

impl std::str::FromStr for Pin {
    type Err = HttpsError;

    fn from_str(text: &str) -> Result<Self, HttpsError> {
        let bytes = base64url::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| HttpsError::Pin(text.to_owned()))
    }
}

impl Https {
    /// Trusts `roots` for TLS, or the platform's roots if there are none. If there are `pins`, the bank's chain must also
    /// have a certificate with one of these keys.
    pub fn new(roots: &[Certificate], pins: Vec<Pin>) -> Result<Self, HttpsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = verifier(&provider, roots)?;
        let verifier: Arc<dyn ServerCertVerifier> =
            if pins.is_empty() { verifier } else { Arc::new(Pinned { verifier, pins }) };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| HttpsError::Client(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // Always this machine (RFC 6761, 6.3): there is nothing to look up.
            .resolve_to_addrs("localhost", &LOCALHOST)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .build()
            .map_err(|error| HttpsError::Client(chain(&error)))?;
        Ok(Self { client })
    }

    async fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        let Request { method, url, headers, body, limit } = request;
        let mut sending = self.client.request(method, url.as_str()).headers(headers);
        if !body.is_empty() {
            sending = sending.body(Bytes::from_owner(body));
        }
        let mut answer = sending.send().await.map_err(|error| without_answer(&error))?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let announced =
            headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > limit) {
            return Err(TransportError::TooLong { limit });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| cut_short(&error))? {
            if body.len() + chunk.len() > limit {
                return Err(TransportError::TooLong { limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body })
    }
}

impl Transport for Https {
    fn send(&self, request: Request) -> Later<'_, Result<Response, TransportError>> {
        Box::pin(self.exchange(request))
    }
}

fn verifier(
    provider: &Arc<CryptoProvider>,
    roots: &[Certificate],
) -> Result<Arc<dyn ServerCertVerifier>, HttpsError> {
    let failed = |error: &dyn std::error::Error| HttpsError::Roots(error.to_string());
    if roots.is_empty() {
        let platform = rustls_platform_verifier::Verifier::new(Arc::clone(provider));
        return Ok(Arc::new(platform.map_err(|error| failed(&error))?));
    }
    let mut store = RootCertStore::empty();
    for root in roots {
        let der = CertificateDer::from(root.der().to_vec());
        store.add(der).map_err(|error| failed(&error))?;
    }
    let builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
    Ok(builder.build().map_err(|error| failed(&error))?)
}

/// A verifier that, once the chain is good, also wants one of the pinned keys in it.
#[derive(Debug)]
struct Pinned {
    verifier: Arc<dyn ServerCertVerifier>,
    pins: Vec<Pin>,
}

impl Pinned {
    fn has_pinned_key(&self, certificate: &CertificateDer<'_>) -> bool {
        Certificate::from_der(certificate).is_ok_and(|certificate| {
            let digest: [u8; 32] = Sha256::digest(certificate.key().to_spki_der()).into();
            self.pins.contains(&Pin(digest))
        })
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        let mut chain = std::iter::once(end_entity).chain(intermediates);
        if chain.any(|certificate| self.has_pinned_key(certificate)) {
            Ok(verified)
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn without_answer(error: &reqwest::Error) -> TransportError {
    match Distrust::of(error) {
        Some(distrust) => distrust.into(),
        None if error.is_connect() => TransportError::NotConnected(chain(error)),
        None => cut_short(error),
    }
}

fn cut_short(error: &reqwest::Error) -> TransportError {
    if error.is_timeout() {
        TransportError::Timeout
    } else {
        TransportError::CutShort(chain(error))
    }
}

/// What an error says, with its causes; reqwest's own text leaves them out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_32_bytes_in_base64url() {
        let text = base64url::encode(&[7; 32]);
        assert_eq!(text.parse::<Pin>().expect("a pin"), Pin([7; 32]));
        for other in [base64url::encode(&[7; 31]), text + "=", String::new()] {
            assert!(matches!(other.parse::<Pin>(), Err(HttpsError::Pin(_))), "{other}");
        }
    }
}
