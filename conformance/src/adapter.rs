//! The tester's commands: one process for one call, one JSON object on standard input, one on standard output (SPEC.md annex B).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command as Process;
use tokio::sync::Semaphore;

/// What an adapter promises.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, AdapterError>> + Send + 'a>>;

/// Why there is nothing of an adapter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdapterError {
    /// It cannot do this, and says why: the case is skipped.
    #[error("{0}")]
    Cannot(String),
    /// It does not do as SPEC.md annex B says: the case is blocked.
    #[error("{0}")]
    Fault(String),
}

/// A command that the tester gave, run by `sh -c`.
#[derive(Debug)]
pub struct Command {
    line: String,
    at_once: Semaphore,
}

/// After so long an adapter counts as hanging.
const LONGEST: Duration = Duration::from_mins(1);

impl Command {
    /// Of its line; it is run `at_once` times at once at most.
    pub fn new(line: impl Into<String>, at_once: usize) -> Self {
        Self { line: line.into(), at_once: Semaphore::new(at_once) }
    }

    /// Runs it once: `request` on its standard input, an answer or `{"cannot": "…"}` on its standard output.
    pub async fn call<T: DeserializeOwned>(
        &self,
        request: &impl Serialize,
    ) -> Result<T, AdapterError> {
        let request = serde_json::to_vec(request).map_err(|error| self.fault(&error))?;
        let _turn = self.at_once.acquire().await.map_err(|error| self.fault(&error))?;
        let run = self.run(request);
        let (ok, out, said) = tokio::time::timeout(LONGEST, run)
            .await
            .map_err(|_| self.fault(&"it does not end"))?
            .map_err(|error| self.fault(&error))?;
        if !ok {
            return Err(self.fault(&format_args!("it failed: {}", said.trim())));
        }
        answer(&out).map_err(|error| match error {
            AdapterError::Fault(why) => self.fault(&why),
            cannot @ AdapterError::Cannot(_) => cannot,
        })
    }

    async fn run(&self, request: Vec<u8>) -> std::io::Result<(bool, Vec<u8>, String)> {
        let mut child = Process::new("sh")
            .args(["-c", &self.line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // An adapter that does not read is not at fault for that.
            drop(stdin.write_all(&request).await);
        }
        let output = child.wait_with_output().await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.success(), output.stdout, said))
    }

    fn fault(&self, why: &dyn fmt::Display) -> AdapterError {
        AdapterError::Fault(format!("`{}`: {why}", self.line))
    }
}

/// Reads an adapter's answer.
fn answer<T: DeserializeOwned>(out: &[u8]) -> Result<T, AdapterError> {
    let value: serde_json::Value = serde_json::from_slice(out).map_err(|error| {
        AdapterError::Fault(format!("its answer is not one JSON object: {error}"))
    })?;
    if let Some(cannot) = value.get("cannot") {
        return Err(AdapterError::Cannot(
            cannot.as_str().map_or_else(|| cannot.to_string(), ToOwned::to_owned),
        ));
    }
    serde_json::from_value(value)
        .map_err(|error| AdapterError::Fault(format!("its answer has another form: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    async fn call(line: &str) -> Result<Value, AdapterError> {
        Command::new(line, 1).call(&json!({ "role": "user" })).await
    }

    #[tokio::test]
    async fn a_command_is_given_json_and_gives_json() {
        assert_eq!(call("cat").await, Ok(json!({ "role": "user" })));
        let cannot = call("echo '{\"cannot\": \"no RSA\"}'").await;
        assert_eq!(cannot, Err(AdapterError::Cannot("no RSA".to_owned())));
    }

    #[tokio::test]
    async fn a_command_that_fails_or_talks_is_at_fault() {
        for line in ["exit 3", "echo hello", "echo '{} {}'", "no-such-command-anywhere"] {
            let answer = call(line).await;
            assert!(matches!(answer, Err(AdapterError::Fault(_))), "{line}: {answer:?}");
        }
    }
}
