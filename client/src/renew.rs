//! Renewing: the one call that does it all, and what belongs to it.

use std::time::Duration;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_protocol::remedy::Action;
use koshin_protocol::time::Time;

use crate::bank::Bank;
use crate::client::{Client, Run};
use crate::error::{Asked, Error, NoAnswer};
use crate::flow;
use crate::progress::{Event, Why};
use crate::retry::{self, Backoff};

/// How a renewal is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renewal {
    /// Cancel an open order of somebody else, or of a key that is lost, and begin anew.
    pub start_over: bool,
    /// Give up the right to roll back with the confirmation.
    pub is_final: bool,
    /// The user has chosen to renew already: the notice is not asked about again.
    pub is_decided: bool,
}

/// How it came out.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The new certificate counts.
    Renewed(Box<Renewed>),
    /// The user deferred the renewal to a later logon.
    Deferred {
        /// How often so far.
        deferrals: u32,
    },
    /// The order is canceled, the old certificate counts.
    Canceled,
    /// The renewal is rolled back, the old certificate counts again.
    RolledBack,
}

/// A pair that counts.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// The new certificate.
    pub certificate: Certificate,
    /// The number of its generation.
    pub generation: u64,
    /// The certificate that it replaced; none after an enrollment.
    pub replaced: Option<CertId>,
    /// Last second in which the renewal may be rolled back.
    pub rollback_until: Option<Time>,
}

impl Client {
    /// Renews the identity's certificate, from whatever the journals say: the whole of [`crate::flow`], repeated while it can
    /// make progress by itself.
    ///
    /// Cancel-safe: dropped at any await it leaves a state that the same call takes up.
    pub async fn renew(&self, wish: Renewal) -> Result<Outcome, Error> {
        let run = Run::new(self);
        let mut persistence = Persistence::default();
        loop {
            match flow::pass(&run, &wish).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => persistence.again(&self.bank, error).await?,
            }
        }
    }

    /// Takes up what was begun: a renewal, an enrollment that the bank has an order for, a cancel or a rollback. Begins nothing.
    ///
    /// Cancel-safe as [`Self::renew`].
    pub async fn resume(&self) -> Result<Outcome, Error> {
        if self.on_disk(crate::identity::Identity::resume).await?.is_empty() {
            return Err(Error::Nothing { what: "renewal under way" });
        }
        self.renew(Renewal { is_decided: true, ..Renewal::default() }).await
    }

    /// Defers the renewal to a later logon (次回ログイン時に更新する).
    pub async fn defer(&self) -> Result<Outcome, Error> {
        let run = Run::new(self);
        let mut persistence = Persistence::default();
        loop {
            match self.defer_once(&run).await {
                Ok(deferrals) => return Ok(Outcome::Deferred { deferrals }),
                Err(error) => persistence.again(&self.bank, error).await?,
            }
        }
    }

    async fn defer_once(&self, run: &Run<'_>) -> Result<u32, Error> {
        let mut session = crate::logon::log_on(run).await?;
        session.defer().await?;
        let deferrals = session.deferrals();
        self.report(&Event::Deferred { deferrals });
        session.log_off().await.ok();
        Ok(deferrals)
    }
}

/// Repeats what may make progress: after no answer, and after refusals whose remedy is to look again (SPEC.md 12.4), so
/// many times and no more.
#[derive(Default)]
pub(crate) struct Persistence {
    backoff: Backoff,
}

impl Persistence {
    /// Waits as long as it takes before the next attempt; gives the error back if there is none.
    pub(crate) async fn again(&mut self, bank: &Bank, error: Error) -> Result<(), Error> {
        let (Some(again), Some(grown)) = (again(&error), self.backoff.next(retry::random())) else {
            return Err(error);
        };
        match again {
            Again::Soon => Ok(()),
            Again::After(wait) => bank.wait(wait.unwrap_or(grown), Why::NoAnswer).await,
        }
    }
}

enum Again {
    Soon,
    After(Option<Duration>),
}

fn again(error: &Error) -> Option<Again> {
    match error {
        Error::NoAnswer { asked: Asked::Directory | Asked::Nonce, .. } => None,
        // What explains itself by its status alone is acted on by that (ERR-07).
        Error::NoAnswer { cause: NoAnswer::Status(status), .. }
            if Action::by_status(*status) == Action::Stop =>
        {
            None
        }
        Error::NoAnswer { retry_after, .. } => Some(Again::After(*retry_after)),
        Error::Refused(refusal) => {
            if matches!(refusal.asked, Asked::Signed(Operation::NewSession)) {
                return None;
            }
            match refusal.problem.token() {
                Some(Token::KeyReused | Token::BadCsr | Token::SessionEnded) => Some(Again::Soon),
                Some(Token::RollbackEnded | Token::RollbackDisabled | Token::DeferralRefused) => {
                    None
                }
                _ => match refusal.problem.remedy.action {
                    Action::Logon
                    | Action::ResumeOrder
                    | Action::UseSuccessor
                    | Action::UsePredecessor => Some(Again::Soon),
                    _ => None,
                },
            }
        }
        _ => None,
    }
}
