//! A customer's connection over TLS: requests go out signed, and what does not come back was cut off by a kill.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{Method, Request as HttpRequest};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use koshin_protocol::jws::{By, Nonce, Request};
use koshin_protocol::operation::Operation;
use koshin_protocol::sign::AwsLcKey;
use koshin_server::route::Route;
use koshin_server::urls::Urls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::bank::{Bank, Process};

/// The bank was killed: whether the request was carried out nobody knows.
#[derive(Debug)]
pub struct Killed;

/// How to reach one process.
#[derive(Clone)]
pub struct Address {
    tls: TlsConnector,
    authority: String,
    pub urls: Urls,
    killed: Arc<AtomicBool>,
}

impl Address {
    pub fn of(bank: &Bank, process: &Process) -> Self {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_file(bank.root()).expect("a root");
        roots.add(root).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            tls: TlsConnector::from(Arc::new(config)),
            authority: process.origin().authority().to_owned(),
            urls: Urls::new(process.origin()),
            killed: process.killed(),
        }
    }

    /// What went wrong is the kill's doing, or the bank's fault.
    fn killed<E: std::fmt::Debug>(&self, error: E) -> Killed {
        assert!(self.killed.load(Ordering::SeqCst), "nobody killed the bank: {error:?}");
        Killed
    }
}

/// One connection.
pub struct Line {
    pub address: Address,
    sender: SendRequest<Full<Bytes>>,
    nonce: Nonce,
}

/// What the bank answered.
#[derive(Debug)]
pub struct Answer {
    #[allow(dead_code, reason = "it is for those who read a failure")]
    status: u16,
    location: Option<String>,
    pub body: Value,
}

impl Answer {
    /// The problem's token; `ok` if there is none.
    pub fn token(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or("ok");
        kind.trim_start_matches("urn:koshin:error:")
    }

    /// The last part of `Location`.
    pub fn id(&self) -> String {
        last(self.location.as_deref().unwrap_or_else(|| panic!("no Location: {self:?}")))
    }
}

/// The id at the end of a URL.
pub fn last(url: &str) -> String {
    url.rsplit('/').next().expect("a URL").to_owned()
}

impl Line {
    pub async fn connect(address: Address) -> Result<Self, Killed> {
        let port = address.authority.replace("localhost", "127.0.0.1");
        let stream = TcpStream::connect(port).await.map_err(|error| address.killed(error))?;
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = address.tls.connect(name, stream).await;
        let stream = TokioIo::new(stream.map_err(|error| address.killed(error))?);
        let (sender, connection) =
            handshake(stream).await.map_err(|error| address.killed(error))?;
        tokio::spawn(async move {
            // Its requests fail in the same way.
            drop(connection.await);
        });
        let nonce = "AAAAAAAAAAAAAAAAAAAAAA".parse().expect("a nonce");
        let mut line = Self { address, sender, nonce };
        let path = line.address.urls.of(&Route::NewNonce).path().to_owned();
        line.exchange(Method::HEAD, &path, Vec::new()).await?;
        Ok(line)
    }

    /// A signed request; a payload of `null` is empty.
    pub async fn post(
        &mut self,
        operation: Operation,
        route: &Route,
        by: &By,
        payload: &Value,
        key: &AwsLcKey,
    ) -> Result<Answer, Killed> {
        let url = self.address.urls.of(route);
        let payload = match payload {
            Value::Null => Vec::new(),
            payload => serde_json::to_vec(payload).expect("JSON"),
        };
        let request = Request { operation, url: &url, nonce: &self.nonce, by, payload: &payload };
        let body = request.sign(key).expect("signed");
        self.exchange(Method::POST, url.path(), body).await
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Answer, Killed> {
        let request = HttpRequest::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.address.authority)
            .header(CONTENT_TYPE, "application/jose+json")
            .body(Full::from(body))
            .expect("a request");
        let response = self.sender.send_request(request).await;
        let response = response.map_err(|error| self.address.killed(error))?;
        let headers = response.headers();
        let text =
            |name: &str| headers.get(name).map(|value| value.to_str().expect("ASCII").to_owned());
        let nonce = text("replay-nonce").expect("a nonce").parse().expect("a nonce");
        let (status, location) = (response.status().as_u16(), text(LOCATION.as_str()));
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| self.address.killed(error))?.to_bytes();
        self.nonce = nonce;
        let body = match body.len() {
            0 => Value::Null,
            _ => serde_json::from_slice(&body).expect("JSON"),
        };
        assert!(status < 500, "{status} {body}");
        Ok(Answer { status, location, body })
    }
}
