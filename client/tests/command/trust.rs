//! Whoever answers and cannot prove that it is the bank.

use std::fs;

use crate::bank::{Bank, PIN};

// [HTP-02]
#[test]
fn whoever_cannot_prove_to_be_the_bank_is_sent_nothing_and_somebody_has_to_act() {
    let (bank, other) = (Bank::open_tls(), Bank::open_tls());
    let user = bank.newcomer("user", 20);
    let (own, others) = (bank.roots(), other.roots());
    let (own, others) = (own.to_str().unwrap(), others.to_str().unwrap());
    // What is not trusted on importing is told, and mended by the same command with what it asks for.
    let imported = user.import(&["key.pem", "certificate.pem"]).done();
    assert!(imported.out.contains("--tls-trust"), "{imported:?}");
    user.import(&["--tls-trust", others, "key.pem", "certificate.pem"]).done();
    let before = bank.requests();
    for command in [&["renew", "--yes"][..], &["defer"], &["revoke", "--yes"]] {
        let ran = user.with_pin(command);
        ran.failed(11, "comes from nobody who is trusted here");
        ran.failed(11, &user.directory);
    }
    let last = user.with_pin(&["renew", "--yes", "--json", "--lang", "ja"]).last();
    assert_eq!((&last["class"], &last["exitCode"]), (&"act".into(), &11.into()));
    assert!(last["message"].as_str().unwrap().contains("--tls-trust で指定"), "{last}");
    assert_eq!(bank.requests(), before);
    user.import(&["--tls-trust", own, "key.pem", "certificate.pem"]).done();
    user.with_pin(&["renew", "--yes"]).done();
}

#[test]
fn pins_of_a_later_import_count_and_what_is_no_pin_changes_nothing() {
    let bank = Bank::open_tls();
    let user = bank.newcomer("user", 20);
    let (directory, roots) = (user.directory.as_str(), bank.roots());
    let roots = roots.to_str().unwrap();
    let import = |pin: &str| {
        let pinned = ["--tls-pin", pin, "--tls-trust", roots, "key.pem", "certificate.pem"];
        user.import(&pinned)
    };
    import("nonsense").failed(2, "no pin");
    assert!(!user.path("home").exists(), "{directory}");
    user.import(&["--tls-trust", roots, "key.pem", "certificate.pem"]).done();
    import("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").done();
    let toml = fs::read_to_string(user.path("home/default/identity.toml")).unwrap();
    assert!(toml.contains("AAAAAAAA"), "{toml}");
    user.fed(&["renew", "--yes", "--pin-fd", "0"], PIN).failed(11, "pinned keys");
}
