//! PINs: hashing and checking them with Argon2id, off the asynchronous threads.
//!
//! A hash costs milliseconds of a processor, so that a flood of logons could starve renewals: few
//! run at a time, a few more wait, and what is over is refused at once with [`PinError::Busy`].
//! Counting wrong PINs and locking is the store's: it reserves an attempt durably before it is
//! checked here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use koshin_protocol::pin::Pin;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::policy::Argon2idCost;

/// An Argon2id hash in PHC form: what the store keeps.
#[derive(Clone, PartialEq, Eq)]
pub struct PinHash(String);

impl PinHash {
    /// Takes a hash out of the store; refuses whatever is not one.
    pub fn from_phc(text: &str) -> Result<Self, NotAHash> {
        let hash = PasswordHash::new(text).map_err(|_| NotAHash)?;
        if hash.algorithm != argon2::ARGON2ID_IDENT || hash.salt.is_none() || hash.hash.is_none() {
            return Err(NotAHash);
        }
        Params::try_from(&hash).map_err(|_| NotAHash)?;
        Ok(Self(text.to_owned()))
    }

    /// The hash in PHC form, for the store.
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PinHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinHash(..)")
    }
}

/// The text is no Argon2id hash in PHC form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Argon2id hash in PHC form")]
pub struct NotAHash;

/// Hashes and checks PINs, a bounded number at a time.
///
/// Dropping a future of it abandons the waiting; a hash that has begun runs to its end and holds
/// its place until then. Clones share the places.
#[derive(Clone)]
pub struct Pins {
    hasher: Argon2<'static>,
    /// Stands in where a subject has no PIN, so that the time of an answer does not tell.
    nobody: PinHash,
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// A place in the queue of [`Pins`].
#[derive(Debug)]
pub struct Place(OwnedSemaphorePermit);

/// Why a PIN was neither hashed nor checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Too many wait already (problem `unavailable`, with this as Retry-After).
    #[error("too many PINs are being checked; try again in {} s", retry_after.as_secs())]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// The system failed: no randomness, no memory, or the program is ending.
    #[error(
        "a PIN could not be hashed: the system has no randomness or memory, or the program is ending"
    )]
    System,
}

impl Pins {
    const RETRY_AFTER: Duration = Duration::from_secs(2);

    /// Hashes at `cost`, `at_once` of them at a time, with up to `waiting` more in a queue.
    pub fn new(cost: Argon2idCost, at_once: usize, waiting: usize) -> Result<Self, PinError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .map_err(|_| PinError::System)?;
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut unguessable = Zeroizing::new([0; 32]);
        getrandom::fill(unguessable.as_mut()).map_err(|_| PinError::System)?;
        let nobody = hash(&hasher, unguessable.as_ref())?;
        Ok(Self {
            hasher,
            nobody,
            running: Arc::new(Semaphore::new(at_once)),
            places: Arc::new(Semaphore::new(at_once + waiting)),
        })
    }

    /// A place in the queue, to be taken before an attempt is counted: who is sent away because others wait has not
    /// tried. It is given back when it is used or dropped.
    pub fn place(&self) -> Result<Place, PinError> {
        let busy = PinError::Busy { retry_after: Self::RETRY_AFTER };
        Arc::clone(&self.places).try_acquire_owned().map(Place).map_err(|_| busy)
    }

    /// Hashes a new PIN with a random salt.
    pub async fn hash(&self, pin: Pin) -> Result<PinHash, PinError> {
        let hasher = self.hasher.clone();
        self.run(self.place()?, move || hash(&hasher, pin.expose().as_bytes())).await?
    }

    /// Whether `pin` is the one that was hashed. Without a hash it is not, after the same work.
    pub async fn verify(
        &self,
        place: Place,
        pin: Pin,
        stored: Option<&PinHash>,
    ) -> Result<bool, PinError> {
        let hasher = self.hasher.clone();
        let known = stored.is_some();
        let hash = stored.unwrap_or(&self.nobody).clone();
        self.run(place, move || {
            hasher.verify_password(pin.expose().as_bytes(), hash.as_phc()).is_ok() && known
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PinError> {
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| PinError::System)?;
        let working = tokio::task::spawn_blocking(move || {
            // Held by the work itself: a caller who goes away must not let another one in too
            // early.
            let _held = (place.0, turn);
            work()
        });
        working.await.map_err(|_| PinError::System)
    }
}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pins")
            .field("free", &self.running.available_permits())
            .finish_non_exhaustive()
    }
}

fn hash(hasher: &Argon2<'_>, pin: &[u8]) -> Result<PinHash, PinError> {
    hasher.hash_password(pin).map(|hash| PinHash(hash.to_string())).map_err(|_| PinError::System)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const CHEAP: Argon2idCost = Argon2idCost { memory_kib: 64, passes: 1, lanes: 1 };

    fn pin(text: &str) -> Pin {
        Pin::new(text.to_owned())
    }

    fn pins() -> Pins {
        Pins::new(CHEAP, 2, 8).unwrap()
    }

    async fn check(pins: &Pins, text: &str, stored: Option<&PinHash>) -> Result<bool, PinError> {
        pins.verify(pins.place()?, pin(text), stored).await
    }

    #[tokio::test]
    async fn the_right_pin_is_recognized_and_others_are_not() {
        let pins = pins();
        let hash = pins.hash(pin("2468")).await.unwrap();
        assert_eq!(check(&pins, "2468", Some(&hash)).await, Ok(true));
        for wrong in ["", "246", "24680", "2469", "２４６８"] {
            assert_eq!(check(&pins, wrong, Some(&hash)).await, Ok(false), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_at_the_policys_cost_with_its_own_salt() {
        let pins = pins();
        let (one, other) =
            (pins.hash(pin("2468")).await.unwrap(), pins.hash(pin("2468")).await.unwrap());
        assert!(one.as_phc().starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", one.as_phc());
        assert_ne!(one, other);
        assert_eq!(PinHash::from_phc(one.as_phc()), Ok(one));
    }

    #[tokio::test]
    async fn a_hash_made_at_another_cost_is_still_checked() {
        let earlier =
            Pins::new(Argon2idCost { memory_kib: 128, passes: 2, lanes: 1 }, 1, 1).unwrap();
        let hash = earlier.hash(pin("2468")).await.unwrap();
        assert_eq!(check(&pins(), "2468", Some(&hash)).await, Ok(true));
        assert_eq!(check(&pins(), "2469", Some(&hash)).await, Ok(false));
    }

    #[tokio::test]
    async fn without_a_stored_pin_every_pin_is_wrong() {
        assert_eq!(check(&pins(), "", None).await, Ok(false));
    }

    #[test]
    fn what_is_no_argon2id_hash_is_refused() {
        for text in [
            "",
            "2468",
            "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=64,t=1,p=1",
        ] {
            assert_eq!(PinHash::from_phc(text), Err(NotAHash), "{text}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn at_most_so_many_run_so_many_wait_and_the_rest_is_refused_at_once() {
        let pins = Arc::new(Pins::new(CHEAP, 2, 3).unwrap());
        let (gate, opened) = std::sync::mpsc::channel::<()>();
        let opened = Arc::new(std::sync::Mutex::new(opened));
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let work = || {
            let (pins, opened, running, most) =
                (pins.clone(), opened.clone(), running.clone(), most.clone());
            tokio::spawn(async move {
                pins.run(pins.place()?, move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    opened.lock().unwrap().recv().unwrap();
                    running.fetch_sub(1, Ordering::SeqCst);
                })
                .await
            })
        };
        let accepted: Vec<_> = (0..5).map(|_| work()).collect();
        while pins.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = check(&pins, "2468", None).await;
        assert_eq!(refused, Err(PinError::Busy { retry_after: Pins::RETRY_AFTER }));
        for _ in 0..5 {
            gate.send(()).unwrap();
        }
        for task in accepted {
            assert_eq!(task.await.unwrap(), Ok(()));
        }
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert_eq!(check(&pins, "2468", None).await, Ok(false), "places are free again");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_goes_away_does_not_free_a_place_that_is_still_worked_in() {
        let pins = Arc::new(Pins::new(CHEAP, 1, 0).unwrap());
        let (gate, opened) = std::sync::mpsc::channel::<()>();
        let gone = tokio::spawn({
            let pins = pins.clone();
            async move { pins.run(pins.place()?, move || opened.recv().unwrap()).await }
        });
        while pins.running.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert!(matches!(check(&pins, "2468", None).await, Err(PinError::Busy { .. })));
        gate.send(()).unwrap();
        while pins.places.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(check(&pins, "2468", None).await, Ok(false));
    }

    #[test]
    fn a_hash_does_not_print() {
        assert_eq!(format!("{:?}", PinHash("2468".into())), "PinHash(..)");
    }
}
