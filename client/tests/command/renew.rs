//! `renew`, unattended.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use koshin_client::pem;
use koshin_protocol::certificate::Certificate;
use koshin_server::ca::Fault;

use crate::bank::{Bank, PIN, in_days};
use crate::customer::{Customer, finish};

/// The certificate that `current` leads to.
fn current(customer: &Customer) -> Certificate {
    let path = customer.path("home/default/current/certificate.pem");
    let sections = pem::sections(&fs::read(path).unwrap()).unwrap();
    Certificate::from_der(&sections[0].der).unwrap()
}

#[test]
fn while_the_certificate_is_being_made_an_event_says_so_and_until_when() {
    let (bank, issuer) = Bank::open_slow();
    let user = bank.user();
    issuer.set(Fault::Slow { questions: 1 });
    let events = user.with_pin(&["renew", "--yes", "--json"]).done().events();
    let at = |name: &str| events.iter().position(|event| event["event"] == name).unwrap();
    let processing = &events[at("processing")];
    assert_eq!(processing["order"], events[at("ordered")]["order"]);
    assert!(processing["seconds"].as_u64().unwrap() > 0, "{processing}");
    assert!(at("ordered") < at("processing") && at("processing") < at("received"));
    assert_eq!(events.last().unwrap()["outcome"], "renewed");
    // With less patience it ends, and is taken up again.
    let other = bank.user();
    issuer.set(Fault::Slow { questions: 1 });
    let ran = other.with_pin(&["renew", "--yes", "--json", "--max-wait", "0"]);
    assert_eq!((ran.code, &ran.last()["next"]), (10, &"koshin resume".into()), "{ran:?}");
    other.with_pin(&["resume", "--yes"]).done();
}

// [CLI-96]
#[test]
fn a_certificate_is_renewed_by_one_command_and_the_end_says_what_counts_now() {
    let bank = Bank::open();
    let customer = bank.user();
    let old = current(&customer);
    let ran = customer.with_pin(&["renew", "--yes"]).done();
    let new = current(&customer);
    assert!(new.not_after() > old.not_after());
    assert!(ran.out.contains("The renewal is complete."), "{ran:?}");
    assert!(ran.out.contains("home/default/current"), "{ran:?}");
    // Once more is too early: the new certificate's window opens in eleven months.
    customer.with_pin(&["renew", "--yes"]).failed(10, "the renewal opens at");
}

#[test]
fn each_exit_code_means_who_acts_next() {
    let bank = Bank::open();
    let user = bank.user();
    user.with_pin(&["renew"]).failed(2, "--yes");
    user.run(&["renew", "--yes"]).failed(11, "PIN");
    bank.customer("user", 200).with_pin(&["renew", "--yes"]).failed(10, "opens at");
    user.with_pin(&["renew", "--yes"]).done();
    user.with_pin(&["resume", "--yes"]).failed(11, "there is no renewal under way");
}

#[test]
fn an_expired_certificate_needs_a_reissue_and_the_next_command_is_the_administrators() {
    let bank = Bank::open();
    let made = bank.makes(
        "user",
        koshin_protocol::time::Time::from_unix(crate::bank::now().unix() + 2).unwrap(),
    );
    let customer = Customer::new(&bank, Some(&made));
    customer.imports();
    std::thread::sleep(std::time::Duration::from_secs(3));
    let ran = customer.with_pin(&["renew", "--yes", "--json"]);
    assert_eq!(ran.code, 12, "{ran:?}");
    let error = ran.last();
    assert_eq!(error["class"], "reissue");
    assert_eq!(error["problem"]["token"], "certificateExpired");
    assert!(error["next"].as_str().unwrap().starts_with("koshin admin reissue 'CN="), "{error}");
}

#[test]
fn a_bank_out_of_reach_is_tried_again_later() {
    let bank = Bank::open();
    let customer = bank.user();
    drop(bank);
    customer.with_pin(&["renew", "--yes"]).failed(10, "no connection");
}

#[test]
fn the_pin_comes_from_a_file_or_a_descriptor_and_never_from_the_command_line() {
    let bank = Bank::open();
    let customer = bank.user();
    let file = customer.secret("pin", &format!("{PIN}\n"));
    let yes = ["renew", "--yes", "--pin-file", &file];
    fs::set_permissions(customer.path("pin"), fs::Permissions::from_mode(0o644)).unwrap();
    customer.run(&yes).failed(2, "chmod 600");
    customer.fed(&["renew", "--yes", "--pin-fd", "0"], "000000\n").failed(11, "PIN");
    customer.fed(&["renew", "--yes", "--pin-fd", "0"], &format!("{PIN}\n")).done();
    let other = bank.user();
    other.secret("koshin-pin", PIN);
    let mut command = other.command(&["renew", "--yes"]);
    command.env("CREDENTIALS_DIRECTORY", other.folder.path());
    finish(command).done();
    customer.run(&["renew", "--yes", "--pin", PIN]).failed(2, "unexpected argument");
}

#[test]
fn over_tls_the_bank_is_trusted_by_the_roots_that_were_given() {
    let bank = Bank::open_tls();
    let customer = bank.newcomer("user", 20);
    let roots = customer.roots.to_str().unwrap();
    let files = ["--identity", "untrusting", "key.pem", "certificate.pem"];
    let imported = customer.import(&files).done();
    assert!(imported.out.contains("Next: koshin doctor"), "{imported:?}");
    let untrusting = ["renew", "--yes", "--identity", "untrusting"];
    customer.with_pin(&untrusting).failed(11, "certificate");
    customer
        .import(&["--tls-trust", roots, "--identity", "hanako", "key.pem", "certificate.pem"])
        .done();
    customer.with_pin(&["renew", "--yes", "--identity", "hanako"]).done();
}

#[test]
fn a_renewal_is_four_requests() {
    let bank = Bank::open();
    let customer = Customer::new(&bank, Some(&bank.makes("user", in_days(20))));
    customer.import(&["--offline", "key.pem", "certificate.pem"]).done();
    assert_eq!(bank.requests().values().sum::<u32>(), 0);
    customer.with_pin(&["renew", "--yes"]).done();
    let requests = bank.requests();
    let made: Vec<_> = requests.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let signed = ["koshin-confirm+jws", "koshin-new-order+jws", "koshin-new-session+jws"];
    assert_eq!(made, [("directory", 1), (signed[0], 1), (signed[1], 1), (signed[2], 1)]);
}
