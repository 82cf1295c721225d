//! `admin`: what an administrator (管理者) does for the users of its contract.

mod reissue;
mod revoke;
mod unlock;
mod users;

use clap::{Args, Subcommand};
use koshin_client::Client;
use koshin_protocol::contract::{Contract, SubjectEntry};

pub(crate) use self::users::page;
use super::consent::Person;
use super::context::{Context, Wish};
use super::failure::Failure;
use super::say::Say;
use super::secret::{KeyPassphrase, PinSource};

const LONG: &str = "\
What an administrator (管理者) of a contract does for its users, with the administrator's own certificate.
Users are named by the ID or the name that `koshin admin users` shows.";

/// What an administrator does for the users of the contract
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Admin {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Users(users::Users),
    Reissue(reissue::Reissue),
    CancelReissue(reissue::CancelReissue),
    Unlock(unlock::Unlock),
    Revoke(revoke::Revoke),
}

impl Admin {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        match &self.what {
            What::Users(users) => users.run(context),
            What::Reissue(reissue) => reissue.run(context),
            What::CancelReissue(cancel) => cancel.run(context),
            What::Unlock(unlock) => unlock.run(context),
            What::Revoke(revoke) => revoke.run(context),
        }
    }
}

/// With what an administrator logs on.
#[derive(Debug, Args)]
pub(crate) struct Access {
    #[command(flatten)]
    pin: PinSource,
    #[command(flatten)]
    keys: KeyPassphrase,
}

impl Access {
    /// A client of the identity, whose PIN is asked for once.
    pub(crate) async fn client(&self, context: &Context) -> Result<Client, Failure> {
        let person = Person::with_pin_only(&context.output, &self.pin)?;
        let identity = context.open(&self.keys)?;
        context.client(identity, person, Wish::default()).await
    }
}

/// The user of this ID or name.
fn user<'a>(contract: &'a Contract, wanted: &str) -> Result<&'a SubjectEntry, Failure> {
    let entries = &contract.subjects;
    let found = entries.iter().find(|entry| entry.id.as_str() == wanted);
    let found = found.or_else(|| entries.iter().find(|entry| entry.name.as_str() == wanted));
    found.ok_or_else(|| {
        let names = entries.iter().map(|entry| format!("{}  {}", entry.id, entry.name));
        Failure::act(Say::NoSuchUser {
            wanted: wanted.to_owned(),
            users: names.collect::<Vec<_>>().join("\n  "),
        })
    })
}
