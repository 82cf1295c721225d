//! The runner can fail: each expectation, changed in any one way, is not met any more.

use libtest_mimic::Trial;
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
