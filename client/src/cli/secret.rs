//! PINs and passphrases: typed in without echo, from a file, a descriptor, or a credential of the service manager; never
//! from the command line, which everybody on the machine can read.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use clap::Args;
use koshin_protocol::pin::Pin;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::output::Output;
use super::say::Say;

/// No secret is longer.
const LIMIT: usize = 4096;

/// Where the PIN comes from.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "PIN")]
pub(crate) struct PinSource {
    /// Read the PIN (利用者暗証番号) from this open file descriptor
    #[arg(long, value_name = "N", conflicts_with = "pin_file")]
    pin_fd: Option<u32>,
    /// Read the PIN from the first line of this file, which only its owner may read. Without either: from the
    /// service manager's credential koshin-pin, else from `KOSHIN_PIN`, else typed in
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

impl PinSource {
    /// The PIN, where it does not have to be asked for.
    pub(crate) fn find(&self) -> Result<Option<Pin>, Failure> {
        let found = match (&self.pin_fd, &self.pin_file) {
            (Some(number), _) => Some(of_descriptor(*number)?),
            (None, Some(path)) => Some(of_file(path)?),
            (None, None) => credential("koshin-pin")?,
        };
        let found = found.or_else(|| env::var("KOSHIN_PIN").ok().map(Zeroizing::new));
        Ok(found.filter(|text| !text.is_empty()).map(|text| Pin::new(String::clone(&text))))
    }
}

/// Where the passphrase of the key store comes from.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Key store")]
pub(crate) struct KeyPassphrase {
    /// Read the passphrase of the key store from this open file descriptor
    #[arg(long, value_name = "N", conflicts_with = "key_passphrase_file")]
    key_passphrase_fd: Option<u32>,
    /// Read it from the first line of this file, which only its owner may read. Without either: from the service
    /// manager's credential koshin-key-passphrase, else typed in
    #[arg(long, value_name = "FILE")]
    key_passphrase_file: Option<PathBuf>,
}

impl KeyPassphrase {
    /// The passphrase, if there is one; asked for where it is needed and somebody is there.
    pub(crate) fn find(
        &self,
        output: &Output,
        is_needed: bool,
    ) -> Result<Option<SecretString>, Failure> {
        if let Some(given) = self.given()? {
            return Ok(Some(given));
        }
        if !is_needed {
            return Ok(None);
        }
        if !output.is_attended() {
            return Err(Failure::usage(Say::KeyPassphraseNeeded));
        }
        Ok(Some(secret(&typed(output, &Say::AskKeyPassphrase)?)))
    }

    /// The passphrase of a new key store: typed in twice where nothing else gives it.
    pub(crate) fn choose(&self, output: &Output) -> Result<SecretString, Failure> {
        if let Some(given) = self.given()? {
            return Ok(given);
        }
        if !output.is_attended() {
            return Err(Failure::usage(Say::KeyPassphraseNeeded));
        }
        typed_twice(output, &Say::AskNewKeyPassphrase)
    }

    /// The passphrase that does not have to be asked for.
    pub(crate) fn given(&self) -> Result<Option<SecretString>, Failure> {
        let found = match (&self.key_passphrase_fd, &self.key_passphrase_file) {
            (Some(number), _) => Some(of_descriptor(*number)?),
            (None, Some(path)) => Some(of_file(path)?),
            (None, None) => credential("koshin-key-passphrase")?,
        };
        Ok(found.map(|text| secret(&text)))
    }
}

/// Where the passphrase of a file that goes in or out comes from.
#[derive(Debug, Args)]
#[command(next_help_heading = "File")]
pub(crate) struct FilePassphrase {
    /// Read the passphrase of the file from this open file descriptor
    #[arg(long, value_name = "N", conflicts_with = "passphrase_file")]
    passphrase_fd: Option<u32>,
    /// Read it from the first line of this file, which only its owner may read. Without either it is typed in
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl FilePassphrase {
    /// The passphrase, if one was given.
    pub(crate) fn given(&self) -> Result<Option<SecretString>, Failure> {
        let found = match (&self.passphrase_fd, &self.passphrase_file) {
            (Some(number), _) => Some(of_descriptor(*number)?),
            (None, Some(path)) => Some(of_file(path)?),
            (None, None) => None,
        };
        Ok(found.map(|text| secret(&text)))
    }
}

/// Asks for a secret without echoing it.
pub(crate) fn typed(output: &Output, question: &Say) -> Result<Zeroizing<String>, Failure> {
    output.rest();
    let question = output.tongue().say(question);
    Ok(Zeroizing::new(rpassword::prompt_password(question)?))
}

/// Asks for a new secret, until it was typed twice alike.
pub(crate) fn typed_twice(output: &Output, question: &Say) -> Result<SecretString, Failure> {
    loop {
        let first = typed(output, question)?;
        if first.is_empty() {
            output.note(&Say::EmptyPassphrase);
        } else if *first == *typed(output, &Say::AskAgain)? {
            return Ok(secret(&first));
        } else {
            output.note(&Say::TypedDifferently);
        }
    }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

/// The first line of what a descriptor has to give.
fn of_descriptor(number: u32) -> Result<Zeroizing<String>, Failure> {
    let path = PathBuf::from(format!("/dev/fd/{number}"));
    first_line(&path)
}

/// The first line of a file that only its owner may read.
fn of_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let metadata = path.metadata().map_err(|source| Failure::input(path, source))?;
    let is_pipe = metadata.file_type().is_fifo() || metadata.file_type().is_char_device();
    if !is_pipe && metadata.mode() & 0o077 != 0 {
        return Err(Failure::usage(Say::OthersCanRead { path: path.to_owned() }));
    }
    first_line(path)
}

/// A credential that the service manager handed over (systemd's `LoadCredential=`).
fn credential(name: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(folder) = env::var_os("CREDENTIALS_DIRECTORY") else { return Ok(None) };
    let path = Path::new(&folder).join(name);
    if path.exists() { first_line(&path).map(Some) } else { Ok(None) }
}

fn first_line(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |source: io::Error| Failure::input(path, source);
    // In one piece: a text that grows leaves copies behind, which nobody wipes (SEC-02).
    let mut text = Zeroizing::new(String::with_capacity(LIMIT));
    File::open(path)
        .map_err(failed)?
        .take(LIMIT as u64)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
