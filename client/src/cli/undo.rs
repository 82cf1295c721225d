//! `defer`, `cancel` and `rollback`

use clap::Args;
use koshin_client::error::Declined;
use koshin_client::{Client, Error, Later, Outcome};

use super::consent::{self, Agreed, Person};
use super::context::{Context, Wish};
use super::failure::Failure;
use super::renew::{Waiting, tell};
use super::say::Say;
use super::secret::{KeyPassphrase, PinSource};

/// What all three take.
#[derive(Debug, Args)]
struct Access {
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    pin: PinSource,
    #[command(flatten)]
    keys: KeyPassphrase,
}

impl Access {
    fn act(
        &self,
        context: &Context,
        act: impl for<'a> FnOnce(&'a Client) -> Later<'a, Result<Outcome, Error>>,
    ) -> Result<(), Failure> {
        let person = Person::with_pin_only(&context.output, &self.pin)?;
        let identity = context.open(&self.keys)?;
        let wish = Wish { patience: Some(self.waiting.patience()), key_type: None };
        context.block_on(async {
            let client = context.client(identity, person, wish).await?;
            let outcome = act(&client).await?;
            tell(context, &client, outcome);
            Ok(())
        })
    }
}

const DEFER: &str = "\
Records that you renew at a later logon (次回ログイン時に更新する). You are asked again at the next one.
A certificate that has expired cannot be renewed: do not defer for too long.";

/// Put the renewal off to a later logon
#[derive(Debug, Args)]
#[command(long_about = DEFER)]
pub(crate) struct Defer {
    #[command(flatten)]
    access: Access,
}

impl Defer {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        self.access.act(context, |client| Box::pin(client.defer()))
    }
}

const CANCEL: &str = "\
Cancels the renewal that was begun here and is not confirmed yet: the old certificate is in use again
at once, and the bank revokes the new one. It has no other consequence. Where it is too late for that,
the renewal is completed instead.";

/// Cancel the renewal that is under way
#[derive(Debug, Args)]
#[command(long_about = CANCEL)]
pub(crate) struct Cancel {
    #[command(flatten)]
    access: Access,
}

impl Cancel {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        self.access.act(context, |client| Box::pin(client.cancel()))
    }
}

const ROLLBACK: &str = "\
Takes the last renewal back, as long as the bank allows: the new certificate is revoked, and the old one
counts again. The right ends early: with the new certificate's first logon after the renewal.";

/// Take the last renewal back
#[derive(Debug, Args)]
#[command(long_about = ROLLBACK)]
pub(crate) struct Rollback {
    /// Do not ask whether the new certificate may be revoked
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    access: Access,
}

impl Rollback {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        consent::sure(&context.output, &Agreed { yes: self.yes }, &Say::AskRollback)?;
        self.access.act(context, |client| Box::pin(client.rollback()))
    }
}

impl From<Declined> for Failure {
    fn from(declined: Declined) -> Self {
        Error::Declined(declined).into()
    }
}
