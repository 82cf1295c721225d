//! What a check found: which check it was, how bad it is, and who acts.

use std::path::PathBuf;

use koshin_client::Class;
use koshin_client::transport::Distrust;
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::time::Time;

/// What a check found. The words are in [`super::text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    // The folder with the identities.
    Home { folder: PathBuf, identities: usize },
    NoIdentities { folder: PathBuf },
    HomeUnreadable { folder: PathBuf, detail: String },
    HomeWritable { folder: PathBuf },
    HomeNotWritable { folder: PathBuf, detail: String },
    HomeOpen { folder: PathBuf, mode: u32 },
    Space { folder: PathBuf, mebibytes: u64 },
    SpaceLow { folder: PathBuf, mebibytes: u64 },
    SpaceUnknown { folder: PathBuf, detail: String },
    Proxy { variables: String },
    NoProxy,

    // An identity's folder.
    Settings { directory: String },
    SettingsBad { detail: String },
    Unlocked,
    Locked,
    FolderClosed,
    FolderOpen { folder: PathBuf, mode: u32 },
    KeysClosed { count: usize },
    KeyOpen { path: PathBuf, mode: u32 },
    Trust { count: usize, until: Time },
    TrustBad { detail: String },
    TrustExpired { path: PathBuf, until: Time },
    TlsSystem,
    Tls { count: usize },
    TlsBad { detail: String },
    Pins { count: usize },
    PinBad { pin: String },
    Pair { generation: u64, subject: String },
    NoPair,
    PairBroken { generation: u64, detail: String },
    KeyClosed { detail: String },
    Valid { until: Time, days: i64 },
    InWindow { until: Time, days: i64 },
    Expired { until: Time },
    NotYetValid { from: Time },
    Finished,
    Unfinished { generation: u64, begun: Time },
    JournalBad { detail: String },
    LastAttemptFailed { reason: String, again: Time },

    // The bank.
    Reached { url: String },
    NotReached { url: String, detail: String },
    TlsRefused { url: String, why: Distrust },
    HttpStatus { url: String, status: u16 },
    Directory { profile: &'static str },
    DirectoryBad { detail: String },
    Clock { seconds: i64 },
    ClockWrong { seconds: i64 },
    NoDate,
    Environment { os: String, version: String },
    EnvironmentRefused { ours: String, wanted: String },
    KeyStore { kind: String },
    KeyStoreRefused { kind: String, offered: String },
    Algorithm { algorithm: Algorithm },
    AlgorithmRefused { algorithm: Algorithm, offered: String },
    Issuers { count: usize },
    IssuersUntrusted { issuer: String, detail: String },
    Known { opens: Time, closes: Time },
    NotRenewable,
    Unknown,
    RenewalInfoBad { detail: String },
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Ok,
    /// It works, and somebody should look.
    Warn,
    /// It does not work, until somebody acts.
    Fail(Class),
}

impl Level {
    /// The word of `--json`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail(_) => "fail",
        }
    }
}

impl Finding {
    /// The check's name, which scripts may rely on.
    pub(crate) fn check(&self) -> &'static str {
        match self {
            Self::Home { .. } | Self::NoIdentities { .. } | Self::HomeUnreadable { .. } => "home",
            Self::HomeWritable { .. } | Self::HomeNotWritable { .. } => "writable",
            Self::HomeOpen { .. }
            | Self::FolderClosed
            | Self::FolderOpen { .. }
            | Self::KeysClosed { .. }
            | Self::KeyOpen { .. } => "permissions",
            Self::Space { .. } | Self::SpaceLow { .. } | Self::SpaceUnknown { .. } => "space",
            Self::Proxy { .. } | Self::NoProxy => "proxy",
            Self::Settings { .. } | Self::SettingsBad { .. } => "settings",
            Self::Unlocked | Self::Locked => "lock",
            Self::Trust { .. } | Self::TrustBad { .. } | Self::TrustExpired { .. } => "trust",
            Self::TlsSystem | Self::Tls { .. } | Self::TlsBad { .. } => "tlsTrust",
            Self::Pins { .. } | Self::PinBad { .. } => "pins",
            Self::Pair { .. } | Self::NoPair | Self::PairBroken { .. } | Self::KeyClosed { .. } => {
                "pair"
            }
            Self::Valid { .. }
            | Self::InWindow { .. }
            | Self::Expired { .. }
            | Self::NotYetValid { .. } => "expiry",
            Self::Finished | Self::Unfinished { .. } | Self::JournalBad { .. } => "journal",
            Self::LastAttemptFailed { .. } => "agent",
            Self::Reached { .. }
            | Self::NotReached { .. }
            | Self::TlsRefused { .. }
            | Self::HttpStatus { .. } => "connection",
            Self::Directory { .. } | Self::DirectoryBad { .. } => "directory",
            Self::Clock { .. } | Self::ClockWrong { .. } | Self::NoDate => "clock",
            Self::Environment { .. } | Self::EnvironmentRefused { .. } => "environment",
            Self::KeyStore { .. } | Self::KeyStoreRefused { .. } => "keyStore",
            Self::Algorithm { .. } | Self::AlgorithmRefused { .. } => "algorithm",
            Self::Issuers { .. } | Self::IssuersUntrusted { .. } => "issuers",
            Self::Known { .. }
            | Self::NotRenewable
            | Self::Unknown
            | Self::RenewalInfoBad { .. } => "renewalInfo",
        }
    }

    /// How bad it is.
    pub(crate) fn level(&self) -> Level {
        match self {
            Self::Home { .. }
            | Self::HomeWritable { .. }
            | Self::Space { .. }
            | Self::Proxy { .. }
            | Self::NoProxy
            | Self::Settings { .. }
            | Self::Unlocked
            | Self::FolderClosed
            | Self::KeysClosed { .. }
            | Self::Trust { .. }
            | Self::TlsSystem
            | Self::Tls { .. }
            | Self::Pins { .. }
            | Self::Pair { .. }
            | Self::Valid { .. }
            | Self::Finished
            | Self::Reached { .. }
            | Self::Directory { .. }
            | Self::Clock { .. }
            | Self::Environment { .. }
            | Self::KeyStore { .. }
            | Self::Algorithm { .. }
            | Self::Issuers { .. }
            | Self::Known { .. } => Level::Ok,
            Self::NoIdentities { .. }
            | Self::SpaceUnknown { .. }
            | Self::Locked
            | Self::InWindow { .. }
            | Self::Unfinished { .. }
            | Self::LastAttemptFailed { .. }
            | Self::ClockWrong { .. }
            | Self::NoDate
            | Self::RenewalInfoBad { .. } => Level::Warn,
            Self::NotReached { .. } | Self::HttpStatus { .. } => Level::Fail(Class::RetryLater),
            Self::Expired { .. } => Level::Fail(Class::Reissue),
            Self::HomeUnreadable { .. }
            | Self::HomeNotWritable { .. }
            | Self::HomeOpen { .. }
            | Self::SpaceLow { .. }
            | Self::SettingsBad { .. }
            | Self::FolderOpen { .. }
            | Self::KeyOpen { .. }
            | Self::TrustBad { .. }
            | Self::TrustExpired { .. }
            | Self::TlsBad { .. }
            | Self::PinBad { .. }
            | Self::NoPair
            | Self::PairBroken { .. }
            | Self::KeyClosed { .. }
            | Self::NotYetValid { .. }
            | Self::JournalBad { .. }
            | Self::TlsRefused { .. }
            | Self::DirectoryBad { .. }
            | Self::EnvironmentRefused { .. }
            | Self::KeyStoreRefused { .. }
            | Self::AlgorithmRefused { .. }
            | Self::IssuersUntrusted { .. }
            | Self::NotRenewable
            | Self::Unknown => Level::Fail(Class::Act),
        }
    }
}
