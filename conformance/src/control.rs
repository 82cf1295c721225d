//! What a tester's command does to the bank from outside (SPEC.md B.2).

use koshin_protocol::revocation::Reason;
use koshin_protocol::time::Time;
use serde::{Deserialize, Serialize};

use crate::adapter::{Answering, Command};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Request {
    /// The bank is killed without warning.
    Kill,
    /// It is started again, and answers.
    Start,
    /// Issuing fails for the time being.
    CaDown,
    /// Issuing works.
    CaUp,
    /// Issuing takes so long.
    CaSlow {
        /// How long.
        seconds: u32,
    },
    /// An operator unlocks the PIN.
    Unlock {
        /// Whose.
        subject: String,
    },
    /// An operator stops the service for a subject.
    Disable {
        /// For whom.
        subject: String,
    },
    /// Operators reissue.
    Reissue {
        /// For whom.
        subject: String,
        /// Why.
        reason: Reason,
        /// Last second in which the code may be redeemed, where that is to be sooner than by the bank's policy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Time>,
    },
}

/// What comes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The ticket (SPEC.md 13.3) of `reissue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

/// Whoever has power over the bank under test.
pub trait Control: Send + Sync {
    /// Does it.
    fn control(&self, request: Request) -> Answering<'_, Answer>;
}

impl Control for Command {
    fn control(&self, request: Request) -> Answering<'_, Answer> {
        Box::pin(async move { self.call(&request).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_words_of_spec_md() {
        let subject = || "a-1".to_owned();
        let reissue =
            |expires| Request::Reissue { subject: subject(), reason: Reason::KeyLost, expires };
        let soon = Time::from_unix(1_800_000_000).expect("a time");
        for (request, expected) in [
            (Request::CaDown, r#"{"do":"caDown"}"#),
            (Request::CaSlow { seconds: 3 }, r#"{"do":"caSlow","seconds":3}"#),
            (Request::Disable { subject: subject() }, r#"{"do":"disable","subject":"a-1"}"#),
            (reissue(None), r#"{"do":"reissue","subject":"a-1","reason":"keyLost"}"#),
            (
                reissue(Some(soon)),
                r#"{"do":"reissue","subject":"a-1","reason":"keyLost","expires":"2027-01-15T08:00:00Z"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&request).expect("JSON"), expected);
        }
    }
}
