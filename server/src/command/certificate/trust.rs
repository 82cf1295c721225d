//! Whether a certificate to be imported comes from where the operators say that it does.

use std::fs;
use std::path::Path;

use koshin_protocol::certificate::{Certificate, PathError, verify_path};
use koshin_protocol::time::Time;
use koshin_protocol::verify::default_verifier;

use crate::command::failure::Failure;

/// The longest chain, root not counted, that is looked for.
const LONGEST: usize = 8;

/// The roots and the CAs below them of a trust file.
pub(super) struct Trust {
    roots: Vec<Certificate>,
    below: Vec<Certificate>,
}

impl Trust {
    /// Reads certificates in PEM. Those that issued themselves are the roots.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let usage = |why: String| Failure::usage(format!("{}: {why}", path.display()));
        let bytes = fs::read(path).map_err(|error| usage(error.to_string()))?;
        let all = certificates(&bytes).map_err(usage)?;
        let (roots, below): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|certificate| certificate.subject() == certificate.issuer());
        if roots.is_empty() {
            return Err(usage("has no root: no certificate in it issued itself".to_owned()));
        }
        Ok(Self { roots, below })
    }

    /// Follows the issuers from `leaf` to a root.
    pub(super) fn verify(&self, leaf: &Certificate, now: Time) -> Result<(), PathError> {
        let mut chain = Vec::new();
        let mut issuer = leaf.issuer();
        while let Some(above) = self.below.iter().find(|above| above.subject() == issuer)
            && chain.len() < LONGEST
        {
            chain.push(above.clone());
            issuer = above.issuer();
        }
        verify_path(leaf, &chain, &self.roots, now, default_verifier())
    }
}

/// The certificates of a file: one in DER, or any number in PEM among other things.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let read = |der: &[u8]| Certificate::from_der(der).map_err(|error| error.to_string());
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN ") => text,
        Ok(_) | Err(_) => return Ok(vec![read(bytes)?]),
    };
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let end = rest[begin..].find(END).ok_or("a certificate in PEM has no end")?;
        let (pem, after) = rest[begin..].split_at(end + END.len());
        let (_, der) = der::pem::decode_vec(pem.as_bytes()).map_err(|error| error.to_string())?;
        found.push(read(&der)?);
        rest = after;
    }
    if found.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(found) }
}
