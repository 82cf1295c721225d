//! A registry that was changed past the bank is found by its audit.

use std::path::Path;

use koshin_server::audit::{self, Differs, Finding, Object, VerifyError};
use koshin_server::store::Store;
use koshin_server::store::change::{Actor, NewRequest, PinCheck};
use koshin_server::store::id::RequestId;
use koshin_server::store::row::{CrlRow, Purpose, Reason, Role};
use koshin_server::store::sqlite::{Note, RestoreError, Sqlite};
use rusqlite::Connection;

use crate::backup::OPERATOR;
use crate::bank::{Bank, DAY};

/// A bank in which everything that is recorded has happened.
async fn busy_bank() -> Bank {
    let bank = Bank::new().await;
    let now = || bank.now();
    bank.operator(OPERATOR).await;
    bank.operator("tanaka").await;
    let by = || Actor::Operator(OPERATOR.to_owned());
    bank.store.disable_operator("tanaka".to_owned(), by(), now()).await.expect("disabled");

    let user = bank.user().await;
    let pin = ("of the user".to_owned(), PinCheck::NotAsked);
    bank.store.set_pin_hash(user.subject, pin.0, pin.1, by(), now()).await.expect("set");
    bank.store.begin_pin_attempt(user.subject, now()).await.expect("counted");
    let (renewed, order) = bank.renew(&user).await;
    bank.session(&renewed.certificate).await;
    let rolled_back = bank.person("Rolled Back", Role::User).await;
    let (_, undone) = bank.renew(&rolled_back).await;
    let recovery = bank.log_on_for(&rolled_back.certificate, Purpose::Recovery).await;
    let key = bank.store.order(undone).await.expect("read").expect("there").key;
    let session = recovery.expect("logged on").session.id;
    let undo = koshin_server::store::change::Undo { session, order: undone, key };
    bank.store.roll_back(undo, now()).await.expect("rolled back");

    let revoked = bank.person("Revoked", Role::User).await;
    bank.revoke(&revoked.certificate).await;
    let deferring = bank.person("Deferring", Role::User).await;
    let session = bank.session(&deferring.certificate).await;
    bank.store.defer(session, now()).await.expect("deferred");
    let waiting = bank.person("Waiting", Role::User).await;
    let session = bank.session(&waiting.certificate).await;
    let n = bank.new_key();
    bank.place_slow(&waiting, session, n).await.expect("placed");
    let canceled = bank.person("Canceled", Role::User).await;
    let session = bank.session(&canceled.certificate).await;
    let n = bank.new_key();
    let late = bank.place_slow(&canceled, session, n).await.expect("placed").order;
    bank.cancel(session, late.id, n).await.expect("canceled");
    let signed = koshin_server::store::change::Signed { certificate: bank.successor(&canceled, n) };
    bank.store.issued(late.id, signed, now()).await.expect("revoked, and never stored");

    let reissued = bank.person("Reissued", Role::User).await;
    bank.reissue(&reissued, Reason::KeyLost).await;
    let disabled = bank.person("Disabled", Role::User).await;
    bank.store.set_subject_disabled(disabled.subject, true, by(), now()).await.expect("disabled");
    let administrator = bank.person("Kanri Sha", Role::Administrator).await;
    let request = NewRequest {
        id: RequestId::random(),
        subject: administrator.subject,
        reason: Reason::KeyLost,
        form: "17".to_owned(),
    };
    bank.store.request_reissue(request, OPERATOR.to_owned(), now()).await.expect("requested");
    let crl = bank.newest_crl().await;
    let row = CrlRow { number: crl.number(), published: crl.published(), der: crl.der().to_vec() };
    bank.store.publish_crl(bank.ca.id(), row).await.expect("published");
    assert!(bank.store.order(order).await.expect("read").is_some());
    bank
}

async fn findings(store: &Sqlite) -> Vec<Finding> {
    match audit::verify(store, None).await {
        Ok(_) => Vec::new(),
        Err(VerifyError::Found(findings)) => findings,
        Err(VerifyError::Store(error)) => panic!("{error}"),
    }
}

/// As somebody who has the file and knows SQL.
fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path).expect("a connection");
    connection.execute_batch("PRAGMA foreign_keys = OFF").expect("off");
    connection.execute_batch(sql).expect("tampered");
    assert!(connection.total_changes() > 0, "{sql} changes nothing");
}

/// How an object differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Altered,
    Removed,
    Inserted,
}

fn how(finding: &Finding) -> Option<(How, Object)> {
    match finding {
        Finding::Registry(Differs::Altered { object, .. }) => Some((How::Altered, *object)),
        Finding::Registry(Differs::Removed { object, .. }) => Some((How::Removed, *object)),
        Finding::Registry(Differs::Inserted { object, .. }) => Some((How::Inserted, *object)),
        Finding::Registry(Differs::Dangling { .. } | Differs::Schema { .. })
        | Finding::Chain(_) => None,
    }
}

use How::{Altered, Inserted, Removed};
use Object::{
    Certificate, Contract, Crl, Operator, Order, Reissue, Request, Revocation, Session, Subject,
};

const TAMPERING: &[(How, Object, &str)] = &[
    (
        Altered,
        Certificate,
        "UPDATE certificate SET state = 'current' WHERE state = 'revoked' AND from_order IS NULL",
    ),
    (
        Altered,
        Certificate,
        "UPDATE certificate SET not_after = not_after + 1 WHERE state = 'current'",
    ),
    (Altered, Certificate, "UPDATE certificate SET der = x'30' WHERE state = 'superseded'"),
    (
        Altered,
        Certificate,
        "UPDATE certificate SET subject = (SELECT id FROM subject WHERE role = 'administrator') WHERE state = 'superseded'",
    ),
    (Altered, Certificate, "UPDATE certificate SET deferrals = 0 WHERE deferrals > 0"),
    (Removed, Certificate, "DELETE FROM certificate WHERE state = 'superseded'"),
    (
        Inserted,
        Certificate,
        "INSERT INTO certificate (cert_id, issuer, serial, fingerprint, key, subject, not_before, not_after, state, stored, der) SELECT 'AA.AA', x'00', x'00', randomblob(32), randomblob(32), subject, not_before, not_after, 'superseded', stored, der FROM certificate LIMIT 1",
    ),
    (Removed, Revocation, "DELETE FROM revocation WHERE cause = 'keyCompromise'"),
    (Removed, Revocation, "DELETE FROM revocation WHERE cause = 'late'"),
    (Altered, Revocation, "UPDATE revocation SET not_after = 0"),
    (Altered, Revocation, "UPDATE revocation SET crl_reason = 4 WHERE cause = 'keyCompromise'"),
    (
        Inserted,
        Revocation,
        "INSERT INTO revocation (issuer, serial, revoked, cause) SELECT issuer, serial, 0, 'forged' FROM certificate WHERE state = 'current' LIMIT 1",
    ),
    (Altered, Subject, "UPDATE subject SET pin_hash = 'of the thief' WHERE pin_hash IS NOT NULL"),
    (Altered, Subject, "UPDATE subject SET pin_hash = NULL WHERE pin_hash IS NOT NULL"),
    (
        Altered,
        Subject,
        "UPDATE subject SET pin_attempts = 1 - pin_attempts WHERE pin_hash IS NOT NULL",
    ),
    (Altered, Subject, "UPDATE subject SET role = 'administrator' WHERE role = 'user'"),
    (Altered, Subject, "UPDATE subject SET disabled = 1 - disabled"),
    (
        Altered,
        Subject,
        "UPDATE subject SET name = 'CN=Eve', name_der = x'30' WHERE role = 'administrator'",
    ),
    (Altered, Subject, "UPDATE subject SET contract = randomblob(16) WHERE role = 'administrator'"),
    (Removed, Subject, "DELETE FROM subject WHERE disabled = 1"),
    (
        Inserted,
        Subject,
        "INSERT INTO subject (id, contract, name, name_der, role, created) SELECT randomblob(16), id, 'CN=Eve', x'3000', 'administrator', 0 FROM contract",
    ),
    (Altered, Contract, "UPDATE contract SET disabled = 1"),
    (Removed, Contract, "DELETE FROM contract"),
    (
        Inserted,
        Contract,
        "INSERT INTO contract (id, name, created) VALUES (randomblob(16), 'Eve K.K.', 0)",
    ),
    (Altered, Order, "UPDATE orders SET state = 'canceled' WHERE state = 'processing'"),
    (Altered, Order, "UPDATE orders SET key = randomblob(32) WHERE state = 'processing'"),
    (Altered, Order, "UPDATE orders SET csr = x'00' WHERE state = 'processing'"),
    (
        Altered,
        Order,
        "UPDATE orders SET rollback = 'until', rollback_until = 9999999999 WHERE state = 'completed'",
    ),
    (Removed, Order, "DELETE FROM orders WHERE state = 'processing'"),
    (
        Inserted,
        Order,
        "INSERT INTO orders (id, subject, replaces, key, key_store, csr, created, entered, state) SELECT randomblob(16), subject, id, randomblob(32), 'file', x'30', 0, 0, 'canceled' FROM certificate LIMIT 1",
    ),
    (Altered, Reissue, "UPDATE reissue SET enrollment_key = '{\"of\":\"the thief\"}'"),
    (Altered, Reissue, "UPDATE reissue SET expires = expires + 1000000"),
    (Altered, Reissue, "UPDATE reissue SET state = 'canceled'"),
    (Removed, Reissue, "DELETE FROM reissue"),
    (
        Inserted,
        Reissue,
        "INSERT INTO reissue SELECT randomblob(16), id, 'keyLost', '{}', 0, 9999999999, 'pending' FROM subject WHERE role = 'administrator'",
    ),
    (Altered, Request, "UPDATE reissue_request SET form = '18'"),
    (Removed, Request, "DELETE FROM reissue_request"),
    (
        Inserted,
        Request,
        "INSERT INTO reissue_request (id, subject, reason, form, maker, created) SELECT randomblob(16), subject, reason, form, maker, 0 FROM reissue_request",
    ),
    (Altered, Operator, "UPDATE operator SET disabled = NULL WHERE name = 'tanaka'"),
    (Altered, Operator, "UPDATE operator SET credential_hash = 'of the thief' WHERE name = 'sato'"),
    (Removed, Operator, "DELETE FROM operator WHERE name = 'tanaka'"),
    (
        Inserted,
        Operator,
        "INSERT INTO operator (name, credential_hash, created) VALUES ('eve', 'hash', 0)",
    ),
    (Altered, Session, "UPDATE session SET expires = 9999999999 WHERE ended IS NULL"),
    (Altered, Session, "UPDATE session SET subject = randomblob(16) WHERE ended IS NULL"),
    (
        Inserted,
        Session,
        "UPDATE session SET ended = NULL WHERE id = (SELECT id FROM session AS n WHERE ended = 'orderCompleted' AND NOT EXISTS (SELECT 1 FROM session WHERE certificate = n.certificate AND ended IS NULL))",
    ),
    (Altered, Crl, "UPDATE crl SET der = x'30'"),
    (Altered, Crl, "UPDATE crl SET number = 0, published = 9999999999"),
    (Removed, Crl, "DELETE FROM crl"),
];

// [AUD-06]
#[tokio::test]
async fn whatever_is_altered_removed_or_inserted_past_the_bank_is_found() {
    let bank = busy_bank().await;
    audit::verify(bank.store.as_ref(), None).await.expect("sound");
    let pristine = bank.folder().join("pristine.db");
    bank.sql().execute("VACUUM INTO ?1", [pristine.to_str()]).expect("a copy");
    for (expected, object, sql) in TAMPERING {
        let path = bank.folder().join("tampered.db");
        std::fs::copy(&pristine, &path).expect("a copy");
        tamper(&path, sql);
        let store = Sqlite::open(&path).expect("opens");
        let findings = findings(&store).await;
        assert!(
            findings.iter().any(|one| how(one) == Some((*expected, *object))),
            "{sql}: {findings:?}"
        );
        let others = findings.iter().filter_map(how).filter(|found| found.1 != *object);
        assert_eq!(others.collect::<Vec<_>>(), [], "{sql}: nothing else");
        store.close();
        for suffix in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(bank.folder().join(format!("tampered.db{suffix}"))));
        }
    }
}

// [AUD-06]
#[tokio::test]
async fn a_key_that_was_given_free_and_a_changed_schema_are_found() {
    let bank = busy_bank().await;
    tamper(bank.store.path(), "DELETE FROM taken_key");
    let found = findings(&bank.store).await;
    let freed = |table: &str| Finding::Registry(Differs::Dangling { table: table.to_owned() });
    assert!(found.contains(&freed("orders")) && found.contains(&freed("certificate")), "{found:?}");

    let bank = busy_bank().await;
    bank.sql()
        .execute_batch(
            "CREATE TRIGGER revive AFTER UPDATE ON certificate WHEN new.state = 'revoked'
             BEGIN UPDATE certificate SET state = 'current' WHERE id = new.id; END;
             DROP INDEX key_has_one_order",
        )
        .expect("changed");
    let other = |name: &str| Finding::Registry(Differs::Schema { name: name.to_owned() });
    assert_eq!(findings(&bank.store).await, [other("key_has_one_order"), other("revive")]);
}

// [AUD-06]
#[tokio::test]
async fn a_finding_names_the_chain_and_the_object() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    bank.revoke(&person.certificate).await;
    tamper(
        bank.store.path(),
        "UPDATE certificate SET state = 'current' WHERE state = 'revoked'; DELETE FROM revocation",
    );
    let (chain, id) = (audit::Chain::Contract(bank.contract), person.cert_id().to_string());
    assert_eq!(
        findings(&bank.store).await,
        [
            Finding::Registry(Differs::Altered { chain, object: Certificate, id: id.clone() }),
            Finding::Registry(Differs::Removed { chain, object: Revocation, id }),
        ]
    );
}

#[tokio::test]
async fn what_time_ends_and_what_is_forgotten_leaves_the_bank_sound() {
    let bank = busy_bank().await;
    for days in [0, 1, 2, 30, 400] {
        bank.wait(days * DAY);
        bank.store
            .tidy_up(100, Some(koshin_protocol::time::Period::from_days(1)), bank.now())
            .await
            .expect("tidied up");
        assert_eq!(findings(&bank.store).await, [], "after {days} more days");
    }
}

// [AUD-06]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_that_writes_is_found_sound_meanwhile() {
    let bank = std::sync::Arc::new(busy_bank().await);
    let writer = {
        let bank = bank.clone();
        tokio::spawn(async move {
            for turn in 0..40 {
                let person = bank.person(&format!("Writer {turn}"), Role::User).await;
                bank.renew(&person).await;
            }
        })
    };
    let mut looked = 0;
    while !writer.is_finished() || looked < 3 {
        assert_eq!(findings(&bank.store).await, []);
        looked += 1;
    }
    writer.await.expect("no panic");
    assert_eq!(findings(&bank.store).await, []);
}

// [DUR-29]
#[tokio::test]
async fn a_backup_that_was_altered_is_restored_by_an_operators_name_only_and_says_so() {
    let bank = busy_bank().await;
    let (backup, crl, heads) = (bank.backup().await, bank.newest_crl().await, bank.export().await);
    let crls = [crl];
    tamper(&backup, "UPDATE subject SET role = 'administrator' WHERE name = 'CN=Revoked'");
    let refused = bank.try_restore(&backup, &crls, Some(&heads), None);
    let Err(RestoreError::AlteredNotAccepted(differs)) = refused else { panic!("{refused:?}") };
    assert!(matches!(differs[..], [Differs::Altered { object: Subject, .. }]), "{differs:?}");
    let report = bank.try_restore(&backup, &crls, Some(&heads), Some(OPERATOR)).expect("accepted");
    let [differs] = <[_; 1]>::try_from(differs).expect("one");
    assert!(report.notes.contains(&Note::Altered { differs }), "{:?}", report.notes);
}
