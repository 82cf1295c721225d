//! What a verification finds: records that are not what was written, and a registry that is not what
//! the records say.

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::{Chain, Head, Object};

/// What a verification came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The head of each chain that is sound.
    pub heads: Vec<Head>,
    /// Everything that is not as it was written; empty if all is sound.
    pub findings: Vec<Finding>,
}

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(untagged)]
pub enum Finding {
    /// A chain.
    #[error(transparent)]
    Chain(#[from] Tampered),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] Differs),
}

/// A chain is not what was written. As JSON, the member `finding` says how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(tag = "finding", rename_all = "camelCase")]
pub enum Tampered {
    /// A number is missing: a record was deleted.
    #[error("chain {chain}: record {sequence} is missing")]
    Missing {
        /// The chain.
        #[serde(serialize_with = "text")]
        chain: Chain,
        /// The first number that is not there.
        sequence: u64,
    },
    /// A record is not what its hash, its place or its chain says.
    #[error("chain {chain}: record {sequence} was edited or moved")]
    Edited {
        /// The chain.
        #[serde(serialize_with = "text")]
        chain: Chain,
        /// The record.
        sequence: u64,
    },
    /// A record does not follow from the one before: either was edited, or one was inserted.
    #[error("chain {chain}: record {sequence} does not follow from the one before")]
    Broken {
        /// The chain.
        #[serde(serialize_with = "text")]
        chain: Chain,
        /// The record.
        sequence: u64,
    },
    /// The chain ends before an exported head.
    #[error("chain {chain}: it ends at record {found}, but record {exported} was exported")]
    Truncated {
        /// The chain.
        #[serde(serialize_with = "text")]
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
        #[serde(serialize_with = "text")]
        chain: Chain,
        /// The exported head's number.
        sequence: u64,
    },
}

/// The registry is not what the newest records of it say. As JSON, the member `finding` says how.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(tag = "finding", rename_all = "camelCase")]
pub enum Differs {
    /// An object is not what its newest record says.
    #[error("chain {chain}: {object} {id} is not what its newest record says")]
    Altered {
        /// The chain that tells of it.
        #[serde(serialize_with = "text")]
        chain: Chain,
        /// What it is.
        object: Object,
        /// Which.
        id: String,
    },
    /// An object is not there, and no record says why.
    #[error("chain {chain}: {object} {id} was removed")]
    Removed {
        /// The chain that tells of it.
        #[serde(serialize_with = "text")]
        chain: Chain,
        /// What it was.
        object: Object,
        /// Which.
        id: String,
    },
    /// An object is there, and no record tells of it.
    #[error("{object} {id} has no record: it was inserted")]
    Inserted {
        /// What it is.
        object: Object,
        /// Which.
        id: String,
    },
    /// A table, index or trigger is not of this program: it could change what is written, and what is
    /// recorded of it.
    #[error("the schema has another {name} than this program, or lacks it")]
    Schema {
        /// What it is called.
        name: String,
    },
    /// A row refers to one that is not there.
    #[error("table {table}: a row refers to nothing")]
    Dangling {
        /// The row's table.
        table: String,
    },
}

fn text<S: Serializer>(chain: &Chain, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(chain)
}
