//! What the bank answers, read strictly. What every answer must have is checked for every answer of every test.

use http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, LINK, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Bytes;
use koshin_protocol::json;
use koshin_protocol::problem::{Language, Problem, Token};
use koshin_protocol::url::Url;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An answer of the bank.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Takes an answer and checks what SPEC.md 5.6, 5.9 and 11.4 want of every one.
    pub fn of(response: Response<Bytes>, signed: bool) -> Self {
        let (parts, body) = response.into_parts();
        let answer = Self { status: parts.status, headers: parts.headers, body };
        let cache = answer.header(&CACHE_CONTROL).expect("Cache-Control");
        match answer.header(&HeaderName::from_static("replay-nonce")) {
            Some(nonce) => {
                assert_eq!(cache, "no-store", "HDR-02");
                assert!((16..=128).contains(&nonce.len()), "a nonce of 5.3");
            }
            None => assert!(cache.contains("max-age="), "NON-01, HDR-08: {answer:?}"),
        }
        if signed {
            let index = r#"<https://bank.example/koshin/directory>;rel="index""#;
            assert_eq!(answer.header(&LINK), Some(index), "HDR-03");
        }
        if !answer.status.is_success() && answer.status != StatusCode::NOT_MODIFIED {
            answer.check_problem();
        }
        answer
    }

    fn check_problem(&self) {
        let problem = self.problem();
        assert_eq!(problem.status, self.status.as_u16(), "ERR-01");
        let token = problem.token().expect("ERR-04: a token of SPEC.md");
        let row = Problem::builder(token, Language::En, problem.server_time).build();
        assert_eq!(row.status, problem.status, "ERR-01: the status of {token}");
        assert!(self.header(&CONTENT_LANGUAGE).is_some(), "HDR-06");
        let challenged = self.header(&WWW_AUTHENTICATE) == Some("Koshin");
        assert_eq!(challenged, self.status == StatusCode::UNAUTHORIZED, "HDR-10");
        let waits =
            matches!(token, Token::RateLimited | Token::Unavailable | Token::OrderProcessing);
        assert!(!waits || self.header(&RETRY_AFTER).is_some(), "RTA-01: {token}");
    }

    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("visible ASCII"))
    }

    pub fn nonce(&self) -> String {
        self.header(&HeaderName::from_static("replay-nonce")).expect("a nonce").to_owned()
    }

    /// The URL in `Location`.
    pub fn location(&self) -> Url {
        Url::parse(self.header(&LOCATION).expect("HDR-04: Location")).expect("a URL")
    }

    /// The object of the protocol in the body, which has these members and no other.
    pub fn object<T: DeserializeOwned + Serialize>(&self, status: u16) -> T {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header(&CONTENT_TYPE), Some("application/json"), "HTP-23");
        let object: T = json::parse(&self.body).expect("an object of the protocol");
        let written = serde_json::to_value(&object).expect("JSON");
        assert_eq!(written, self.value(), "the object has exactly the members of its table");
        object
    }

    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// There is no body, and this status.
    pub fn empty(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert!(self.body.is_empty());
    }

    /// It is refused.
    pub fn problem(&self) -> Problem {
        assert_eq!(
            self.header(&CONTENT_TYPE),
            Some("application/problem+json"),
            "not a problem: {} {}",
            self.status,
            self.text()
        );
        let problem: Problem = json::parse(&self.body).expect("a problem document");
        let written = serde_json::to_value(&problem).expect("JSON");
        assert_eq!(written, self.value(), "the problem has exactly the members of its table");
        problem
    }

    /// It is refused with this token.
    pub fn refused(&self, token: Token) -> Problem {
        let problem = self.problem();
        assert_eq!(problem.token(), Some(token), "{}", self.text());
        problem
    }

    /// The token that it was refused with; `None`: it was not.
    pub fn token(&self) -> Option<Token> {
        let good = self.status.is_success() || self.status == StatusCode::NOT_MODIFIED;
        if good { None } else { self.problem().token() }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
