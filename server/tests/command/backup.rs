//! `backup` and `restore`: whose files they make, what they refuse, what they leave behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use age::secrecy::ExposeSecret;

use crate::bank::Bank;
use crate::customer::Customer;

fn mode(path: &Path) -> u32 {
    let file = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a name"));
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // The database's log comes and goes.
    names.retain(|name| !name.starts_with("koshin.db-"));
    names.sort();
    names
}

/// An identity file; the answer is its recipient.
fn identity(bank: &Bank, name: &str) -> String {
    let identity = age::x25519::Identity::generate();
    bank.secret(name, &format!("# a test's\n{}\n", identity.to_string().expose_secret()));
    identity.to_public().to_string()
}

#[test]
fn database_backup_and_restored_database_are_their_owners_alone_whatever_the_umask() {
    let bank = Bank::new();
    let lax = |arguments: &str| {
        let ran = bank.shell(&format!("umask 000; exec \"$0\" {arguments}"));
        assert_eq!(ran.code, 0, "{arguments}: {ran:?}");
        ran
    };
    lax("init lax --plain-http --testing --listen 127.0.0.1:0 --origin http://localhost");
    assert_eq!(mode(&bank.path("lax/data")), 0o700);
    assert_eq!(mode(&bank.path("lax/data/koshin.db")), 0o600);
    let hanako = bank.first("hanako");
    let recipient = identity(&bank, "identity");
    let served = bank.serve_lax();
    for file in ["koshin.db", "koshin.db-wal", "koshin.db-shm"] {
        assert_eq!(mode(&bank.path(&format!("bank/data/{file}"))), 0o600, "{file}");
    }
    drop(served);
    lax("backup backup.db");
    lax(&format!("backup backup.age --encrypt-to {recipient}"));
    lax("crl --out latest.crl");
    for file in ["backup.db", "backup.age"] {
        assert_eq!(mode(&bank.path(file)), 0o600, "{file}");
        bank.remove_database();
        let restore = format!(
            "restore {file} --identity identity --crl latest.crl --accept-loss --operator hanako"
        );
        let script = format!(
            "umask 000; KOSHIN_OPERATOR_CREDENTIAL='{}' exec \"$0\" {restore}",
            hanako.credential
        );
        let ran = bank.shell(&script);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(mode(&bank.path("bank/data/koshin.db")), 0o600, "from {file}");
    }
}

#[test]
fn a_file_that_exists_is_refused_and_stays() {
    let bank = Bank::new();
    fs::write(bank.path("backup.db"), "another's").expect("written");
    bank.run(&["backup", "backup.db"]).failed(3, "a backup never overwrites");
    assert_eq!(fs::read_to_string(bank.path("backup.db")).expect("read"), "another's");
    std::os::unix::fs::symlink("nowhere", bank.path("link.db")).expect("a link");
    bank.run(&["backup", "link.db"]).failed(3, "a backup never overwrites");
}

#[test]
fn a_backup_that_cannot_be_written_says_why_and_leaves_nothing() {
    let bank = Bank::new();
    let recipient = identity(&bank, "identity");
    let before = (names(bank.folder()), names(&bank.path("bank/data")));
    bank.run(&["backup", "missing/backup.db"]).failed(1, "missing/backup.db: No such file");
    for encrypt in [String::new(), format!("--encrypt-to {recipient}")] {
        // As on a disk that is full: so many blocks of 512 octets, and no signal for one more.
        let script = format!("trap '' XFSZ; ulimit -f 128; exec \"$0\" backup backup.db {encrypt}");
        let ran = bank.shell(&script);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains("backup.db") || ran.err.contains("koshin.db.copy"), "{ran:?}");
        assert_eq!((names(bank.folder()), names(&bank.path("bank/data"))), before);
    }
    let served = bank.serve();
    assert_eq!(served.stop(), Some(0), "the bank goes on");
}

#[test]
fn an_interrupted_backup_leaves_nothing_under_any_name() {
    let bank = Bank::new();
    let recipient = identity(&bank, "identity");
    let filler = rusqlite::Connection::open(bank.path("bank/data/koshin.db")).expect("opened");
    filler
        .execute_batch(
            "CREATE TABLE filler (x BLOB); INSERT INTO filler VALUES (zeroblob(90000000))",
        )
        .expect("filled");
    drop(filler);
    let before = (names(bank.folder()), names(&bank.path("bank/data")));
    let partial = bank.path("backup.age.partial");
    let mut child = bank.begin(&["backup", "backup.age", "--json", "--encrypt-to", &recipient]);
    while !partial.exists() {
        assert_eq!(child.try_wait().expect("it runs"), None);
        std::thread::yield_now();
    }
    let ran = Bank::interrupt(child);
    ran.failed(130, "\"error\":\"interrupted\"");
    assert_eq!(ran.out, "");
    assert_eq!((names(bank.folder()), names(&bank.path("bank/data"))), before);
}

#[test]
fn an_encrypted_backup_asks_for_its_identity_and_the_restored_bank_serves() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let customer = Customer::of(&bank, None);
    let (recipient, _) = (identity(&bank, "identity"), identity(&bank, "stranger"));
    fs::write(bank.path("recipients"), format!("# ours\n{recipient}\n")).expect("written");
    let made = bank.run(&["backup", "backup.age", "--encrypt-to-file", "recipients", "--json"]);
    assert_eq!(made.json()["encrypted"], true);
    assert_eq!(bank.run(&["crl", "--out", "latest.crl"]).code, 0);
    bank.remove_database();
    let restore = |identity: &[&str]| {
        let restore = ["restore", "backup.age", "--crl", "latest.crl", "--accept-loss"];
        bank.by(&hanako, &[&restore[..], identity].concat())
    };
    restore(&[]).failed(2, "--identity");
    restore(&["--identity", "stranger"]).failed(3, "none of these identities");
    fs::set_permissions(bank.path("stranger"), fs::Permissions::from_mode(0o644)).expect("chmod");
    restore(&["--identity", "stranger"]).failed(2, "run chmod 600");
    restore(&["--identity", "recipients"]).failed(2, "");
    let whole = fs::read(bank.path("backup.age")).expect("read");
    fs::write(bank.path("backup.age"), &whole[..whole.len() - 9]).expect("cut");
    restore(&["--identity", "identity"]).failed(3, "its end is missing");
    fs::write(bank.path("backup.age"), &whole).expect("whole again");
    assert!(!bank.path("bank/data/koshin.db").exists());
    assert_eq!(restore(&["--identity", "identity"]).code, 0);
    let left = names(&bank.path("bank/data"));
    assert!(left.iter().all(|name| !name.contains("decrypted")), "{left:?}");
    let served = bank.serve();
    assert_eq!(customer.log_on(&served, None).status, 201);
}

#[test]
fn what_is_no_recipient_is_a_usage_error_before_anything_is_written() {
    let bank = Bank::new();
    bank.run(&["backup", "backup.age", "--encrypt-to", "age1nobody"]).failed(2, "no age recipient");
    fs::write(bank.path("recipients"), "# nobody\n").expect("written");
    let nobody = ["backup", "backup.age", "--encrypt-to-file", "recipients"];
    bank.run(&nobody).failed(2, "there is no recipient in it");
    assert!(!bank.path("backup.age").exists());
}
