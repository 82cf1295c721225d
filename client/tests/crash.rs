//! A renewal is killed, fails and loses power at every file operation; there is a usable pair at every instant, and the
//! journal leads on to the end. Designs that are broken on purpose are caught by the same harness.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod bank;
mod broken;
mod disk;
mod undo;

use std::path::Path;
use std::sync::Arc;

use bank::{Bank, Delivery, now};
use broken::{InPlace, SwitchBeforeCheck, WithFiles};
use disk::{Disk, EINTR, EIO, ENOSPC, Fault};
use koshin_client::files::Files;
use koshin_client::identity::{Began, Generation, Identity, IdentityError, OpenGeneration};
use koshin_client::identity::{Installed, Received, Requested, Settings};
use koshin_client::import::Imported;
use koshin_client::journal::Purpose;
use koshin_client::keystore::{FileStore, PrivateKey};
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::cert_id::CertId;

const FOLDER: &str = "/id";

/// Seeds of power losses at each point; 0, 1 and 2 are the extremes. `KOSHIN_CRASH_SEEDS=100` tries more.
fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("KOSHIN_CRASH_SEEDS").ok().and_then(|number| number.parse().ok());
    0..wanted.unwrap_or(6)
}

/// A way to renew, to be judged.
trait Design {
    /// One life of the program: opens the folder, takes up what is open or begins, and goes on to the end.
    fn live(&self, disk: &Disk, bank: &Bank) -> Result<(), String>;

    /// Whether what was wanted has come about.
    fn is_done(&self, _: &Disk, bank: &Bank) -> bool {
        bank.is_confirmed()
    }
}

/// The client's own.
struct Koshin;

impl Design for Koshin {
    fn live(&self, disk: &Disk, bank: &Bank) -> Result<(), String> {
        renew(Arc::new(disk.clone()), bank).map_err(|error| error.to_string())
    }
}

fn open(files: Arc<dyn Files>) -> Result<Identity, IdentityError> {
    Identity::open(files, Arc::new(FileStore::plain()), Path::new(FOLDER))
}

/// One life of a client on some files.
fn renew(files: Arc<dyn Files>, bank: &Bank) -> Result<(), IdentityError> {
    let identity = open(files)?;
    let current = identity.current()?.expect("a pair at every instant");
    match identity.resume()?.pop() {
        None if current.certificate != *bank.old() => Ok(()),
        open => confirm(install(&identity, open, bank)?, bank),
    }
}

/// Takes up what is open, or begins, up to the switch.
fn install(
    identity: &Identity,
    open: Option<OpenGeneration>,
    bank: &Bank,
) -> Result<Generation<Installed>, IdentityError> {
    let purpose = Purpose::Renewal { replaces: CertId::of(bank.old()) };
    let anchors = identity.anchors()?;
    let expected = bank.expected(&anchors);
    let request = |began: Generation<Began>| {
        let order = bank.order(began.csr());
        began.requested(order)
    };
    let fetch = |requested: Generation<Requested>| {
        let chain = bank.certificate(requested.order());
        requested.received(chain, expected)
    };
    let received: Generation<Received> = match open {
        None => fetch(request(identity.begin(purpose, bank.subject(), KeyType::P256, now())?)?)?,
        Some(OpenGeneration::LoneKey(lone)) => {
            fetch(request(lone.adopted(purpose, bank.subject(), now())?)?)?
        }
        Some(OpenGeneration::Began(began)) => fetch(request(began)?)?,
        Some(OpenGeneration::Requested(requested)) => fetch(requested)?,
        Some(OpenGeneration::Received(received)) => received,
        Some(OpenGeneration::Installed(installed)) => return Ok(installed),
        Some(other @ (OpenGeneration::LostKey(_) | OpenGeneration::RollingBack(_))) => {
            panic!("nothing led to {other:?}")
        }
    };
    received.installed(expected)
}

fn confirm(installed: Generation<Installed>, bank: &Bank) -> Result<(), IdentityError> {
    bank.confirm(&installed.chain()[0]);
    installed.confirmed().map(drop)
}

/// A disk with an identity whose imported pair is current, all of it durable.
fn prepared(bank: &Bank) -> Disk {
    let disk = Disk::new();
    let settings = Settings {
        name: "taro".to_owned(),
        directory: "https://bank.example/directory".parse().unwrap(),
        key_store: "file".to_owned(),
        trust: "trust.pem".into(),
        tls_trust: None,
        tls_pins: Vec::new(),
    };
    let files: Arc<dyn Files> = Arc::new(disk.clone());
    let keys = Arc::new(FileStore::plain());
    let identity = Identity::create(files, keys, Path::new(FOLDER), settings).unwrap();
    let trust = koshin_client::pem::write("CERTIFICATE", bank.root().der());
    let entry = koshin_client::files::durable::Entry {
        name: "trust.pem",
        content: trust.as_bytes(),
        access: koshin_client::files::Access::Public,
    };
    koshin_client::files::durable::put(&disk, Path::new(FOLDER), &[entry]).unwrap();
    let key = PrivateKey::from_pkcs8_der(bank.old_key()).unwrap();
    let chain = vec![bank.old().clone()];
    identity.import(Imported { key, chain }, now()).unwrap();
    drop(identity);
    // Everything that create, put and import returned from is durable.
    disk.lose_power(0);
    disk
}

/// What was found at the points of one campaign.
#[derive(Debug, Default)]
struct Report {
    points: usize,
    lost: Vec<String>,
}

/// Kinds of faults, each at every point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Killed,
    PowerLost,
    Failed(i32),
}

/// Lives through a renewal once for every operation, with a fault there.
fn campaign(design: &dyn Design, delivery: Delivery, kind: Kind) -> Report {
    campaign_after(design, delivery, kind, None)
}

/// The same, in the second life: the first one ended by itself, or with a fault at an operation, and a loss of power.
fn campaign_after(
    design: &dyn Design,
    delivery: Delivery,
    kind: Kind,
    first: Option<(usize, Fault)>,
) -> Report {
    let bank = Bank::new(delivery);
    let prepared = prepared(&bank);
    let mut report = Report::default();
    for at in 0.. {
        let mut reached = false;
        // After an error without and with a power loss; a kill has only the former, a power loss only the latter.
        let endings: Vec<Option<u64>> = match kind {
            Kind::Killed => vec![None],
            Kind::PowerLost => seeds().map(Some).collect(),
            Kind::Failed(_) => vec![None, Some(0), Some(3)],
        };
        for ending in endings {
            let bank = bank.again();
            let disk = prepared.copy();
            bank.watch(&disk);
            if let Some((at, fault)) = first {
                disk.plan(at, fault);
                design.live(&disk, &bank).ok();
                disk.lose_power(3 + ending.unwrap_or_default());
            }
            disk.plan(
                at,
                match kind {
                    Kind::Killed | Kind::PowerLost => Fault::Stop,
                    Kind::Failed(number) => Fault::Error(number),
                },
            );
            let outcome = design.live(&disk, &bank);
            let log = disk.log();
            reached |= log.len() > at;
            match ending {
                None => disk.restart(),
                Some(seed) => disk.lose_power(seed),
            }
            let point = || {
                let operation = log.get(at).map_or("the end", String::as_str);
                format!("{kind:?} at {operation}, then power loss {ending:?}: {outcome:?}")
            };
            report.points += 1;
            if let Err(loss) = judge(design, &disk, &bank) {
                report.lost.push(format!("{}: {loss}", point()));
            }
        }
        if !reached {
            break;
        }
    }
    report
}

/// What must hold after a fault: a usable pair now, every ordered key, and a way to the end, which is durable itself.
fn judge(design: &dyn Design, disk: &Disk, bank: &Bank) -> Result<(), String> {
    bank.usable(disk)?;
    bank.ordered_keys_are_on(disk)?;
    bank.complaint()?;
    for _ in 0..3 {
        let outcome = design.live(disk, bank);
        disk.restart();
        bank.usable(disk)?;
        bank.complaint()?;
        if outcome.is_ok() {
            break;
        }
    }
    disk.lose_power(0);
    bank.usable(disk)?;
    // A life that was stopped right at its end left its last word visible, not durable: it is said again.
    design.live(disk, bank)?;
    if design.is_done(disk, bank) { Ok(()) } else { Err("it never came to its end".to_owned()) }
}

/// Kinds that differ in what they leave; full disks and interruptions are tried in the plain renewal.
fn kinds() -> [Kind; 3] {
    [Kind::Killed, Kind::PowerLost, Kind::Failed(EIO)]
}

fn assert_nothing_lost(report: &Report) {
    println!("{} points, {} lost", report.points, report.lost.len());
    assert!(
        report.lost.is_empty(),
        "{} of {}:\n{}",
        report.lost.len(),
        report.points,
        report.lost.join("\n")
    );
}

#[test]
fn a_renewal_that_meets_no_fault_completes() {
    let bank = Bank::new(Delivery::Right);
    let disk = prepared(&bank);
    bank.watch(&disk);
    disk.count();
    Koshin.live(&disk, &bank).unwrap();
    bank.complaint().unwrap();
    assert!(bank.is_confirmed());
    println!("{} operations", disk.log().len());
    let current = open(Arc::new(disk.clone())).unwrap().current().unwrap().unwrap();
    assert_ne!(current.certificate, *bank.old());
    assert_eq!(open(Arc::new(disk)).unwrap().pairs().unwrap().len(), 2, "the old pair stays");
}

// [CLI-11] [CLI-64]
#[test]
fn killed_at_every_operation_nothing_is_lost() {
    assert_nothing_lost(&campaign(&Koshin, Delivery::Right, Kind::Killed));
}

// [CLI-10] [CLI-11] [CLI-64]
#[test]
fn power_lost_at_every_operation_nothing_is_lost() {
    assert_nothing_lost(&campaign(&Koshin, Delivery::Right, Kind::PowerLost));
}

// [CLI-14]
#[test]
fn every_operation_fails_once_and_nothing_is_lost() {
    for number in [EIO, ENOSPC, EINTR] {
        assert_nothing_lost(&campaign(&Koshin, Delivery::Right, Kind::Failed(number)));
    }
}

#[test]
fn a_bank_that_delivers_a_foreign_certificate_first_costs_nothing_at_any_operation() {
    for kind in kinds() {
        assert_nothing_lost(&campaign(&Koshin, Delivery::ForeignFirst, kind));
    }
}

#[test]
fn the_life_after_a_foreign_certificate_is_stopped_as_well() {
    for kind in kinds() {
        let first = Some((usize::MAX, Fault::Stop));
        assert_nothing_lost(&campaign_after(&Koshin, Delivery::ForeignFirst, kind, first));
    }
}

#[test]
fn a_second_fault_in_the_life_that_takes_up_the_work_of_the_first_loses_nothing() {
    for at in (14..62).step_by(16) {
        for fault in [Fault::Stop, Fault::Error(EIO)] {
            let first = Some((at, fault));
            for kind in [Kind::Killed, Kind::Failed(EIO)] {
                assert_nothing_lost(&campaign_after(&Koshin, Delivery::Right, kind, first));
            }
        }
    }
}

// [CLI-80]
#[test]
fn a_cancel_is_stopped_at_every_operation_and_nothing_is_lost() {
    for kind in kinds() {
        assert_nothing_lost(&campaign(&undo::Canceling, Delivery::Right, kind));
    }
}

// [CLI-82]
#[test]
fn a_rollback_is_stopped_at_every_operation_and_nothing_is_lost() {
    for kind in kinds() {
        assert_nothing_lost(&campaign(&undo::RollingBack, Delivery::Right, kind));
    }
}

/// How many points left the user without a pair that works, apart from those that were only about to.
fn pairs_lost(report: &Report) -> usize {
    let lost = report.lost.iter().filter(|loss| loss.contains("of current")).count();
    println!("{} points, {} faults seen, {lost} pairs lost", report.points, report.lost.len());
    lost
}

#[test]
fn without_any_sync_power_loss_loses_pairs_and_kills_do_not() {
    let design = WithFiles(broken::NoSync);
    assert_eq!(pairs_lost(&campaign(&design, Delivery::Right, Kind::Killed)), 0);
    let lost = pairs_lost(&campaign(&design, Delivery::Right, Kind::PowerLost));
    assert!(lost > 0, "the harness does not see missing syncs");
}

#[test]
fn repeating_a_failed_sync_loses_pairs() {
    let design = WithFiles(broken::SyncAgain);
    let lost = pairs_lost(&campaign(&design, Delivery::Right, Kind::Failed(EIO)));
    assert!(lost > 0, "the harness does not see a repeated sync");
}

#[test]
fn switching_before_the_check_loses_pairs_by_kills_alone() {
    let report = campaign(&SwitchBeforeCheck, Delivery::ForeignFirst, Kind::Killed);
    assert!(pairs_lost(&report) > 0, "{report:?}");
}

#[test]
fn writing_in_place_loses_pairs_by_kills_alone() {
    let report = campaign(&InPlace, Delivery::Right, Kind::Killed);
    assert!(pairs_lost(&report) > 0, "{report:?}");
}
