//! How a command fails, and with which exit code.

use std::fmt;
use std::process::ExitCode;

use koshin_server::ca::FileError;
use koshin_server::config::ConfigError;
use koshin_server::init::NewBankError;
use koshin_server::registry;
use koshin_server::rule::refused::Refused;
use koshin_server::start::StartError;
use koshin_server::store::StoreError;

/// A command that was not done.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

/// Why, as the exit code tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of this program, the disk or the machine.
    Fault,
    /// The command line or its input.
    Usage,
    /// By the bank's rules.
    Refused,
    /// The configuration, a policy or the CA's files.
    Configuration,
}

impl Kind {
    /// The word of `--json`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Configuration => "configuration",
        }
    }
}

impl Failure {
    pub(crate) fn fault(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Fault, message: message.to_string() }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, message: message.to_string() }
    }

    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Refused, message: message.to_string() }
    }

    pub(crate) fn configuration(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Configuration, message: message.to_string() }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::Fault => 1,
            Kind::Usage => 2,
            Kind::Refused => 3,
            Kind::Configuration => 4,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::configuration(error)
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::configuration(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::fault(error)
    }
}

impl From<NewBankError> for Failure {
    fn from(error: NewBankError) -> Self {
        match error {
            NewBankError::Exists(_) => Self::refused(error),
            NewBankError::Config(_) | NewBankError::Authority(_) | NewBankError::Path(_) => {
                Self::configuration(error)
            }
            NewBankError::NewAuthority(_) => Self::usage(error),
            NewBankError::File { .. } | NewBankError::Tls(_) | NewBankError::Store(_) => {
                Self::fault(error)
            }
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Running(_) => Self::refused(error),
            StartError::Authority(_)
            | StartError::ReceiptChain(_)
            | StartError::Listen(_)
            | StartError::Origin(_) => Self::configuration(error),
            StartError::File { .. }
            | StartError::Store(_)
            | StartError::Pin(_)
            | StartError::Randomness(_)
            | StartError::System(_) => Self::fault(error),
        }
    }
}

impl From<registry::Failure> for Failure {
    fn from(failure: registry::Failure) -> Self {
        match failure {
            registry::Failure::Refused(refused) => Self::refused(explain(&refused)),
            registry::Failure::Fault(fault) => fault.into(),
        }
    }
}

/// What an operator is told of a refusal.
fn explain(refused: &Refused) -> String {
    match refused {
        Refused::Operator(refused) => refused.to_string(),
        Refused::SubjectUnknown => "no such subject".to_owned(),
        Refused::SubjectMismatch => "the subject has another name".to_owned(),
        Refused::NotFound => "no such certificate, request or reissue".to_owned(),
        Refused::ReissueNotAllowed => {
            "the reissue of an administrator takes two operators: reissue request, then reissue approve".to_owned()
        }
        Refused::ReissueConflict => "this reissue exists already, with other content".to_owned(),
        other => match other.token() {
            Some(token) => format!("refused: {}", token.as_str()),
            None => "refused".to_owned(),
        },
    }
}
