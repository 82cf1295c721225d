//! Whence the agent has an identity's PIN and the passphrase of its keys: files of the configuration, else credentials
//! that the service manager handed over (systemd's `LoadCredential=`).

use std::env;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use koshin_protocol::pin::Pin;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::config::OfIdentity;
use crate::cli::home::IdentityName;

/// Credentials for one identity are named so, with `.NAME`; without, they are for the only identity.
const PIN: &str = "koshin-pin";
const KEY_PASSPHRASE: &str = "koshin-key-passphrase";

/// No secret is longer.
const LIMIT: u64 = 4096;

/// A secret's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretFile {
    path: PathBuf,
    /// Whether the service manager made it, which guards it in its own way.
    is_credential: bool,
}

/// A file that gives no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("others may read {}; close it with `chmod 600 {}`", path.display(), path.display())]
    Open {
        /// Which.
        path: PathBuf,
    },
}

/// The file with the PIN, if there is one.
pub(crate) fn pin(name: &IdentityName, of: &OfIdentity, is_only: bool) -> Option<SecretFile> {
    find(of.pin_file.as_deref(), PIN, name, is_only)
}

/// The file with the passphrase, if there is one.
pub(crate) fn passphrase(
    name: &IdentityName,
    of: &OfIdentity,
    is_only: bool,
) -> Option<SecretFile> {
    find(of.key_passphrase_file.as_deref(), KEY_PASSPHRASE, name, is_only)
}

fn find(
    configured: Option<&Path>,
    kind: &str,
    name: &IdentityName,
    is_only: bool,
) -> Option<SecretFile> {
    if let Some(path) = configured {
        return Some(SecretFile { path: path.to_owned(), is_credential: false });
    }
    let folder = PathBuf::from(env::var_os("CREDENTIALS_DIRECTORY")?);
    let own = folder.join(format!("{kind}.{name}"));
    // One PIN for several people would lock all of them but one.
    let shared = is_only.then(|| folder.join(kind));
    let path = [Some(own), shared].into_iter().flatten().find(|path| path.exists())?;
    Some(SecretFile { path, is_credential: true })
}

impl SecretFile {
    /// Says whether the file is the same as before, without saying anything of its content.
    pub(crate) fn stamp(&self) -> Option<String> {
        let stamp = |file: Metadata| format!("{}.{:09}", file.mtime(), file.mtime_nsec());
        fs::metadata(&self.path).ok().map(stamp)
    }

    /// The PIN in it: its first line.
    pub(crate) fn read_pin(&self) -> Result<Option<Pin>, SecretError> {
        let line = self.first_line()?;
        Ok(Some(String::clone(&line)).filter(|line| !line.is_empty()).map(Pin::new))
    }

    /// The passphrase in it: its first line.
    pub(crate) fn read_passphrase(&self) -> Result<SecretString, SecretError> {
        Ok(SecretString::from(String::clone(&*self.first_line()?)))
    }

    fn first_line(&self) -> Result<Zeroizing<String>, SecretError> {
        let failed = |source| SecretError::File { path: self.path.clone(), source };
        let file = fs::metadata(&self.path).map_err(failed)?;
        if file.len() > LIMIT {
            return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
        }
        if !self.is_credential && file.mode() & 0o077 != 0 {
            return Err(SecretError::Open { path: self.path.clone() });
        }
        let text = Zeroizing::new(fs::read_to_string(&self.path).map_err(failed)?);
        Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, SecretFile) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pin");
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        (folder, SecretFile { path, is_credential: false })
    }

    #[test]
    fn a_secret_is_the_first_line_of_a_file_that_others_cannot_read() {
        let (_folder, secret) = file("hidden\nrest\n", 0o600);
        assert_eq!(secret.read_passphrase().expect("read").expose_secret(), "hidden");
        let (_folder, secret) = file("hidden", 0o640);
        assert!(matches!(secret.read_pin(), Err(SecretError::Open { .. })));
        let (_folder, secret) = file("\n", 0o600);
        assert!(secret.read_pin().expect("read").is_none());
    }

    #[test]
    fn a_stamp_is_another_once_the_file_was_written_again() {
        let (_folder, secret) = file("1111", 0o600);
        let before = secret.stamp();
        fs::File::options()
            .write(true)
            .open(&secret.path)
            .and_then(|file| {
                file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(7))
            })
            .expect("set");
        assert!(before.is_some() && before != secret.stamp());
    }
}
