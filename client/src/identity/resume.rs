//! What is open after whatever happened: keys, certificates and journals are matched, and the files beside a journal count
//! more than the journal does.

use std::sync::Arc;

use koshin_protocol::certificate::Name;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::sign::Signer;

use super::generation::{Began, Confirmed, Installed, Received, Requested};
use super::home::{CERTIFICATE, Home, RECEIPT, REQUEST};
use super::{Generation, Identity, IdentityError, LoneKey, LostKey, OpenGeneration};
use crate::files::Access;
use crate::files::durable::{self, Entry};
use crate::journal::{Ending, Intent, Journal, Progress, Purpose};

impl Identity {
    /// The generations that are not finished, the oldest first; what is returned is durable, whatever became of the process
    /// that wrote it.
    pub fn resume(&self) -> Result<Vec<OpenGeneration>, IdentityError> {
        let mut open = Vec::new();
        for number in self.home.numbers()? {
            open.extend(self.home.resume(number)?);
        }
        Ok(open)
    }

    /// The keys without a certificate, the newest first, whatever their journals say: the bank may have an order for each
    /// (`findOrder`), as when a certificate's file was deleted and its key was not.
    pub fn unmatched(&self) -> Result<Vec<LoneKey>, IdentityError> {
        let mut keys = Vec::new();
        for number in self.home.numbers()?.into_iter().rev() {
            let Some(signer) = self.home.signer(number)? else { continue };
            let chain = self.home.certificates(number)?;
            if chain.is_none_or(|chain| chain[0].key() != signer.public_key()) {
                keys.push(LoneKey { home: Arc::clone(&self.home), number, signer });
            }
        }
        Ok(keys)
    }

    /// The generation of a key, whatever its journal says, as one whose journal is gone: for an order that turns out to be open
    /// after all.
    pub fn reopen(&self, key: &Thumbprint) -> Result<Option<LoneKey>, IdentityError> {
        for number in self.home.numbers()?.into_iter().rev() {
            let signer = self.home.signer(number)?;
            if let Some(signer) = signer.filter(|signer| signer.public_key().thumbprint() == *key) {
                return Ok(Some(LoneKey { home: Arc::clone(&self.home), number, signer }));
            }
        }
        Ok(None)
    }

    /// Journals what is wanted with a generation now, before the bank or `current` sees anything of it.
    pub(crate) fn intend(&self, number: u64, intent: Intent) -> Result<(), IdentityError> {
        let Some(mut journal) = self.home.journal(number)? else { return Ok(()) };
        journal.intent = intent;
        Ok(journal.put(&*self.home.files, &self.home.generation(number))?)
    }

    /// Closes a generation for good, with the bank's receipt if there is one. Its key and certificate stay.
    pub(crate) fn end(
        &self,
        number: u64,
        receipt: Option<&[u8]>,
        how: Ending,
    ) -> Result<(), IdentityError> {
        let folder = self.home.generation(number);
        if let Some(content) = receipt {
            let entry = Entry { name: RECEIPT, content, access: Access::Public };
            durable::put(&*self.home.files, &folder, &[entry])?;
        }
        let Some(mut journal) = self.home.journal(number)? else { return Ok(()) };
        journal.progress = Progress::Ended { how };
        Ok(journal.put(&*self.home.files, &folder)?)
    }

    /// Whom the request of a generation is for; `None` if key or request is gone.
    pub(crate) fn requested_subject(&self, number: u64) -> Result<Option<Name>, IdentityError> {
        let Some(signer) = self.home.signer(number)? else { return Ok(None) };
        Ok(self.home.request(number, &*signer)?.map(|csr| csr.subject().clone()))
    }

    /// The newest completed renewal, whether its key is still there or not: what a rollback begins with when
    /// [`Self::confirmed`] finds none.
    pub fn renewed(&self) -> Result<Option<LostKey>, IdentityError> {
        for number in self.home.numbers()?.into_iter().rev() {
            let Some(journal) = self.home.journal(number)? else { continue };
            let renewed = matches!(journal.purpose, Purpose::Renewal { .. })
                && matches!(journal.progress, Progress::Confirmed { order: Some(_) });
            if renewed {
                return Ok(Some(LostKey { home: Arc::clone(&self.home), number, journal }));
            }
        }
        Ok(None)
    }
}

impl Home {
    fn resume(self: &Arc<Self>, number: u64) -> Result<Option<OpenGeneration>, IdentityError> {
        let journal = self.journal(number)?;
        if journal.as_ref().is_some_and(is_closed) {
            return Ok(None);
        }
        let signer = self.signer(number)?;
        let (signer, journal) = match (signer, journal) {
            // A folder that was made and no more.
            (None, None) => return Ok(None),
            (None, Some(journal)) => {
                let home = Arc::clone(self);
                return Ok(Some(OpenGeneration::LostKey(LostKey { home, number, journal })));
            }
            (Some(signer), journal) => (signer, journal),
        };
        self.settle(number, journal.as_ref())?;
        self.open_generation(number, signer, journal).map(Some)
    }

    fn open_generation(
        self: &Arc<Self>,
        number: u64,
        signer: Arc<dyn Signer>,
        journal: Option<Journal>,
    ) -> Result<OpenGeneration, IdentityError> {
        let home = Arc::clone(self);
        let request = self.request(number, &*signer)?;
        let chain =
            self.certificates(number)?.filter(|chain| chain[0].key() == signer.public_key());
        let Some(journal) = journal else {
            return Ok(OpenGeneration::LoneKey(LoneKey { home, number, signer }));
        };
        Ok(match (journal.progress.clone(), request, chain) {
            // Journal and request were put together; the request was not sent if only one of them is there.
            (Progress::Began, None, _) => OpenGeneration::LoneKey(LoneKey { home, number, signer }),
            (Progress::Began, Some(csr), _) => {
                let state: Began = Generation::began(&csr);
                OpenGeneration::Began(Generation::new(home, number, signer, journal, state))
            }
            (Progress::Requested { order }, _, _)
            | (Progress::Received { order } | Progress::Installed { order }, _, None) => {
                let state = Requested::new(order);
                OpenGeneration::Requested(Generation::new(home, number, signer, journal, state))
            }
            (Progress::Received { order }, _, Some(chain)) => {
                let state = Received::new(order, chain);
                OpenGeneration::Received(Generation::new(home, number, signer, journal, state))
            }
            (Progress::Installed { order }, _, Some(chain)) => {
                let state = Installed::new(order, chain);
                OpenGeneration::Installed(Generation::new(home, number, signer, journal, state))
            }
            // Closed ones did not come here: what is left is one to be rolled back.
            (Progress::Confirmed { .. } | Progress::Ended { .. }, _, _) => {
                OpenGeneration::RollingBack(Generation::new(
                    home, number, signer, journal, Confirmed,
                ))
            }
        })
    }

    /// Makes durable what an interrupted process may have left visible only: writes it once more, as new files, since a
    /// sync that failed there cannot be repeated here.
    fn settle(&self, number: u64, journal: Option<&Journal>) -> Result<(), IdentityError> {
        self.with_slot(number, |slot| self.keys.settle(slot))?;
        for name in [REQUEST, CERTIFICATE] {
            if let Some(content) = self.read_of(number, name)? {
                let entry = Entry { name, content: &content, access: Access::Public };
                durable::put(&*self.files, &self.generation(number), &[entry])?;
            }
        }
        if let Some(journal) = journal {
            journal.put(&*self.files, &self.generation(number))?;
        }
        Ok(())
    }
}

/// Nothing is to be done about it.
fn is_closed(journal: &Journal) -> bool {
    match journal.progress {
        Progress::Ended { .. } => true,
        Progress::Confirmed { .. } => match journal.intent {
            Intent::Complete | Intent::Cancel | Intent::StartOver => true,
            Intent::RollBack => false,
        },
        Progress::Began => match journal.purpose {
            // It is made again from the same files, as another generation.
            Purpose::Import => true,
            Purpose::Renewal { .. } | Purpose::Enrollment { .. } => false,
        },
        Progress::Requested { .. } | Progress::Received { .. } | Progress::Installed { .. } => {
            false
        }
    }
}
