//! `init`, `check-config`, `provision`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use koshin_protocol::sign::Es256Key;
use serde_json::json;

use crate::bank::{Bank, text};

#[test]
fn a_new_bank_is_sound_and_never_made_over_another() {
    let bank = Bank::with(&["--tls-certificate", "chain.pem", "--tls-key", "key.pem"]);
    bank.run(&["check-config"]).failed(4, "chain.pem");
    let again = ["init", "bank", "--tls-for-loopback"];
    bank.run(&again).failed(3, "a bank is never overwritten");
    let other = bank.run(&["init", "other", "--tls-for-loopback", "--json"]).json();
    assert_eq!(other["publicOrigin"], "https://localhost:8443");
    let checked = bank.run(&["check-config", "--config", "other/koshin-server.toml"]);
    assert_eq!(checked.code, 0, "{checked:?}");
}

#[test]
fn a_bank_that_cannot_be_made_leaves_nothing_behind() {
    let bank = Bank::new();
    let before = fs::read_dir(bank.folder()).expect("read").count();
    let refused = bank.run(&["init", "third", "--tls-for-loopback", "--policy", "none"]);
    refused.failed(4, "`policy` is \"none\"");
    assert_eq!(fs::read_dir(bank.folder()).expect("read").count(), before);
}

#[test]
fn keys_and_data_are_their_owners_alone() {
    let bank = Bank::with(&["--tls-for-loopback"]);
    let mode =
        |name: &str| fs::metadata(bank.path(name)).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode("bank/data"), 0o700);
    for key in ["data/ca/root.key", "data/ca/issuing.key", "data/ca/receipt.key", "tls/key.pem"] {
        assert_eq!(mode(&format!("bank/{key}")), 0o600, "{key}");
    }
}

#[test]
fn a_passphrase_encrypts_the_cas_keys() {
    let bank = Bank::new();
    let file = bank.secret("passphrase", "correct horse\n");
    let init = ["init", "sealed", "--tls-for-loopback", "--ca-passphrase-file", &file];
    assert_eq!(bank.run(&init).code, 0);
    let key = fs::read_to_string(bank.path("sealed/data/ca/issuing.key")).expect("read");
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}");
    let check = ["check-config", "--config", "sealed/koshin-server.toml"];
    assert_eq!(bank.run(&check).code, 0);
    bank.secret("passphrase", "wrong\n");
    bank.run(&check).failed(4, "the passphrase is not this key's");
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_file_line_and_what_is_allowed() {
    let bank = Bank::new();
    let path = bank.path("bank/koshin-server.toml");
    let text = fs::read_to_string(&path).expect("read");
    let line = text.lines().position(|line| line.starts_with("policy")).expect("a line") + 1;
    fs::write(&path, text.replace("policy = \"seed\"", "policy = \"sead\"")).expect("written");
    let refused = bank.run(&["check-config"]);
    refused.failed(4, "koshin-server.toml");
    refused.failed(4, &format!(":{line}: `policy`"));
    refused.failed(4, "\"seed\"");
    let nowhere = bank.run(&["check-config", "--config", "nowhere.toml"]);
    nowhere.failed(4, "nowhere.toml");
    nowhere.failed(4, "--config or KOSHIN_SERVER_CONFIG");
}

const REQUEST: &str = r#"{"role":"user","contract":"a","notBefore":"2020-01-01T00:00:00Z","notAfter":"2020-12-31T23:59:59Z","pin":"481516"}"#;

#[test]
fn provision_is_refused_outside_of_a_test_environment() {
    let bank = Bank::with(&["--plain-http"]);
    bank.fed(&["provision"], REQUEST).failed(3, "testing = true");
}

#[test]
fn provision_makes_a_subject_with_a_certificate_of_any_validity() {
    let bank = Bank::new();
    let made = bank.fed(&["provision"], REQUEST).json();
    assert_eq!(made["pin"], "481516");
    assert!(Es256Key::from_pkcs8_pem(&text(&made["key"])).is_ok());
    let shown = bank.run(&["subject", "show", &text(&made["subject"]), "--json"]).json();
    assert_eq!(shown["pin"], "set");
    assert_eq!(shown["certificates"][0]["state"], "expired");
    assert_eq!(shown["certificates"][0]["notAfter"], "2020-12-31T23:59:59Z");
    let again = bank.fed(&["provision"], REQUEST).json();
    let other = bank.run(&["subject", "show", &text(&again["subject"]), "--json"]).json();
    assert_eq!(shown["contract"], other["contract"], "the same label is the same contract");
}

#[test]
fn provision_has_every_algorithm_and_a_foreign_issuer() {
    let bank = Bank::new();
    for algorithm in ["ES256", "ES384", "EdDSA", "RS256", "PS256"] {
        let request = json!({
            "role": "administrator", "alg": algorithm, "issuer": "foreign",
            "notBefore": "2020-01-01T00:00:00Z", "notAfter": "2120-01-01T00:00:00Z",
        });
        let made = bank.fed(&["provision"], &request.to_string()).json();
        assert!(text(&made["key"]).starts_with("-----BEGIN PRIVATE KEY-----"), "{algorithm}");
    }
    let late = json!({
        "role": "user", "notBefore": "2020-01-01T00:00:00Z", "notAfter": "2120-01-01T00:00:00Z",
    });
    let cannot = bank.fed(&["provision"], &late.to_string()).json();
    assert!(text(&cannot["cannot"]).contains("issuing certificate ends"), "{cannot}");
    bank.fed(&["provision"], r#"{"role":"user","colour":1}"#).failed(2, "standard input");
}
