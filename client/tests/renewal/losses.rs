//! Answers that never arrive: the bank acted, and the client does not know.

use koshin_client::{Outcome, Renewal};
use koshin_protocol::cert_id::CertId;

use crate::scene::{Bank, renewed, wire};

#[tokio::test]
async fn whichever_answer_is_lost_the_renewal_ends_with_one_order() {
    let bank = Bank::open().await;
    for lost in ["directory", "new-session", "new-order", "confirm"] {
        for times in [1, 2] {
            let user = bank.user().await;
            let wire = wire();
            wire.lose(lost, times);
            let new = renewed(user.by(wire).await.renew(Renewal::default()).await);
            assert_eq!(user.current(), CertId::of(&new.certificate), "{lost}");
            assert_eq!(user.orders().len(), 1, "{lost} lost {times} times");
            assert_eq!(new.generation, 2, "{lost}");
        }
    }
}

#[tokio::test]
async fn after_a_lost_confirmation_the_bank_is_asked_before_it_is_told_again() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wire = wire();
    wire.lose("confirm", 1);
    renewed(user.by(wire.clone()).await.renew(Renewal::default()).await);
    let sent = wire.sent();
    let confirmed = sent.iter().filter(|url| url.ends_with("confirm")).count();
    assert_eq!(confirmed, 1, "the order, read by its key, told that it was completed: {sent:?}");
}

#[tokio::test]
async fn a_bank_that_is_never_reached_is_given_up_and_the_run_can_be_resumed() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    let lossy = wire();
    lossy.drop_before("new-order", 100);
    let client = user.by(lossy.clone()).await;
    let error = client.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, koshin_client::Error::NoAnswer { .. }), "{error:?}");
    drop(client);
    assert_eq!(user.current(), old);
    let new = renewed(user.client().await.resume().await);
    assert_eq!((new.generation, user.orders().len()), (2, 1));
}

#[tokio::test]
async fn a_lost_answer_to_cancel_is_found_out() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    user.begin().await;
    let wire = wire();
    wire.lose("cancel", 2);
    let outcome = user.by(wire).await.cancel().await.unwrap();
    assert!(matches!(outcome, Outcome::Canceled), "{outcome:?}");
    assert_eq!(user.current(), old);
    renewed(user.client().await.renew(Renewal::default()).await);
}

#[tokio::test]
async fn a_lost_answer_to_rollback_is_found_out() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    renewed(user.client().await.renew(Renewal::default()).await);
    let wire = wire();
    wire.lose("rollback", 1);
    let outcome = user.by(wire).await.rollback().await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack), "{outcome:?}");
    assert_eq!(user.current(), old);
}
