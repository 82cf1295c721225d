//! The plain things. Each is a case by itself, and what other cases build upon: a client that cannot do it shows nothing
//! by not doing what it must not.

use super::deed::Deed;
use super::stage::{Play, Setup, Stage};
use super::truth::exits;
use crate::case::{Outcome, Stop, ensure};

/// Something that a client can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    /// Renews.
    Renew,
    /// Takes up what was begun.
    Resume,
    /// Defers.
    Defer,
    /// Cancels.
    Cancel,
    /// Rolls back.
    Rollback,
    /// Enrolls with a ticket.
    Enroll,
}

/// How many there are.
pub(crate) const ABILITIES: usize = 6;

impl Ability {
    /// All of them.
    pub(crate) const ALL: [Self; ABILITIES] =
        [Self::Renew, Self::Resume, Self::Defer, Self::Cancel, Self::Rollback, Self::Enroll];

    /// The case that shows it.
    pub(crate) const fn slug(self) -> &'static str {
        match self {
            Self::Renew => "plain/renew",
            Self::Resume => "plain/resume",
            Self::Defer => "plain/defer",
            Self::Cancel => "plain/cancel",
            Self::Rollback => "plain/rollback",
            Self::Enroll => "plain/enroll",
        }
    }
}

/// Tries it.
pub(crate) async fn tried(play: Play, ability: Ability) -> Outcome {
    match ability {
        Ability::Renew => renew(play).await,
        Ability::Resume => resume(play).await,
        Ability::Defer => defer(play).await,
        Ability::Cancel => cancel(play).await,
        Ability::Rollback => rollback(play).await,
        Ability::Enroll => enroll(play).await,
    }
}

async fn renew(play: Play) -> Outcome {
    let stage = play.set(Setup::default()).await?;
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

async fn resume(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.begin().await?;
    let ended = stage.run("resume").await?;
    stage.renewed(&ended).await
}

async fn defer(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let ended = stage.run("defer").await?;
    exits(&ended, &[0])?;
    let deferrals = stage.current().await?.deferrals;
    ensure(deferrals == 1, "the bank counts one deferral", deferrals)?;
    stage.none_since(0, "newOrder")?;
    stage.holds_the_old_pair()
}

async fn cancel(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.begin().await?;
    let ended = stage.run("cancel").await?;
    exits(&ended, &[0])?;
    stage.order_is("canceled").await?;
    stage.holds_the_old_pair()
}

async fn rollback(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let ended = stage.renew().await?;
    stage.renewed(&ended).await?;
    let ended = stage.run("rollback").await?;
    exits(&ended, &[0])?;
    stage.order_is("rolledBack").await?;
    stage.holds_the_old_pair()
}

async fn enroll(play: Play) -> Outcome {
    let mut stage = play.set(Setup::default()).await?;
    stage.reissue().await?;
    let ended = stage.run("enroll").await?;
    stage.renewed(&ended).await
}

impl Stage {
    /// Has the client renew, whole.
    pub(crate) async fn renewed_before(&self) -> Outcome {
        let ended = self.renew().await?;
        self.renewed(&ended)
            .await
            .map_err(|stop| Stop::blocked(format_args!("the renewal before: {stop}")))
    }

    /// Has the bank refuse the client's every request of that operation with this problem.
    pub(crate) fn refuse(&self, operation: &'static str, token: &str, status: u16, action: &str) {
        self.every(operation, Deed::say(super::forge::problem(token, status, action)));
    }
}
