//! `doctor`: looks at everything that a renewal needs, and says what to do about what is wrong.

mod bank;
mod finding;
mod folder;
mod machine;
mod text;

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use koshin_client::Class;
use koshin_client::clock::{Clock, SystemClock};
use koshin_client::files::Real;
use koshin_client::identity::Settings;
use koshin_client::keystore::{FileStore, KeyStore, Pkcs12Store};
use koshin_client::schedule::Schedule;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::time::Time;
use serde::Serialize;
use serde_json::json;

use self::finding::{Finding, Level};
use super::context::Context;
use super::failure::{Failure, worse};
use super::home::IdentityName;
use super::output;
use super::say::Say;
use super::secret::KeyPassphrase;

const LONG: &str = "\
Looks at the folder with the identities, at each identity's files, and at its bank, and says what is well, what
somebody should look at, and what has to be mended, each with what to do. It changes nothing, logs on nowhere,
and sends no PIN.

The exit code is that of the worst finding: 0 also with warnings, 10 where the bank cannot be reached, 11 where
somebody has to act, 12 where only a reissue helps.

Examples:
  koshin doctor
  koshin doctor --offline --json";

/// Check everything that a renewal needs
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Doctor {
    /// Ask no bank anything
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    keys: KeyPassphrase,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    time: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
    check: &'static str,
    status: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a str>,
}

/// How many of which.
#[derive(Default)]
struct Tally {
    ok: usize,
    warn: usize,
    fail: usize,
    worst: Option<Class>,
}

impl Doctor {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let names = context.home.names().unwrap_or_default();
        let wanted = context.home.wanted();
        let mut tally = Tally::default();
        tally.tell(context, None, &machine::check(&context.home, names.len()));
        let meant = match wanted {
            // That there is no such identity is told as by every command.
            Some(_) => vec![context.home.chosen()?],
            None => names,
        };
        for name in &meant {
            let found = context.block_on(async { Ok(self.identity(context, name).await) })?;
            tally.tell(context, Some(name), &found);
        }
        tally.end(context)
    }

    /// Looks at one identity and its bank.
    async fn identity(&self, context: &Context, name: &IdentityName) -> Vec<Finding> {
        let folder = context.home.path(name);
        let mut found = Vec::new();
        let keys = |settings: &Settings| -> Result<Arc<dyn KeyStore>, String> {
            let given = self.keys.given().map_err(|failure| failure.message(&context.output))?;
            Ok(match (settings.key_store.as_str(), given) {
                ("pkcs12", Some(passphrase)) => Arc::new(Pkcs12Store::new(passphrase)),
                ("pkcs12", None) => {
                    return Err(context.output.tongue().say(&Say::KeyPassphraseNeeded));
                }
                (_, Some(passphrase)) => Arc::new(FileStore::encrypted(passphrase)),
                (_, None) => Arc::new(FileStore::plain()),
            })
        };
        let mut now = SystemClock.now();
        let Some(local) = folder::check(&folder, keys, now, &mut found) else { return found };
        if !self.offline {
            now = bank::check(&local, &mut found).await;
        }
        if let Some(current) = &local.current {
            expiry(current, now, &mut found);
            found.extend(last_attempt(&folder, current, now));
        }
        found
    }
}

/// By the bank's clock, where it was asked.
fn expiry(current: &Certificate, now: Time, found: &mut Vec<Finding>) {
    let until = current.not_after();
    let days = until.seconds_since(now) / 86_400;
    let is_told = found.iter().any(|finding| matches!(finding, Finding::InWindow { .. }));
    if until < now {
        found.push(Finding::Expired { until });
    } else if current.not_before() > now {
        found.push(Finding::NotYetValid { from: current.not_before() });
    } else if !is_told {
        found.push(Finding::Valid { until, days });
    }
}

/// What the agent remembers of its last attempt at this certificate, if it failed.
fn last_attempt(folder: &Path, current: &Certificate, now: Time) -> Option<Finding> {
    let schedule = Schedule::peek(&Real, folder).ok()?;
    let failure = schedule.attempts.failure(Some(&CertId::of(current)))?;
    let (reason, again) = (failure.reason.clone(), failure.again.max(now));
    Some(Finding::LastAttemptFailed { reason, again })
}

impl Tally {
    /// Prints findings, and counts them.
    fn tell(&mut self, context: &Context, name: Option<&IdentityName>, found: &[Finding]) {
        let output = &context.output;
        let option = name.map(|name| context.home.option(name)).unwrap_or_default();
        if let (Some(name), false) = (name, output.is_json()) {
            output::print(format!("\n{name}"));
        }
        for finding in found {
            let level = finding.level();
            match level {
                Level::Ok => self.ok += 1,
                Level::Warn => self.warn += 1,
                Level::Fail(class) => {
                    self.fail += 1;
                    self.worst = worse(self.worst, Some(class));
                }
            }
            let words = text::of(finding, output.tongue(), &option);
            let message = koshin_client::error::printable(&words.is);
            if output.is_json() {
                let line = Line {
                    event: "check",
                    time: SystemClock.now(),
                    identity: name.map(IdentityName::as_str),
                    check: finding.check(),
                    status: level.as_str(),
                    message: &message,
                    fix: words.fix.as_deref(),
                };
                output::print(serde_json::to_string(&line).expect("findings are JSON"));
                continue;
            }
            let mark = match level {
                Level::Ok => "ok  ",
                Level::Warn => "warn",
                Level::Fail(_) => "FAIL",
            };
            output::print(format!("  {mark}  {:<12}  {message}", finding.check()));
            if let Some(fix) = words.fix {
                output::print(format!("                      → {fix}"));
            }
        }
    }

    /// Says how many of which, and ends as badly as the worst.
    fn end(self, context: &Context) -> Result<(), Failure> {
        let Self { ok, warn, fail, worst } = self;
        let outcome = match (fail, warn) {
            (0, 0) => "healthy",
            (0, _) => "warnings",
            _ => "problems",
        };
        let value = json!({ "ok": ok, "warn": warn, "fail": fail });
        context.output.result("doctor", outcome, value, &Say::Checked { ok, warn, fail });
        worst.map_or(Ok(()), |class| Err(Failure::Told(class)))
    }
}
