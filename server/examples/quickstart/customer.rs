//! Customers, with keys and certificates of another CA: RSA, as such customers have them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use koshin_client::import::{self, Imported};
use koshin_client::pem;
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::{
    Attribute, CLIENT_AUTH, Certificate, KeyUsages, Kind, Name, Profile,
};
use koshin_protocol::sign::{AwsLcKey, Signer};
use koshin_protocol::subject::Role;
use koshin_protocol::time::Time;
use koshin_server::clock::{Clock, System};

use crate::Failure;
use crate::bank::CONTRACT;

/// The folder of the customers' files in the tour's.
pub(crate) const FOLDER: &str = "customers";

const DAY: i64 = 86_400;

/// Somebody with a certificate and its key in files.
pub(crate) struct Customer {
    role: Role,
    files: [Vec<u8>; 2],
    certificate: Certificate,
}

impl Customer {
    /// Reads `ROLE.pem` and `ROLE.key` in a folder.
    pub(crate) fn read(folder: &Path, role: Role) -> Result<Self, Failure> {
        let [certificate, key] = names(role).map(|name| folder.join(name));
        let files = [read(&certificate)?, read(&key)?];
        let imported = imported(&files)?;
        let certificate = imported.chain.into_iter().next().ok_or("an import has a certificate")?;
        Ok(Self { role, files, certificate })
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Key and certificate, for an identity of the client.
    pub(crate) fn imported(&self) -> Result<Imported, Failure> {
        imported(&self.files)
    }

    /// What its key is.
    pub(crate) fn key_type(&self) -> &'static str {
        self.certificate.key().key_type().as_str()
    }

    /// The common name in the certificate, or all of the name.
    pub(crate) fn called(&self) -> &str {
        let name = self.certificate.subject().as_str();
        name.split(',').find_map(|part| part.strip_prefix("CN=")).unwrap_or(name)
    }

    /// Whole days until the certificate expires.
    pub(crate) fn days_left(&self) -> i64 {
        (self.certificate.not_after().seconds_since(System.now()) + DAY / 2) / DAY
    }
}

/// Makes another CA, and its certificates for an administrator and a user, which expire in 20 days.
pub(crate) fn make(folder: &Path) -> Result<(), Failure> {
    let now = System.now();
    let day = |days: i64| Time::from_unix(now.unix() + days * DAY);
    let (ca, ca_key) = new_key()?;
    let ca_name = Name::new(&[
        (Attribute::Organization, "Yesterday's CA"),
        (Attribute::CommonName, "Yesterday's Root"),
    ])?;
    let root = Profile {
        serial: &[1],
        issuer: &ca_name,
        not_before: day(-3650)?,
        not_after: day(3650)?,
        subject: &ca_name,
        key: ca.public_key(),
        kind: Kind::Authority { path_length: Some(0) },
        key_usages: KeyUsages::AUTHORITY,
        extended_key_usages: &[],
        authority_key_id: None,
        crl: &[],
    };
    let root = root.sign(&ca)?;
    write(&folder.join("ca.key"), &ca_key)?;
    write(&folder.join("ca.pem"), &pem::write("CERTIFICATE", root.der()))?;
    let customers = [(Role::Administrator, "Sato Hanako", [2]), (Role::User, "Tanaka Yuki", [3])];
    for (role, called, serial) in &customers {
        let (key, key_pem) = new_key()?;
        let subject =
            Name::new(&[(Attribute::Organization, CONTRACT), (Attribute::CommonName, called)])?;
        let certificate = Profile {
            serial,
            issuer: &ca_name,
            not_before: day(-345)?,
            not_after: day(20)?,
            subject: &subject,
            key: key.public_key(),
            kind: Kind::Leaf,
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: &[CLIENT_AUTH],
            authority_key_id: root.subject_key_id(),
            crl: &[],
        };
        let [certificate_file, key_file] = names(*role);
        let der = certificate.sign(&ca)?.der().to_vec();
        write(&folder.join(certificate_file), &pem::write("CERTIFICATE", &der))?;
        write(&folder.join(key_file), &key_pem)?;
    }
    Ok(())
}

/// Takes a copy of files that somebody brought.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    for name in [Role::Administrator, Role::User].into_iter().flat_map(names) {
        write(&to.join(&name), str::from_utf8(&read(&from.join(&name))?)?)?;
    }
    Ok(())
}

/// The files of a customer: certificate and key.
fn names(role: Role) -> [PathBuf; 2] {
    ["pem", "key"].map(|form| PathBuf::from(format!("{role}.{form}")))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn imported(files: &[Vec<u8>; 2]) -> Result<Imported, Failure> {
    Ok(import::read(&[&files[0], &files[1]], None, System.now())?)
}

/// An RSA key of 2048 bits, and its file.
fn new_key() -> Result<(AwsLcKey, zeroize::Zeroizing<String>), Failure> {
    let pair = KeyPair::generate(KeySize::Rsa2048)?;
    let der: Pkcs8V1Der<'_> = pair.as_der()?;
    let key = AwsLcKey::from_pkcs8_der(Algorithm::Rs256, der.as_ref())?;
    Ok((key, pem::write("PRIVATE KEY", der.as_ref())))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}
