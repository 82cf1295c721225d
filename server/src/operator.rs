//! Operators (行員): the bank's staff, each with a credential that only they have.
//!
//! A command acts for somebody only with an [`Operator`], and the only way to one is their
//! credential: no name given on a command line is believed. The store checks once more, in the
//! transaction, that the operator is still enabled, and that maker and checker are two.

use std::fmt;
use std::str::FromStr;

use koshin_protocol::base64url;
use koshin_protocol::pin::Pin;
use koshin_protocol::time::Time;
use zeroize::Zeroizing;

use crate::pin::{PinError, PinHash, Pins};
use crate::policy::Argon2idCost;
use crate::rule::command::Actor;
use crate::registry::{Failure, Registry};
use crate::store::StoreError;

/// The cost of a credential's hash. It has 256 random bits; the cost is for those who steal hashes
/// and hope for a weak source of randomness.
const COST: Argon2idCost = Argon2idCost { memory_kib: 19_456, passes: 2, lanes: 1 };

/// An operator who proved to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator(OperatorName);

impl Operator {
    /// Looks whether the credential is the operator's.
    pub async fn authenticate(
        registry: &Registry,
        name: OperatorName,
        credential: &Credential,
    ) -> Result<Self, NotAuthenticated> {
        let stored = registry.operator_credential(name.as_str()).await?;
        Self::check(name, credential, stored.as_deref()).await
    }

    /// Looks whether the credential fits the hash of the operator's; `None` if there is no such
    /// operator, or a disabled one, which takes the same time and is told in the same words.
    pub async fn check(
        name: OperatorName,
        credential: &Credential,
        stored: Option<&str>,
    ) -> Result<Self, NotAuthenticated> {
        let stored = stored.map(PinHash::from_phc).transpose().map_err(|_| {
            StoreError::Corrupt("an operator's credential is no Argon2id hash".to_owned())
        })?;
        let hasher = hasher()?;
        let good = hasher.verify(hasher.place()?, credential.as_secret(), stored.as_ref()).await?;
        if good { Ok(Self(name)) } else { Err(NotAuthenticated::Refused) }
    }

    /// Their name.
    pub fn name(&self) -> &OperatorName {
        &self.0
    }

    /// As the store is told.
    pub fn actor(&self) -> Actor {
        Actor::Operator(self.0.as_str().to_owned())
    }
}

/// Adds an operator with a new credential, which is the answer and is kept nowhere. `by` is `None`
/// for the very first one only; the store refuses it later.
pub async fn add(
    registry: &Registry,
    name: &OperatorName,
    by: Option<&Operator>,
    now: Time,
) -> Result<Credential, AddError> {
    let credential = Credential::random()?;
    let hash = hasher()?.hash(credential.as_secret()).await?;
    let by = by.map_or(Actor::Bank, Operator::actor);
    let name = name.as_str().to_owned();
    registry.add_operator(name, hash.as_phc().to_owned(), by, now).await?;
    Ok(credential)
}

fn hasher() -> Result<Pins, PinError> {
    Pins::new(COST, 1, 1)
}

/// An operator's name, as the audit writes it: 1 to 64 characters without control characters or
/// spaces at its ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperatorName(String);

/// The text is no operator's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an operator's name has 1 to 64 characters, no control characters, no spaces at its ends")]
pub struct InvalidOperatorName;

impl OperatorName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OperatorName {
    type Err = InvalidOperatorName;

    fn from_str(text: &str) -> Result<Self, InvalidOperatorName> {
        let good = (1..=64).contains(&text.chars().count())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidOperatorName) }
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An operator's credential: 256 random bits as text. It does not print, and is wiped when dropped.
pub struct Credential(Zeroizing<String>);

impl Credential {
    /// Takes what somebody typed or stored, without the white space around it.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut())?;
        Ok(Self(Zeroizing::new(base64url::encode(bytes.as_ref()))))
    }

    /// The secret, to be shown once. Neither log nor store it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn as_secret(&self) -> Pin {
        Pin::new(String::clone(&self.0))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// Somebody did not prove to be an operator.
#[derive(Debug, thiserror::Error)]
pub enum NotAuthenticated {
    /// No enabled operator has this name and credential.
    #[error("no enabled operator has this name and credential")]
    Refused,
    /// The credential could not be checked.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An operator was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The system has no randomness.
    #[error("the system has no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The credential could not be hashed.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The store refused or failed.
    #[error("{0:?}")]
    Store(Failure),
}

impl From<Failure> for AddError {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for good in ["hanako", "佐藤 花子", "a"] {
            assert_eq!(good.parse::<OperatorName>().map(|name| name.to_string()), Ok(good.into()));
        }
        for bad in ["", " hanako", "hanako ", "a\nb", "a\u{1b}[2J", &"x".repeat(65)] {
            assert_eq!(bad.parse::<OperatorName>(), Err(InvalidOperatorName), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn only_the_credential_that_was_hashed_is_the_operators() {
        let name: OperatorName = "hanako".parse().expect("a name");
        let credential = Credential::random().expect("randomness");
        let hash = hasher().expect("a hasher").hash(credential.as_secret()).await.expect("a hash");
        let check = async |credential: &Credential, hash: Option<&str>| {
            Operator::check(name.clone(), credential, hash).await.is_ok()
        };
        assert!(check(&credential, Some(hash.as_phc())).await);
        let again = Credential::new(&format!("{}\n", credential.expose()));
        assert!(check(&again, Some(hash.as_phc())).await);
        let other = Credential::random().expect("randomness");
        assert!(!check(&other, Some(hash.as_phc())).await);
        assert!(!check(&credential, None).await, "an unknown or disabled operator");
        assert_eq!(format!("{credential:?}"), "Credential(..)");
    }
}
