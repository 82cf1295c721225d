//! Refusals, judged beside the same request without the defect.

use koshin_protocol::problem::{Problem, Token};

use super::Bank;
use super::answer::Answer;
use super::draft::Draft;
use super::good::Good;
use crate::case::{Outcome, Prepares as _, Stop};

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
