//! The adapter for banks that have no provisioning command: certificates that somebody prepared by hand.
//!
//! ```text
//! DIR/<any name>/certificate.pem   the certificate
//! DIR/<any name>/key.pem           its key, PKCS #8
//! DIR/<any name>/subject.json      {"subject": "u-1001", "role": "user", "contract": "a", "issuer": "bank",
//!                                   "alg": "ES256", "pin": "481516"}
//! DIR/used/<any name>              made by the adapter: this one was handed out
//! ```
//!
//! Of `subject.json`, `subject` and `role` are always there. Without `contract` the subject has a contract of its own. Each
//! subject is handed out once, since a case changes what it gets; its times may differ from those that were asked for by
//! [`TOLERANCE`], but lie on the same side of the present: what is to expire within a minute cannot be prepared by hand.

use std::fs;
use std::path::{Path, PathBuf};

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::subject::Role;
use koshin_protocol::time::Time;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;

use super::{Issuer, Provided, Request};
use crate::adapter::AdapterError;

/// By how many seconds a prepared certificate's times may differ from those asked for.
pub const TOLERANCE: i64 = 10 * 86_400;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Prepared {
    subject: String,
    role: Role,
    #[serde(default)]
    contract: Option<String>,
    #[serde(default)]
    issuer: Issuer,
    #[serde(default = "super::es256")]
    alg: Algorithm,
    #[serde(default)]
    pin: Option<String>,
}

/// Hands out a subject of the folder that fits and was not handed out before.
pub fn provide(folder: &Path, request: &Request, now: Time) -> Result<Provided, AdapterError> {
    let used = folder.join("used");
    fs::create_dir_all(&used).map_err(|error| fault(&used, &error))?;
    for entry in entries(folder)? {
        let name = entry.file_name().unwrap_or_default().to_owned();
        if !entry.join("subject.json").is_file() || used.join(&name).exists() {
            continue;
        }
        let (prepared, provided) = read(&entry)?;
        if !fits(&prepared, request) || !times_fit(&provided, &entry, request, now)? {
            continue;
        }
        // Whoever makes the mark has the subject, also among processes that run at the same time.
        match fs::File::create_new(used.join(&name)) {
            Ok(_) => return Ok(provided),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(fault(&used, &error)),
        }
    }
    Err(AdapterError::Cannot(format!(
        "{} has no further subject like this: {}",
        folder.display(),
        serde_json::to_string(request).unwrap_or_default()
    )))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, AdapterError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| fault(folder, &error))? {
        paths.push(entry.map_err(|error| fault(folder, &error))?.path());
    }
    paths.sort();
    Ok(paths)
}

fn read(entry: &Path) -> Result<(Prepared, Provided), AdapterError> {
    let text = |name: &str| {
        let path = entry.join(name);
        fs::read_to_string(&path).map_err(|error| fault(&path, &error))
    };
    let prepared: Prepared = serde_json::from_str(&text("subject.json")?)
        .map_err(|error| fault(&entry.join("subject.json"), &error))?;
    let provided = Provided {
        subject: prepared.subject.clone(),
        certificate: text("certificate.pem")?,
        key: text("key.pem")?,
        pin: prepared.pin.clone(),
    };
    Ok((prepared, provided))
}

fn fits(prepared: &Prepared, request: &Request) -> bool {
    let contract = match (&request.contract, &prepared.contract) {
        (None, None) => true,
        (wanted, there) => wanted == there,
    };
    contract
        && prepared.role == request.role
        && prepared.issuer == request.issuer
        && prepared.alg == request.alg
        // Whichever PIN it is, the answer says it.
        && prepared.pin.is_some() == request.pin.is_some()
}

fn times_fit(
    provided: &Provided,
    entry: &Path,
    request: &Request,
    now: Time,
) -> Result<bool, AdapterError> {
    let path = entry.join("certificate.pem");
    let der = CertificateDer::from_pem_slice(provided.certificate.as_bytes())
        .map_err(|error| fault(&path, &error))?;
    let certificate = Certificate::from_der(&der).map_err(|error| fault(&path, &error))?;
    let near = |wanted: Time, there: Time| {
        let same_side = (wanted < now) == (there < now);
        same_side && wanted.seconds_since(there).abs() <= TOLERANCE
    };
    let soon = request.not_after >= now && request.not_after.seconds_since(now) < 3600;
    // How long it has been valid matters to no case, as long as it is.
    let begun = (request.not_before <= now) == (certificate.not_before() <= now);
    Ok(!soon && begun && near(request.not_after, certificate.not_after()))
}

fn fault(path: &Path, why: &dyn std::fmt::Display) -> AdapterError {
    AdapterError::Fault(format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use koshin_protocol::certificate::{Attribute, CLIENT_AUTH, KeyUsages, Kind, Name, Profile};
    use koshin_protocol::sign::{Es256Key, Signer};

    use super::*;

    const NOW: &str = "2027-01-15T03:00:00Z";

    fn at(days: i64) -> Time {
        let now: Time = NOW.parse().expect("a time");
        Time::from_unix(now.unix() + days * 86_400).expect("a time")
    }

    fn prepare(folder: &Path, name: &str, not_after: Time, json: &str) {
        let key = Es256Key::from_random(&[7; 48]);
        let subject = Name::new(&[(Attribute::CommonName, name)]).expect("a name");
        let profile = Profile {
            serial: &[1],
            issuer: &subject,
            not_before: at(-300),
            not_after,
            subject: &subject,
            key: key.public_key(),
            kind: Kind::Leaf,
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: &[CLIENT_AUTH],
            authority_key_id: None,
            crl: &[],
        };
        let certificate = profile.sign(&key).expect("a certificate");
        let encoded = koshin_protocol::base64url::encode_standard(certificate.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
        let entry = folder.join(name);
        fs::create_dir(&entry).expect("a folder");
        fs::write(entry.join("certificate.pem"), pem).expect("written");
        fs::write(entry.join("key.pem"), key.to_pkcs8_pem().as_str()).expect("written");
        fs::write(entry.join("subject.json"), json).expect("written");
    }

    fn wanted(not_after: Time, pin: Option<&str>) -> Request {
        Request {
            role: Role::User,
            contract: None,
            issuer: Issuer::Bank,
            alg: Algorithm::Es256,
            not_before: at(-345),
            not_after,
            pin: pin.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn each_prepared_subject_that_fits_is_handed_out_once() {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path(), "a", at(20), r#"{"subject":"u-1","role":"user"}"#);
        prepare(folder.path(), "b", at(22), r#"{"subject":"u-2","role":"user"}"#);
        prepare(folder.path(), "c", at(-3), r#"{"subject":"u-3","role":"user"}"#);
        prepare(folder.path(), "d", at(20), r#"{"subject":"u-4","role":"user","pin":"1234"}"#);
        let now = at(0);
        let provided = |request: &Request| {
            provide(folder.path(), request, now).map(|provided| provided.subject)
        };
        assert_eq!(provided(&wanted(at(20), None)), Ok("u-1".to_owned()));
        assert_eq!(provided(&wanted(at(20), None)), Ok("u-2".to_owned()));
        assert!(matches!(provided(&wanted(at(20), None)), Err(AdapterError::Cannot(_))));
        assert_eq!(provided(&wanted(at(-1), None)), Ok("u-3".to_owned()));
        assert_eq!(provided(&wanted(at(18), Some("9999"))), Ok("u-4".to_owned()));
    }

    #[test]
    fn what_expires_within_the_hour_cannot_be_prepared_by_hand() {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path(), "a", at(1), r#"{"subject":"u-1","role":"user"}"#);
        let soon = Time::from_unix(at(0).unix() + 10).expect("a time");
        let answer = provide(folder.path(), &wanted(soon, None), at(0));
        assert!(matches!(answer, Err(AdapterError::Cannot(_))), "{answer:?}");
    }

    #[test]
    fn a_folder_that_is_wrong_says_which_file() {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path(), "a", at(20), r#"{"subject":"u-1","rôle":"user"}"#);
        let answer = provide(folder.path(), &wanted(at(20), None), at(0));
        let Err(AdapterError::Fault(why)) = answer else { panic!("{answer:?}") };
        assert!(why.contains("a/subject.json"), "{why}");
    }
}
