//! Asking: signing with a fresh nonce, sending, and repeating what may be repeated (SPEC.md 5.10, 5.11, 12.5).

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use koshin_protocol::json::MAX_DOCUMENT;
use koshin_protocol::jws::{By, Nonce, Request as Jws};
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_protocol::remedy::Action;
use koshin_protocol::sign::Signer;
use koshin_protocol::url::Url;
use serde::Serialize;
use zeroize::Zeroizing;

use super::Bank;
use super::answer::{self, Answer};
use crate::error::{Asked, Error, NoAnswer, Refusal};
use crate::progress::Why;
use crate::retry::{self, Backoff, MAX_BAD_NONCES};
use crate::transport::{Request, Response, TransportError};

/// Most bytes of a page of a contract (ENC-20).
const MAX_CONTRACT: usize = 8 << 20;

/// A signed request before it has a nonce.
pub(crate) struct Call<'a> {
    /// What it asks for.
    pub(crate) operation: Operation,
    /// Where it goes.
    pub(crate) url: &'a Url,
    /// Who signs.
    pub(crate) by: By,
    /// With what.
    pub(crate) signer: &'a Arc<dyn Signer>,
}

/// Whether a refused request goes out once more.
enum Again {
    /// After a while.
    After(Duration, Why),
    /// After a while that grows.
    Later(Why),
    /// No.
    No,
}

impl Bank {
    /// Sends an operation with its payload.
    pub(crate) async fn ask(
        &self,
        call: Call<'_>,
        payload: &impl Serialize,
    ) -> Result<Answer, Error> {
        // In one piece: bytes that grow leave copies behind, which nobody wipes (SEC-02).
        let mut json = Zeroizing::new(Vec::with_capacity(MAX_DOCUMENT));
        serde_json::to_writer(&mut *json, payload)
            .map_err(|error| Error::Invalid(error.to_string()))?;
        self.send(call, json, MAX_DOCUMENT).await
    }

    /// Reads a resource (POST-as-GET).
    pub(crate) async fn read(
        &self,
        url: &Url,
        by: By,
        signer: &Arc<dyn Signer>,
    ) -> Result<Answer, Error> {
        let call = Call { operation: Operation::Read, url, by, signer };
        self.send(call, Zeroizing::default(), MAX_DOCUMENT).await
    }

    /// Reads a resource that may be long.
    pub(crate) async fn read_long(
        &self,
        url: &Url,
        by: By,
        signer: &Arc<dyn Signer>,
    ) -> Result<Answer, Error> {
        let call = Call { operation: Operation::Read, url, by, signer };
        self.send(call, Zeroizing::default(), MAX_CONTRACT).await
    }

    /// Gets what is public.
    pub(super) async fn get(
        &self,
        asked: Asked,
        method: Method,
        url: &Url,
    ) -> Result<Answer, Error> {
        self.check_base(url)?;
        let mut backoff = Backoff::default();
        loop {
            let nothing = Zeroizing::default();
            let sent = self.exchange(asked, method.clone(), url, nothing, MAX_DOCUMENT).await;
            let error = match sent.and_then(|response| Answer::of(asked, response)) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // Reading changes nothing: whatever came of it, it may be asked again.
            let again = match &error {
                Error::Refused(refusal) => again(refusal, true),
                Error::NoAnswer { cause: NoAnswer::Status(status), .. }
                    if Action::by_status(*status) == Action::Stop =>
                {
                    Again::No
                }
                Error::NoAnswer { retry_after: Some(wait), .. } => {
                    Again::After(*wait, Why::NoAnswer)
                }
                Error::NoAnswer { .. } => Again::Later(Why::NoAnswer),
                _ => Again::No,
            };
            self.pause(again, &mut backoff, error).await?;
        }
    }

    /// Signs and sends, again where the bank's refusal says that it may. What got no answer is not repeated here: the bank
    /// may have acted, and whoever asked looks first (CLI-30).
    async fn send(
        &self,
        call: Call<'_>,
        payload: Zeroizing<Vec<u8>>,
        limit: usize,
    ) -> Result<Answer, Error> {
        self.check_base(call.url)?;
        if let By::Session(kid) = &call.by {
            self.check_base(kid)?;
        }
        let asked = Asked::Signed(call.operation);
        let (mut bad_nonces, mut backoff) = (0, Backoff::default());
        loop {
            let nonce = self.take_nonce().await?;
            let body = sign(self.inner.signs_here, &call, nonce, &payload).await?;
            let response = self.exchange(asked, Method::POST, call.url, body, limit).await?;
            let error = match Answer::of(asked, response) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Error::Refused(refusal) = &error else { return Err(error) };
            if refusal.problem.token() == Some(Token::BadNonce) {
                bad_nonces += 1;
                if bad_nonces >= MAX_BAD_NONCES {
                    return Err(error);
                }
                continue;
            }
            bad_nonces = 0;
            let again = again(refusal, may_repeat(call.operation));
            self.pause(again, &mut backoff, error).await?;
        }
    }

    /// Waits before the next attempt; gives the error back if there is none.
    async fn pause(&self, again: Again, backoff: &mut Backoff, error: Error) -> Result<(), Error> {
        let grown = backoff.next(retry::random());
        match (again, grown) {
            (Again::No, _) | (_, None) => Err(error),
            (Again::After(wait, reason), Some(_)) | (Again::Later(reason), Some(wait)) => {
                self.wait(wait, reason).await
            }
        }
    }

    /// One request and one answer, whose nonce and time are noted.
    async fn exchange(
        &self,
        asked: Asked,
        method: Method,
        url: &Url,
        body: Zeroizing<Vec<u8>>,
        limit: usize,
    ) -> Result<Response, Error> {
        let mut headers = HeaderMap::new();
        if let Ok(language) = HeaderValue::from_str(&self.inner.language) {
            headers.insert(ACCEPT_LANGUAGE, language);
        }
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jose+json"));
        }
        let request = Request { method, url: url.clone(), headers, body, limit };
        let sent = self.inner.transport.send(request).await;
        let response = sent.map_err(|error| match error {
            TransportError::Untrusted(distrust) => Error::Untrusted(distrust),
            lost => Error::NoAnswer { asked, cause: NoAnswer::Transport(lost), retry_after: None },
        })?;
        if let Some(date) = answer::date(&response.headers) {
            self.learn_time(date);
        }
        if let Some(nonce) = answer::nonce(&response.headers) {
            self.known(|known| known.nonce = Some(nonce));
        }
        Ok(response)
    }

    /// A nonce for one request: that of the last answer, or one that is asked for.
    async fn take_nonce(&self) -> Result<Nonce, Error> {
        if let Some(nonce) = self.known(|known| known.nonce.take()) {
            return Ok(nonce);
        }
        let directory = self.directory().await?;
        if let Some(nonce) = self.known(|known| known.nonce.take()) {
            return Ok(nonce);
        }
        self.get(Asked::Nonce, Method::HEAD, &directory.new_nonce).await?;
        self.known(|known| known.nonce.take()).ok_or(Error::NoAnswer {
            asked: Asked::Nonce,
            cause: NoAnswer::Header("Replay-Nonce"),
            retry_after: None,
        })
    }

    /// Whether a URL is below the base: nothing is sent to, nor kept of, any other (URL-02).
    pub(crate) fn check_base(&self, url: &Url) -> Result<(), Error> {
        if self.inner.base.contains(url) {
            return Ok(());
        }
        Err(Error::ForeignUrl { base: self.inner.base.as_str().to_owned(), url: url.clone() })
    }
}

/// Signs where blocking is allowed, here or elsewhere: the key may be on a token.
async fn sign(
    is_here: bool,
    call: &Call<'_>,
    nonce: Nonce,
    payload: &Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (operation, url, by) = (call.operation, call.url.clone(), call.by.clone());
    let (signer, payload) = (Arc::clone(call.signer), payload.clone());
    let work = move || {
        let request = Jws { operation, url: &url, nonce: &nonce, by: &by, payload: &payload };
        request.sign(&*signer).map(Zeroizing::new)
    };
    Ok(if is_here { work()? } else { crate::blocking::run(work).await? })
}

/// Whether an operation that the bank failed to carry out may be asked for once more (SPEC.md 5.10, CLI-45).
fn may_repeat(operation: Operation) -> bool {
    match operation {
        Operation::Pin => false,
        Operation::Read
        | Operation::NewSession
        | Operation::Logoff
        | Operation::Defer
        | Operation::NewOrder
        | Operation::FindOrder
        | Operation::Cancel
        | Operation::Confirm
        | Operation::Rollback
        | Operation::NewReissue
        | Operation::CancelReissue
        | Operation::Unlock
        | Operation::NewEnrollment
        | Operation::RevokeCert => true,
    }
}

/// What a refusal says about asking again. Only refusals that have nothing to do with what was asked are mended here:
/// `tooEarly` waits for days.
fn again(refusal: &Refusal, repeatable: bool) -> Again {
    let Refusal { problem, retry_after, .. } = refusal;
    let general = match problem.token() {
        Some(Token::RateLimited | Token::Unavailable | Token::ServerInternal) => true,
        Some(_) => false,
        None => problem.status == 429 || problem.status >= 500,
    };
    if !general || !repeatable {
        return Again::No;
    }
    match (problem.remedy.action, retry_after) {
        (Action::Wait | Action::Retry, Some(wait)) => Again::After(*wait, Why::AskedToWait),
        (Action::Wait | Action::Retry, None) => Again::Later(Why::CouldNot),
        _ => Again::No,
    }
}
