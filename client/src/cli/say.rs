//! What is said to people, as data; the words are in [`en`] and [`ja`], which the compiler holds to having all of it.

pub(crate) mod en;
pub(crate) mod ja;
pub(crate) mod ja_error;

use std::path::PathBuf;

use koshin_client::Error;
use koshin_client::import::ImportError;
use koshin_client::progress::{Event, Why};
use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::contract::PinState;
use koshin_protocol::problem::Language;
use koshin_protocol::revocation::Reason;
use koshin_protocol::subject::Role;
use koshin_protocol::time::Time;

use super::failure::Next;
use super::language::Tongue;
use super::open_work::OpenWork;

/// Something to say.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    // Questions, in the order in which they come.
    AskPin {
        lengths: Option<(u16, u16)>,
    },
    PinWasWrong {
        left: u32,
    },
    NoSuchPin,
    Notice {
        expires: Time,
        closes: Time,
        deferrals: u32,
    },
    AskRenewOrDefer,
    AskMakeKey {
        expires: Time,
        key_store: String,
    },
    AskInstall {
        subject: String,
        until: Time,
    },
    AskEnroll {
        directory: String,
        name: String,
    },
    AskTicket,
    AskRollback,
    AskLogOn {
        until: Time,
    },
    AskRevoke,
    AskReissue {
        name: String,
        reason: Reason,
    },
    AskKeyStore,
    AskKeyPassphrase,
    AskNewKeyPassphrase,
    AskFilePassphrase,
    AskNewFilePassphrase,
    AskAgain,
    AnswerYesOrNo,
    AnswerOneOrTwo,
    PassphraseWasWrong,
    EmptyPassphrase,
    TypedDifferently,

    // What happens meanwhile.
    PleaseWait,
    LoggedOn {
        name: String,
        until: Time,
    },
    ClockDiffers {
        seconds: i64,
    },
    Resuming,
    KeyMade {
        key_store: String,
    },
    Ordered,
    Processing {
        seconds: u64,
    },
    Waiting {
        why: Why,
        seconds: u64,
    },
    Received {
        until: Time,
    },
    Installed,
    Confirmed,
    Switched,

    // How it ended.
    Imported {
        subject: String,
        not_after: Time,
        opens: Option<Time>,
        is_open: Option<bool>,
        why_unknown: Option<String>,
        folder: PathBuf,
        command: String,
    },
    RenewedNow {
        subject: String,
        until: Time,
        is_renewal: bool,
        folder: PathBuf,
        key: &'static str,
        rollback: Option<(Time, String)>,
        export: String,
    },
    DeferredUntilLater {
        deferrals: u32,
        next: String,
    },
    CanceledNow {
        next: String,
    },
    RolledBackNow,
    Exported {
        file: PathBuf,
        subject: String,
        has_clear_key: bool,
    },
    Revoked {
        certificates: Vec<String>,
        is_own: bool,
    },
    Reissued {
        name: String,
        expires: Time,
        /// Unless it went to a file.
        ticket: Option<String>,
        qr: Option<String>,
        file: Option<PathBuf>,
    },
    ReissueCanceled {
        name: String,
        status: String,
    },
    Unlocked {
        name: String,
    },

    // What there is.
    Lines(Vec<Say>),
    Identity {
        name: String,
        directory: String,
    },
    IdentityFailed {
        name: String,
        why: String,
    },
    NoCertificateYet,
    Certificate {
        subject: String,
        cert_id: String,
        until: Time,
        is_current: bool,
    },
    Open {
        work: OpenWork,
    },
    WindowUnknown {
        why: String,
    },
    ToBeginWith,
    ExpiredNow,
    OpensLater {
        opens: Time,
    },
    OpenNow {
        days: i64,
    },
    DaysLeft {
        days: i64,
    },
    Contract {
        id: String,
        name: String,
    },
    ContractSubject {
        id: String,
        name: String,
        role: Role,
        pin: PinState,
        deferrals: u32,
        has_order: bool,
        has_reissue: bool,
    },
    ContractCertificate {
        cert_id: String,
        state: CertificateState,
        until: Time,
    },

    Checked {
        ok: usize,
        warn: usize,
        fail: usize,
    },

    Looked {
        identities: usize,
        is_well: bool,
    },

    // What went wrong, and what to do.
    AtDirectory {
        text: String,
        url: String,
    },
    Next {
        command: String,
        is_administrators: bool,
    },
    File {
        path: PathBuf,
        detail: String,
    },
    NoHome,
    NoIdentity {
        home: PathBuf,
    },
    NoSuchIdentity {
        name: String,
        names: String,
    },
    ManyIdentities {
        names: String,
    },
    ConsentNeeded,
    LogonEndsRollback {
        until: Time,
    },
    KeyPassphraseNeeded,
    OthersCanRead {
        path: PathBuf,
    },
    NoSuchKeyStore {
        path: PathBuf,
        found: String,
    },
    DirectoryNeeded,
    TrustNeeded,
    NoRoots {
        path: PathBuf,
    },
    OtherSubject {
        name: String,
        ours: String,
        found: String,
    },
    OlderThanCurrent {
        name: String,
        ours: Time,
        found: Time,
    },
    OtherDirectory {
        name: String,
        ours: String,
        given: String,
        file: PathBuf,
    },
    NotAgreed,
    TicketNeeded,
    FilePassphraseNeeded,
    CertificatesAreInPem,
    NoSuchUser {
        wanted: String,
        users: String,
    },
    NoReissue {
        name: String,
    },
    OtherKeyStore {
        name: String,
        ours: String,
    },
}

impl Say {
    /// What is said of an event, if anything.
    pub(crate) fn of_event(event: &Event) -> Option<Self> {
        Some(match event {
            Event::ClockDiffers { seconds } => Self::ClockDiffers { seconds: *seconds },
            Event::LoggedOn { name, not_after, .. } => {
                Self::LoggedOn { name: name.to_string(), until: *not_after }
            }
            Event::Resuming { .. } => Self::Resuming,
            Event::KeyMade { key_store, .. } => Self::KeyMade { key_store: key_store.clone() },
            Event::Ordered { .. } => Self::Ordered,
            Event::Processing { seconds, .. } => Self::Processing { seconds: *seconds },
            Event::Waiting { reason, seconds } => Self::Waiting { why: *reason, seconds: *seconds },
            Event::Received { not_after, .. } => Self::Received { until: *not_after },
            Event::Installed { .. } => Self::Installed,
            Event::Confirmed { .. } => Self::Confirmed,
            Event::Switched { .. } => Self::Switched,
            // The question or the result says it.
            Event::Notice { .. }
            | Event::Ended { .. }
            | Event::Canceled { .. }
            | Event::RolledBack { .. }
            | Event::Deferred { .. } => return None,
        })
    }
}

impl From<Next> for Say {
    fn from(next: Next) -> Self {
        let Next { command, is_administrators } = next;
        Self::Next { command, is_administrators }
    }
}

impl Tongue {
    /// What an error of the library says; the bank's own words are in the language asked for already.
    pub(crate) fn error(&self, error: &Error) -> String {
        match self.language() {
            Language::En => error.to_string(),
            Language::Ja => ja_error::text(error, self),
        }
    }

    /// What is wrong with files that were to be imported.
    pub(crate) fn import_error(&self, error: &ImportError) -> String {
        match self.language() {
            Language::En => en::import_error(error),
            Language::Ja => ja_error::import(error, self),
        }
    }
}
