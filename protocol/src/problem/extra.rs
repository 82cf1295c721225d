//! The further members of a problem document, as data (SPEC.md 11.1).

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Language, table::Carries};
use crate::{
    algorithm::{Algorithm, KeyType},
    cert_id::CertId,
    csr::CsrError,
    environment::EnvironmentRule,
    json,
    jwk::Thumbprint,
    key_store::KeyStoreName,
    url::Url,
};

/// What a problem carries beyond the members of every problem.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Extra {
    /// Nothing.
    #[default]
    Nothing,
    /// The open order that is in the way, and its key.
    OpenOrder {
        /// Its URL.
        order: Url,
        /// The key of its CSR.
        key: Thumbprint,
    },
    /// The order to go on with.
    Order(Url),
    /// The key of the order that the request is about.
    Key(Thumbprint),
    /// The certificate that counts instead.
    Successor(CertId),
    /// The certificate that counts again.
    Predecessor(CertId),
    /// The algorithms that the bank takes.
    Algorithms(Vec<Algorithm>),
    /// The key types that the bank takes.
    KeyTypes(Vec<KeyType>),
    /// The environments that the bank supports.
    Environments(Vec<EnvironmentRule>),
    /// The key stores that the bank takes.
    KeyStores(Vec<KeyStoreName>),
    /// Wrong PINs until the lock.
    AttemptsLeft(u32),
    /// What is wrong with the CSR.
    CsrFault(CsrFault),
}

impl Extra {
    /// What kind of members these are.
    pub const fn carries(&self) -> Carries {
        match self {
            Self::Nothing => Carries::Nothing,
            Self::OpenOrder { .. } => Carries::OpenOrder,
            Self::Order(_) => Carries::Order,
            Self::Key(_) => Carries::Key,
            Self::Successor(_) => Carries::Successor,
            Self::Predecessor(_) => Carries::Predecessor,
            Self::Algorithms(_) => Carries::Algorithms,
            Self::KeyTypes(_) => Carries::KeyTypes,
            Self::Environments(_) => Carries::Environments,
            Self::KeyStores(_) => Carries::KeyStores,
            Self::AttemptsLeft(_) => Carries::AttemptsLeft,
            Self::CsrFault(_) => Carries::CsrFault,
        }
    }
}

/// What is wrong with a CSR (SPEC.md 6.3), the problem's `reason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CsrFault {
    /// Its signature does not verify.
    Signature,
    /// The type of its key is none of these, which the bank takes.
    KeyType(Vec<KeyType>),
    /// Its key is no valid key, or not the one that has to be there.
    Key,
    /// Its subject is not the subject's name.
    Subject,
    /// It asks for a certificate extension.
    Extension,
    /// It has an attribute.
    Attribute,
}

impl CsrFault {
    /// The fault that reading a CSR found, for a bank that takes `accepted`; `None`: it is no CSR
    /// at all, and the request [`malformed`](super::Token::Malformed) (SPEC.md 6.3).
    pub fn of(error: CsrError, accepted: &[KeyType]) -> Option<Self> {
        match error {
            CsrError::Encoding => None,
            CsrError::KeyType => Some(Self::KeyType(accepted.to_vec())),
            CsrError::Key(_) => Some(Self::Key),
            CsrError::Signature => Some(Self::Signature),
            CsrError::Subject => Some(Self::Subject),
            CsrError::Extension(_) => Some(Self::Extension),
            CsrError::Attribute(_) => Some(Self::Attribute),
        }
    }

    /// The wire's word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::KeyType(_) => "keyType",
            Self::Key => "key",
            Self::Subject => "subject",
            Self::Extension => "extension",
            Self::Attribute => "attribute",
        }
    }

    pub(super) const fn phrase(&self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Signature, Language::En) => "its signature cannot be verified",
            (Self::Signature, Language::Ja) => "署名を確認できません",
            (Self::KeyType(_), Language::En) => "its type of key is not accepted",
            (Self::KeyType(_), Language::Ja) => "ご利用いただけない種類の鍵です",
            (Self::Key, Language::En) => "its key is not the one expected, or not valid",
            (Self::Key, Language::Ja) => "鍵が正しくありません",
            (Self::Subject, Language::En) => "its subject is not the registered name",
            (Self::Subject, Language::Ja) => "名義が登録内容と一致しません",
            (Self::Extension, Language::En) => "it asks for a certificate extension",
            (Self::Extension, Language::Ja) => "指定できない拡張項目が含まれています",
            (Self::Attribute, Language::En) => "it has an attribute that is not accepted",
            (Self::Attribute, Language::Ja) => "指定できない属性が含まれています",
        }
    }

    fn read(reason: &str, key_types: Option<Value>) -> Option<Self> {
        match reason {
            "signature" => Some(Self::Signature),
            "keyType" => Some(Self::KeyType(read(key_types).unwrap_or_default())),
            "key" => Some(Self::Key),
            "subject" => Some(Self::Subject),
            "extension" => Some(Self::Extension),
            "attribute" => Some(Self::Attribute),
            _ => None,
        }
    }
}

/// The members as they stand in the document, not looked at until the token says which count.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Members {
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    order: Option<Value>,
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    key: Option<Value>,
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    successor: Option<Value>,
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    predecessor: Option<Value>,
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    algorithms: Option<Value>,
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    key_types: Option<Value>,
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    environments: Option<Value>,
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    key_stores: Option<Value>,
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    attempts_left: Option<Value>,
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    reason: Option<Value>,
}

impl Members {
    /// The members that belong to the token; a missing or odd one counts as none, since a refusal
    /// is understood by its remedy even so.
    pub(super) fn into_extra(self, carries: Carries) -> Extra {
        let extra = match carries {
            Carries::Nothing => None,
            Carries::OpenOrder => read(self.order)
                .zip(read(self.key))
                .map(|(order, key)| Extra::OpenOrder { order, key }),
            Carries::Order => read(self.order).map(Extra::Order),
            Carries::Key => read(self.key).map(Extra::Key),
            Carries::Successor => read(self.successor).map(Extra::Successor),
            Carries::Predecessor => read(self.predecessor).map(Extra::Predecessor),
            Carries::Algorithms => read(self.algorithms).map(Extra::Algorithms),
            Carries::KeyTypes => read(self.key_types).map(Extra::KeyTypes),
            Carries::Environments => read(self.environments).map(Extra::Environments),
            Carries::KeyStores => read(self.key_stores).map(Extra::KeyStores),
            Carries::AttemptsLeft => read(self.attempts_left).map(Extra::AttemptsLeft),
            Carries::CsrFault => read::<String>(self.reason)
                .and_then(|reason| CsrFault::read(&reason, self.key_types))
                .map(Extra::CsrFault),
        };
        extra.unwrap_or_default()
    }
}

fn read<T: DeserializeOwned>(value: Option<Value>) -> Option<T> {
    serde_json::from_value(value?).ok()
}

impl From<Extra> for Members {
    fn from(extra: Extra) -> Self {
        let none = Self::default();
        match extra {
            Extra::Nothing => none,
            Extra::OpenOrder { order, key } => {
                Self { order: written(order), key: written(key), ..none }
            }
            Extra::Order(order) => Self { order: written(order), ..none },
            Extra::Key(key) => Self { key: written(key), ..none },
            Extra::Successor(successor) => Self { successor: written(successor), ..none },
            Extra::Predecessor(predecessor) => Self { predecessor: written(predecessor), ..none },
            Extra::Algorithms(algorithms) => Self { algorithms: written(algorithms), ..none },
            Extra::KeyTypes(key_types) => Self { key_types: written(key_types), ..none },
            Extra::Environments(environments) => {
                Self { environments: written(environments), ..none }
            }
            Extra::KeyStores(key_stores) => Self { key_stores: written(key_stores), ..none },
            Extra::AttemptsLeft(attempts) => Self { attempts_left: written(attempts), ..none },
            Extra::CsrFault(fault) => {
                let reason = written(fault.as_str());
                let key_types = match fault {
                    CsrFault::KeyType(key_types) => written(key_types),
                    CsrFault::Signature
                    | CsrFault::Key
                    | CsrFault::Subject
                    | CsrFault::Extension
                    | CsrFault::Attribute => None,
                };
                Self { key_types, reason, ..none }
            }
        }
    }
}

/// The wire's values are strings, numbers and lists of them, which always have a JSON form.
fn written(value: impl Serialize) -> Option<Value> {
    serde_json::to_value(value).ok()
}
