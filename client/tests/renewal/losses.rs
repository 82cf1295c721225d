//! Answers that never arrive: the bank acted, and the client does not know.

use std::sync::Arc;
use std::time::Duration;

use koshin_client::{Class, Outcome, Renewal};
use koshin_protocol::cert_id::CertId;
use koshin_server::clock::Fixed;

use crate::scene::{Bank, now, renewed, wire};

// [CLI-30] [CLI-31] [CLI-33]
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

// [CLI-30]
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

// [CLI-31] [CLI-43]
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

// [CLI-51] [CLI-55]
#[tokio::test]
async fn an_order_whose_answer_was_lost_is_found_by_its_key_after_the_old_certificate_expired() {
    let clock = Arc::new(Fixed::at(now()));
    let bank = Bank::open_by(clock.clone()).await;
    let user = bank.user_for(Duration::from_mins(30)).await;
    let cut = wire();
    cut.cut_after("new-order");
    user.by(cut).await.renew(Renewal::default()).await.unwrap_err();
    clock.advance(3600);
    let wire = wire();
    let new = renewed(user.by(wire.clone()).await.renew(Renewal::default()).await);
    assert_eq!(new.generation, 2);
    assert_eq!(user.current(), CertId::of(&new.certificate));
    assert!(wire.sent().iter().any(|url| url.ends_with("find-order")), "{:?}", wire.sent());
}

#[tokio::test]
async fn an_expired_certificate_without_an_order_needs_a_reissue() {
    let clock = Arc::new(Fixed::at(now()));
    let bank = Bank::open_by(clock.clone()).await;
    let user = bank.user_for(Duration::from_mins(30)).await;
    clock.advance(3600);
    let error = user.client().await.renew(Renewal::default()).await.unwrap_err();
    assert_eq!(error.class(), Class::Reissue, "{error:?}");
}

// [CLI-30]
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

// [CLI-30]
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
