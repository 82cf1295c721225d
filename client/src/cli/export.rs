//! `export`

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use koshin_client::Error;
use koshin_client::identity::{Identity, Pair};
use koshin_client::pem;
use koshin_protocol::cert_id::CertId;
use serde_json::json;
use zeroize::Zeroizing;

use super::context::Context;
use super::failure::Failure;
use super::say::Say;
use super::secret::{self, FilePassphrase, KeyPassphrase};

const LONG: &str = "\
Writes the certificate in use with its key to a new file, for a browser or another program: PKCS#12
under a passphrase, or PEM, whose key is in clear. Only you may read the file.

Examples:
  koshin export hanako.p12
  koshin export hanako.pem
  koshin export certificate.pem --certificates-only";

/// Write the certificate and its key to a file
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Export {
    /// The new file
    file: PathBuf,
    /// Form of the file [default: pkcs12 for .p12 and .pfx, else pem]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Which certificate, as `list` names it [default: the one in use]
    #[arg(long, value_name = "CERTIFICATE", allow_hyphen_values = true)]
    certificate: Option<CertId>,
    /// Leave the key out
    #[arg(long)]
    certificates_only: bool,
    #[command(flatten)]
    passphrase: FilePassphrase,
    #[command(flatten)]
    keys: KeyPassphrase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// PEM sections
    Pem,
    /// A PKCS#12 file
    Pkcs12,
}

impl Export {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let format = self.format.unwrap_or_else(|| of_name(&self.file));
        if self.certificates_only && format == Format::Pkcs12 {
            return Err(Failure::usage(Say::CertificatesAreInPem));
        }
        if self.file.exists() {
            return Err(Failure::input(&self.file, io::Error::from(io::ErrorKind::AlreadyExists)));
        }
        let identity = context.open(&self.keys)?;
        let pair = self.pair(&identity)?;
        let written = match format {
            Format::Pem => self.pem(&identity, &pair)?,
            Format::Pkcs12 => {
                let passphrase = match self.passphrase.given()? {
                    Some(given) => given,
                    None if context.output.is_attended() => {
                        secret::typed_twice(&context.output, &Say::AskNewFilePassphrase)?
                    }
                    None => return Err(Failure::usage(Say::FilePassphraseNeeded)),
                };
                identity.export(&pair, &passphrase)?
            }
        };
        write_new(&self.file, &written).map_err(|error| Failure::input(&self.file, error))?;
        let certificate = CertId::of(&pair.certificate);
        let value = json!({
            "certID": certificate,
            "file": self.file.display().to_string(),
            "hasKey": !self.certificates_only,
        });
        let say = Say::Exported {
            file: self.file.clone(),
            subject: pair.certificate.subject().to_string(),
            has_clear_key: format == Format::Pem && !self.certificates_only,
        };
        context.output.result(context.command(), "exported", value, &say);
        Ok(())
    }

    fn pair(&self, identity: &Identity) -> Result<Pair, Failure> {
        let pair = match &self.certificate {
            Some(wanted) => identity.pair(wanted)?,
            None => identity.current()?,
        };
        let missing = || self.certificate.clone().map_or(Error::NoPair, Error::NoSuchPair);
        Ok(pair.ok_or_else(missing)?)
    }

    fn pem(&self, identity: &Identity, pair: &Pair) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut content = Zeroizing::new(Vec::new());
        if !self.certificates_only {
            let key = identity.export_key(pair)?;
            content.extend(pem::write("PRIVATE KEY", key.pkcs8_der()).as_bytes());
        }
        for certificate in std::iter::once(&pair.certificate).chain(&pair.issuers) {
            content.extend(pem::write("CERTIFICATE", certificate.der()).as_bytes());
        }
        Ok(content)
    }
}

fn of_name(file: &Path) -> Format {
    let extension = file.extension().unwrap_or_default().to_ascii_lowercase();
    if extension == "p12" || extension == "pfx" { Format::Pkcs12 } else { Format::Pem }
}

/// Writes a file that does not exist yet, for its owner alone.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
