//! What a bank decides for itself, as data: window, validity, rollback, PIN, sessions and the rest
//! (SPEC.md, `meta`).
//!
//! A policy is a TOML file. [`Policy::shipped`] has the ones that come with the program: `seed`,
//! the procedure that the protocol replaces, and what Japanese banks do in practice. Days are
//! calendar days in the policy's time zone, whose rules come from the system or, without any there,
//! from the copy inside the program.

use jiff::Span;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use koshin_protocol::algorithm::{Algorithm, KeyType};
use koshin_protocol::directory::ProfileName;
use koshin_protocol::environment::EnvironmentRule;
use koshin_protocol::key_store::KeyStoreName;
use koshin_protocol::page_url::PageUrl;
use koshin_protocol::pin::PinRule;
use koshin_protocol::renewal_info;
use koshin_protocol::time::{Period, Time};

use crate::settings::SettingsError;

mod read;

/// The policies that come with the program: name and text.
pub const SHIPPED: [(&str, &str); 6] = [
    ("seed", include_str!("policy/profile/seed.toml")),
    ("core", include_str!("policy/profile/core.toml")),
    ("one-year-grace", include_str!("policy/profile/one-year-grace.toml")),
    ("two-years-until-expiry", include_str!("policy/profile/two-years-until-expiry.toml")),
    ("365-days-early", include_str!("policy/profile/365-days-early.toml")),
    ("366-days-four-weeks", include_str!("policy/profile/366-days-four-weeks.toml")),
];

/// A bank's decisions. A value that exists is consistent in itself.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Which part of the protocol the bank offers (`meta.profile`).
    pub profile: ProfileName,
    /// The zone in which days are counted (`meta.timeZone`).
    pub time_zone: TimeZone,
    /// Key types a new certificate may have (`meta.keyTypes`), P-256 always among them.
    pub key_types: Vec<KeyType>,
    /// Signature algorithms of requests (`meta.algorithms`), ES256 always among them.
    pub algorithms: Vec<Algorithm>,
    /// Where clients may keep a new key (`meta.keyStores`), never empty.
    pub key_stores: Vec<KeyStoreName>,
    /// Environments that may renew (`meta.environments`); empty: all.
    pub environments: Vec<EnvironmentRule>,
    /// A page that explains the renewal to people (`explanationURL` of RFC 9773 4.2).
    pub explanation_url: Option<PageUrl>,
    /// The bank's page (`meta.website`).
    pub website: Option<PageUrl>,
    /// The page with its terms (`meta.termsOfService`).
    pub terms_of_service: Option<PageUrl>,
    /// When certificates may renew.
    pub renewal: Renewal,
    /// How long new certificates are valid.
    pub certificate: Validity,
    /// What becomes of the predecessor once the successor is confirmed.
    pub predecessor: Predecessor,
    /// How long a completed renewal can be rolled back; `None`: not at all.
    pub rollback: Option<Period>,
    /// How long an order may stay unconfirmed before clients may take it for abandoned
    /// (`meta.confirmWithin`).
    pub confirm_within: Period,
    /// The second factor; `None` in profile `core`, and only there.
    pub pin: Option<PinRules>,
    /// How long logons last.
    pub session: SessionLife,
    /// How long permissions to enroll anew last.
    pub reissue: ReissueLife,
    /// From one CRL's `thisUpdate` to its `nextUpdate`.
    pub crl_life: Period,
}

/// When certificates may renew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Calendar days from the window's opening to the certificate's last day.
    pub window_days: u32,
    /// The first part of the window in which clients are asked to renew, in per cent.
    pub suggested_share: u32,
    /// Calendar days before expiry on which the bank reminds, longest first, never empty.
    pub notice_days: Vec<u32>,
}

/// How long certificates are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// How much later than its predecessor a certificate ends.
    pub term: Term,
    /// How far `notBefore` lies before the issuing, for clients whose clocks are behind.
    pub backdate: Period,
}

/// A span of calendar time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// Whole years; the 29th of February becomes the 28th where there is none.
    Years(u32),
    /// Days.
    Days(u32),
}

/// From when on the CRL lists a predecessor as superseded.
///
/// Toward Koshin it is superseded from the confirmation on under each of these; this decides how
/// long other services that look at the CRL alone still accept it. None of them lists it while it
/// can be rolled back, because nothing leaves a CRL again, a restore aside (SPEC.md 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predecessor {
    /// From the confirmation, or from the end of the rollback period.
    Supersede,
    /// This long after the confirmation, at least the rollback period.
    Grace(Period),
    /// Never: it runs out by itself.
    UntilExpiry,
}

/// The second factor. How many wrong ones in a row lock is not the bank's to choose (SPEC.md 9.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinRules {
    /// Whether logons need one, and how long it is (`meta.pin`).
    pub rule: PinRule,
    /// Cost of a hash.
    pub cost: Argon2idCost,
}

/// Cost of an Argon2id hash (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2idCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

/// How long logons last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLife {
    /// Without a request.
    pub idle: Period,
    /// In all.
    pub absolute: Period,
}

/// How long permissions to enroll anew last; the earlier end counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReissueLife {
    /// Life of an enrollment code; `None`: as long as the days last.
    pub code: Option<Period>,
    /// Calendar days after the reissue through the last of which the user may enroll.
    pub days: u32,
}

/// A stretch of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first second.
    pub opens: Time,
    /// Its last second.
    pub closes: Time,
}

impl Window {
    /// Whether `now` lies in it.
    pub fn contains(&self, now: Time) -> bool {
        self.opens <= now && now <= self.closes
    }
}

impl Policy {
    /// Reads the policy in `text`, naming it `file` in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        read::policy(file, text)
    }

    /// The policy of that name that comes with the program, if there is one.
    pub fn shipped(name: &str) -> Option<Self> {
        let (_, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name)?;
        Some(Self::parse(name, text).expect("a test reads every shipped policy"))
    }

    /// The IANA name of the zone in which days are counted.
    pub fn time_zone_name(&self) -> &str {
        self.time_zone.iana_name().expect("policies are read with a zone that has a name")
    }

    /// The enforced window of a certificate (SPEC.md, `enforcedWindow`): it opens at the start of
    /// the local day that lies the window's days before `not_after`'s local day, and closes with
    /// `not_after`.
    pub fn window(&self, not_after: Time) -> Window {
        let days = self.renewal.window_days;
        let enforced = renewal_info::Window::enforced(not_after, days, &self.time_zone);
        Window { opens: enforced.map_or(not_after, renewal_info::Window::start), closes: not_after }
    }

    /// The part of the window in which clients are asked to renew (`suggestedWindow`).
    pub fn suggested_window(&self, not_after: Time) -> Window {
        let Window { opens, closes } = self.window(not_after);
        let share = closes.seconds_since(opens) * i64::from(self.renewal.suggested_share) / 100;
        Window { opens, closes: later(opens, share) }
    }

    /// When the bank reminds of `not_after`, earliest first.
    pub fn notices(&self, not_after: Time) -> impl Iterator<Item = Time> + '_ {
        let days = self.renewal.notice_days.iter();
        days.map(move |days| self.start_of_day(not_after, -i64::from(*days)))
    }

    /// A certificate's `notAfter`, a term after `from`: after the predecessor's `notAfter` for a
    /// renewal (SPEC.md CRT-08), after the issue for an enrollment (CRT-10).
    pub fn not_after(&self, from: Time) -> Time {
        let term = match self.certificate.term {
            Term::Years(years) => Span::new().years(years),
            Term::Days(days) => Span::new().days(days),
        };
        self.instant(self.local(from).saturating_add(term))
    }

    /// When a reissue opened at `now` expires: with its code, or with the last second of its last
    /// local day, and not more than 90 days later in any case (SPEC.md REI-12).
    pub fn reissue_expires(&self, now: Time) -> Time {
        let days_end = later(self.start_of_day(now, i64::from(self.reissue.days) + 1), -1);
        let life = self.reissue.code.unwrap_or(Period::from_days(90));
        days_end.min(later(now, life.total_seconds()))
    }

    /// From when on the CRL lists the predecessor of a renewal confirmed at `confirmed`; `None`:
    /// never.
    pub fn superseded_listed_from(&self, confirmed: Time) -> Option<Time> {
        let after = match self.predecessor {
            Predecessor::Supersede => self.rollback.unwrap_or(Period::ZERO),
            Predecessor::Grace(grace) => grace,
            Predecessor::UntilExpiry => return None,
        };
        Some(later(confirmed, after.total_seconds()))
    }

    /// The first instant of the local day `days` after the local day of `time`. Where clocks jump
    /// over midnight, the day begins at its first instant.
    fn start_of_day(&self, time: Time, days: i64) -> Time {
        let day = self.local(time).date().saturating_add(Span::new().days(days));
        self.instant(day.to_datetime(jiff::civil::Time::midnight()))
    }

    fn local(&self, time: Time) -> DateTime {
        self.time_zone.to_datetime(time.timestamp())
    }

    /// The instant at which local clocks show `local`: the first, where they show it twice; the end
    /// of the gap's length later, where they jump over it.
    fn instant(&self, local: DateTime) -> Time {
        let instant = self.time_zone.to_timestamp(local).ok();
        instant.and_then(|instant| Time::from_timestamp(instant).ok()).unwrap_or_else(end_of_time)
    }
}

/// `seconds` after `time`, or the last instant of the wire.
fn later(time: Time, seconds: i64) -> Time {
    Time::from_unix(time.unix().saturating_add(seconds)).unwrap_or_else(|_| end_of_time())
}

/// `99991231235959Z` is what RFC 5280 4.1.2.5 writes for "no end"; the wire's last instant is a day
/// before it.
fn end_of_time() -> Time {
    "9999-12-30T00:00:00Z".parse().expect("a time of the wire")
}

#[cfg(test)]
mod tests;
