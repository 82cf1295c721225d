//! Keys and certificates in files: written whole or not at all, keys readable by their owner alone.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use der::{Decode, SecretDocument};
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::sign::AwsLcKey;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef};
use zeroize::Zeroizing;

/// The passphrase that encrypts key files. It does not print.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes the first line of the file at `path`, which only its owner may read.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = read_secret(path)?;
        Self::new(text.lines().next().unwrap_or_default())
            .ok_or_else(|| FileError::new(path, Fault::NoPassphrase))
    }

    /// Takes a passphrase, unless it is empty.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// A file of keys or certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("exists already; keys are never overwritten")]
    Exists,
    #[error("others than its owner may read it; run chmod 600")]
    Readable,
    #[error("the passphrase is empty")]
    NoPassphrase,
    #[error("the key is encrypted, and no passphrase file is configured")]
    Encrypted,
    #[error("the passphrase is not this key's")]
    WrongPassphrase,
    #[error("not a P-256 private key in PKCS#8 PEM")]
    NotAKey,
    #[error("not a certificate in PEM")]
    NotACertificate,
    #[error("{0}")]
    Mismatch(&'static str),
    #[error("the key cannot be encrypted: the system has no randomness or memory")]
    NoRandomness,
}

impl FileError {
    pub(super) fn new(path: &Path, fault: impl Into<Fault>) -> Self {
        Self { path: path.to_owned(), fault: fault.into() }
    }
}

/// A folder that appears under its name only once everything in it is on disk.
pub(super) struct NewFolder {
    path: PathBuf,
    temporary: PathBuf,
}

impl NewFolder {
    pub(super) fn create(path: &Path) -> Result<Self, FileError> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(FileError::new(path, Fault::Exists));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let temporary = path.with_file_name(name);
        let failed = |error: io::Error| FileError::new(&temporary, error);
        // Left by an attempt that was interrupted: nothing in it was ever used.
        if fs::symlink_metadata(&temporary).is_ok() {
            fs::remove_dir_all(&temporary).map_err(failed)?;
        }
        DirBuilder::new().mode(0o700).create(&temporary).map_err(failed)?;
        Ok(Self { path: path.to_owned(), temporary })
    }

    /// Adds a file that everybody may read.
    pub(super) fn add(&self, name: &str, content: &[u8]) -> Result<(), FileError> {
        self.write(name, content, 0o644)
    }

    /// Adds a private key, encrypted if there is a passphrase.
    pub(super) fn add_key(
        &self,
        name: &str,
        pkcs8: &[u8],
        passphrase: Option<&Passphrase>,
    ) -> Result<(), FileError> {
        let pem = seal(pkcs8, passphrase)
            .map_err(|fault| FileError::new(&self.path.join(name), fault))?;
        self.write(name, pem.as_bytes(), 0o600)
    }

    pub(super) fn finish(self) -> Result<(), FileError> {
        let done = sync_folder(&self.temporary)
            .and_then(|()| fs::rename(&self.temporary, &self.path))
            .and_then(|()| {
                sync_folder(
                    self.path
                        .parent()
                        .filter(|above| *above != Path::new(""))
                        .unwrap_or(Path::new(".")),
                )
            });
        done.map_err(|error| FileError::new(&self.path, error))
    }

    fn write(&self, name: &str, content: &[u8], mode: u32) -> Result<(), FileError> {
        let path = self.temporary.join(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
        written.map_err(|error| FileError::new(&path, error))
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn seal(pkcs8: &[u8], passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, Fault> {
    let (label, document) = match passphrase {
        Some(passphrase) => {
            let key = PrivateKeyInfoRef::from_der(pkcs8).map_err(|_| Fault::NotAKey)?;
            let sealed = key.encrypt(passphrase.0.as_bytes()).map_err(|_| Fault::NoRandomness)?;
            ("ENCRYPTED PRIVATE KEY", sealed)
        }
        None => ("PRIVATE KEY", SecretDocument::try_from(pkcs8).map_err(|_| Fault::NotAKey)?),
    };
    document.to_pem(label, LineEnding::LF).map_err(|_| Fault::NotAKey)
}

/// Reads the P-256 key at `path`, which only its owner may read.
pub(super) fn read_key(
    path: &Path,
    passphrase: Option<&Passphrase>,
) -> Result<AwsLcKey, FileError> {
    let pem = read_secret(path)?;
    open(&pem, passphrase).map_err(|fault| FileError::new(path, fault))
}

fn open(pem: &str, passphrase: Option<&Passphrase>) -> Result<AwsLcKey, Fault> {
    let (label, document) = SecretDocument::from_pem(pem).map_err(|_| Fault::NotAKey)?;
    let document = match (label, passphrase) {
        ("PRIVATE KEY", _) => document,
        ("ENCRYPTED PRIVATE KEY", None) => return Err(Fault::Encrypted),
        ("ENCRYPTED PRIVATE KEY", Some(passphrase)) => {
            let sealed = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes())
                .map_err(|_| Fault::NotAKey)?;
            sealed.decrypt(passphrase.0.as_bytes()).map_err(|_| Fault::WrongPassphrase)?
        }
        (_, _) => return Err(Fault::NotAKey),
    };
    AwsLcKey::from_pkcs8_der(Algorithm::Es256, document.as_bytes()).map_err(|_| Fault::NotAKey)
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let failed = |error: io::Error| FileError::new(path, error);
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
        return Err(FileError::new(path, Fault::Readable));
    }
    let mut text = Zeroizing::new(String::new());
    io::Read::read_to_string(&mut file, &mut text).map_err(failed)?;
    Ok(text)
}

/// Reads the certificate in PEM at `path`.
pub(super) fn read_certificate(path: &Path) -> Result<Certificate, FileError> {
    let pem = read(path)?;
    let certificate = der::pem::decode_vec(&pem)
        .ok()
        .filter(|(label, _)| *label == "CERTIFICATE")
        .and_then(|(_, der)| Certificate::from_der(&der).ok());
    certificate.ok_or_else(|| FileError::new(path, Fault::NotACertificate))
}

/// Reads a file of no secrecy.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|error| FileError::new(path, error))
}

/// A certificate in PEM.
pub(super) fn certificate_pem(certificate: &Certificate) -> String {
    der::pem::encode_string("CERTIFICATE", LineEnding::LF, certificate.der())
        .expect("a certificate is shorter than PEM allows")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use koshin_protocol::sign::{Es256Key, Signer};

    use super::*;

    fn key() -> Es256Key {
        Es256Key::from_random(&[7; 48])
    }

    fn folder_with_key(above: &Path, passphrase: Option<&Passphrase>) -> PathBuf {
        let folder = NewFolder::create(&above.join("ca")).unwrap();
        folder.add_key("a.key", &key().to_pkcs8_der(), passphrase).unwrap();
        folder.finish().unwrap();
        above.join("ca/a.key")
    }

    #[test]
    fn a_key_is_read_back_and_only_its_owner_may_read_it() {
        let above = tempfile::tempdir().unwrap();
        let path = folder_with_key(above.path(), None);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(read_key(&path, None).unwrap().public_key(), key().public_key());
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(read_key(&path, None).unwrap_err().to_string().ends_with("run chmod 600"));
    }

    #[test]
    fn an_encrypted_key_opens_with_its_passphrase_alone() {
        let above = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new("correct horse").unwrap();
        let path = folder_with_key(above.path(), Some(&passphrase));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{text}");
        assert_eq!(read_key(&path, Some(&passphrase)).unwrap().public_key(), key().public_key());
        let refused = |passphrase| read_key(&path, passphrase).unwrap_err().fault;
        assert!(matches!(refused(None), Fault::Encrypted));
        assert!(matches!(refused(Passphrase::new("wrong").as_ref()), Fault::WrongPassphrase));
    }

    #[test]
    fn a_passphrase_is_the_first_line_of_a_file_of_its_owner() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("passphrase");
        fs::write(&path, "correct horse\nsecond line\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Passphrase::read(&path).unwrap_err().fault, Fault::Readable));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(*Passphrase::read(&path).unwrap().0, "correct horse");
        fs::write(&path, "\n").unwrap();
        assert!(matches!(Passphrase::read(&path).unwrap_err().fault, Fault::NoPassphrase));
    }

    #[test]
    fn a_folder_is_whole_or_absent_and_never_overwritten() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("ca");
        let interrupted = NewFolder::create(&path).unwrap();
        interrupted.add("a", b"one").unwrap();
        drop(interrupted);
        assert!(!path.exists());
        let folder = NewFolder::create(&path).unwrap();
        folder.add("b", b"two").unwrap();
        folder.finish().unwrap();
        assert!(!path.join("a").exists());
        assert_eq!(fs::read(path.join("b")).unwrap(), b"two");
        assert!(matches!(NewFolder::create(&path).err().unwrap().fault, Fault::Exists));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for pem in ["", "key", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"] {
            assert!(matches!(open(pem, None), Err(Fault::NotAKey)), "{pem}");
        }
    }
}
