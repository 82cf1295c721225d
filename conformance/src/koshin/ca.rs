//! A CA that is down or slow while a file says so.

use std::collections::HashMap;
use std::fs;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use koshin_server::ca::{Answer, Answering, Authority, Crl, Issuer, ToBeSigned, Unavailable};

use super::{KoshinError, error};

/// Says to ask again after this.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How the CA is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It signs at once.
    Up,
    /// It signs nothing.
    Down,
    /// It takes so long.
    Slow {
        /// How long.
        seconds: u32,
    },
}

impl State {
    /// Leaves word of it in the bank's folder.
    pub fn write(self, folder: &Path) -> Result<(), KoshinError> {
        let text = match self {
            Self::Up => "up".to_owned(),
            Self::Down => "down".to_owned(),
            Self::Slow { seconds } => seconds.to_string(),
        };
        // Renamed, so that nobody reads half of it.
        let (file, new) = (folder.join("ca"), folder.join("ca.new"));
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &file))
            .map_err(|why| error("the file `ca`", why))
    }

    fn read(file: &Path) -> Self {
        match fs::read_to_string(file).unwrap_or_default().trim() {
            "down" => Self::Down,
            text => text.parse().map_or(Self::Up, |seconds| Self::Slow { seconds }),
        }
    }
}

/// Stands in front of another issuer.
pub(super) struct Controlled {
    issuer: Arc<dyn Issuer>,
    file: PathBuf,
    /// When each certificate was asked for first, by the octets to be signed.
    asked: Mutex<HashMap<Vec<u8>, Instant>>,
}

impl Controlled {
    pub(super) fn new(issuer: Arc<dyn Issuer>, folder: &Path) -> Self {
        Self { issuer, file: folder.join("ca"), asked: Mutex::default() }
    }

    fn is_ready(&self, request: &ToBeSigned) -> bool {
        match State::read(&self.file) {
            State::Up => true,
            State::Down => false,
            State::Slow { seconds } => {
                let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
                let first = asked.entry(request.tbs().to_vec()).or_insert_with(Instant::now);
                first.elapsed() >= Duration::from_secs(u64::from(seconds))
            }
        }
    }
}

impl Issuer for Controlled {
    fn authority(&self) -> &Authority {
        self.issuer.authority()
    }

    fn signs_at_once(&self) -> bool {
        State::read(&self.file) == State::Up && self.issuer.signs_at_once()
    }

    fn issue<'a>(&'a self, request: &'a ToBeSigned) -> Answering<'a, Answer> {
        if self.is_ready(request) {
            return self.issuer.issue(request);
        }
        Box::pin(ready(Answer::Pending { retry_after: RETRY_AFTER }))
    }

    fn sign_crl<'a>(&'a self, crl: &'a Crl) -> Answering<'a, Result<Vec<u8>, Unavailable>> {
        if State::read(&self.file) == State::Down {
            return Box::pin(ready(Err(Unavailable { retry_after: RETRY_AFTER })));
        }
        self.issuer.sign_crl(crl)
    }
}
