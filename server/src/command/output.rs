//! What a command prints: text for people or one JSON object, errors on standard error.

use std::fmt::Display;
use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use super::failure::Failure;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// A bar on standard error that says how much of so many octets is done; nothing where that is no terminal.
    pub(crate) fn bar(self) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}");
        ProgressBar::new(0).with_style(style.expect("a template of ours"))
    }

    /// Prints what was done: `value` as JSON, or `text`.
    pub(crate) fn say(self, value: &impl Serialize, text: impl Display) -> Result<(), Failure> {
        let line = if self.json {
            serde_json::to_string(value).map_err(Failure::fault)?
        } else {
            text.to_string()
        };
        // Of an empty list a person would see an empty line.
        print(if line.is_empty() { "none" } else { &line })
    }

    /// Prints why it was not done.
    pub(crate) fn fail(self, failure: &Failure) {
        let line = if self.json {
            json!({ "error": failure.kind().word(), "message": failure.to_string() }).to_string()
        } else {
            format!("koshin-server: {failure}")
        };
        // Where standard error is gone, the exit code tells.
        drop(writeln!(io::stderr(), "{line}"));
    }
}

/// Prints a line on standard output. That its reader went away is no fault.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let printed = writeln!(out, "{}", line.trim_end_matches('\n')).and_then(|()| out.flush());
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::fault(format!("standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
