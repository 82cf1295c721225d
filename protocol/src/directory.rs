//! Where a bank's resources are, and its rules (SPEC.md 7.1).

mod document;

use serde::{Deserialize, Serialize};

use crate::{
    algorithm::{Algorithm, KeyType},
    chain::Chain,
    environment::EnvironmentRule,
    key_store::KeyStoreName,
    page_url::PageUrl,
    pin::PinRule,
    time::Period,
    url::Url,
};

/// A bank's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "document::Document", into = "document::Document")]
pub struct Directory {
    /// Where to get a nonce.
    pub new_nonce: Url,
    /// Where to log on.
    pub new_session: Url,
    /// Where to order.
    pub new_order: Url,
    /// Where to find an order by its key.
    pub find_order: Url,
    /// Prefix of the renewal information: `/` and the certID are appended.
    pub renewal_info: Url,
    /// Where to revoke.
    pub revoke_cert: Url,
    /// What else there is.
    pub profile: Profile,
    /// The bank's rules.
    pub meta: Meta,
}

impl Directory {
    /// The bank's CRLs; a bank of profile `core` need not have any here.
    pub fn crl(&self) -> &[Url] {
        match &self.profile {
            Profile::Core { crl, .. } => crl,
            Profile::Full(full) => &full.crl,
        }
    }

    /// The bank's rule for PINs, if it has PINs.
    pub fn pin_rule(&self) -> Option<PinRule> {
        match &self.profile {
            Profile::Core { pin_rule, .. } => *pin_rule,
            Profile::Full(full) => Some(full.pin_rule),
        }
    }
}

/// The bank's profile (SPEC.md 15.3), with the resources that come with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// Renewal, and neither reissue nor PIN administration.
    Core {
        /// One CRL for each issuer, or nothing.
        crl: Vec<Url>,
        /// The rule for PINs, if the bank has PINs.
        pin_rule: Option<PinRule>,
    },
    /// Everything.
    Full(Box<Full>),
}

impl Profile {
    /// The word of `meta.profile`.
    pub const fn name(&self) -> ProfileName {
        match self {
            Self::Core { .. } => ProfileName::Core,
            Self::Full(_) => ProfileName::Full,
        }
    }
}

/// What a bank of profile `full` has beyond `core`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    /// Where an administrator reissues.
    pub new_reissue: Url,
    /// Where an administrator unlocks a PIN.
    pub unlock: Url,
    /// Where a subject changes its PIN.
    pub pin: Url,
    /// Where to enroll with a code.
    pub new_enrollment: Url,
    /// One CRL for each issuer.
    pub crl: Vec<Url>,
    /// The rule for PINs.
    pub pin_rule: PinRule,
}

/// The words of `meta.profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileName {
    /// See [`Profile::Core`].
    Core,
    /// See [`Profile::Full`].
    Full,
}

impl ProfileName {
    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Full => "full",
        }
    }
}

/// The rules that a bank publishes as `meta`, without `version`, `profile` and `pin`, which are in
/// the type of [`Directory`] itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// JWS algorithms that the bank verifies, ES256 among them. Names that this software does not
    /// know are left out when a directory is read.
    pub algorithms: Vec<Algorithm>,
    /// Key types that a CSR may have, P-256 among them; unknown ones left out likewise.
    pub key_types: Vec<KeyType>,
    /// The environments that may renew; none: all of them.
    pub environments: Vec<EnvironmentRule>,
    /// The key stores that the bank takes; never empty.
    pub key_stores: Vec<KeyStoreName>,
    /// IANA name of the zone in which the window is counted.
    pub time_zone: String,
    /// Whole calendar days from the window's opening to the day of notAfter, at least one.
    pub window: Period,
    /// An order unconfirmed for longer counts as abandoned.
    pub confirm_within: Period,
    /// Longest time from completion to rollback; `None`: no rollback.
    pub rollback_within: Option<Period>,
    /// Issuing chains, an issuing CA first, each without the root; never empty.
    pub issuers: Vec<Chain>,
    /// Extensions that the bank understands (SPEC.md 15.2).
    pub extensions: Vec<String>,
    /// A page for people.
    pub website: Option<PageUrl>,
    /// A page for people.
    pub terms_of_service: Option<PageUrl>,
}
