//! A case: one thing that a bank or a client is asked to show, with the requirements that it shows.
//!
//! ```
//! use koshin_conformance::case::{Case, Side};
//!
//! let one = Case::<()>::new(Side::Server, "order/accepted", "A newOrder in the window is answered 201 and the order.")
//!     .shows(&["ORD-01"])
//!     .run(|()| async { Ok(()) });
//! assert_eq!(one.about.slug, "order/accepted");
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::requirements::Level;

/// Whom a case tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// A bank.
    Server,
    /// A client.
    Client,
}

/// What a case needs beside the thing under test itself; without it the case is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Need {
    /// The command of `--control` (SPEC.md B.2).
    Control,
    /// A bank of profile `full`.
    Full,
    /// A bank that asks for PINs.
    Pin,
    /// A bank whose policy has a rollback.
    Rollback,
    /// A bank that publishes CRLs.
    Crl,
    /// Nothing else may run at the same time: it disturbs the whole bank.
    Alone,
    /// Nothing that has something issued may run at the same time: it disturbs the CA.
    Ca,
    /// It waits for a time to come: it begins early and takes no other case's turn.
    Time,
    /// Likewise, and so long that what disturbs the CA runs meanwhile: it has nothing issued.
    Long,
}

/// What is known of a case without running it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// Stable name, `order/same-key-same-order`.
    pub slug: String,
    /// Whom it tests.
    pub side: Side,
    /// Section of SPEC.md: that of its first requirement.
    pub section: String,
    /// Ids of the requirements that it shows.
    pub requirements: Vec<String>,
    /// The strongest level among its requirements.
    pub level: Level,
    /// What it shows, in one sentence.
    pub sentence: String,
    /// What it needs.
    pub needs: Vec<Need>,
}

/// Why a case did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The thing under test does otherwise than SPEC.md says.
    Fail {
        /// What SPEC.md wants.
        expected: String,
        /// What was seen.
        actual: String,
    },
    /// The case does not apply here, or cannot be tried.
    Skipped(String),
    /// Something that the case builds upon did not work, so that it shows nothing.
    Blocked(String),
}

impl Stop {
    /// A failure.
    pub fn fail(expected: impl fmt::Display, actual: impl fmt::Display) -> Self {
        Self::Fail { expected: expected.to_string(), actual: actual.to_string() }
    }

    /// Blocked by something.
    pub fn blocked(by: impl fmt::Display) -> Self {
        Self::Blocked(by.to_string())
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail { expected, actual } => write!(f, "expected {expected}; got {actual}"),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
            Self::Blocked(by) => write!(f, "blocked: {by}"),
        }
    }
}

/// How a case ends.
pub type Outcome<T = ()> = Result<T, Stop>;

/// Makes a failed step one that only prepares: what fails in it blocks the case instead of failing it.
pub trait Prepares<T> {
    /// `what` is said where it fails, as in "blocked: log on: expected 201; got 500".
    fn prepares(self, what: &str) -> Outcome<T>;
}

impl<T> Prepares<T> for Outcome<T> {
    fn prepares(self, what: &str) -> Self {
        self.map_err(|stop| match stop {
            Stop::Fail { .. } => Stop::blocked(format_args!("{what}: {stop}")),
            Stop::Blocked(by) => Stop::Blocked(by),
            Stop::Skipped(why) => Stop::Skipped(why),
        })
    }
}

/// Fails unless `holds`.
pub fn ensure(holds: bool, expected: impl fmt::Display, actual: impl fmt::Display) -> Outcome {
    if holds { Ok(()) } else { Err(Stop::fail(expected, actual)) }
}

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Run<T> = Arc<dyn Fn(T) -> Running + Send + Sync>;

/// A case that is run with a `T`: what one case sees of the thing under test.
pub struct Case<T> {
    /// What it is.
    pub about: About,
    /// After how long it counts as failed.
    pub longest: Duration,
    run: Run<T>,
}

impl<T> Clone for Case<T> {
    fn clone(&self) -> Self {
        Self { about: self.about.clone(), longest: self.longest, run: Arc::clone(&self.run) }
    }
}

impl<T> fmt::Debug for Case<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.about.fmt(f)
    }
}

impl<T: 'static> Case<T> {
    /// Begins a case, which [`Draft::run`] ends.
    #[allow(clippy::new_ret_no_self, reason = "the builder is private to this one purpose")]
    pub fn new(side: Side, slug: impl Into<String>, sentence: impl Into<String>) -> Draft {
        Draft {
            about: About {
                slug: slug.into(),
                side,
                section: String::new(),
                requirements: Vec::new(),
                level: Level::May,
                sentence: sentence.into(),
                needs: Vec::new(),
            },
            longest: Duration::from_mins(1),
        }
    }

    /// Runs it.
    pub fn run(&self, with: T) -> impl Future<Output = Outcome> + Send + 'static {
        (self.run)(with)
    }

    /// Whether it needs this.
    pub fn needs(&self, need: Need) -> bool {
        self.about.needs.contains(&need)
    }
}

/// A case that does not say yet how it is run.
#[derive(Debug, Clone)]
pub struct Draft {
    about: About,
    longest: Duration,
}

impl Draft {
    /// The requirements that it shows, the one that it is about first.
    pub fn shows(mut self, requirements: &[&str]) -> Self {
        self.about.requirements = requirements.iter().map(|&id| id.to_owned()).collect();
        self
    }

    /// What it needs.
    pub fn needs(mut self, needs: &[Need]) -> Self {
        self.about.needs.extend(needs);
        self
    }

    /// After how many seconds it counts as failed, where a minute is not enough.
    pub fn within(mut self, seconds: u64) -> Self {
        self.longest = Duration::from_secs(seconds);
        self
    }

    /// How it is run.
    pub fn run<T, F, R>(mut self, run: F) -> Case<T>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let rows =
            self.about.requirements.iter().filter_map(|id| crate::requirements::embedded(id));
        self.about.level = rows.clone().map(|row| row.level).min().unwrap_or(Level::May);
        self.about.section =
            rows.clone().next().map_or_else(String::new, |row| row.section.clone());
        Case {
            about: self.about,
            longest: self.longest,
            run: Arc::new(move |with| Box::pin(run(with))),
        }
    }
}
