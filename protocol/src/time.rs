//! Instants and durations as the wire writes them (SPEC.md, Encodings).

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::text::serde_as_text;

/// An instant in whole seconds, written as RFC 3339 in UTC: `2026-11-23T00:00:00Z`.
///
/// Years 0000 to 9999. There is no clock here: whoever has one makes the value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Timestamp);

/// The text or number is not an instant of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a time of the form 2026-11-23T00:00:00Z")]
pub struct InvalidTime;

impl Time {
    const MIN_UNIX: i64 = -62_167_219_200;
    const MAX_UNIX: i64 = 253_402_300_799 - 26 * 3600;
    /// The last instant there is: 9999-12-30T21:59:59Z, so that every zone has it.
    pub const MAX: Self = Self(Timestamp::constant(Self::MAX_UNIX, 0));

    /// The instant that many seconds after 1970-01-01T00:00:00Z.
    pub fn from_unix(seconds: i64) -> Result<Self, InvalidTime> {
        if !(Self::MIN_UNIX..=Self::MAX_UNIX).contains(&seconds) {
            return Err(InvalidTime);
        }
        Timestamp::from_second(seconds).map(Self).map_err(|_| InvalidTime)
    }

    /// The instant of a clock, truncated to whole seconds.
    pub fn from_timestamp(timestamp: Timestamp) -> Result<Self, InvalidTime> {
        let whole = timestamp.as_nanosecond().div_euclid(1_000_000_000);
        Self::from_unix(i64::try_from(whole).map_err(|_| InvalidTime)?)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix(self) -> i64 {
        self.0.as_second()
    }

    /// For calendar arithmetic in a zone.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// The instant a period later (a day counts 24 hours); `None` beyond the year 9999.
    pub fn checked_add(self, period: Period) -> Option<Self> {
        Self::from_unix(self.unix().checked_add(period.total_seconds())?).ok()
    }

    /// The instant a period earlier (a day counts 24 hours); `None` before the year 0000.
    pub fn checked_sub(self, period: Period) -> Option<Self> {
        Self::from_unix(self.unix().checked_sub(period.total_seconds())?).ok()
    }

    /// Seconds from `earlier` to this instant; negative if `earlier` is later.
    pub fn seconds_since(self, earlier: Self) -> i64 {
        self.unix() - earlier.unix()
    }
}

impl FromStr for Time {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        if text.len() != "2026-11-23T00:00:00Z".len() {
            return Err(InvalidTime);
        }
        let time = Self::from_timestamp(text.parse().map_err(|_| InvalidTime)?)?;
        // jiff reads more than the one form of the wire (offsets, lower case, leap seconds).
        if time.to_string() == text { Ok(time) } else { Err(InvalidTime) }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

serde_as_text!(Time, i64, |time| time.unix(), Self::from_unix);

/// A duration in days and seconds, written as ISO 8601 without months and years: `P30D`, `PT10M`.
///
/// Days stay days: `P1D` and `PT24H` are different values, since a calendar day need not have
/// 24 hours.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    days: u32,
    seconds: u32,
}

/// The text is not a duration of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a duration of the form P30D, PT10M or P1DT12H")]
pub struct InvalidPeriod;

impl Period {
    /// No time at all.
    pub const ZERO: Self = Self { days: 0, seconds: 0 };

    /// That many days.
    pub const fn from_days(days: u32) -> Self {
        Self { days, seconds: 0 }
    }

    /// That many seconds.
    pub const fn from_seconds(seconds: u32) -> Self {
        Self { days: 0, seconds }
    }

    /// Whole days as written, apart from [`Period::seconds`].
    pub const fn days(self) -> u32 {
        self.days
    }

    /// Hours, minutes and seconds as written, in seconds.
    pub const fn seconds(self) -> u32 {
        self.seconds
    }

    /// Everything in seconds, a day counted as 24 hours.
    pub fn total_seconds(self) -> i64 {
        i64::from(self.days) * 86_400 + i64::from(self.seconds)
    }

    /// Everything as a duration of the standard library, a day counted as 24 hours.
    pub fn to_duration(self) -> std::time::Duration {
        SignedDuration::from_secs(self.total_seconds()).unsigned_abs()
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let text = text.strip_prefix('P').ok_or(InvalidPeriod)?;
        let (date, clock) = match text.split_once('T') {
            Some((_, "")) => return Err(InvalidPeriod),
            Some((date, clock)) => (date, clock),
            None if text.is_empty() => return Err(InvalidPeriod),
            None => (text, ""),
        };
        let (days, rest) = component(date, 'D')?;
        if !rest.is_empty() {
            return Err(InvalidPeriod);
        }
        let (hours, rest) = component(clock, 'H')?;
        let (minutes, rest) = component(rest, 'M')?;
        let (seconds, rest) = component(rest, 'S')?;
        if !rest.is_empty() {
            return Err(InvalidPeriod);
        }
        let seconds = u64::from(hours) * 3600 + u64::from(minutes) * 60 + u64::from(seconds);
        Ok(Self { days, seconds: u32::try_from(seconds).map_err(|_| InvalidPeriod)? })
    }
}

/// Takes `<digits><unit>` from the front of the text, if it is there.
fn component(text: &str, unit: char) -> Result<(u32, &str), InvalidPeriod> {
    let Some((digits, rest)) = text.split_once(unit) else {
        return Ok((0, text));
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidPeriod);
    }
    Ok((digits.parse().map_err(|_| InvalidPeriod)?, rest))
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { days, seconds } = *self;
        formatter.write_str("P")?;
        if days > 0 {
            write!(formatter, "{days}D")?;
            if seconds == 0 {
                return Ok(());
            }
        }
        formatter.write_str("T")?;
        if seconds == 0 {
            return formatter.write_str("0S");
        }
        for (amount, unit) in [(seconds / 3600, 'H'), (seconds / 60 % 60, 'M'), (seconds % 60, 'S')]
        {
            if amount > 0 {
                write!(formatter, "{amount}{unit}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

serde_as_text!(
    Period,
    (u32, u32),
    |period| (period.days, period.seconds),
    |(days, seconds)| Ok::<_, InvalidPeriod>(Self { days, seconds })
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_and_written_in_one_form() {
        let time: Time = "2026-11-23T01:02:03Z".parse().expect("a time");
        assert_eq!(time.unix(), 1_795_395_723);
        assert_eq!(time.to_string(), "2026-11-23T01:02:03Z");
        assert_eq!(Time::from_unix(0).expect("the epoch").to_string(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn other_forms_of_a_time_are_refused() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T00:00:00",
            "2026-11-23t00:00:00z",
            "2026-11-23 00:00:00Z",
            "2026-11-23T00:00:00.0Z",
            "2026-11-23T00:00:00+00:00",
            "2026-11-23T00:00:60Z",
            "2016-12-31T23:59:60Z",
            "2026-11-23T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "20261123T000000000000Z",
            "+002026-11-23T00:00Z",
        ] {
            assert_eq!(text.parse::<Time>(), Err(InvalidTime), "{text}");
        }
    }

    #[test]
    fn a_clock_is_truncated_to_whole_seconds() {
        for (nanoseconds, seconds) in [(1_999_999_999, 1), (-1, -1), (-1_000_000_000, -1)] {
            let clock = Timestamp::from_nanosecond(nanoseconds).expect("a timestamp");
            assert_eq!(Time::from_timestamp(clock).expect("a time").unix(), seconds);
        }
    }

    #[test]
    fn years_are_0000_to_9999() {
        assert!(Time::from_unix(Time::MIN_UNIX - 1).is_err());
        assert!(Time::from_unix(Time::MAX_UNIX + 1).is_err());
        assert_eq!(
            Time::from_unix(Time::MIN_UNIX).expect("first").to_string(),
            "0000-01-01T00:00:00Z"
        );
        let last = Time::from_unix(Time::MAX_UNIX).expect("last").to_string();
        assert!(last.starts_with("9999-12-30T"), "{last}");
        assert_eq!(last.parse::<Time>().expect("last").to_string(), last);
    }

    #[test]
    fn periods_are_added_and_subtracted() {
        let time: Time = "2026-11-23T00:00:00Z".parse().expect("a time");
        let month = Period::from_days(30);
        let earlier = time.checked_sub(month).expect("earlier");
        assert_eq!(earlier.to_string(), "2026-10-24T00:00:00Z");
        assert_eq!(earlier.checked_add(month), Some(time));
        assert_eq!(time.seconds_since(earlier), 30 * 86_400);
        assert_eq!(time.checked_add(Period::from_days(u32::MAX)), None);
    }

    #[test]
    fn a_period_is_read_and_written() {
        for (text, days, seconds) in [
            ("P30D", 30, 0),
            ("PT10M", 0, 600),
            ("PT24H", 0, 86_400),
            ("P1DT12H", 1, 43_200),
            ("PT1H1M1S", 0, 3661),
            ("PT0S", 0, 0),
        ] {
            let period: Period = text.parse().expect(text);
            assert_eq!((period.days(), period.seconds()), (days, seconds), "{text}");
            assert_eq!(period.to_string(), text);
        }
    }

    #[test]
    fn other_forms_of_a_period_are_refused() {
        for text in [
            "",
            "P",
            "PT",
            "P1DT",
            "P1Y",
            "P1M",
            "P1W",
            "P1.5D",
            "-P1D",
            "P-1D",
            "p1d",
            "P1H",
            "PT1D",
            "PT1S1H",
            "PD",
            "PTS",
            "P99999999999D",
            "PT9999999H",
            "P1D ",
            "P+1D",
        ] {
            assert_eq!(text.parse::<Period>(), Err(InvalidPeriod), "{text}");
        }
    }
}
