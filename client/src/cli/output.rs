//! What a command prints: text for people, or one JSON object a line (`docs/json-events.md`).

use std::fmt::Display;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use koshin_client::files::Real;
use koshin_client::identity::Settings;
use koshin_client::pem;
use koshin_client::progress::Event;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::time::Time;
use serde::Serialize;
use serde_json::{Value, json};

use super::failure::Failure;
use super::home::IdentityName;
use super::language::Tongue;
use super::say::Say;

/// Where everything goes that a command has to say.
pub(crate) struct Output {
    is_json: bool,
    tongue: Tongue,
    /// Whether somebody is there to be asked.
    is_attended: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    about: Option<About>,
    spinner: Option<ProgressBar>,
    /// That somebody logged on is said once.
    has_logged_on: bool,
}

/// The identity that a command is about.
struct About {
    name: String,
    /// What means it in a command to be typed next.
    option: String,
    folder: PathBuf,
}

/// An event of the library or the end of a command, with what stands on every line.
#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    time: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
    #[serde(flatten)]
    event: &'a T,
}

impl Output {
    pub(crate) fn new(is_json: bool, tongue: Tongue) -> Self {
        let is_attended = !is_json && io::stdin().is_terminal() && io::stderr().is_terminal();
        Self { is_json, tongue, is_attended, state: Mutex::default() }
    }

    pub(crate) fn tongue(&self) -> &Tongue {
        &self.tongue
    }

    /// Whether JSON was asked for.
    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Whether somebody is there to be asked.
    pub(crate) fn is_attended(&self) -> bool {
        self.is_attended
    }

    /// From here on it is about this identity in `folder`; `option` means it on a command line.
    pub(crate) fn is_about(&self, name: &IdentityName, option: String, folder: &Path) {
        let (name, folder) = (name.to_string(), folder.to_owned());
        self.state().about = Some(About { name, option, folder });
    }

    /// From here on it is about no identity alone.
    pub(crate) fn is_about_all(&self) {
        self.state().about = None;
    }

    /// The bank's directory, as the identity has it.
    pub(crate) fn directory(&self) -> Option<String> {
        let folder = self.state().about.as_ref()?.folder.clone();
        let settings = Settings::read(&Real, &folder).ok()?;
        Some(settings.directory.to_string())
    }

    /// Whose certificate it is about, as far as known.
    pub(crate) fn subject(&self) -> Option<String> {
        let path = self.state().about.as_ref()?.folder.join("current/certificate.pem");
        let sections = pem::sections(&fs::read(path).ok()?).ok()?;
        let certificate = Certificate::from_der(&sections.first()?.der).ok()?;
        Some(certificate.subject().to_string())
    }

    /// A command of this program to be typed next, for the identity that it is about.
    pub(crate) fn command(&self, words: &str) -> String {
        let state = self.state();
        let option = state.about.as_ref().map_or("", |about| about.option.as_str());
        format!("koshin {words}{option}")
    }

    /// Something happened meanwhile.
    pub(crate) fn event(&self, event: &Event) {
        if self.is_json {
            self.line(event);
            return;
        }
        let again = matches!(event, Event::LoggedOn { .. })
            && std::mem::replace(&mut self.state().has_logged_on, true);
        if let Some(say) = Say::of_event(event).filter(|_| !again) {
            self.note(&say);
        }
        if let Event::Processing { .. } | Event::Waiting { .. } = event {
            self.spin();
        }
    }

    /// Says something on the side, to whoever watches.
    pub(crate) fn note(&self, say: &Say) {
        if self.is_json {
            return;
        }
        let text = self.tongue.say(say);
        let state = self.state();
        match &state.spinner {
            Some(spinner) => spinner.suspend(|| complain(&text)),
            None => complain(&text),
        }
    }

    /// Shows that something goes on, until [`Self::rest`].
    fn spin(&self) {
        if !io::stderr().is_terminal() {
            return;
        }
        let mut state = self.state();
        if state.spinner.is_none() {
            let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
            spinner.set_style(style.expect("a template of known names"));
            spinner.set_message(self.tongue.say(&Say::PleaseWait));
            spinner.enable_steady_tick(Duration::from_millis(120));
            state.spinner = Some(spinner);
        }
    }

    /// Shows no longer that something goes on: before a question, and at the end.
    pub(crate) fn rest(&self) {
        if let Some(spinner) = self.state().spinner.take() {
            spinner.finish_and_clear();
        }
    }

    /// Says how the command ended: `value`, an object, as the last line of JSON, or `text`.
    pub(crate) fn result(&self, command: &str, outcome: &str, mut value: Value, text: &Say) {
        self.rest();
        if !self.is_json {
            return print(self.tongue.say(text));
        }
        value["event"] = json!("result");
        value["command"] = json!(command);
        value["outcome"] = json!(outcome);
        self.line(&value);
    }

    /// Says why it was not done.
    pub(crate) fn fail(&self, failure: &Failure, command: &str) -> ExitCode {
        self.rest();
        if let Failure::Told(class) = failure {
            return ExitCode::from(class.exit_code());
        }
        if self.is_json {
            self.line(&failure.value(self, command));
        } else {
            complain(&format!("koshin: {}", failure.text(self, command)));
        }
        ExitCode::from(failure.exit_code())
    }

    fn line(&self, event: &impl Serialize) {
        let time = Time::from_timestamp(Timestamp::now()).unwrap_or(Time::MAX);
        let state = self.state();
        let identity = state.about.as_ref().map(|about| about.name.as_str());
        let line = serde_json::to_string(&Line { time, identity, event });
        print(line.expect("events are JSON"));
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints on standard output. That its reader went away must not stop a renewal.
pub(crate) fn print(text: impl Display) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// Prints on standard error.
pub(crate) fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}
