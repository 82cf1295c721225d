//! Backup, and going back to one: no revocation is forgotten, no loss goes unnoticed.

use koshin_server::audit::{self, Export};
use koshin_server::rule::command::Actor;
use koshin_server::latest_crl::{BadCrl, LatestCrl};
use koshin_server::rule::row::{RevocationRow, Role};
use koshin_server::store::sqlite::{Restore, RestoreError, RestoreReport, Sqlite, restore};
use koshin_server::registry::Failure;
use koshin_server::store::{Store, StoreError};

use crate::bank::{Bank, certificate_of, fingerprint};

async fn export(bank: &Bank) -> Export {
    let heads = bank.sqlite.audit_heads().await.expect("read");
    let revoked = bank.sqlite.imported_revocations(bank.now()).await.expect("read");
    Export { time: bank.now(), heads, revoked }
}

/// An export of a bank that had done nothing yet.
fn nothing(bank: &Bank) -> Export {
    Export { time: bank.now(), heads: Vec::new(), revoked: Vec::new() }
}

async fn backup(bank: &Bank) -> std::path::PathBuf {
    let path = bank.folder().join("backup.db");
    bank.sqlite.backup(path.clone()).await.expect("a backup");
    path
}

fn restored(
    bank: &Bank,
    backup: &std::path::Path,
    crls: &[LatestCrl],
    heads: Option<&Export>,
    loss_accepted_by: Option<&str>,
) -> Result<RestoreReport, RestoreError> {
    let target = bank.folder().join("restored.db");
    restore(&Restore { backup, target: &target, crls, heads, loss_accepted_by, now: bank.now() })
}

fn open(bank: &Bank) -> Sqlite {
    Sqlite::open(bank.folder().join("restored.db")).expect("opens")
}

#[tokio::test]
async fn a_backup_is_taken_while_the_bank_writes_and_is_not_served_from() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let (new, _) = bank.renew(&person).await;
    let path = backup(&bank).await;
    bank.renew(&new).await;
    assert_eq!(Sqlite::open(&path).err(), Some(StoreError::Backup));
    assert!(matches!(bank.sqlite.backup(path).await, Err(StoreError::Open { .. })));
}

#[tokio::test]
async fn a_restore_of_the_newest_state_needs_nobodys_acceptance() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let (new, _) = bank.renew(&person).await;
    let path = backup(&bank).await;
    let export = export(&bank).await;
    let report = restored(&bank, &path, &[], Some(&export), None).expect("restored");
    assert_eq!(report, RestoreReport { revoked: Vec::new(), unknown: 0, lost: Vec::new() });
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
    let path = backup(&bank).await;
    bank.session(&person.certificate).await;
    let export = export(&bank).await;
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
    let number = bank.sqlite.next_crl_number(bank.ca.id(), bank.now()).await.expect("a number");
    let first = bank.ca.crl(number, bank.now(), &[]);
    let first = koshin_server::rule::row::CrlRow { number, published: bank.now(), der: first };
    bank.sqlite.publish_crl(bank.ca.id(), first.clone()).await.expect("published");
    let path = backup(&bank).await;

    // After the backup: the current certificate is revoked, and a stranger's is issued and revoked.
    bank.revoke(&current.certificate).await;
    let stranger = bank.person("Yamada Taro", Role::User).await;
    bank.revoke(&stranger.certificate).await;
    let listed = bank.sqlite.revocations(bank.ca.id(), bank.now()).await.expect("read");
    assert_eq!(listed.len(), 3, "the current one, its unconfirmed successor, the stranger's");
    let number = bank.sqlite.next_crl_number(bank.ca.id(), bank.now()).await.expect("a number");
    let der = bank.ca.crl(number, bank.now(), &listed);
    let crl = LatestCrl::from_der(
        &der,
        &bank.ca.certificate(),
        koshin_protocol::verify::default_verifier(),
    )
    .expect("a CRL");
    let heads = export(&bank).await;
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
    assert_eq!(report.revoked, [current.cert_id()]);
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
    let path = backup(&bank).await;
    bank.revoke(&revoked.certificate).await;
    let export = Export { heads: Vec::new(), ..export(&bank).await };
    assert_eq!(export.revoked.len(), 1);
    bank.wait(60);
    let report = restored(&bank, &path, &[], Some(&export), None).expect("restored");
    assert_eq!(report.revoked, [revoked.cert_id()]);
    let store = open(&bank);
    for (person, current) in [(&revoked, false), (&other, true)] {
        let holder = store.certificate_by_fingerprint(person.fingerprint()).await.expect("read");
        assert_eq!(holder.expect("there").certificate.state.is_current(), current);
    }
    assert_eq!(store.imported_revocations(bank.now()).await, Ok(export.revoked), "with its date");
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
    let path = backup(&bank).await;
    let sql = rusqlite::Connection::open(&path).expect("a connection");
    sql.execute("DELETE FROM audit WHERE sequence = 1", []).expect("cut");
    drop(sql);
    let refused = restored(&bank, &path, &[], None, Some("sato"));
    assert!(matches!(refused, Err(RestoreError::Tampered(_))), "{refused:?}");
}
