//! confirm (SPEC.md 7.13).

use koshin_protocol::order::{Order, Status};
use koshin_protocol::problem::{Extra, Token};
use serde_json::json;

use crate::bank::{Bank, DAY, at};
use crate::deeds::pair_of;
use crate::person::{Key, Pair};

/// A bank with an order in `valid`, its new pair, and the old pair.
async fn valid(bank: &Bank) -> (Order, Pair, Pair) {
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    (order, new, user.pair)
}

// [CFM-01] [RCP-01] [RCP-02] [STA-03]
#[tokio::test]
async fn a_confirm_may_be_repeated() {
    let bank = Bank::new().await;
    let (order, new, old) = valid(&bank).await;
    let completed = bank.confirm(&order, &new).await;
    let receipt = bank.receipt(&completed);
    assert_eq!(receipt.status.as_str(), "completed");
    assert_eq!(receipt.cert_id, Some(new.cert_id()));
    assert_eq!(receipt.replaces, Some(old.cert_id()));
    assert_eq!(receipt.time, bank.now());
    bank.wait(60);
    let again = bank.confirm(&order, &new).await;
    assert_eq!(bank.receipt(&again), receipt);
    let Status::Completed { rollback: Some(right), .. } = &again.status else {
        panic!("the right to roll back: {again:?}")
    };
    assert_eq!(right.until, at(receipt.time.unix() + 7 * DAY));
}

// [CFM-01] [RBK-03]
#[tokio::test]
async fn a_final_confirm_gives_the_right_to_roll_back_up() {
    let bank = Bank::new().await;
    let (order, new, old) = valid(&bank).await;
    let completed: Order =
        bank.try_confirm(&order, &new, json!({ "final": true })).await.object(200);
    assert!(matches!(completed.status, Status::Completed { rollback: None, .. }));
    bank.log_on_for(&old, "recovery").await.refused(Token::RollbackEnded);
    let (order, new, old) = valid(&bank).await;
    bank.confirm(&order, &new).await;
    bank.recover(&old).await;
    let completed: Order =
        bank.try_confirm(&order, &new, json!({ "final": true })).await.object(200);
    assert!(matches!(completed.status, Status::Completed { rollback: None, .. }));
    bank.log_on_for(&old, "recovery").await.refused(Token::RollbackEnded);
}

// [CFM-02]
#[tokio::test]
async fn the_old_certificate_confirms_nothing() {
    let bank = Bank::new().await;
    let (order, _, old) = valid(&bank).await;
    let problem = bank.try_confirm(&order, &old, json!({})).await.refused(Token::KeyMismatch);
    assert_eq!(problem.extra, Extra::Key(order.key));
}

// [CFM-02] [AUT-05] [AUT-07]
#[tokio::test]
async fn a_confirm_by_a_foreign_or_superseded_certificate_is_refused() {
    let bank = Bank::new().await;
    let (order, new, old) = valid(&bank).await;
    let other = bank.user().await;
    bank.try_confirm(&order, &other.pair, json!({})).await.refused(Token::NotFound);
    bank.confirm(&order, &new).await;
    bank.try_confirm(&order, &old, json!({})).await.refused(Token::CertificateSuperseded);
}

// [CFM-03] [AUT-09]
#[tokio::test]
async fn a_late_confirm_is_told_what_became_of_the_order() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    bank.cancel(&order, &logon).await;
    let problem = bank.try_confirm(&order, &new, json!({})).await.refused(Token::OrderCanceled);
    assert_eq!(problem.remedy.action.as_str(), "usePredecessor");
    assert_eq!(problem.extra, Extra::Predecessor(user.pair.cert_id()));

    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    bank.revoke_itself(&new, "keyCompromise").await;
    let problem = bank.try_confirm(&order, &new, json!({})).await.refused(Token::OrderInvalid);
    assert_eq!(problem.remedy.action.as_str(), "logon");

    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    bank.confirm(&order, &new).await;
    let recovery = bank.recover(&user.pair).await;
    bank.roll_back(&order, &recovery).await;
    bank.try_confirm(&order, &new, json!({})).await.refused(Token::OrderRolledBack);
}

// [CFM-06] [AUT-08]
#[tokio::test]
async fn a_certificate_confirms_to_the_last_second_of_its_own() {
    let bank = Bank::new().await;
    let (order, new, old) = valid(&bank).await;
    bank.set(at(new.not_after().unix() + 1));
    bank.try_confirm(&order, &new, json!({})).await.refused(Token::CertificateExpired);
    bank.set(new.not_after());
    let completed = bank.confirm(&order, &new).await;
    assert_eq!(completed.status.name().as_str(), "completed");
    assert_eq!(bank.state_of(&old), "superseded");
}

// [CFM-04] [SES-32] [STA-05]
#[tokio::test]
async fn confirming_ends_the_predecessors_sessions_and_nobody_elses() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let (logon, theirs) = (bank.log_on(&user.pair).await, bank.log_on(&other.pair).await);
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    bank.confirm(&order, &pair_of(&order, &key)).await;
    bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);
    assert!(bank.is_active(&theirs).await);
}
