//! cancel (SPEC.md 7.11).

use koshin_protocol::order::Status;
use koshin_protocol::problem::{Extra, Token};
use koshin_server::route::Route;
use koshin_server::rule::row::Role;
use serde_json::json;

use crate::bank::Bank;
use crate::deeds::pair_of;
use crate::person::Key;
use crate::request::By;

// [CAN-01] [CAN-07] [RCP-01] [RCP-02] [REV-08] [ERR-02]
#[tokio::test]
async fn a_canceled_order_leaves_the_old_certificate_current_and_the_new_one_revoked() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    bank.wait(5);
    let canceled = bank.cancel(&order, &logon).await;
    assert!(matches!(canceled.status, Status::Canceled { .. }));
    let receipt = bank.receipt(&canceled);
    assert_eq!((receipt.order, receipt.key), (order.url.clone(), order.key));
    assert_eq!(receipt.status.as_str(), "canceled");
    assert_eq!(receipt.time, bank.now());
    assert_eq!(receipt.replaces, Some(user.pair.cert_id()));
    assert_eq!(receipt.cert_id, Some(new.cert_id()));
    assert!(bank.is_active(&logon).await, "the session goes on");
    assert_eq!(bank.state_of(&user.pair), "current");
    let problem = bank.log_on_for(&new, "renewal").await.refused(Token::CertificateRevoked);
    assert_eq!(problem.extra, Extra::Predecessor(user.pair.cert_id()));
    assert_eq!(problem.remedy.action.as_str(), "usePredecessor");
    bank.wait(5);
    let again = bank.cancel(&order, &logon).await;
    assert_eq!(bank.receipt(&again).time, bank.receipt(&canceled).time);
    bank.order(&logon, &Key::new()).await;
}

// [CAN-02] [AUT-05]
#[tokio::test]
async fn another_key_cancels_nothing_whatever_the_state() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let wrong = json!({ "key": Key::new().thumbprint().to_string() });
    let problem = bank.cancel_with(&order, &logon, wrong.clone()).await;
    let problem = problem.refused(Token::KeyMismatch);
    assert_eq!(problem.extra, Extra::Key(order.key));
    bank.cancel(&order, &logon).await;
    bank.cancel_with(&order, &logon, wrong).await.refused(Token::KeyMismatch);
}

// [CAN-01] [STA-01] [ERR-02]
#[tokio::test]
async fn a_completed_order_is_not_canceled_any_more() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (new, order) = bank.renew(&user).await;
    let logon = bank.log_on(&new).await;
    let problem = bank.try_cancel(&order, &logon).await.refused(Token::OrderCompleted);
    assert_eq!(problem.remedy.action.as_str(), "useSuccessor");
    assert_eq!(bank.state_of(&new), "current");
}

// [CAN-03]
#[tokio::test]
async fn after_the_predecessor_expired_nobody_takes_the_only_certificate_away() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.set(user.pair.not_after());
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    bank.wait(1);
    bank.try_cancel(&order, &logon).await.refused(Token::CertificateExpired);
    let read = bank.read_order(&order, &By::Key(key)).await;
    assert_eq!(read.status.name().as_str(), "valid");
}

// [CAN-04]
#[tokio::test]
async fn an_enrollment_is_not_canceled_by_cancel() {
    let bank = Bank::new().await;
    let (user, administrator) = (bank.user().await, bank.administrator().await);
    let by = bank.log_on(&administrator.pair).await;
    let ticket = bank.reissue(&by, &user, "keyLost").await;
    let key = Key::new();
    let answer = bank.enroll_with(&ticket, &user.name, &key).await;
    let order: koshin_protocol::order::Order = answer.object(201);
    let logon = bank.log_on(&user.pair).await;
    bank.try_cancel(&order, &logon).await.refused(Token::NotAuthorized);
    bank.try_cancel(&order, &by).await.refused(Token::NotFound);
}

// [AUT-05] [AUT-06]
#[tokio::test]
async fn an_administrator_reads_a_users_order_and_changes_nothing_of_it() {
    let bank = Bank::new().await;
    let (user, administrator) = (bank.user().await, bank.administrator().await);
    let other = bank.person(bank.spec(Role::Administrator)).await;
    let logon = bank.log_on(&user.pair).await;
    let order = bank.order(&logon, &Key::new()).await;
    let by = bank.log_on(&administrator.pair).await;
    assert_eq!(bank.read_order(&order, &by.by()).await, order);
    bank.try_cancel(&order, &by).await.refused(Token::NotFound);
    let theirs = bank.order(&by, &Key::new()).await;
    let peer = bank.log_on(&other.pair).await;
    bank.read(&theirs.url, &peer.by()).await.refused(Token::NotFound);
    let absent = bank.url(&Route::Order("AAAAAAAAAAAAAAAAAAAAAA".to_owned()));
    bank.read(&absent, &by.by()).await.refused(Token::NotFound);
}
