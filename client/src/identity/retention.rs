//! What may go: temporary files, and pairs that nobody can need any more.

use std::ffi::OsStr;
use std::path::Path;

use koshin_protocol::time::Time;

use super::{Home, Identity, IdentityError};
use crate::files::FileError;
use crate::files::durable;
use crate::journal::Progress;
use crate::keystore::Slot;

/// How many complete pairs stay, however old.
const KEPT_PAIRS: usize = 2;

/// A generation on its way out: `.removed-5`. It is renamed first, so that no half-removed one is taken for a whole.
const REMOVED: &str = ".removed-";

impl Identity {
    /// Removes generations that are all of this: finished (confirmed, imported, or their order ended), with a certificate that
    /// has expired at `now` or none at all, not `current`, and not among the last two. Returns their numbers.
    ///
    /// `now` is the bank's time; a clock that is wrong by years must not cost a key.
    pub fn prune(&self, now: Time) -> Result<Vec<u64>, IdentityError> {
        let home = &self.home;
        let current = home.linked()?;
        let mut finished = Vec::new();
        for number in home.numbers()?.into_iter().rev() {
            let done = match home.journal(number)?.map(|journal| journal.progress) {
                Some(Progress::Confirmed { .. } | Progress::Ended { .. }) => true,
                Some(
                    Progress::Began
                    | Progress::Requested { .. }
                    | Progress::Received { .. }
                    | Progress::Installed { .. },
                )
                | None => false,
            };
            if done {
                finished.push(number);
            }
        }
        let mut removed = Vec::new();
        for number in finished.into_iter().skip(KEPT_PAIRS) {
            let chain = home.certificates(number)?;
            let expired = chain.is_none_or(|chain| chain[0].not_after() < now);
            if expired && current != Some(number) {
                home.remove(number)?;
                removed.push(number);
            }
        }
        Ok(removed)
    }
}

impl Home {
    fn remove(&self, number: u64) -> Result<(), IdentityError> {
        let folder = self.generations();
        let path = self.generation(number);
        let leaving = folder.join(format!("{REMOVED}{number}"));
        self.files.rename(&path, &leaving).map_err(FileError::of("rename", &path))?;
        self.files.sync_folder(&folder).map_err(FileError::of("sync the folder", &folder))?;
        self.finish_removal(number, &leaving)
    }

    /// Empties and removes a folder that was renamed for it; what fails is tried again at the next open.
    fn finish_removal(&self, number: u64, folder: &Path) -> Result<(), IdentityError> {
        let label = self.label(number);
        self.keys.remove_key(Slot { files: &*self.files, folder, label: &label })?;
        for name in self.files.list(folder).map_err(FileError::of("list", folder))? {
            let path = folder.join(name);
            self.files.remove_file(&path).map_err(FileError::of("remove", &path))?;
        }
        Ok(self.files.remove_folder(folder).map_err(FileError::of("remove", folder))?)
    }

    /// Clears away what an interrupted process left. None of it is needed, so that what cannot be cleared (on a full or
    /// read-only disk) is left for the next time.
    pub(super) fn sweep(&self) -> Result<(), IdentityError> {
        durable::sweep(&*self.files, &self.folder)?;
        let folder = self.generations();
        for name in self.files.list(&folder).map_err(FileError::of("list", &folder))? {
            if let Some(number) = removed_number(&name) {
                self.finish_removal(number, &folder.join(&name)).ok();
            }
        }
        for number in self.numbers()? {
            durable::sweep(&*self.files, &self.generation(number)).ok();
        }
        Ok(())
    }
}

fn removed_number(name: &OsStr) -> Option<u64> {
    name.to_str()?.strip_prefix(REMOVED)?.parse().ok()
}
