//! The time at which a certificate is to be renewed.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::renewal_info::Window;
use koshin_protocol::time::Time;
use serde::{Deserialize, Serialize};

/// Seconds. Whatever the bank suggests, so much of the certificate's life is left for further attempts (or a tenth, if it is short).
const RESERVE: i64 = 3 * 86_400;

/// When a certificate is to be renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Appointment {
    /// The certificate.
    #[serde(rename = "certID")]
    pub cert_id: CertId,
    /// The time, chosen once.
    pub renew_at: Time,
    /// What it was chosen from.
    pub window: Window,
    /// Whose window that is.
    pub source: Source,
    /// When the bank was asked, by this machine's clock.
    pub asked: Time,
    /// Until when the bank wants not to be asked again.
    pub ask_again: Time,
}

/// Where a window comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The bank's suggestion (SPEC.md 7.3).
    Bank,
    /// The certificate's own window (SPEC.md 8.1).
    Certificate,
}

impl Appointment {
    /// A time of the window, `random` deciding where; never so late that nothing could be tried again before the
    /// certificate ends. A time that has passed means at once.
    pub fn choose(of: &Certificate, window: Window, source: Source, random: u32) -> Self {
        let latest = latest(of);
        let (start, end) = (window.start().min(latest), window.end().min(latest));
        let span = i128::from(end.seconds_since(start));
        let offset = span * i128::from(random) / i128::from(u32::MAX);
        let offset = i64::try_from(offset).unwrap_or(0);
        let renew_at = Time::from_unix(start.unix() + offset).unwrap_or(end);
        let cert_id = CertId::of(of);
        Self { cert_id, renew_at, window, source, asked: start, ask_again: start }
    }

    /// Whether it is about this certificate.
    pub fn is_for(&self, certificate: &Certificate) -> bool {
        self.cert_id == CertId::of(certificate)
    }

    /// Whether the bank's word on it still holds. A clock that was set back does not keep it for ever.
    pub fn is_fresh(&self, now: Time) -> bool {
        (self.asked..self.ask_again).contains(&now)
    }

    /// Whether the time has come.
    pub fn is_due(&self, now: Time) -> bool {
        self.renew_at <= now
    }

    /// The same time, if the bank's window of today still has it, or had it when it was moved.
    pub(super) fn within(self, window: Window) -> Option<Self> {
        let moved = self.window != window;
        (!moved || window.contains(self.renew_at)).then_some(self)
    }
}

/// A window's first half, so that the second is left for further attempts.
pub(super) fn first_half(window: Window) -> Window {
    let half = window.end().seconds_since(window.start()) / 2;
    let end = Time::from_unix(window.start().unix() + half).unwrap_or(window.end());
    Window::new(window.start(), end).expect("half of a length is not negative")
}

fn latest(of: &Certificate) -> Time {
    let life = of.not_after().seconds_since(of.not_before());
    let reserve = (life / 10).min(RESERVE);
    Time::from_unix(of.not_after().unix() - reserve).unwrap_or(of.not_before())
}

#[cfg(test)]
mod tests {
    use koshin_protocol::algorithm::KeyType;
    use koshin_protocol::certificate::{Attribute, KeyUsages, Kind, Name, Profile};
    use koshin_protocol::sign::Signer;

    use super::*;
    use crate::keystore::PrivateKey;

    const DAY: i64 = 86_400;

    fn day(day: i64) -> Time {
        Time::from_unix(day * DAY).expect("a time")
    }

    fn window(from: i64, to: i64) -> Window {
        Window::new(day(from), day(to)).expect("in order")
    }

    /// A certificate from day 0 to day `last`.
    fn certificate(last: i64) -> Certificate {
        let key = PrivateKey::generate(KeyType::P256).expect("a key");
        let name = Name::new(&[(Attribute::CommonName, "Taro")]).expect("a name");
        let profile = Profile {
            serial: &[1],
            issuer: &name,
            not_before: day(0),
            not_after: day(last),
            subject: &name,
            key: key.public_key(),
            kind: Kind::Leaf,
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: &[],
            authority_key_id: None,
            crl: &[],
        };
        profile.sign(&key).expect("a certificate")
    }

    fn at(last: i64, window: Window, random: u32) -> Time {
        Appointment::choose(&certificate(last), window, Source::Bank, random).renew_at
    }

    // [RNI-07]
    #[test]
    fn the_time_is_anywhere_in_the_window_as_chance_wants() {
        let window = window(335, 350);
        assert_eq!(at(365, window, 0), day(335));
        assert_eq!(at(365, window, u32::MAX), day(350));
        let middle = at(365, window, u32::MAX / 2);
        assert!(middle.seconds_since(day(335)).abs_diff(15 * DAY / 2) <= 1, "{middle}");
    }

    #[test]
    fn however_late_the_bank_wants_it_there_is_time_for_further_attempts() {
        assert_eq!(at(365, window(335, 365), u32::MAX), day(362));
        assert_eq!(at(365, window(364, 365), 0), day(362));
        assert_eq!(at(365, window(400, 500), u32::MAX), day(362));
        // Of a short life it is a tenth.
        assert_eq!(at(10, window(5, 10), u32::MAX), day(9));
    }

    // [RNI-07]
    #[test]
    fn a_time_is_kept_until_the_window_moves_away_from_it() {
        let chosen =
            Appointment::choose(&certificate(365), window(335, 350), Source::Bank, 1 << 31);
        let renew_at = chosen.renew_at;
        let kept = |window| chosen.clone().within(window).map(|kept| kept.renew_at);
        assert_eq!(kept(window(335, 350)), Some(renew_at));
        assert_eq!(kept(window(300, 360)), Some(renew_at));
        assert_eq!(kept(window(300, 310)), None);
        // A time before a window that is too late was moved on purpose.
        let chosen = Appointment::choose(&certificate(365), window(364, 365), Source::Bank, 0);
        assert_eq!(chosen.clone().within(window(364, 365)), Some(chosen));
    }

    #[test]
    fn the_first_half_leaves_the_second() {
        assert_eq!(first_half(window(10, 20)), window(10, 15));
        assert_eq!(first_half(window(10, 10)), window(10, 10));
    }

    #[test]
    fn the_banks_word_does_not_hold_for_ever_where_the_clock_was_set_back() {
        let window = window(335, 350);
        let mut chosen = Appointment::choose(&certificate(365), window, Source::Bank, 0);
        (chosen.asked, chosen.ask_again) = (day(100), day(101));
        assert!(chosen.is_fresh(day(100)));
        assert!(!chosen.is_fresh(day(101)) && !chosen.is_fresh(day(99)));
        assert!(chosen.is_due(day(335)) && !chosen.is_due(day(334)));
    }
}
