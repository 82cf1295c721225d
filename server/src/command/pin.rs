//! `pin` and `unlock`

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use koshin_protocol::pin::{Pin, PinRule};
use koshin_server::clock::{Clock, System};
use koshin_server::pin::Pins;
use koshin_server::rule::command::PinCheck;
use koshin_server::id::SubjectId;
use serde_json::json;
use zeroize::Zeroizing;

use super::Global;
use super::bank;
use super::by::{By, first_line, typed};
use super::failure::Failure;
use super::output::Output;

const LONG: &str = "\
Operators set first PINs (利用者暗証番号); subjects change them themselves. Setting one also starts the
count of wrong PINs anew. The PIN is typed in, read from a file, or made up and shown once.

Examples:
  koshin-server pin set qhARWmXuyihrki26lRAVvA --operator hanako
  koshin-server pin set qhARWmXuyihrki26lRAVvA --generate --operator hanako";

/// Set a subject's PIN
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Pinning {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Set a subject's PIN
    Set(Set),
}

#[derive(Debug, Args)]
struct Set {
    /// Whose
    #[arg(allow_hyphen_values = true)]
    subject: SubjectId,
    /// Make up a PIN of digits and show it, once
    #[arg(long, conflicts_with = "pin_file")]
    generate: bool,
    /// File whose first line is the PIN; only its owner may read it
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    #[command(flatten)]
    by: By,
}

impl Pinning {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let What::Set(set) = &self.what;
        set.run(global, output)
    }
}

impl Set {
    fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let config = global.configuration()?;
        let Some(rules) = &config.policy.pin else {
            return Err(Failure::refused(format!("policy {:?} has no PINs", config.policy_name)));
        };
        let registry = bank::registry(&config)?;
        bank::block_on(async {
            let by = self.by.operator(&registry).await?;
            let text = self.pin(rules.rule)?;
            let pin = Pin::new(String::clone(&text));
            if !rules.rule.admits(&pin) {
                let (least, most) = (rules.rule.min_length(), rules.rule.max_length());
                return Err(Failure::refused(format!(
                    "a PIN here has {least} to {most} characters from ! to ~"
                )));
            }
            let pins = Pins::new(rules.cost, 1, 1).map_err(Failure::fault)?;
            let hash = pins.hash(pin).await.map_err(Failure::fault)?.as_phc().to_owned();
            let (subject, now) = (self.subject, System.now());
            registry.set_pin_hash(subject, hash, PinCheck::NotAsked, by.actor(), now).await?;
            let shown = self.generate.then(|| text.as_str());
            let value = json!({ "subject": subject.to_string(), "pin": shown });
            match shown {
                Some(pin) => output.say(
                    &value,
                    format_args!("the PIN of {subject} is set\nPIN, shown this once: {pin}"),
                ),
                None => output.say(&value, format_args!("the PIN of {subject} is set")),
            }
        })
    }

    fn pin(&self, rule: PinRule) -> Result<Zeroizing<String>, Failure> {
        if self.generate {
            return made_up(rule);
        }
        if let Some(path) = &self.pin_file {
            return first_line(path);
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "the PIN is typed in, or given by --pin-file or --generate",
            ));
        }
        let (first, second) = (typed("new PIN: ")?, typed("new PIN again: ")?);
        if first == second { Ok(first) } else { Err(Failure::usage("the two PINs differ")) }
    }
}

/// Eight digits, or as many as the rule has them.
fn made_up(rule: PinRule) -> Result<Zeroizing<String>, Failure> {
    let length = usize::from(rule.max_length().min(8).max(rule.min_length()));
    let mut pin = Zeroizing::new(String::with_capacity(length));
    while pin.len() < length {
        let mut byte = [0];
        getrandom::fill(&mut byte).map_err(Failure::fault)?;
        // Of 256 values the first 250 make each digit equally likely.
        if byte[0] < 250 {
            pin.push(char::from(b'0' + byte[0] % 10));
        }
    }
    Ok(pin)
}

const UNLOCK: &str = "\
Lets a PIN be tried again after five wrong ones. Users are unlocked by their administrators, too;
administrators by operators alone.

Example:
  koshin-server unlock qhARWmXuyihrki26lRAVvA --operator hanako";

/// Let a locked PIN be tried again
#[derive(Debug, Args)]
#[command(long_about = UNLOCK)]
pub(crate) struct Unlock {
    /// Whose
    #[arg(allow_hyphen_values = true)]
    subject: SubjectId,
    #[command(flatten)]
    by: By,
}

impl Unlock {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let registry = bank::registry(&global.configuration()?)?;
        bank::block_on(async {
            let by = self.by.operator(&registry).await?;
            registry.unlock(self.subject, by.actor(), System.now()).await?;
            let value = json!({ "subject": self.subject.to_string(), "unlocked": true });
            output.say(&value, format_args!("the PIN of {} is unlocked", self.subject))
        })
    }
}
