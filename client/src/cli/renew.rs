//! `renew` and `resume`

use std::path::Path;
use std::time::Duration;

use clap::Args;
use koshin_client::renew::Renewed;
use koshin_client::{Client, Outcome, Renewal};
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::cert_id::CertId;
use serde_json::json;

use super::consent::{Agreed, Person};
use super::context::{Context, Wish};
use super::failure::Failure;
use super::say::Say;
use super::secret::{KeyPassphrase, PinSource};

const LONG: &str = "\
Renews the certificate: logs on, asks whether now or at a later logon, makes a new key, has the bank
certify it, checks what came, switches to it, and confirms. What an earlier attempt left is taken up.
It may be stopped at any instant: the old certificate works until the new one is confirmed.

Examples:
  koshin renew
  koshin renew --yes --json --pin-file /run/secrets/koshin-pin";

/// Renew the certificate
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Renew {
    #[command(flatten)]
    agreed: Agreed,
    /// Cancel an open renewal that was begun elsewhere, or whose key is lost, and begin anew
    #[arg(long)]
    start_over: bool,
    /// Give up the right to roll back
    #[arg(long = "final")]
    is_final: bool,
    /// Type of the new key
    #[arg(long, value_name = "TYPE", value_parser = key_types())]
    key_type: Option<KeyType>,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    pin: PinSource,
    #[command(flatten)]
    keys: KeyPassphrase,
}

/// How long the bank may take.
#[derive(Debug, Args)]
pub(crate) struct Waiting {
    /// Longest single wait on the bank's word before this ends, to be resumed
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    max_wait: u64,
}

impl Waiting {
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.max_wait)
    }
}

impl Renew {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let person = Person::new(&context.output, &self.agreed, &self.pin)?;
        let identity = context.open(&self.keys)?;
        let wish = Wish { patience: Some(self.waiting.patience()), key_type: self.key_type };
        context.block_on(async {
            let client = context.client(identity, person, wish).await?;
            let renewal = Renewal {
                start_over: self.start_over,
                is_final: self.is_final,
                is_decided: self.agreed.yes,
            };
            let outcome = client.renew(renewal).await?;
            tell(context, &client, outcome);
            Ok(())
        })
    }
}

const RESUME: &str = "\
Takes up what was begun: a renewal or enrollment that was interrupted, a cancel or rollback that was
not finished. It begins nothing.

Example:
  koshin resume";

/// Take up what was interrupted
#[derive(Debug, Args)]
#[command(long_about = RESUME)]
pub(crate) struct Resume {
    #[command(flatten)]
    agreed: Agreed,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    pin: PinSource,
    #[command(flatten)]
    keys: KeyPassphrase,
}

impl Resume {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let person = Person::new(&context.output, &self.agreed, &self.pin)?;
        let identity = context.open(&self.keys)?;
        let wish = Wish { patience: Some(self.waiting.patience()), key_type: None };
        context.block_on(async {
            let client = context.client(identity, person, wish).await?;
            let outcome = client.resume().await?;
            tell(context, &client, outcome);
            Ok(())
        })
    }
}

/// Says how it came out, which certificate counts now, and what to do next.
pub(crate) fn tell(context: &Context, client: &Client, outcome: Outcome) {
    let output = &context.output;
    let command = context.command();
    match outcome {
        Outcome::Renewed(renewed) => tell_renewed(context, client.identity().folder(), &renewed),
        Outcome::Deferred { deferrals } => {
            let next = output.command("renew");
            let say = Say::DeferredUntilLater { deferrals, next };
            output.result(command, "deferred", json!({ "deferrals": deferrals }), &say);
        }
        Outcome::Canceled => {
            let next = output.command("renew");
            output.result(command, "canceled", json!({}), &Say::CanceledNow { next });
        }
        Outcome::RolledBack => {
            output.result(command, "rolledBack", json!({}), &Say::RolledBackNow);
        }
    }
}

fn tell_renewed(context: &Context, folder: &Path, renewed: &Renewed) {
    let key = if folder.join("current/key.p12").exists() { "key.p12" } else { "key.pem" };
    let generation = folder.join("generations").join(renewed.generation.to_string());
    let certificate = generation.join("certificate.pem");
    let mut value = json!({
        "certID": CertId::of(&renewed.certificate),
        "subject": renewed.certificate.subject().as_str(),
        "notAfter": renewed.certificate.not_after(),
        "generation": renewed.generation,
        "certificate": certificate.display().to_string(),
        "key": generation.join(key).display().to_string(),
    });
    if let Some(replaced) = &renewed.replaced {
        value["replaces"] = json!(replaced);
    }
    if let Some(until) = renewed.rollback_until {
        value["rollbackUntil"] = json!(until);
    }
    let output = &context.output;
    let say = Say::RenewedNow {
        subject: renewed.certificate.subject().to_string(),
        until: renewed.certificate.not_after(),
        is_renewal: renewed.replaced.is_some(),
        folder: folder.join("current"),
        key,
        rollback: renewed.rollback_until.map(|until| (until, output.command("rollback"))),
        export: output.command("export"),
    };
    let outcome = if renewed.replaced.is_some() { "renewed" } else { "enrolled" };
    output.result(context.command(), outcome, value, &say);
}

/// The key types that can be made here.
pub(crate) fn key_types() -> impl clap::builder::TypedValueParser<Value = KeyType> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    const ALL: [KeyType; 3] = [KeyType::P256, KeyType::P384, KeyType::Ed25519];
    PossibleValuesParser::new(ALL.map(KeyType::as_str)).map(|word| {
        ALL.into_iter().find(|kind| kind.as_str() == word).expect("one of the possible values")
    })
}
