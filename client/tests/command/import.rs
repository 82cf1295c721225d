//! `import`

use crate::bank::Bank;

#[test]
fn an_import_says_what_was_imported_and_when_its_window_opens() {
    let bank = Bank::open();
    let ran = bank.newcomer("user", 200).import(&["key.pem", "certificate.pem"]).done();
    assert!(ran.out.contains("Imported: CN="), "{ran:?}");
    assert!(ran.out.contains("Renewal opens: ") && ran.out.contains("JST"), "{ran:?}");
    assert!(ran.out.contains("Nothing to do until then"), "{ran:?}");
}

#[test]
fn a_new_identity_needs_its_bank_and_nothing_is_left_of_a_refused_import() {
    let bank = Bank::open();
    let customer = bank.newcomer("user", 20);
    customer.run(&["import", "key.pem", "certificate.pem"]).failed(2, "--directory");
    let directory = customer.directory.as_str();
    customer
        .run(&["import", "key.pem", "certificate.pem", "--directory", directory])
        .failed(2, "--trust");
    customer.import(&["certificate.pem"]).failed(11, "no private key");
    customer.import(&["key.pem"]).failed(11, "no certificate");
    customer.import(&["nothing.pem"]).failed(2, "nothing.pem");
    assert!(!customer.path("home").exists());
    customer.imports();
}

#[test]
fn another_persons_certificate_gets_an_identity_of_its_own() {
    let bank = Bank::open();
    let (one, other) = (bank.user(), bank.makes("user", crate::bank::in_days(20)));
    std::fs::write(one.path("other.pem"), other.certificate + other.key.as_str()).unwrap();
    one.import(&["other.pem"]).failed(2, "--identity NAME");
    one.import(&["other.pem", "--identity", "taro"]).done();
    one.run(&["renew", "--yes"]).failed(2, "default, taro");
    one.with_pin(&["renew", "--yes", "--identity", "taro"]).done();
    one.run(&["renew", "--yes", "--identity", "jiro"]).failed(2, "there is no identity jiro");
}
