//! Subjects whose certificates, of another CA, soon end.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{
    Attribute, CLIENT_AUTH, KeyUsages, Kind, Name, Profile, key_id,
};
use koshin_protocol::csr::Csr;
use koshin_protocol::sign::{AwsLcKey, Signer};
use koshin_protocol::time::Period;

use crate::Done;
use crate::process::now;

/// One to be renewed: everything that can be made before is made.
pub(crate) struct Subject {
    pub(crate) key: AwsLcKey,
    pub(crate) der: Vec<u8>,
    pub(crate) cert_id: CertId,
    pub(crate) new_key: AwsLcKey,
    pub(crate) csr: Vec<u8>,
}

/// A CA that the bank does not know.
pub(crate) struct OldCa {
    key: AwsLcKey,
    name: Name,
    issued: u64,
}

impl OldCa {
    pub(crate) fn new() -> Done<Self> {
        let name = Name::new(&[(Attribute::CommonName, "Old CA")])?;
        Ok(Self { key: new_key()?, name, issued: 0 })
    }

    /// Subjects whose certificates end in 15 days.
    pub(crate) fn issue(&mut self, count: usize) -> Done<Vec<Subject>> {
        (0..count).map(|_| self.issue_one()).collect()
    }

    fn issue_one(&mut self) -> Done<Subject> {
        self.issued += 1;
        let subject = Name::new(&[
            (Attribute::Country, "JP"),
            (Attribute::Organization, "Example K.K."),
            (Attribute::CommonName, &format!("U-{:08}", self.issued)),
        ])?;
        let now = now()?;
        let (key, new_key) = (new_key()?, new_key()?);
        let id = key_id(self.key.public_key());
        let certificate = Profile {
            serial: &(1 << 62 | self.issued).to_be_bytes(),
            issuer: &self.name,
            not_before: now.checked_sub(Period::from_days(350)).ok_or("a time")?,
            not_after: now.checked_add(Period::from_days(15)).ok_or("a time")?,
            subject: &subject,
            key: key.public_key(),
            kind: Kind::Leaf,
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: &[CLIENT_AUTH],
            authority_key_id: Some(&id),
            crl: &["https://old.example/crl"],
        }
        .sign(&self.key)?;
        Ok(Subject {
            der: certificate.der().to_vec(),
            cert_id: CertId::of(&certificate),
            csr: Csr::make(&subject, &new_key)?,
            key,
            new_key,
        })
    }
}

/// A fresh P-256 key.
pub(crate) fn new_key() -> Done<AwsLcKey> {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
    Ok(AwsLcKey::from_pkcs8_der(Algorithm::Es256, document.as_ref())?)
}
