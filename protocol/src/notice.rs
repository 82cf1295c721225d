//! The notice that a certificate will soon expire (更新のお知らせ, SPEC.md 7.5).

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{json, renewal_info::Window, time::Time, url::Url};

/// A session's `notice`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Notice {
    /// `notAfter` of the certificate.
    pub expires: Time,
    /// When the bank accepts the renewal.
    pub window: Window,
    /// What was deferred so far; `None`: nothing.
    pub deferred: Option<Deferred>,
    /// Where to defer to the next logon, while that is possible.
    pub defer: Option<Url>,
}

/// Former deferrals (次回ログイン時に更新する) of one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deferred {
    /// How many.
    pub count: NonZeroU32,
    /// When the last one was recorded.
    pub last: Time,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    expires: Time,
    window: Window,
    deferrals: u32,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    deferred_at: Option<Time>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    defer: Option<Url>,
}

/// The notice contradicts itself.
#[derive(Debug, Error)]
#[error("deferredAt is there exactly when deferrals is more than 0")]
struct InvalidNotice;

impl TryFrom<Document> for Notice {
    type Error = InvalidNotice;

    fn try_from(document: Document) -> Result<Self, InvalidNotice> {
        let deferred = match (NonZeroU32::new(document.deferrals), document.deferred_at) {
            (None, None) => None,
            (Some(count), Some(last)) => Some(Deferred { count, last }),
            (None, Some(_)) | (Some(_), None) => return Err(InvalidNotice),
        };
        let Document { expires, window, defer, .. } = document;
        Ok(Self { expires, window, deferred, defer })
    }
}

impl From<Notice> for Document {
    fn from(notice: Notice) -> Self {
        Self {
            expires: notice.expires,
            window: notice.window,
            deferrals: notice.deferred.map_or(0, |deferred| deferred.count.get()),
            deferred_at: notice.deferred.map(|deferred| deferred.last),
            defer: notice.defer,
        }
    }
}
