//! Makes a new authority: a root, an issuing CA under it, and the key that signs receipts.

use std::path::Path;

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::{
    Attribute, Certificate, DOCUMENT_SIGNING, InvalidName, KeyUsages, Kind, Name, Profile, key_id,
    sign_crl,
};
use koshin_protocol::sign::{Es256Key, SignError, Signer};
use koshin_protocol::time::{Period, Time};
use zeroize::Zeroizing;

use super::crl::{BadList, Crl};
use super::files::{FileError, NewFolder, Passphrase, certificate_pem};
use super::profile::serial;
use super::{Authority, NotAnAuthority, crl_url};
use crate::config::Origin;

/// Thirty years, twenty of which the issuing CA and the receipt key last.
const ROOT_LIFE: Period = Period::from_days(30 * 365 + 7);
const ISSUING_LIFE: Period = Period::from_days(20 * 365 + 5);

/// What a new authority is made of.
#[derive(Debug)]
pub struct NewAuthority<'a> {
    /// The bank's name, as it stands in the certificates.
    pub organization: &'a str,
    /// What clients call the bank: where the CRLs will be.
    pub origin: &'a Origin,
    /// From when on it is valid.
    pub now: Time,
    /// Encrypts the key files.
    pub passphrase: Option<&'a Passphrase>,
}

/// Why there is no new authority.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A file cannot be written, or the folder is there already.
    #[error(transparent)]
    File(#[from] FileError),
    /// The organization is empty or longer than a certificate can say.
    #[error("the organization's name is empty or cannot stand in a certificate")]
    Organization(#[from] InvalidName),
    /// The system has no randomness.
    #[error("the system has no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The time is before 1970 or too late for certificates that last decades.
    #[error("the clock shows {0}, from which on no certificate can be made")]
    Clock(Time),
    /// A signature failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// What was made is not usable.
    #[error(transparent)]
    Authority(#[from] NotAnAuthority),
    /// The root's CRL cannot be made.
    #[error(transparent)]
    Crl(#[from] BadList),
}

impl NewAuthority<'_> {
    /// Makes the authority in `folder`, which must not exist: it appears with everything in it, or
    /// not at all.
    ///
    /// The root's key is needed again only to make another issuing CA: it may be taken away from
    /// the bank's machine. For the same reason the root's CRL, which revokes nothing, is made here
    /// and lasts as long as the issuing CA.
    pub fn create(&self, folder: &Path) -> Result<(), InitError> {
        let new = NewFolder::create(folder)?;
        let (root_key, issuing_key, receipt_key) = (key()?, key()?, key()?);
        let name = |what: &str| {
            let common = format!("{} {what}", self.organization);
            Name::new(&[
                (Attribute::Organization, self.organization),
                (Attribute::CommonName, &common),
            ])
        };
        let root = self.certify(&root_key, None, &name("Root CA")?, &root_key)?;
        let issuing = self.certify(&root_key, Some(&root), &name("Issuing CA")?, &issuing_key)?;
        let receipt = self.receipt(&issuing_key, &issuing, &name("Receipts")?, &receipt_key)?;

        let above = Authority::new(root.clone(), Vec::new(), Algorithm::Es256, self.origin)?;
        let crl = sign_crl(Crl::new(&above, 1, self.now, ISSUING_LIFE, [])?.tbs(), &root_key)?;
        for (name, key) in
            [("root.key", &root_key), ("issuing.key", &issuing_key), ("receipt.key", &receipt_key)]
        {
            new.add_key(name, &key.to_pkcs8_der(), self.passphrase)?;
        }
        for (name, certificate) in
            [("root.pem", &root), ("issuing.pem", &issuing), ("receipt.pem", &receipt)]
        {
            new.add(name, certificate_pem(certificate).as_bytes())?;
        }
        new.add("root.crl", &crl)?;
        Ok(new.finish()?)
    }

    /// A CA certificate: the root, signed by itself, or the one below it.
    fn certify(
        &self,
        signer: &Es256Key,
        issuer: Option<&Certificate>,
        subject: &Name,
        key: &Es256Key,
    ) -> Result<Certificate, InitError> {
        let issuer_id = key_id(signer.public_key());
        let crl = crl_url(self.origin, &issuer_id);
        let crl = [crl.as_str()];
        let profile = Profile {
            serial: &serial()?,
            issuer: issuer.map_or(subject, Certificate::subject),
            not_before: self.now,
            not_after: self.after(if issuer.is_some() { ISSUING_LIFE } else { ROOT_LIFE })?,
            subject,
            key: key.public_key(),
            kind: Kind::Authority { path_length: issuer.map(|_| 0) },
            key_usages: KeyUsages::AUTHORITY,
            extended_key_usages: &[],
            authority_key_id: Some(&issuer_id),
            crl: if issuer.is_some() { &crl } else { &[] },
        };
        Ok(profile.sign(signer)?)
    }

    /// The certificate of the key that signs receipts: `documentSigning`, so that it never passes
    /// for a customer's.
    fn receipt(
        &self,
        signer: &Es256Key,
        issuing: &Certificate,
        subject: &Name,
        key: &Es256Key,
    ) -> Result<Certificate, InitError> {
        let issuer_id = key_id(signer.public_key());
        let profile = Profile {
            serial: &serial()?,
            issuer: issuing.subject(),
            not_before: self.now,
            not_after: issuing.not_after(),
            subject,
            key: key.public_key(),
            kind: Kind::Leaf,
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: &[DOCUMENT_SIGNING],
            authority_key_id: Some(&issuer_id),
            crl: &[&crl_url(self.origin, &issuer_id)],
        };
        Ok(profile.sign(signer)?)
    }

    fn after(&self, life: Period) -> Result<Time, InitError> {
        let end = self.now.checked_add(life).filter(|_| self.now.unix() >= 0);
        end.ok_or(InitError::Clock(self.now))
    }
}

fn key() -> Result<Es256Key, getrandom::Error> {
    let mut random = Zeroizing::new([0; 48]);
    getrandom::fill(random.as_mut())?;
    Ok(Es256Key::from_random(&random))
}
