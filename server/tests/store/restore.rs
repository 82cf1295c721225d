//! Backup, and going back to one: no revocation is forgotten, no loss goes unnoticed.

use koshin_server::audit::{self, Export, Standing};
use koshin_server::store::backup::{Backup, BackupError};
use koshin_server::store::change::Actor;
use koshin_server::store::latest_crl::{BadCrl, LatestCrl};
use koshin_server::store::row::{CrlRow, RevocationRow, Role};
use koshin_server::store::sqlite::{KnownBy, RestoreError, RestoreReport, Sqlite};
use koshin_server::store::{Failure, Store, StoreError};

use crate::backup::OPERATOR;
use crate::bank::{Bank, certificate_of, fingerprint};

/// An export of a bank that had done nothing yet.
fn nothing(bank: &Bank) -> Export {
    let standing = Standing::ordinary(bank.now());
    Export { time: bank.now(), heads: Vec::new(), revoked: Vec::new(), standing }
}

fn restored(
    bank: &Bank,
    backup: &std::path::Path,
    crls: &[LatestCrl],
    heads: Option<&Export>,
    loss_accepted_by: Option<&str>,
) -> Result<RestoreReport, RestoreError> {
    bank.try_restore(backup, crls, heads, loss_accepted_by)
}

fn open(bank: &Bank) -> Sqlite {
    Sqlite::open(bank.folder().join("restored/koshin.db")).expect("opens")
}

#[tokio::test]
async fn a_backup_is_taken_while_the_bank_writes_and_is_not_served_from() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let (new, _) = bank.renew(&person).await;
    let path = bank.backup().await;
    bank.renew(&new).await;
    assert_eq!(Sqlite::open(&path).err(), Some(StoreError::Backup));
    assert_eq!(bank.store.backup(Backup::to(&path)).await, Err(BackupError::Exists(path)));
}

#[tokio::test]
async fn a_restore_of_the_newest_state_needs_nobodys_acceptance() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let (new, _) = bank.renew(&person).await;
    let path = bank.backup().await;
    let export = bank.export().await;
    let report = restored(&bank, &path, &[], Some(&export), None).expect("restored");
    assert_eq!((report.notes, report.unknown, report.lost), (Vec::new(), 0, Vec::new()));
    let store = open(&bank);
    let holder = store.certificate_by_fingerprint(new.fingerprint()).await.expect("read");
    assert!(holder.expect("there").certificate.state.is_current());
    audit::verify(&store, Some(&export)).await.expect("the audit goes on");
}

// [DUR-21]
#[tokio::test]
async fn records_lost_since_the_backup_are_accepted_by_name_or_not_at_all() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    bank.store
        .add_operator("sato".to_owned(), "hash".to_owned(), Actor::Bank, bank.now())
        .await
        .expect("an operator");
    let path = bank.backup().await;
    bank.session(&person.certificate).await;
    let export = bank.export().await;
    for heads in [Some(&export), None] {
        let refused = restored(&bank, &path, &[], heads, None);
        assert!(matches!(refused, Err(RestoreError::LossNotAccepted(_))), "{refused:?}");
    }
    let stranger = restored(&bank, &path, &[], Some(&export), Some("nobody"));
    assert!(matches!(stranger, Err(RestoreError::Failed(Failure::Refused(_)))), "{stranger:?}");
    let report = restored(&bank, &path, &[], Some(&export), Some("sato")).expect("accepted");
    assert_eq!(report.lost.len(), 1);
    open(&bank);
}

// [DUR-20]
#[tokio::test]
async fn revocations_of_the_latest_crl_are_applied_again_with_their_effects() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let (current, _) = bank.renew(&person).await;
    let session = bank.session(&current.certificate).await;
    let n = bank.new_key();
    let open_order = bank.place(&current, session, n).await.expect("placed").order;
    let number = bank.store.next_crl_number(bank.ca.id(), bank.now()).await.expect("a number");
    let first = bank.ca.crl(number, bank.now(), &[]);
    let first = koshin_server::store::row::CrlRow { number, published: bank.now(), der: first };
    bank.store.publish_crl(bank.ca.id(), first.clone()).await.expect("published");
    let path = bank.backup().await;

    // After the backup: the current certificate is revoked, and a stranger's is issued and revoked.
    bank.revoke(&current.certificate).await;
    let stranger = bank.person("Yamada Taro", Role::User).await;
    bank.revoke(&stranger.certificate).await;
    let listed = bank.store.revocations(bank.ca.id(), bank.now()).await.expect("read");
    assert_eq!(listed.len(), 3, "the current one, its unconfirmed successor, the stranger's");
    let number = bank.store.next_crl_number(bank.ca.id(), bank.now()).await.expect("a number");
    let der = bank.ca.crl(number, bank.now(), &listed);
    let crl = LatestCrl::from_der(
        &der,
        &bank.ca.certificate(),
        koshin_protocol::verify::default_verifier(),
    )
    .expect("a CRL");
    let heads = bank.export().await;
    bank.store
        .add_operator("sato".to_owned(), "hash".to_owned(), Actor::Bank, bank.now())
        .await
        .expect("too late for the backup");

    let old = LatestCrl::from_der(
        &first.der,
        &bank.ca.certificate(),
        koshin_protocol::verify::default_verifier(),
    )
    .expect("a CRL");
    assert_eq!(old.number(), 1);
    let missing = restored(&bank, &path, &[], Some(&nothing(&bank)), None);
    assert!(matches!(missing, Err(RestoreError::CrlMissing { least: 1, .. })), "{missing:?}");
    let lossy = restored(&bank, &path, std::slice::from_ref(&crl), Some(&heads), None);
    assert!(matches!(lossy, Err(RestoreError::LossNotAccepted(_))), "{lossy:?}");

    let none = nothing(&bank);
    let report = restored(&bank, &path, &[crl], Some(&none), None).expect("restored");
    assert_eq!(report.revoked(), [&current.cert_id()]);
    assert_eq!(report.unknown, 1);
    let store = open(&bank);
    let order = store.order(open_order.id).await.expect("read").expect("there");
    assert_eq!(order.state.status().as_str(), "invalid");
    let holder = store.certificate_by_fingerprint(fingerprint(&certificate_of(&open_order))).await;
    let holder = holder.expect("read").expect("there");
    assert_eq!(holder.certificate.state, koshin_protocol::state::certificate::Certificate::Revoked);
    let again = store.revocations(bank.ca.id(), bank.now()).await.expect("read");
    let serials = |rows: &[RevocationRow]| {
        let mut serials: Vec<_> = rows.iter().map(|row| row.serial.clone()).collect();
        serials.sort();
        serials
    };
    assert_eq!(serials(&again), serials(&listed), "nothing listed is forgotten");
    assert_eq!(store.session(session, bank.now()).await.expect("read"), None);
    let next = store.next_crl_number(bank.ca.id(), bank.now()).await.expect("a number");
    assert_eq!(next, number + 1, "CRL numbers go on");
}

#[tokio::test]
async fn revocations_of_imported_certificates_are_applied_again_by_the_exported_heads() {
    let bank = Bank::new().await;
    let (revoked, other) = (bank.user().await, bank.person("Yamada Taro", Role::User).await);
    let path = bank.backup().await;
    bank.revoke(&revoked.certificate).await;
    let export = Export { heads: Vec::new(), ..bank.export().await };
    assert_eq!(export.revoked.len(), 1);
    bank.wait(60);
    let report = restored(&bank, &path, &[], Some(&export), None).expect("restored");
    assert_eq!(report.revoked(), [&revoked.cert_id()]);
    let store = open(&bank);
    for (person, current) in [(&revoked, false), (&other, true)] {
        let holder = store.certificate_by_fingerprint(person.fingerprint()).await.expect("read");
        assert_eq!(holder.expect("there").certificate.state.is_current(), current);
    }
    let after = store.audit_export(bank.now()).await.expect("read");
    assert_eq!(after.revoked, export.revoked, "with its date");
    audit::verify(&store, None).await.expect("the audit goes on");
}

#[tokio::test]
async fn a_crl_of_another_signer_is_refused() {
    let bank = Bank::new().await;
    let der = bank.ca.crl(1, bank.now(), &[]);
    let other = bank.ca.sign(&crate::bank::name("Test CA"), 5, (0, 1));
    let verifier = koshin_protocol::verify::default_verifier();
    assert_eq!(LatestCrl::from_der(&der, &other, verifier), Err(BadCrl::Issuer));
    let mut cut = der.clone();
    cut.pop();
    assert_eq!(LatestCrl::from_der(&cut, &bank.ca.certificate(), verifier), Err(BadCrl::Encoding));
}

#[tokio::test]
async fn a_backup_whose_audit_was_changed_is_refused_whoever_accepts() {
    let bank = Bank::new().await;
    bank.user().await;
    bank.store
        .add_operator("sato".to_owned(), "hash".to_owned(), Actor::Bank, bank.now())
        .await
        .expect("an operator");
    let path = bank.backup().await;
    let sql = rusqlite::Connection::open(&path).expect("a connection");
    sql.execute("DELETE FROM audit WHERE sequence = 1 AND length(chain) = 16", []).expect("cut");
    drop(sql);
    let refused = restored(&bank, &path, &[], None, Some("sato"));
    assert!(matches!(refused, Err(RestoreError::Tampered(_))), "{refused:?}");
}

// [DUR-28]
#[tokio::test]
async fn a_crl_that_is_older_than_the_heads_is_refused_with_the_number_that_is_needed() {
    let bank = Bank::new().await;
    bank.operator(OPERATOR).await;
    let backup = bank.backup().await;
    let mut crls = Vec::new();
    for _ in 0..3 {
        let crl = bank.newest_crl().await;
        let row =
            CrlRow { number: crl.number(), published: crl.published(), der: crl.der().to_vec() };
        bank.store.publish_crl(bank.ca.id(), row).await.expect("published");
        crls.push(crl);
    }
    let heads = bank.export().await;
    let by = Some(OPERATOR);
    for given in [&crls[..0], &crls[..1], &crls[..2]] {
        let refused = bank.try_restore(&backup, given, Some(&heads), by).expect_err("refused");
        let number = given.last().map(LatestCrl::number);
        assert_eq!(
            refused,
            RestoreError::CrlMissing {
                issuer: bank.ca.id(),
                least: 3,
                known_by: KnownBy::Heads,
                given: number,
            }
        );
        assert!(refused.to_string().contains("has number 3 at least"), "{refused}");
        assert!(!bank.folder().join("restored/koshin.db").exists(), "nothing appears");
    }
    bank.try_restore(&backup, &crls, Some(&heads), by).expect("any order, the newest counts");
}
