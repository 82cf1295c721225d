//! Tampering with the audit's rows by SQL, and what `verify` says.

use koshin_protocol::sign::{Es256Key, Signer};
use koshin_protocol::verify::default_verifier;
use koshin_server::audit::{Chain, Export, ExportError, Tampered, VerifyError, verify};
use koshin_server::store::Store;

use crate::bank::{Bank, key};

async fn busy_bank() -> (Bank, Chain) {
    let bank = Bank::new().await;
    let person = bank.user().await;
    bank.renew(&person).await;
    let chain = Chain::Bank;
    let records = bank.sqlite.audit(chain, 0, 100).await.expect("read");
    assert!(records.len() >= 5, "contract, import, logon, order, confirmation");
    (bank, chain)
}

async fn export(bank: &Bank) -> Export {
    let heads = bank.sqlite.audit_heads().await.expect("read");
    let revoked = bank.sqlite.imported_revocations(bank.now()).await.expect("read");
    Export { time: bank.now(), heads, revoked }
}

async fn tampered(bank: &Bank, exported: Option<&Export>) -> Tampered {
    match verify(&*bank.sqlite, exported).await {
        Err(VerifyError::Tampered(tampered)) => tampered,
        other => panic!("not found: {other:?}"),
    }
}

// [AUD-02]
#[tokio::test]
async fn an_untouched_audit_verifies_against_its_heads_and_goes_on() {
    let (bank, _) = busy_bank().await;
    let export = export(&bank).await;
    let heads = verify(&*bank.sqlite, Some(&export)).await.expect("sound");
    assert_eq!(heads, export.heads);
    bank.person("Suzuki Ichiro", koshin_server::rule::row::Role::User).await;
    assert_ne!(verify(&*bank.sqlite, Some(&export)).await.expect("sound"), export.heads);
}

// [AUD-03]
#[tokio::test]
async fn an_edited_record_is_found() {
    let (bank, chain) = busy_bank().await;
    let changed = bank
        .sql()
        .execute(
            "UPDATE audit SET record =
                 CAST(replace(CAST(record AS TEXT), 'orderPlaced', 'orderPlacee') AS BLOB)
             WHERE sequence = 4",
            [],
        )
        .expect("edited");
    assert_eq!(changed, 1);
    assert_eq!(tampered(&bank, None).await, Tampered::Edited { chain, sequence: 4 });
}

// [AUD-03]
#[tokio::test]
async fn a_deleted_record_is_found() {
    let (bank, chain) = busy_bank().await;
    bank.sql().execute("DELETE FROM audit WHERE sequence = 3", []).expect("deleted");
    assert_eq!(tampered(&bank, None).await, Tampered::Missing { chain, sequence: 3 });
}

// [AUD-03]
#[tokio::test]
async fn an_inserted_record_is_found() {
    let (bank, chain) = busy_bank().await;
    bank.sql()
        .execute_batch(
            "UPDATE audit SET sequence = -sequence WHERE sequence >= 3 AND 0;
             CREATE TEMP TABLE later AS SELECT * FROM audit WHERE sequence >= 3;
             DELETE FROM audit WHERE sequence > 3;
             INSERT INTO audit SELECT chain, sequence + 1, record, hash FROM later;",
        )
        .expect("inserted");
    assert_eq!(tampered(&bank, None).await, Tampered::Edited { chain, sequence: 4 });
}

// [AUD-03]
#[tokio::test]
async fn swapped_records_are_found() {
    let (bank, chain) = busy_bank().await;
    bank.sql()
        .execute_batch(
            "CREATE TEMP TABLE two AS SELECT * FROM audit WHERE sequence IN (2, 3);
             DELETE FROM audit WHERE sequence IN (2, 3);
             INSERT INTO audit SELECT chain, 5 - sequence, record, hash FROM two;",
        )
        .expect("swapped");
    assert_eq!(tampered(&bank, None).await, Tampered::Edited { chain, sequence: 2 });
}

// [AUD-03]
#[tokio::test]
async fn a_cut_tail_is_found_against_the_exported_head_only() {
    let (bank, chain) = busy_bank().await;
    let export = export(&bank).await;
    let exported = export.head(chain).expect("exported").sequence;
    bank.sql()
        .execute(
            "DELETE FROM audit WHERE sequence = ?1",
            [i64::try_from(exported).expect("a small number")],
        )
        .expect("cut");
    verify(&*bank.sqlite, None).await.expect("a shorter chain is a chain");
    assert_eq!(
        tampered(&bank, Some(&export)).await,
        Tampered::Truncated { chain, found: exported - 1, exported }
    );
}

#[tokio::test]
async fn a_chain_that_is_gone_is_found_against_the_exported_head() {
    let (bank, chain) = busy_bank().await;
    let export = export(&bank).await;
    let exported = export.head(chain).expect("exported").sequence;
    bank.sql().execute("DELETE FROM audit", []).expect("cut");
    assert_eq!(
        tampered(&bank, Some(&export)).await,
        Tampered::Truncated { chain, found: 0, exported }
    );
}

#[tokio::test]
async fn an_export_is_believed_from_the_right_key_and_unchanged() {
    let (bank, _) = busy_bank().await;
    let export = export(&bank).await;
    let signer = Es256Key::from_scalar(&[7; 32]).expect("a key");
    let text = export.sign(&signer).expect("signed");
    let verifier = default_verifier();
    assert_eq!(Export::verify(&text, signer.public_key(), verifier), Ok(export));
    assert_eq!(Export::verify(&text, &key(1), verifier), Err(ExportError::BadSignature));
    let other = Export { time: bank.now(), heads: Vec::new(), revoked: Vec::new() };
    let other = other.sign(&signer).expect("signed");
    let payload = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        value["payload"].as_str().expect("a payload").to_owned()
    };
    let forged = text.replace(&payload(&text), &payload(&other));
    assert_eq!(
        Export::verify(&forged, signer.public_key(), verifier),
        Err(ExportError::BadSignature)
    );
}
