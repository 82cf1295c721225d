//! What came of an input, in the words of `expect`.

use koshin_protocol::problem::Token;
use serde_json::{Map, Value, json};

/// A value in the form of `expect`.
#[derive(Debug)]
pub(crate) struct Outcome(Map<String, Value>);

impl Outcome {
    /// Accepted; the members are what the vector may ask for.
    pub(crate) fn valid(members: Value) -> Self {
        Self::with("valid", members)
    }

    /// Refused with a token of the table, at a stage of SPEC.md 5.7.
    pub(crate) fn refused(token: Token, stage: &str) -> Self {
        Self::with("refused", json!({ "token": token.as_str(), "stage": stage }))
    }

    /// Refused by a client, which has no tokens.
    pub(crate) fn refused_by_client() -> Self {
        Self::with("refused", json!({ "by": "client" }))
    }

    /// One more member.
    pub(crate) fn and(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn with(result: &str, members: Value) -> Self {
        let Value::Object(mut members) = members else { panic!("members are an object") };
        members.insert("result".to_owned(), result.into());
        Self(members)
    }

    /// Every member that is expected is as expected; a refusal names no more than was expected.
    pub(crate) fn compare(&self, expect: &Value) -> Result<(), String> {
        let expect = expect.as_object().expect("expect is an object");
        let differs = expect.iter().any(|(name, value)| self.0.get(name) != Some(value));
        let more = ["token", "stage", "by"]
            .into_iter()
            .any(|name| self.0.contains_key(name) && !expect.contains_key(name));
        if !differs && !more {
            return Ok(());
        }
        let (expect, found) = (Value::from(expect.clone()), Value::from(self.0.clone()));
        Err(format!("expected: {expect}\n   found: {found}"))
    }
}
