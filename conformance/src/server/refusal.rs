//! Refusals, judged beside the same request without the defect.

use std::sync::Arc;

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::{Problem, Token};
use serde_json::json;

use super::answer::Answer;
use super::draft::{By, Draft};
use super::good::Good;
use super::key::Key;
use super::{Bank, case};
use crate::case::{Case, Outcome, Prepares as _, Stop};

impl Bank {
    /// A request that this run saw accepted is refused with `token` once it has the defect.
    pub async fn refuses(
        &self,
        good: Good,
        defect: impl FnOnce(Draft) -> Draft,
        token: Token,
    ) -> Outcome<Problem> {
        let draft = self.good(good).await?;
        self.deliver(defect(draft)).await?.refused(token)
    }

    /// A request with a defect is refused with `token`, and the same request without it is accepted right after: the refusal was
    /// the defect's, and it changed nothing.
    pub async fn refuses_before(
        &self,
        wrong: Draft,
        token: Token,
        right: Draft,
    ) -> Outcome<(Problem, Answer)> {
        let refused = self.deliver(wrong).await?;
        if refused.is_good() {
            return Err(refused.not(&format!("{} {token}", token.status())));
        }
        let accepted = self.deliver(right).await?;
        if !accepted.is_good() {
            return Err(accepted.not("success")).prepares("the same request without the defect");
        }
        Ok((refused.refused(token)?, accepted))
    }
}

/// Two answers that must not tell what is foreign from what is absent: they differ in nothing but what AUT-06 allows.
pub fn alike(absent: &Answer, foreign: &Answer) -> Outcome {
    let essence = |answer: &Answer| {
        let mut value = answer.value();
        if let Some(members) = value.as_object_mut() {
            members.remove("serverTime");
            members.remove("instance");
        }
        let mut headers: Vec<(String, String)> = answer
            .headers
            .iter()
            .filter(|(name, _)| {
                !["date", "replay-nonce", "content-length"].contains(&name.as_str())
            })
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        headers.sort();
        (answer.status, headers, value)
    };
    let (one, other) = (essence(absent), essence(foreign));
    if one == other {
        return Ok(());
    }
    Err(Stop::fail(
        format_args!("the answer for what is absent: {} {:?} {}", one.0, one.1, one.2),
        format_args!("{} {:?} {}", other.0, other.1, other.2),
    ))
}

/// What a defect is tried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// A request that this run saw accepted.
    Good(Good),
    /// A newOrder, which is then carried out.
    NewOrder,
    /// The cancel of an order in `valid`, likewise.
    Cancel,
    /// The confirm of an order in `valid`, likewise.
    Confirm,
    /// The logoff of a session, likewise.
    Logoff,
    /// The logon of a user whose key signs with this algorithm, likewise.
    LogonBy(Algorithm),
}

impl From<Good> for On {
    fn from(good: Good) -> Self {
        Self::Good(good)
    }
}

/// A case that shows a request refused for one defect, and accepted without it.
pub(crate) fn refuses(
    on: impl Into<On>,
    token: Token,
    slug: impl Into<String>,
    sentence: impl Into<String>,
    shows: &[&str],
    defect: impl Fn(Draft) -> Draft + Send + Sync + 'static,
) -> Case<Bank> {
    let (on, defect) = (on.into(), Arc::new(defect));
    case(slug, sentence).shows(shows).run(move |bank: Bank| {
        let defect = Arc::clone(&defect);
        async move {
            if let On::Good(good) = on {
                return bank.refuses(good, |draft| defect(draft), token).await.map(drop);
            }
            let right = bank.right(on).await?;
            bank.refuses_before(defect(right.clone()), token, right).await.map(drop)
        }
    })
}

/// A case that shows a logon that is malformed in one thing.
pub(crate) fn malformed(
    slug: impl Into<String>,
    sentence: &str,
    shows: &str,
    defect: impl Fn(Draft) -> Draft + Send + Sync + 'static,
) -> Case<Bank> {
    let sentence = format!("{sentence} is malformed.");
    refuses(Good::Logon, Token::Malformed, slug, sentence, &[shows], defect)
}

impl Bank {
    /// A right request, of a user of its own where it changes something; not sent yet.
    pub(crate) async fn right(&self, on: On) -> Outcome<Draft> {
        let logged_on = async || self.log_on(&self.user().await?).await;
        Ok(match on {
            On::Good(good) => self.good(good).await?,
            On::LogonBy(algorithm) => {
                self.logon_draft(&self.user_signing(algorithm).await?.pair).await?
            }
            On::NewOrder => self.order_draft(&logged_on().await?, &Key::new()).await?,
            On::Cancel => {
                let logon = logged_on().await?;
                let placed = self.order(&logon).await?;
                let payload = json!({ "key": placed.order.key.to_string() });
                self.draft(Operation::Cancel, placed.cancel()?, &logon.by(), &payload)
            }
            On::Confirm => {
                let placed = self.order(&logged_on().await?).await?;
                let (url, by) = (&placed.issued()?.confirm, By::Certificate(placed.pair()?));
                self.draft(Operation::Confirm, url, &by, &json!({}))
            }
            On::Logoff => {
                let logon = logged_on().await?;
                let url = &logon.session.logoff;
                self.draft(Operation::Logoff, url, &logon.by(), &json!({}))
            }
        })
    }
}
