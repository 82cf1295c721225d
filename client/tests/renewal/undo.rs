//! Canceling and rolling back.

use std::sync::Arc;
use std::time::Duration;

use koshin_client::error::Error;
use koshin_client::{Outcome, Renewal};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::problem::Token;
use koshin_server::clock::Fixed;

use crate::scene::{Bank, now, renewed, wire};

#[tokio::test]
async fn a_canceled_renewal_leaves_the_old_pair_and_allows_another() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    user.begin().await;
    let outcome = user.client().await.cancel().await.unwrap();
    assert!(matches!(outcome, Outcome::Canceled), "{outcome:?}");
    assert_eq!(user.current(), old);
    assert!(user.identity().resume().unwrap().is_empty());
    let receipt = user.folder.join("generations/2/receipt.json");
    assert!(receipt.exists(), "the bank's word is kept");
    let new = renewed(user.client().await.renew(Renewal::default()).await);
    assert_eq!(new.generation, 3, "with a new key");
}

// [CLI-21] [CLI-80] [CLI-85]
#[tokio::test]
async fn an_installed_but_unconfirmed_pair_is_switched_back_before_the_bank_is_told() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    let deaf = wire();
    deaf.drop_before("confirm", 100);
    user.by(deaf).await.renew(Renewal::default()).await.unwrap_err();
    assert_ne!(user.current(), old, "installed");
    let unheard = wire();
    unheard.drop_before("cancel", 100);
    user.by(unheard).await.cancel().await.unwrap_err();
    assert_eq!(user.current(), old, "switched back, though the bank was not reached");
    let outcome = user.client().await.resume().await.unwrap();
    assert!(matches!(outcome, Outcome::Canceled), "the journaled cancel is finished: {outcome:?}");
    assert_eq!(user.current(), old);
}

// [CLI-81]
#[tokio::test]
async fn a_cancel_that_comes_too_late_goes_forward() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let lossy = wire();
    // The bank completed the order, and this client did not hear of it.
    lossy.cut_after("confirm");
    user.by(lossy).await.renew(Renewal::default()).await.unwrap_err();
    let outcome = user.client().await.cancel().await.unwrap();
    let Outcome::Renewed(new) = outcome else { panic!("{outcome:?}") };
    assert_eq!(user.current(), CertId::of(&new.certificate));
}

#[tokio::test]
async fn nothing_is_canceled_where_nothing_was_begun() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let client = user.client().await;
    for error in [client.cancel().await, client.rollback().await, client.resume().await] {
        assert!(matches!(error, Err(Error::Nothing { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn a_rolled_back_renewal_makes_the_old_pair_count_again() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    renewed(user.client().await.renew(Renewal::default()).await);
    let outcome = user.client().await.rollback().await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack), "{outcome:?}");
    assert_eq!(user.current(), old);
    let new = renewed(user.client().await.renew(Renewal::default()).await);
    assert_eq!(new.generation, 3);
}

#[tokio::test]
async fn a_renewal_whose_pair_was_deleted_can_be_rolled_back() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    renewed(user.client().await.renew(Renewal::default()).await);
    for file in ["key.pem", "certificate.pem"] {
        std::fs::remove_file(user.folder.join("generations/2").join(file)).unwrap();
    }
    let outcome = user.client().await.rollback().await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack), "{outcome:?}");
    assert_eq!(user.current(), old);
    renewed(user.client().await.renew(Renewal::default()).await);
}

#[tokio::test]
async fn a_final_renewal_is_not_rolled_back() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wish = Renewal { is_final: true, ..Renewal::default() };
    let new = renewed(user.client().await.renew(wish).await);
    assert_eq!(new.rollback_until, None);
    let error = user.client().await.rollback().await.unwrap_err();
    assert_eq!(error.token(), Some(Token::RollbackEnded));
    assert_eq!(user.current(), CertId::of(&new.certificate));
    assert!(user.identity().resume().unwrap().is_empty(), "the intent is given up");
}

// [CLI-72] [CLI-85]
#[tokio::test]
async fn a_rollback_whose_answer_was_lost_is_closed_after_another_machine_renewed_since() {
    let bank = Bank::open().await;
    let (made, desk) = bank.known_user().await;
    let agent = bank.person("agent", Some(&made));
    renewed(desk.client().await.renew(Renewal::default()).await);
    let cut = wire();
    cut.cut_after("rollback");
    desk.by(cut).await.rollback().await.unwrap_err();
    renewed(agent.client().await.renew(Renewal::default()).await);
    let outcome = desk.client().await.resume().await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack), "{outcome:?}");
    assert!(desk.identity().resume().unwrap().is_empty());
    let error = desk.client().await.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::RenewedElsewhere { .. }), "{error:?}");
}

// [CLI-83]
#[tokio::test]
async fn a_cancel_whose_old_pair_is_gone_is_abandoned_and_the_renewal_goes_forward() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let deaf = wire();
    deaf.drop_before("confirm", 100);
    user.by(deaf).await.renew(Renewal::default()).await.unwrap_err();
    let unheard = wire();
    unheard.drop_before("new-session", 100);
    user.by(unheard).await.cancel().await.unwrap_err();
    std::fs::remove_file(user.folder.join("generations/1/key.pem")).unwrap();
    let new = renewed(user.client().await.renew(Renewal::default()).await);
    assert_eq!((new.generation, user.current()), (2, CertId::of(&new.certificate)));
}

// [CLI-83]
#[tokio::test]
async fn a_rollback_whose_old_certificate_expired_is_abandoned() {
    let clock = Arc::new(Fixed::at(now()));
    let bank = Bank::open_by(clock.clone()).await;
    let user = bank.user_for(Duration::from_mins(30)).await;
    let new = renewed(user.client().await.renew(Renewal::default()).await);
    let unheard = wire();
    unheard.drop_before("new-session", 100);
    user.by(unheard).await.rollback().await.unwrap_err();
    clock.advance(3600);
    let client = user.client().await;
    let error = client.renew(Renewal::default()).await.unwrap_err();
    assert_eq!(
        error.token(),
        Some(Token::CertificateSuperseded),
        "no logon for a rollback any more"
    );
    let error = client.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::TooEarly { .. }), "{error:?}");
    drop(client);
    assert_eq!(user.current(), CertId::of(&new.certificate));
    assert!(user.identity().resume().unwrap().is_empty());
}
