//! The extensions of a certificate that matter here (RFC 5280 section 4.2).

use der::asn1::ObjectIdentifier;
use der::{Decode, ErrorKind};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, SubjectKeyIdentifier,
};

use super::build::KeyUsages;

pub(super) const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
pub(super) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(super) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
pub(super) const CRL_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
pub(super) const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
pub(super) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");

#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) authority: bool,
    pub(super) path_length: Option<u8>,
    pub(super) key_usages: Option<KeyUsages>,
    pub(super) extended_key_usages: Option<Box<[ObjectIdentifier]>>,
    pub(super) subject_key_id: Option<Box<[u8]>>,
    pub(super) authority_key_id: Option<Box<[u8]>>,
    pub(super) unknown_critical: Vec<ObjectIdentifier>,
}

impl Extensions {
    /// Reads the content of the `[3]` field.
    pub(super) fn read(der: &[u8]) -> der::Result<Self> {
        let list = Vec::<Extension>::from_der(der)?;
        let mut seen: Vec<ObjectIdentifier> = list.iter().map(|one| one.extn_id).collect();
        seen.sort_unstable();
        if seen.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ErrorKind::Failed.into());
        }
        let mut extensions = Self::default();
        for extension in &list {
            extensions.take(extension)?;
        }
        Ok(extensions)
    }

    fn take(&mut self, extension: &Extension) -> der::Result<()> {
        let value = extension.extn_value.as_bytes();
        match extension.extn_id {
            BASIC_CONSTRAINTS => {
                let constraints = BasicConstraints::from_der(value)?;
                self.authority = constraints.ca;
                self.path_length = constraints.path_len_constraint;
            }
            KEY_USAGE => self.key_usages = Some(KeyUsages::from_der(value)?),
            EXTENDED_KEY_USAGE => {
                self.extended_key_usages = Some(ExtendedKeyUsage::from_der(value)?.0.into());
            }
            SUBJECT_KEY_ID => {
                let id = SubjectKeyIdentifier::from_der(value)?;
                self.subject_key_id = Some(id.0.as_bytes().into());
            }
            AUTHORITY_KEY_ID => {
                let id = AuthorityKeyIdentifier::from_der(value)?.key_identifier;
                self.authority_key_id = id.map(|id| id.as_bytes().into());
            }
            other if extension.critical => self.unknown_critical.push(other),
            _ => {}
        }
        Ok(())
    }
}
