//! `status` and `list`.

use crate::bank::{Bank, PIN};

// [CLI-73]
#[test]
fn the_certificate_to_use_comes_first_and_the_replaced_one_is_hidden_once_it_expired() {
    let bank = Bank::open();
    let soon = koshin_protocol::time::Time::from_unix(crate::bank::now().unix() + 20).unwrap();
    let user = crate::customer::Customer::new(&bank, Some(&bank.makes("user", soon)));
    user.imports();
    let renewed = user.with_pin(&["renew", "--yes", "--json"]).done().last();
    let list =
        || user.run(&["list", "--json"]).done().last()["identities"][0]["certificates"].clone();
    let certificates = list();
    assert_eq!(certificates[0]["certID"], renewed["certID"]);
    assert_eq!(certificates[0]["current"], true);
    assert_eq!(certificates[1]["certID"], renewed["replaces"]);
    assert_eq!(certificates[1]["current"], false);
    while crate::bank::now() <= soon {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert_eq!(list().as_array().unwrap().len(), 1);
}

#[test]
fn the_status_says_what_to_do_next() {
    let bank = Bank::open();
    let user = bank.customer("user", 20);
    let ran = user.run(&["status", "--json"]).done().last();
    let status = &ran["identities"][0];
    assert_eq!(status["next"], "koshin renew");
    assert!(status["window"]["opens"].is_string(), "{status}");
    let early = bank.customer("user", 200).run(&["status"]).done();
    assert!(early.out.contains("nothing to do until then"), "{early:?}");
    let offline = user.run(&["status", "--offline"]).done();
    assert!(offline.out.contains("days left: "), "{offline:?}");
    let contract = user.with_pin(&["status", "--contract"]).done();
    assert!(contract.out.contains("Contract ") && contract.out.contains("PIN set"), "{contract:?}");
    drop(bank);
    let unreachable = user.run(&["status"]).done();
    assert!(unreachable.out.contains("is not known: "), "{unreachable:?}");
}

#[test]
fn without_an_identity_the_first_steps_are_said() {
    let bank = Bank::open();
    let nobody = bank.newcomer("user", 20);
    for command in ["status", "list", "defer", "cancel"] {
        nobody.run(&[command]).failed(11, "koshin import FILE... --directory URL");
    }
}

#[test]
fn one_identity_that_cannot_be_looked_at_hides_no_other() {
    let bank = Bank::open();
    let user = bank.user();
    user.import(&["--identity", "other", "key.pem", "certificate.pem"]).done();
    let toml = user.path("home/default/identity.toml");
    std::fs::write(&toml, "name = ").unwrap();
    let ran = user.run(&["list"]);
    ran.failed(11, "identity.toml");
    assert!(ran.out.contains("default\n  cannot be looked at"), "{ran:?}");
    assert!(ran.out.contains("* CN="), "{ran:?}");
}

#[test]
fn a_busy_identity_is_told_apart_from_a_broken_one() {
    use koshin_client::files::{Files, Real};
    let bank = Bank::open();
    let user = bank.user();
    let lock = Real.lock(&user.path("home/default/lock")).unwrap().unwrap();
    user.with_pin(&["renew", "--yes"]).failed(10, "another process is working");
    drop(lock);
    user.with_pin(&["renew", "--yes", "--key-type", "P-384"]).done();
    assert!(!PIN.is_empty());
}
