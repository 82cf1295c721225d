//! The runner can fail: each expectation, changed in any one way, is not met any more.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use super::file::{Vector, VectorFile};
use super::run;

/// One trial for each file.
pub(crate) fn trials(files: &[VectorFile]) -> Vec<Trial> {
    files
        .iter()
        .map(|file| {
            let name = file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (topic, vectors) = (file.topic.clone(), file.vectors.clone());
            Trial::test(format!("runner/{topic}-{name}-refuses-changed-expectations"), move || {
                for vector in &vectors {
                    check(&topic, vector)?;
                }
                Ok(())
            })
        })
        .collect()
}

/// A flow with one character changed in any request's signature, or in any answer, is not replayed.
pub(crate) fn changed_transcripts(files: &[VectorFile]) -> Trial {
    let flows: Vec<Vector> = files
        .iter()
        .filter(|file| file.topic == "transcript")
        .flat_map(|file| file.vectors.clone())
        .collect();
    Trial::test("runner/transcript-changed-anywhere-is-not-replayed", move || {
        assert!(!flows.is_empty(), "there are transcripts");
        flows.iter().try_for_each(check_transcript)
    })
}

fn check_transcript(vector: &Vector) -> Result<(), Failed> {
    let exchanges = vector.input["exchanges"].as_array().cloned().unwrap_or_default();
    for (index, exchange) in exchanges.iter().enumerate() {
        for side in ["request", "response"] {
            let body = exchange[side]["body"].as_str().unwrap_or_default();
            // The last quoted value of a request is its signature.
            let Some(at) = body.rfind("\"}").filter(|_| side == "request").or(body.find(':'))
            else {
                continue;
            };
            let mut input = vector.input.clone();
            let changed =
                format!("{}{}{}", &body[..at - 3], other(&body[at - 3..at - 2]), &body[at - 2..]);
            input["exchanges"][index][side]["body"] = changed.into();
            let outcome = quietly(|| run("transcript", &input));
            if outcome.is_some_and(|outcome| outcome.compare(&vector.expect).is_ok()) {
                return Err(format!("{}: exchange {index}, {side}", vector.id).into());
            }
        }
    }
    Ok(())
}

/// Another character of base64url and of names.
fn other(character: &str) -> &'static str {
    if character == "A" { "B" } else { "A" }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Lets panics that are wanted pass without a message.
pub(crate) fn hush_wanted_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !QUIET.get() {
            usual(info);
        }
    }));
}

/// What the function returns, `None` if it panics.
fn quietly<T>(function: impl FnOnce() -> T) -> Option<T> {
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(function));
    QUIET.set(false);
    result.ok()
}

fn check(topic: &str, vector: &Vector) -> Result<(), String> {
    let outcome = run(topic, &vector.input);
    for changed in changes(&vector.expect) {
        if outcome.compare(&changed).is_ok() {
            return Err(format!("{}: the runner accepts {changed}", vector.id));
        }
    }
    Ok(())
}

/// The expectation with one member changed, for each member, and with the opposite result.
fn changes(expect: &Value) -> Vec<Value> {
    let members = expect.as_object().expect("expect is an object");
    let mut all: Vec<Value> = members
        .keys()
        .map(|name| {
            let mut changed = expect.clone();
            changed[name] = match &expect[name] {
                Value::String(text) if name == "result" && text == "valid" => "refused".into(),
                Value::String(_) if name == "result" => "valid".into(),
                other => json!({ "not": other }),
            };
            changed
        })
        .collect();
    all.push(match expect["result"].as_str() {
        Some("valid") => json!({ "result": "refused", "token": "malformed", "stage": "jws" }),
        _ => json!({ "result": "valid" }),
    });
    all
}
