//! Nonces: each is accepted once, within five minutes, by the process that issued it (SPEC.md,
//! Nonces).
//!
//! A nonce is a counter and a time under a MAC, so that issuing one stores nothing and a flood of
//! requests for them costs no memory. The time is that since the process began: nobody's setting of
//! the clock makes a nonce old, or young again. What is stored is one bit per *spent* nonce, in a ring of
//! fixed size. The counter is readable: it tells how many nonces this process has issued, which is
//! no secret.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use koshin_protocol::base64url;
use subtle::ConstantTimeEq;

/// How long a nonce may be used, in seconds.
pub const LIFETIME: u64 = 300;

const COUNTER: usize = 8;
const TIME: usize = 8;
const TAG: usize = 16;
const LENGTH: usize = COUNTER + TIME + TAG;

/// Issues and spends the nonces of one process.
///
/// Shared by reference between threads; neither operation locks or waits.
pub struct Nonces {
    key: hmac::Key,
    began: Duration,
    next: AtomicU64,
    spent: Spent,
}

/// The nonce was not issued by this process, is too old, or was spent before. The client takes the
/// fresh one from the refusal and tries again (problem `badNonce`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the nonce was not issued here, is older than five minutes, or was used before")]
pub struct BadNonce;

impl Nonces {
    /// Begins anew, with a fresh key: nonces of an earlier process are refused, since what it spent
    /// is not known.
    ///
    /// All times are uptimes ([`Clock::uptime`](crate::clock::Clock::uptime)). Fails if the system has no randomness.
    pub fn new(now: Duration) -> Result<Self, getrandom::Error> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut())?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
            began: now,
            next: AtomicU64::new(0),
            spent: Spent::new(),
        })
    }

    /// A fresh nonce: 43 characters of base64url.
    pub fn issue(&self, now: Duration) -> String {
        let counter = self.next.fetch_add(1, Ordering::Relaxed);
        let mut nonce = [0; LENGTH];
        nonce[..COUNTER].copy_from_slice(&counter.to_be_bytes());
        nonce[COUNTER..COUNTER + TIME].copy_from_slice(&self.age(now).to_be_bytes());
        let tag = self.tag(&nonce[..COUNTER + TIME]);
        nonce[COUNTER + TIME..].copy_from_slice(&tag);
        base64url::encode(&nonce)
    }

    /// Spends a nonce. Of all calls with the same one, at whatever time and on however many
    /// threads, at most one succeeds.
    pub fn spend(&self, nonce: &str, now: Duration) -> Result<(), BadNonce> {
        let bytes = base64url::decode(nonce).map_err(|_| BadNonce)?;
        let (counter, rest) = bytes.split_first_chunk::<COUNTER>().ok_or(BadNonce)?;
        let (issued, tag) = rest.split_first_chunk::<TIME>().ok_or(BadNonce)?;
        let genuine: bool = self.tag(&bytes[..COUNTER + TIME]).ct_eq(tag).into();
        let age = self.age(now).saturating_sub(u64::from_be_bytes(*issued));
        if !genuine || age > LIFETIME {
            return Err(BadNonce);
        }
        self.spent.mark(u64::from_be_bytes(*counter))
    }

    /// Seconds since the process began. The machine's own uptime is nobody else's affair.
    fn age(&self, now: Duration) -> u64 {
        now.saturating_sub(self.began).as_secs()
    }

    fn tag(&self, message: &[u8]) -> [u8; TAG] {
        let whole = hmac::sign(&self.key, message);
        let (tag, _) = whole.as_ref().split_first_chunk().expect("an HMAC-SHA256 has 32 bytes");
        *tag
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("issued", &self.next).finish_non_exhaustive()
    }
}

/// Which nonces were spent, in a ring over the counter.
///
/// Each word holds 32 neighbouring counters of one turn of the ring: the turn's number above, their
/// bits below. A word only ever goes to later turns, and counters of an earlier turn than its
/// word's are refused. So a bit is forgotten only once its counter can no longer be accepted, with
/// no second look at any other state in between.
struct Spent {
    rows: Box<[[AtomicU64; Self::ROW]]>,
}

impl Spent {
    /// Counters that the ring tells apart: a nonce may be spent until one issued this many later
    /// was. It takes 1 MiB, and more than 13,000 nonces a second for five minutes, to be refused
    /// for this reason before its time.
    const COUNTERS: u64 = 1 << 22;
    const PER_WORD: u64 = 32;
    const WORDS: u64 = Self::COUNTERS / Self::PER_WORD;
    /// Words that are made at once: one by one they would take most of a bank's start in a build without optimization.
    const ROW: usize = 64;

    fn new() -> Self {
        let rows = 0..Self::WORDS / Self::ROW as u64;
        Self { rows: rows.map(|_| [const { AtomicU64::new(0) }; Self::ROW]).collect() }
    }

    fn mark(&self, counter: u64) -> Result<(), BadNonce> {
        let bit = 1 << (counter % Self::PER_WORD);
        let turn = counter / Self::COUNTERS;
        let at = counter / Self::PER_WORD % Self::WORDS;
        let words = self.rows.as_flattened();
        let word = usize::try_from(at).ok().and_then(|at| words.get(at)).ok_or(BadNonce)?;
        word.try_update(Ordering::AcqRel, Ordering::Acquire, |old| match (old >> 32).cmp(&turn) {
            std::cmp::Ordering::Less => Some(turn << 32 | bit),
            std::cmp::Ordering::Equal if old & bit == 0 => Some(old | bit),
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => None,
        })
        .map(drop)
        .map_err(|_| BadNonce)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;

    use super::*;

    fn noon() -> Duration {
        Duration::from_hours(12)
    }

    fn after(seconds: u64) -> Duration {
        noon() + Duration::from_secs(seconds)
    }

    fn nonces() -> Nonces {
        Nonces::new(noon()).expect("randomness")
    }

    #[test]
    fn a_nonce_is_accepted_once() {
        let nonces = nonces();
        let nonce = nonces.issue(noon());
        assert_eq!(nonces.spend(&nonce, noon()), Ok(()));
        assert_eq!(nonces.spend(&nonce, noon()), Err(BadNonce));
    }

    #[test]
    fn of_a_hundred_parallel_sends_exactly_one_is_accepted() {
        let nonces = nonces();
        for _ in 0..20 {
            let nonce = nonces.issue(noon());
            let start = Barrier::new(100);
            let accepted = std::thread::scope(|scope| {
                let sends: Vec<_> = (0..100)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            nonces.spend(&nonce, noon()).is_ok()
                        })
                    })
                    .collect();
                sends
                    .into_iter()
                    .map(|send| send.join().expect("no panic"))
                    .filter(|ok| *ok)
                    .count()
            });
            assert_eq!(accepted, 1);
        }
    }

    #[test]
    fn a_nonce_lives_five_minutes_inclusive() {
        let nonces = nonces();
        let (last, late) = (nonces.issue(noon()), nonces.issue(noon()));
        assert_eq!(nonces.spend(&last, after(300)), Ok(()));
        assert_eq!(nonces.spend(&late, after(301)), Err(BadNonce));
    }

    #[test]
    fn a_nonce_of_another_process_is_refused() {
        let nonce = nonces().issue(noon());
        assert_eq!(nonces().spend(&nonce, noon()), Err(BadNonce));
    }

    #[test]
    fn every_changed_bit_is_refused() {
        let nonces = nonces();
        let nonce = base64url::decode(&nonces.issue(noon())).expect("base64url");
        for bit in 0..nonce.len() * 8 {
            let mut changed = nonce.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                nonces.spend(&base64url::encode(&changed), noon()),
                Err(BadNonce),
                "bit {bit}"
            );
        }
        assert_eq!(nonces.spend(&base64url::encode(&nonce), noon()), Ok(()));
    }

    #[test]
    fn other_lengths_are_refused() {
        let nonces = nonces();
        let nonce = base64url::decode(&nonces.issue(noon())).expect("base64url");
        for length in (0..nonce.len()).chain([33, 64]) {
            let mut other = nonce.clone();
            other.resize(length, 0);
            assert_eq!(nonces.spend(&base64url::encode(&other), noon()), Err(BadNonce), "{length}");
        }
    }

    // [NON-05]
    #[test]
    fn memory_stays_flat_under_a_million_nonces() {
        let nonces = nonces();
        let before = size_of_val(&*nonces.spent.rows);
        let mut kept = HashSet::new();
        for number in 0..1_000_000 {
            let nonce = nonces.issue(noon());
            if number % 1000 == 0 {
                assert!(kept.insert(nonce), "a nonce was issued twice");
            }
        }
        assert_eq!(size_of_val(&*nonces.spent.rows), before);
        assert_eq!(before, 1 << 20);
        for nonce in &kept {
            assert_eq!(nonces.spend(nonce, noon()), Ok(()));
            assert_eq!(nonces.spend(nonce, noon()), Err(BadNonce));
        }
    }

    #[test]
    fn a_counter_is_accepted_at_most_once_in_whatever_order_turns_of_the_ring_arrive() {
        let spent = Spent::new();
        let turn = Spent::COUNTERS;
        assert_eq!(spent.mark(5), Ok(()));
        assert_eq!(spent.mark(turn + 6), Ok(()));
        assert_eq!(spent.mark(5), Err(BadNonce), "spent in an earlier turn");
        assert_eq!(spent.mark(7), Err(BadNonce), "too old: its word has moved on");
        assert_eq!(spent.mark(turn + 5), Ok(()));
        assert_eq!(spent.mark(turn + 5), Err(BadNonce));
        assert_eq!(spent.mark(3 * turn + 6), Ok(()));
        assert_eq!(spent.mark(turn + 7), Err(BadNonce));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let printed = format!("{:?}", nonces());
        assert_eq!(printed, "Nonces { issued: 0, .. }");
    }
}
