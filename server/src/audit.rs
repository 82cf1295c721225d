//! The audit: what happened at the bank, as chains of records that nobody can change unseen.
//!
//! Whoever writes has a chain. A record is lines of JSON: the first names its chain, its number in it and the SHA-256 of
//! the record before; each other one says what one commit did, and the hash of the bytes that it wrote. So an edited,
//! deleted, inserted or swapped record breaks the chain at that place, and a row that is not what its last record says is
//! found, too. Cutting off the end, or writing the whole chain anew, leaves a sound chain: that is found against heads
//! that were exported, signed, to another place.

mod export;
mod record;

use std::fmt;
use std::str::FromStr;

use koshin_protocol::base64url;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::store::{Store, StoreError};
pub use export::{Export, ExportError};
pub use record::{Change, Entry, Principal, Record};

/// Which chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chain {
    /// What is written into the one file of an embedded store, by the bank and by its commands.
    Bank,
}

/// The text names no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the name of a chain")]
pub struct UnknownChain;

/// SHA-256 of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number in its chain, from 1.
    pub sequence: u64,
    /// Its bytes: lines of JSON.
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

/// What `audit verify` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Tampered {
    /// A number is missing: a record was deleted.
    #[error("chain {chain}: record {sequence} is missing")]
    Missing {
        /// The chain.
        chain: Chain,
        /// The first number that is not there.
        sequence: u64,
    },
    /// A record is not what its hash, its place or its chain says.
    #[error("chain {chain}: record {sequence} was edited or moved")]
    Edited {
        /// The chain.
        chain: Chain,
        /// The record.
        sequence: u64,
    },
    /// A record does not follow from the one before: either was edited, or one was inserted.
    #[error("chain {chain}: record {sequence} does not follow from the one before")]
    Broken {
        /// The chain.
        chain: Chain,
        /// The record.
        sequence: u64,
    },
    /// The chain ends before an exported head.
    #[error("chain {chain}: it ends at record {found}, but record {exported} was exported")]
    Truncated {
        /// The chain.
        chain: Chain,
        /// How many records there are.
        found: u64,
        /// How many there were.
        exported: u64,
    },
    /// The chain is sound but is not the one whose head was exported.
    #[error("chain {chain}: record {sequence} is not the one whose hash was exported")]
    Rewritten {
        /// The chain.
        chain: Chain,
        /// The exported head's number.
        sequence: u64,
    },
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

    /// The next record.
    pub fn next(&mut self, stored: &AuditRecord) -> Result<(), Tampered> {
        let chain = self.chain;
        let sequence = self.sequence() + 1;
        if stored.sequence != sequence {
            return Err(Tampered::Missing { chain, sequence });
        }
        let place = record::place(&stored.record).ok_or(Tampered::Edited { chain, sequence })?;
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
        Ok(())
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
    /// It was tampered with.
    #[error(transparent)]
    Tampered(#[from] Tampered),
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// As many records as are read at once.
const PAGE: u32 = 1000;

/// Checks every chain of a store, and each against its exported head. The answer is the heads as they
/// are now. Records that are written meanwhile are checked as well.
pub async fn verify(
    store: &dyn Store,
    exported: Option<&Export>,
) -> Result<Vec<Head>, VerifyError> {
    let mut chains: Vec<Chain> =
        store.audit_heads().await?.into_iter().map(|head| head.chain).collect();
    chains.extend(exported.into_iter().flat_map(|export| &export.heads).map(|head| head.chain));
    chains.sort_unstable();
    chains.dedup();
    let mut heads = Vec::with_capacity(chains.len());
    for chain in chains {
        let exported = exported.and_then(|export| export.head(chain));
        let mut verification = Verification::new(chain, exported);
        loop {
            let page = store.audit(chain, verification.sequence(), PAGE).await?;
            if page.is_empty() {
                break;
            }
            for record in &page {
                verification.next(record)?;
            }
        }
        heads.extend(verification.finish()?);
    }
    Ok(heads)
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

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({self})")
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bank => formatter.write_str("bank"),
        }
    }
}

impl FromStr for Chain {
    type Err = UnknownChain;

    fn from_str(text: &str) -> Result<Self, UnknownChain> {
        if text == "bank" { Ok(Self::Bank) } else { Err(UnknownChain) }
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
                let mut entry = Entry::new("testHappened", Principal::Bank);
                entry.say("number", sequence);
                let record = record(&entry, sequence, previous);
                previous = Hash::of(&record);
                AuditRecord { sequence, record, hash: previous }
            })
            .collect()
    }

    fn record(entry: &Entry, sequence: u64, previous: Hash) -> Vec<u8> {
        let mut record = Record::default();
        record.add(entry, Time::from_unix(1_800_000_000).expect("a time"));
        record.at(Chain::Bank, sequence, previous)
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
        let record = record(&entry, 3, records[1].hash);
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
