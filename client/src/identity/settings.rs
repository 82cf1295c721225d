//! `identity.toml`: what an identity was set up with.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use koshin_protocol::certificate::Certificate;
use koshin_protocol::url::Url;
use serde::{Deserialize, Serialize};

use super::IdentityError;
use crate::files::durable::{self, Entry};
use crate::files::{Access, FileError, Files};
use crate::pem;

/// The file's name in the identity's folder.
const FILE: &str = "identity.toml";

/// Where roots for TLS are, unless the settings name another place.
const TLS_TRUST: &str = "tls-trust.pem";

/// What an identity was set up with; people may edit the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// What the user calls it.
    pub name: String,
    /// The bank's directory; requests go only below it.
    pub directory: Url,
    /// The kind of the key store: `file`, `pkcs12`.
    pub key_store: String,
    /// A PEM file with the roots that certificates of the bank and its receipts are checked against.
    /// A relative path begins in the identity's folder.
    pub trust: PathBuf,
    /// A PEM file with the roots for the TLS connection, in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_trust: Option<PathBuf>,
    /// If not empty: SHA-256 of public keys (SPKI, base64url) of which the bank's TLS chain must have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tls_pins: Vec<String>,
}

impl Settings {
    /// Reads the settings of the identity in a folder.
    pub fn read(files: &dyn Files, folder: &Path) -> Result<Self, IdentityError> {
        let path = folder.join(FILE);
        let content = files.read(&path).map_err(FileError::of("read", &path))?;
        let text = String::from_utf8_lossy(&content);
        toml::from_str(&text)
            .map_err(|error| IdentityError::Settings { path, detail: error.to_string() })
    }

    /// Writes them; durable when it returns.
    pub fn put(&self, files: &dyn Files, folder: &Path) -> Result<(), IdentityError> {
        let text = toml::to_string_pretty(self).map_err(|error| IdentityError::Settings {
            path: folder.join(FILE),
            detail: error.to_string(),
        })?;
        let entry = Entry { name: FILE, content: text.as_bytes(), access: Access::Private };
        Ok(durable::put(files, folder, &[entry])?)
    }

    /// Writes the roots for TLS where the settings say, which say so from now on; durable when it returns.
    pub fn put_tls_anchors(
        &mut self,
        files: &dyn Files,
        folder: &Path,
        roots: &[Certificate],
    ) -> Result<(), IdentityError> {
        if let Some(path) = &self.tls_trust {
            return put_certificates(files, &folder.join(path), roots);
        }
        put_certificates(files, &folder.join(TLS_TRUST), roots)?;
        self.tls_trust = Some(TLS_TRUST.into());
        self.put(files, folder)
    }

    /// The roots of `trust`.
    pub fn anchors(
        &self,
        files: &dyn Files,
        folder: &Path,
    ) -> Result<Vec<Certificate>, IdentityError> {
        certificates(files, &folder.join(&self.trust))
    }

    /// The roots of `tls_trust`; none if it is not set.
    pub fn tls_anchors(
        &self,
        files: &dyn Files,
        folder: &Path,
    ) -> Result<Vec<Certificate>, IdentityError> {
        match &self.tls_trust {
            Some(path) => certificates(files, &folder.join(path)),
            None => Ok(Vec::new()),
        }
    }
}

/// All certificates of a PEM file; at least one.
fn certificates(files: &dyn Files, path: &Path) -> Result<Vec<Certificate>, IdentityError> {
    let content = files.read(path).map_err(FileError::of("read", path))?;
    let found = parse_certificates(&content);
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(damaged(path, "there is no certificate in it")),
        Err(detail) => Err(damaged(path, &detail)),
    }
}

/// Writes a PEM file with certificates; durable when it returns.
pub(super) fn put_certificates(
    files: &dyn Files,
    path: &Path,
    certificates: &[Certificate],
) -> Result<(), IdentityError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str))
    else {
        return Err(damaged(path, "this is no name of a file"));
    };
    let sections = certificates.iter().map(|one| pem::write("CERTIFICATE", one.der()));
    let content = sections.map(|section| section.to_string()).collect::<String>();
    let entry = Entry { name, content: content.as_bytes(), access: Access::Public };
    Ok(durable::put(files, folder, &[entry])?)
}

/// The certificates of a PEM file, in its order.
pub(super) fn parse_certificates(content: &[u8]) -> Result<Vec<Certificate>, String> {
    let sections = pem::sections(content).map_err(|error| error.to_string())?;
    sections
        .iter()
        .filter(|section| section.label == "CERTIFICATE")
        .map(|section| Certificate::from_der(&section.der).map_err(|error| error.to_string()))
        .collect()
}

fn damaged(path: &Path, detail: &str) -> IdentityError {
    IdentityError::Damaged { path: path.to_owned(), detail: detail.to_owned() }
}
