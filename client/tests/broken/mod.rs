//! Designs that are broken on purpose, as proof that the harness sees it.

#![allow(clippy::unwrap_used, reason = "a broken invariant of the harness is a failed test")]

mod files;

use std::io;
use std::path::Path;
use std::sync::Arc;

use koshin_client::files::durable::{self, Entry};
use koshin_client::files::{Access, Files};
use koshin_client::keystore::PrivateKey;
use koshin_client::pem;
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::csr::Csr;
use koshin_protocol::sign::Signer;

use self::files::BrokenFiles;
pub(crate) use self::files::{NoSync, SyncAgain, Syncs};
use super::bank::Bank;
use super::disk::Disk;
use super::{Design, FOLDER, renew};

/// The client's own design on a seam with broken syncs.
pub(crate) struct WithFiles<S>(pub S);

impl<S: Syncs> Design for WithFiles<S> {
    fn live(&self, disk: &Disk, bank: &Bank) -> Result<(), String> {
        let files = BrokenFiles { files: disk.clone(), syncs: self.0 };
        // A key that is gone is what this is about; the harness's own look at the disk says so.
        let life = || renew(Arc::new(files.clone()), bank).map_err(|error| error.to_string());
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(life))
            .unwrap_or_else(|_| Err("no pair at all".to_owned()))
    }
}

/// Generations, syncs, everything, but `current` is switched first and the certificate checked then.
pub(crate) struct SwitchBeforeCheck;

impl Design for SwitchBeforeCheck {
    fn live(&self, disk: &Disk, bank: &Bank) -> Result<(), String> {
        switch_before_check(disk, bank).map_err(|error| error.to_string())
    }
}

fn switch_before_check(disk: &Disk, bank: &Bank) -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(FOLDER);
    let folder = root.join("generations/2");
    if disk.list(&folder).is_err() {
        durable::make_folder(disk, &root.join("generations"), "2")?;
    }
    let key = if let Ok(content) = disk.read(&folder.join("key.pem")) {
        PrivateKey::from_pkcs8_der(&pem::sections(&content)?[0].der)?
    } else {
        let key = PrivateKey::generate(KeyType::P256)?;
        put(disk, &folder, "key.pem", &pem::write("PRIVATE KEY", key.pkcs8_der()))?;
        key
    };
    let order = bank.order(&Csr::make(bank.subject(), &key)?);
    let chain = bank.certificate(&order);
    put(disk, &folder, "certificate.pem", &pem::write("CERTIFICATE", chain[0].der()))?;
    durable::switch(disk, root, "current", Path::new("generations/2"))?;
    if chain[0].key() != key.public_key() {
        durable::switch(disk, root, "current", Path::new("generations/1"))?;
        return Err("a foreign certificate".into());
    }
    bank.confirm(&chain[0]);
    Ok(())
}

/// One folder, whose key and certificate are overwritten.
pub(crate) struct InPlace;

impl Design for InPlace {
    fn live(&self, disk: &Disk, bank: &Bank) -> Result<(), String> {
        in_place(disk, bank).map_err(|error| error.to_string())
    }
}

fn in_place(disk: &Disk, bank: &Bank) -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(FOLDER).join("generations/1");
    let key = PrivateKey::generate(KeyType::P256)?;
    let order = bank.order(&Csr::make(bank.subject(), &key)?);
    let chain = bank.certificate(&order);
    overwrite(disk, &folder.join("key.pem"), &pem::write("PRIVATE KEY", key.pkcs8_der()))?;
    overwrite(disk, &folder.join("certificate.pem"), &pem::write("CERTIFICATE", chain[0].der()))?;
    bank.confirm(&chain[0]);
    Ok(())
}

fn put(
    disk: &Disk,
    folder: &Path,
    name: &str,
    content: &str,
) -> Result<(), koshin_client::files::FileError> {
    let entry = Entry { name, content: content.as_bytes(), access: Access::Private };
    durable::put(disk, folder, &[entry])
}

fn overwrite(disk: &Disk, path: &Path, content: &str) -> io::Result<()> {
    disk.remove_file(path)?;
    let mut file = disk.create(path, Access::Private)?;
    file.write(content.as_bytes())?;
    file.sync()?;
    disk.sync_folder(path.parent().unwrap())
}
