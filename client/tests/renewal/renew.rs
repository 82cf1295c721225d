//! Renewing, alone and beside others.

use koshin_client::error::{Class, Error};
use koshin_client::identity::Identity;
use koshin_client::progress::Event;
use koshin_client::{Outcome, Renewal};
use koshin_protocol::cert_id::CertId;

use crate::scene::{Answers, Bank, renewed, wire};

#[tokio::test]
async fn a_renewal_is_four_requests() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    let wire = wire();
    let client = user.by(wire.clone()).await;
    let Outcome::Renewed(renewed) = client.renew(Renewal::default()).await.unwrap() else {
        panic!("not renewed");
    };
    drop(client);
    assert_eq!(renewed.replaced, Some(old));
    assert_eq!(user.current(), CertId::of(&renewed.certificate));
    let sent = wire.sent();
    assert_eq!(sent.len(), 4, "{sent:?}");
}

#[tokio::test]
async fn a_renewed_certificate_is_renewed_no_sooner_than_its_window_opens() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    renewed(user.client().await.renew(Renewal::default()).await);
    let mut asked = 0;
    for _ in 0..2 {
        let wire = wire();
        let error = user.by(wire.clone()).await.renew(Renewal::default()).await.unwrap_err();
        assert!(matches!(error, Error::TooEarly { .. }), "{error:?}");
        assert_eq!(error.class(), Class::RetryLater);
        asked += wire.sent().iter().filter(|url| url.contains("renewal-info")).count();
    }
    assert_eq!(asked, 1, "renewalInfo is not asked for again so soon, also by another program");
}

// [CLI-72]
#[tokio::test]
async fn the_old_certificate_elsewhere_is_told_that_it_was_renewed() {
    let bank = Bank::open().await;
    let made = bank.customer("user", "c", 20).await;
    let (here, elsewhere) = (bank.person("here", Some(&made)), bank.person("there", Some(&made)));
    let new = renewed(here.client().await.renew(Renewal::default()).await);
    let error = elsewhere.client().await.renew(Renewal::default()).await.unwrap_err();
    match &error {
        Error::RenewedElsewhere { successor, .. } => {
            assert_eq!(*successor, CertId::of(&new.certificate));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(error.class(), Class::Act);
}

// [CLI-52] [CLI-53]
#[tokio::test]
async fn of_two_copies_that_renew_at_once_one_does_and_the_other_leaves_it_alone() {
    let bank = Bank::open().await;
    let made = bank.customer("user", "c", 20).await;
    let (person, agent) = (bank.person("person", Some(&made)), bank.person("agent", Some(&made)));
    let (one, other) = (person.client().await, agent.client().await);
    let both = tokio::join!(one.renew(Renewal::default()), other.renew(Renewal::default()));
    let (done, refused) = match both {
        (Ok(done), Err(refused)) | (Err(refused), Ok(done)) => (done, refused),
        both => panic!("{both:?}"),
    };
    assert!(matches!(done, Outcome::Renewed(_)), "{done:?}");
    assert!(
        matches!(refused, Error::ForeignOrder { .. } | Error::RenewedElsewhere { .. }),
        "{refused:?}"
    );
}

// [CLI-52] [CLI-53]
#[tokio::test]
async fn somebody_elses_open_order_is_canceled_only_to_start_over() {
    let bank = Bank::open().await;
    let made = bank.customer("user", "c", 20).await;
    let (first, second) = (bank.person("first", Some(&made)), bank.person("second", Some(&made)));
    let answers = Answers { install: false, ..Answers::default() };
    let error = first.answering(answers).await.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::Declined(_)), "{error:?}");
    let client = second.client().await;
    let error = client.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::ForeignOrder { .. }), "{error:?}");
    let start_over = Renewal { start_over: true, ..Renewal::default() };
    renewed(client.renew(start_over).await);
    // The first one's order is canceled, and its certificate renewed elsewhere.
    let error = first.client().await.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::RenewedElsewhere { .. }), "{error:?}");
}

// [CLI-15] [CLI-50]
#[tokio::test]
async fn a_declined_installation_changes_nothing_and_is_resumed_with_the_same_order() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    let answers = Answers { install: false, ..Answers::default() };
    user.answering(answers).await.renew(Renewal::default()).await.unwrap_err();
    assert_eq!(user.current(), old);
    renewed(user.client().await.resume().await);
    assert_eq!(user.orders().len(), 1, "one order");
}

// [CLI-33] [CLI-52]
#[tokio::test]
async fn a_key_that_got_lost_between_order_and_installation_is_started_over() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let answers = Answers { install: false, ..Answers::default() };
    user.answering(answers).await.renew(Renewal::default()).await.unwrap_err();
    std::fs::remove_file(user.folder.join("generations/2/key.pem")).unwrap();
    let client = user.client().await;
    let error = client.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::ForeignOrder { .. }), "{error:?}");
    let start_over = Renewal { start_over: true, ..Renewal::default() };
    let new = renewed(client.renew(start_over).await);
    assert_eq!(new.generation, 3);
}

// [CLI-51]
#[tokio::test]
async fn a_lost_journal_is_found_again_by_the_session() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let answers = Answers { install: false, ..Answers::default() };
    user.answering(answers).await.renew(Renewal::default()).await.unwrap_err();
    std::fs::remove_file(user.folder.join("generations/2/journal.json")).unwrap();
    let new = renewed(user.client().await.renew(Renewal::default()).await);
    assert_eq!((new.generation, user.orders().len()), (2, 1));
}

// [CLI-51] [CLI-56]
#[tokio::test]
async fn a_new_certificate_that_was_deleted_is_fetched_again_by_its_key() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let new = renewed(user.client().await.renew(Renewal::default()).await);
    std::fs::remove_file(user.folder.join("generations/2/certificate.pem")).unwrap();
    let again = renewed(user.client().await.renew(Renewal::default()).await);
    assert_eq!(again.certificate, new.certificate);
    assert_eq!(user.current(), CertId::of(&new.certificate));
}

// [ERR-10]
#[tokio::test]
async fn a_wrong_pin_is_asked_for_again_and_never_sent_twice() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wire = wire();
    let answers = Answers { pins: vec!["000000", "000000"], ..Answers::default() };
    let client = user.with(wire.clone(), answers).await;
    let error = client.renew(Renewal::default()).await.unwrap_err();
    assert_eq!(error.token(), Some(koshin_protocol::problem::Token::PinWrong));
    assert_eq!(wire.sent().iter().filter(|url| url.ends_with("new-session")).count(), 1);
    drop(client);
    let answers = Answers { pins: vec!["000001", crate::scene::PIN], ..Answers::default() };
    renewed(user.answering(answers).await.renew(Renewal::default()).await);
}

#[tokio::test]
async fn a_deferred_renewal_is_offered_again_and_counted() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let answers = Answers { defer: true, ..Answers::default() };
    let client = user.answering(answers).await;
    for count in 1..3 {
        let outcome = client.renew(Renewal::default()).await.unwrap();
        assert!(matches!(outcome, Outcome::Deferred { deferrals } if deferrals == count));
    }
    let outcome = client.defer().await.unwrap();
    assert!(matches!(outcome, Outcome::Deferred { deferrals: 3 }), "{outcome:?}");
    drop(client);
    renewed(user.client().await.renew(Renewal::default()).await);
}

#[tokio::test]
async fn what_happens_is_told_in_its_order() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    renewed(user.client().await.renew(Renewal::default()).await);
    let events = user.events.lock().unwrap();
    let names = events.iter().map(|event| {
        let json = serde_json::to_value(event).unwrap();
        json["event"].as_str().unwrap().to_owned()
    });
    let told = names.collect::<Vec<_>>();
    let wanted = ["loggedOn", "notice", "keyMade", "ordered", "received", "installed", "confirmed"];
    assert_eq!(told, wanted);
    assert!(matches!(events.last(), Some(Event::Confirmed { rollback_until: Some(_), .. })));
}

#[tokio::test]
async fn an_identity_without_any_pair_is_told_what_to_do() {
    let bank = Bank::open().await;
    let nobody = bank.person("nobody", None);
    let error = nobody.client().await.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::NoPair), "{error:?}");
    assert!(Identity::current(&nobody.identity()).unwrap().is_none());
}

#[tokio::test]
async fn the_futures_may_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let bank = Bank::open().await;
    let user = bank.user().await;
    let client = user.client().await;
    let renewal = client.renew(Renewal::default());
    is_send(&renewal);
    is_send(&client.cancel());
    is_send(&client.rollback());
    is_send(&client.contract());
}
