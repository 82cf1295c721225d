//! Renewals that are undone: canceled when installed, and rolled back when confirmed.

use std::sync::Arc;

use koshin_client::files::Files;
use koshin_client::identity::{Generation, IdentityError, Installed, OpenGeneration};
use koshin_client::journal::{Ending, Intent};
use koshin_protocol::cert_id::CertId;

use super::bank::{Bank, Undone};
use super::disk::Disk;
use super::{Design, confirm, install, open};

/// Installs, then cancels: back to the old pair first, then the bank is told.
pub(crate) struct Canceling;

impl Design for Canceling {
    fn live(&self, disk: &Disk, bank: &Bank) -> Result<(), String> {
        cancel(Arc::new(disk.clone()), bank).map_err(|error| error.to_string())
    }

    fn is_done(&self, disk: &Disk, bank: &Bank) -> bool {
        bank.undone() == Some(Undone::Canceled) && nothing_is_open(disk, bank)
    }
}

fn cancel(files: Arc<dyn Files>, bank: &Bank) -> Result<(), IdentityError> {
    let identity = open(files)?;
    let installed: Generation<Installed> = match identity.resume()?.pop() {
        None if bank.undone().is_some() => return Ok(()),
        next => install(&identity, next, bank)?,
    };
    let installed = match installed.intent() {
        Intent::Cancel => installed,
        Intent::Complete | Intent::RollBack | Intent::StartOver => {
            installed.intend(Intent::Cancel)?
        }
    };
    identity.switch_to(&CertId::of(bank.old()))?;
    bank.cancel();
    installed.ended(Ending::Canceled)
}

/// Renews, then rolls back: the bank is told first, then back to the old pair.
pub(crate) struct RollingBack;

impl Design for RollingBack {
    fn live(&self, disk: &Disk, bank: &Bank) -> Result<(), String> {
        roll_back(Arc::new(disk.clone()), bank).map_err(|error| error.to_string())
    }

    fn is_done(&self, disk: &Disk, bank: &Bank) -> bool {
        bank.undone() == Some(Undone::RolledBack) && nothing_is_open(disk, bank)
    }
}

fn roll_back(files: Arc<dyn Files>, bank: &Bank) -> Result<(), IdentityError> {
    let identity = open(files)?;
    let rolling = match identity.resume()?.pop() {
        None if bank.undone().is_some() => return Ok(()),
        Some(OpenGeneration::RollingBack(rolling)) => rolling,
        next => {
            let confirmed = if let Some((confirmed, _)) = identity.confirmed()? {
                confirmed
            } else {
                confirm(install(&identity, next, bank)?, bank)?;
                identity.confirmed()?.expect("it was just confirmed").0
            };
            confirmed.intend(Intent::RollBack)?
        }
    };
    bank.roll_back();
    identity.switch_to(&CertId::of(bank.old()))?;
    rolling.ended(Ending::RolledBack)
}

/// The old pair is current again, and a next life finds nothing to do.
fn nothing_is_open(disk: &Disk, bank: &Bank) -> bool {
    let identity = open(Arc::new(disk.copy())).ok();
    identity.is_some_and(|identity| {
        let current = identity.current().ok().flatten();
        current.is_some_and(|current| current.certificate == *bank.old())
            && identity.resume().is_ok_and(|open| open.is_empty())
    })
}
