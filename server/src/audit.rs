//! The audit: what happened at the bank, as chains of records that nobody can change unseen.
//!
//! Each contract has a chain, and the bank itself has one. A record is one line of JSON that names its
//! chain, its number in it and the SHA-256 of the record before; so an edited, deleted, inserted or
//! swapped record breaks the chain at that place. Cutting off the end, or writing the whole chain anew,
//! leaves a sound chain: that is found against heads that were exported, signed, to another place.

mod export;
mod finding;
mod object;
mod record;
mod standing;

use std::fmt;
use std::str::FromStr;

use koshin_protocol::base64url;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::store::id::{ContractId, InvalidId};
use crate::store::{Store, StoreError};
pub use export::{Export, ExportError};
pub use finding::{Differs, Finding, Tampered, Verified};
pub use object::Object;
pub(crate) use record::time as record_time;
pub use record::{Change, Entry, Principal, Told};
pub use standing::{PINS_KEPT, PublishedCrl, Standing};

/// Which chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chain {
    /// What concerns no contract: operators, contracts, the CA.
    Bank,
    /// What concerns this contract.
    Contract(ContractId),
}

/// SHA-256 of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number in its chain, from 1.
    pub sequence: u64,
    /// Its bytes: one line of JSON.
    pub record: Vec<u8>,
    /// What the store says that their hash is.
    pub hash: Hash,
}

/// The newest record of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The chain.
    pub chain: Chain,
    /// How many records it has.
    pub sequence: u64,
    /// The hash of the newest.
    pub hash: Hash,
}

/// Checks one chain, record by record.
///
/// ```
/// use koshin_server::audit::{Chain, Verification};
///
/// let verification = Verification::new(Chain::Bank, None);
/// // for each record in order: verification.next(&record)?
/// let head = verification.finish().expect("an empty chain is sound");
/// assert_eq!(head, None);
/// ```
#[derive(Debug)]
pub struct Verification {
    chain: Chain,
    exported: Option<Head>,
    last: Option<(u64, Hash)>,
}

impl Verification {
    /// Begins at the chain's first record; `exported` is a head of this chain that was exported.
    pub fn new(chain: Chain, exported: Option<Head>) -> Self {
        Self { chain, exported, last: None }
    }

    /// The number of the newest record checked; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.last.map_or(0, |(sequence, _)| sequence)
    }

    /// The next record. The answer is what it tells.
    pub fn next(&mut self, stored: &AuditRecord) -> Result<Vec<Told>, Tampered> {
        let chain = self.chain;
        let sequence = self.sequence() + 1;
        if stored.sequence != sequence {
            return Err(Tampered::Missing { chain, sequence });
        }
        let (place, told) =
            record::read(&stored.record).ok_or(Tampered::Edited { chain, sequence })?;
        if Hash::of(&stored.record) != stored.hash
            || place.chain != chain
            || place.sequence != sequence
        {
            return Err(Tampered::Edited { chain, sequence });
        }
        if place.previous != self.last.map_or(Hash::NONE, |(_, hash)| hash) {
            return Err(Tampered::Broken { chain, sequence });
        }
        if self.exported.is_some_and(|head| head.sequence == sequence && head.hash != stored.hash) {
            return Err(Tampered::Rewritten { chain, sequence });
        }
        self.last = Some((sequence, stored.hash));
        Ok(told)
    }

    /// There are no more records. The answer is the chain's head; `None` if it is empty.
    pub fn finish(self) -> Result<Option<Head>, Tampered> {
        let chain = self.chain;
        let found = self.sequence();
        match self.exported {
            Some(head) if head.sequence > found => {
                Err(Tampered::Truncated { chain, found, exported: head.sequence })
            }
            Some(_) | None => Ok(self.last.map(|(sequence, hash)| Head { chain, sequence, hash })),
        }
    }
}

/// Why an audit could not be found sound.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// It was tampered with, or the registry was. Never empty.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Found(Vec<Finding>),
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks every chain of a store, and each against its exported head; and, where all are sound, that
/// the registry is what the newest record of each object says. All of it is read as it was at one
/// commit, whoever writes meanwhile. The answer is the heads as they were then.
///
/// What is not found is a lie that was appended: whoever can write into the database can also add a
/// record. It stays there for everybody to read.
pub async fn verify(
    store: &dyn Store,
    exported: Option<&Export>,
) -> Result<Vec<Head>, VerifyError> {
    let Verified { heads, findings } = store.verify(exported.cloned()).await?;
    if findings.is_empty() { Ok(heads) } else { Err(VerifyError::Found(findings)) }
}

impl Hash {
    /// What the first record of a chain follows.
    pub const NONE: Self = Self([0; 32]);

    /// Of a record's bytes.
    pub fn of(record: &[u8]) -> Self {
        Self(Sha256::digest(record).into())
    }

    /// The one with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base64url::encode(&self.0))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({self})")
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bank => formatter.write_str("bank"),
            Self::Contract(contract) => contract.fmt(formatter),
        }
    }
}

impl FromStr for Chain {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == "bank" { Ok(Self::Bank) } else { text.parse().map(Self::Contract) }
    }
}

#[cfg(test)]
mod tests {
    use koshin_protocol::time::Time;

    use super::*;

    fn chain_of(count: u64) -> Vec<AuditRecord> {
        let mut previous = Hash::NONE;
        (1..=count)
            .map(|sequence| {
                let entry = Entry::new("testHappened", Principal::Bank).with("number", sequence);
                let now = Time::from_unix(1_800_000_000).expect("a time");
                let record = entry.record(Chain::Bank, sequence, previous, now);
                previous = Hash::of(&record);
                AuditRecord { sequence, record, hash: previous }
            })
            .collect()
    }

    fn verify(records: &[AuditRecord], exported: Option<Head>) -> Result<Option<Head>, Tampered> {
        let mut verification = Verification::new(Chain::Bank, exported);
        for record in records {
            verification.next(record)?;
        }
        verification.finish()
    }

    fn head_of(records: &[AuditRecord]) -> Head {
        let last = records.last().expect("a record");
        Head { chain: Chain::Bank, sequence: last.sequence, hash: last.hash }
    }

    /// Numbers and hashes as they would be after the bytes were changed by somebody careful.
    fn rehash(records: &mut [AuditRecord]) {
        for record in records {
            record.hash = Hash::of(&record.record);
        }
    }

    #[test]
    fn an_untouched_chain_verifies_up_to_its_head() {
        let records = chain_of(5);
        assert_eq!(verify(&records, None), Ok(Some(head_of(&records))));
        assert_eq!(verify(&records, Some(head_of(&records[..3]))), Ok(Some(head_of(&records))));
    }

    #[test]
    fn an_edited_record_is_found_even_with_its_hash_mended() {
        let mut records = chain_of(5);
        let text = String::from_utf8(records[2].record.clone()).expect("JSON");
        records[2].record = text.replace("testHappened", "nothingBad").into_bytes();
        assert_eq!(
            verify(&records, None),
            Err(Tampered::Edited { chain: Chain::Bank, sequence: 3 })
        );
        rehash(&mut records);
        assert_eq!(
            verify(&records, None),
            Err(Tampered::Broken { chain: Chain::Bank, sequence: 4 })
        );
    }

    #[test]
    fn a_deleted_record_is_found_even_with_the_others_renumbered() {
        let mut records = chain_of(5);
        records.remove(2);
        assert_eq!(
            verify(&records, None),
            Err(Tampered::Missing { chain: Chain::Bank, sequence: 3 })
        );
        for (record, sequence) in records.iter_mut().zip(1..) {
            record.sequence = sequence;
        }
        assert_eq!(
            verify(&records, None),
            Err(Tampered::Edited { chain: Chain::Bank, sequence: 3 })
        );
    }

    #[test]
    fn an_inserted_record_is_found() {
        let mut records = chain_of(5);
        let entry = Entry::new("forged", Principal::Bank);
        let now = Time::from_unix(1_800_000_000).expect("a time");
        let record = entry.record(Chain::Bank, 3, records[1].hash, now);
        let hash = Hash::of(&record);
        records.insert(2, AuditRecord { sequence: 3, record, hash });
        for record in &mut records[3..] {
            record.sequence += 1;
        }
        assert_eq!(
            verify(&records, None),
            Err(Tampered::Edited { chain: Chain::Bank, sequence: 4 })
        );
    }

    #[test]
    fn swapped_records_are_found() {
        let mut records = chain_of(5);
        records.swap(1, 3);
        records[1].sequence = 2;
        records[3].sequence = 4;
        assert_eq!(
            verify(&records, None),
            Err(Tampered::Edited { chain: Chain::Bank, sequence: 2 })
        );
    }

    #[test]
    fn a_record_of_another_chain_is_found() {
        let records = chain_of(2);
        let chain = Chain::Contract(ContractId::from_bytes([7; 16]));
        let mut verification = Verification::new(chain, None);
        assert_eq!(verification.next(&records[0]), Err(Tampered::Edited { chain, sequence: 1 }));
    }

    #[test]
    fn a_cut_tail_is_found_against_an_exported_head() {
        let records = chain_of(5);
        let head = head_of(&records);
        assert_eq!(
            verify(&records[..3], Some(head)),
            Err(Tampered::Truncated { chain: Chain::Bank, found: 3, exported: 5 })
        );
        assert_eq!(
            verify(&[], Some(head)),
            Err(Tampered::Truncated { chain: Chain::Bank, found: 0, exported: 5 })
        );
    }

    #[test]
    fn a_chain_written_anew_is_found_against_an_exported_head() {
        let records = chain_of(5);
        let head = Head { hash: Hash::of(b"what it was"), ..head_of(&records[..4]) };
        assert_eq!(
            verify(&records, Some(head)),
            Err(Tampered::Rewritten { chain: Chain::Bank, sequence: 4 })
        );
    }
}
