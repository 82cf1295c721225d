//! rollback (SPEC.md 7.14).

use koshin_protocol::operation::Operation;
use koshin_protocol::order::Order;
use koshin_protocol::problem::{Extra, Token};
use koshin_protocol::session::Session;
use serde_json::json;

use crate::bank::{Bank, DAY, at, policy, time};
use crate::deeds::{below, pair_of};
use crate::person::Key;
use crate::request::By;

// [RBK-01] [RBK-02] [RBK-08] [RCP-01] [REV-08]
#[tokio::test]
async fn a_rollback_makes_the_old_certificate_current_again_and_the_new_one_worthless() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (new, order) = bank.renew(&user).await;
    let recovery = bank.recover(&user.pair).await;
    bank.wait(9);
    let rolled = bank.roll_back(&order, &recovery).await;
    assert_eq!(rolled.status.name().as_str(), "rolledBack");
    let receipt = bank.receipt(&rolled);
    assert_eq!((receipt.time, &receipt.cert_id), (bank.now(), &Some(new.cert_id())));
    assert_eq!(bank.state_of(&user.pair), "current");
    let problem = bank.log_on_for(&new, "renewal").await.refused(Token::CertificateRevoked);
    assert_eq!(problem.extra, Extra::Predecessor(user.pair.cert_id()));
    let again = bank.roll_back(&order, &recovery).await;
    assert_eq!(bank.receipt(&again), receipt, "a lost answer may be asked for again");
    let session: Session = bank.read(&recovery.url, &recovery.by()).await.object(200);
    assert_eq!(session.certificate.state.as_str(), "current");
    assert_eq!(bank.read_order(&order, &recovery.by()).await.status.name().as_str(), "rolledBack");
    let logon = bank.log_on(&user.pair).await;
    bank.order_with(&logon, &new.key).await.object::<Order>(200);
    let next = bank.order(&logon, &Key::new()).await;
    assert_ne!(next.url, order.url);
}

// [RBK-03] [SES-06]
#[tokio::test]
async fn the_right_ends_with_the_second_after_the_period() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (_, order) = bank.renew(&user).await;
    let completed = bank.now().unix();
    bank.set(at(completed + 7 * DAY));
    let recovery = bank.recover(&user.pair).await;
    bank.wait(1);
    let problem = bank.try_roll_back(&order, &recovery).await.refused(Token::RollbackEnded);
    assert_eq!(problem.remedy.action.as_str(), "useSuccessor");
    let session: Session = bank.read(&recovery.url, &recovery.by()).await.object(200);
    assert_eq!(session.purpose().as_str(), "recovery", "the session goes on, the right does not");
}

// [RBK-03]
#[tokio::test]
async fn the_right_never_outlives_the_predecessor() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.set(at(user.pair.not_after().unix() - DAY));
    let (_, order) = bank.renew(&user).await;
    let koshin_protocol::order::Status::Completed { rollback: Some(right), .. } = &order.status
    else {
        panic!("a right")
    };
    assert_eq!(right.until, user.pair.not_after());
}

// [RBK-03] [SES-06]
#[tokio::test]
async fn the_second_logon_of_the_successor_ends_the_right_and_the_confirming_one_does_not() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    bank.log_on(&new).await;
    bank.recover(&user.pair).await;
    bank.log_on(&new).await;
    bank.log_on_for(&user.pair, "recovery").await.refused(Token::RollbackEnded);
}

// [RBK-03]
#[tokio::test]
async fn an_order_for_the_successor_ends_the_right() {
    let edits = [
        ("days = 30", "days = 366"),
        ("notices = [30]", "notices = [366]"),
        ("rollback = \"P7D\"", "rollback = \"P30D\""),
    ];
    let bank = Bank::of(policy("seed", &edits)).await;
    let user = bank.user().await;
    bank.set(time("2026-11-21T00:00:00Z"));
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    // This logon confirms, and its session may order the next renewal at once.
    let confirmed = bank.log_on(&pair_of(&order, &key)).await;
    let recovery = bank.recover(&user.pair).await;
    bank.order(&confirmed, &Key::new()).await;
    bank.try_roll_back(&order, &recovery).await.refused(Token::RollbackEnded);
    bank.log_on_for(&user.pair, "recovery").await.refused(Token::RollbackEnded);
}

// [RBK-03] [REV-08]
#[tokio::test]
async fn revoking_either_certificate_ends_the_right() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (new, order) = bank.renew(&user).await;
    let recovery = bank.recover(&user.pair).await;
    bank.revoke_itself(&new, "keyCompromise").await;
    bank.try_roll_back(&order, &recovery).await.refused(Token::RollbackEnded);
    assert_eq!(bank.state_of(&user.pair), "superseded");
    let user = bank.user().await;
    let (_, order) = bank.renew(&user).await;
    let recovery = bank.recover(&user.pair).await;
    bank.revoke_itself(&user.pair, "keyCompromise").await;
    bank.try_roll_back(&order, &recovery).await.refused(Token::SessionEnded);
    bank.log_on_for(&user.pair, "recovery").await.refused(Token::CertificateRevoked);
}

// [RBK-04] [AUT-03] [AUT-05]
#[tokio::test]
async fn a_rollback_names_the_orders_key_and_is_its_predecessors() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let (new, order) = bank.renew(&user).await;
    let recovery = bank.recover(&user.pair).await;
    let wrong = json!({ "key": Key::new().thumbprint().to_string() });
    let url = below(&order, "rollback");
    let answer = bank.post(Operation::Rollback, &url, &recovery.by(), wrong.clone()).await;
    let problem = answer.refused(Token::KeyMismatch);
    assert_eq!(problem.extra, Extra::Key(order.key));
    bank.renew(&other).await;
    let foreign = bank.recover(&other.pair).await;
    bank.try_roll_back(&order, &foreign).await.refused(Token::NotFound);
    bank.read(&order.url, &foreign.by()).await.refused(Token::NotFound);
    bank.roll_back(&order, &recovery).await;
    let answer = bank.post(Operation::Rollback, &url, &recovery.by(), wrong).await;
    answer.refused(Token::KeyMismatch);
    bank.read(&order.url, &By::Key(new.key)).await.object::<Order>(200);
    let logon = bank.log_on(&user.pair).await;
    bank.try_roll_back(&order, &logon).await.refused(Token::SessionPurpose);
}
