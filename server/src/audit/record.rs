//! A record's bytes: one line of JSON, always the same members in the same order.

use std::fmt::Display;

use koshin_protocol::base64url;
use koshin_protocol::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Chain, Hash, Object};
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
pub struct Change {
    /// What kind of object.
    pub object: Object,
    /// Its id.
    pub id: String,
    /// The state that it has now.
    pub state: &'static str,
    /// The hash of what the registry says of it now, so that a registry that says anything else is
    /// found; `None` of what decides nothing any more and may be forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<Hash>,
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

    /// And that an object changed its state by it. What the registry says of it is asked for at the
    /// end, by [`Entry::settle`].
    pub fn change(&mut self, object: Object, id: &impl Display, state: &'static str) {
        self.changes.push(Change { object, id: id.to_string(), state, row: None });
    }

    /// Takes in what the registry says of each object now.
    pub fn settle<E>(
        &mut self,
        mut row: impl FnMut(&Change) -> Result<Option<Hash>, E>,
    ) -> Result<(), E> {
        for change in &mut self.changes {
            change.row = row(change)?;
        }
        Ok(())
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

/// What a record says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What kind of object.
    pub object: Object,
    /// Its id.
    pub id: String,
    /// The hash of what the registry said of it then, if that decided anything.
    pub row: Option<Hash>,
}

/// Reads a record back: where it says that it stands, and what it tells; `None` if it is no record.
pub(super) fn read(record: &[u8]) -> Option<(Place, Vec<Told>)> {
    #[derive(Deserialize)]
    struct Said {
        version: u32,
        chain: String,
        sequence: u64,
        previous: String,
        changes: Vec<SaidChange>,
    }
    #[derive(Deserialize)]
    struct SaidChange {
        object: Object,
        id: String,
        row: Option<String>,
    }
    let said: Said = serde_json::from_slice(record).ok()?;
    let told = said.changes.into_iter().map(|change| {
        let row = change.row.map(|row| hash(&row).ok_or(())).transpose().ok()?;
        Some(Told { object: change.object, id: change.id, row })
    });
    let chain = said.chain.parse().ok()?;
    let place = Place { chain, sequence: said.sequence, previous: hash(&said.previous)? };
    (said.version == 1).then_some((place, told.collect::<Option<_>>()?))
}

fn hash(text: &str) -> Option<Hash> {
    base64url::decode(text).ok()?.try_into().ok().map(Hash::from_bytes)
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
        entry.change(Object::Order, &"abc", "valid");
        entry.settle(|_| Ok::<_, ()>(Some(Hash::of(b"row")))).expect("settled");
        let entry = entry.with("form", "17").with("count", 3);
        let time = Time::from_unix(1_800_000_000).expect("a time");
        let record = entry.record(Chain::Bank, 2, Hash::NONE, time);
        assert_eq!(
            String::from_utf8(record).expect("UTF-8"),
            concat!(
                r#"{"version":1,"chain":"bank","sequence":2,"#,
                r#""previous":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","#,
                r#""time":"2027-01-15T08:00:00Z","by":{"operator":"花子"},"event":"orderPlaced","#,
                r#""changes":[{"object":"order","id":"abc","state":"valid","#,
                r#""row":"Y0do2uFHRQbkv300GJBUKwmYfX5q6l1EbALjdYGlaVQ"}],"#,
                r#""detail":{"count":3,"form":"17"}}"#,
            )
        );
    }
}
