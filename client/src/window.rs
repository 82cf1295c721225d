//! When a certificate may be renewed, computed from the certificate itself (SPEC.md 8.1, WIN-04).

use jiff::SignedDuration;
use jiff::tz::TimeZone;
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
    let days = meta.window.days();
    let Ok(zone) = TimeZone::get(&meta.time_zone) else {
        let earliest =
            SignedDuration::from_hours(14) + SignedDuration::from_hours(24 * (i64::from(days) + 1));
        return Time::from_timestamp(not_after.timestamp().checked_sub(earliest).ok()?).ok();
    };
    Some(Window::enforced(not_after, days, &zone)?.start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_in(zone: &str, not_after: &str) -> String {
        let meta = meta(zone);
        super::start(not_after.parse().expect("a time"), &meta).expect("a start").to_string()
    }

    fn meta(zone: &str) -> Meta {
        use koshin_protocol::directory::Directory;
        let directory = serde_json::json!({
            "newNonce": "https://bank.example/n",
            "newSession": "https://bank.example/s",
            "newOrder": "https://bank.example/o",
            "findOrder": "https://bank.example/f",
            "renewalInfo": "https://bank.example/r",
            "revokeCert": "https://bank.example/v",
            "meta": {
                "version": "1",
                "profile": "core",
                "algorithms": ["ES256"],
                "keyTypes": ["P-256"],
                "environments": [],
                "keyStores": ["file"],
                "timeZone": zone,
                "window": "P30D",
                "confirmWithin": "PT24H",
                "issuers": [["AQ=="]],
                "extensions": [],
            },
        });
        serde_json::from_value::<Directory>(directory).expect("a directory").meta
    }

    #[test]
    fn the_window_opens_at_the_first_instant_of_a_local_day() {
        // The examples of SPEC.md 8.1.
        assert_eq!(start_in("Asia/Tokyo", "2027-03-02T23:59:59Z"), "2027-01-31T15:00:00Z");
        assert_eq!(start_in("Asia/Tokyo", "2026-12-31T14:59:59Z"), "2026-11-30T15:00:00Z");
        // A day of 23 hours in between counts as a day.
        assert_eq!(start_in("Europe/Berlin", "2027-04-15T12:00:00Z"), "2027-03-15T23:00:00Z");
    }

    #[test]
    fn in_an_unknown_zone_the_window_opens_no_later_than_in_any_other() {
        let not_after = "2027-03-02T23:59:59Z";
        let unknown = start_in("Mars/Olympus", not_after);
        for zone in ["Pacific/Kiritimati", "Asia/Tokyo", "UTC", "Pacific/Pago_Pago"] {
            assert!(unknown <= start_in(zone, not_after), "{zone}");
        }
    }
}
