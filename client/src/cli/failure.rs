//! How a command fails: the words, the exit code, and the command to type next.

use std::fmt;
use std::io;
use std::path::Path;

use koshin_client::error::{Asked, Declined, printable};
use koshin_client::identity::IdentityError;
use koshin_client::import::ImportError;
use koshin_client::{Class, Error};
use koshin_protocol::problem::{Kind, Problem, Token};
use koshin_protocol::remedy::Action;
use serde_json::{Value, json};

use super::output::Output;
use super::say::Say;

/// The exit code of wrong usage.
pub(crate) const USAGE: u8 = 2;

/// A command that was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called in a way that cannot be.
    Usage(Box<Say>),
    /// The words on the command line.
    Arguments(String),
    /// Somebody does something first.
    Act(Box<Say>),
    /// The library could not do it, or the bank refused.
    Client(Box<Error>),
    /// Files that cannot be imported.
    Import(Box<ImportError>),
    /// A fault of this program or of the machine.
    Fault(String),
    /// Everything is said already; only the exit code is left.
    Told(Class),
}

/// What to type next, and who does it.
pub(crate) struct Next {
    pub(crate) command: String,
    pub(crate) is_administrators: bool,
}

impl Failure {
    pub(crate) fn usage(say: Say) -> Self {
        Self::Usage(Box::new(say))
    }

    pub(crate) fn arguments(message: String) -> Self {
        Self::Arguments(message)
    }

    pub(crate) fn act(say: Say) -> Self {
        Self::Act(Box::new(say))
    }

    pub(crate) fn fault(message: impl fmt::Display) -> Self {
        Self::Fault(message.to_string())
    }

    /// A file or folder that the user named.
    pub(crate) fn input(path: &Path, source: impl fmt::Display) -> Self {
        Self::usage(Say::File { path: path.to_owned(), detail: source.to_string() })
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Arguments(_) => USAGE,
            Self::Act(_) | Self::Import(_) => Class::Act.exit_code(),
            Self::Client(error) => error.class().exit_code(),
            Self::Told(class) => class.exit_code(),
            Self::Fault(_) => Class::Fault.exit_code(),
        }
    }

    /// The word of `--json` for who acts next.
    fn class(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::Arguments(_) => "usage",
            Self::Act(_) | Self::Import(_) => "act",
            Self::Fault(_) => "fault",
            Self::Client(error) => word(error.class()),
            Self::Told(class) => word(*class),
        }
    }

    /// What happened, with what, and what to do.
    pub(crate) fn message(&self, output: &Output) -> String {
        let tongue = output.tongue();
        match self {
            Self::Usage(say) | Self::Act(say) => tongue.say(say),
            Self::Arguments(message) | Self::Fault(message) => message.clone(),
            Self::Client(error) => {
                let text = printable(&tongue.error(error));
                match (is_about_the_directory(error), output.directory()) {
                    (true, Some(url)) => tongue.say(&Say::AtDirectory { text, url }),
                    _ => text,
                }
            }
            Self::Import(error) => tongue.import_error(error),
            Self::Told(_) => String::new(),
        }
    }

    /// The message, and below it what to type next.
    pub(crate) fn text(&self, output: &Output, command: &str) -> String {
        let message = self.message(output);
        match self.next(output, command) {
            Some(next) => format!("{message}\n{}", output.tongue().say(&next.into())),
            None => message,
        }
    }

    /// The last line of `--json`.
    pub(crate) fn value(&self, output: &Output, command: &str) -> Value {
        let mut value = json!({
            "event": "error",
            "command": command,
            "class": self.class(),
            "exitCode": self.exit_code(),
            "message": self.message(output),
        });
        if let Some(next) = self.next(output, command) {
            value["next"] = json!(next.command);
        }
        if let Self::Client(error) = self {
            if let Some(problem) = error.problem() {
                value["problem"] = problem_value(problem);
            }
            if let Some(wait) = error.retry_after() {
                value["retryAfter"] = json!(wait.as_secs());
            }
            if let Error::TooEarly { opens } = &**error {
                value["notBefore"] = json!(opens);
            }
        }
        value
    }

    fn next(&self, output: &Output, command: &str) -> Option<Next> {
        let Self::Client(error) = self else { return None };
        let mine =
            |words: &str| Some(Next { command: output.command(words), is_administrators: false });
        match &**error {
            Error::NoAnswer { .. } | Error::Identity(IdentityError::Locked { .. }) => mine(command),
            Error::ComeBack(_)
            | Error::StillProcessing { .. }
            | Error::Declined(Declined::Install) => mine("resume"),
            Error::Declined(Declined::MakeKey) => mine("renew"),
            Error::ForeignOrder { .. } => mine("renew --start-over"),
            Error::RenewedElsewhere { .. } | Error::NoPair => mine("import FILE..."),
            Error::Refused(refusal) => by_refusal(output, command, &refusal.problem),
            _ => None,
        }
    }
}

/// The word of `--json` for a class.
fn word(class: Class) -> &'static str {
    match class {
        Class::RetryLater => "retryLater",
        Class::Act => "act",
        Class::Reissue => "reissue",
        Class::Fault => "fault",
    }
}

/// Which of several problems the exit code tells: the one that takes the most to mend.
pub(crate) fn worse(one: Option<Class>, other: Option<Class>) -> Option<Class> {
    let severity = |class: &Class| match class {
        Class::RetryLater => 0,
        Class::Act => 1,
        Class::Reissue => 2,
        Class::Fault => 3,
    };
    [one, other].into_iter().flatten().max_by_key(severity)
}

/// Whether the bank's directory itself was not to be had: then its URL may be wrong.
fn is_about_the_directory(error: &Error) -> bool {
    match error {
        Error::Refused(refusal) => refusal.asked == Asked::Directory,
        Error::NoAnswer { asked, .. } => *asked == Asked::Directory,
        Error::Untrusted(_) => true,
        _ => false,
    }
}

fn by_refusal(output: &Output, command: &str, problem: &Problem) -> Option<Next> {
    let mine =
        |words: &str| Some(Next { command: output.command(words), is_administrators: false });
    let administrators = |what: &str| {
        let subject = output.subject().map_or_else(|| "SUBJECT".to_owned(), |name| quoted(&name));
        Some(Next { command: format!("koshin admin {what} {subject}"), is_administrators: true })
    };
    if matches!(problem.token(), Some(Token::PinRequired | Token::PinWrong)) {
        let unattended = format!("{command} --pin-file FILE");
        return mine(if output.is_attended() { command } else { &unattended });
    }
    // The new certificate, which the remedy says to use, is here: it is the one that was to be taken back.
    if matches!(problem.token(), Some(Token::RollbackEnded | Token::RollbackDisabled)) {
        return mine("status");
    }
    match problem.remedy.action {
        Action::Retry | Action::Wait | Action::Logon | Action::UsePredecessor => mine(command),
        Action::ResumeOrder => mine("resume"),
        Action::UseSuccessor => mine("import FILE..."),
        Action::UnlockByAdministrator => administrators("unlock"),
        Action::ReissueByAdministrator => administrators("reissue"),
        Action::Correct
        | Action::UnlockAtBranch
        | Action::ReissueAtBranch
        | Action::UpdateEnvironment
        | Action::Stop => None,
    }
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", printable(text).replace('\'', r"'\''"))
}

fn problem_value(problem: &Problem) -> Value {
    let token = match &problem.kind {
        Kind::Known(token) => token.as_str().to_owned(),
        Kind::Other(text) => text.clone(),
    };
    let remedy = &problem.remedy;
    let mut value = json!({
        "token": token,
        "status": problem.status,
        "title": problem.title,
        "detail": problem.detail,
        "remedy": { "action": remedy.action.as_str() },
    });
    if let Some(by) = remedy.by {
        value["remedy"]["by"] = json!(by.as_str());
    }
    if let Some(not_before) = remedy.not_before {
        value["remedy"]["notBefore"] = json!(not_before);
    }
    if let Some(url) = &remedy.url {
        value["remedy"]["url"] = json!(url.to_string());
    }
    if let Some(instance) = &problem.instance {
        value["instance"] = json!(instance);
    }
    value
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(Box::new(error))
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        Error::from(error).into()
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        Self::Import(Box::new(error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::fault(error)
    }
}
