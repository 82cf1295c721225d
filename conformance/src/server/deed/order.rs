//! Ordering, confirming, canceling, rolling back, revoking.

use std::time::Duration;

use koshin_protocol::base64url;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Issued, Order, Status};
use koshin_protocol::receipt::Receipt;
use koshin_protocol::url::Url;
use koshin_protocol::verify::default_verifier;
use serde_json::{Value, json};

use super::Logon;
use crate::case::{Outcome, Prepares as _, Stop};
use crate::server::Bank;
use crate::server::answer::Answer;
use crate::server::draft::{By, Draft};
use crate::server::key::{Key, Pair};
use crate::server::person::Person;

/// How often an order in `processing` is read, once a second.
const POLLS: usize = 40;

/// An order that was placed.
#[derive(Debug, Clone)]
pub struct Placed {
    /// As it was when it was placed, or when it became `valid`.
    pub order: Order,
    /// The key of its CSR.
    pub key: Key,
}

impl Placed {
    /// Its URL.
    pub fn url(&self) -> &Url {
        &self.order.url
    }

    /// Signs with the order's key.
    pub fn by_key(&self) -> By {
        By::Key(self.key.clone())
    }

    /// What it has of its certificate.
    pub fn issued(&self) -> Outcome<&Issued> {
        match &self.order.status {
            Status::Valid { issued, .. } | Status::Completed { issued, .. } => Ok(issued),
            other => {
                Err(Stop::blocked(format_args!("the order has no certificate: {}", other.name())))
            }
        }
    }

    /// The pair of its certificate and its key.
    pub fn pair(&self) -> Outcome<Pair> {
        let certificate = Certificate::from_der(self.issued()?.chain.first())
            .map_err(|error| Stop::fail("a certificate in `chain`", error))?;
        if certificate.key() != self.key.public() {
            return Err(Stop::fail("a certificate of the order's key", "another key"));
        }
        Ok(Pair { key: self.key.clone(), certificate })
    }

    /// Where it is canceled.
    pub fn cancel(&self) -> Outcome<&Url> {
        let cancel = match &self.order.status {
            Status::Processing { cancel } | Status::Valid { cancel, .. } => cancel.as_ref(),
            _ => None,
        };
        cancel.ok_or_else(|| Stop::blocked("the order has no `cancel`"))
    }
}

/// A whole renewal.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// The new pair.
    pub pair: Pair,
    /// The order while it was `valid`, with its URLs.
    pub placed: Placed,
    /// The completed order.
    pub completed: Order,
}

/// An order's CSR in a payload.
pub(super) fn csr_text(csr: &[u8]) -> Value {
    json!(base64url::encode(csr))
}

impl Bank {
    /// A key store that the bank takes.
    pub async fn key_store(&self) -> Outcome<String> {
        let stores = &self.directory().await?.meta.key_stores;
        let first = stores.first().ok_or_else(|| Stop::blocked("meta.keyStores is empty"))?;
        Ok(first.as_str().to_owned())
    }

    /// A right newOrder.
    pub async fn order_draft(&self, logon: &Logon, key: &Key) -> Outcome<Draft> {
        self.order_draft_of(logon, &key.csr(logon.pair.name())).await
    }

    /// A newOrder with this CSR.
    pub async fn order_draft_of(&self, logon: &Logon, csr: &[u8]) -> Outcome<Draft> {
        let payload = json!({
            "replaces": logon.pair.cert_id().as_str(),
            "keyStore": self.key_store().await?,
            "csr": csr_text(csr),
        });
        let url = &self.directory().await?.new_order;
        Ok(self.draft(Operation::NewOrder, url, &logon.by(), &payload))
    }

    /// Orders with this key.
    pub async fn try_order(&self, logon: &Logon, key: &Key) -> Outcome<Answer> {
        self.deliver(self.order_draft(logon, key).await?).await
    }

    /// Orders, and waits for the certificate.
    pub async fn order(&self, logon: &Logon) -> Outcome<Placed> {
        let key = Key::new();
        let answer = self.try_order(logon, &key).await.prepares("newOrder")?;
        let order = answer.object(201).prepares("newOrder")?;
        self.until_valid(Placed { order, key }).await
    }

    /// Reads an order in `processing` until it is `valid`.
    pub async fn until_valid(&self, mut placed: Placed) -> Outcome<Placed> {
        for _ in 0..POLLS {
            match &placed.order.status {
                Status::Valid { .. } => return Ok(placed),
                Status::Processing { .. } => tokio::time::sleep(Duration::from_secs(1)).await,
                other => {
                    let said = format!("an order that is {} before it was valid", other.name());
                    return Err(Stop::Blocked(said));
                }
            }
            let by = placed.by_key();
            placed.order = self.read_order(placed.url(), &by).await.prepares("the order")?;
        }
        Err(Stop::blocked("the order stays in `processing`"))
    }

    /// Reads an order.
    pub async fn read_order(&self, url: &Url, by: &By) -> Outcome<Order> {
        self.read(url, by).await?.object(200)
    }

    /// Finds the order of a key.
    pub async fn try_find(&self, key: &Key) -> Outcome<Answer> {
        let url = self.directory().await?.find_order.clone();
        self.post(Operation::FindOrder, &url, &By::Key(key.clone()), json!({})).await
    }

    /// Confirms an order with a certificate.
    pub async fn try_confirm(&self, url: &Url, pair: &Pair, payload: Value) -> Outcome<Answer> {
        self.post(Operation::Confirm, url, &By::Certificate(pair.clone()), payload).await
    }

    /// Confirms a valid order with its own certificate.
    pub async fn confirm(&self, placed: &Placed) -> Outcome<Renewed> {
        let pair = placed.pair()?;
        let answer = self.try_confirm(&placed.issued()?.confirm, &pair, json!({})).await;
        let completed: Order = answer.and_then(|answer| answer.object(200)).prepares("confirm")?;
        if !matches!(completed.status, Status::Completed { .. }) {
            return Err(Stop::blocked(format_args!(
                "confirm: an order {}",
                completed.status.name()
            )));
        }
        Ok(Renewed { pair, placed: placed.clone(), completed })
    }

    /// Cancels an order by this session.
    pub async fn try_cancel(&self, placed: &Placed, logon: &Logon) -> Outcome<Answer> {
        let payload = json!({ "key": placed.order.key.to_string() });
        self.post(Operation::Cancel, placed.cancel()?, &logon.by(), payload).await
    }

    /// Cancels an order that can be canceled.
    pub async fn cancel(&self, placed: &Placed, logon: &Logon) -> Outcome<Order> {
        let answer = self.try_cancel(placed, logon).await;
        answer.and_then(|answer| answer.object(200)).prepares("cancel")
    }

    /// Rolls an order back by a recovery session.
    pub async fn try_roll_back(&self, order: &Order, logon: &Logon) -> Outcome<Answer> {
        let payload = json!({ "key": order.key.to_string() });
        self.post(Operation::Rollback, &logon.rollback()?, &logon.by(), payload).await
    }

    /// A whole renewal of a person's certificate.
    pub async fn renew(&self, person: &Person) -> Outcome<Renewed> {
        let logon = self.log_on(person).await?;
        let placed = self.order(&logon).await?;
        self.confirm(&placed).await
    }

    /// Revokes.
    pub async fn try_revoke(&self, by: &By, payload: Value) -> Outcome<Answer> {
        let url = self.directory().await?.revoke_cert.clone();
        self.post(Operation::RevokeCert, &url, by, payload).await
    }

    /// A certificate revokes itself.
    pub async fn revoke_itself(&self, pair: &Pair, reason: &str) -> Outcome {
        let payload = json!({ "certID": pair.cert_id().as_str(), "reason": reason });
        let answer = self.try_revoke(&By::Certificate(pair.clone()), payload).await;
        answer.and_then(|answer| answer.status(200)).prepares("revokeCert")
    }

    /// The receipt of an ended order, verified up to the bank's roots.
    pub fn receipt(&self, order: &Order) -> Outcome<Receipt> {
        let jws = match &order.status {
            Status::Completed { receipt, .. }
            | Status::Canceled { receipt }
            | Status::Invalid { receipt, .. }
            | Status::RolledBack { receipt, .. } => receipt,
            Status::Processing { .. } | Status::Valid { .. } => {
                return Err(Stop::fail("an order that has ended", order.status.name()));
            }
        };
        Receipt::verify(jws, &self.target.roots, default_verifier())
            .map_err(|error| Stop::fail("a receipt that verifies up to the bank's roots", error))
    }

    /// `renewalInfo` of a certificate.
    pub async fn try_renewal_info(&self, cert_id: &str) -> Outcome<Answer> {
        let prefix = &self.directory().await?.renewal_info;
        let path = format!("{}/{cert_id}", prefix.path());
        let headers = self.with_host(http::HeaderMap::new());
        self.send(http::Method::GET, &path, headers, Vec::new()).await
    }
}
