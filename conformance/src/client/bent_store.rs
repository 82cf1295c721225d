//! The wrong clients' key stores and files.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use koshin_client::files::{Access, Files, Lock, NewFile, Real};
use koshin_client::keystore::{FileStore, KeyStore, KeyStoreError, PrivateKey, Slot};
use koshin_client::pem;
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::sign::{Es256Key, Signer};
use sha2::{Digest, Sha384};

use super::fault::Fault;

/// A key that is not in its file yet.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<Option<(PathBuf, PrivateKey)>>);

impl Pending {
    /// Stores it, too late.
    pub(super) fn store(&self) {
        let pending = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((folder, key)) = pending {
            let text = pem::write("PRIVATE KEY", key.pkcs8_der());
            super::stage::private(&folder.join("key.pem"), text.as_bytes()).ok();
        }
    }

    fn get(&self, folder: &Path) -> Option<PrivateKey> {
        let pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, key) = pending.as_ref()?;
        (at == folder).then(|| PrivateKey::from_pkcs8_der(key.pkcs8_der()).ok()).flatten()
    }
}

/// A key store that may be wrong.
#[derive(Debug)]
pub(super) struct BentStore {
    pub(super) inner: FileStore,
    pub(super) fault: Option<Fault>,
    pub(super) pending: Arc<Pending>,
    /// The PIN.
    pub(super) pin: String,
}

impl BentStore {
    /// The key that a wrong client takes in place of a new one.
    fn instead(&self, slot: Slot<'_>) -> Option<PrivateKey> {
        match self.fault? {
            Fault::KeyOfPin => {
                let digest: [u8; 48] = Sha384::digest(self.pin.as_bytes()).into();
                let key = Es256Key::from_random(&digest);
                PrivateKey::from_pkcs8_der(&key.to_pkcs8_der()).ok()
            }
            Fault::SameKey => {
                // That of the generation before, unless that is the first.
                let above = slot.folder.parent()?;
                let number: u64 = slot.folder.file_name()?.to_str()?.parse().ok()?;
                let before = above.join((number - 1).to_string()).join("key.pem");
                if number <= 2 {
                    return None;
                }
                let content = std::fs::read(before).ok()?;
                PrivateKey::from_pkcs8_der(&pem::sections(&content).ok()?.first()?.der).ok()
            }
            _ => None,
        }
    }
}

impl KeyStore for BentStore {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn make_key(
        &self,
        slot: Slot<'_>,
        key_type: KeyType,
    ) -> Result<Arc<dyn Signer>, KeyStoreError> {
        if let Some(key) = self.instead(slot) {
            return self.inner.import_key(slot, key);
        }
        if self.fault == Some(Fault::LateKey)
            && let Ok(key) = PrivateKey::generate(key_type)
            && let Ok(copy) = PrivateKey::from_pkcs8_der(key.pkcs8_der())
        {
            let pending = (slot.folder.to_owned(), key);
            *self.pending.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
            return Ok(Arc::new(copy));
        }
        self.inner.make_key(slot, key_type)
    }

    fn signer(&self, slot: Slot<'_>) -> Result<Option<Arc<dyn Signer>>, KeyStoreError> {
        match self.pending.get(slot.folder) {
            Some(key) => Ok(Some(Arc::new(key))),
            None => self.inner.signer(slot),
        }
    }

    fn import_key(
        &self,
        slot: Slot<'_>,
        key: PrivateKey,
    ) -> Result<Arc<dyn Signer>, KeyStoreError> {
        self.inner.import_key(slot, key)
    }

    fn export_key(&self, slot: Slot<'_>) -> Result<Option<PrivateKey>, KeyStoreError> {
        self.inner.export_key(slot)
    }

    fn attach(&self, slot: Slot<'_>, chain: &[Certificate]) -> Result<(), KeyStoreError> {
        self.inner.attach(slot, chain)
    }

    fn settle(&self, slot: Slot<'_>) -> Result<(), KeyStoreError> {
        self.inner.settle(slot)
    }

    fn remove_key(&self, slot: Slot<'_>) -> Result<(), KeyStoreError> {
        self.inner.remove_key(slot)
    }
}

/// The files, without locks.
#[derive(Debug)]
pub(super) struct Unlocked;

impl Files for Unlocked {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        Real.make_folder(path)
    }

    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn NewFile>> {
        Real.create(path, access)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Real.rename(from, to)
    }

    fn link(&self, target: &Path, link: &Path) -> io::Result<()> {
        Real.link(target, link)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        Real.sync_folder(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Real.read(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        Real.read_link(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        Real.list(path)
    }

    fn permissions(&self, path: &Path) -> io::Result<u32> {
        Real.permissions(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        Real.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        Real.remove_folder(path)
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Lock>> {
        Ok(Some(Lock::held_by(())))
    }
}
