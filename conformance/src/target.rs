//! The bank under test: where it is, how its certificates are made, and what the cases of one run share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use koshin_protocol::certificate::Certificate;
use koshin_protocol::directory::Directory;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::OnceCell;

use crate::case::Outcome;
use crate::control::Control;
use crate::http::{BadTrust, Client, Connector};
use crate::provision::Provision;
use crate::server::good::{Accepted, Good};

/// The bank under test.
pub struct Target {
    /// The directory's URL.
    pub directory_url: Url,
    /// Its roots, for TLS and for certificates.
    pub roots: Vec<Certificate>,
    /// How it is spoken to.
    pub http: Client,
    /// Who makes certificates.
    pub provision: Option<Arc<dyn Provision>>,
    /// Who has power over the bank.
    pub control: Option<Arc<dyn Control>>,
    /// All random choices of a case come from this and its slug. Keys do not: a bank takes each key once.
    pub seed: u64,
    pub(crate) directory: OnceCell<Outcome<Arc<Directory>>>,
    pub(crate) goods: Mutex<BTreeMap<Good, Arc<Accepted>>>,
    /// Tells this run from others in what the bank remembers.
    run_id: String,
    /// By how many seconds the bank's clock is ahead; unknown before its first answer.
    ahead: Mutex<Option<i64>>,
}

impl Target {
    /// Of its directory's URL and the PEM of the roots that it is trusted by.
    pub fn new(
        directory_url: Url,
        trust: &[u8],
        provision: Option<Arc<dyn Provision>>,
        control: Option<Arc<dyn Control>>,
        seed: u64,
    ) -> Result<Self, BadTrust> {
        let mut roots = Vec::new();
        for der in CertificateDer::pem_slice_iter(trust) {
            // One that is no certificate of the protocol may still serve for TLS.
            roots.extend(Certificate::from_der(&der?));
        }
        let http = Client::new(Connector::new(&directory_url, trust)?);
        Ok(Self {
            directory_url,
            roots,
            http,
            provision,
            control,
            seed,
            directory: OnceCell::new(),
            goods: Mutex::default(),
            run_id: format!("{}-{}", here().unix(), std::process::id()),
            ahead: Mutex::default(),
        })
    }

    pub(crate) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Takes the bank's `Date` for its clock.
    pub(crate) fn hear_date(&self, date: Time) {
        // An answer takes time: what shows the bank furthest ahead is nearest to the truth.
        let seen = date.seconds_since(here());
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = Some(ahead.map_or(seen, |known| known.max(seen)));
    }

    /// The bank's clock, as far as its answers told.
    pub fn now(&self) -> Time {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_default();
        Time::from_unix(here().unix() + ahead).unwrap_or_else(|_| here())
    }
}

/// The clock of the machine that tests.
pub fn here() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Time::from_unix(seconds).unwrap_or(Time::MAX)
}
