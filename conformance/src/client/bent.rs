//! The wrong clients' transport and clock: what they send besides, and what they do not see of answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method};
use koshin_client::Later;
use koshin_client::clock::{Clock, SystemClock};
use koshin_client::transport::{Https, Request, Response, Transport, TransportError};
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use serde_json::{Value, json};

use super::bent_store::Pending;
use super::fault::Fault;
use super::seen::Seen;

/// The transport of a client that may be wrong.
#[derive(Clone)]
pub(super) struct Bent {
    pub(super) inner: Https,
    pub(super) fault: Option<Fault>,
    /// What a session should say: certID and name.
    pub(super) own: Option<(String, String)>,
    pub(super) pending: Arc<Pending>,
}

impl fmt::Debug for Bent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bent").field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl Transport for Bent {
    fn send(&self, request: Request) -> Later<'_, Result<Response, TransportError>> {
        Box::pin(self.exchange(request))
    }
}

impl Bent {
    async fn exchange(&self, mut request: Request) -> Result<Response, TransportError> {
        let Some(fault) = self.fault else { return self.inner.send(request).await };
        let asked = Seen::new(
            request.method.clone(),
            request.url.to_string(),
            request.headers.clone(),
            hyper::body::Bytes::copy_from_slice(&request.body),
        );
        match fault {
            Fault::MediaType if asked.is_signed() => {
                request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            Fault::NoLanguage => {
                request.headers.remove(ACCEPT_LANGUAGE);
            }
            Fault::LongAnswers => request.limit = 8 << 20,
            Fault::NoLogoff if asked.is("logoff") => return Ok(made(204, &Value::Null)),
            Fault::NeverByKey if asked.jwk().is_some() => {
                return Ok(refusal("notFound", 404, "stop"));
            }
            _ => {}
        }
        let mut sent = self.inner.send(request.clone()).await;
        if sent.is_err() && fault == Fault::Blindly {
            sent = self.inner.send(request.clone()).await;
        }
        let mut answer = sent?;
        match fault {
            Fault::NonceTwice if asked.is_signed() => {
                self.inner.send(request).await.ok();
            }
            Fault::Redirects if (300..400).contains(&answer.status) => {
                if let Some(url) = text(&answer, &LOCATION).and_then(|url| Url::parse(url).ok()) {
                    return self.inner.send(Request { url, ..request }).await;
                }
            }
            Fault::LateKey if asked.is("newOrder") || asked.is("newEnrollment") => {
                self.pending.store();
            }
            Fault::ForeignUrls => {
                self.open(&answer, &["/newSession", "/newOrder", "/confirm"]).await;
            }
            Fault::PeoplesUrls => {
                self.open(&answer, &["/meta/website", "/meta/termsOfService"]).await;
            }
            _ => {}
        }
        self.headers(fault, &mut answer).await;
        self.body(fault, &asked, &mut answer)?;
        Ok(answer)
    }

    /// Opens what stands at these places of an answer, if it can.
    async fn open(&self, answer: &Response, pointers: &[&str]) {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        for pointer in pointers {
            let url = json.pointer(pointer).and_then(Value::as_str);
            if let Some(url) = url.and_then(|url| Url::parse(url).ok()) {
                let headers = HeaderMap::new();
                let request = Request {
                    method: Method::GET,
                    url,
                    headers,
                    body: Vec::new().into(),
                    limit: 65536,
                };
                self.inner.send(request).await.ok();
            }
        }
    }

    async fn headers(&self, fault: Fault, answer: &mut Response) {
        let wait = text(answer, &RETRY_AFTER).unwrap_or_default().to_owned();
        let is_date = !wait.is_empty() && !wait.bytes().all(|byte| byte.is_ascii_digit());
        match fault {
            Fault::NoWaiting => {
                answer.headers.remove(RETRY_AFTER);
            }
            Fault::NoDates if is_date => {
                answer.headers.remove(RETRY_AFTER);
            }
            Fault::OwnDates if is_date => {
                let until = koshin_client::retry::http_date(&wait);
                let seconds =
                    until.map_or(0, |until| until.seconds_since(SystemClock.now()).max(0));
                answer.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            Fault::LongWaits => {
                let seconds = wait.parse().unwrap_or(0).min(35);
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
            Fault::NoDate => {
                answer.headers.remove(DATE);
            }
            _ => {}
        }
    }

    fn body(
        &self,
        fault: Fault,
        asked: &Seen,
        answer: &mut Response,
    ) -> Result<(), TransportError> {
        let Ok(mut json) = serde_json::from_slice::<Value>(&answer.body) else {
            if fault == Fault::NoDocument && answer.status >= 500 {
                *answer = refusal("subjectDisabled", 403, "stop");
            }
            return Ok(());
        };
        let token = json["type"].as_str().and_then(|kind| kind.strip_prefix("urn:koshin:error:"));
        match (fault, token) {
            (Fault::BadNonceStops, Some("badNonce"))
            | (Fault::SessionEnded, Some("sessionEnded"))
            | (Fault::CancelsForEver, Some("orderCompleted" | "predecessorExpired")) => {
                *answer = refusal("subjectDisabled", 403, "stop");
                return Ok(());
            }
            (Fault::NoNewMembers, _)
                if answer.body.windows(12).any(|part| part == b"\"x-suite-new") =>
            {
                return Err(TransportError::CutShort("a member that nobody knows".to_owned()));
            }
            _ => {}
        }
        let is_order = json.get("kind").is_some();
        match fault {
            // Read and written anew it has each member once.
            Fault::DuplicateMembers | Fault::LongAnswers => {}
            Fault::MissingMembers
                if json.get("purpose").is_some() && json.get("expires").is_none() =>
            {
                json["expires"] = json!("2999-01-01T00:00:00Z");
            }
            Fault::AnyOrderKey if is_order => {
                let key = asked.ordered_key().or(asked.jwk());
                if let Some(key) = key {
                    json["key"] = json!(key);
                }
            }
            Fault::AnySession if json.get("purpose").is_some() => {
                if let Some((cert_id, name)) = &self.own {
                    json["certificate"]["certID"] = json!(cert_id);
                    json["subject"]["name"] = json!(name);
                }
            }
            Fault::AnyVersion if json.get("meta").is_some() => json["meta"]["version"] = json!("1"),
            Fault::AnyAlgorithm if json.get("meta").is_some() => {
                json["meta"]["algorithms"] = json!(["ES256", "RS256", "PS256"]);
            }
            Fault::NoOwnWindow if json.get("meta").is_some() => {
                json["meta"]["window"] = json!("P1D");
            }
            _ => return Ok(()),
        }
        answer.body = json.to_string().into_bytes();
        Ok(())
    }
}

fn text<'a>(answer: &'a Response, name: &http::HeaderName) -> Option<&'a str> {
    answer.headers.get(name)?.to_str().ok()
}

fn made(status: u16, body: &Value) -> Response {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Response { status, headers: HeaderMap::new(), body }
}

fn refusal(token: &str, status: u16, action: &str) -> Response {
    let made = super::forge::problem(token, status, action);
    Response { status, headers: made.headers, body: made.body }
}

/// The clock of a client that may be wrong.
#[derive(Debug)]
pub(super) struct BentClock(pub(super) Option<Fault>);

impl Clock for BentClock {
    fn now(&self) -> Time {
        SystemClock.now()
    }

    fn sleep(&self, duration: Duration) -> Later<'_, ()> {
        let shorter = match self.0 {
            Some(Fault::NoWaiting | Fault::NoDates | Fault::NoPauses | Fault::NeverEnds) => {
                Duration::from_millis(5)
            }
            Some(Fault::ShortWaits) if duration <= Duration::from_secs(1) => {
                Duration::from_millis(5)
            }
            _ => duration,
        };
        SystemClock.sleep(shorter)
    }
}
