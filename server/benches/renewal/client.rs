//! A client: one connection that is kept, and what is sent over it.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{Method, Request as HttpRequest, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use koshin_protocol::environment::Environment;
use koshin_protocol::jws::{By, Nonce, Request};
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Confirm, NewOrder, Order, Status};
use koshin_protocol::session::{NewSession, Purpose};
use koshin_protocol::sign::Signer;
use koshin_protocol::unverified_csr::UnverifiedCsr;
use koshin_protocol::url::Url;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Done;
use crate::process::Bank;
use crate::subjects::Subject;

/// How to reach a bank.
#[derive(Clone)]
pub(crate) struct Address {
    tls: TlsConnector,
    directory: Url,
}

impl Address {
    pub(crate) fn of(bank: &Bank) -> Done<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(bank.root())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), directory: bank.directory.clone() })
    }

    /// The URL of a resource that has no id.
    fn url(&self, name: &str) -> Done<Url> {
        let base = self.directory.as_str().strip_suffix("directory").ok_or("a directory")?;
        Ok(Url::parse(&format!("{base}{name}"))?)
    }

    /// A connection over TLS.
    pub(crate) async fn connect(&self) -> Done<TlsStream<TcpStream>> {
        let stream =
            TcpStream::connect(self.directory.authority().replace("localhost", "127.0.0.1"));
        let stream = stream.await?;
        stream.set_nodelay(true)?;
        Ok(self.tls.connect(ServerName::try_from("localhost")?, stream).await?)
    }

    /// The path of a resource that has no id.
    pub(crate) fn path(&self, name: &str) -> Done<String> {
        Ok(self.url(name)?.path().to_owned())
    }

    /// What `Host` says.
    pub(crate) fn host(&self) -> &str {
        self.directory.authority()
    }
}

/// Bytes of bodies that went over the line for one renewal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) requests: [usize; 3],
    pub(crate) answers: [usize; 3],
}

/// A logon, to be continued.
pub(crate) struct LoggedOn {
    session: Url,
}

/// A client with its connection and the nonce of the last answer.
pub(crate) struct Client {
    address: Address,
    sender: SendRequest<Full<Bytes>>,
    nonce: Nonce,
    /// Sizes of the last request and its answer.
    last: (usize, usize),
}

struct Answer {
    status: StatusCode,
    location: Option<Url>,
    body: Bytes,
}

impl Client {
    /// Connects, and fetches a first nonce.
    pub(crate) async fn connect(address: &Address) -> Done<Self> {
        let stream = TokioIo::new(address.connect().await?);
        let (mut sender, connection) = handshake(stream).await?;
        drop(tokio::spawn(connection));
        let request = HttpRequest::builder()
            .method(Method::HEAD)
            .uri(address.path("new-nonce")?)
            .header(HOST, address.host())
            .body(Full::default())?;
        let response = sender.send_request(request).await?;
        let nonce = response.headers().get("replay-nonce").ok_or("no nonce")?.to_str()?.parse()?;
        Ok(Self { address: address.clone(), sender, nonce, last: (0, 0) })
    }

    /// Logon, order, confirmation.
    pub(crate) async fn renew(&mut self, subject: &Subject) -> Done<Traffic> {
        let mut traffic = Traffic::default();
        let logged_on = self.log_on(subject).await?;
        (traffic.requests[0], traffic.answers[0]) = self.last;
        let order = self.order(subject, &logged_on).await?;
        (traffic.requests[1], traffic.answers[1]) = self.last;
        self.confirm(subject, &order).await?;
        (traffic.requests[2], traffic.answers[2]) = self.last;
        Ok(traffic)
    }

    pub(crate) async fn log_on(&mut self, subject: &Subject) -> Done<LoggedOn> {
        let payload = NewSession {
            pin: None,
            environment: Environment {
                os: "Windows".parse()?,
                os_version: "10.0.22631".parse()?,
                software: "koshin".parse()?,
                software_version: "0.1.0".parse()?,
            },
            purpose: Purpose::Renewal,
        };
        let by = By::Certificate(subject.der.clone().into());
        let url = self.address.url("new-session")?;
        let answer = self.send(Operation::NewSession, &url, &by, &payload, &subject.key).await?;
        answer.expect(StatusCode::CREATED)?;
        Ok(LoggedOn { session: answer.location.ok_or("no Location")? })
    }

    pub(crate) async fn order(&mut self, subject: &Subject, logged_on: &LoggedOn) -> Done<Order> {
        let payload = NewOrder {
            replaces: subject.cert_id.clone(),
            key_store: "file".parse()?,
            csr: UnverifiedCsr::new(subject.csr.clone()),
        };
        let by = By::Session(logged_on.session.clone());
        let url = self.address.url("new-order")?;
        let answer = self.send(Operation::NewOrder, &url, &by, &payload, &subject.key).await?;
        answer.expect(StatusCode::CREATED)?;
        Ok(serde_json::from_slice(&answer.body)?)
    }

    async fn confirm(&mut self, subject: &Subject, order: &Order) -> Done {
        let Status::Valid { issued, .. } = &order.status else {
            return Err(format!("the order is {}", order.status.name()).into());
        };
        let by = By::Certificate(issued.chain.first().into());
        let (operation, payload) = (Operation::Confirm, Confirm::default());
        let answer = self.send(operation, &issued.confirm, &by, &payload, &subject.new_key).await?;
        answer.expect(StatusCode::OK)?;
        let order: Order = serde_json::from_slice(&answer.body)?;
        match order.status {
            Status::Completed { .. } => Ok(()),
            other => Err(format!("the order is {}", other.name()).into()),
        }
    }

    async fn send(
        &mut self,
        operation: Operation,
        url: &Url,
        by: &By,
        payload: &impl Serialize,
        signer: &dyn Signer,
    ) -> Done<Answer> {
        let payload = serde_json::to_vec(payload)?;
        let request = Request { operation, url, nonce: &self.nonce, by, payload: &payload };
        let body = request.sign(signer)?;
        let sent = body.len();
        let request = HttpRequest::builder()
            .method(Method::POST)
            .uri(url.path())
            .header(HOST, self.address.host())
            .header(CONTENT_TYPE, "application/jose+json")
            .body(Full::from(body))?;
        let response = self.sender.send_request(request).await?;
        let headers = response.headers();
        self.nonce = headers.get("replay-nonce").ok_or("no nonce")?.to_str()?.parse()?;
        let location =
            headers.get(LOCATION).map(|value| -> Done<Url> { Ok(Url::parse(value.to_str()?)?) });
        let (status, location) = (response.status(), location.transpose()?);
        let body = response.into_body().collect().await?.to_bytes();
        self.last = (sent, body.len());
        Ok(Answer { status, location, body })
    }
}

impl Answer {
    fn expect(&self, status: StatusCode) -> Done {
        if self.status == status {
            return Ok(());
        }
        Err(format!("{} {}", self.status, String::from_utf8_lossy(&self.body)).into())
    }
}
