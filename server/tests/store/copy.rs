//! A backup while others write, in clear and encrypted; what it leaves when it does not come about.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use koshin_server::store::Store;
use koshin_server::store::backup::{Backup, BackupError, Progress};
use koshin_server::store::encryption::{Identities, Recipient};
use koshin_server::store::sqlite::{Restore, Source, SourceError, Sqlite, restore};
use rusqlite::{Connection, OpenFlags};

use crate::bank::Bank;

/// A bank whose copy takes some steps.
async fn large() -> Bank {
    let bank = Bank::new().await;
    let other = another_process(&bank);
    other.execute("CREATE TABLE filler (x BLOB)", []).expect("a table");
    for _ in 0..10 {
        other.execute("INSERT INTO filler VALUES (zeroblob(2000000))", []).expect("a row");
    }
    bank
}

fn another_process(bank: &Bank) -> Connection {
    Connection::open(bank.store.path()).expect("a connection")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a name"));
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A backup that does this at each step, and goes on where the answer is `true`.
fn watched(
    target: &Path,
    recipients: Vec<Recipient>,
    mut step: impl FnMut(Progress) -> bool + Send + 'static,
) -> Backup {
    let progress =
        Box::new(
            move |progress| {
                if step(progress) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
        );
    Backup { target: target.to_owned(), recipients, progress }
}

fn pair() -> (Recipient, Identities) {
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string().parse().expect("a recipient");
    let identities = Identities::parse(identity.to_string().expose_secret());
    (recipient, identities.expect("an identity"))
}

fn rows(database: &Path) -> (i64, String) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let copy = Connection::open_with_flags(database, flags).expect("a database");
    let count = copy.query_row("SELECT count(*) FROM filler", [], |row| row.get(0));
    let check = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0));
    (count.expect("read"), check.expect("checked"))
}

#[tokio::test]
async fn a_backup_ends_however_often_others_write_and_is_of_one_instant() {
    let bank = large().await;
    let (target, other) = (bank.folder().join("copy.db"), another_process(&bank));
    let mut steps = 0;
    let write = move |progress: Progress| {
        steps += 1;
        assert!(steps <= 20, "it began anew: {progress:?}");
        other.execute("INSERT INTO filler VALUES (zeroblob(5000))", []).expect("not held up");
        true
    };
    bank.store.backup(watched(&target, Vec::new(), write)).await.expect("a backup");
    assert_eq!(rows(&target), (10, "ok".to_owned()));
    let (now, _) = rows(bank.store.path());
    assert!(now > 12, "others wrote between several steps: {now}");
    assert_eq!(names(bank.folder()), ["copy.db", "koshin.db", "koshin.db-shm", "koshin.db-wal"]);
}

#[tokio::test]
async fn progress_reaches_all_that_there_is_and_never_goes_back() {
    let bank = large().await;
    let (recipient, _) = pair();
    for recipients in [Vec::new(), vec![recipient]] {
        let target = bank.folder().join(format!("{}.db", recipients.len()));
        let (told, heard) = std::sync::mpsc::channel();
        let tell = move |progress| told.send(progress).is_ok();
        bank.store.backup(watched(&target, recipients, tell)).await.expect("a backup");
        let heard: Vec<Progress> = heard.iter().collect();
        assert!(heard.len() > 4, "{heard:?}");
        assert!(heard.is_sorted_by_key(|progress| progress.done), "{heard:?}");
        let last = heard[heard.len() - 1];
        assert_eq!(last.done, last.total);
    }
}

#[tokio::test]
async fn a_backup_that_is_ended_leaves_nothing_whenever_it_is() {
    let bank = large().await;
    let (recipient, _) = pair();
    let before = names(bank.folder());
    for recipients in [Vec::new(), vec![recipient]] {
        for share in [0, 40, 70, 99] {
            let target = bank.folder().join("copy.db");
            let end = move |progress: Progress| progress.done * 100 < progress.total * share;
            let ended = bank.store.backup(watched(&target, recipients.clone(), end)).await;
            assert_eq!(ended, Err(BackupError::Interrupted));
            assert_eq!(names(bank.folder()), before);
        }
    }
}

#[tokio::test]
async fn while_a_backup_is_encrypted_no_file_in_clear_has_a_name() {
    let bank = large().await;
    let folder = bank.folder().to_owned();
    let look = move |progress: Progress| {
        let expected = ["copy.age.partial", "koshin.db", "koshin.db-shm", "koshin.db-wal"];
        assert_eq!(names(&folder), expected, "{progress:?}");
        true
    };
    let target = bank.folder().join("copy.age");
    bank.store.backup(watched(&target, vec![pair().0], look)).await.expect("a backup");
    let octets = fs::read(&target).expect("read");
    assert!(octets.starts_with(b"age-encryption.org/v1\n"));
    let clear = b"CREATE TABLE";
    assert!(!octets.windows(clear.len()).any(|window| window == clear));
}

async fn encrypted(bank: &Bank, recipient: Recipient) -> PathBuf {
    let target = bank.folder().join("copy.age");
    let backup = Backup { recipients: vec![recipient], ..Backup::to(&target) };
    bank.store.backup(backup).await.expect("a backup");
    target
}

#[tokio::test]
async fn an_encrypted_backup_is_restored_by_its_identity_alone() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let (new, _) = bank.renew(&person).await;
    let ((recipient, identities), (_, stranger)) = (pair(), pair());
    let backup = encrypted(&bank, recipient).await;
    let heads = bank.export().await;
    let target = bank.folder().join("restored.db");
    let missing = Source::open(&backup, &target, None);
    assert_eq!(missing.err(), Some(SourceError::IdentityMissing(backup.clone())));
    let wrong = Source::open(&backup, &target, Some(&stranger));
    assert!(matches!(wrong, Err(SourceError::NotDecrypted { .. })), "{wrong:?}");
    let before = names(bank.folder());

    let source = Source::open(&backup, &target, Some(&identities)).expect("decrypted");
    let report = restore(&Restore {
        backup: &source,
        target: &target,
        crls: &[],
        heads: Some(&heads),
        loss_accepted_by: None,
        now: bank.now(),
    });
    report.expect("restored");
    drop(source);
    let restored = Sqlite::open(&target).expect("no copy any more");
    let holder = restored.certificate_by_fingerprint(new.fingerprint()).await.expect("read");
    assert!(holder.expect("there").certificate.state.is_current());
    drop(restored);
    let mut expected = before;
    expected.push("restored.db".to_owned());
    assert_eq!(names(bank.folder()), expected, "nothing in clear is left");
}

#[tokio::test]
async fn an_encrypted_backup_that_was_changed_or_cut_is_refused_and_leaves_nothing() {
    let bank = Bank::new().await;
    let (recipient, identities) = pair();
    let backup = encrypted(&bank, recipient).await;
    let whole = fs::read(&backup).expect("read");
    let before = names(bank.folder());
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    for damaged in [&changed[..], &whole[..whole.len() - 1], &whole[..100]] {
        fs::write(&backup, damaged).expect("written");
        let target = bank.folder().join("restored.db");
        let refused = Source::open(&backup, &target, Some(&identities));
        assert!(matches!(refused, Err(SourceError::NotDecrypted { .. })), "{refused:?}");
        assert_eq!(names(bank.folder()), before);
    }
}
