//! Flows that the world interrupts: the rows of SPEC.md's annex A that need a bank to go their way.

use std::path::Path;
use std::sync::{Arc, Mutex};

use koshin_client::error::{Class, Error};
use koshin_client::{Client, Outcome, Renewal};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::order::StatusName;
use koshin_protocol::problem::Token;
use koshin_protocol::revocation::Reason;
use koshin_protocol::subject::{Role, SubjectId, SubjectName};
use koshin_server::clock::System;
use koshin_server::policy::Policy;

use crate::misbehaviour::sent_to;
use crate::scene::{Answers, Bank, Person, renewed, wire};

// [ERR-08] [ERR-10]
#[tokio::test]
async fn an_environment_that_is_refused_changes_nothing() {
    let rule = serde_json::json!({ "os": "plan9", "software": "*" });
    let rule = serde_json::from_value(rule).unwrap();
    let change =
        |config: &mut koshin_server::config::Config| config.policy.environments = vec![rule];
    let bank = Bank::open_as(Arc::new(System), change).await;
    let user = bank.user().await;
    let (old, wire) = (user.current(), wire());
    let error = user.by(wire.clone()).await.renew(Renewal::default()).await.unwrap_err();
    assert_eq!((error.token(), error.class()), (Some(Token::EnvironmentUnsupported), Class::Act));
    let problem = serde_json::to_value(error.problem().unwrap()).unwrap();
    assert_eq!(problem["environments"][0]["os"], "plan9", "what would do is handed on");
    assert_eq!((user.current(), wire.sent().len()), (old, 2));
    assert!(!user.folder.join("generations/2").exists());
}

/// The id and name of the contract's user.
async fn subject(administrator: &Client) -> (SubjectId, SubjectName) {
    let contract = administrator.contract().await.unwrap();
    let entry = contract.subjects.iter().find(|one| one.role == Role::User).unwrap();
    (entry.id.clone(), entry.name.clone())
}

// [CLI-50] [CLI-55]
#[tokio::test]
async fn an_order_goes_on_by_its_key_while_the_pin_is_locked() {
    let bank = Bank::open().await;
    let (made, user) = bank.known_user().await;
    user.begin().await;
    let guesses = Answers {
        pins: vec!["000001", "000002", "000003", "000004", "000005", "000006"],
        ..Answers::default()
    };
    let elsewhere = bank.person("elsewhere", Some(&made));
    let error = elsewhere.answering(guesses).await.renew(Renewal::default()).await.unwrap_err();
    assert_eq!(error.token(), Some(Token::PinLocked));
    let wire = wire();
    renewed(user.by(wire.clone()).await.resume().await);
    assert_eq!(sent_to(&wire, "new-session"), 0);
}

/// What comes of a renewal that was begun, once its order was ended by others.
async fn ended(user: &Person) -> Error {
    let old = user.current();
    let error = user.client().await.renew(Renewal::default()).await.unwrap_err();
    assert_eq!(user.current(), old, "never switched to what was revoked");
    assert!(user.folder.join("generations/2/key.pem").exists(), "no key is deleted for an answer");
    error
}

// [CLI-02] [CLI-63]
#[tokio::test]
async fn a_renewal_whose_subject_is_reissued_meanwhile_ends_with_that_as_the_remedy() {
    let bank = Bank::open().await;
    let admin = bank.administrator().await;
    let user = bank.user().await;
    user.begin().await;
    let client = admin.client().await;
    let (id, name) = subject(&client).await;
    let permission = client.reissue(id, name, Reason::DeviceLost).await.unwrap();
    let error = ended(&user).await;
    assert_eq!((error.token(), error.class()), (Some(Token::CertificateRevoked), Class::Reissue));
    renewed(bank.person("again", None).client().await.enroll(&permission.ticket).await);
}

// [CLI-02] [CLI-63]
#[tokio::test]
async fn a_renewal_whose_old_certificate_is_revoked_meanwhile_ends() {
    let bank = Bank::open().await;
    let (made, user) = bank.known_user().await;
    user.begin().await;
    let elsewhere = bank.person("elsewhere", Some(&made));
    elsewhere.client().await.revoke(None, Reason::KeyCompromise).await.unwrap();
    let error = ended(&user).await;
    assert_eq!((error.token(), error.class()), (Some(Token::CertificateRevoked), Class::Reissue));
}

// [CLI-70] [CLI-71]
#[tokio::test]
async fn an_installed_pair_whose_order_was_canceled_elsewhere_gives_way_to_the_old_one() {
    let bank = Bank::open().await;
    let (made, user) = bank.known_user().await;
    let old = user.current();
    let deaf = wire();
    deaf.drop_before("confirm", 100);
    user.by(deaf).await.renew(Renewal::default()).await.unwrap_err();
    assert_ne!(user.current(), old, "installed");
    let elsewhere = bank.person("elsewhere", Some(&made));
    let start_over = Renewal { start_over: true, ..Renewal::default() };
    let answers = Answers { install: false, ..Answers::default() };
    elsewhere.answering(answers).await.renew(start_over).await.unwrap_err();
    let error = user.client().await.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::ForeignOrder { .. }), "{error:?}");
    assert_eq!(user.current(), old, "the one that counts");
    assert!(matches!(elsewhere.client().await.cancel().await, Ok(Outcome::Canceled)));
    renewed(user.client().await.renew(Renewal::default()).await);
}

/// Copies the database, or puts the copy back.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(to).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("koshin.db") {
            std::fs::remove_file(path).unwrap();
        }
    }
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("koshin.db") {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

// [CLI-33] [CLI-70]
#[tokio::test]
async fn a_bank_that_was_restored_from_before_the_renewal_gets_another_with_another_key() {
    let kept = tempfile::tempdir().unwrap();
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.current();
    let bank = bank.again(|data| copy(data, kept.path())).await;
    let first = renewed(user.client().await.renew(Renewal::default()).await);
    let bank = bank.again(|data| copy(kept.path(), data)).await;
    let (keys, wire) = (Arc::<Mutex<Vec<String>>>::default(), wire());
    let sent = Arc::clone(&keys);
    wire.tamper(move |request, response| {
        if response.is_none() && request.url.as_str().ends_with("new-order") {
            let jws: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            sent.lock().unwrap().push(jws["payload"].as_str().unwrap().to_owned());
        }
        None
    });
    // The new pair is unknown; the old one counts again.
    let second = renewed(user.by(wire).await.renew(Renewal::default()).await);
    assert_eq!(second.replaced, Some(old));
    assert_ne!(second.certificate.key(), first.certificate.key(), "one key, one order");
    assert_eq!((second.generation, keys.lock().unwrap().len()), (3, 1));
    assert_eq!(user.current(), CertId::of(&second.certificate));
    drop(bank);
}

// [CLI-30] [CLI-32]
#[tokio::test]
async fn an_answer_that_belongs_to_an_earlier_request_changes_nothing() {
    let bank = Bank::open().await;
    for at in 1..4 {
        let user = bank.user().await;
        let (wire, mut count, mut last) = (wire(), 0, None);
        wire.tamper(move |_, response| {
            let response = response?;
            let right = response.clone();
            if let Some(late) = last.take()
                && count == at
            {
                *response = late;
            }
            (count, last) = (count + 1, Some(right));
            None
        });
        let outcome = user.by(wire).await.renew(Renewal::default()).await;
        if let Err(error) = &outcome {
            assert_eq!(error.class(), Class::RetryLater, "answer {at}: {error:?}");
        }
        match user.client().await.renew(Renewal::default()).await {
            Err(Error::TooEarly { .. }) if outcome.is_ok() => {}
            other => drop(renewed(other)),
        }
        assert_eq!(user.orders().len(), 1, "answer {at}");
    }
}

#[tokio::test]
async fn a_renewal_that_the_bank_ends_says_how() {
    let bank = Bank::open().await;
    let (made, user) = bank.known_user().await;
    user.begin().await;
    let elsewhere = bank.person("elsewhere", Some(&made));
    let start_over = Renewal { start_over: true, ..Renewal::default() };
    let answers = Answers { install: false, ..Answers::default() };
    elsewhere.answering(answers).await.renew(start_over).await.unwrap_err();
    elsewhere.client().await.cancel().await.unwrap();
    let wire = wire();
    let client = user.by(wire).await;
    match client.resume().await {
        Ok(Outcome::Renewed(new)) => assert_eq!(new.generation, 3, "a new key for a new order"),
        Err(Error::OrderEnded { status, .. }) => assert_eq!(status, StatusName::Canceled),
        other => panic!("{other:?}"),
    }
}

// [PRF-04]
#[tokio::test]
async fn a_bank_of_profile_core_renews_and_a_rollback_that_it_does_not_offer_is_given_up() {
    let change = |config: &mut koshin_server::config::Config| {
        config.policy = Policy::shipped("core").unwrap();
    };
    let bank = Bank::open_as(Arc::new(System), change).await;
    let user = bank.user_without_pin().await;
    let client = user.client().await;
    renewed(client.renew(Renewal::default()).await);
    let error = client.rollback().await.unwrap_err();
    assert_eq!(error.token(), Some(Token::RollbackDisabled));
    drop(client);
    assert!(user.identity().resume().unwrap().is_empty());
}
