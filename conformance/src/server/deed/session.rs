//! Logging on and what a session does.

use koshin_protocol::contract::Contract;
use koshin_protocol::environment::EnvironmentText;
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_protocol::session::{Access, Session};
use koshin_protocol::url::Url;
use serde_json::{Value, json};

use crate::case::{Outcome, Prepares as _, Stop};
use crate::server::Bank;
use crate::server::answer::Answer;
use crate::server::draft::By;
use crate::server::key::Pair;
use crate::server::person::Person;

/// A session.
#[derive(Debug, Clone)]
pub struct Logon {
    /// Its URL.
    pub url: Url,
    /// What the bank said of it.
    pub session: Session,
    /// Whose it is.
    pub pair: Pair,
}

impl Logon {
    /// Signs for the session.
    pub fn by(&self) -> By {
        By::Session(self.url.clone(), self.pair.key.clone())
    }

    /// The URL of the contract.
    pub fn contract(&self) -> Outcome<Url> {
        match &self.session.access {
            Access::Renewal { contract } => Ok(contract.clone()),
            Access::Recovery { .. } => Err(Stop::blocked("a recovery session has no contract")),
        }
    }

    /// The URL of the rollback.
    pub fn rollback(&self) -> Outcome<Url> {
        match &self.session.access {
            Access::Recovery { rollback } => Ok(rollback.clone()),
            Access::Renewal { .. } => Err(Stop::blocked("a renewal session has no rollback")),
        }
    }

    /// Where the renewal is deferred.
    pub fn defer(&self) -> Outcome<Url> {
        let notice = self.session.notice.as_ref();
        let defer = notice.and_then(|notice| notice.defer.clone());
        defer.ok_or_else(|| Stop::blocked("the session has no notice with `defer`"))
    }
}

impl Bank {
    /// An environment that the bank takes.
    pub async fn environment(&self) -> Outcome<Value> {
        let directory = self.directory().await?;
        let text = |value: Option<&str>, or: &str| value.unwrap_or(or).to_owned();
        let Some(rule) = directory.meta.environments.first() else {
            return Ok(json!({
                "os": "linux", "osVersion": "6.1", "software": "koshin-conformance", "softwareVersion": "1.0",
            }));
        };
        Ok(json!({
            "os": rule.os.as_str(),
            "osVersion": text(rule.os_version.as_ref().map(EnvironmentText::as_str), "1"),
            "software": text(rule.software.as_ref().map(EnvironmentText::as_str), "koshin-conformance"),
            "softwareVersion": text(rule.software_version.as_ref().map(EnvironmentText::as_str), "1"),
        }))
    }

    /// The payload of a right logon.
    pub async fn logon_payload(&self, pin: Option<&str>, purpose: &str) -> Outcome<Value> {
        let mut payload = json!({ "environment": self.environment().await?, "purpose": purpose });
        if let Some(pin) = pin {
            payload["pin"] = json!(pin);
        }
        Ok(payload)
    }

    /// Logs on with any payload.
    pub async fn try_log_on(&self, pair: &Pair, payload: Value) -> Outcome<Answer> {
        let url = self.directory().await?.new_session.clone();
        self.post(Operation::NewSession, &url, &By::Certificate(pair.clone()), payload).await
    }

    /// Logs on for a purpose.
    pub async fn try_log_on_for(
        &self,
        pair: &Pair,
        pin: Option<&str>,
        purpose: &str,
    ) -> Outcome<Answer> {
        self.try_log_on(pair, self.logon_payload(pin, purpose).await?).await
    }

    /// The session that an answer to a logon began.
    pub fn logged_on(&self, pair: &Pair, answer: &Answer) -> Outcome<Logon> {
        let session = answer.object(201)?;
        Ok(Logon { url: answer.location()?, session, pair: pair.clone() })
    }

    /// Logs a person on, with its PIN where it has one.
    pub async fn log_on(&self, person: &Person) -> Outcome<Logon> {
        self.log_on_by(&person.pair, person.pin.as_deref()).await
    }

    /// Logs on with a pair.
    pub async fn log_on_by(&self, pair: &Pair, pin: Option<&str>) -> Outcome<Logon> {
        let answer = self.try_log_on_for(pair, pin, "renewal").await.prepares("log on")?;
        self.logged_on(pair, &answer).prepares("log on")
    }

    /// Logs on with a superseded pair, to roll back.
    pub async fn recover(&self, pair: &Pair, pin: Option<&str>) -> Outcome<Logon> {
        let answer = self.try_log_on_for(pair, pin, "recovery").await.prepares("recovery logon")?;
        self.logged_on(pair, &answer).prepares("recovery logon")
    }

    /// Reads a resource.
    pub async fn read(&self, url: &Url, by: &By) -> Outcome<Answer> {
        self.post(Operation::Read, url, by, Value::Null).await
    }

    /// Reads the session.
    pub async fn read_session(&self, logon: &Logon) -> Outcome<Session> {
        self.read(&logon.url, &logon.by()).await?.object(200)
    }

    /// Whether the session is active, as a read of it tells.
    pub async fn is_active(&self, logon: &Logon) -> Outcome<bool> {
        let answer = self.read(&logon.url, &logon.by()).await?;
        match answer.token() {
            Some(Token::SessionEnded) => Ok(false),
            _ => answer.status(200).map(|()| true),
        }
    }

    /// Reads the contract.
    pub async fn read_contract(&self, logon: &Logon) -> Outcome<Contract> {
        let answer = self.read(&logon.contract()?, &logon.by()).await?;
        answer.object(200)
    }

    /// Logs off.
    pub async fn try_log_off(&self, logon: &Logon) -> Outcome<Answer> {
        self.post(Operation::Logoff, &logon.session.logoff, &logon.by(), json!({})).await
    }

    /// Defers at this URL.
    pub async fn try_defer(&self, logon: &Logon, url: &Url) -> Outcome<Answer> {
        self.post(Operation::Defer, url, &logon.by(), json!({})).await
    }
}
