//! What was begun with an identity and is not finished.

use koshin_client::journal::{Intent, Journal, Progress, Purpose};
use koshin_protocol::time::Time;
use serde_json::{Value, json};

/// Something that was begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenWork {
    pub(crate) what: Work,
    /// `None` where only its key is left.
    pub(crate) begun: Option<Time>,
    state: &'static str,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A new key whose journal is lost.
    Key,
    Renewal,
    Enrollment,
    Cancel,
    Rollback,
}

impl OpenWork {
    pub(crate) fn of(journal: Option<&Journal>) -> Self {
        let Some(journal) = journal else {
            return Self { what: Work::Key, begun: None, state: "unknown" };
        };
        let what = match (journal.intent, &journal.purpose) {
            (Intent::Cancel | Intent::StartOver, _) => Work::Cancel,
            (Intent::RollBack, _) => Work::Rollback,
            (Intent::Complete, Purpose::Enrollment { .. }) => Work::Enrollment,
            (Intent::Complete, Purpose::Renewal { .. } | Purpose::Import) => Work::Renewal,
        };
        let state = match journal.progress {
            Progress::Began => "began",
            Progress::Requested { .. } => "requested",
            Progress::Received { .. } => "received",
            Progress::Installed { .. } => "installed",
            Progress::Confirmed { .. } => "confirmed",
            Progress::Ended { .. } => "ended",
        };
        Self { what, begun: Some(journal.begun), state }
    }

    pub(crate) fn value(self) -> Value {
        let what = match self.what {
            Work::Key => "key",
            Work::Renewal => "renewal",
            Work::Enrollment => "enrollment",
            Work::Cancel => "cancel",
            Work::Rollback => "rollback",
        };
        let mut value = json!({ "what": what, "state": self.state });
        if let Some(begun) = self.begun {
            value["begun"] = json!(begun);
        }
        value
    }
}
