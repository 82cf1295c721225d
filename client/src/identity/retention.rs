//! What may go: temporary files, and pairs that nobody can need any more.

use std::ffi::OsStr;
use std::path::Path;

use koshin_protocol::time::Time;

use super::home::Home;
use super::{Identity, IdentityError};
use crate::files::FileError;
use crate::files::durable;
use crate::journal::Progress;
use crate::keystore::Slot;

/// How many confirmed pairs stay, however old.
const KEPT_PAIRS: usize = 2;

/// A generation on its way out: `.removed-5`. It is renamed first, so that no half-removed one is taken for a whole.
const REMOVED: &str = ".removed-";

impl Identity {
    /// Removes finished generations that nobody can need any more, and returns their numbers: confirmed pairs that have expired
    /// at `now`, except the last two; ended ones of which the bank's receipt says so, whose certificate has expired, or which
    /// never had one and lie before a pair that has expired; never what `current` points to, and nothing unconfirmed.
    ///
    /// An answer of the bank alone removes no key, since it may be a lie: only time does. Give as `now` the earlier of
    /// the bank's time and this machine's, since a time that is wrong by years must not cost a key either.
    pub fn prune(&self, now: Time) -> Result<Vec<u64>, IdentityError> {
        let home = &self.home;
        let current = home.linked()?;
        let (mut pairs, mut newer_expired, mut removed) = (0, false, Vec::new());
        for number in home.numbers()?.into_iter().rev() {
            let chain = home.certificates(number)?;
            let expired = chain.as_ref().map(|chain| chain[0].not_after() < now);
            let removable = match home.journal(number)?.map(|journal| journal.progress) {
                Some(Progress::Confirmed { .. }) => {
                    pairs += 1;
                    newer_expired |= expired == Some(true);
                    expired == Some(true) && pairs > KEPT_PAIRS
                }
                Some(Progress::Ended { .. }) => {
                    home.has_receipt(number)? && expired.unwrap_or(newer_expired)
                }
                Some(
                    Progress::Began
                    | Progress::Requested { .. }
                    | Progress::Received { .. }
                    | Progress::Installed { .. },
                )
                | None => false,
            };
            if removable && current != Some(number) {
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
