//! What of the registry is out of the ordinary, as an export carries it: a restore compares it with
//! what a backup says, and so learns what was done after the backup.
//!
//! Only exceptions are listed, never a PIN or a hash: a bank of a million subjects has few that are
//! disabled or locked, few revocations behind a superseded certificate, few open codes. PINs that were
//! set are listed for [`PINS_KEPT`], since they are no exception.

use std::collections::BTreeMap;

use koshin_protocol::base64url;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::time::{Period, Time};
use serde::{Deserialize, Serialize};

use super::export::{ExportError, malformed};
use crate::store::id::{ContractId, ReissueId, SubjectId};

/// How long an export tells of a PIN that was set: longer than a monthly backup is the newest.
pub const PINS_KEPT: Period = Period::from_days(35);

/// What is out of the ordinary at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The newest CRL of each issuer: none that is older may be restored with.
    pub crls: Vec<PublishedCrl>,
    /// Contracts that the bank disabled.
    pub disabled_contracts: Vec<ContractId>,
    /// Subjects that the bank disabled.
    pub disabled_subjects: Vec<SubjectId>,
    /// Operators who were disabled.
    pub disabled_operators: Vec<String>,
    /// Subjects whose PIN is locked.
    pub locked_pins: Vec<SubjectId>,
    /// Since when PINs that were set are listed.
    pub pins_since: Time,
    /// When a PIN was last set.
    pub pins_set: BTreeMap<SubjectId, Time>,
    /// Superseded certificates, within their validity, of subjects that have no current one: the one
    /// that took their place was revoked, and they must not stand in for it.
    pub stopped: Vec<CertId>,
    /// Certificates that were revoked by a rollback: their predecessors count again.
    pub rolled_back: Vec<CertId>,
    /// Reissues whose code was neither redeemed nor taken back, whether its time is over or not, and
    /// those whose order is open.
    pub open_reissues: Vec<ReissueId>,
}

/// The newest CRL of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedCrl {
    /// The issuer's key identifier.
    pub issuer: Vec<u8>,
    /// `cRLNumber`
    pub number: u64,
}

impl Standing {
    /// Nothing is out of the ordinary.
    pub fn ordinary(pins_since: Time) -> Self {
        Self {
            crls: Vec::new(),
            disabled_contracts: Vec::new(),
            disabled_subjects: Vec::new(),
            disabled_operators: Vec::new(),
            locked_pins: Vec::new(),
            pins_since,
            pins_set: BTreeMap::new(),
            stopped: Vec::new(),
            rolled_back: Vec::new(),
            open_reissues: Vec::new(),
        }
    }
}

/// The same as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Payload {
    crls: Vec<PayloadCrl>,
    disabled_contracts: Vec<String>,
    disabled_subjects: Vec<String>,
    disabled_operators: Vec<String>,
    locked_pins: Vec<String>,
    pins_since: Time,
    pins_set: BTreeMap<String, Time>,
    stopped: Vec<CertId>,
    rolled_back: Vec<CertId>,
    open_reissues: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PayloadCrl {
    issuer: String,
    number: u64,
}

fn write<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn read<T: std::str::FromStr>(ids: &[String]) -> Result<Vec<T>, ExportError> {
    ids.iter().map(|id| id.parse().map_err(malformed)).collect()
}

impl From<&Standing> for Payload {
    fn from(standing: &Standing) -> Self {
        let crls = standing
            .crls
            .iter()
            .map(|crl| PayloadCrl { issuer: base64url::encode(&crl.issuer), number: crl.number });
        let pins_set = standing.pins_set.iter().map(|(id, time)| (id.to_string(), *time));
        Self {
            crls: crls.collect(),
            disabled_contracts: write(&standing.disabled_contracts),
            disabled_subjects: write(&standing.disabled_subjects),
            disabled_operators: standing.disabled_operators.clone(),
            locked_pins: write(&standing.locked_pins),
            pins_since: standing.pins_since,
            pins_set: pins_set.collect(),
            stopped: standing.stopped.clone(),
            rolled_back: standing.rolled_back.clone(),
            open_reissues: write(&standing.open_reissues),
        }
    }
}

impl TryFrom<Payload> for Standing {
    type Error = ExportError;

    fn try_from(payload: Payload) -> Result<Self, ExportError> {
        let crl = |crl: PayloadCrl| {
            let issuer = base64url::decode(&crl.issuer).map_err(malformed)?;
            Ok(PublishedCrl { issuer, number: crl.number })
        };
        let pin = |(id, time): (String, Time)| Ok((id.parse().map_err(malformed)?, time));
        Ok(Self {
            crls: payload.crls.into_iter().map(crl).collect::<Result<_, _>>()?,
            disabled_contracts: read(&payload.disabled_contracts)?,
            disabled_subjects: read(&payload.disabled_subjects)?,
            disabled_operators: payload.disabled_operators,
            locked_pins: read(&payload.locked_pins)?,
            pins_since: payload.pins_since,
            pins_set: payload.pins_set.into_iter().map(pin).collect::<Result<_, _>>()?,
            stopped: payload.stopped,
            rolled_back: payload.rolled_back,
            open_reissues: read(&payload.open_reissues)?,
        })
    }
}
