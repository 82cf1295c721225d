//! Faults made on purpose, for those who test a client against this bank.
//!
//! Off unless configured. The same seed and shares give the same sequence of pranks, so that what
//! a client tripped over can be made to happen again; which request meets which prank depends on
//! the order in which requests arrive.
//!
//! The bank knows nothing of it: pranks are played in front of its service ([`Mischievous`]) and of
//! its CA ([`Reluctant`]).

mod issuer;
mod service;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::HeaderValue;

pub use self::issuer::Reluctant;
pub use self::service::Mischievous;

use crate::config::MischiefSettings;

/// What share of the requests meets which prank. Each is between 0 and 1, all together at most 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shares {
    /// A good nonce is answered `badNonce`.
    pub reject_nonce: f64,
    /// The request is carried out, and the connection closed without an answer.
    pub drop_response: f64,
    /// The answer comes late.
    pub delay: f64,
    /// 429 `rateLimited`, nothing is carried out.
    pub rate_limited: f64,
    /// 503 `unavailable`, nothing is carried out.
    pub unavailable: f64,
    /// The CA plays slow: the order stays `processing` for a while.
    pub processing: f64,
}

/// What is done to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prank {
    /// Spend the nonce before the bank sees it, which then answers `badNonce`.
    RejectNonce,
    /// Carry out, then hang up.
    DropResponse,
    /// Answer after so long.
    Delay(Duration),
    /// Answer 429.
    RateLimited(RetryAfter),
    /// Answer 503.
    Unavailable(RetryAfter),
    /// Let the CA be slow with what this request orders.
    Processing,
}

impl Prank {
    /// Its name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::RejectNonce => "rejectNonce",
            Self::DropResponse => "dropResponse",
            Self::Delay(_) => "delay",
            Self::RateLimited(_) => "rateLimited",
            Self::Unavailable(_) => "unavailable",
            Self::Processing => "processing",
        }
    }
}

/// The two forms of `Retry-After` (RFC 9110 10.2.3); both name this many seconds from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// As a number of seconds.
    Seconds(u32),
    /// As a date.
    Date(u32),
}

/// Shares that cannot be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadShares {
    /// One share is no share.
    #[error("mischief: {name} is {value}, expected a share between 0 and 1")]
    Range {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: f64,
    },
    /// Together they are more than everything.
    #[error("mischief: the shares add up to {0}, more than 1")]
    Sum(f64),
}

/// Decides which request meets which prank.
#[derive(Debug)]
pub struct Mischief {
    /// State of `SplitMix64`, whose steps are plain additions: no lock, and no draw is lost.
    state: AtomicU64,
    /// Upper bounds of each prank's part of the unit interval.
    bounds: [f64; 6],
    longest_delay: Duration,
}

impl Mischief {
    /// Pranks by these shares. Delays last up to `longest_delay`.
    pub fn new(seed: u64, shares: &Shares, longest_delay: Duration) -> Result<Self, BadShares> {
        let named = [
            ("rejectNonce", shares.reject_nonce),
            ("dropResponse", shares.drop_response),
            ("delay", shares.delay),
            ("rateLimited", shares.rate_limited),
            ("unavailable", shares.unavailable),
            ("processing", shares.processing),
        ];
        let mut bounds = [0.0; 6];
        let mut sum = 0.0;
        for (bound, (name, value)) in bounds.iter_mut().zip(named) {
            if !(0.0..=1.0).contains(&value) {
                return Err(BadShares::Range { name, value });
            }
            sum += value;
            *bound = sum;
        }
        if sum > 1.0 - 1e-9 {
            // Binary fractions add up to a little less or more than the whole that was meant.
            for bound in bounds.iter_mut().filter(|bound| **bound > 1.0 - 1e-9) {
                *bound = bound.max(1.0);
            }
        }
        if sum > 1.0 + 1e-9 {
            return Err(BadShares::Sum(sum));
        }
        Ok(Self { state: AtomicU64::new(seed), bounds, longest_delay })
    }

    /// Pranks as configured.
    pub fn configured(settings: &MischiefSettings) -> Self {
        let share = |per_cent: u32| f64::from(per_cent) / 100.0;
        let shares = Shares {
            reject_nonce: share(settings.reject_nonce),
            drop_response: share(settings.drop_response),
            delay: share(settings.delay),
            rate_limited: share(settings.rate_limited),
            unavailable: share(settings.unavailable),
            processing: share(settings.processing),
        };
        let longest_delay = Duration::from_secs(settings.longest_delay.into());
        Self::new(settings.seed.into(), &shares, longest_delay)
            .expect("the configuration holds at most 100 per cent in all")
    }

    /// What the next request meets, if anything.
    pub fn next(&self) -> Option<Prank> {
        // Two draws each time, so that the sequence does not depend on what was decided before.
        let (which, how) = (unit(self.draw()), self.draw());
        let prank = self.bounds.iter().position(|bound| which < *bound)?;
        Some(match prank {
            0 => Prank::RejectNonce,
            1 => Prank::DropResponse,
            2 => Prank::Delay(self.longest_delay.mul_f64(unit(how))),
            3 => Prank::RateLimited(RetryAfter::of(how)),
            4 => Prank::Unavailable(RetryAfter::of(how)),
            _ => Prank::Processing,
        })
    }

    /// `SplitMix64` (Steele, Lea, Flood 2014).
    fn draw(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.state.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A number in [0, 1) out of the upper 53 bits.
#[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds exactly")]
fn unit(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

impl RetryAfter {
    fn of(draw: u64) -> Self {
        let seconds = 1 + (draw >> 33) as u32 % 3;
        if draw & 1 == 0 { Self::Seconds(seconds) } else { Self::Date(seconds) }
    }

    /// The header's value when it is `now`.
    pub fn value(self, now: SystemTime) -> HeaderValue {
        let text = match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Date(seconds) => {
                httpdate::fmt_http_date(now + Duration::from_secs(seconds.into()))
            }
        };
        HeaderValue::try_from(text).expect("digits and dates are header values")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIXTH: f64 = 1.0 / 6.0;
    const ALL: Shares = Shares {
        reject_nonce: SIXTH,
        drop_response: SIXTH,
        delay: SIXTH,
        rate_limited: SIXTH,
        unavailable: SIXTH,
        processing: SIXTH,
    };

    fn pranks(seed: u64, shares: &Shares, count: usize) -> Vec<Option<Prank>> {
        let mischief =
            Mischief::new(seed, shares, Duration::from_secs(1)).expect("shares within 0 and 1");
        (0..count).map(|_| mischief.next()).collect()
    }

    #[test]
    fn the_same_seed_plays_the_same_pranks() {
        assert_eq!(pranks(7, &ALL, 1000), pranks(7, &ALL, 1000));
        assert_ne!(pranks(7, &ALL, 1000), pranks(8, &ALL, 1000));
    }

    #[test]
    fn draws_are_those_of_splitmix64() {
        // The first outputs of the published generator for seed 1234567.
        let mischief = Mischief::new(1_234_567, &ALL, Duration::ZERO).expect("shares");
        assert_eq!(mischief.draw(), 6_457_827_717_110_365_317);
        assert_eq!(mischief.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn no_share_no_prank() {
        assert!(pranks(7, &Shares::default(), 10_000).iter().all(Option::is_none));
    }

    #[test]
    fn a_whole_share_is_every_request() {
        let shares = Shares { drop_response: 1.0, ..Shares::default() };
        assert!(pranks(7, &shares, 10_000).iter().all(|p| *p == Some(Prank::DropResponse)));
    }

    #[test]
    fn each_prank_gets_about_its_share() {
        let shares = Shares { reject_nonce: 0.05, unavailable: 0.2, ..Shares::default() };
        let all = pranks(7, &shares, 100_000);
        let nonces = all.iter().filter(|p| **p == Some(Prank::RejectNonce)).count();
        let busy = all.iter().filter(|p| matches!(p, Some(Prank::Unavailable(_)))).count();
        assert!((4_500..5_500).contains(&nonces), "{nonces}");
        assert!((19_000..21_000).contains(&busy), "{busy}");
        assert_eq!(all.iter().flatten().count(), nonces + busy);
    }

    #[test]
    fn both_forms_of_retry_after_occur_and_name_the_same_time() {
        let shares = Shares { rate_limited: 1.0, ..Shares::default() };
        let all = pranks(7, &shares, 100);
        let is = |date: bool| {
            all.iter().any(|p| match p {
                Some(Prank::RateLimited(RetryAfter::Date(_))) => date,
                Some(Prank::RateLimited(RetryAfter::Seconds(_))) => !date,
                _ => false,
            })
        };
        assert!(is(true) && is(false));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_775);
        assert_eq!(RetryAfter::Seconds(2).value(now), "2");
        assert_eq!(RetryAfter::Date(2).value(now), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_hundred_per_cent_in_all_can_be_configured() {
        for rest in 0..=100 {
            let mischief = Mischief::configured(&MischiefSettings {
                seed: 7,
                reject_nonce: rest,
                drop_response: 0,
                delay: (100 - rest) / 3,
                rate_limited: (100 - rest) / 3,
                unavailable: (100 - rest) / 3,
                processing: (100 - rest) % 3,
                longest_delay: 1,
            });
            assert!((0..1000).all(|_| mischief.next().is_some()), "{rest}");
        }
    }

    #[test]
    fn shares_beyond_everything_are_refused() {
        let zero = Duration::ZERO;
        for value in [-0.1, 1.1, f64::NAN] {
            let shares = Shares { delay: value, ..Shares::default() };
            let error = Mischief::new(1, &shares, zero).expect_err("out of range");
            assert!(error.to_string().contains("delay"), "{error}");
        }
        let shares = Shares { delay: 0.6, processing: 0.6, ..Shares::default() };
        assert_eq!(Mischief::new(1, &shares, zero).err(), Some(BadShares::Sum(1.2)));
    }
}
