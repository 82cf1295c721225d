//! The tool `age` (Debian's package `age`) reads what `backup` encrypts, and `restore` reads what the tool encrypts.

use std::fs;
use std::process::Command;

use crate::Case;
use crate::bank::Bank;

pub const CASES: &[Case] = &[
    ("age_decrypts_an_encrypted_backup_to_the_database", &["age", "age-keygen"], decrypts),
    ("a_backup_that_age_encrypted_is_restored", &["age", "age-keygen"], encrypts),
];

/// Runs a tool in the bank's folder; the answer is what it printed.
fn tool(bank: &Bank, program: &str, arguments: &[&str]) -> String {
    let ran = Command::new(program).args(arguments).current_dir(bank.folder()).output();
    let ran = ran.expect("the tool");
    assert!(ran.status.success(), "{program} {arguments:?}: {ran:?}");
    String::from_utf8(ran.stdout).expect("UTF-8").trim().to_owned()
}

/// Makes the file `identity`; the answer is its recipient.
fn identity(bank: &Bank) -> String {
    tool(bank, "age-keygen", &["-o", "identity"]);
    tool(bank, "age-keygen", &["-y", "identity"])
}

fn decrypts() {
    let bank = Bank::new();
    let recipient = identity(&bank);
    assert_eq!(bank.run(&["backup", "backup.db"]).code, 0);
    assert_eq!(bank.run(&["backup", "backup.age", "--encrypt-to", &recipient]).code, 0);
    tool(&bank, "age", &["--decrypt", "-i", "identity", "-o", "decrypted.db", "backup.age"]);
    let read = |name: &str| fs::read(bank.path(name)).expect("read");
    assert_eq!(read("decrypted.db"), read("backup.db"), "nothing was written between the two");
}

fn encrypts() {
    for form in [&[][..], &["--armor"][..]] {
        let bank = Bank::new();
        let recipient = identity(&bank);
        let hanako = bank.first("hanako");
        assert_eq!(bank.run(&["backup", "backup.db"]).code, 0);
        assert_eq!(bank.run(&["crl", "--out", "latest.crl"]).code, 0);
        let to = ["-r", &recipient, "-o", "backup.age", "backup.db"];
        tool(&bank, "age", &[form, &to].concat());
        bank.remove_database();
        let restore = ["restore", "backup.age", "--crl", "latest.crl", "--accept-loss"];
        bank.by(&hanako, &restore).failed(2, "--identity");
        let restore = [&restore[..], &["--identity", "identity"]].concat();
        assert_eq!(bank.by(&hanako, &restore).code, 0);
        assert_eq!(bank.serve().stop(), Some(0));
    }
}
