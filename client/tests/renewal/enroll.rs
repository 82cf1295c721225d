//! An administrator permits, a user enrolls.

use std::sync::{Arc, Mutex};

use koshin_client::error::{Class, Error};
use koshin_client::{Outcome, Renewal};
use koshin_protocol::base64url;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Name;
use koshin_protocol::csr::Csr;
use koshin_protocol::problem::Token;
use koshin_protocol::revocation::Reason;
use koshin_protocol::subject::Role;
use koshin_protocol::verify::default_verifier;
use serde_json::Value;

use crate::scene::{Answers, Bank, renewed, wire};

// [ENR-17]
#[tokio::test]
async fn a_user_who_lost_everything_enrolls_with_a_ticket_of_the_administrator() {
    let bank = Bank::open().await;
    let (admin, lost) = (bank.administrator().await, bank.user().await);
    let client = admin.client().await;
    let contract = client.contract().await.unwrap();
    let entry = contract.subjects.iter().find(|one| one.role == Role::User).unwrap();
    let permission =
        client.reissue(entry.id.clone(), entry.name.clone(), Reason::DeviceLost).await.unwrap();
    let again = bank.person("again", None);
    let new = renewed(again.client().await.enroll(&permission.ticket).await);
    assert_eq!(again.current(), CertId::of(&new.certificate));
    assert_eq!((new.replaced.clone(), new.rollback_until), (None, None));
    let contract = client.contract().await.unwrap();
    let entry = contract.subjects.iter().find(|one| one.role == Role::User).unwrap();
    assert_eq!(entry.reissue, None, "completed");
    let error = lost.client().await.renew(Renewal::default()).await.unwrap_err();
    assert_eq!(error.token(), Some(Token::CertificateRevoked));
    assert_eq!(error.class(), Class::Reissue);
}

// [CLI-31]
#[tokio::test]
async fn whichever_answer_is_lost_one_key_redeems_the_ticket() {
    let bank = Bank::open().await;
    let admin = bank.administrator().await;
    let client = admin.client().await;
    for lost in ["new-enrollment", "confirm"] {
        let (made, user) = bank.known_user().await;
        drop(user);
        let ticket = bank.ticket(&client, &made.subject).await;
        let again = bank.person("again", None);
        let wire = wire();
        wire.lose(lost, 1);
        let new = renewed(again.by(wire).await.enroll(&ticket).await);
        assert_eq!(new.generation, 1, "{lost}");
    }
}

// [KEY-06]
#[tokio::test]
async fn a_ticket_of_another_bank_is_refused_before_anything_is_sent() {
    let bank = Bank::open().await;
    let admin = bank.administrator().await;
    let (made, _) = bank.known_user().await;
    let mut ticket = bank.ticket(&admin.client().await, &made.subject).await;
    ticket.directory = "https://evil.example/directory".parse().unwrap();
    let (again, wire) = (bank.person("again", None), wire());
    let error = again.by(wire.clone()).await.enroll(&ticket).await.unwrap_err();
    assert!(matches!(error, Error::OtherBank { .. }), "{error:?}");
    assert!(wire.sent().is_empty());
}

#[tokio::test]
async fn a_used_ticket_is_refused_with_the_reissue_as_remedy() {
    let bank = Bank::open().await;
    let admin = bank.administrator().await;
    let (made, _) = bank.known_user().await;
    let ticket = bank.ticket(&admin.client().await, &made.subject).await;
    renewed(bank.person("one", None).client().await.enroll(&ticket).await);
    let error = bank.person("two", None).client().await.enroll(&ticket).await.unwrap_err();
    assert_eq!((error.token(), error.class()), (Some(Token::EnrollmentUsed), Class::Reissue));
}

#[tokio::test]
async fn a_locked_pin_is_unlocked_by_the_administrator() {
    let bank = Bank::open().await;
    let admin = bank.administrator().await;
    let (made, user) = bank.known_user().await;
    let wrong = vec!["000001", "000002", "000003", "000004", "000005", "000006"];
    let answers = Answers { pins: wrong, ..Answers::default() };
    let error = user.answering(answers).await.renew(Renewal::default()).await.unwrap_err();
    assert_eq!((error.token(), error.class()), (Some(Token::PinLocked), Class::Act));
    admin.client().await.unlock(&made.subject.parse().unwrap()).await.unwrap();
    renewed(user.client().await.renew(Renewal::default()).await);
}

#[tokio::test]
async fn a_certificate_revokes_itself() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let revocation = user.client().await.revoke(None, Reason::KeyCompromise).await.unwrap();
    assert_eq!(revocation.revoked, [user.current()]);
    let error = user.client().await.renew(Renewal::default()).await.unwrap_err();
    assert_eq!(error.token(), Some(Token::CertificateRevoked));
}

#[tokio::test]
async fn a_pin_is_changed() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let pin = |text: &str| koshin_protocol::pin::Pin::new(text.to_owned());
    user.client().await.change_pin(pin(crate::scene::PIN), pin("234242")).await.unwrap();
    let answers = Answers { pins: vec!["234242"], ..Answers::default() };
    let outcome = user.answering(answers).await.renew(Renewal::default()).await.unwrap();
    assert!(matches!(outcome, Outcome::Renewed(_)), "{outcome:?}");
}

// [NAM-04]
#[tokio::test]
async fn the_name_of_a_ticket_is_encoded_as_the_bank_expects_it() {
    let bank = Bank::open().await;
    let admin = bank.administrator().await;
    let (made, _) = bank.known_user().await;
    let ticket = bank.ticket(&admin.client().await, &made.subject).await;
    let (again, wire) = (bank.person("again", None), wire());
    let sent = Arc::<Mutex<Vec<u8>>>::default();
    let kept = Arc::clone(&sent);
    wire.tamper(move |request, response| {
        if response.is_none() && request.url.as_str().ends_with("new-enrollment") {
            let jws: Value = serde_json::from_slice(&request.body).unwrap();
            let payload = base64url::decode(jws["payload"].as_str().unwrap()).unwrap();
            let payload: Value = serde_json::from_slice(&payload).unwrap();
            *kept.lock().unwrap() = base64url::decode(payload["csr"].as_str().unwrap()).unwrap();
        }
        None
    });
    renewed(again.by(wire).await.enroll(&ticket).await);
    let csr = Csr::from_der(&sent.lock().unwrap(), default_verifier()).unwrap();
    assert_eq!(csr.subject().as_str(), ticket.name.as_str());
    let name: Name = ticket.name.as_str().parse().unwrap();
    assert_eq!(csr.subject().der(), name.der());
    // What may stand in a ticket, and the type of each value: C, DC, any other, and one that is given in DER; DER sorts
    // an RDN otherwise than the text does.
    let name = "CN=x,DC=example,C=JP,CN=long+OU=y,1.3.6.1.4.1.1466.0=#04024869";
    let name: Name = name.parse().unwrap();
    for part in [
        &b"\x06\x03\x55\x04\x06\x13\x02JP"[..],
        b"\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19\x16\x07example",
        b"\x06\x03\x55\x04\x03\x0c\x01x",
        b"\x55\x04\x0b\x0c\x01y\x30\x0b\x06\x03\x55\x04\x03\x0c\x04long",
        b"\x04\x02Hi",
    ] {
        assert!(name.der().windows(part.len()).any(|window| window == part), "{part:x?}");
    }
}
