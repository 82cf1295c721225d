//! An identity: one certificate holder at one bank, in one folder, crash-safe.
//!
//! ```text
//! identity.toml            name, directory, key store, trust anchors (Settings)
//! trust.pem                roots configured for this bank
//! lock                     locked while a process works here; never by its age
//! renewal-info.json        when the bank would like the renewal, not to be asked again too soon
//! schedule.json            when to renew unattended, and what was tried (schedule)
//! current                  symbolic link to the pair in use, switched by rename: `generations/7`
//! generations/7/           one pair of key and certificate, complete or on its way
//!   key.pem | key.p12      the key, mode 0600, as the key store keeps it
//!   request.csr            the request, PEM
//!   certificate.pem        the certificate, then its chain, PEM, in one file so that they cannot part
//!   receipt.json           the bank's signed word on the end of the order
//!   journal.json           what was begun and how far it came (journal)
//! generations/.removed-5/  a generation on its way out
//! .*.tmp                   files on their way in, tolerated, swept at the next open
//! ```
//!
//! A generation goes one way, each step durable when its method returns, and only then the next request may be sent:
//!
//! ```text
//! begin() -> Generation<Began> -> requested(order) -> received(chain) -> installed() -> confirmed()
//! ```
//!
//! Whatever dies in between, [`Identity::current`] has a pair that works at every instant, and [`Identity::resume`] says
//! what is open. Nothing unconfirmed is ever deleted, nor the last two pairs, nor any before its certificate expired.
//!
//! Everything here blocks; asynchronous code calls it where blocking is allowed (see [`crate::files`]).

mod check;
mod generation;
mod home;
mod note;
mod resume;
mod retention;
mod settings;
#[cfg(test)]
mod tests;
mod turn;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use koshin_protocol::algorithm::KeyType;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{Certificate, Name};
use koshin_protocol::sign::{SignError, Signer};
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use secrecy::SecretString;
use zeroize::Zeroizing;

pub use self::check::{Expected, Mismatch};
pub use self::generation::{
    Began, Confirmed, Generation, Installed, LoneKey, LostKey, OpenGeneration, Received, Requested,
};
use self::home::Home;
pub use self::settings::Settings;
use crate::files::durable;
use crate::files::{FileError, Files, Lock};
use crate::import::Imported;
use crate::journal::{Intent, Journal, JournalError, Progress, Purpose, Version};
use crate::keystore::{KeyStore, KeyStoreError, PrivateKey, pkcs12};

const GENERATIONS: &str = "generations";
const LOCK: &str = "lock";

/// An identity that this process has to itself. Clones share it; the lock is given back with the last of them and of the
/// generations it handed out.
#[derive(Clone, Debug)]
pub struct Identity {
    home: Arc<Home>,
    /// Whether blocking work is done on the thread that asks for it.
    is_here: bool,
}

/// A key and the certificate that belongs to it.
#[derive(Clone)]
pub struct Pair {
    /// The generation's number.
    pub generation: u64,
    /// The certificate.
    pub certificate: Certificate,
    /// Its issuers, as far as known, without the root.
    pub issuers: Vec<Certificate>,
    /// The key.
    pub signer: Arc<dyn Signer>,
}

/// Why an identity cannot do what it should, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key store refused.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Another process works with this identity.
    #[error("another process is working with the identity in {}; wait until it has finished", folder.display())]
    Locked {
        /// The identity's folder.
        folder: PathBuf,
    },
    /// There is an identity in the folder already.
    #[error("there is an identity in {} already; choose another folder", folder.display())]
    Exists {
        /// The identity's folder.
        folder: PathBuf,
    },
    /// The settings cannot be read or written.
    #[error("{}: {detail}", path.display())]
    Settings {
        /// The settings' file.
        path: PathBuf,
        /// Where and what.
        detail: String,
    },
    /// The settings name another kind of key store than the one given.
    #[error("this identity keeps its keys in `{settings}`, not in `{given}`")]
    OtherKeyStore {
        /// As in `identity.toml`.
        settings: String,
        /// As given.
        given: &'static str,
    },
    /// A file does not hold what it should.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The new certificate is not installed; the current pair stays.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The key would not sign the request.
    #[error("the new key cannot sign its request: {0}")]
    Sign(#[from] SignError),
    /// A PKCS#12 file could not be made.
    #[error(transparent)]
    Export(#[from] pkcs12::Pkcs12WriteError),
    /// No generation here has that certificate with its key.
    #[error("the certificate {certificate} or its key is not in this identity")]
    NoSuchPair {
        /// The certificate that was asked for.
        certificate: CertId,
    },
}

impl Identity {
    /// Sets up an identity in a folder, which may exist if there is no identity in it. Its parent exists.
    /// After an interruption the same call may be made again.
    pub fn create(
        files: Arc<dyn Files>,
        keys: Arc<dyn KeyStore>,
        folder: &Path,
        settings: Settings,
    ) -> Result<Self, IdentityError> {
        let parent = folder.parent().unwrap_or(Path::new("/"));
        make_folder_unless_there(&*files, parent, folder)?;
        let lock = lock(&*files, folder)?;
        match Settings::read(&*files, folder) {
            Err(IdentityError::File(error)) if error.is_absent() => {}
            Ok(_) | Err(IdentityError::Settings { .. }) => {
                return Err(IdentityError::Exists { folder: folder.to_owned() });
            }
            Err(error) => return Err(error),
        }
        make_folder_unless_there(&*files, folder, &folder.join(GENERATIONS))?;
        settings.put(&*files, folder)?;
        Self::assemble(files, keys, folder, settings, lock)
    }

    /// Opens the identity in a folder and locks it; what an interrupted process left half written is swept.
    pub fn open(
        files: Arc<dyn Files>,
        keys: Arc<dyn KeyStore>,
        folder: &Path,
    ) -> Result<Self, IdentityError> {
        let settings = Settings::read(&*files, folder)?;
        let lock = lock(&*files, folder)?;
        let identity = Self::assemble(files, keys, folder, settings, lock)?;
        identity.home.sweep()?;
        Ok(identity)
    }

    fn assemble(
        files: Arc<dyn Files>,
        keys: Arc<dyn KeyStore>,
        folder: &Path,
        settings: Settings,
        lock: Lock,
    ) -> Result<Self, IdentityError> {
        if settings.key_store != keys.kind() {
            let settings = settings.key_store;
            return Err(IdentityError::OtherKeyStore { settings, given: keys.kind() });
        }
        let folder = folder.to_owned();
        let turn = Arc::default();
        let home = Arc::new(Home { files, keys, folder, settings, turn, lock });
        Ok(Self { home, is_here: false })
    }

    /// What it was set up with.
    pub fn settings(&self) -> &Settings {
        &self.home.settings
    }

    /// The identity's folder.
    pub fn folder(&self) -> &Path {
        &self.home.folder
    }

    /// Writes the roots configured for this bank, where the settings say; durable when it returns.
    pub fn put_anchors(&self, roots: &[Certificate]) -> Result<(), IdentityError> {
        let path = self.home.folder.join(&self.home.settings.trust);
        settings::put_certificates(&*self.home.files, &path, roots)
    }

    /// Writes the roots for the TLS connection, where the settings say; nothing if they say the system's.
    pub fn put_tls_anchors(&self, roots: &[Certificate]) -> Result<(), IdentityError> {
        match &self.home.settings.tls_trust {
            Some(trust) => {
                let path = self.home.folder.join(trust);
                settings::put_certificates(&*self.home.files, &path, roots)
            }
            None => Ok(()),
        }
    }

    /// The roots configured for this bank.
    pub fn anchors(&self) -> Result<Vec<Certificate>, IdentityError> {
        self.home.settings.anchors(&*self.home.files, &self.home.folder)
    }

    /// Roots for the TLS connection; none: the platform's.
    pub fn tls_anchors(&self) -> Result<Vec<Certificate>, IdentityError> {
        self.home.settings.tls_anchors(&*self.home.files, &self.home.folder)
    }

    /// The pair in use: the one that `current` points to; if its key or certificate is gone, the newest other one that was
    /// ever in use. `None` if there is none at all.
    pub fn current(&self) -> Result<Option<Pair>, IdentityError> {
        if let Some(number) = self.home.linked()?
            && let Some(pair) = self.home.pair(number)?
        {
            return Ok(Some(pair));
        }
        Ok(self.pairs()?.into_iter().next())
    }

    /// All complete pairs that are or were in use, the newest first: what to try when the bank refuses the current one.
    pub fn pairs(&self) -> Result<Vec<Pair>, IdentityError> {
        let mut pairs = Vec::new();
        for number in self.home.numbers()?.into_iter().rev() {
            let used = match self.home.journal(number)?.map(|journal| journal.progress) {
                Some(Progress::Installed { .. } | Progress::Confirmed { .. }) => true,
                Some(
                    Progress::Began
                    | Progress::Requested { .. }
                    | Progress::Received { .. }
                    | Progress::Ended { .. },
                )
                | None => false,
            };
            if used && let Some(pair) = self.home.pair(number)? {
                pairs.push(pair);
            }
        }
        Ok(pairs)
    }

    /// Takes in a pair that was made elsewhere, and makes it the current one.
    pub fn import(&self, imported: Imported, now: Time) -> Result<Pair, IdentityError> {
        let home = &self.home;
        let number = home.next_number()?;
        durable::make_folder(&*home.files, &home.generations(), &number.to_string())?;
        let mut journal = Journal {
            version: Version::One,
            begun: now,
            key: imported.key.public_key().thumbprint(),
            purpose: Purpose::Import,
            intent: Intent::Complete,
            progress: Progress::Began,
        };
        // Before the key, so that an interrupted import is never taken for a new key that wants an order.
        journal.put(&*home.files, &home.generation(number))?;
        let signer = home.with_slot(number, |slot| home.keys.import_key(slot, imported.key))?;
        journal.progress = Progress::Confirmed { order: None };
        home.put_certificates(number, &imported.chain, &journal)?;
        home.with_slot(number, |slot| home.keys.attach(slot, &imported.chain))?;
        home.switch(number)?;
        let mut issuers = imported.chain;
        let certificate = issuers.remove(0);
        Ok(Pair { generation: number, certificate, issuers, signer })
    }

    /// The key of a pair, for other programs. Key stores that never let a key go refuse.
    pub fn export_key(&self, pair: &Pair) -> Result<PrivateKey, IdentityError> {
        let home = &self.home;
        let key = home.with_slot(pair.generation, |slot| home.keys.export_key(slot))?;
        key.ok_or_else(|| IdentityError::NoSuchPair { certificate: CertId::of(&pair.certificate) })
    }

    /// A pair as a PKCS#12 file under a passphrase, for other programs. Key stores that never let a key go refuse.
    pub fn export(
        &self,
        pair: &Pair,
        passphrase: &SecretString,
    ) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
        let home = &self.home;
        let key = self.export_key(pair)?;
        let chain = [std::slice::from_ref(&pair.certificate), &pair.issuers].concat();
        Ok(pkcs12::write(&key, &chain, &home.settings.name, passphrase)?)
    }

    /// Begins a new pair: makes the key, then the request for `subject`, then the journal. The first request to the bank
    /// may be sent when this has returned. `now` is this machine's time.
    pub fn begin(
        &self,
        purpose: Purpose,
        subject: &Name,
        key_type: KeyType,
        now: Time,
    ) -> Result<Generation<Began>, IdentityError> {
        let home = &self.home;
        let number = home.next_number()?;
        durable::make_folder(&*home.files, &home.generations(), &number.to_string())?;
        let signer = home.with_slot(number, |slot| home.keys.make_key(slot, key_type))?;
        Generation::journaled(Arc::clone(home), number, signer, purpose, subject, now)
    }

    /// The current generation and its order, if it came by an order and is confirmed: what a rollback begins with.
    pub fn confirmed(&self) -> Result<Option<(Generation<Confirmed>, Url)>, IdentityError> {
        let home = &self.home;
        let Some(number) = home.linked()? else { return Ok(None) };
        let Some(journal) = home.journal(number)? else { return Ok(None) };
        let Progress::Confirmed { order: Some(order) } = journal.progress.clone() else {
            return Ok(None);
        };
        let Some(signer) = home.signer(number)? else { return Ok(None) };
        let generation = Generation::new(Arc::clone(home), number, signer, journal, Confirmed);
        Ok(Some((generation, order)))
    }

    /// The pair of a certificate, whatever became of its generation; `None` if it is not here whole.
    pub fn pair(&self, certificate: &CertId) -> Result<Option<Pair>, IdentityError> {
        for number in self.home.numbers()?.into_iter().rev() {
            if let Some(pair) = self.home.pair(number)?
                && CertId::of(&pair.certificate) == *certificate
            {
                return Ok(Some(pair));
            }
        }
        Ok(None)
    }

    /// Points `current` to the pair of a certificate, after checking that it is complete: back to the predecessor after a
    /// cancel or a rollback, or forward again. Durable when it returns.
    pub fn switch_to(&self, certificate: &CertId) -> Result<Pair, IdentityError> {
        let Some(pair) = self.pair(certificate)? else {
            return Err(IdentityError::NoSuchPair { certificate: certificate.clone() });
        };
        self.home.switch(pair.generation)?;
        Ok(pair)
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("generation", &self.generation).finish_non_exhaustive()
    }
}

fn lock(files: &dyn Files, folder: &Path) -> Result<Lock, IdentityError> {
    let path = folder.join(LOCK);
    let lock = files.lock(&path).map_err(FileError::of("lock", &path))?;
    lock.ok_or_else(|| IdentityError::Locked { folder: folder.to_owned() })
}

fn make_folder_unless_there(
    files: &dyn Files,
    parent: &Path,
    folder: &Path,
) -> Result<(), IdentityError> {
    match files.make_folder(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(FileError::of("make the folder", folder)(error).into()),
    }
    Ok(files.sync_folder(parent).map_err(FileError::of("sync the folder", parent))?)
}
