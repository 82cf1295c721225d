//! Commands beside a serving bank: they count from its next request on, whatever it has in memory.

use koshin_protocol::cert_id::CertId;

use crate::bank::Bank;
use crate::customer::Customer;

#[test]
fn a_revocation_counts_at_the_next_request_of_certificate_and_session() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let served = bank.serve();
    let customer = Customer::of(&bank, None);
    let logged_on = customer.log_on(&served, None);
    assert_eq!(logged_on.status, 201, "{logged_on:?}");
    let session = logged_on.location();
    assert_eq!(customer.read(&served, &session).token(), "ok");
    let certificate = CertId::of(customer.certificate()).to_string();
    let revoke = ["revoke", &certificate, "--reason", "deviceLost"];
    assert_eq!(bank.by(&hanako, &revoke).json()["revoked"][0], certificate.as_str());
    assert_eq!(customer.read(&served, &session).token(), "sessionEnded");
    assert_eq!(customer.log_on(&served, None).token(), "certificateRevoked");
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_disabled_subject_is_refused_until_it_is_enabled() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let served = bank.serve();
    let customer = Customer::of(&bank, None);
    assert_eq!(customer.log_on(&served, None).status, 201);
    assert_eq!(bank.by(&hanako, &["subject", "disable", &customer.subject]).code, 0);
    assert_eq!(customer.log_on(&served, None).token(), "subjectDisabled");
    assert_eq!(bank.by(&hanako, &["subject", "enable", &customer.subject]).code, 0);
    assert_eq!(customer.log_on(&served, None).status, 201);
}

#[test]
fn a_locked_pin_is_unlocked_and_a_new_one_is_set() {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let served = bank.serve();
    let customer = Customer::of(&bank, Some("481516"));
    assert_eq!(customer.log_on(&served, Some("481516")).status, 201);
    for _ in 0..4 {
        assert_eq!(customer.log_on(&served, Some("000000")).token(), "pinWrong");
    }
    assert_eq!(customer.log_on(&served, Some("000000")).token(), "pinLocked");
    assert_eq!(customer.log_on(&served, Some("481516")).token(), "pinLocked");
    assert_eq!(bank.by(&hanako, &["unlock", &customer.subject]).code, 0);
    assert_eq!(customer.log_on(&served, Some("481516")).status, 201);
    let file = bank.secret("pin", "162342\n");
    let set = ["pin", "set", &customer.subject, "--pin-file", &file];
    assert_eq!(bank.by(&hanako, &set).code, 0);
    assert_eq!(customer.log_on(&served, Some("481516")).token(), "pinWrong");
    assert_eq!(customer.log_on(&served, Some("162342")).status, 201);
}

#[test]
fn one_bank_serves_from_a_folder_and_no_restore_runs_beside_it() {
    let bank = Bank::new();
    bank.first("hanako");
    let served = bank.serve();
    bank.cannot_serve().failed(3, "another bank serves");
    assert_eq!(bank.run(&["crl", "--out", "latest.crl"]).code, 0);
    assert_eq!(bank.run(&["backup", "backup.db"]).code, 0, "a backup does run beside it");
    bank.run(&["restore", "backup.db", "--crl", "latest.crl"]).failed(3, "another bank serves");
    assert_eq!(served.stop(), Some(0));
    let again = bank.serve();
    assert_eq!(again.stop(), Some(0));
}
