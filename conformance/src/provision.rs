//! Subjects and certificates in the states that cases need, made by the tester (SPEC.md B.1).

pub mod folder;

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::subject::Role;
use koshin_protocol::time::Time;
use serde::{Deserialize, Serialize};

use crate::adapter::{Answering, Command};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// The subject's role.
    pub role: Role,
    /// A label; the same label in one run is the same contract. Absent: a new contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// Who issued the certificate.
    #[serde(default, skip_serializing_if = "Issuer::is_bank")]
    pub issuer: Issuer,
    /// What its key signs with.
    #[serde(default = "es256")]
    pub alg: Algorithm,
    /// First second of the certificate's validity.
    pub not_before: Time,
    /// Last second of it.
    pub not_after: Time,
    /// The subject's PIN; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}

fn es256() -> Algorithm {
    Algorithm::Es256
}

/// Who issued a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Issuer {
    /// The bank's present issuing CA.
    #[default]
    Bank,
    /// Another CA, from which the bank imported it.
    Foreign,
}

impl Issuer {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    fn is_bank(&self) -> bool {
        *self == Self::Bank
    }
}

/// What was made. It has no `Debug` that prints the key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Provided {
    /// The subject's id.
    pub subject: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// Its key, PKCS #8 in PEM.
    pub key: String,
    /// The PIN, where one was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}

impl std::fmt::Debug for Provided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provided").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Whoever makes subjects and certificates at the bank under test.
pub trait Provision: Send + Sync {
    /// Makes one.
    fn provision(&self, request: Request) -> Answering<'_, Provided>;
}

impl Provision for Command {
    fn provision(&self, request: Request) -> Answering<'_, Provided> {
        Box::pin(async move { self.call(&request).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_form_of_the_example_in_spec_md() {
        let example = r#"{"role":"user","contract":"a","alg":"RS256","notBefore":"2025-03-02T00:00:00Z","notAfter":"2027-03-02T23:59:59Z","pin":"481516"}"#;
        let request: Request = serde_json::from_str(example).expect("the example");
        assert_eq!(request.issuer, Issuer::Bank);
        assert_eq!(serde_json::to_string(&request).expect("JSON"), example);
    }
}
