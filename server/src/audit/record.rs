//! A record's bytes: lines of JSON, always the same members in the same order.

use std::fmt::Display;

use koshin_protocol::base64url;
use koshin_protocol::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Chain, Hash};
use crate::id::Fingerprint;

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

/// An object that was written, with what it has been since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Written {
    object: &'static str,
    id: String,
    version: u64,
    hash: String,
}

/// What one commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    event: &'static str,
    by: Principal,
    changes: Vec<Change>,
    detail: Map<String, Value>,
    written: Vec<Written>,
}

/// What a group of commits did, before it has its place in a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(Vec<u8>);

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
        Self { event, by, changes: Vec::new(), detail: Map::new(), written: Vec::new() }
    }

    /// And that an object changed its state by it.
    pub fn change(&mut self, object: &'static str, id: &impl Display, state: &'static str) {
        self.changes.push(Change { object, id: id.to_string(), state });
    }

    /// And that an object was written, whose bytes have this hash now.
    pub fn object(&mut self, object: &'static str, id: &impl Display, version: u64, hash: Hash) {
        let (id, hash) = (id.to_string(), hash.to_string());
        self.written.push(Written { object, id, version, hash });
    }

    /// With this said about it. Never a PIN, a code or a private key.
    pub fn say(&mut self, name: &str, value: impl Into<Value>) {
        self.detail.insert(name.to_owned(), value.into());
    }
}

impl Record {
    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what one commit did.
    pub fn add(&mut self, entry: &Entry, time: Time) {
        let line = Line {
            time,
            by: &entry.by,
            event: entry.event,
            changes: &entry.changes,
            detail: &entry.detail,
            written: &entry.written,
        };
        self.0.push(b'\n');
        serde_json::to_writer(&mut self.0, &line).expect("strings and numbers serialise");
    }

    /// The bytes of the record at this place of this chain.
    pub fn at(&self, chain: Chain, sequence: u64, previous: Hash) -> Vec<u8> {
        let head = Head { version: 1, chain: chain.to_string(), sequence, previous: previous.to_string() };
        let mut bytes = serde_json::to_vec(&head).expect("strings and numbers serialise");
        bytes.extend_from_slice(&self.0);
        bytes
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    chain: String,
    sequence: u64,
    previous: String,
}

#[derive(Serialize)]
struct Line<'a> {
    time: Time,
    by: &'a Principal,
    event: &'a str,
    changes: &'a [Change],
    detail: &'a Map<String, Value>,
    written: &'a [Written],
}

/// Reads back where a record says that it stands; `None` if it is no record.
pub(super) fn place(record: &[u8]) -> Option<Place> {
    let head = record.split(|octet| *octet == b'\n').next()?;
    let said: Head = serde_json::from_slice(head).ok()?;
    let previous = base64url::decode(&said.previous).ok()?.try_into().ok()?;
    let chain = said.chain.parse().ok()?;
    (said.version == 1).then_some(Place {
        chain,
        sequence: said.sequence,
        previous: Hash::from_bytes(previous),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_exactly_these_lines() {
        let mut entry = Entry::new("orderPlaced", Principal::Operator("花子".to_owned()));
        entry.change("order", &"abc", "valid");
        entry.say("form", "17");
        entry.say("count", 3);
        entry.object("subject", &"def", 2, Hash::NONE);
        let time = Time::from_unix(1_800_000_000).expect("a time");
        let mut record = Record::default();
        record.add(&entry, time);
        record.add(&Entry::new("loggedOff", Principal::Bank), time);
        let bytes = record.at(Chain::Bank, 2, Hash::NONE);
        assert_eq!(
            String::from_utf8(bytes).expect("UTF-8"),
            concat!(
                r#"{"version":1,"chain":"bank","sequence":2,"#,
                r#""previous":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
                "\n",
                r#"{"time":"2027-01-15T08:00:00Z","by":{"operator":"花子"},"event":"orderPlaced","#,
                r#""changes":[{"object":"order","id":"abc","state":"valid"}],"#,
                r#""detail":{"count":3,"form":"17"},"written":[{"object":"subject","id":"def","#,
                r#""version":2,"hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#,
                "\n",
                r#"{"time":"2027-01-15T08:00:00Z","by":"bank","event":"loggedOff","changes":[],"#,
                r#""detail":{},"written":[]}"#,
            )
        );
    }
}
