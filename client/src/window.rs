//! When a certificate may be renewed, computed from the certificate itself (SPEC.md 8.1, WIN-04).

use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::directory::Meta;
use koshin_protocol::renewal_info::Window;
use koshin_protocol::time::Time;

/// The window of a certificate by the bank's published rule: from the first instant of the day, in `meta.timeZone`, that is
/// `meta.window` days before the local date of notAfter, to notAfter.
///
/// In a zone that this machine does not know the earliest zone of the world is taken: too early is only refused.
pub fn enforced(certificate: &Certificate, meta: &Meta) -> Window {
    let not_after = certificate.not_after();
    let start = start(not_after, meta).unwrap_or(certificate.not_before()).min(not_after);
    Window::new(start, not_after).expect("the start is not after the end")
}

fn start(not_after: Time, meta: &Meta) -> Option<Time> {
    let days = i64::from(meta.window.days());
    let Ok(zone) = TimeZone::get(&meta.time_zone) else {
        let earliest = SignedDuration::from_hours(14) + SignedDuration::from_hours(24 * (days + 1));
        return Time::from_timestamp(not_after.timestamp().checked_sub(earliest).ok()?).ok();
    };
    let day = not_after.timestamp().to_zoned(zone.clone()).date();
    let opening = day.checked_sub(days.days()).ok()?.to_zoned(zone).ok()?.start_of_day().ok()?;
    Time::from_timestamp(opening.timestamp()).ok()
}
