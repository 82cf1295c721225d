//! Heads to be kept at another place: a JWS by the bank's receipt key or one of its own.

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::base64url;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::json;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::sign::Signer;
use koshin_protocol::time::Time;
use koshin_protocol::verify::Verifier;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Chain, Hash, Head};
use crate::store::crl::ImportedRevocation;

/// The heads of every chain at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// When they were exported.
    pub time: Time,
    /// One for each chain.
    pub heads: Vec<Head>,
    /// What was revoked and is on no CRL of the bank, for a restore to revoke again.
    pub revoked: Vec<ImportedRevocation>,
}

/// An export that cannot be made or is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ExportError {
    /// The key did not sign.
    #[error("the key could not sign the audit heads")]
    NotSigned,
    /// Not the document that an export is.
    #[error("not an export of audit heads")]
    Malformed,
    /// Not signed by this key.
    #[error("the signature of the audit heads is not by the bank's key")]
    BadSignature,
}

const TYP: &str = "koshin-audit-heads+jws";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jws {
    protected: String,
    payload: String,
    signature: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Protected {
    alg: Algorithm,
    typ: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    time: Time,
    heads: Vec<PayloadHead>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    revoked: Vec<PayloadRevoked>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PayloadHead {
    chain: String,
    sequence: u64,
    hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PayloadRevoked {
    #[serde(rename = "certID")]
    cert_id: CertId,
    revoked: Time,
    #[serde(rename = "crlReason", skip_serializing_if = "Option::is_none")]
    crl_reason: Option<u8>,
}

impl Export {
    /// Signs them: a flattened JWS.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, ExportError> {
        let protected = Protected { alg: signer.algorithm(), typ: TYP.to_owned() };
        let heads = self.heads.iter().map(|head| PayloadHead {
            chain: head.chain.to_string(),
            sequence: head.sequence,
            hash: head.hash.to_string(),
        });
        let revoked = self.revoked.iter().map(|entry| PayloadRevoked {
            cert_id: entry.cert_id.clone(),
            revoked: entry.revoked_at,
            crl_reason: entry.crl_reason,
        });
        let (heads, revoked) = (heads.collect(), revoked.collect());
        let payload = Payload { time: self.time, heads, revoked };
        let protected = base64url::encode(&to_json(&protected));
        let payload = base64url::encode(&to_json(&payload));
        let input = format!("{protected}.{payload}");
        let signature = signer.sign(input.as_bytes()).map_err(|_| ExportError::NotSigned)?;
        let signature = base64url::encode(&signature);
        let jws = to_json(&Jws { protected, payload, signature });
        Ok(String::from_utf8(jws).expect("JSON is UTF-8"))
    }

    /// Reads what [`Export::sign`] wrote, if `key` signed it.
    pub fn verify(
        text: &str,
        key: &PublicKey,
        verifier: &dyn Verifier,
    ) -> Result<Self, ExportError> {
        // Written by the bank for itself, and as long as it has contracts: no limit of the wire.
        let jws: Jws = serde_json::from_str(text).map_err(|_| ExportError::Malformed)?;
        let protected: Protected = json::parse(&decode(&jws.protected)?).map_err(malformed)?;
        if protected.typ != TYP {
            return Err(ExportError::Malformed);
        }
        let input = format!("{}.{}", jws.protected, jws.payload);
        let signature = decode(&jws.signature)?;
        verifier
            .verify(protected.alg, key, input.as_bytes(), &signature)
            .map_err(|_| ExportError::BadSignature)?;
        let payload: Payload = serde_json::from_slice(&decode(&jws.payload)?).map_err(malformed)?;
        let heads = payload.heads.into_iter().map(PayloadHead::read).collect::<Result<_, _>>()?;
        let revoked = payload.revoked.into_iter().map(|entry| ImportedRevocation {
            cert_id: entry.cert_id,
            revoked_at: entry.revoked,
            crl_reason: entry.crl_reason,
        });
        Ok(Self { time: payload.time, heads, revoked: revoked.collect() })
    }

    /// The head of a chain; `None` if the chain had no record then.
    pub fn head(&self, chain: Chain) -> Option<Head> {
        self.heads.iter().copied().find(|head| head.chain == chain)
    }
}

impl PayloadHead {
    fn read(self) -> Result<Head, ExportError> {
        let hash = decode(&self.hash)?.try_into().map_err(|_| ExportError::Malformed)?;
        let chain = self.chain.parse().map_err(malformed)?;
        Ok(Head { chain, sequence: self.sequence, hash: Hash::from_bytes(hash) })
    }
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and numbers serialise")
}

fn decode(text: &str) -> Result<Vec<u8>, ExportError> {
    base64url::decode(text).map_err(malformed)
}

fn malformed<E>(_: E) -> ExportError {
    ExportError::Malformed
}
