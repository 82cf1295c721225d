//! Requests that this run saw accepted: what a refusal is judged beside. Each is tried once in a run, and shared.

use std::sync::{Arc, PoisonError};

use koshin_protocol::operation::Operation;
use koshin_protocol::subject::Role;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::Bank;
use super::draft::{By, Draft};
use crate::case::{Outcome, Prepares as _};

/// A request that is right, changes nothing that matters, and so can be sent any number of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Good {
    /// A logon, by `x5c`, of a user who has no PIN.
    Logon,
    /// A read of a session, by `kid`.
    Read,
    /// findOrder, by `jwk`, with a key that has an order.
    Find,
    /// A read of a contract, by the `kid` of an administrator.
    Contract,
}

/// What is kept of it, once it was tried.
pub type Accepted = OnceCell<Outcome<Arc<Draft>>>;

impl Good {
    /// Its name in what blocks a case.
    fn said(self) -> &'static str {
        match self {
            Self::Logon => "the same logon without the defect",
            Self::Read => "the same read of a session without the defect",
            Self::Find => "the same findOrder without the defect",
            Self::Contract => "the same read of a contract without the defect",
        }
    }
}

impl Bank {
    /// The draft of a request that was accepted, to be made wrong.
    pub async fn good(&self, good: Good) -> Outcome<Draft> {
        let cell = {
            let mut goods = self.target.goods.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(goods.entry(good).or_default())
        };
        let made = cell.get_or_init(|| async {
            let draft = self.make(good).await?;
            let answer = self.deliver(draft.clone()).await?;
            answer.status(if good == Good::Logon { 201 } else { 200 })?;
            Ok(Arc::new(draft))
        });
        let draft = made.await.clone().prepares(good.said())?;
        Ok((*draft).clone())
    }

    async fn make(&self, good: Good) -> Outcome<Draft> {
        let directory = self.directory().await?;
        Ok(match good {
            Good::Logon => {
                let by = By::Certificate(self.user().await?.pair);
                let payload = self.logon_payload(None, "renewal").await?;
                self.draft(Operation::NewSession, &directory.new_session, &by, &payload)
            }
            Good::Read => {
                let logon = self.log_on(&self.user().await?).await?;
                self.draft(Operation::Read, &logon.url, &logon.by(), &Value::Null)
            }
            Good::Find => {
                let logon = self.log_on(&self.user().await?).await?;
                let placed = self.order(&logon).await?;
                let by = By::Key(placed.key);
                self.draft(Operation::FindOrder, &directory.find_order, &by, &json!({}))
            }
            Good::Contract => {
                let administrator = self.wanted(Role::Administrator).await?;
                let logon = self.log_on(&self.person(administrator).await?).await?;
                let url = logon.contract()?;
                self.draft(Operation::Read, &url, &logon.by(), &Value::Null)
            }
        })
    }
}
