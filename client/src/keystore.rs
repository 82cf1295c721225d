//! Where a key is made and kept (格納先), as a trait that files, tokens and operating systems fit.
//!
//! A key is made **in** the store and may never leave it: the trait hands out a [`Signer`], not the key. Each generation of an
//! identity has one [`Slot`]; a store that keeps files puts them into the slot's folder, a store that does not (a PKCS#11
//! token, an NSS database, the operating system's) names the key by the slot's label.
//!
//! Implemented: [`file`](FileStore), a PKCS#8 PEM file, encrypted or not, and [`pkcs12`](Pkcs12Store), a PKCS#12 file.
//! All calls block, as those of [`crate::files`] do.

pub mod file;
pub mod pkcs12;
pub mod private_key;

pub use file::FileStore;
pub use pkcs12::Pkcs12Store;
pub use private_key::{KeyError, PrivateKey};

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use koshin_protocol::algorithm::KeyType;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::sign::Signer;

use crate::files::{FileError, Files};

/// The place of one generation's key.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// File access for stores that keep files.
    pub files: &'a dyn Files,
    /// The generation's folder.
    pub folder: &'a Path,
    /// A name for stores that keep names: unique for the identity and the generation.
    pub label: &'a str,
}

/// Makes keys and signs with them.
///
/// Every method is durable when it returns: a power loss after `make_key` finds the key again under the same slot. After an
/// error a key may or may not be there; `signer` tells.
pub trait KeyStore: Send + Sync + fmt::Debug {
    /// The name the wire has for stores of this kind (`keyStore` of an order): `file`, `pkcs12`.
    fn kind(&self) -> &'static str;

    /// Makes a new key in the slot, which has none.
    fn make_key(&self, slot: Slot<'_>, key_type: KeyType)
    -> Result<Arc<dyn Signer>, KeyStoreError>;

    /// The key of the slot, `None` if there is none.
    fn signer(&self, slot: Slot<'_>) -> Result<Option<Arc<dyn Signer>>, KeyStoreError>;

    /// Takes in a key that was made elsewhere.
    fn import_key(&self, slot: Slot<'_>, key: PrivateKey)
    -> Result<Arc<dyn Signer>, KeyStoreError>;

    /// The key itself, for a file that the user asked for. Stores that never let a key go refuse.
    fn export_key(&self, slot: Slot<'_>) -> Result<Option<PrivateKey>, KeyStoreError>;

    /// Puts the certificate and its chain (leaf first) beside the key, where the store keeps certificates too.
    fn attach(&self, slot: Slot<'_>, chain: &[Certificate]) -> Result<(), KeyStoreError>;

    /// Makes durable what is visible. Called for generations that another process may have left in the middle of a call:
    /// what it wrote can be read, and still be lost with the power.
    fn settle(&self, slot: Slot<'_>) -> Result<(), KeyStoreError>;

    /// Removes the key of the slot for good. Only ever called for generations that nobody needs any more; a store that keeps
    /// files only in the slot's folder has nothing to do, the folder goes with everything in it.
    fn remove_key(&self, slot: Slot<'_>) -> Result<(), KeyStoreError>;
}

/// Why a key store cannot do what it should, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Others may read the key.
    #[error(
        "others may read the private key {} (mode {mode:03o}); close it with `chmod 600 {}`",
        path.display(), path.display()
    )]
    Permissions {
        /// The key's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The store is encrypted and no passphrase was given.
    #[error("{} is encrypted; give its passphrase", path.display())]
    PassphraseMissing {
        /// The key's file.
        path: PathBuf,
    },
    /// The passphrase does not open the store.
    #[error("the passphrase does not open {}", path.display())]
    PassphraseWrong {
        /// The key's file.
        path: PathBuf,
    },
    /// What the store holds is no key.
    #[error("{}: {source}", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// What the store holds cannot be read at all.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// The key's file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// This kind of store lets no key go.
    #[error("a key store of kind {kind} gives no key away")]
    CannotExport {
        /// The store's kind.
        kind: &'static str,
    },
    /// This kind of store makes its keys itself.
    #[error("a key store of kind {kind} takes no keys from outside; choose `file` or `pkcs12`")]
    CannotImport {
        /// The store's kind.
        kind: &'static str,
    },
}

/// The content of a key file, `None` if it is not there; refused if others may read it.
fn read_key_file(
    slot: Slot<'_>,
    name: &str,
) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, KeyStoreError> {
    let path = slot.folder.join(name);
    let mode = match slot.files.permissions(&path).map_err(FileError::of("look at", &path)) {
        Ok(mode) => mode,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if mode & 0o077 != 0 {
        return Err(KeyStoreError::Permissions { path, mode });
    }
    let content = slot.files.read(&path).map_err(FileError::of("read", &path))?;
    Ok(Some(zeroize::Zeroizing::new(content)))
}

/// Writes a key file; durable when it returns.
fn put_key_file(slot: Slot<'_>, name: &str, content: &[u8]) -> Result<(), KeyStoreError> {
    use crate::files::{Access, durable};
    let entry = durable::Entry { name, content, access: Access::Private };
    Ok(durable::put(slot.files, slot.folder, &[entry])?)
}

/// Writes the content of a key file once more, under the same name: a new file, since a sync that another process saw fail
/// cannot be repeated.
fn settle_key_file(slot: Slot<'_>, name: &str) -> Result<(), KeyStoreError> {
    match read_key_file(slot, name)? {
        Some(content) => put_key_file(slot, name, &content),
        None => Ok(()),
    }
}
