//! The key store `pkcs12`: `key.p12`, one PKCS#12 file (RFC 7292) with the key and, once they are there, its certificates.
//!
//! Written with AES-256-CBC, PBKDF2 and HMAC-SHA-256: OpenSSL 3, NSS (`pk12util`), Java and current Windows read it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use koshin_protocol::algorithm::KeyType;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::sign::Signer;
use p12_keystore::{
    EncryptionAlgorithm, KeyStoreEntry, MacAlgorithm, Pkcs12Archive, PrivateKeyChain,
};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{
    KeyStore, KeyStoreError, PrivateKey, Slot, put_key_file, read_key_file, settle_key_file,
};

/// The file's name in a generation's folder.
pub const KEY_FILE: &str = "key.p12";

/// Rounds of the key derivations that a guess of the passphrase costs, as NSS writes them.
const ROUNDS: u32 = 600_000;

/// Keys as PKCS#12 files under one passphrase.
pub struct Pkcs12Store {
    passphrase: SecretString,
}

impl Pkcs12Store {
    /// A store whose files all have this passphrase.
    pub fn new(passphrase: SecretString) -> Self {
        Self { passphrase }
    }

    fn write(
        &self,
        slot: Slot<'_>,
        key: &PrivateKey,
        chain: &[Certificate],
    ) -> Result<(), KeyStoreError> {
        let content = write(key, chain, slot.label, &self.passphrase)
            .map_err(|error| damaged(&slot.folder.join(KEY_FILE), &error))?;
        put_key_file(slot, KEY_FILE, &content)
    }
}

impl KeyStore for Pkcs12Store {
    fn kind(&self) -> &'static str {
        "pkcs12"
    }

    fn make_key(
        &self,
        slot: Slot<'_>,
        key_type: KeyType,
    ) -> Result<Arc<dyn Signer>, KeyStoreError> {
        let key = PrivateKey::generate(key_type)
            .map_err(|source| KeyStoreError::Key { path: slot.folder.join(KEY_FILE), source })?;
        self.import_key(slot, key)
    }

    fn signer(&self, slot: Slot<'_>) -> Result<Option<Arc<dyn Signer>>, KeyStoreError> {
        Ok(self.export_key(slot)?.map(|key| Arc::new(key) as Arc<dyn Signer>))
    }

    fn export_key(&self, slot: Slot<'_>) -> Result<Option<PrivateKey>, KeyStoreError> {
        let Some(content) = read_key_file(slot, KEY_FILE)? else { return Ok(None) };
        let path = slot.folder.join(KEY_FILE);
        let archive = match Pkcs12Archive::from_pkcs12(&content, self.passphrase.expose_secret()) {
            Ok(archive) => archive,
            Err(p12_keystore::error::Error::MacError(_)) => {
                return Err(KeyStoreError::PassphraseWrong { path });
            }
            Err(error) => return Err(damaged(&path, &error)),
        };
        let [bag] = archive.keys.as_slice() else {
            return Err(damaged(&path, &"it holds not exactly one key"));
        };
        let key = PrivateKey::from_pkcs8_der(bag.key.as_der());
        Ok(Some(key.map_err(|source| KeyStoreError::Key { path, source })?))
    }

    fn import_key(
        &self,
        slot: Slot<'_>,
        key: PrivateKey,
    ) -> Result<Arc<dyn Signer>, KeyStoreError> {
        self.write(slot, &key, &[])?;
        Ok(Arc::new(key))
    }

    fn attach(&self, slot: Slot<'_>, chain: &[Certificate]) -> Result<(), KeyStoreError> {
        match self.export_key(slot)? {
            Some(key) => self.write(slot, &key, chain),
            None => Err(damaged(&slot.folder.join(KEY_FILE), &"the key is gone")),
        }
    }

    fn settle(&self, slot: Slot<'_>) -> Result<(), KeyStoreError> {
        settle_key_file(slot, KEY_FILE)
    }

    fn remove_key(&self, _: Slot<'_>) -> Result<(), KeyStoreError> {
        Ok(())
    }
}

impl fmt::Debug for Pkcs12Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs12Store").finish_non_exhaustive()
    }
}

/// A PKCS#12 file with a key and its chain, leaf first; for stores and for exports.
pub fn write(
    key: &PrivateKey,
    chain: &[Certificate],
    name: &str,
    passphrase: &SecretString,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12WriteError> {
    let failed = |error: p12_keystore::error::Error| Pkcs12WriteError(error.to_string());
    let certificates = chain
        .iter()
        .map(|certificate| p12_keystore::Certificate::from_der(certificate.der()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let private = p12_keystore::PrivateKey::from_der(key.pkcs8_der()).map_err(failed)?;
    // What ties the key to its certificate within the file; any text that is the same on both will do.
    let key_id = key.public_key().thumbprint().to_string();
    let entry = PrivateKeyChain::new(key_id.as_str(), private, certificates);
    let mut store = p12_keystore::KeyStore::new();
    // A friendly name is a BMPString: it has no room for characters beyond U+FFFF.
    let name = name.replace(|c: char| u32::from(c) > 0xffff, "\u{fffd}");
    store.add_entry(&name, KeyStoreEntry::PrivateKeyChain(entry));
    let written = store
        .writer(passphrase.expose_secret())
        .encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)
        .encryption_iterations(ROUNDS)
        .mac_algorithm(MacAlgorithm::HmacSha256)
        .mac_iterations(ROUNDS)
        .write();
    Ok(Zeroizing::new(written.map_err(failed)?))
}

/// A PKCS#12 file could not be made, which no valid key and certificate should cause.
#[derive(Debug, thiserror::Error)]
#[error("the PKCS#12 file cannot be made: {0}")]
pub struct Pkcs12WriteError(String);

fn damaged(path: &Path, detail: &dyn fmt::Display) -> KeyStoreError {
    KeyStoreError::Damaged { path: path.to_owned(), detail: detail.to_string() }
}
