//! `admin` and `enroll`: a lost certificate, replaced.

use std::fs;

use serde_json::Value;

use crate::bank::{Bank, PIN};
use crate::customer::Customer;

fn users(administrator: &Customer) -> Vec<Value> {
    let contract = administrator.with_pin(&["admin", "users", "--json"]).done().last();
    contract["contract"]["subjects"].as_array().unwrap().clone()
}

fn user_of(administrator: &Customer) -> Value {
    users(administrator).into_iter().find(|subject| subject["role"] == "user").unwrap()
}

#[test]
fn an_administrator_reissues_and_the_user_enrolls_with_the_ticket() {
    let bank = Bank::open();
    let (administrator, user) = (bank.customer("administrator", 300), bank.user());
    let name = user_of(&administrator)["name"].as_str().unwrap().to_owned();
    administrator.with_pin(&["admin", "reissue", &name]).failed(2, "--yes");
    administrator.with_pin(&["admin", "reissue", "nobody", "--yes"]).failed(11, &name);
    let text = administrator.with_pin(&["admin", "reissue", &name, "--yes"]).done();
    assert!(text.out.contains("\nkoshin-ticket:1?"), "{text:?}");
    let ran = administrator.with_pin(&["admin", "reissue", &name, "--yes", "--json"]).done();
    let ticket = ran.last()["ticket"].as_str().unwrap().to_owned();

    let newcomer = Customer::new(&bank, None);
    let roots = newcomer.roots.to_str().unwrap();
    newcomer.fed(&["enroll", "-", "--trust", roots], &ticket).failed(2, "--yes");
    // Consent in advance is consent to a bank that was named.
    newcomer.fed(&["enroll", "-", "--yes", "--trust", roots], &ticket).failed(2, "--directory");
    let enroll =
        ["enroll", "-", "--yes", "--trust", roots, "--directory", &newcomer.directory, "--json"];
    newcomer.fed(&enroll, "koshin-ticket:1?nonsense").failed(11, "");
    newcomer.fed(&enroll, &ticket).failed(11, "");
    newcomer.secret("pin", PIN);
    let with_pin = [&enroll[..], &["--pin-file", "pin"]].concat();
    let enrolled = newcomer.fed(&with_pin, &format!("{ticket}\n")).done().last();
    assert_eq!(enrolled["outcome"], "enrolled");
    assert_eq!(enrolled["subject"].as_str().unwrap(), name);
    // The lost certificate is worth nothing any more.
    user.with_pin(&["renew", "--yes"]).failed(12, "");
    let again = newcomer.fed(&with_pin, &ticket);
    assert!(again.code == 11 || again.code == 12, "{again:?}");
}

#[test]
fn a_ticket_goes_to_a_file_for_its_owner_alone_and_can_be_withdrawn() {
    let bank = Bank::open();
    let (administrator, _user) = (bank.customer("administrator", 300), bank.user());
    let id = user_of(&administrator)["id"].as_str().unwrap().to_owned();
    administrator.with_pin(&["admin", "cancel-reissue", &id]).failed(11, "no open reissue");
    let reissue = ["admin", "reissue", &id, "--yes", "--ticket-file", "ticket"];
    let ran = administrator.with_pin(&reissue).done();
    assert!(!ran.out.contains("koshin-ticket:"), "{ran:?}");
    administrator.with_pin(&reissue).failed(2, "ticket");
    let ticket = fs::read_to_string(administrator.path("ticket")).unwrap();
    let canceled = administrator.with_pin(&["admin", "cancel-reissue", &id, "--json"]).done();
    assert_eq!(canceled.last()["status"], "canceled");
    let newcomer = Customer::new(&bank, None);
    newcomer.secret("pin", PIN);
    fs::write(newcomer.path("ticket"), ticket).unwrap();
    let roots = newcomer.roots.to_str().unwrap();
    let enroll = [
        "enroll",
        "ticket",
        "--yes",
        "--trust",
        roots,
        "--directory",
        &newcomer.directory,
        "--pin-file",
        "pin",
        "--json",
    ];
    let refused = newcomer.run(&enroll);
    assert_eq!(refused.last()["problem"]["token"], "enrollmentCanceled", "{refused:?}");
}

#[test]
fn a_locked_pin_is_unlocked_by_the_command_that_the_user_is_told() {
    let bank = Bank::open();
    let (administrator, user) = (bank.customer("administrator", 300), bank.user());
    user.secret("wrong", "000000");
    let wrong = || user.run(&["renew", "--yes", "--pin-file", "wrong", "--json"]).last();
    let locked = (0..10).map(|_| wrong()).find(|error| error["problem"]["token"] == "pinLocked");
    let next = locked.unwrap()["next"].as_str().unwrap().to_owned();
    let (before, name) = next.split_once(" '").unwrap();
    assert_eq!(before, "koshin admin unlock");
    administrator.with_pin(&["admin", "unlock", name.trim_end_matches('\'')]).done();
    user.with_pin(&["renew", "--yes"]).done();
}

#[test]
fn an_administrator_revokes_a_users_certificate_and_a_user_may_not() {
    let bank = Bank::open();
    let (administrator, user) = (bank.customer("administrator", 300), bank.user());
    let of_user = user_of(&administrator);
    let certificate = of_user["certificates"][0]["certID"].as_str().unwrap();
    let id = of_user["id"].as_str().unwrap();
    assert_ne!(user.with_pin(&["admin", "reissue", id, "--yes"]).code, 0);
    administrator
        .with_pin(&["admin", "revoke", certificate, "--yes", "--reason", "deviceLost"])
        .done();
    user.with_pin(&["renew", "--yes"]).failed(12, "");
}
