//! When a certificate may and should be renewed (SPEC.md 7.3, RFC 9773 4.2).

use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{json, page_url::PageUrl, time::Time};

/// A stretch of time, both ends inclusive to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WindowDocument")]
pub struct Window {
    start: Time,
    end: Time,
}

/// The window ends before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a window's start is not after its end")]
pub struct InvalidWindow;

impl Window {
    /// The window from `start` to `end`.
    pub fn new(start: Time, end: Time) -> Result<Self, InvalidWindow> {
        if start <= end { Ok(Self { start, end }) } else { Err(InvalidWindow) }
    }

    /// The enforced window of a certificate (SPEC.md 8.1): from the first instant of the day, in
    /// `zone`, that is `days` days before the local date of `not_after`, to `not_after`.
    ///
    /// `None` where that day is before the calendar's beginning.
    pub fn enforced(not_after: Time, days: u32, zone: &TimeZone) -> Option<Self> {
        let day = not_after.timestamp().to_zoned(zone.clone()).date();
        let opening = day.checked_sub(i64::from(days).days()).ok()?;
        let opening = opening.to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
        let start = Time::from_timestamp(opening.timestamp()).ok()?;
        Self::new(start.min(not_after), not_after).ok()
    }

    /// The first second.
    pub const fn start(self) -> Time {
        self.start
    }

    /// The last second.
    pub const fn end(self) -> Time {
        self.end
    }

    /// Whether the second belongs to the window.
    pub fn contains(self, time: Time) -> bool {
        self.start <= time && time <= self.end
    }
}

#[derive(Deserialize)]
struct WindowDocument {
    start: Time,
    end: Time,
}

impl TryFrom<WindowDocument> for Window {
    type Error = InvalidWindow;

    fn try_from(document: WindowDocument) -> Result<Self, InvalidWindow> {
        Self::new(document.start, document.end)
    }
}

/// The document of `renewalInfo/{certID}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewalInfo {
    /// When the bank would like the renewal; inside `enforced_window`.
    pub suggested_window: Window,
    /// A page for people.
    #[serde(
        rename = "explanationURL",
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub explanation_url: Option<PageUrl>,
    /// When the bank accepts a `newOrder`.
    pub enforced_window: Window,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_includes_both_its_ends_and_nothing_beyond() {
        let second = |unix| Time::from_unix(unix).expect("in range");
        let window = Window::new(second(10), second(20)).expect("ordered");
        let inside: Vec<i64> = (8..23).filter(|unix| window.contains(second(*unix))).collect();
        assert_eq!(inside, (10..=20).collect::<Vec<i64>>());
        assert_eq!(Window::new(second(20), second(10)), Err(InvalidWindow));
    }
}
