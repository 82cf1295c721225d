//! A CA that is slow, down, or refuses (SPEC.md 10.1, 14.2).

use koshin_protocol::order::{Order, Status};
use koshin_protocol::problem::Token;
use koshin_server::ca::Fault;
use koshin_server::issue::take_up;
use serde_json::json;

use crate::bank::{Bank, Setup};
use crate::deeds::{below, issued, pair_of};
use crate::person::{Key, Person};
use crate::request::By;

async fn processing(bank: &Bank) -> (Person, crate::deeds::Logon, Key, Order) {
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let answer = bank.order_with(&logon, &key).await;
    assert!(answer.header(&http::header::RETRY_AFTER).is_some(), "RTA-01");
    let order: Order = answer.object(201);
    assert!(matches!(order.status, Status::Processing { cancel: Some(_) }));
    (user, logon, key, order)
}

// [ORD-12] [RTA-01] [DUR-10] [DUR-13] [ORD-26]
#[tokio::test]
async fn an_order_at_a_slow_ca_is_processing_and_then_valid() {
    let bank = Bank::slow().await;
    bank.fault(Fault::Slow { questions: 2 });
    let (_, logon, key, order) = processing(&bank).await;
    let answer = bank.read(&order.url, &logon.by()).await;
    assert!(answer.header(&http::header::RETRY_AFTER).is_some());
    assert_eq!(answer.object::<Order>(200), order);
    let problem = bank.read(&below(&order, "certificate"), &logon.by()).await;
    problem.refused(Token::OrderProcessing);
    bank.wait(31);
    assert_eq!(take_up(&bank.server).await.expect("asked"), 1);
    assert_eq!(bank.read_order(&order, &By::Key(key.clone())).await, order, "still slow");
    bank.wait(31);
    take_up(&bank.server).await.expect("asked");
    let valid = bank.read_order(&order, &By::Key(key.clone())).await;
    let first = issued(&valid).chain.clone();
    bank.wait(31);
    assert_eq!(take_up(&bank.server).await.expect("asked"), 0, "nothing is left to do");
    let again: Order = bank.order_with(&logon, &key).await.object(200);
    assert_eq!(issued(&again).chain, first);
    bank.confirm(&valid, &pair_of(&valid, &key)).await;
}

// [DUR-02] [DUR-13] [DUR-14]
#[tokio::test]
async fn an_order_in_processing_is_taken_up_after_a_restart_with_the_same_serial() {
    let bank = Bank::slow().await;
    bank.fault(Fault::Down);
    let (_, _, key, order) = processing(&bank).await;
    let reserved = |bank: &Bank| -> Vec<u8> {
        let read = |row: &rusqlite::Row<'_>| row.get(0);
        bank.sql().query_row("SELECT reserved_serial FROM orders", [], read).expect("reserved")
    };
    let serial = reserved(&bank);
    let bank = bank.restarted(Setup { slow: true, ..Setup::default() });
    bank.wait(31);
    take_up(&bank.server).await.expect("asked");
    let valid = bank.read_order(&order, &By::Key(key.clone())).await;
    let pair = pair_of(&valid, &key);
    assert_eq!(pair.certificate.serial(), serial);
    assert_eq!(reserved(&bank), serial);
    bank.confirm(&valid, &pair).await;
}

// [CAN-01] [CAN-06] [CFM-03] [DUR-11]
#[tokio::test]
async fn what_is_canceled_while_the_ca_works_is_never_issued() {
    let bank = Bank::slow().await;
    bank.fault(Fault::Down);
    let (user, logon, key, order) = processing(&bank).await;
    let canceled = bank.cancel(&order, &logon).await;
    assert_eq!(bank.receipt(&canceled).cert_id, None);
    bank.fault(Fault::None);
    bank.wait(31);
    take_up(&bank.server).await.expect("asked");
    let read = bank.read_order(&order, &By::Key(key)).await;
    assert_eq!(read.status.name().as_str(), "canceled");
    let count: i64 = bank
        .sql()
        .query_row("SELECT count(*) FROM certificate WHERE from_order IS NOT NULL", [], |row| {
            row.get(0)
        })
        .expect("a count");
    assert_eq!(count, 0);
    bank.order(&bank.log_on(&user.pair).await, &Key::new()).await;
}

// [ORD-23] [STA-01] [RCP-01]
#[tokio::test]
async fn a_ca_that_refuses_for_good_makes_the_order_invalid_and_another_may_be_placed() {
    let bank = Bank::slow().await;
    bank.fault(Fault::Refuses);
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order: Order = bank.order_with(&logon, &key).await.object(201);
    let Status::Invalid { error, .. } = &order.status else { panic!("invalid: {order:?}") };
    assert_eq!(error.token(), Some(Token::IssueFailed));
    assert_eq!(error.remedy.action.as_str(), "retry");
    assert_eq!(bank.receipt(&order).cert_id, None);
    assert!(!format!("{error:?}").contains("on purpose"), "the CA's words are the bank's own");
    bank.fault(Fault::None);
    bank.order(&logon, &Key::new()).await;
}

// [ORD-10] [CFM-05] [DUR-11]
#[tokio::test]
async fn what_was_accepted_in_time_is_issued_also_after_the_predecessor_expired() {
    let bank = Bank::slow().await;
    bank.fault(Fault::Down);
    let user = bank.user().await;
    bank.set(user.pair.not_after());
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    bank.wait(3600);
    bank.fault(Fault::None);
    take_up(&bank.server).await.expect("asked");
    let valid = bank.read_order(&order, &By::Key(key.clone())).await;
    assert!(matches!(valid.status, Status::Valid { cancel: None, .. }));
    let pair = pair_of(&valid, &key);
    bank.confirm(&valid, &pair).await;
    bank.log_on(&pair).await;
}

// [DUR-11] [REV-05]
#[tokio::test]
async fn nothing_is_issued_under_a_predecessor_that_was_revoked_meanwhile() {
    let bank = Bank::slow().await;
    bank.fault(Fault::Down);
    let (user, _, key, order) = processing(&bank).await;
    bank.revoke_itself(&user.pair, "keyCompromise").await;
    bank.fault(Fault::None);
    bank.wait(31);
    take_up(&bank.server).await.expect("asked");
    let ended = bank.read_order(&order, &By::Key(key)).await;
    let Status::Invalid { error, .. } = &ended.status else { panic!("invalid") };
    assert_eq!(error.token(), Some(Token::CertificateRevoked));
}

// [CFM-08]
#[tokio::test]
async fn a_confirm_while_the_ca_works_is_told_to_wait() {
    let bank = Bank::slow().await;
    bank.fault(Fault::Down);
    let (user, _, _, order) = processing(&bank).await;
    bank.try_confirm(&order, &user.pair, json!({})).await.refused(Token::OrderProcessing);
    let other = bank.user().await;
    bank.try_confirm(&order, &other.pair, json!({})).await.refused(Token::NotFound);
}

// [ENR-10] [ORD-12]
#[tokio::test]
async fn an_enrollment_at_a_slow_ca_goes_the_same_way() {
    let bank = Bank::slow().await;
    bank.fault(Fault::Down);
    let user = bank.user().await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let ticket = bank.reissue(&by, &user, "keyLost").await;
    let key = Key::new();
    let order: Order = bank.enroll_with(&ticket, &user.name, &key).await.object(201);
    assert!(matches!(order.status, Status::Processing { cancel: None }));
    bank.fault(Fault::None);
    bank.wait(31);
    take_up(&bank.server).await.expect("asked");
    let valid: Order = bank.enroll_with(&ticket, &user.name, &key).await.object(200);
    bank.confirm(&valid, &pair_of(&valid, &key)).await;
}

// [CRL-04]
#[tokio::test]
async fn without_the_ca_the_kept_crl_or_unavailable_is_answered() {
    let bank = Bank::slow().await;
    let id = bank.server.issuer.authority().id();
    let url = bank.url(&koshin_server::route::Route::Crl(id));
    bank.fault(Fault::Down);
    bank.get(&url).await.refused(Token::Unavailable);
    bank.fault(Fault::None);
    assert_eq!(bank.get(&url).await.status.as_u16(), 200);
}
