//! PEM files with several sections and text in between (RFC 7468, 5.2), as OpenSSL, certutil and browsers write them.

use der::pem::{self, LineEnding};
use zeroize::Zeroizing;

/// One `BEGIN ... END` of a file.
#[derive(Debug)]
pub struct Section {
    /// What the `BEGIN` line names: `CERTIFICATE`, `ENCRYPTED PRIVATE KEY`.
    pub label: String,
    /// The DER inside; wiped on drop, since it may be a key.
    pub der: Zeroizing<Vec<u8>>,
}

/// A file that is not PEM, and where it stops being.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PemError {
    /// Bytes that are not text.
    #[error("this is not a text file")]
    NotText,
    /// A `BEGIN` without its `END`.
    #[error("line {line}: a section begins here and does not end")]
    Unfinished {
        /// Counted from 1.
        line: usize,
    },
    /// A key in OpenSSL's own old encryption (`Proc-Type: 4,ENCRYPTED`).
    #[error(
        "line {line}: this key is in OpenSSL's old encrypted form; \
         convert it with `openssl pkcs8 -topk8 -in KEY -out NEW-KEY`"
    )]
    OldEncryption {
        /// Counted from 1.
        line: usize,
    },
    /// Base64 that cannot be read.
    #[error("line {line}: this section's base64 cannot be read")]
    Damaged {
        /// Counted from 1.
        line: usize,
    },
}

/// The sections of a file, in its order; text outside of them is skipped.
pub fn sections(bytes: &[u8]) -> Result<Vec<Section>, PemError> {
    let text = str::from_utf8(bytes).map_err(|_| PemError::NotText)?;
    let mut found = Vec::new();
    let mut open: Option<(usize, String, Zeroizing<String>)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if let Some(label) = boundary(line, "-----BEGIN ") {
            if let Some((line, ..)) = open {
                return Err(PemError::Unfinished { line });
            }
            // In one piece: a text that grows leaves copies behind, which nobody wipes (SEC-02).
            let mut section = Zeroizing::new(String::with_capacity(text.len() + 1));
            section.push_str(line);
            section.push('\n');
            open = Some((index + 1, label.to_owned(), section));
            continue;
        }
        let Some((begun, label, section)) = &mut open else { continue };
        if line.starts_with("Proc-Type:") {
            return Err(PemError::OldEncryption { line: *begun });
        }
        section.push_str(line);
        section.push('\n');
        if boundary(line, "-----END ") == Some(label.as_str()) {
            let damaged = PemError::Damaged { line: *begun };
            let (_, der) = pem::decode_vec(section.as_bytes()).map_err(|_| damaged)?;
            found.push(Section { label: std::mem::take(label), der: Zeroizing::new(der) });
            open = None;
        }
    }
    match open {
        Some((line, ..)) => Err(PemError::Unfinished { line }),
        None => Ok(found),
    }
}

/// One section as text; wiped on drop, since it may be a key.
pub fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let text = pem::encode_string(label, LineEnding::LF, der);
    Zeroizing::new(
        text.expect("labels are ASCII constants and files are far below the length limit"),
    )
}

fn boundary<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
    use super::*;

    #[test]
    fn sections_are_found_among_the_text_of_a_pkcs12_dump() {
        let file = format!(
            "Bag Attributes\r\n    friendlyName: x\r\n{}subject=CN = x\n\n{}",
            write("CERTIFICATE", &[7; 100]).replace('\n', "\r\n"),
            *write("PRIVATE KEY", &[1, 2, 3]),
        );
        let sections = sections(file.as_bytes()).unwrap();
        assert_eq!(sections[0].label, "CERTIFICATE");
        assert_eq!(*sections[0].der, [7; 100]);
        assert_eq!(sections[1].label, "PRIVATE KEY");
        assert_eq!(*sections[1].der, [1, 2, 3]);
    }

    #[test]
    fn a_torn_file_is_refused_with_the_line() {
        let whole = write("CERTIFICATE", &[7; 100]);
        let torn = &whole.as_bytes()[..whole.len() / 2];
        assert_eq!(sections(torn).unwrap_err(), PemError::Unfinished { line: 1 });
        let damaged = whole.replace("BwcH", "B!cH");
        assert_eq!(sections(damaged.as_bytes()).unwrap_err(), PemError::Damaged { line: 1 });
    }

    #[test]
    fn openssls_old_encryption_is_refused_with_the_command_that_converts() {
        let file = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES\n\nAA==\n-----END RSA PRIVATE KEY-----\n";
        let error = sections(file.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("openssl pkcs8 -topk8"), "{error}");
    }
}
