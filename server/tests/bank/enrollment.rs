//! newEnrollment (SPEC.md 7.19, 13.4, 13.5).

use std::sync::Arc;

use koshin_protocol::base64url;
use koshin_protocol::binding::Binding;
use koshin_protocol::order::{Order, Status};
use koshin_protocol::problem::Token;
use koshin_protocol::url::Url;
use koshin_server::route::Route;
use koshin_server::rule::row::Role;
use serde_json::json;

use crate::bank::{Bank, DAY, at};
use crate::deeds::{Logon, Ticket, pair_of};
use crate::person::{Key, Person, Spec};
use crate::request::By;

async fn ticket(bank: &Bank) -> (Person, Logon, Ticket) {
    let user = bank.user().await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let ticket = bank.reissue(&by, &user, "keyLost").await;
    (user, by, ticket)
}

// [ENR-10] [ENR-15] [ENR-16] [CRT-10] [CRT-12] [RCP-01] [STA-05]
#[tokio::test]
async fn an_enrollment_makes_the_new_certificate_current_and_revokes_every_other() {
    let bank = Bank::new().await;
    let (user, _, ticket) = ticket(&bank).await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let answer = bank.enroll_with(&ticket, &user.name, &key).await;
    let order: Order = answer.object(201);
    assert_eq!(answer.location(), order.url);
    assert!(matches!(order.status, Status::Valid { cancel: None, .. }));
    let pair = pair_of(&order, &key);
    assert_eq!(pair.not_after(), at(bank.now().unix() + 365 * DAY));
    assert_eq!(bank.state_of(&user.pair), "current", "until it is confirmed");
    let completed = bank.confirm(&order, &pair).await;
    assert!(matches!(completed.status, Status::Completed { rollback: None, .. }));
    let receipt = bank.receipt(&completed);
    assert_eq!((receipt.replaces, receipt.cert_id), (None, Some(pair.cert_id())));
    assert_eq!(
        (bank.state_of(&pair), bank.state_of(&user.pair)),
        ("current".into(), "revoked".into())
    );
    bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);
    let logon = bank.log_on(&pair).await;
    assert_eq!(logon.session.subject.id.as_str(), user.subject.to_string());
    bank.log_on_for(&user.pair, "renewal").await.refused(Token::CertificateRevoked);
}

// [ENR-15] [ENR-16]
#[tokio::test]
async fn a_subject_whose_certificate_expired_enrolls_anew() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let administrator =
        Spec { not_after: at(bank.now().unix() + 300 * DAY), ..bank.spec(Role::Administrator) };
    let administrator = bank.person(administrator).await;
    bank.set(at(user.pair.not_after().unix() + DAY));
    let by = bank.log_on(&administrator.pair).await;
    let ticket = bank.reissue(&by, &user, "unspecified").await;
    let (pair, _) = bank.enroll(&ticket, &user.name).await;
    bank.log_on(&pair).await;
    bank.log_on_for(&user.pair, "renewal").await.refused(Token::CertificateRevoked);
}

// [ENR-11] [ENR-13]
#[tokio::test]
async fn the_same_key_gets_the_same_order_in_whatever_state_and_another_is_refused() {
    let bank = Bank::new().await;
    let (user, _, ticket) = ticket(&bank).await;
    let key = Key::new();
    let order: Order = bank.enroll_with(&ticket, &user.name, &key).await.object(201);
    let answer = bank.enroll_with(&ticket, &user.name, &key).await;
    assert_eq!(answer.location(), order.url);
    assert_eq!(answer.object::<Order>(200), order);
    let problem = bank.enroll_with(&ticket, &user.name, &Key::new()).await;
    let problem = problem.refused(Token::EnrollmentUsed);
    assert_eq!(problem.remedy.action.as_str(), "reissueByAdministrator");
    bank.confirm(&order, &pair_of(&order, &key)).await;
    bank.wait(30 * DAY);
    let later: Order = bank.enroll_with(&ticket, &user.name, &key).await.object(200);
    assert_eq!(later.status.name().as_str(), "completed");
    bank.enroll_with(&ticket, &user.name, &Key::new()).await.refused(Token::EnrollmentUsed);
    assert_eq!(bank.try_find(&key).await.object::<Order>(200).url, order.url);
    assert_eq!(bank.read_order(&order, &By::Key(key)).await.url, order.url);
}

// [ENR-12]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_keys_at_once_one_redeems_the_code() {
    let bank = Arc::new(Bank::new().await);
    let (user, _, ticket) = ticket(&bank).await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (bank, name, ticket) = (bank.clone(), user.name.clone(), ticket.clone());
            tokio::spawn(async move { bank.enroll_with(&ticket, &name, &Key::new()).await })
        })
        .collect();
    let mut redeemed = 0;
    for task in tasks {
        let answer = task.await.expect("no panic");
        match answer.token() {
            None => redeemed += 1,
            token => assert_eq!(token, Some(Token::EnrollmentUsed)),
        }
    }
    assert_eq!(redeemed, 1);
}

// [ENR-13] [REI-12]
#[tokio::test]
async fn a_code_is_good_to_its_last_second() {
    let bank = Bank::new().await;
    let (user, _, late) = ticket(&bank).await;
    let (other, _, last) = ticket(&bank).await;
    bank.wait(14 * DAY);
    bank.enroll_with(&last, &other.name, &Key::new()).await.object::<Order>(201);
    bank.wait(1);
    bank.enroll_with(&late, &user.name, &Key::new()).await.refused(Token::EnrollmentExpired);
}

// [ENR-02] [ENR-03] [AUT-06]
#[tokio::test]
async fn a_wrong_code_and_an_unknown_reissue_are_told_the_same() {
    let bank = Bank::new().await;
    let (user, _, ticket) = ticket(&bank).await;
    let key = Key::new();
    let wrong = bank.enroll_with(&ticket.with_wrong_code(), &user.name, &key).await;
    wrong.refused(Token::EnrollmentRefused);
    let unknown = bank.enroll_with(&Ticket::new(), &user.name, &key).await;
    unknown.refused(Token::EnrollmentRefused);
    crate::foreign::assert_alike(&wrong, &unknown);
    bank.enroll_with(&ticket, &user.name, &key).await.object::<Order>(201);
}

// [ENR-02]
#[tokio::test]
async fn a_binding_is_for_this_key_this_place_and_this_reissue() {
    let bank = Bank::new().await;
    let (user, _, ticket) = ticket(&bank).await;
    let key = Key::new();
    let other = Ticket::new();
    let here = bank.url(&Route::NewEnrollment);
    let elsewhere = Url::parse("https://other.example/koshin/new-enrollment").expect("a URL");
    let code = ticket.code.key(&ticket.id);
    let stolen = Key::new();
    for binding in [
        Binding { reissue: &ticket.id, url: &elsewhere, key: key.public() },
        Binding { reissue: &ticket.id, url: &here, key: stolen.public() },
        Binding { reissue: &other.id, url: &here, key: key.public() },
    ] {
        let mut payload = bank.new_enrollment(&ticket, &user.name, &key);
        payload["binding"] =
            serde_json::to_value(binding.sign(&code).expect("signed")).expect("JSON");
        bank.try_enroll(&key, payload).await.refused(Token::EnrollmentRefused);
    }
    for (member, value) in
        [("alg", "ES384"), ("typ", "koshin-receipt+jws"), ("kid", "AAAAAAAAAAAAAAAAAAAAAA")]
    {
        let mut payload = bank.new_enrollment(&ticket, &user.name, &key);
        let protected = payload["binding"]["protected"].as_str().expect("text").to_owned();
        let header = base64url::decode(&protected).expect("base64url");
        let mut header: serde_json::Value = serde_json::from_slice(&header).expect("JSON");
        header[member] = json!(value);
        let header = serde_json::to_vec(&header).expect("JSON");
        payload["binding"]["protected"] = json!(base64url::encode(&header));
        bank.try_enroll(&key, payload).await.refused(Token::EnrollmentRefused);
    }
}

// [ENR-01] [ENC-11]
#[tokio::test]
async fn a_binding_of_another_form_is_malformed() {
    let bank = Bank::new().await;
    let (user, _, ticket) = ticket(&bank).await;
    let key = Key::new();
    let good = bank.new_enrollment(&ticket, &user.name, &key);
    let header = |text: &str| json!(base64url::encode(text.as_bytes()));
    let url = bank.url(&Route::NewEnrollment);
    let doubled = format!(
        r#"{{"alg":"ES256","alg":"ES256","kid":"{}","typ":"koshin-binding+jws","url":"{url}"}}"#,
        ticket.id
    );
    let further = format!(
        r#"{{"alg":"ES256","kid":"{}","typ":"koshin-binding+jws","url":"{url}","crit":[]}}"#,
        ticket.id
    );
    for protected in [header("{}"), header("[]"), header(&doubled), header(&further), json!("%%")] {
        let mut payload = good.clone();
        payload["binding"]["protected"] = protected;
        bank.try_enroll(&key, payload).await.refused(Token::Malformed);
    }
    let mut payload = good.clone();
    payload["binding"]["header"] = json!({});
    bank.try_enroll(&key, payload).await.refused(Token::Malformed);
    let mut payload = good;
    payload["binding"] = json!("text");
    bank.try_enroll(&key, payload).await.refused(Token::Malformed);
}

// [CSR-10] [CSR-08] [CSR-09] [ORD-06] [ENV-01]
#[tokio::test]
async fn an_enrollments_csr_is_of_the_key_that_signs_and_of_the_subject() {
    let bank = Bank::new().await;
    let (user, _, ticket) = ticket(&bank).await;
    let key = Key::new();
    let mut payload = bank.new_enrollment(&ticket, &user.name, &key);
    payload["csr"] = crate::deeds::csr_payload(&Key::new().csr(&user.name));
    let answer = bank.try_enroll(&key, payload).await;
    answer.refused(Token::BadCsr);
    assert_eq!(answer.value()["reason"], "key");
    let name = crate::person::new_name();
    let answer = bank.enroll_with(&ticket, &name, &key).await;
    answer.refused(Token::BadCsr);
    assert_eq!(answer.value()["reason"], "subject");
    bank.enroll_with(&ticket, &user.name, &user.pair.key).await.refused(Token::KeyReused);
    let mut payload = bank.new_enrollment(&ticket, &user.name, &key);
    payload["keyStore"] = json!("floppy");
    bank.try_enroll(&key, payload).await.refused(Token::KeyStoreUnsupported);
    bank.enroll_with(&ticket, &user.name, &key).await.object::<Order>(201);
}

// [PIN-01] [PIN-02] [PIN-03] [PIN-05] [ENR-13] [CHK-03]
#[tokio::test]
async fn an_enrollment_asks_for_the_pin_after_the_code_was_proved() {
    let bank = Bank::new().await;
    let user = bank.person(Spec { pin: Some("1234"), ..bank.spec(Role::User) }).await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let ticket = bank.reissue(&by, &user, "keyLost").await;
    let key = Key::new();
    bank.enroll_with(&ticket, &user.name, &key).await.refused(Token::PinRequired);
    let with = |ticket: &Ticket, pin: &str| {
        let mut payload = bank.new_enrollment(ticket, &user.name, &key);
        payload["pin"] = json!(pin);
        payload
    };
    for _ in 0..6 {
        let payload = with(&ticket.with_wrong_code(), "9999");
        bank.try_enroll(&key, payload).await.refused(Token::EnrollmentRefused);
    }
    for left in (1..5).rev() {
        let answer = bank.try_enroll(&key, with(&ticket, "9999")).await;
        answer.refused(Token::PinWrong);
        assert_eq!(answer.value()["attemptsLeft"], left);
    }
    bank.try_enroll(&key, with(&ticket, "9999")).await.refused(Token::PinLocked);
    bank.try_enroll(&key, with(&ticket, "1234")).await.refused(Token::PinLocked);
    bank.try_unlock(&by, &user.subject.to_string()).await.empty(204);
    let order: Order = bank.try_enroll(&key, with(&ticket, "1234")).await.object(201);
    let again: Order = bank.enroll_with(&ticket, &user.name, &key).await.object(200);
    assert_eq!(again, order, "the order's key asks for no PIN");
}

// [ENR-18] [ERR-09]
#[tokio::test]
async fn the_bank_stores_of_a_code_no_more_than_its_public_key() {
    let bank = Bank::new().await;
    let (_, by, ticket) = ticket(&bank).await;
    let stored: String = bank
        .sql()
        .query_row("SELECT enrollment_key FROM reissue", [], |row| row.get(0))
        .expect("a reissue");
    let key = ticket.code.key(&ticket.id);
    assert_eq!(stored, koshin_protocol::sign::Signer::public_key(&key).to_canonical_jwk());
    let answer = bank.read(&bank.reissue_url(&ticket), &by.by()).await;
    assert!(!answer.text().contains("enrollmentKey"));
}
