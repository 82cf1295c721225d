//! A record's bytes: one line of JSON, always the same members in the same order.

use std::fmt::Display;

use koshin_protocol::base64url;
use koshin_protocol::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Chain, Hash};
use crate::store::id::Fingerprint;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Principal {
    /// The holder of this certificate's key.
    Certificate(String),
    /// The holder of a new key that has no certificate yet, by its thumbprint.
    Key(String),
    /// An operator, by name.
    Operator(String),
    /// The bank itself: its CA, its clock.
    Bank,
}

impl From<Fingerprint> for Principal {
    fn from(fingerprint: Fingerprint) -> Self {
        Self::Certificate(fingerprint.to_string())
    }
}

/// One object's new state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What kind of object: `order`, `certificate`, `session`, `reissue`.
    pub object: &'static str,
    /// Its id.
    pub id: String,
    /// The state that it has now.
    pub state: &'static str,
}

/// What a record says, before it has its place in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    event: &'static str,
    by: Principal,
    changes: Vec<Change>,
    detail: Map<String, Value>,
}

/// Where a record says that it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) chain: Chain,
    pub(super) sequence: u64,
    pub(super) previous: Hash,
}

impl Entry {
    /// That this happened.
    pub fn new(event: &'static str, by: Principal) -> Self {
        Self { event, by, changes: Vec::new(), detail: Map::new() }
    }

    /// And that an object changed its state by it.
    pub fn change(&mut self, object: &'static str, id: &impl Display, state: &'static str) {
        self.changes.push(Change { object, id: id.to_string(), state });
    }

    /// With this said about it. Never a PIN, a code or a private key.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.say(name, value);
        self
    }

    /// As [`Entry::with`], in place.
    pub fn say(&mut self, name: &str, value: impl Into<Value>) {
        self.detail.insert(name.to_owned(), value.into());
    }

    /// The bytes of the record at this place of this chain.
    pub fn record(&self, chain: Chain, sequence: u64, previous: Hash, time: Time) -> Vec<u8> {
        let line = Line {
            version: 1,
            chain: chain.to_string(),
            sequence,
            previous: previous.to_string(),
            time: time.to_string(),
            by: &self.by,
            event: self.event,
            changes: &self.changes,
            detail: &self.detail,
        };
        serde_json::to_vec(&line).expect("strings and numbers serialise")
    }
}

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    chain: String,
    sequence: u64,
    previous: String,
    time: String,
    by: &'a Principal,
    event: &'a str,
    changes: &'a [Change],
    detail: &'a Map<String, Value>,
}

/// Reads back where a record says that it stands; `None` if it is no record.
pub(super) fn place(record: &[u8]) -> Option<Place> {
    #[derive(Deserialize)]
    struct Said {
        version: u32,
        chain: String,
        sequence: u64,
        previous: String,
    }
    let said: Said = serde_json::from_slice(record).ok()?;
    let previous = base64url::decode(&said.previous).ok()?.try_into().ok()?;
    let chain = said.chain.parse().ok()?;
    (said.version == 1).then_some(Place {
        chain,
        sequence: said.sequence,
        previous: Hash::from_bytes(previous),
    })
}

/// Reads back when a record says that it was written; `None` if it is no record.
pub(crate) fn time(record: &[u8]) -> Option<Time> {
    #[derive(Deserialize)]
    struct Said<'a> {
        time: &'a str,
    }
    let said: Said<'_> = serde_json::from_slice(record).ok()?;
    said.time.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_record_is_read_back() {
        let now = Time::from_unix(1_800_000_000).expect("a time");
        let entry = Entry::new("orderPlaced", Principal::Bank).with("time", "no time");
        assert_eq!(time(&entry.record(Chain::Bank, 1, Hash::NONE, now)), Some(now));
        assert_eq!(time(b"{\"time\":\"soon\"}"), None);
        assert_eq!(time(b"damaged"), None);
    }

    #[test]
    fn a_record_is_exactly_this_line() {
        let mut entry = Entry::new("orderPlaced", Principal::Operator("花子".to_owned()));
        entry.change("order", &"abc", "valid");
        let entry = entry.with("form", "17").with("count", 3);
        let time = Time::from_unix(1_800_000_000).expect("a time");
        let record = entry.record(Chain::Bank, 2, Hash::NONE, time);
        assert_eq!(
            String::from_utf8(record).expect("UTF-8"),
            concat!(
                r#"{"version":1,"chain":"bank","sequence":2,"#,
                r#""previous":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","#,
                r#""time":"2027-01-15T08:00:00Z","by":{"operator":"花子"},"event":"orderPlaced","#,
                r#""changes":[{"object":"order","id":"abc","state":"valid"}],"#,
                r#""detail":{"count":3,"form":"17"}}"#,
            )
        );
    }
}
