//! Contracts, subjects, first PINs.

use crate::bank::{Bank, text};

const NAME: &str = "CN=Tanaka Hanako,O=Example K.K.,C=JP";

#[test]
fn a_contract_is_added_shown_disabled_and_enabled() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let contract = bank.contract(&hanako);
    let subject = bank.subject(&hanako, &contract, NAME, "administrator");
    let shown = || bank.run(&["contract", "show", &contract, "--json"]).json();
    assert_eq!(shown()["subjects"][0]["subject"], subject.as_str());
    assert_eq!(shown()["subjects"][0]["role"], "administrator");
    assert_eq!(bank.by(&hanako, &["contract", "disable", &contract]).code, 0);
    assert_eq!(shown()["subjects"][0]["disabled"], true);
    let listed = bank.run(&["contract", "list", "--json"]).json();
    assert_eq!(listed["contracts"][0]["disabled"], true);
    assert_eq!(listed["contracts"][0]["subjects"], 1);
    assert_eq!(bank.by(&hanako, &["contract", "enable", &contract]).code, 0);
    assert_eq!(shown()["subjects"][0]["disabled"], false);
}

#[test]
fn a_contract_may_be_added_again_by_its_id() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let add = |name| bank.by(&hanako, &["contract", "add", name, "--id", "AAAAAAAAAAAAAAAAAAAAAA"]);
    assert_eq!(add("Example K.K.").code, 0);
    assert_eq!(add("Example K.K.").code, 0);
    add("Another K.K.").failed(3, "with other content");
}

#[test]
fn a_subjects_name_is_unique_and_of_one_form() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let contract = bank.contract(&hanako);
    bank.subject(&hanako, &contract, NAME, "user");
    let add = |name| bank.by(&hanako, &["subject", "add", "--contract", &contract, "--name", name]);
    add(NAME).failed(3, "exists already");
    for name in ["", "Hanako", "CN=", "cn=Hanako", "CN=Hanako, O=Example"] {
        add(name).failed(2, "name");
    }
}

#[test]
fn a_subject_is_disabled_and_enabled() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let contract = bank.contract(&hanako);
    let subject = bank.subject(&hanako, &contract, NAME, "user");
    let disabled = || bank.run(&["subject", "show", &subject, "--json"]).json()["disabled"].clone();
    assert_eq!(bank.by(&hanako, &["subject", "disable", &subject]).code, 0);
    assert_eq!(disabled(), true);
    assert_eq!(bank.by(&hanako, &["subject", "enable", &subject]).code, 0);
    assert_eq!(disabled(), false);
    bank.by(&hanako, &["subject", "disable", "AAAAAAAAAAAAAAAAAAAAAA"])
        .failed(3, "no such subject");
}

#[test]
fn a_first_pin_is_made_up_or_read_and_keeps_to_the_rule() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let contract = bank.contract(&hanako);
    let subject = bank.subject(&hanako, &contract, NAME, "user");
    let state = || bank.run(&["subject", "show", &subject, "--json"]).json()["pin"].clone();
    assert_eq!(state(), "none");
    let made = bank.by(&hanako, &["pin", "set", &subject, "--generate"]).json();
    assert_eq!(text(&made["pin"]).len(), 8);
    assert_eq!(state(), "set");
    let file = bank.secret("pin", "481516\n");
    let set = bank.by(&hanako, &["pin", "set", &subject, "--pin-file", &file]).json();
    assert!(set["pin"].is_null(), "a PIN that was given is not printed");
    bank.secret("pin", "12\n");
    bank.by(&hanako, &["pin", "set", &subject, "--pin-file", &file]).failed(3, "4 to 16");
    bank.by(&hanako, &["pin", "set", &subject]).failed(2, "--pin-file or --generate");
}
