//! The JSON object of a directory, and what belongs to which profile (SPEC.md 7.1).

use std::borrow::Cow;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::{Directory, Full, Profile, ProfileName};
use crate::{
    algorithm::{Algorithm, KeyType},
    chain::Chain,
    environment::EnvironmentRule,
    json,
    key_store::KeyStoreName,
    page_url::PageUrl,
    pin::PinRule,
    time::Period,
    url::Url,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    new_nonce: Url,
    new_session: Url,
    new_order: Url,
    find_order: Url,
    renewal_info: Url,
    revoke_cert: Url,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    new_reissue: Option<Url>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    unlock: Option<Url>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pin: Option<Url>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    new_enrollment: Option<Url>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    crl: Option<Vec<Url>>,
    meta: Meta,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    version: String,
    profile: ProfileName,
    #[serde(deserialize_with = "known")]
    algorithms: Vec<Algorithm>,
    #[serde(deserialize_with = "known")]
    key_types: Vec<KeyType>,
    environments: Vec<EnvironmentRule>,
    key_stores: Vec<KeyStoreName>,
    time_zone: String,
    window: Period,
    confirm_within: Period,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    rollback_within: Option<Period>,
    issuers: Vec<Chain>,
    extensions: Vec<String>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pin: Option<PinRule>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    website: Option<PageUrl>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    terms_of_service: Option<PageUrl>,
}

/// The only version of the protocol (SPEC.md 15.1).
const VERSION: &str = "1";

/// The directory contradicts itself, or is of a version that this software does not speak.
#[derive(Debug, Error)]
pub(super) enum InvalidDirectory {
    #[error("the bank speaks version {0:?} of the protocol, and this software speaks 1")]
    Version(String),
    #[error("a directory of profile full needs {0}")]
    Missing(&'static str),
    #[error("a directory of profile core has no {0}")]
    Unexpected(&'static str),
    #[error("meta.window is {0}, and not whole days")]
    Window(Period),
    #[error("meta.{0} lacks what every bank has")]
    Incomplete(&'static str),
}

impl TryFrom<Document> for Directory {
    type Error = InvalidDirectory;

    fn try_from(document: Document) -> Result<Self, InvalidDirectory> {
        document.meta.check()?;
        let Document { new_nonce, new_session, new_order, find_order, .. } = document;
        let Document { renewal_info, revoke_cert, meta, .. } = document;
        let profile = match meta.profile {
            ProfileName::Full => Profile::Full(Box::new(Full {
                new_reissue: document.new_reissue.ok_or(MISSING("newReissue"))?,
                unlock: document.unlock.ok_or(MISSING("unlock"))?,
                pin: document.pin.ok_or(MISSING("pin"))?,
                new_enrollment: document.new_enrollment.ok_or(MISSING("newEnrollment"))?,
                crl: document.crl.ok_or(MISSING("crl"))?,
                pin_rule: meta.pin.ok_or(MISSING("meta.pin"))?,
            })),
            ProfileName::Core => {
                absent(document.new_reissue.as_ref(), "newReissue")?;
                absent(document.unlock.as_ref(), "unlock")?;
                absent(document.pin.as_ref(), "pin")?;
                absent(document.new_enrollment.as_ref(), "newEnrollment")?;
                Profile::Core { crl: document.crl.unwrap_or_default(), pin_rule: meta.pin }
            }
        };
        let meta = super::Meta {
            algorithms: meta.algorithms,
            key_types: meta.key_types,
            environments: meta.environments,
            key_stores: meta.key_stores,
            time_zone: meta.time_zone,
            window: meta.window,
            confirm_within: meta.confirm_within,
            rollback_within: meta.rollback_within,
            issuers: meta.issuers,
            extensions: meta.extensions,
            website: meta.website,
            terms_of_service: meta.terms_of_service,
        };
        Ok(Self {
            new_nonce,
            new_session,
            new_order,
            find_order,
            renewal_info,
            revoke_cert,
            profile,
            meta,
        })
    }
}

const MISSING: fn(&'static str) -> InvalidDirectory = InvalidDirectory::Missing;

fn absent(url: Option<&Url>, member: &'static str) -> Result<(), InvalidDirectory> {
    if url.is_some() { Err(InvalidDirectory::Unexpected(member)) } else { Ok(()) }
}

impl Meta {
    fn check(&self) -> Result<(), InvalidDirectory> {
        let incomplete = |member| Err(InvalidDirectory::Incomplete(member));
        if self.version != VERSION {
            return Err(InvalidDirectory::Version(self.version.clone()));
        }
        if !self.algorithms.contains(&Algorithm::Es256) {
            return incomplete("algorithms");
        }
        if !self.key_types.contains(&KeyType::P256) {
            return incomplete("keyTypes");
        }
        if self.key_stores.is_empty() {
            return incomplete("keyStores");
        }
        if self.window.days() == 0 || self.window.seconds() != 0 {
            return Err(InvalidDirectory::Window(self.window));
        }
        if self.issuers.is_empty() {
            return incomplete("issuers");
        }
        Ok(())
    }
}

/// Leaves out the names that this software does not know: a bank may take more than we can.
fn known<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let names = Vec::<Cow<'de, str>>::deserialize(deserializer)?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

impl From<Directory> for Document {
    fn from(directory: Directory) -> Self {
        let profile = directory.profile.name();
        let (full, crl, pin_rule) = match directory.profile {
            Profile::Core { crl, pin_rule } => (None, (!crl.is_empty()).then_some(crl), pin_rule),
            Profile::Full(full) => {
                let Full { new_reissue, unlock, pin, new_enrollment, crl, pin_rule } = *full;
                (Some((new_reissue, unlock, pin, new_enrollment)), Some(crl), Some(pin_rule))
            }
        };
        let (new_reissue, unlock, pin, new_enrollment) = match full {
            None => (None, None, None, None),
            Some((new_reissue, unlock, pin, new_enrollment)) => {
                (Some(new_reissue), Some(unlock), Some(pin), Some(new_enrollment))
            }
        };
        let meta = directory.meta;
        Self {
            new_nonce: directory.new_nonce,
            new_session: directory.new_session,
            new_order: directory.new_order,
            find_order: directory.find_order,
            renewal_info: directory.renewal_info,
            revoke_cert: directory.revoke_cert,
            new_reissue,
            unlock,
            pin,
            new_enrollment,
            crl,
            meta: Meta {
                version: VERSION.to_owned(),
                profile,
                algorithms: meta.algorithms,
                key_types: meta.key_types,
                environments: meta.environments,
                key_stores: meta.key_stores,
                time_zone: meta.time_zone,
                window: meta.window,
                confirm_within: meta.confirm_within,
                rollback_within: meta.rollback_within,
                issuers: meta.issuers,
                extensions: meta.extensions,
                pin: pin_rule,
                website: meta.website,
                terms_of_service: meta.terms_of_service,
            },
        }
    }
}
