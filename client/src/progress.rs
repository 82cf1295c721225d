//! What happens while it happens, as data: for displays, logs, and `--json`.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::subject::{Role, SubjectName};
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use serde::Serialize;

/// Hears of events. Called in between requests: it should not block for long.
pub trait Progress: Send + Sync {
    /// Something happened.
    fn report(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Progress for F {
    fn report(&self, event: &Event) {
        self(event);
    }
}

/// Why a request is repeated after a while. Its JSON form is these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Why {
    /// There was no answer, or none that can be read.
    #[serde(rename = "no answer")]
    NoAnswer,
    /// The bank refused, and said for how long.
    #[serde(rename = "the bank asked to wait")]
    AskedToWait,
    /// The bank could not do it, and did not say for how long.
    #[serde(rename = "the bank could not answer")]
    CouldNot,
}

/// Something that happened. The JSON form is stable: members are added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// This machine's clock differs from the bank's by more than five minutes (TIM-03).
    ClockDiffers {
        /// How far it is ahead; negative: behind.
        seconds: i64,
    },
    /// The bank accepted the logon.
    LoggedOn {
        /// Whose certificate it is.
        name: SubjectName,
        /// Its role.
        role: Role,
        /// The certificate that logged on.
        #[serde(rename = "certID")]
        cert_id: CertId,
        /// Its last second.
        not_after: Time,
    },
    /// The bank says that the certificate will expire soon (更新のお知らせ).
    Notice {
        /// Its last second.
        expires: Time,
        /// First second of the renewal window.
        opens: Time,
        /// Last second of it.
        closes: Time,
        /// How often the renewal was deferred.
        deferrals: u32,
    },
    /// Something that was begun earlier is taken up.
    Resuming {
        /// The generation's number.
        generation: u64,
    },
    /// A new key is stored, durably.
    KeyMade {
        /// The generation's number.
        generation: u64,
        /// Where.
        key_store: String,
    },
    /// The bank has the order.
    Ordered {
        /// The order.
        order: Url,
    },
    /// The bank has not issued the certificate yet.
    Processing {
        /// The order.
        order: Url,
        /// Seconds until it is asked again.
        seconds: u64,
    },
    /// A request is repeated after a while.
    Waiting {
        /// Why.
        reason: Why,
        /// How long.
        seconds: u64,
    },
    /// The new certificate passed all checks and is stored.
    Received {
        /// The new certificate.
        #[serde(rename = "certID")]
        cert_id: CertId,
        /// Its last second.
        not_after: Time,
    },
    /// The new pair is the current one on this machine.
    Installed {
        /// The new certificate.
        #[serde(rename = "certID")]
        cert_id: CertId,
    },
    /// The bank confirmed: the new certificate counts.
    Confirmed {
        /// The order.
        order: Url,
        /// The new certificate.
        #[serde(rename = "certID")]
        cert_id: CertId,
        /// Last second in which the renewal may be rolled back.
        #[serde(skip_serializing_if = "Option::is_none")]
        rollback_until: Option<Time>,
    },
    /// Another pair than before is the current one: the one that the bank accepts.
    Switched {
        /// Its certificate.
        #[serde(rename = "certID")]
        cert_id: CertId,
    },
    /// A generation will not be used; its key is kept.
    Ended {
        /// The generation's number.
        generation: u64,
    },
    /// The order is canceled.
    Canceled {
        /// The order.
        order: Url,
    },
    /// The renewal is rolled back.
    RolledBack {
        /// The order.
        order: Url,
    },
    /// The renewal is deferred to a later logon.
    Deferred {
        /// How often so far.
        deferrals: u32,
    },
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn report(&self, _: &Event) {}
}
