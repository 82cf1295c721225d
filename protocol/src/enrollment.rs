//! Enrolling with a one-time code (SPEC.md 7.19, 13).

use serde::{Deserialize, Serialize};

use crate::{
    embedded_jws::EmbeddedJws, environment::Environment, json, key_store::KeyStoreName, pin::Pin,
    reissue::ReissueId, unverified_csr::UnverifiedCsr,
};

/// Payload of `newEnrollment`, signed by the key of its CSR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewEnrollment {
    /// The reissue that the code belongs to.
    pub reissue: ReissueId,
    /// Proof of the code: a JWS over the CSR's key by the key that the code yields.
    pub binding: EmbeddedJws,
    /// Proof of the new key.
    pub csr: UnverifiedCsr,
    /// Where the client keeps the new key.
    pub key_store: KeyStoreName,
    /// What the client runs on.
    pub environment: Environment,
    /// The subject's PIN, where the bank asks for it.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
}
