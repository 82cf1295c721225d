//! Operators: nobody acts for anybody without their credential.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::bank::{Bank, Operator};

#[test]
fn the_first_operator_needs_nobody_and_the_second_one_does() {
    let bank = Bank::new();
    assert_eq!(bank.run(&["operator", "list"]).out, "none\n");
    let hanako = bank.first("hanako");
    bank.run(&["operator", "add", "mallory"]).failed(3, "there are operators already");
    let taro = bank.further("taro", &hanako);
    let listed = bank.run(&["operator", "list", "--json"]).json();
    let names: Vec<_> = listed["operators"].as_array().expect("a list").iter().collect();
    assert_eq!(names.iter().map(|row| &row["operator"]).collect::<Vec<_>>(), ["hanako", "taro"]);
    assert_ne!(hanako.credential, taro.credential);
}

#[test]
fn a_name_alone_or_another_ones_credential_is_not_believed() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let taro = bank.further("taro", &hanako);
    let add = ["contract", "add", "Example K.K."];
    bank.run(&["contract", "add", "Example K.K.", "--operator", "hanako"])
        .failed(2, "the credential of hanako is needed");
    for impostor in [
        Operator { name: "hanako", credential: taro.credential.clone() },
        Operator { name: "hanako", credential: String::new() },
        Operator { name: "nobody", credential: taro.credential.clone() },
    ] {
        bank.by(&impostor, &add).failed(3, "no enabled operator has this name and credential");
    }
    assert_eq!(bank.run(&["contract", "list", "--json"]).json()["contracts"], Value::Array(vec![]));
    let audit = bank.run(&["audit", "show", "bank", "--last", "3"]).out;
    assert_eq!(audit.matches("operatorRefused").count(), 3, "{audit}");
    assert!(audit.contains("hanako") && audit.contains("nobody"), "{audit}");
    assert!(!audit.contains(&taro.credential), "{audit}");
    assert_eq!(bank.run(&["audit", "verify"]).code, 0);
    assert_eq!(bank.by(&hanako, &add).code, 0);
}

#[test]
fn every_command_that_changes_something_asks_for_an_operator() {
    let bank = Bank::new();
    bank.first("hanako");
    let id = "AAAAAAAAAAAAAAAAAAAAAA";
    for arguments in [
        &["operator", "disable", "hanako"][..],
        &["contract", "add", "A"],
        &["contract", "disable", id],
        &["contract", "enable", id],
        &["subject", "add", "--contract", id, "--name", "CN=A"],
        &["subject", "disable", id],
        &["subject", "enable", id],
        &["certificate", "import", "a.pem", "--contract", id],
        &["pin", "set", id, "--generate"],
        &["unlock", id],
        &["reissue", "request", id, "--reason", "keyLost", "--form", "1"],
        &["reissue", "approve", id],
        &["reissue", "cancel", id],
        &["revoke", "7oq41RUQ6MSkJMpg.bN6P5e-OHQkf0Da7", "--reason", "keyLost"],
    ] {
        bank.run(arguments).failed(2, "--operator <NAME>");
    }
}

#[test]
fn a_disabled_operator_can_do_nothing_and_the_last_one_stays() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let taro = bank.further("taro", &hanako);
    assert_eq!(bank.by(&hanako, &["operator", "disable", "taro"]).code, 0);
    bank.by(&taro, &["contract", "add", "A"]).failed(3, "no enabled operator");
    bank.by(&hanako, &["operator", "add", "taro"]).failed(3, "already given to an operator");
    bank.by(&hanako, &["operator", "disable", "hanako"]).failed(3, "the last operator");
}

#[test]
fn a_credential_file_that_others_may_read_is_refused() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let file = bank.secret("hanako.credential", &format!("{}\n", hanako.credential));
    let add = ["contract", "add", "A", "--operator", "hanako", "--credential-file", &file];
    assert_eq!(bank.run(&add).code, 0);
    let open = fs::Permissions::from_mode(0o640);
    fs::set_permissions(bank.path(&file), open).expect("chmod");
    bank.run(&add).failed(2, "run chmod 600");
}

#[test]
fn no_credential_is_in_the_database() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    for file in fs::read_dir(bank.path("bank/data")).expect("a folder") {
        let path = file.expect("a file").path();
        if path.is_file() {
            let bytes = fs::read(&path).expect("read");
            let secret = hanako.credential.as_bytes();
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{}", path.display());
        }
    }
}
