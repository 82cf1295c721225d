//! What the played bank does on purpose to a request, and to which.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use koshin_server::mischief::{Prank, RetryAfter};

use super::forge::{problem, processing};
use super::seen::{Made, Seen};

/// Makes an answer in the bank's place.
type Make = Arc<dyn Fn(&Seen) -> Made + Send + Sync>;

/// Changes the bank's answer.
type Change = Arc<dyn Fn(&Seen, &mut Made) + Send + Sync>;

/// What is done to a request.
#[derive(Clone)]
pub(crate) enum Deed {
    /// The bank acts, and nothing is done.
    Nothing,
    /// The client is killed; the bank never sees the request.
    KillBefore,
    /// The bank acts; the client is killed before it gets the answer.
    KillAfter,
    /// The connection breaks; the bank never sees the request.
    LoseRequest,
    /// The bank acts; the connection breaks before the answer.
    LoseAnswer,
    /// The bank acts; the answer breaks off in its middle.
    Truncate,
    /// The bank acts, and answers so much later.
    Delay(Duration),
    /// The bank never sees the request; this is answered.
    Answer(Make),
    /// The bank acts, and its answer is changed.
    Change(Change),
}

impl Deed {
    /// Answers in the bank's place.
    pub(crate) fn answer(make: impl Fn(&Seen) -> Made + Send + Sync + 'static) -> Self {
        Self::Answer(Arc::new(make))
    }

    /// Answers always the same in the bank's place.
    pub(crate) fn say(made: Made) -> Self {
        Self::answer(move |_| made.clone())
    }

    /// Changes the bank's answer.
    pub(crate) fn change(change: impl Fn(&Seen, &mut Made) + Send + Sync + 'static) -> Self {
        Self::Change(Arc::new(change))
    }

    /// Changes the JSON of the bank's answer, if it is a success.
    pub(crate) fn edit(edit: impl Fn(&mut serde_json::Value) + Send + Sync + 'static) -> Self {
        Self::change(move |_, made| made.edit(&edit))
    }

    /// A prank of the bank, done to this request.
    pub(crate) fn of(prank: Prank, seen: &Seen) -> Self {
        let wait = |token, status, after: RetryAfter| {
            Self::answer(move |_| {
                let value = after.value(SystemTime::now());
                let value = value.to_str().unwrap_or("1");
                problem(token, status, "wait").with("retry-after", value)
            })
        };
        match prank {
            Prank::RejectNonce if !seen.is_signed() => Self::Nothing,
            Prank::RejectNonce => Self::answer(|_| problem("badNonce", 400, "retry")),
            Prank::DropResponse => Self::LoseAnswer,
            Prank::Delay(time) => Self::Delay(time),
            Prank::RateLimited(after) => wait("rateLimited", 429, after),
            Prank::Unavailable(after) => wait("unavailable", 503, after),
            Prank::Processing => processing(1, Some("1")),
        }
    }

    /// What the report says of it.
    pub(crate) fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Nothing => return None,
            Self::KillBefore => "the client was killed before the bank acted",
            Self::KillAfter => "the bank acted; the client was killed before the answer",
            Self::LoseRequest => "the connection broke before the bank acted",
            Self::LoseAnswer => "the bank acted; the connection broke before the answer",
            Self::Truncate => "the bank acted; the answer broke off in its middle",
            Self::Delay(_) => "the bank acted; the answer was delayed",
            Self::Answer(_) => "answered in the bank's place",
            Self::Change(_) => "the bank's answer, changed on purpose",
        })
    }
}

/// To which requests something is done.
#[derive(Clone)]
pub(crate) struct Rule {
    operation: &'static str,
    skip: usize,
    times: usize,
    deed: Deed,
}

impl Rule {
    /// To the first request of that operation (`newOrder`, `read order`, `directory`).
    pub(crate) fn first(operation: &'static str, deed: Deed) -> Self {
        Self { operation, skip: 0, times: 1, deed }
    }

    /// To every one.
    pub(crate) fn every(operation: &'static str, deed: Deed) -> Self {
        Self { operation, skip: 0, times: usize::MAX, deed }
    }

    /// To the first `times`.
    pub(crate) fn times(operation: &'static str, times: usize, deed: Deed) -> Self {
        Self { operation, skip: 0, times, deed }
    }

    /// What it does to this one, if it is one of them.
    pub(crate) fn meets(&mut self, seen: &Seen) -> Option<Deed> {
        let fits = seen.is(self.operation) || (self.operation == "signed" && seen.is_signed());
        if !fits || self.times == 0 {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.deed.clone())
    }
}
