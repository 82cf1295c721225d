//! The bank as one case sees it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use http::header::{DATE, HOST, RETRY_AFTER};
use http::{HeaderMap, Method, Request};
use hyper::body::Bytes;
use koshin_protocol::directory::{Directory, Full, Profile};
use koshin_protocol::operation::Operation;
use koshin_protocol::pin::PinRule;
use koshin_protocol::problem::Token;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use serde_json::Value;

use super::Shared;
use super::answer::Answer;
use super::draft::{By, Draft};
use crate::adapter::AdapterError;
use crate::case::{About, Need, Outcome, Prepares as _, Stop};
use crate::control;
use crate::exchange::{Exchange, Log, Message};
use crate::http::{HttpError, Response};

/// How often a request is sent with another nonce.
const NONCES: usize = 4;

/// Nonces are used within this time (SPEC.md NON-08).
const NONCE_KEPT: Duration = Duration::from_secs(50);

/// Longest wait for a bank that asks for patience, in seconds.
const LONGEST_WAIT: u64 = 15;

/// The bank as one case sees it. Clones are the same view.
#[derive(Clone)]
pub struct Bank {
    pub(crate) target: Shared,
    pub(crate) slug: Arc<str>,
    needs: Arc<[Need]>,
    log: Log,
    random: Arc<Mutex<u64>>,
    /// Nonces of earlier answers to this case, with when they came: no other case uses them.
    nonces: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Bank {
    pub(crate) fn new(target: Shared, about: &About, log: Log) -> Self {
        let seeded =
            digest::digest(&digest::SHA256, format!("{} {}", target.seed, about.slug).as_bytes());
        let first = seeded.as_ref().first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets));
        Self {
            target,
            slug: about.slug.as_str().into(),
            needs: about.needs.as_slice().into(),
            log,
            random: Arc::new(Mutex::new(first)),
            nonces: Arc::default(),
        }
    }

    /// Skips the case where the bank does not have what it needs. The runner's cases begin with it.
    pub(crate) async fn has_needs(&self) -> Outcome {
        for need in &*self.needs {
            let directory = match need {
                Need::Control | Need::Alone | Need::Ca | Need::Time | Need::Long => continue,
                Need::Full | Need::Pin | Need::Rollback | Need::Crl => self.directory().await?,
            };
            let is_full = matches!(directory.profile, Profile::Full(_));
            let (there, what) = match need {
                Need::Full => (is_full, "this bank is of profile core"),
                Need::Pin => (
                    is_full && directory.pin_rule().is_some_and(PinRule::required),
                    "this bank asks for no PIN",
                ),
                Need::Rollback => {
                    (directory.meta.rollback_within.is_some(), "this bank has no rollback")
                }
                Need::Crl => (!directory.crl().is_empty(), "this bank publishes no CRL"),
                Need::Control | Need::Alone | Need::Ca | Need::Time | Need::Long => continue,
            };
            if !there {
                return Err(Stop::Skipped(what.to_owned()));
            }
        }
        Ok(())
    }

    /// A number below `bound`: the same seed and slug give the same ones.
    pub fn choose(&self, bound: usize) -> usize {
        let mut state = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        // SplitMix64
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from((z ^ (z >> 31)) % bound).unwrap_or_default()
    }

    /// The bank's clock.
    pub fn now(&self) -> Time {
        self.target.now()
    }

    /// Waits until the bank's clock shows this time or later.
    pub async fn wait_until(&self, time: Time) {
        while self.now() < time {
            let left = time.seconds_since(self.now()).clamp(1, 3600);
            let left = u64::try_from(left).unwrap_or(1) * 1000 - 900;
            tokio::time::sleep(Duration::from_millis(left)).await;
        }
    }

    /// The bank's directory, asked for once in a run.
    pub async fn directory(&self) -> Outcome<Arc<Directory>> {
        let asked = self.target.directory.get_or_init(|| async {
            let answer = self.get(&self.target.directory_url).await?;
            Ok(Arc::new(answer.object(200)?))
        });
        asked.await.clone().prepares("the directory")
    }

    /// What a bank of profile `full` has beyond `core`.
    pub async fn full(&self) -> Outcome<Full> {
        match &self.directory().await?.profile {
            Profile::Full(full) => Ok((**full).clone()),
            Profile::Core { .. } => Err(Stop::Skipped("this bank is of profile core".to_owned())),
        }
    }

    /// `GET`, without a signature.
    pub async fn get(&self, url: &Url) -> Outcome<Answer> {
        self.ask(Method::GET, url, HeaderMap::new()).await
    }

    /// Any method, without a signature or a body.
    pub async fn ask(&self, method: Method, url: &Url, headers: HeaderMap) -> Outcome<Answer> {
        self.send(method, url.path(), self.with_host(headers), Vec::new()).await
    }

    pub(crate) fn with_host(&self, mut headers: HeaderMap) -> HeaderMap {
        if !headers.contains_key(HOST)
            && let Ok(host) = self.target.directory_url.authority().parse()
        {
            headers.insert(HOST, host);
        }
        headers
    }

    /// A right request of this operation, to be signed when it is sent.
    pub fn draft(&self, operation: Operation, url: &Url, by: &By, payload: &Value) -> Draft {
        Draft::new(operation, url, by, payload)
    }

    /// Signs and sends a right request; a payload of `null` is empty.
    pub async fn post(
        &self,
        operation: Operation,
        url: &Url,
        by: &By,
        payload: Value,
    ) -> Outcome<Answer> {
        self.deliver(self.draft(operation, url, by, &payload)).await
    }

    /// Signs and sends a draft. One that takes a fresh nonce is sent again where the bank refuses that nonce, and each is sent
    /// again where the bank asks for patience.
    pub async fn deliver(&self, draft: Draft) -> Outcome<Answer> {
        let mut nonce = if draft.fresh { Some(self.nonce().await?) } else { None };
        let mut left = NONCES;
        loop {
            let body = draft.sealed(nonce.as_deref());
            let method = draft.method.clone();
            let answer = self.send(method, &draft.path, draft.headers.clone(), body).await?;
            let token = answer.token();
            let again = draft.fresh && left > 0;
            left = left.saturating_sub(1);
            if again && token == Some(Token::BadNonce) {
                nonce = Some(self.nonce_of(&answer)?);
            } else if again
                && matches!(token, Some(Token::RateLimited | Token::Unavailable))
                && let Some(wait) = patience(&answer)
            {
                tokio::time::sleep(Duration::from_secs(wait)).await;
                nonce = Some(self.nonce().await?);
            } else {
                return Ok(answer);
            }
        }
    }

    /// A nonce that was not used yet.
    pub async fn nonce(&self) -> Outcome<String> {
        let kept = {
            let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
            nonces.retain(|(got, _)| got.elapsed() < NONCE_KEPT);
            nonces.pop()
        };
        match kept {
            Some((_, nonce)) => Ok(nonce),
            None => self.new_nonce().await,
        }
    }

    /// A nonce that was asked for just now.
    pub async fn new_nonce(&self) -> Outcome<String> {
        let url = &self.directory().await?.new_nonce;
        let answer = self.ask(Method::HEAD, url, HeaderMap::new()).await?;
        self.nonce_of(&answer).prepares("newNonce")
    }

    /// The nonce of an answer, which no other request of this case will use.
    pub fn nonce_of(&self, answer: &Answer) -> Outcome<String> {
        let nonce = answer.fresh_nonce()?;
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        nonces.retain(|(_, kept)| *kept != nonce);
        Ok(nonce)
    }

    /// Sends a request as it stands.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Outcome<Answer> {
        let line = format!("{method} {}{path}", self.target.directory_url.origin());
        let request = Message::new(line, pairs(&headers), &body);
        let mut sent = Request::new(Bytes::from(body));
        *sent.method_mut() = method;
        *sent.uri_mut() = path.parse().map_err(|_| Stop::blocked("a path that is no path"))?;
        *sent.headers_mut() = headers;
        let answer = self.target.http.send(sent).await;
        self.heard(request, answer)
    }

    /// Writes an exchange down and takes what the answer tells.
    pub(crate) fn heard(
        &self,
        request: Message,
        answer: Result<Response, HttpError>,
    ) -> Outcome<Answer> {
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                let note = Some(error.to_string());
                self.log.push(Exchange { request, response: None, note });
                return Err(Stop::fail("an answer", error));
            }
        };
        let line = response.status.to_string();
        let message = Message::new(line, pairs(&response.headers), &response.body);
        self.log.push(Exchange { request, response: Some(message), note: None });
        let Response { status, headers, body } = response;
        let answer = Answer { status, headers, body };
        if let Some(nonce) = answer.nonce() {
            let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
            nonces.push((Instant::now(), nonce.to_owned()));
        }
        if let Some(date) = date(&answer) {
            self.target.hear_date(date);
        }
        Ok(answer)
    }

    /// Writes down what went over a raw connection.
    pub(crate) fn note(&self, sent: &str, received: &str) {
        let (line, rest) = sent.split_once("\r\n").unwrap_or((sent, ""));
        let request = Message::new(line, [], rest.as_bytes());
        let (line, rest) = received.split_once("\r\n").unwrap_or((received, ""));
        let response = Some(Message::new(line, [], rest.as_bytes()));
        self.log.push(Exchange { request, response, note: None });
    }

    /// Has something done to the bank from outside.
    pub async fn control(&self, request: control::Request) -> Outcome<control::Answer> {
        let Some(control) = &self.target.control else {
            return Err(Stop::Skipped("no --control command was given".to_owned()));
        };
        let restarted = request == control::Request::Start;
        let answer = control.control(request).await.map_err(|error| match error {
            AdapterError::Cannot(why) => Stop::Skipped(format!("control: {why}")),
            AdapterError::Fault(why) => Stop::Blocked(format!("control: {why}")),
        })?;
        if restarted {
            self.nonces.lock().unwrap_or_else(PoisonError::into_inner).clear();
            self.target.http.forget_connections();
        }
        Ok(answer)
    }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// The time in `Date`.
pub(crate) fn date(answer: &Answer) -> Option<Time> {
    let date = httpdate::parse_http_date(answer.header(&DATE)?).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Time::from_unix(i64::try_from(since.as_secs()).ok()?).ok()
}

/// How long the bank wants us to wait, if that is not too long.
fn patience(answer: &Answer) -> Option<u64> {
    let wait: u64 = answer.header(&RETRY_AFTER)?.parse().ok()?;
    (wait <= LONGEST_WAIT).then_some(wait.max(1))
}
