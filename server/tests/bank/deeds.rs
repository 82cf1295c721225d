//! What customers do, step by step: each step in two forms, one that must succeed and one whose answer the test judges.

use koshin_protocol::base64url;
use koshin_protocol::binding::Binding;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{Certificate, Name};
use koshin_protocol::enrollment_code::EnrollmentCode;
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Issued, Order, Status};
use koshin_protocol::receipt::Receipt;
use koshin_protocol::reissue::{Reissue, ReissueId};
use koshin_protocol::revocation::Revocation;
use koshin_protocol::session::Session;
use koshin_protocol::sign::Signer;
use koshin_protocol::url::Url;
use koshin_server::route::Route;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::bank::Bank;
use crate::person::{Key, Pair, Person};
use crate::request::By;

/// An active session.
#[derive(Clone)]
pub struct Logon {
    pub url: Url,
    pub session: Session,
    pub pair: Pair,
}

impl Logon {
    pub fn by(&self) -> By {
        By::Session(self.url.clone(), self.pair.key.clone())
    }
}

pub fn environment() -> Value {
    json!({ "os": "linux", "osVersion": "6.1", "software": "test", "softwareVersion": "1.0" })
}

pub fn csr_payload(csr: &[u8]) -> Value {
    json!(base64url::encode(csr))
}

impl Bank {
    pub async fn try_log_on(&self, pair: &Pair, payload: Value) -> Answer {
        let url = self.url(&Route::NewSession);
        self.post(Operation::NewSession, &url, &By::Certificate(pair.clone()), payload).await
    }

    pub async fn log_on_for(&self, pair: &Pair, purpose: &str) -> Answer {
        let payload = json!({ "environment": environment(), "purpose": purpose });
        self.try_log_on(pair, payload).await
    }

    pub async fn log_on_with(&self, pair: &Pair, pin: &str) -> Answer {
        let payload = json!({ "pin": pin, "environment": environment(), "purpose": "renewal" });
        self.try_log_on(pair, payload).await
    }

    pub fn logged_on(&self, pair: &Pair, answer: &Answer) -> Logon {
        Logon { url: answer.location(), session: answer.object(201), pair: pair.clone() }
    }

    pub async fn log_on(&self, pair: &Pair) -> Logon {
        let answer = self.log_on_for(pair, "renewal").await;
        self.logged_on(pair, &answer)
    }

    pub async fn recover(&self, pair: &Pair) -> Logon {
        let answer = self.log_on_for(pair, "recovery").await;
        self.logged_on(pair, &answer)
    }

    pub async fn read(&self, url: &Url, by: &By) -> Answer {
        self.post(Operation::Read, url, by, Value::Null).await
    }

    pub async fn read_order(&self, order: &Order, by: &By) -> Order {
        self.read(&order.url, by).await.object(200)
    }

    /// Whether the session is active.
    pub async fn is_active(&self, logon: &Logon) -> bool {
        self.read(&logon.url, &logon.by()).await.token().is_none()
    }

    pub async fn try_order(&self, logon: &Logon, payload: Value) -> Answer {
        let url = self.url(&Route::NewOrder);
        self.post(Operation::NewOrder, &url, &logon.by(), payload).await
    }

    /// The payload of a right newOrder.
    pub fn new_order(&self, logon: &Logon, name: &Name, key: &Key) -> Value {
        json!({
            "replaces": logon.pair.cert_id().to_string(),
            "keyStore": "file",
            "csr": csr_payload(&key.csr(name)),
        })
    }

    pub async fn order_with(&self, logon: &Logon, key: &Key) -> Answer {
        let name = logon.pair.certificate.subject().clone();
        self.try_order(logon, self.new_order(logon, &name, key)).await
    }

    pub async fn order(&self, logon: &Logon, key: &Key) -> Order {
        self.order_with(logon, key).await.object(201)
    }

    pub async fn try_confirm(&self, order: &Order, pair: &Pair, payload: Value) -> Answer {
        let url = confirm_url(order);
        self.post(Operation::Confirm, &url, &By::Certificate(pair.clone()), payload).await
    }

    pub async fn confirm(&self, order: &Order, pair: &Pair) -> Order {
        self.try_confirm(order, pair, json!({})).await.object(200)
    }

    pub async fn try_cancel(&self, order: &Order, logon: &Logon) -> Answer {
        self.cancel_with(order, logon, json!({ "key": order.key.to_string() })).await
    }

    pub async fn cancel_with(&self, order: &Order, logon: &Logon, payload: Value) -> Answer {
        self.post(Operation::Cancel, &below(order, "cancel"), &logon.by(), payload).await
    }

    pub async fn cancel(&self, order: &Order, logon: &Logon) -> Order {
        self.try_cancel(order, logon).await.object(200)
    }

    pub async fn try_roll_back(&self, order: &Order, logon: &Logon) -> Answer {
        let payload = json!({ "key": order.key.to_string() });
        self.post(Operation::Rollback, &below(order, "rollback"), &logon.by(), payload).await
    }

    pub async fn roll_back(&self, order: &Order, logon: &Logon) -> Order {
        self.try_roll_back(order, logon).await.object(200)
    }

    /// A whole renewal: the new pair, and the completed order.
    pub async fn renew(&self, person: &Person) -> (Pair, Order) {
        self.renew_pair(&person.pair).await
    }

    pub async fn renew_pair(&self, pair: &Pair) -> (Pair, Order) {
        let logon = self.log_on(pair).await;
        let key = Key::new();
        let order = self.order(&logon, &key).await;
        let new = pair_of(&order, &key);
        let completed = self.confirm(&order, &new).await;
        (new, completed)
    }

    /// The receipt of an ended order, verified up to the bank's root.
    pub fn receipt(&self, order: &Order) -> Receipt {
        let jws = match &order.status {
            Status::Completed { receipt, .. }
            | Status::Canceled { receipt }
            | Status::Invalid { receipt, .. }
            | Status::RolledBack { receipt, .. } => receipt,
            Status::Processing { .. } | Status::Valid { .. } => {
                panic!("an open order has no receipt")
            }
        };
        let roots = [self.root.clone()];
        let verified = Receipt::verify(jws, &roots, self.server.verifier);
        verified.expect("a receipt of the bank")
    }
}

/// A resource below an order, whether or not the order tells of it.
pub fn below(order: &Order, name: &str) -> Url {
    Url::parse(&format!("{}/{name}", order.url)).expect("a URL")
}

pub fn confirm_url(order: &Order) -> Url {
    below(order, "confirm")
}

/// What the order has of its certificate.
pub fn issued(order: &Order) -> &Issued {
    match &order.status {
        Status::Valid { issued, .. } | Status::Completed { issued, .. } => issued,
        other => panic!("no certificate: {other:?}"),
    }
}

/// The pair of the order's certificate and its key.
pub fn pair_of(order: &Order, key: &Key) -> Pair {
    let certificate = Certificate::from_der(issued(order).chain.first()).expect("a certificate");
    assert_eq!(certificate.key(), key.public(), "CRT-11");
    Pair { key: key.clone(), certificate }
}

/// A reissue's name and the code that goes with it.
#[derive(Clone)]
pub struct Ticket {
    pub id: ReissueId,
    pub code: EnrollmentCode,
}

impl Ticket {
    pub fn new() -> Self {
        let random = || {
            let mut bytes = [0; 16];
            aws_lc_rs::rand::fill(&mut bytes).expect("randomness");
            bytes
        };
        let code = EnrollmentCode::from_bytes(random());
        Self { id: ReissueId::from_bytes(random()), code }
    }

    /// The same reissue, another code.
    pub fn with_wrong_code(&self) -> Self {
        Self { id: self.id, ..Self::new() }
    }
}

/// Reissue, enrollment, PIN and revocation.
impl Bank {
    pub fn new_reissue(&self, person: &Person, reason: &str, ticket: &Ticket) -> Value {
        let key = ticket.code.key(&ticket.id);
        json!({
            "id": ticket.id.to_string(),
            "subject": person.subject.to_string(),
            "subjectName": person.name.as_str(),
            "reason": reason,
            "enrollmentKey": key.public_key(),
        })
    }

    pub async fn try_reissue(&self, by: &Logon, payload: Value) -> Answer {
        let url = self.url(&Route::NewReissue);
        self.post(Operation::NewReissue, &url, &by.by(), payload).await
    }

    /// An administrator reissues for a user.
    pub async fn reissue(&self, by: &Logon, person: &Person, reason: &str) -> Ticket {
        let ticket = Ticket::new();
        let answer = self.try_reissue(by, self.new_reissue(person, reason, &ticket)).await;
        let reissue: Reissue = answer.object(201);
        assert_eq!(reissue.status.name().as_str(), "pending");
        assert_eq!(answer.location(), self.reissue_url(&ticket));
        ticket
    }

    pub fn reissue_url(&self, ticket: &Ticket) -> Url {
        self.url(&Route::Reissue(ticket.id.to_string()))
    }

    pub async fn read_reissue(&self, by: &Logon, ticket: &Ticket) -> Reissue {
        self.read(&self.reissue_url(ticket), &by.by()).await.object(200)
    }

    pub async fn try_cancel_reissue(&self, by: &Logon, ticket: &Ticket) -> Answer {
        let url = self.url(&Route::CancelReissue(ticket.id.to_string()));
        self.post(Operation::CancelReissue, &url, &by.by(), json!({})).await
    }

    /// The payload of a right newEnrollment.
    pub fn new_enrollment(&self, ticket: &Ticket, name: &Name, key: &Key) -> Value {
        let url = self.url(&Route::NewEnrollment);
        let binding = Binding { reissue: &ticket.id, url: &url, key: key.public() };
        let binding = binding.sign(&ticket.code.key(&ticket.id)).expect("a binding");
        json!({
            "reissue": ticket.id.to_string(),
            "binding": binding,
            "csr": csr_payload(&key.csr(name)),
            "keyStore": "file",
            "environment": environment(),
        })
    }

    pub async fn try_enroll(&self, key: &Key, payload: Value) -> Answer {
        let url = self.url(&Route::NewEnrollment);
        self.post(Operation::NewEnrollment, &url, &By::Key(key.clone()), payload).await
    }

    pub async fn enroll_with(&self, ticket: &Ticket, name: &Name, key: &Key) -> Answer {
        self.try_enroll(key, self.new_enrollment(ticket, name, key)).await
    }

    /// A whole enrollment: the new pair, current.
    pub async fn enroll(&self, ticket: &Ticket, name: &Name) -> (Pair, Order) {
        let key = Key::new();
        let order: Order = self.enroll_with(ticket, name, &key).await.object(201);
        let pair = pair_of(&order, &key);
        let completed = self.confirm(&order, &pair).await;
        (pair, completed)
    }

    pub async fn try_unlock(&self, by: &Logon, subject: &str) -> Answer {
        let url = self.url(&Route::Unlock);
        self.post(Operation::Unlock, &url, &by.by(), json!({ "subject": subject })).await
    }

    pub async fn try_change_pin(&self, by: &Logon, old: &str, new: &str) -> Answer {
        let url = self.url(&Route::Pin);
        self.post(Operation::Pin, &url, &by.by(), json!({ "old": old, "new": new })).await
    }

    pub async fn try_revoke(&self, by: &By, payload: Value) -> Answer {
        let url = self.url(&Route::RevokeCert);
        self.post(Operation::RevokeCert, &url, by, payload).await
    }

    pub async fn revoke_itself(&self, pair: &Pair, reason: &str) -> Answer {
        let payload = json!({ "certID": pair.cert_id().to_string(), "reason": reason });
        self.try_revoke(&By::Certificate(pair.clone()), payload).await
    }

    /// An administrator revokes; the answer's list.
    pub async fn revoke(&self, by: &Logon, pair: &Pair, successors: bool) -> Vec<CertId> {
        let payload = json!({
            "certID": pair.cert_id().to_string(),
            "reason": "keyCompromise",
            "includeSuccessors": successors,
        });
        self.try_revoke(&by.by(), payload).await.object::<Revocation>(200).revoked
    }

    pub async fn try_find(&self, key: &Key) -> Answer {
        let url = self.url(&Route::FindOrder);
        self.post(Operation::FindOrder, &url, &By::Key(key.clone()), json!({})).await
    }
}
