//! What the bank keeps besides subjects: contracts, its staff, the requests of makers.

use koshin_protocol::time::Time;
use serde::{Deserialize, Serialize};

use crate::id::{ContractId, ReissueId, RequestId, SubjectId};
use crate::rule::row::Reason;

/// A corporation's contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// Its id.
    pub id: ContractId,
    /// The corporation's name.
    pub name: String,
    /// The bank disabled it, and with it all its subjects.
    pub disabled: bool,
    /// When it was added.
    pub created: Time,
}

/// The bank's operators, by name, disabled ones included: the audit's names stay unambiguous.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staff {
    /// All that there ever were.
    pub operators: Vec<Operator>,
}

/// One of the bank's staff.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// How the audit calls them.
    pub name: String,
    /// The Argon2id hash of their credential.
    pub credential_hash: String,
    /// When they were added.
    pub created: Time,
    /// When they were disabled.
    pub disabled: Option<Time>,
}

/// An operator's request for a reissue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// For whom.
    pub subject: SubjectId,
    /// Why.
    pub reason: Reason,
    /// The number of the paper form.
    pub form: String,
    /// Who requested it.
    pub maker: String,
    /// When.
    pub created: Time,
    /// Who approved it and what came of it; `None` while it waits.
    pub approved: Option<Approval>,
}

/// The second pair of eyes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub checker: String,
    /// When.
    pub at: Time,
    /// The reissue.
    pub reissue: ReissueId,
}

impl Staff {
    /// The operator with this name who is not disabled.
    pub fn enabled(&self, name: &str) -> Option<&Operator> {
        self.operators.iter().find(|operator| operator.name == name && operator.disabled.is_none())
    }
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Operator").field("name", &self.name).finish_non_exhaustive()
    }
}
