//! When to renew where nobody is present: a random time of the bank's suggestion, chosen once, and pauses after failures
//! (SPEC.md RNI-07, CLI-44), both kept in the identity's folder over restarts.
//!
//! A daemon asks [`Client::appointment`] and [`Attempts::earliest`] when to do something, and wraps what it does in
//! [`Attempts::begin`] and [`Attempts::succeeded`] or [`Attempts::failed`]; the command `koshin agent` is one.

mod appointment;
mod attempts;

use std::path::Path;
use std::time::Duration;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::renewal_info::Window;
use koshin_protocol::time::{Period, Time};
use serde::{Deserialize, Serialize};

pub use self::appointment::{Appointment, Source};
pub use self::attempts::{Attempts, Failure};
use crate::client::Client;
use crate::error::Error;
use crate::files::{FileError, Files};
use crate::identity::{Identity, IdentityError};
use crate::{retry, window};

/// The file's name in the identity's folder.
const FILE: &str = "schedule.json";

/// What an unattended program remembers of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Schedule {
    /// When the current certificate is to be renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment: Option<Appointment>,
    /// What was tried, and how it went.
    pub attempts: Attempts,
}

impl Schedule {
    /// What was kept; a damaged file is as good as none. It blocks.
    pub fn read(identity: &Identity) -> Result<Self, IdentityError> {
        let content = identity.read_note(FILE)?.unwrap_or_default();
        Ok(serde_json::from_slice(&content).unwrap_or_default())
    }

    /// As [`Self::read`], of the identity in a folder, which another process may be working with. It blocks.
    pub fn peek(files: &dyn Files, folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(FILE);
        match files.read(&path).map_err(FileError::of("read", &path)) {
            Ok(content) => Ok(serde_json::from_slice(&content).unwrap_or_default()),
            Err(error) if error.is_absent() => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Keeps it; durable when it returns. It blocks.
    pub fn put(&self, identity: &Identity) -> Result<(), IdentityError> {
        let mut json = serde_json::to_vec_pretty(self).expect("times and names are JSON");
        json.push(b'\n');
        identity.put_note(FILE, &json)
    }
}

impl Client {
    /// When to renew the current certificate unattended: chosen at random in the window that the bank suggests, or in the
    /// first half of the certificate's own where it suggests none; the same answer for the same certificate as long as the
    /// time lies in the window. The bank is asked no more often than it wants.
    ///
    /// Without an answer of the bank, what was chosen before stands.
    pub async fn appointment(&self) -> Result<Appointment, Error> {
        let current = self.on_disk(Identity::current).await?.ok_or(Error::NoPair)?;
        let mut schedule = self.on_disk(Schedule::read).await?;
        let kept = schedule.appointment.take().filter(|kept| kept.is_for(&current.certificate));
        let now = self.bank.own_now();
        if let Some(kept) = &kept
            && kept.is_fresh(now)
        {
            return Ok(kept.clone());
        }
        let (suggested, source, ask_again) = match self.suggestion(&current.certificate).await {
            Ok(found) => found,
            Err(error) => return kept.ok_or(error),
        };
        let chosen = Appointment::choose(&current.certificate, suggested, source, retry::random());
        let renew_at = kept.and_then(|kept| kept.within(suggested)).map(|kept| kept.renew_at);
        let renew_at = renew_at.unwrap_or(chosen.renew_at);
        let chosen = Appointment { renew_at, asked: now, ask_again, ..chosen };
        schedule.appointment = Some(chosen.clone());
        self.on_disk(move |identity| schedule.put(identity)).await?;
        Ok(chosen)
    }

    async fn suggestion(&self, of: &Certificate) -> Result<(Window, Source, Time), Error> {
        let (info, ask_again) = self.renewal_advice(&CertId::of(of)).await?;
        if let Some(info) = info {
            return Ok((info.suggested_window, Source::Bank, ask_again));
        }
        let own = window::enforced(of, &self.bank.directory().await?.meta);
        Ok((appointment::first_half(own), Source::Certificate, ask_again))
    }
}

/// The time so much later; the last one there is beyond that.
fn later(time: Time, by: Duration) -> Time {
    let seconds = u32::try_from(by.as_secs()).unwrap_or(u32::MAX);
    time.checked_add(Period::from_seconds(seconds)).unwrap_or(Time::MAX)
}
