//! `status` and `list`

use clap::Args;
use koshin_client::Client;
use koshin_client::consent::Unattended;
use koshin_client::identity::Identity;
use koshin_client::status::{self, PairStatus, Status};
use koshin_protocol::renewal_info::Window;
use serde_json::{Value, json};

use super::admin::page;
use super::consent::{self, Person};
use super::context::{Context, Wish};
use super::failure::Failure;
use super::home::IdentityName;
use super::import::now;
use super::open_work::OpenWork;
use super::say::Say;
use super::secret::{KeyPassphrase, PinSource};

const STATUS: &str = "\
Shows the certificate in use, until when it is valid, when its renewal opens, what was begun and is not
finished, and what to do next. It asks the bank for its public rules alone, without logging on.

With --contract it logs on and shows what the bank has (契約法人ステータス画面). After a renewal that may still
be taken back, the first logon ends the right to do so: it asks before that, or takes --yes for consent.";

/// Show the certificate in use, its renewal window, and what to do next
#[derive(Debug, Args)]
#[command(long_about = STATUS)]
pub(crate) struct ShowStatus {
    /// Do not ask the bank for anything
    #[arg(long, conflicts_with = "contract")]
    offline: bool,
    /// Log on, and show the contract's status page, too
    #[arg(long)]
    contract: bool,
    /// Log on also where that ends the right to take the last renewal back
    #[arg(long, short, requires = "contract")]
    yes: bool,
    #[command(flatten)]
    pin: PinSource,
    #[command(flatten)]
    keys: KeyPassphrase,
}

const LIST: &str = "\
Shows the identities and their certificates: the one to use first, marked with *. Replaced ones follow
until they expire, and are hidden then.";

/// List the identities and their certificates
#[derive(Debug, Args)]
#[command(long_about = LIST)]
pub(crate) struct List {
    #[command(flatten)]
    keys: KeyPassphrase,
}

impl List {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        each(context, "listed", |name| {
            let identity = context.open_named(name, &self.keys)?;
            let status = status::of(&identity, now())?;
            let mut lines = vec![Say::Identity {
                name: name.to_string(),
                directory: identity.settings().directory.to_string(),
            }];
            lines.extend(certificates(&status));
            lines.extend(open_work(context, &status).map(|(say, _)| say));
            Ok((value(name, &identity, &status), lines))
        })
    }
}

impl ShowStatus {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        each(context, "status", |name| {
            let identity = context.open_named(name, &self.keys)?;
            context.block_on(self.of(context, name, identity))
        })
    }

    async fn of(
        &self,
        context: &Context,
        name: &IdentityName,
        identity: Identity,
    ) -> Result<(Value, Vec<Say>), Failure> {
        let status = status::of(&identity, now())?;
        let mut value = value(name, &identity, &status);
        let directory = identity.settings().directory.to_string();
        let mut lines = vec![Say::Identity { name: name.to_string(), directory }];
        lines.extend(certificates(&status));
        let mut next = None;
        for (say, command) in open_work(context, &status) {
            lines.push(say);
            next = next.or(Some(command));
        }
        let mut is_to_log_on = false;
        let client = if self.contract {
            let person = Person::with_pin_only(&context.output, &self.pin)?;
            let client = context.client(identity, person, Wish::default()).await?;
            is_to_log_on = self.may_log_on(context, &client).await?;
            client
        } else {
            context.client(identity, Unattended::default(), Wish::default()).await?
        };
        let current = status.pairs.first();
        let mut window = None;
        if current.is_some() && !self.offline {
            match client.window().await {
                Ok(found) => {
                    value["window"] = json!({ "opens": found.start(), "closes": found.end() });
                    window = Some(found);
                }
                // What the folder says is said, whether the bank can be asked or not.
                Err(error) => {
                    let why = context.output.tongue().error(&error);
                    value["windowUnknown"] = json!(why);
                    lines.push(Say::WindowUnknown { why });
                }
            }
        }
        let (say, advice) = advice(context, current, window);
        lines.push(say);
        if let Some(command) = next.or(advice) {
            value["next"] = json!(command);
            lines.push(Say::Next { command, is_administrators: false });
        }
        if is_to_log_on {
            let contract = client.contract().await?;
            lines.push(page(&contract));
            value["contract"] = json!(contract);
        }
        Ok((value, lines))
    }
}

impl ShowStatus {
    /// A look is not worth the right to take the last renewal back, unless the user says so.
    async fn may_log_on(&self, context: &Context, client: &Client) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        let Some(until) = client.rollback_until().await? else { return Ok(true) };
        if !context.output.is_attended() {
            return Err(Failure::usage(Say::LogonEndsRollback { until }));
        }
        Ok(consent::yes_or_no(&context.output, &Say::AskLogOn { until }))
    }
}

/// Does it for the identity that was named, else for all; one that cannot be looked at keeps no other from it.
fn each(
    context: &Context,
    outcome: &str,
    mut look: impl FnMut(&IdentityName) -> Result<(Value, Vec<Say>), Failure>,
) -> Result<(), Failure> {
    let (mut values, mut lines, mut failed) = (Vec::new(), Vec::new(), None);
    for name in context.home.meant()? {
        match look(&name) {
            Ok((value, of_it)) => {
                values.push(value);
                lines.extend(of_it);
            }
            Err(failure) => {
                let why = failure.message(&context.output);
                values.push(json!({ "identity": name.as_str(), "error": why }));
                lines.push(Say::IdentityFailed { name: name.to_string(), why });
                failed.get_or_insert(failure);
            }
        }
    }
    context.output.is_about_all();
    let value = json!({ "identities": values });
    context.output.result(context.command(), outcome, value, &Say::Lines(lines));
    failed.map_or(Ok(()), Err)
}

fn value(name: &IdentityName, identity: &Identity, status: &Status) -> Value {
    let certificates = status.pairs.iter().map(|pair| {
        json!({
            "certID": pair.cert_id,
            "subject": pair.certificate.subject().as_str(),
            "notBefore": pair.certificate.not_before(),
            "notAfter": pair.certificate.not_after(),
            "generation": pair.generation,
            "current": pair.is_current,
        })
    });
    let open = status.open.iter().map(|journal| OpenWork::of(journal.as_ref()).value());
    json!({
        "identity": name.as_str(),
        "folder": identity.folder().display().to_string(),
        "directory": identity.settings().directory,
        "keyStore": identity.settings().key_store,
        "certificates": certificates.collect::<Vec<_>>(),
        "open": open.collect::<Vec<_>>(),
    })
}

fn certificates(status: &Status) -> impl Iterator<Item = Say> {
    let none = status.pairs.is_empty().then_some(Say::NoCertificateYet);
    none.into_iter().chain(status.pairs.iter().map(|pair| Say::Certificate {
        subject: pair.certificate.subject().to_string(),
        cert_id: pair.cert_id.to_string(),
        until: pair.certificate.not_after(),
        is_current: pair.is_current,
    }))
}

/// What was begun and is not finished, each with the command that goes on with it.
fn open_work(context: &Context, status: &Status) -> impl Iterator<Item = (Say, String)> {
    let command = context.output.command("resume");
    status.open.iter().map(move |journal| {
        let say = Say::Open { work: OpenWork::of(journal.as_ref()) };
        (say, command.clone())
    })
}

/// What there is to do with the current certificate, and the command that does it.
fn advice(
    context: &Context,
    current: Option<&PairStatus>,
    window: Option<Window>,
) -> (Say, Option<String>) {
    let Some(current) = current else {
        return (Say::ToBeginWith, Some(context.output.command("import FILE...")));
    };
    let (now, until) = (now(), current.certificate.not_after());
    if until < now {
        return (Say::ExpiredNow, Some(context.output.command("enroll")));
    }
    match window {
        Some(window) if window.start() > now => (Say::OpensLater { opens: window.start() }, None),
        Some(_) => {
            let days = until.seconds_since(now) / 86_400;
            (Say::OpenNow { days }, Some(context.output.command("renew")))
        }
        None => (Say::DaysLeft { days: until.seconds_since(now) / 86_400 }, None),
    }
}
