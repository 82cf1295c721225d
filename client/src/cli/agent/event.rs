//! What the agent does and finds, one line each: text for its log, or JSON (`docs/json-events.md`).

use std::collections::BTreeMap;
use std::env;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use koshin_client::Class;
use koshin_client::progress::Event as ClientEvent;
use koshin_client::schedule::Source;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::time::Time;
use serde::Serialize;

use super::memory::Outcome;
use super::text;
use crate::cli::home::IdentityName;
use crate::cli::language::Tongue;
use crate::cli::output::print;
use crate::cli::say::Say;

/// Something that the agent did or found. The JSON form is stable: members are added, never renamed.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// The agent is up.
    AgentStarted { identities: usize },
    /// There is an identity that was not there before.
    Appeared,
    /// There is no such identity any more.
    Gone,
    /// When the current certificate will be renewed.
    Appointed {
        #[serde(rename = "certID")]
        cert_id: CertId,
        renew_at: Time,
        not_after: Time,
        source: Source,
    },
    /// A renewal begins, or goes on.
    Renewing { is_resumed: bool },
    /// The new certificate counts.
    Renewed {
        #[serde(rename = "certID")]
        cert_id: CertId,
        not_after: Time,
    },
    /// A cancel or rollback that was begun is done.
    Undone,
    /// The bank has not issued the certificate yet, or it is too early.
    Unfinished { reason: String, again: Time },
    /// The renewal failed.
    RenewalFailed { class: Class, reason: String, times: u32, again: Time },
    /// Nothing is tried yet: an earlier attempt failed.
    Paused { class: Class, reason: String, again: Time },
    /// Nothing is tried: the bank refused the PIN, and there is no other.
    PinHeld { reason: String },
    /// Another program works with the identity.
    Busy,
    /// There is nothing to renew.
    NoCertificate,
    /// A hook succeeded.
    HookDone {
        hook: Hook,
        #[serde(skip_serializing_if = "Option::is_none")]
        outcome: Option<Outcome>,
    },
    /// A hook failed.
    HookFailed { hook: Hook, reason: String, again: Time },
    /// The identity cannot be worked with.
    Unusable { class: Class, reason: String },
    /// The configuration was read anew.
    Reloaded,
    /// It cannot be used; the former one stays in force.
    ConfigUnusable { reason: String },
    /// The agent is going to end.
    Stopping,
}

/// Which hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Hook {
    Before,
    After,
}

impl Hook {
    /// As in `KOSHIN_HOOK`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// How much it concerns whoever watches, as syslog counts.
#[derive(Clone, Copy)]
enum Level {
    Error = 3,
    Warning = 4,
    Info = 6,
}

impl Event {
    fn level(&self) -> Level {
        match self {
            Self::RenewalFailed { class, .. } | Self::Paused { class, .. } => match class {
                Class::RetryLater => Level::Warning,
                Class::Act | Class::Reissue | Class::Fault => Level::Error,
            },
            Self::PinHeld { .. }
            | Self::HookFailed { .. }
            | Self::Unusable { .. }
            | Self::ConfigUnusable { .. } => Level::Error,
            Self::Gone | Self::NoCertificate => Level::Warning,
            Self::AgentStarted { .. }
            | Self::Appeared
            | Self::Appointed { .. }
            | Self::Renewing { .. }
            | Self::Renewed { .. }
            | Self::Undone
            | Self::Unfinished { .. }
            | Self::Busy
            | Self::HookDone { .. }
            | Self::Reloaded
            | Self::Stopping => Level::Info,
        }
    }

    /// Whether it says how things are, and not that something happened: said twice it says nothing new.
    fn is_state(&self) -> bool {
        matches!(
            self,
            Self::Appointed { .. }
                | Self::Paused { .. }
                | Self::PinHeld { .. }
                | Self::Busy
                | Self::NoCertificate
                | Self::Unusable { .. }
        )
    }
}

/// Where the agent's lines go: standard output.
pub(crate) struct Log {
    is_json: bool,
    tongue: Tongue,
    /// Whether the journal reads the lines, and with them their level (`sd-daemon(3)`).
    is_journal: bool,
    /// The last state of each identity, as it was said.
    said: Mutex<BTreeMap<String, String>>,
}

/// A line of JSON: what happened, when, and to which identity.
#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    time: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
    #[serde(flatten)]
    event: &'a T,
}

impl Log {
    pub(crate) fn new(is_json: bool, tongue: Tongue) -> Self {
        let is_journal = !is_json && env::var_os("JOURNAL_STREAM").is_some();
        Self { is_json, tongue, is_journal, said: Mutex::default() }
    }

    pub(crate) fn tongue(&self) -> &Tongue {
        &self.tongue
    }

    /// Something about the agent as a whole.
    pub(crate) fn tell(&self, event: &Event) {
        self.line(None, event, event.level(), || text::of(event, &self.tongue));
    }

    /// Something about one identity.
    pub(crate) fn tell_of(&self, name: &IdentityName, event: &Event) {
        let form = serde_json::to_string(event).expect("events are JSON");
        {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            let before = said.insert(name.to_string(), form.clone());
            if event.is_state() && before == Some(form) {
                return;
            }
        }
        self.line(Some(name), event, event.level(), || text::of(event, &self.tongue));
    }

    /// Something that the library reports on the way.
    pub(crate) fn report(&self, name: &IdentityName, event: &ClientEvent) {
        let say = Say::of_event(event);
        if self.is_json || say.is_some() {
            let text = || say.map(|say| self.tongue.say(&say)).unwrap_or_default();
            self.line(Some(name), event, Level::Info, text);
        }
    }

    fn line<T: Serialize>(
        &self,
        name: Option<&IdentityName>,
        event: &T,
        level: Level,
        text: impl FnOnce() -> String,
    ) {
        if self.is_json {
            let time = Time::from_timestamp(Timestamp::now()).unwrap_or(Time::MAX);
            let line = Line { time, identity: name.map(IdentityName::as_str), event };
            return print(serde_json::to_string(&line).expect("events are JSON"));
        }
        let about = name.map(|name| format!("{name}: ")).unwrap_or_default();
        for line in text().lines() {
            let level = if self.is_journal { format!("<{}>", level as u8) } else { String::new() };
            print(format!("{level}{about}{line}"));
        }
    }
}
