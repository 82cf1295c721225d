//! Backups that nobody reads without an age identity: the format of <https://age-encryption.org/v1>, which the tools
//! `age` and `rage` read and write as well.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::str::FromStr;

use age::armor::ArmoredReader;
use age::x25519;
use age::{Decryptor, Encryptor, IdentityFile};

/// Octets that are encrypted or decrypted at a time: as many as age seals together.
const CHUNK: usize = 64 * 1024;

/// How an encrypted file begins, of whatever version, and as text.
const HEADS: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// Whom a backup is encrypted to: the public key `age1...` of an identity that is kept elsewhere.
#[derive(Clone)]
pub struct Recipient(x25519::Recipient);

/// The private keys of an age identity file. They do not print.
pub struct Identities(Vec<Box<dyn age::Identity>>);

/// A text is no recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no age recipient; one begins with age1, as age-keygen prints it")]
pub struct BadRecipient;

/// A text is no identity file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIdentities {
    /// A line is neither empty, a comment, nor an X25519 identity.
    #[error("{0}; one begins with AGE-SECRET-KEY-1, as age-keygen writes it")]
    Line(String),
    /// No line is an identity.
    #[error("there is no identity in it")]
    None,
}

/// Why a file is not decrypted.
#[derive(Debug, thiserror::Error)]
pub enum DecryptError {
    /// It was encrypted to other recipients than these identities.
    #[error("it is encrypted, and none of these identities is one that it was encrypted to")]
    OtherRecipients,
    /// It is not what was written.
    #[error("it was changed, or its end is missing: {0}")]
    Damaged(String),
    /// It cannot be read.
    #[error("{0}")]
    Read(io::Error),
    /// What it holds cannot be written.
    #[error("{0}")]
    Write(io::Error),
}

impl FromStr for Recipient {
    type Err = BadRecipient;

    fn from_str(text: &str) -> Result<Self, BadRecipient> {
        text.parse().map(Self).map_err(|_| BadRecipient)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.0)
    }
}

impl Identities {
    /// Reads an identity file: one `AGE-SECRET-KEY-1...` a line, comments begin with `#`.
    pub fn parse(text: &str) -> Result<Self, BadIdentities> {
        let file = IdentityFile::from_buffer(text.as_bytes())
            .map_err(|error| BadIdentities::Line(error.to_string()))?;
        // Only plugins and passphrases could fail here, and neither is read.
        let identities = file.into_identities().unwrap_or_default();
        if identities.is_empty() { Err(BadIdentities::None) } else { Ok(Self(identities)) }
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

/// Whether a file that begins so is encrypted.
pub(super) fn is_encrypted(file: impl Read) -> io::Result<bool> {
    let longest = HEADS.iter().map(|head| head.len() as u64).max().unwrap_or_default();
    let mut begin = Vec::new();
    file.take(longest).read_to_end(&mut begin)?;
    Ok(HEADS.iter().any(|head| begin.starts_with(head)))
}

/// Encrypts everything that is read. Each of the recipients alone can decrypt it.
///
/// `watch` learns how many octets were encrypted since it was last asked, and may end the work: then the answer says so.
pub(super) fn encrypt(
    recipients: &[Recipient],
    mut plain: impl Read,
    encrypted: impl Write,
    mut watch: impl FnMut(u64) -> ControlFlow<()>,
) -> io::Result<ControlFlow<()>> {
    let recipients = recipients.iter().map(|recipient| &recipient.0 as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
    let mut encrypted = encryptor.wrap_output(encrypted)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match plain.read(&mut chunk) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        encrypted.write_all(&chunk[..read])?;
        if watch(read as u64).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    encrypted.finish()?.flush()?;
    Ok(ControlFlow::Continue(()))
}

/// Decrypts a whole file.
pub(super) fn decrypt(
    identities: &Identities,
    encrypted: impl Read,
    mut plain: impl Write,
) -> Result<(), DecryptError> {
    let encrypted = ArmoredReader::new(BufReader::new(encrypted));
    let decryptor = Decryptor::new_buffered(BufReader::new(encrypted)).map_err(refused)?;
    let identities = identities.0.iter().map(|identity| &**identity as &dyn age::Identity);
    let mut decrypted =
        BufReader::with_capacity(CHUNK, decryptor.decrypt(identities).map_err(refused)?);
    loop {
        let chunk = decrypted.fill_buf().map_err(unreadable)?;
        let length = chunk.len();
        if length == 0 {
            return Ok(());
        }
        plain.write_all(chunk).map_err(DecryptError::Write)?;
        decrypted.consume(length);
    }
}

fn refused(error: age::DecryptError) -> DecryptError {
    match error {
        age::DecryptError::NoMatchingKeys => DecryptError::OtherRecipients,
        age::DecryptError::Io(error) => unreadable(error),
        other => DecryptError::Damaged(other.to_string()),
    }
}

fn unreadable(error: io::Error) -> DecryptError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            DecryptError::Damaged(error.to_string())
        }
        _ => DecryptError::Read(error),
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    fn pair() -> (Recipient, Identities) {
        let identity = x25519::Identity::generate();
        let text = format!("# made for a test\n\n{}\n", identity.to_string().expose_secret());
        (Recipient(identity.to_public()), Identities::parse(&text).expect("an identity file"))
    }

    fn encrypted(recipients: &[Recipient], plain: &[u8]) -> Vec<u8> {
        let mut encrypted = Vec::new();
        let done = encrypt(recipients, plain, &mut encrypted, |_| ControlFlow::Continue(()));
        assert_eq!(done.expect("encrypted"), ControlFlow::Continue(()));
        encrypted
    }

    fn decrypted(identities: &Identities, encrypted: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let mut plain = Vec::new();
        decrypt(identities, encrypted, &mut plain).map(|()| plain)
    }

    #[test]
    fn each_recipient_alone_decrypts_and_nobody_else() {
        let (first, second, stranger) = (pair(), pair(), pair());
        for length in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let plain = vec![7; length];
            let encrypted = encrypted(&[first.0.clone(), second.0.clone()], &plain);
            assert!(is_encrypted(&*encrypted).expect("read"));
            for identities in [&first.1, &second.1] {
                assert_eq!(decrypted(identities, &encrypted).expect("decrypted"), plain);
            }
            let refused = decrypted(&stranger.1, &encrypted);
            assert!(matches!(refused, Err(DecryptError::OtherRecipients)), "{refused:?}");
        }
    }

    #[test]
    fn a_changed_or_cut_file_is_damaged_wherever_it_is() {
        let (recipient, identities) = pair();
        let whole = encrypted(&[recipient], &vec![7; CHUNK + 100]);
        let head = whole.windows(3).position(|window| window == b"---").expect("a MAC");
        for at in [head + 5, head + 60, whole.len() - CHUNK, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let refused = decrypted(&identities, &changed);
            assert!(matches!(refused, Err(DecryptError::Damaged(_))), "{at}: {refused:?}");
        }
        for length in [30, head + 10, whole.len() - 116, whole.len() - 1] {
            let refused = decrypted(&identities, &whole[..length]);
            assert!(matches!(refused, Err(DecryptError::Damaged(_))), "{length}: {refused:?}");
        }
    }

    #[test]
    fn a_database_is_not_encrypted() {
        assert!(!is_encrypted(&b"SQLite format 3\0"[..]).expect("read"));
        assert!(!is_encrypted(&b""[..]).expect("read"));
        assert!(is_encrypted(&b"-----BEGIN AGE ENCRYPTED FILE-----\n"[..]).expect("read"));
    }

    #[test]
    fn a_text_that_is_no_recipient_or_identity_is_refused() {
        assert_eq!("age1abc".parse::<Recipient>().err(), Some(BadRecipient));
        assert_eq!(Identities::parse("# nothing\n").err(), Some(BadIdentities::None));
        let refused = Identities::parse("# a comment\nsecret\n").expect_err("no identity");
        assert!(refused.to_string().contains("line 2") && !refused.to_string().contains("secret"));
    }
}
