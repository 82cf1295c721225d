//! TLS tickets under keys that change with the time that passes, whatever the clock says: the rotation of rustls goes by the
//! clock, and one that had been ahead would keep its key until that time came.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::Error;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

use crate::clock::{Clock, System};

/// How long one key encrypts; it decrypts for as long again.
const TURN: Duration = Duration::from_hours(6);

/// Makes and reads tickets. Tickets carry their state themselves: a million clients cost no memory here.
pub(super) struct Tickets {
    keys: RwLock<Keys>,
}

struct Keys {
    current: Arc<dyn ProducesTickets>,
    former: Option<Arc<dyn ProducesTickets>>,
    /// The uptime from which on `current` encrypts.
    since: Duration,
}

impl Tickets {
    pub(super) fn new() -> Result<Self, Error> {
        let keys = Keys { current: Ticketer::new()?, former: None, since: System.uptime() };
        Ok(Self { keys: RwLock::new(keys) })
    }

    /// The keys at that uptime. Without randomness for a new one the former stays.
    fn at(&self, now: Duration) -> [Option<Arc<dyn ProducesTickets>>; 2] {
        let age = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            now.saturating_sub(keys.since)
        };
        if age >= TURN
            && let Ok(fresh) = Ticketer::new()
        {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            let age = now.saturating_sub(keys.since);
            if age >= TURN {
                let current = std::mem::replace(&mut keys.current, fresh);
                keys.former = (age < 2 * TURN).then_some(current);
                keys.since = now;
            }
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        [Some(Arc::clone(&keys.current)), keys.former.clone()]
    }

    fn encrypt_at(&self, plain: &[u8], now: Duration) -> Option<Vec<u8>> {
        let [current, _] = self.at(now);
        current?.encrypt(plain)
    }

    fn decrypt_at(&self, cipher: &[u8], now: Duration) -> Option<Vec<u8>> {
        self.at(now).into_iter().flatten().find_map(|key| key.decrypt(cipher))
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(2 * TURN.as_secs()).expect("half a day")
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.encrypt_at(plain, System.uptime())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.decrypt_at(cipher, System.uptime())
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_until_the_second_turn_of_the_keys_after_it() {
        let tickets = Tickets::new().expect("randomness");
        let start = System.uptime();
        let ticket = tickets.encrypt_at(b"a session", start).expect("a ticket");
        let read = |after| tickets.decrypt_at(&ticket, start + after);
        assert_eq!(read(Duration::ZERO).as_deref(), Some(&b"a session"[..]));
        assert_eq!(read(TURN + Duration::from_mins(1)).as_deref(), Some(&b"a session"[..]));
        assert_eq!(read(2 * TURN + Duration::from_mins(2)), None);
        let ticket = tickets.encrypt_at(b"another", start + 2 * TURN + Duration::from_mins(3));
        let long_after = start + 9 * TURN;
        assert_eq!(tickets.decrypt_at(&ticket.expect("a ticket"), long_after), None);
    }
}
