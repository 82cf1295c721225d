//! The client as a process of its own: it tells each event and each question to the process that started it, one JSON a line,
//! and goes on when a line comes back. So the tour can kill it at a moment of its choosing.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use koshin_client::consent::{AskEnrollment, AskKey, AskPin, Choice, Consent};
use koshin_client::files::Real;
use koshin_client::identity::Identity;
use koshin_client::keystore::FileStore;
use koshin_client::progress::Event;
use koshin_client::{Client, Later, Outcome, Renewal};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::notice::Notice;
use koshin_protocol::pin::Pin;
use serde_json::{Value, json};

use crate::Failure;

/// What the client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Action {
    /// Begins a renewal.
    Renew,
    /// Takes up what was begun.
    Resume,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Renew => "renew",
            Self::Resume => "resume",
        })
    }
}

/// The whole life of the process.
pub(crate) fn run(identity: &Path, action: Action) -> ExitCode {
    match act(identity, action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&json!({ "failed": failure.to_string() }));
            ExitCode::FAILURE
        }
    }
}

/// What a program does that embeds the client.
#[tokio::main(flavor = "current_thread")]
async fn act(identity: &Path, action: Action) -> Result<(), Failure> {
    let keys = Arc::new(FileStore::plain());
    let identity = Identity::open(Arc::new(Real), keys, identity)?;
    let client = Client::builder(identity)
        .consent(Starter)
        .progress(|event: &Event| {
            if let Ok(event) = serde_json::to_value(event) {
                tell(&event);
            }
        })
        .build()
        .await?;
    let outcome = match action {
        Action::Renew => client.renew(Renewal::default()).await?,
        Action::Resume => client.resume().await?,
    };
    match outcome {
        Outcome::Renewed(_) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Tells, and waits for the answer. Whoever does not answer is gone, and so is then this process.
fn tell(said: &Value) -> String {
    let mut line = String::new();
    let mut answered = || {
        let mut out = io::stdout().lock();
        writeln!(out, "{said}")?;
        out.flush()?;
        io::stdin().lock().read_line(&mut line)
    };
    if matches!(answered(), Ok(0) | Err(_)) {
        std::process::exit(1);
    }
    line.trim_end().to_owned()
}

/// Answers for the user as the starting process does.
#[derive(Debug)]
struct Starter;

fn ask<'a>(question: &'static str) -> Later<'a, String> {
    Box::pin(async move { tell(&json!({ "event": question })) })
}

impl Consent for Starter {
    fn pin<'a>(&'a self, _: &'a AskPin) -> Later<'a, Option<Pin>> {
        Box::pin(async { Some(Pin::new(ask("pin?").await)) })
    }

    fn notice<'a>(&'a self, _: &'a Notice) -> Later<'a, Choice> {
        Box::pin(async { if ask("now?").await == "yes" { Choice::Renew } else { Choice::Defer } })
    }

    fn make_key<'a>(&'a self, _: &'a AskKey) -> Later<'a, bool> {
        Box::pin(async { ask("makeKey?").await == "yes" })
    }

    fn install<'a>(&'a self, _: &'a Certificate) -> Later<'a, bool> {
        Box::pin(async { ask("install?").await == "yes" })
    }

    fn enroll<'a>(&'a self, _: &'a AskEnrollment) -> Later<'a, bool> {
        Box::pin(async { false })
    }
}
