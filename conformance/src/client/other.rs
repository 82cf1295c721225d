//! Somebody else with the same certificate: another machine, a person beside an agent. It talks to the bank behind the
//! client's back.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use http::header::DATE;
use http::{HeaderValue, Request as HttpRequest};
use hyper::body::Bytes;
use koshin_client::consent::{AskEnrollment, AskKey, AskPin, Choice, Consent, Unattended};
use koshin_client::files::Real;
use koshin_client::identity::{Identity, Settings};
use koshin_client::keystore::FileStore;
use koshin_client::transport::{Request, Response, Transport, TransportError};
use koshin_client::{Client, Error, Later, Outcome as Came, Renewal, import};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::notice::Notice;
use koshin_protocol::pin::Pin;
use koshin_protocol::session::{NewSession, Purpose};
use koshin_protocol::url::Url;
use koshin_server::http::Service;

use super::bank::PlayedBank;
use super::customer::{Customer, PIN};
use super::stage::Stage;
use crate::case::{Outcome, Stop};

/// Somebody else's client.
pub(crate) struct Other {
    client: Client,
    pin: Option<Pin>,
}

impl Stage {
    /// Somebody else with the customer's certificate, who lets a certificate be installed or not.
    pub(crate) async fn somebody_else(&self, name: &str, installs: bool) -> Outcome<Other> {
        self.client_of(name, &self.customer, installs).await
    }

    /// Somebody else with a certificate of this customer.
    pub(crate) async fn client_of(
        &self,
        name: &str,
        customer: &Customer,
        installs: bool,
    ) -> Outcome<Other> {
        let folder = self.beside(name);
        let settings = Settings {
            name: name.to_owned(),
            directory: Url::parse(&self.directory).map_err(Stop::blocked)?,
            key_store: "file".to_owned(),
            trust: self.bank.roots(),
            tls_trust: None,
            tls_pins: Vec::new(),
        };
        let keys = Arc::new(FileStore::plain());
        let identity =
            Identity::create(Arc::new(Real), keys, &folder, settings).map_err(Stop::blocked)?;
        let now = self.bank.now();
        let files = [customer.pem.as_bytes()];
        let imported = import::read(&files, None, now).map_err(Stop::blocked)?;
        identity.import(imported, now).map_err(Stop::blocked)?;
        let pin = customer.has_pin.then(|| Pin::new(PIN.to_owned()));
        let person = Person { installs, unattended: Unattended::new(pin.clone()) };
        let client = Client::builder(identity)
            .consent(person)
            .transport(Direct(Arc::clone(&self.bank)))
            .build()
            .await
            .map_err(Stop::blocked)?;
        Ok(Other { client, pin })
    }

    /// Somebody else begins a renewal and leaves it open.
    pub(crate) async fn begun_elsewhere(&self) -> Outcome {
        let other = self.somebody_else("other", false).await?;
        match other.client.renew(Renewal::default()).await {
            Err(Error::Declined(_)) => Ok(()),
            other => Err(Stop::blocked(format_args!("somebody else's order: {other:?}"))),
        }
    }

    /// Somebody else renews, whole.
    pub(crate) async fn renewed_elsewhere(&self) -> Outcome<Other> {
        let other = self.somebody_else("other", true).await?;
        match other.client.renew(Renewal::default()).await {
            Ok(Came::Renewed(_)) => Ok(other),
            other => Err(Stop::blocked(format_args!("somebody else's renewal: {other:?}"))),
        }
    }
}

impl Other {
    /// Logs on.
    pub(crate) async fn logs_on(&self) -> Outcome {
        self.client.log_on().await.map(drop).map_err(Stop::blocked)
    }

    /// Rolls back the order of that key with the pair that it has.
    pub(crate) async fn rolls_back(&self, key: Thumbprint) -> Outcome {
        let pair = self.client.identity().current().map_err(Stop::blocked)?;
        let pair = pair.ok_or_else(|| Stop::blocked("no pair"))?;
        let environment =
            koshin_client::environment::detect("koshin-conformance", env!("CARGO_PKG_VERSION"));
        let request = NewSession {
            pin: self.pin.clone(),
            environment: environment.map_err(Stop::blocked)?,
            purpose: Purpose::Recovery,
        };
        let session = self.client.bank().log_on(&pair, &request).await.map_err(Stop::blocked)?;
        session.roll_back(key).await.map(drop).map_err(Stop::blocked)
    }
}

#[derive(Debug)]
struct Person {
    installs: bool,
    unattended: Unattended,
}

impl Consent for Person {
    fn pin<'a>(&'a self, ask: &'a AskPin) -> Later<'a, Option<Pin>> {
        self.unattended.pin(ask)
    }

    fn notice<'a>(&'a self, notice: &'a Notice) -> Later<'a, Choice> {
        self.unattended.notice(notice)
    }

    fn make_key<'a>(&'a self, ask: &'a AskKey) -> Later<'a, bool> {
        self.unattended.make_key(ask)
    }

    fn install<'a>(&'a self, _: &'a Certificate) -> Later<'a, bool> {
        Box::pin(async { self.installs })
    }

    fn enroll<'a>(&'a self, ask: &'a AskEnrollment) -> Later<'a, bool> {
        self.unattended.enroll(ask)
    }
}

/// Asks the bank without a network.
struct Direct(Arc<PlayedBank>);

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Direct")
    }
}

impl Transport for Direct {
    fn send(&self, request: Request) -> Later<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            let failed = |error: &dyn fmt::Display| TransportError::CutShort(error.to_string());
            let mut asked = HttpRequest::new(Bytes::from_owner(request.body));
            let uri = request.url.as_str().parse::<http::Uri>();
            let uri = uri.map_err(|error| failed(&error))?;
            *asked.uri_mut() = uri.path().parse().map_err(|error| failed(&error))?;
            *asked.method_mut() = request.method;
            *asked.headers_mut() = request.headers;
            let peer = (Ipv4Addr::LOCALHOST, 1).into();
            let (parts, body) = self.0.bank().call(asked, peer).await.into_parts();
            let mut headers = parts.headers;
            let now = std::time::UNIX_EPOCH
                + std::time::Duration::from_secs(
                    u64::try_from(self.0.now().unix()).unwrap_or_default(),
                );
            let date = HeaderValue::from_str(&httpdate::fmt_http_date(now));
            headers.insert(DATE, date.map_err(|error| failed(&error))?);
            Ok(Response { status: parts.status.as_u16(), headers, body: body.to_vec() })
        })
    }
}
