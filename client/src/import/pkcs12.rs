//! Opening PKCS#12 files of any origin.

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::ImportError;
use super::ber::{CONTEXT_0, Element, NotBer, OCTET_STRING, SEQUENCE};

/// What a file holds, in DER.
pub(super) struct Contents {
    /// PKCS#8 keys.
    pub(super) keys: Vec<Zeroizing<Vec<u8>>>,
    /// Certificates.
    pub(super) certificates: Vec<Vec<u8>>,
}

/// Opens a PKCS#12 file in DER or BER.
///
/// The file's MAC covers the encoded content, so it is checked over the content as it came; only then may the content be
/// encoded anew for a reader that wants DER.
pub(super) fn read(file: &[u8], passphrase: &SecretString) -> Result<Contents, ImportError> {
    let unknown = |error: NotBer| ImportError::Unknown(error.to_string());
    let file = Element::parse(file).map_err(unknown)?;
    let outer = Zeroizing::new(file.to_der());
    let passphrase = passphrase.expose_secret();
    let archive = match Pkcs12Archive::from_pkcs12(&outer, passphrase) {
        Err(Error::DerError(_)) if mac_is_checked(&outer, passphrase) => {
            let inner = Zeroizing::new(rewritten(file).map_err(unknown)?.to_der());
            Pkcs12Archive::from_pkcs12(&inner, passphrase)
        }
        result => result,
    };
    let archive = archive.map_err(|error| match error {
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => {
            ImportError::PassphraseWrong
        }
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm => {
            ImportError::EncryptionUnsupported
        }
        other => ImportError::Unknown(other.to_string()),
    })?;
    Ok(Contents {
        keys: archive.keys.iter().map(|bag| Zeroizing::new(bag.key.as_der().to_vec())).collect(),
        certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(),
    })
}

/// Whether the reader compares the MAC of this file before it reads further: another passphrase is then refused for that.
/// A file that was refused for its encoding, with the right passphrase, has passed its MAC if so.
fn mac_is_checked(file: &[u8], passphrase: &str) -> bool {
    let other = Zeroizing::new(format!("{passphrase}\u{1}"));
    matches!(Pkcs12Archive::from_pkcs12(file, &other), Err(Error::MacError(_)))
}

/// The file with its content in DER all the way down to the encrypted parts, without the MAC that no longer fits.
fn rewritten(file: Element<'_>) -> Result<Element<'_>, NotBer> {
    let Element::Constructed(SEQUENCE, mut members) = file else { return Err(NotBer(0)) };
    members.truncate(2);
    if let Some(safe) = members.get_mut(1) {
        content_in_der(safe, |content| {
            let mut content = Element::parse(content)?;
            if let Element::Constructed(SEQUENCE, infos) = &mut content {
                for info in infos {
                    content_in_der(info, |safe| Ok(Element::parse(safe)?.to_der()))?;
                }
            }
            Ok(content.to_der())
        })?;
    }
    Ok(Element::Constructed(SEQUENCE, members))
}

/// Encodes the octets of a `ContentInfo` of type data anew; leaves those of other types as they are.
fn content_in_der(
    info: &mut Element<'_>,
    encode: impl FnOnce(&[u8]) -> Result<Vec<u8>, NotBer>,
) -> Result<(), NotBer> {
    if let Element::Constructed(SEQUENCE, members) = info
        && let [_, Element::Constructed(CONTEXT_0, explicit)] = members.as_mut_slice()
        && let [Element::Primitive(OCTET_STRING, octets)] = explicit.as_mut_slice()
    {
        *octets = encode(octets)?.into();
    }
    Ok(())
}
