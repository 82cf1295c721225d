//! `enroll`

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use koshin_client::Error;
use koshin_client::error::Declined;
use koshin_client::identity::Identity;
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::ticket::{MAX_TICKET, Ticket};
use zeroize::Zeroizing;

use super::consent::{self, Agreed, Person};
use super::context::{Context, Wish};
use super::failure::Failure;
use super::import::NewIdentity;
use super::renew::{Waiting, key_types, tell};
use super::say::Say;
use super::secret::{self, KeyPassphrase, PinSource};

const LONG: &str = "\
Gets a certificate with an enrollment ticket (取得用紙), which an administrator or the bank gives to those
whose certificate expired or was lost. Every other certificate of the same name is revoked.

The ticket is a line that begins with koshin-ticket: and holds a one-time code. It is read from FILE,
from standard input (-), from KOSHIN_TICKET, or typed in; never from the command line. After an
interruption give the same ticket again.

Examples:
  koshin enroll --trust roots.pem
  koshin enroll ticket.txt --trust roots.pem --identity hanako
  koshin enroll - --yes --json --directory https://bank.example/directory --trust roots.pem < ticket.txt";

/// Get a certificate with an enrollment ticket
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Enroll {
    /// File with the ticket; - for standard input
    #[arg(value_name = "FILE")]
    ticket: Option<PathBuf>,
    #[command(flatten)]
    agreed: Agreed,
    /// Type of the new key
    #[arg(long, value_name = "TYPE", value_parser = key_types())]
    key_type: Option<KeyType>,
    #[command(flatten)]
    bank: NewIdentity,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    pin: PinSource,
    #[command(flatten)]
    keys: KeyPassphrase,
}

impl Enroll {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let person = Person::new(&context.output, &self.agreed, &self.pin)?;
        let text = self.text(context)?;
        let ticket = text.trim().parse::<Ticket>().map_err(Error::from)?;
        self.accept(context, &ticket)?;
        let identity = self.identity(context, &ticket)?;
        let wish = Wish { patience: Some(self.waiting.patience()), key_type: self.key_type };
        context.block_on(async {
            let client = context.client(identity, person.with_accepted_ticket(), wish).await?;
            let outcome = client.enroll(&ticket).await?;
            tell(context, &client, outcome);
            Ok(())
        })
    }

    fn text(&self, context: &Context) -> Result<Zeroizing<String>, Failure> {
        if let Some(path) = &self.ticket {
            return if path.as_os_str() == "-" {
                read(&mut io::stdin().lock(), path)
            } else {
                let file = File::open(path).map_err(|error| Failure::input(path, error));
                read(&mut file?, path)
            };
        }
        if let Ok(text) = env::var("KOSHIN_TICKET") {
            return Ok(Zeroizing::new(text));
        }
        if !context.output.is_attended() {
            return Err(Failure::usage(Say::TicketNeeded));
        }
        secret::typed(&context.output, &Say::AskTicket)
    }

    /// The bank and the name are shown and accepted before anything is set up or sent (COD-12).
    fn accept(&self, context: &Context, ticket: &Ticket) -> Result<(), Failure> {
        let (directory, name) = (ticket.directory.to_string(), ticket.name.to_string());
        let is_agreed = self.agreed.yes
            || consent::yes_or_no(&context.output, &Say::AskEnroll { directory, name });
        if is_agreed { Ok(()) } else { Err(Declined::Enroll.into()) }
    }

    fn identity(&self, context: &Context, ticket: &Ticket) -> Result<Identity, Failure> {
        let name = context.home.chosen_or_new()?;
        // Consent in advance is consent to a bank that was named.
        let accepted = (!self.agreed.yes).then(|| ticket.directory.clone());
        let identity = self.bank.open_or_create(context, &name, accepted, &self.keys)?;
        if let Some(current) = identity.current()? {
            let (ours, found) =
                (current.certificate.subject().to_string(), ticket.name.to_string());
            if ours != found {
                let name = name.to_string();
                return Err(Failure::usage(Say::OtherSubject { name, ours, found }));
            }
        }
        Ok(identity)
    }
}

fn read(from: &mut dyn Read, path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_TICKET + 2));
    let limit = u64::try_from(MAX_TICKET).unwrap_or(u64::MAX) + 2;
    from.take(limit).read_to_string(&mut text).map_err(|error| Failure::input(path, error))?;
    Ok(text)
}
