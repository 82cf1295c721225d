//! One identity's folder, as it is: looked at without the bank, and without changing anything.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use koshin_client::files::Real;
use koshin_client::identity::{Identity, IdentityError, Settings};
use koshin_client::journal::{Intent, Journal, Progress};
use koshin_client::keystore::{KeyStore, KeyStoreError, Slot, file, pkcs12};
use koshin_client::pem;
use koshin_client::transport::Pin;
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::time::Time;

use super::finding::Finding;
use super::machine;

/// What the checks of the bank go on with.
pub(crate) struct Local {
    pub(crate) settings: Settings,
    pub(crate) anchors: Vec<Certificate>,
    pub(crate) tls_anchors: Option<Vec<Certificate>>,
    pub(crate) current: Option<Certificate>,
    /// What the current key signs with.
    pub(crate) algorithm: Option<Algorithm>,
}

/// Looks at an identity's folder. `keys` opens its key store.
pub(crate) fn check(
    folder: &Path,
    keys: impl FnOnce(&Settings) -> Result<Arc<dyn KeyStore>, String>,
    now: Time,
    found: &mut Vec<Finding>,
) -> Option<Local> {
    let settings = match Settings::read(&Real, folder) {
        Ok(settings) => settings,
        Err(error) => {
            found.push(Finding::SettingsBad { detail: error.to_string() });
            return None;
        }
    };
    found.push(Finding::Settings { directory: settings.directory.to_string() });
    permissions(folder, found);
    if let problem @ Finding::HomeNotWritable { .. } = machine::writable(folder) {
        found.push(problem);
    }
    let anchors = trust(&settings, folder, now, found);
    let tls_anchors = tls(&settings, folder, found);
    journals(folder, found);
    let current = match keys(&settings) {
        Ok(keys) => {
            lock(folder, &keys, found);
            pair(folder, &settings, &*keys, found)
        }
        Err(detail) => {
            found.push(Finding::KeyClosed { detail });
            None
        }
    };
    let (current, algorithm) = current.unzip();
    let algorithm = algorithm.flatten();
    Some(Local { settings, anchors, tls_anchors, current, algorithm })
}

fn permissions(folder: &Path, found: &mut Vec<Finding>) {
    let mode = |path: &Path| fs::metadata(path).map(|file| file.mode() & 0o7777);
    match mode(folder) {
        Ok(mode) if mode & 0o077 != 0 => {
            found.push(Finding::FolderOpen { folder: folder.to_owned(), mode });
        }
        _ => found.push(Finding::FolderClosed),
    }
    let (mut count, before) = (0, found.len());
    for number in numbers(folder) {
        for name in [file::KEY_FILE, pkcs12::KEY_FILE] {
            let path = generation(folder, number).join(name);
            match mode(&path) {
                Ok(mode) if mode & 0o077 != 0 => found.push(Finding::KeyOpen { path, mode }),
                Ok(_) => count += 1,
                Err(_) => {}
            }
        }
    }
    if found.len() == before && count > 0 {
        found.push(Finding::KeysClosed { count });
    }
}

fn trust(
    settings: &Settings,
    folder: &Path,
    now: Time,
    found: &mut Vec<Finding>,
) -> Vec<Certificate> {
    let anchors = match settings.anchors(&Real, folder) {
        Ok(anchors) => anchors,
        Err(error) => {
            found.push(Finding::TrustBad { detail: error.to_string() });
            return Vec::new();
        }
    };
    // One of several is enough.
    let until = anchors.iter().map(Certificate::not_after).max().unwrap_or(now);
    found.push(if until < now {
        Finding::TrustExpired { path: folder.join(&settings.trust), until }
    } else {
        Finding::Trust { count: anchors.len(), until }
    });
    anchors
}

/// The roots for TLS, none for the system's; `None` if they cannot be used.
fn tls(settings: &Settings, folder: &Path, found: &mut Vec<Finding>) -> Option<Vec<Certificate>> {
    let bad = settings.tls_pins.iter().find(|pin| pin.parse::<Pin>().is_err());
    match bad {
        Some(pin) => found.push(Finding::PinBad { pin: pin.clone() }),
        None if settings.tls_pins.is_empty() => {}
        None => found.push(Finding::Pins { count: settings.tls_pins.len() }),
    }
    match settings.tls_anchors(&Real, folder) {
        Ok(anchors) => {
            found.push(match anchors.len() {
                0 => Finding::TlsSystem,
                count => Finding::Tls { count },
            });
            bad.is_none().then_some(anchors)
        }
        Err(error) => {
            found.push(Finding::TlsBad { detail: error.to_string() });
            None
        }
    }
}

fn lock(folder: &Path, keys: &Arc<dyn KeyStore>, found: &mut Vec<Finding>) {
    match Identity::open(Arc::new(Real), Arc::clone(keys), folder) {
        Err(IdentityError::Locked { .. }) => found.push(Finding::Locked),
        Ok(_) => found.push(Finding::Unlocked),
        Err(error) => found.push(Finding::SettingsBad { detail: error.to_string() }),
    }
}

fn journals(folder: &Path, found: &mut Vec<Finding>) {
    let before = found.len();
    for number in numbers(folder) {
        match Journal::read(&Real, &generation(folder, number)) {
            Ok(Some(journal)) if is_open(&journal) => {
                found.push(Finding::Unfinished { generation: number, begun: journal.begun });
            }
            Ok(_) => {}
            Err(error) => found.push(Finding::JournalBad { detail: error.to_string() }),
        }
    }
    if found.len() == before {
        found.push(Finding::Finished);
    }
}

fn is_open(journal: &Journal) -> bool {
    match &journal.progress {
        Progress::Began
        | Progress::Requested { .. }
        | Progress::Received { .. }
        | Progress::Installed { .. } => true,
        Progress::Confirmed { .. } => journal.intent != Intent::Complete,
        Progress::Ended { .. } => false,
    }
}

/// The pair that `current` points to: its certificate, if its key fits or is closed to us, and what the key signs with.
fn pair(
    folder: &Path,
    settings: &Settings,
    keys: &dyn KeyStore,
    found: &mut Vec<Finding>,
) -> Option<(Certificate, Option<Algorithm>)> {
    let target = fs::read_link(folder.join("current")).ok();
    let number = target.and_then(|target| target.file_name()?.to_str()?.parse::<u64>().ok());
    let Some(number) = number else {
        found.push(Finding::NoPair);
        return None;
    };
    let mut broken = |detail: String| {
        found.push(Finding::PairBroken { generation: number, detail });
        None
    };
    let place = generation(folder, number);
    let certificate = match certificate(&place.join("certificate.pem")) {
        Ok(certificate) => certificate,
        Err(detail) => return broken(detail),
    };
    let label = format!("koshin {} {number}", settings.name);
    let slot = Slot { files: &Real, folder: &place, label: &label };
    match keys.signer(slot) {
        Ok(Some(signer)) if signer.public_key() == certificate.key() => {
            let subject = certificate.subject().to_string();
            found.push(Finding::Pair { generation: number, subject });
            Some((certificate, Some(signer.algorithm())))
        }
        Ok(Some(_)) => broken("the key is not that of the certificate".to_owned()),
        Ok(None) => broken("there is no key".to_owned()),
        Err(
            error @ (KeyStoreError::Permissions { .. }
            | KeyStoreError::PassphraseMissing { .. }
            | KeyStoreError::PassphraseWrong { .. }),
        ) => {
            found.push(Finding::KeyClosed { detail: error.to_string() });
            Some((certificate, None))
        }
        Err(error) => broken(error.to_string()),
    }
}

fn certificate(path: &Path) -> Result<Certificate, String> {
    let failed = |detail: String| format!("{}: {detail}", path.display());
    let content = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let sections = pem::sections(&content).map_err(|error| failed(error.to_string()))?;
    let first =
        sections.first().ok_or_else(|| failed("there is no certificate in it".to_owned()))?;
    Certificate::from_der(&first.der).map_err(|error| failed(error.to_string()))
}

fn generation(folder: &Path, number: u64) -> PathBuf {
    folder.join("generations").join(number.to_string())
}

/// The numbers of the generations, ascending.
fn numbers(folder: &Path) -> Vec<u64> {
    let entries = fs::read_dir(folder.join("generations")).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut numbers = numbers.collect::<Vec<_>>();
    numbers.sort_unstable();
    numbers
}
