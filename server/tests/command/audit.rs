//! Audit, backup, restore.

use std::fs;

use koshin_protocol::cert_id::CertId;
use rusqlite::Connection;

use crate::bank::{Bank, Operator, text};
use crate::customer::Customer;

fn with_history() -> (Bank, Operator, String) {
    let bank = Bank::new();
    let hanako = bank.first("hanako");
    let contract = bank.contract(&hanako);
    bank.subject(&hanako, &contract, "CN=One", "user");
    bank.subject(&hanako, &contract, "CN=Two", "user");
    (bank, hanako, contract)
}

fn database(bank: &Bank) -> Connection {
    Connection::open(bank.path("bank/data/koshin.db")).expect("a database")
}

#[test]
fn an_untouched_audit_is_sound_also_against_exported_heads() {
    let (bank, hanako, contract) = with_history();
    let export = ["audit", "export", "--out", "heads.jws", "--json"];
    assert_eq!(bank.run(&export).json()["chains"], 2);
    bank.run(&export).failed(3, "exported heads are never overwritten");
    bank.subject(&hanako, &contract, "CN=Three", "user");
    let sound = bank.run(&["audit", "verify", "--heads", "heads.jws", "--json"]).json();
    assert_eq!(sound["sound"], true);
    assert_eq!(sound["chains"].as_array().map(Vec::len), Some(2));
    let last = bank.run(&["audit", "show", &contract, "--last", "1"]).out;
    let record: serde_json::Value = serde_json::from_str(&last).expect("one record");
    assert_eq!(record["event"], "subjectAdded");
    assert_eq!(record["by"]["operator"], "hanako");
}

#[test]
fn an_edited_deleted_or_moved_record_is_found() {
    for tampering in [
        "UPDATE audit SET record = CAST(replace(CAST(record AS TEXT), 'CN=One', 'CN=Eve') AS BLOB)",
        "DELETE FROM audit WHERE sequence = 2",
        "UPDATE audit SET sequence = sequence + 10 WHERE sequence = 2",
    ] {
        let (bank, ..) = with_history();
        assert_eq!(bank.run(&["audit", "verify"]).code, 0);
        assert!(database(&bank).execute(tampering, []).expect("tampered") > 0);
        bank.run(&["audit", "verify"]).failed(3, "the audit was tampered with");
    }
}

#[test]
fn a_cut_tail_is_found_against_exported_heads_alone() {
    let (bank, _, contract) = with_history();
    assert_eq!(bank.run(&["audit", "export", "--out", "heads.jws"]).code, 0);
    let cut = "DELETE FROM audit WHERE sequence = 3";
    assert_eq!(database(&bank).execute(cut, []).expect("cut"), 1);
    bank.run(&["audit", "verify"]).failed(3, "has no record: it was inserted");
    let traces = "DELETE FROM subject WHERE name = 'CN=Two'";
    assert_eq!(database(&bank).execute(traces, []).expect("cut"), 1);
    assert_eq!(bank.run(&["audit", "verify"]).code, 0, "records and traces are gone");
    let found = bank.run(&["audit", "verify", "--heads", "heads.jws"]);
    found.failed(3, &format!("chain {contract}: it ends at record 2, but record 3 was exported"));
}

// [AUD-06]
#[test]
fn a_revocation_that_was_undone_by_sql_is_found_beside_a_serving_bank() {
    let (bank, hanako, _) = with_history();
    let customer = Customer::of(&bank, None);
    let certificate = CertId::of(customer.certificate());
    let revoke = ["revoke", certificate.as_str(), "--reason", "keyCompromise"];
    assert_eq!(bank.by(&hanako, &revoke).code, 0);
    let served = bank.serve();
    assert_eq!(bank.run(&["audit", "verify"]).code, 0);
    let undo = "UPDATE certificate SET state = 'current' WHERE state = 'revoked';
                DELETE FROM revocation";
    database(&bank).execute_batch(undo).expect("undone");
    assert_eq!(customer.log_on(&served, None).status, 201, "the thief is in");
    let found = bank.run(&["audit", "verify", "--json"]);
    found.failed(3, "the registry is not what the audit says");
    let value: serde_json::Value = serde_json::from_str(&found.out).expect("JSON");
    assert_eq!(value["sound"], false);
    let findings = value["findings"].as_array().expect("findings");
    let words =
        |finding: &serde_json::Value| ["finding", "object", "id"].map(|name| text(&finding[name]));
    let expected = [("altered", "certificate"), ("removed", "revocation")]
        .map(|(how, object)| [how, object, certificate.as_str()].map(ToOwned::to_owned));
    assert_eq!(findings.iter().map(words).collect::<Vec<_>>(), expected);
    assert!(text(&findings[0]["chain"]).len() == 22, "of its contract");
}

#[test]
fn heads_that_the_bank_did_not_sign_are_refused() {
    let (bank, ..) = with_history();
    let other = Bank::new();
    other.first("hanako");
    let foreign = other.run(&["audit", "export"]).out;
    fs::write(bank.path("foreign.jws"), foreign).expect("written");
    bank.run(&["audit", "verify", "--heads", "foreign.jws"]).failed(3, "not by the bank's key");
}

// [DUR-21]
#[test]
fn a_restore_takes_crl_and_heads_along_and_says_what_is_lost() {
    let (bank, hanako, contract) = with_history();
    assert_eq!(bank.run(&["crl", "--out", "old.crl"]).code, 0);
    assert_eq!(bank.run(&["backup", "backup.db"]).code, 0);
    bank.run(&["backup", "backup.db"]).failed(3, "a backup never overwrites");
    bank.subject(&hanako, &contract, "CN=Lost", "user");
    assert_eq!(bank.run(&["audit", "export", "--out", "heads.jws"]).code, 0);
    assert_eq!(bank.run(&["crl", "--out", "latest.crl"]).code, 0);
    let restore = ["restore", "backup.db", "--crl", "latest.crl", "--heads", "heads.jws"];
    bank.run(&restore).failed(3, "move it away first");
    bank.remove_database();
    bank.run(&restore).failed(3, &format!("chain {contract}: 3 of 4 records"));
    let mut accepted = restore.to_vec();
    accepted.push("--accept-loss");
    let impostor = Operator { name: "hanako", credential: "guess".to_owned() };
    bank.by(&impostor, &accepted).failed(3, "no enabled operator");
    let report = bank.by(&hanako, &accepted).json();
    assert_eq!(report["lossAcceptedBy"], "hanako");
    assert_eq!(report["lost"][0]["chain"], contract.as_str());
    let audit = bank.run(&["audit", "show", "bank", "--last", "1"]).out;
    assert!(audit.contains("restored") && audit.contains("hanako"), "{audit}");
    let shown = bank.run(&["contract", "show", &contract, "--json"]).json();
    assert_eq!(shown["subjects"].as_array().map(Vec::len), Some(2));
}

// [DUR-20]
#[test]
fn a_restored_bank_revokes_again_what_the_crl_lists() {
    let (bank, hanako, _) = with_history();
    let request =
        r#"{"role":"user","notBefore":"2026-01-01T00:00:00Z","notAfter":"2036-01-01T00:00:00Z"}"#;
    let made = bank.fed(&["provision"], request).json();
    let subject = text(&made["subject"]);
    let first = || {
        let shown = bank.run(&["subject", "show", &subject, "--json"]).json();
        shown["certificates"][0].clone()
    };
    let certificate = text(&first()["certID"]);
    assert_eq!(bank.run(&["crl"]).code, 0);
    assert_eq!(bank.run(&["backup", "backup.db"]).code, 0);
    let revoke = ["revoke", &certificate, "--reason", "keyCompromise"];
    let revoked = bank.by(&hanako, &revoke).json();
    assert_eq!(revoked["revoked"][0], certificate.as_str());
    assert_eq!(revoked["crlPublished"], true);
    assert_eq!(bank.run(&["crl", "--out", "latest.crl"]).code, 0);
    bank.remove_database();
    let restore = ["restore", "backup.db", "--crl", "latest.crl", "--accept-loss"];
    let report = bank.by(&hanako, &restore).json();
    assert_eq!(report["revokedAgain"][0], certificate.as_str());
    assert_eq!(first()["state"], "revoked");
}

// [DUR-20]
#[test]
fn a_restored_bank_revokes_again_the_imported_certificates_that_the_heads_list() {
    let (bank, hanako, _) = with_history();
    let request = r#"{"role":"user","issuer":"foreign","notBefore":"2026-01-01T00:00:00Z","notAfter":"2036-01-01T00:00:00Z"}"#;
    let subject = text(&bank.fed(&["provision"], request).json()["subject"]);
    let first = || {
        let shown = bank.run(&["subject", "show", &subject, "--json"]).json();
        shown["certificates"][0].clone()
    };
    let certificate = text(&first()["certID"]);
    assert_eq!(bank.run(&["backup", "backup.db"]).code, 0);
    bank.by(&hanako, &["revoke", &certificate, "--reason", "keyCompromise"]).json();
    assert_eq!(bank.run(&["crl", "--out", "latest.crl"]).code, 0);
    let exported = bank.run(&["audit", "export", "--out", "heads.jws", "--json"]).json();
    assert_eq!(exported["importedRevoked"], 1);
    bank.remove_database();
    let restore =
        ["restore", "backup.db", "--crl", "latest.crl", "--heads", "heads.jws", "--accept-loss"];
    let report = bank.by(&hanako, &restore).json();
    assert_eq!(report["revokedAgain"][0], certificate.as_str());
    assert_eq!(first()["state"], "revoked");
}

// [DUR-22]
#[test]
fn a_certificate_made_after_the_backup_is_unknown_to_the_restored_bank() {
    let (bank, hanako, _) = with_history();
    let before = Customer::of(&bank, None);
    assert_eq!(bank.run(&["backup", "backup.db"]).code, 0);
    let after = Customer::of(&bank, None);
    assert_eq!(bank.run(&["crl", "--out", "latest.crl"]).code, 0);
    bank.remove_database();
    let restore = ["restore", "backup.db", "--crl", "latest.crl", "--accept-loss"];
    assert_eq!(bank.by(&hanako, &restore).code, 0);
    let served = bank.serve();
    assert_eq!(before.log_on(&served, None).status, 201);
    assert_eq!(after.log_on(&served, None).token(), "certificateUnknown");
}

// [DUR-29] [DUR-30]
#[test]
fn a_restore_says_what_was_disabled_after_the_backup_to_people_and_as_json() {
    let (bank, hanako, _) = with_history();
    let customer = Customer::of(&bank, None);
    let subject = customer.subject.as_str();
    assert_eq!(bank.run(&["backup", "backup.db"]).code, 0);
    assert_eq!(bank.by(&hanako, &["subject", "disable", subject]).code, 0);
    assert_eq!(bank.run(&["audit", "export", "--out", "heads.jws"]).code, 0);
    assert_eq!(bank.run(&["crl", "--out", "latest.crl"]).code, 0);
    let restore =
        ["restore", "backup.db", "--crl", "latest.crl", "--heads", "heads.jws", "--accept-loss"];
    bank.remove_database();
    let report = bank.by(&hanako, &restore).json();
    assert_eq!(report["notes"][0]["note"], "subjectDisabled");
    assert_eq!(report["notes"][0]["subject"], subject);
    bank.remove_database();
    let mut text = restore.to_vec();
    let credential = bank.secret("credential", &hanako.credential);
    text.extend(["--operator", "hanako", "--credential-file", credential.as_str()]);
    let said = bank.run(&text).out;
    assert!(said.contains(&format!("(subject {subject}): disabled again")), "{said}");
    let served = bank.serve();
    assert_eq!(customer.log_on(&served, None).token(), "subjectDisabled");
}

// [DUR-28]
#[test]
fn a_crl_older_than_the_heads_is_refused_by_its_number() {
    let (bank, hanako, _) = with_history();
    let customer = Customer::of(&bank, None);
    assert_eq!(bank.run(&["backup", "backup.db"]).code, 0);
    assert_eq!(bank.run(&["crl", "--out", "old.crl"]).code, 0);
    let certificate = CertId::of(customer.certificate());
    let revoke = ["revoke", certificate.as_str(), "--reason", "keyCompromise"];
    assert_eq!(bank.by(&hanako, &revoke).code, 0);
    assert_eq!(bank.run(&["audit", "export", "--out", "heads.jws"]).code, 0);
    bank.remove_database();
    let restore =
        ["restore", "backup.db", "--crl", "old.crl", "--heads", "heads.jws", "--accept-loss"];
    let refused = bank.by(&hanako, &restore);
    refused.failed(3, "has number 2 at least, as the export of the audit heads knows");
    assert!(!bank.path("bank/data/koshin.db").exists());
}

#[test]
fn nobody_serves_from_a_copy() {
    let (bank, ..) = with_history();
    assert_eq!(bank.run(&["backup", "backup.db"]).code, 0);
    bank.remove_database();
    fs::copy(bank.path("backup.db"), bank.path("bank/data/koshin.db")).expect("copied");
    bank.cannot_serve().failed(1, "this is a backup; restore it first");
}
