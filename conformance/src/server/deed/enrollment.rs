//! Reissues, enrollments and PINs.

use koshin_protocol::binding::Binding;
use koshin_protocol::certificate::Name;
use koshin_protocol::enrollment_code::EnrollmentCode;
use koshin_protocol::operation::Operation;
use koshin_protocol::reissue::{Reissue, ReissueId};
use koshin_protocol::sign::Signer as _;
use koshin_protocol::url::Url;
use serde_json::{Value, json};

use super::order::csr_text;
use super::{Logon, Placed};
use crate::case::{Outcome, Prepares as _, Stop};
use crate::server::Bank;
use crate::server::answer::Answer;
use crate::server::draft::{By, Draft};
use crate::server::key::Key;
use crate::server::person::Person;

/// A reissue's id and the code that goes with it.
#[derive(Clone)]
pub struct Ticket {
    /// The reissue's id.
    pub id: ReissueId,
    /// The code.
    pub code: EnrollmentCode,
}

impl Default for Ticket {
    fn default() -> Self {
        Self::new()
    }
}

impl Ticket {
    /// A new one.
    pub fn new() -> Self {
        let random = || {
            let mut octets = [0; 16];
            getrandom::fill(&mut octets).expect("the system has randomness");
            octets
        };
        let code = EnrollmentCode::from_bytes(random());
        Self { id: ReissueId::from_bytes(random()), code }
    }

    /// The same reissue, another code.
    pub fn with_wrong_code(&self) -> Self {
        Self { id: self.id, ..Self::new() }
    }
}

impl Bank {
    /// The payload of a right newReissue.
    pub fn new_reissue(&self, person: &Person, reason: &str, ticket: &Ticket) -> Value {
        json!({
            "id": ticket.id.to_string(),
            "subject": person.subject,
            "subjectName": person.pair.name().as_str(),
            "reason": reason,
            "enrollmentKey": ticket.code.key(&ticket.id).public_key(),
        })
    }

    /// An administrator asks for a reissue.
    pub async fn try_reissue(&self, by: &Logon, payload: Value) -> Outcome<Answer> {
        let url = self.full().await?.new_reissue;
        self.post(Operation::NewReissue, &url, &by.by(), payload).await
    }

    /// An administrator reissues for a user: the ticket, the reissue and its URL.
    pub async fn reissue(
        &self,
        by: &Logon,
        person: &Person,
        reason: &str,
    ) -> Outcome<(Ticket, Reissue, Url)> {
        let ticket = Ticket::new();
        let payload = self.new_reissue(person, reason, &ticket);
        let answer = self.try_reissue(by, payload).await.prepares("newReissue")?;
        let reissue = answer.object(201).prepares("newReissue")?;
        Ok((ticket, reissue, answer.location().prepares("newReissue")?))
    }

    /// An administrator cancels a reissue.
    pub async fn try_cancel_reissue(&self, by: &Logon, url: &Url) -> Outcome<Answer> {
        self.post(Operation::CancelReissue, url, &by.by(), json!({})).await
    }

    /// The payload of a right newEnrollment.
    pub async fn new_enrollment(&self, ticket: &Ticket, name: &Name, key: &Key) -> Outcome<Value> {
        let url = self.full().await?.new_enrollment;
        let binding = Binding { reissue: &ticket.id, url: &url, key: key.public() };
        let binding = binding
            .sign(&ticket.code.key(&ticket.id))
            .map_err(|error| Stop::blocked(format_args!("the suite cannot sign: {error}")))?;
        Ok(json!({
            "reissue": ticket.id.to_string(),
            "binding": binding,
            "csr": csr_text(&key.csr(name)),
            "keyStore": self.key_store().await?,
            "environment": self.environment().await?,
        }))
    }

    /// Enrolls with any payload.
    pub async fn try_enroll(&self, key: &Key, payload: Value) -> Outcome<Answer> {
        let url = self.full().await?.new_enrollment;
        self.post(Operation::NewEnrollment, &url, &By::Key(key.clone()), payload).await
    }

    /// A right newEnrollment of a person who has no PIN, not sent yet.
    pub async fn enrollment_draft(
        &self,
        ticket: &Ticket,
        name: &Name,
        key: &Key,
    ) -> Outcome<Draft> {
        let (url, by) = (self.full().await?.new_enrollment, By::Key(key.clone()));
        let payload = self.new_enrollment(ticket, name, key).await?;
        Ok(self.draft(Operation::NewEnrollment, &url, &by, &payload))
    }

    /// Enrolls a person by a ticket, with its PIN where it has one, and waits for the certificate.
    pub async fn enroll(&self, ticket: &Ticket, person: &Person) -> Outcome<Placed> {
        let key = Key::new();
        let mut payload = self.new_enrollment(ticket, person.pair.name(), &key).await?;
        if let Some(pin) = &person.pin {
            payload["pin"] = json!(pin);
        }
        let answer = self.try_enroll(&key, payload).await.prepares("newEnrollment")?;
        let order = answer.object(201).prepares("newEnrollment")?;
        self.until_valid(Placed { order, key }).await
    }

    /// An administrator unlocks a user's PIN.
    pub async fn try_unlock(&self, by: &Logon, subject: &str) -> Outcome<Answer> {
        let url = self.full().await?.unlock;
        self.post(Operation::Unlock, &url, &by.by(), json!({ "subject": subject })).await
    }

    /// A subject changes its PIN.
    pub async fn try_change_pin(&self, by: &Logon, old: &str, new: &str) -> Outcome<Answer> {
        let url = self.full().await?.pin;
        self.post(Operation::Pin, &url, &by.by(), json!({ "old": old, "new": new })).await
    }
}
