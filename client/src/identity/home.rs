//! What an identity's parts share: its folder, and reading and writing single things in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use koshin_protocol::certificate::Certificate;
use koshin_protocol::csr::Csr;
use koshin_protocol::sign::Signer;

use super::settings::{self, Settings};
use super::{GENERATIONS, IdentityError, Pair};
use crate::files::durable::{self, Entry};
use crate::files::{Access, FileError, Files, Lock};
use crate::journal::Journal;
use crate::keystore::{KeyStore, KeyStoreError, Slot};
use crate::pem;

const CURRENT: &str = "current";
pub(super) const CERTIFICATE: &str = "certificate.pem";
pub(super) const REQUEST: &str = "request.csr";
pub(super) const RECEIPT: &str = "receipt.json";

/// What an identity's parts share.
pub(super) struct Home {
    pub(super) files: Arc<dyn Files>,
    pub(super) keys: Arc<dyn KeyStore>,
    pub(super) folder: PathBuf,
    pub(super) settings: Settings,
    /// One piece of work at a time, also of those whose caller went away.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// Held until the last part is dropped.
    #[expect(dead_code, reason = "it is held, not used")]
    pub(super) lock: Lock,
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Home {
    pub(super) fn generations(&self) -> PathBuf {
        self.folder.join(GENERATIONS)
    }

    pub(super) fn generation(&self, number: u64) -> PathBuf {
        self.generations().join(number.to_string())
    }

    pub(super) fn with_slot<T>(&self, number: u64, call: impl FnOnce(Slot<'_>) -> T) -> T {
        let folder = self.generation(number);
        let label = self.label(number);
        call(Slot { files: &*self.files, folder: &folder, label: &label })
    }

    pub(super) fn label(&self, number: u64) -> String {
        format!("koshin {} {number}", self.settings.name)
    }

    /// The numbers of all generations, ascending.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, IdentityError> {
        let folder = self.generations();
        let names = self.files.list(&folder).map_err(FileError::of("list", &folder))?;
        let numbers = names.iter().filter_map(|name| name.to_str()?.parse().ok());
        let mut numbers = numbers.collect::<Vec<_>>();
        numbers.sort_unstable();
        Ok(numbers)
    }

    pub(super) fn next_number(&self) -> Result<u64, IdentityError> {
        Ok(self.numbers()?.last().map_or(1, |last| last.saturating_add(1)))
    }

    /// The generation that `current` points to.
    pub(super) fn linked(&self) -> Result<Option<u64>, IdentityError> {
        let path = self.folder.join(CURRENT);
        match self.files.read_link(&path).map_err(FileError::of("read the link", &path)) {
            Ok(target) => Ok(target.file_name().and_then(|name| name.to_str()?.parse().ok())),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Points `current` to a generation.
    pub(super) fn switch(&self, number: u64) -> Result<(), IdentityError> {
        let target = Path::new(GENERATIONS).join(number.to_string());
        Ok(durable::switch(&*self.files, &self.folder, CURRENT, &target)?)
    }

    pub(super) fn journal(&self, number: u64) -> Result<Option<Journal>, IdentityError> {
        Ok(Journal::read(&*self.files, &self.generation(number))?)
    }

    /// The certificate and its chain as stored, `None` if it is not there or not readable as such.
    pub(super) fn certificates(
        &self,
        number: u64,
    ) -> Result<Option<Vec<Certificate>>, IdentityError> {
        let content = self.read_of(number, CERTIFICATE)?;
        let chain = content.and_then(|content| settings::parse_certificates(&content).ok());
        Ok(chain.filter(|chain| !chain.is_empty()))
    }

    /// The pair of a generation, `None` if it is not complete or does not fit together.
    pub(super) fn pair(&self, number: u64) -> Result<Option<Pair>, IdentityError> {
        let Some(mut issuers) = self.certificates(number)? else { return Ok(None) };
        let certificate = issuers.remove(0);
        let Some(signer) = self.signer(number)? else { return Ok(None) };
        if signer.public_key() != certificate.key() {
            return Ok(None);
        }
        Ok(Some(Pair { generation: number, certificate, issuers, signer }))
    }

    /// The key of a generation, `None` if it is not there or damaged. A key that is closed to us is an error, not an
    /// absent one: the user can open it.
    pub(super) fn signer(&self, number: u64) -> Result<Option<Arc<dyn Signer>>, IdentityError> {
        match self.with_slot(number, |slot| self.keys.signer(slot)) {
            Ok(signer) => Ok(signer),
            Err(KeyStoreError::Damaged { .. } | KeyStoreError::Key { .. }) => Ok(None),
            Err(
                error @ (KeyStoreError::File(_)
                | KeyStoreError::Permissions { .. }
                | KeyStoreError::PassphraseMissing { .. }
                | KeyStoreError::PassphraseWrong { .. }
                | KeyStoreError::CannotImport { .. }
                | KeyStoreError::CannotExport { .. }),
            ) => Err(error.into()),
        }
    }

    pub(super) fn put_certificates(
        &self,
        number: u64,
        chain: &[Certificate],
        journal: &Journal,
    ) -> Result<(), IdentityError> {
        let sections = chain.iter().map(|certificate| pem::write("CERTIFICATE", certificate.der()));
        let content = sections.map(|section| section.to_string()).collect::<String>();
        let certificate =
            Entry { name: CERTIFICATE, content: content.as_bytes(), access: Access::Public };
        let json = journal.to_json();
        let entries = [certificate, Journal::entry(&json)];
        Ok(durable::put(&*self.files, &self.generation(number), &entries)?)
    }

    /// Whether the bank's word on the end of a generation's order is kept beside it.
    pub(super) fn has_receipt(&self, number: u64) -> Result<bool, IdentityError> {
        Ok(self.read_of(number, RECEIPT)?.is_some())
    }

    pub(super) fn read_of(
        &self,
        number: u64,
        name: &str,
    ) -> Result<Option<Vec<u8>>, IdentityError> {
        let path = self.generation(number).join(name);
        match self.files.read(&path).map_err(FileError::of("read", &path)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The request of a generation, `None` if it is not there, damaged, or of another key.
    pub(super) fn request(
        &self,
        number: u64,
        signer: &dyn Signer,
    ) -> Result<Option<Csr>, IdentityError> {
        let Some(content) = self.read_of(number, REQUEST)? else { return Ok(None) };
        let verifier = koshin_protocol::verify::default_verifier();
        let csr = pem::sections(&content).ok().and_then(|sections| {
            let [section] = sections.as_slice() else { return None };
            Csr::from_der(&section.der, verifier).ok()
        });
        Ok(csr.filter(|csr| csr.key() == signer.public_key()))
    }
}
