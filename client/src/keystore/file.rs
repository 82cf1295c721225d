//! The key store `file`: `key.pem`, PKCS#8 (RFC 5958), encrypted with a passphrase or not, readable by its owner alone.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use der::Decode;
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::sign::Signer;
use pkcs8::pkcs5::pbes2;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{
    KeyError, KeyStore, KeyStoreError, PrivateKey, Slot, put_key_file, read_key_file,
    settle_key_file,
};
use crate::pem;

/// The key's name in a generation's folder.
pub const KEY_FILE: &str = "key.pem";

/// Rounds of PBKDF2 that a guess of the passphrase costs (OWASP's figure for HMAC-SHA-256).
const ROUNDS: u32 = 600_000;

/// Keys as PKCS#8 PEM files. With a passphrase they are encrypted (PBES2, PBKDF2 with HMAC-SHA-256, AES-256-CBC), which
/// OpenSSL reads.
pub struct FileStore {
    passphrase: Option<SecretString>,
}

impl FileStore {
    /// Keys in clear, protected by the file's permissions alone. Existing encrypted ones cannot be read.
    pub fn plain() -> Self {
        Self { passphrase: None }
    }

    /// New keys are encrypted; existing ones may be or not.
    pub fn encrypted(passphrase: SecretString) -> Self {
        Self { passphrase: Some(passphrase) }
    }

    fn write(&self, slot: Slot<'_>, key: &PrivateKey) -> Result<(), KeyStoreError> {
        let text = match &self.passphrase {
            None => pem::write("PRIVATE KEY", key.pkcs8_der()),
            Some(passphrase) => {
                let der = encrypt(key, passphrase, ROUNDS).map_err(|source| {
                    KeyStoreError::Key { path: slot.folder.join(KEY_FILE), source }
                })?;
                pem::write("ENCRYPTED PRIVATE KEY", &der)
            }
        };
        put_key_file(slot, KEY_FILE, text.as_bytes())
    }

    fn read(&self, path: PathBuf, content: &[u8]) -> Result<PrivateKey, KeyStoreError> {
        let damaged =
            |detail: &str| KeyStoreError::Damaged { path: path.clone(), detail: detail.to_owned() };
        let sections = pem::sections(content).map_err(|error| damaged(&error.to_string()))?;
        let [section] = sections.as_slice() else {
            return Err(damaged("it holds not exactly one section"));
        };
        let der = match section.label.as_str() {
            "PRIVATE KEY" => Zeroizing::new(section.der.to_vec()),
            "ENCRYPTED PRIVATE KEY" => {
                let Some(passphrase) = &self.passphrase else {
                    return Err(KeyStoreError::PassphraseMissing { path });
                };
                match decrypt(&section.der, passphrase) {
                    Ok(der) => der,
                    Err(Decrypt::Unsupported) => {
                        return Err(damaged("its encryption is not supported"));
                    }
                    Err(Decrypt::Wrong) => return Err(KeyStoreError::PassphraseWrong { path }),
                }
            }
            other => return Err(damaged(&format!("a {other} is not a PKCS#8 key"))),
        };
        PrivateKey::from_pkcs8_der(&der).map_err(|source| KeyStoreError::Key { path, source })
    }
}

impl KeyStore for FileStore {
    fn kind(&self) -> &'static str {
        "file"
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
        self.read(slot.folder.join(KEY_FILE), &content).map(Some)
    }

    fn import_key(
        &self,
        slot: Slot<'_>,
        key: PrivateKey,
    ) -> Result<Arc<dyn Signer>, KeyStoreError> {
        self.write(slot, &key)?;
        Ok(Arc::new(key))
    }

    fn attach(&self, _: Slot<'_>, _: &[Certificate]) -> Result<(), KeyStoreError> {
        // The generation's own `certificate.pem` stands beside the key already.
        Ok(())
    }

    fn settle(&self, slot: Slot<'_>) -> Result<(), KeyStoreError> {
        settle_key_file(slot, KEY_FILE)
    }

    fn remove_key(&self, _: Slot<'_>) -> Result<(), KeyStoreError> {
        Ok(())
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("encrypted", &self.passphrase.is_some()).finish()
    }
}

/// Why an encrypted key stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decrypt {
    /// An algorithm that is not here.
    Unsupported,
    /// Not this passphrase, as far as can be told.
    Wrong,
}

/// Opens a PKCS#8 `EncryptedPrivateKeyInfo` (RFC 5958, 3) of PBES2: AES or 3DES, PBKDF2 or scrypt.
pub(crate) fn decrypt(
    der: &[u8],
    passphrase: &SecretString,
) -> Result<Zeroizing<Vec<u8>>, Decrypt> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|_| Decrypt::Unsupported)?;
    let scheme = info.encryption_algorithm.pbes2().ok_or(Decrypt::Unsupported)?;
    if !affordable(&scheme.kdf) {
        return Err(Decrypt::Unsupported);
    }
    match info
        .encryption_algorithm
        .decrypt(passphrase.expose_secret(), info.encrypted_data.as_bytes())
    {
        Ok(plain) => {
            let plain = Zeroizing::new(plain);
            // A wrong passphrase gives good padding once in 256 times, and rubbish within.
            match PrivateKeyInfoRef::try_from(plain.as_slice()) {
                Ok(_) => Ok(plain),
                Err(_) => Err(Decrypt::Wrong),
            }
        }
        Err(pkcs8::pkcs5::Error::DecryptFailed) => Err(Decrypt::Wrong),
        Err(_) => Err(Decrypt::Unsupported),
    }
}

/// The work and memory that a file may demand before its passphrase is known to be right.
fn affordable(kdf: &pbes2::Kdf) -> bool {
    match kdf {
        pbes2::Kdf::Pbkdf2(parameters) => parameters.iteration_count <= 10_000_000,
        pbes2::Kdf::Scrypt(parameters) => {
            let memory = parameters.cost_parameter.saturating_mul(u64::from(parameters.block_size));
            memory.saturating_mul(128) <= 1 << 30 && parameters.parallelization <= 16
        }
        _ => false,
    }
}

fn encrypt(
    key: &PrivateKey,
    passphrase: &SecretString,
    rounds: u32,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    getrandom::fill(&mut salt).map_err(|_| KeyError::NoRandomness)?;
    getrandom::fill(&mut iv).map_err(|_| KeyError::NoRandomness)?;
    let scheme = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(rounds, &salt, iv);
    let scheme = scheme.expect("salt and rounds are constants within the limits of RFC 8018");
    let info = PrivateKeyInfoRef::try_from(key.pkcs8_der()).map_err(|_| KeyError::Malformed)?;
    let document = info.encrypt_with_params(scheme, passphrase.expose_secret());
    Ok(document.map_err(|_| KeyError::Malformed)?.to_bytes())
}
