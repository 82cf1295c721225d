//! Reading an answer: what section 4 of SPEC.md demands of it, or it is none.

use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};
use koshin_protocol::directory::Directory;
use koshin_protocol::json::{self, JsonError};
use koshin_protocol::jws::Nonce;
use koshin_protocol::problem::Problem;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use serde::de::DeserializeOwned;

use crate::error::{Asked, Error, NoAnswer, Refusal};
use crate::retry;
use crate::transport::Response;

/// A successful answer.
#[derive(Debug)]
pub struct Answer {
    asked: Asked,
    response: Response,
}

impl Answer {
    /// The answer, if it is a success; the refusal, if it is one.
    pub(super) fn of(asked: Asked, response: Response) -> Result<Self, Error> {
        if (200..300).contains(&response.status) {
            return Ok(Self { asked, response });
        }
        let retry_after = retry_after(&response.headers);
        if !is_problem(&response.headers) {
            let cause = NoAnswer::Status(response.status);
            return Err(Error::NoAnswer { asked, cause, retry_after });
        }
        match json::parse::<Problem>(&response.body) {
            Ok(problem) => Err(Refusal { asked, problem: Box::new(problem), retry_after }.into()),
            Err(error) => Err(Error::NoAnswer { asked, cause: error.into(), retry_after }),
        }
    }

    /// The document.
    pub(crate) fn object<T: DeserializeOwned>(&self) -> Result<T, Error> {
        json::parse(&self.response.body).map_err(|error| self.unreadable(error))
    }

    /// The document, if it may be long (ENC-20).
    pub(crate) fn long_object<T: DeserializeOwned>(&self) -> Result<T, Error> {
        json::parse_long(&self.response.body).map_err(|error| self.unreadable(error))
    }

    /// How many bytes it has.
    pub(crate) fn length(&self) -> usize {
        self.response.body.len()
    }

    /// The directory. One that can be read and is not this version's, or contradicts itself, is no matter of asking again.
    pub(super) fn directory(&self) -> Result<Directory, Error> {
        match json::parse(&self.response.body) {
            Ok(directory) => Ok(directory),
            Err(JsonError::Shape(error)) => Err(Error::Directory(error.to_string())),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    /// The URL of what was made.
    pub(crate) fn location(&self) -> Result<Url, Error> {
        let value = self.response.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let url = value.and_then(|value| Url::parse(value).ok());
        url.ok_or_else(|| self.failed(NoAnswer::Header("Location")))
    }

    /// How long the bank wants to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.response.headers)
    }

    fn unreadable(&self, error: JsonError) -> Error {
        self.failed(error.into())
    }

    fn failed(&self, cause: NoAnswer) -> Error {
        Error::NoAnswer { asked: self.asked, cause, retry_after: None }
    }
}

pub(super) fn nonce(headers: &HeaderMap) -> Option<Nonce> {
    headers.get("replay-nonce")?.to_str().ok()?.parse().ok()
}

pub(super) fn date(headers: &HeaderMap) -> Option<Time> {
    retry::http_date(headers.get(DATE)?.to_str().ok()?)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    retry::retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, date(headers))
}

fn is_problem(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(Problem::MEDIA_TYPE)
}
