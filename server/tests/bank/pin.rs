//! The PIN (SPEC.md 7.17, 7.18, 9.3).

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use koshin_protocol::contract::PinState;
use koshin_protocol::problem::{Extra, Token};
use koshin_protocol::session::Session;
use koshin_server::rule::row::Role;
use serde_json::json;
use tokio::time::timeout;

use crate::bank::{Bank, Setup, policy};
use crate::deeds::Logon;
use crate::person::{Key, Person, Spec};

async fn with_pin(bank: &Bank, role: Role) -> Person {
    bank.person(Spec { pin: Some("1234"), ..bank.spec(role) }).await
}

async fn log_on(bank: &Bank, person: &Person) -> Logon {
    let answer = bank.log_on_with(&person.pair, "1234").await;
    bank.logged_on(&person.pair, &answer)
}

async fn guess(bank: &Bank, person: &Person) -> Token {
    bank.log_on_with(&person.pair, "9999").await.token().expect("wrong")
}

// [PIN-01] [PIN-02] [PIN-03] [PIN-06]
#[tokio::test]
async fn a_logon_needs_the_right_pin_where_the_bank_asks_for_it() {
    let bank = Bank::new().await;
    let user = with_pin(&bank, Role::User).await;
    bank.log_on_for(&user.pair, "renewal").await.refused(Token::PinRequired);
    for left in [4, 3, 2, 1] {
        let problem = bank.log_on_with(&user.pair, "12345").await.refused(Token::PinWrong);
        assert_eq!(problem.extra, Extra::AttemptsLeft(left));
        assert_eq!(problem.remedy.action.as_str(), "correct");
    }
    log_on(&bank, &user).await;
    let problem = bank.log_on_with(&user.pair, "9999").await.refused(Token::PinWrong);
    assert_eq!(problem.extra, Extra::AttemptsLeft(4), "a right PIN began the count anew");
    let none = bank.user().await;
    let _: Session = bank.log_on_with(&none.pair, "whatever").await.object(201);

    let never = Bank::of(policy("seed", &[("required = true", "required = false")])).await;
    let user = with_pin(&never, Role::User).await;
    let _: Session = never.log_on_with(&user.pair, "wrong").await.object(201);
}

/// How many PINs the bank counts as wrong.
fn counted(bank: &Bank) -> u32 {
    let query = "SELECT max(pin_attempts) FROM subject";
    bank.sql().query_row(query, [], |row| row.get(0)).expect("subjects")
}

/// Lets the logon go on until so many attempts are counted; then it stands still.
async fn until_counted(bank: &Bank, count: u32, mut logon: Pin<&mut impl Future>) {
    poll_fn(|context| {
        if counted(bank) == count {
            return Poll::Ready(());
        }
        assert!(logon.as_mut().poll(context).is_pending(), "it was not stopped in time");
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

// [PIN-06]
#[tokio::test]
async fn whose_line_breaks_while_the_right_pin_is_checked_is_not_locked_out() {
    let bank = Bank::new().await;
    let user = with_pin(&bank, Role::User).await;
    for _ in 0..6 {
        let mut logon = Box::pin(bank.log_on_with(&user.pair, "1234"));
        until_counted(&bank, 1, logon.as_mut()).await;
        drop(logon);
        let anew = async {
            while counted(&bank) != 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), anew).await.expect("the count starts anew");
    }
    let mut guess = Box::pin(bank.log_on_with(&user.pair, "9999"));
    until_counted(&bank, 1, guess.as_mut()).await;
    drop(guess);
    let problem = bank.log_on_with(&user.pair, "9999").await.refused(Token::PinWrong);
    assert_eq!(problem.extra, Extra::AttemptsLeft(3), "a wrong one counts, heard or not");
}

// [PIN-06] [ENR-10]
#[tokio::test]
async fn a_right_pin_starts_the_count_anew_although_the_enrollment_is_refused() {
    let bank = Bank::new().await;
    let user = with_pin(&bank, Role::User).await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let ticket = bank.reissue(&by, &user, "keyLost").await;
    let key = Key::new();
    let mut payload = bank.new_enrollment(&ticket, &user.name, &key);
    payload["pin"] = json!("1234");
    let good = payload.clone();
    payload["keyStore"] = json!("floppy");
    for _ in 0..6 {
        bank.try_enroll(&key, payload.clone()).await.refused(Token::KeyStoreUnsupported);
        assert_eq!(counted(&bank), 0);
    }
    bank.try_enroll(&key, good).await.object::<koshin_protocol::order::Order>(201);
}

// [PIN-06] [CHK-03]
#[tokio::test]
async fn a_right_pin_starts_the_count_anew_although_the_certificate_is_revoked_meanwhile() {
    let bank = Bank::new().await;
    let user = with_pin(&bank, Role::User).await;
    for _ in 0..3 {
        guess(&bank, &user).await;
    }
    let mut logon = pin!(bank.log_on_with(&user.pair, "1234"));
    until_counted(&bank, 4, logon.as_mut()).await;
    bank.revoke_itself(&user.pair, "keyLost").await;
    logon.await.refused(Token::CertificateRevoked);
    assert_eq!(counted(&bank), 0);
}

// [PIN-04] [PIN-05] [ERR-02] [UNL-01]
#[tokio::test]
async fn the_fifth_wrong_pin_locks_and_then_the_right_one_is_refused_too() {
    let bank = Bank::new().await;
    for (role, remedy) in
        [(Role::User, "unlockByAdministrator"), (Role::Administrator, "unlockAtBranch")]
    {
        let person = with_pin(&bank, role).await;
        for _ in 0..4 {
            assert_eq!(guess(&bank, &person).await, Token::PinWrong);
        }
        let problem = bank.log_on_with(&person.pair, "9999").await.refused(Token::PinLocked);
        assert_eq!(problem.remedy.action.as_str(), remedy);
        let problem = bank.log_on_with(&person.pair, "1234").await.refused(Token::PinLocked);
        assert_eq!(problem.remedy.action.as_str(), remedy);
    }
}

// [PIN-10]
#[tokio::test]
async fn a_pin_of_impossible_form_counts_as_wrong() {
    let bank = Bank::new().await;
    let user = with_pin(&bank, Role::User).await;
    for pin in ["", "1", "12345678901234567", "１２３４"] {
        bank.log_on_with(&user.pair, pin).await.refused(Token::PinWrong);
    }
    bank.log_on_with(&user.pair, "12 34").await.refused(Token::PinLocked);
}

// [PIN-08] [PIN-04]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_guesses_at_once_at_most_five_are_tried() {
    let bank = Arc::new(Bank::new().await);
    let user = with_pin(&bank, Role::User).await;
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (bank, user) = (bank.clone(), user.clone());
            tokio::spawn(async move { bank.log_on_with(&user.pair, "9999").await })
        })
        .collect();
    let (mut wrong, mut locked) = (0, 0);
    for task in tasks {
        match task.await.expect("no panic").token() {
            Some(Token::PinWrong) => wrong += 1,
            Some(Token::PinLocked) => locked += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((wrong, locked), (4, 96));
    bank.log_on_with(&user.pair, "1234").await.refused(Token::PinLocked);
}

// [PIN-08]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_pin_among_many_guesses_at_once_does_not_free_more_than_five() {
    let bank = Arc::new(Bank::new().await);
    let user = with_pin(&bank, Role::User).await;
    let tasks: Vec<_> = (0..60)
        .map(|number| {
            let (bank, user) = (bank.clone(), user.clone());
            let pin = if number % 10 == 9 { "1234" } else { "9999" };
            tokio::spawn(async move { bank.log_on_with(&user.pair, pin).await })
        })
        .collect();
    let (mut wrong, mut right) = (0, 0);
    for task in tasks {
        match task.await.expect("no panic").token() {
            Some(Token::PinWrong) => wrong += 1,
            Some(Token::PinLocked) => {}
            None => right += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(wrong <= 4 * (right + 1), "{wrong} wrong ones between {right} right ones");
}

// [PIN-07] [PIN-13] [DUR-01]
#[tokio::test]
async fn the_count_survives_a_restart_and_locking_keeps_active_sessions() {
    let bank = Bank::new().await;
    let user = with_pin(&bank, Role::User).await;
    let logon = log_on(&bank, &user).await;
    for _ in 0..3 {
        guess(&bank, &user).await;
    }
    let bank = bank.restarted(Setup::default());
    assert_eq!(guess(&bank, &user).await, Token::PinWrong);
    assert_eq!(guess(&bank, &user).await, Token::PinLocked);
    assert!(bank.is_active(&logon).await);
    let bank = bank.restarted(Setup::default());
    bank.log_on_with(&user.pair, "1234").await.refused(Token::PinLocked);
}

// [PIN-09] [NON-04] [CHK-03]
#[tokio::test]
async fn nobody_locks_a_pin_without_the_key_or_with_a_spent_nonce() {
    let bank = Bank::new().await;
    let user = with_pin(&bank, Role::User).await;
    let url = bank.url(&koshin_server::route::Route::NewSession);
    let by = crate::request::By::Certificate(user.pair.clone());
    let payload =
        json!({ "pin": "9999", "environment": crate::deeds::environment(), "purpose": "renewal" });
    let operation = koshin_protocol::operation::Operation::NewSession;
    for _ in 0..6 {
        let draft = bank.draft(operation, &url, &by, &payload).spoiled();
        bank.deliver(draft).await.refused(Token::BadSignature);
    }
    let draft = bank.draft(operation, &url, &by, &payload);
    bank.deliver(draft.clone()).await.refused(Token::PinWrong);
    for _ in 0..6 {
        bank.deliver(draft.clone()).await.refused(Token::BadNonce);
    }
    let problem = bank.log_on_with(&user.pair, "9999").await.refused(Token::PinWrong);
    assert_eq!(problem.extra, Extra::AttemptsLeft(3));
}

// [UNL-01] [UNL-02] [UNL-03] [AUT-04]
#[tokio::test]
async fn an_administrator_unlocks_users_of_its_contract_and_nobody_else() {
    let bank = Bank::new().await;
    let user = with_pin(&bank, Role::User).await;
    let (administrator, peer) = (bank.administrator().await, bank.administrator().await);
    let mut spec = bank.spec(Role::User);
    spec.contract = bank.new_contract("他社").await;
    let foreign = bank.person(spec).await;
    for _ in 0..5 {
        guess(&bank, &user).await;
    }
    let by = bank.log_on(&administrator.pair).await;
    for _ in 0..2 {
        bank.try_unlock(&by, &user.subject.to_string()).await.empty(204);
    }
    let logon = log_on(&bank, &user).await;
    let own = user.subject.to_string();
    bank.try_unlock(&logon, &own).await.refused(Token::NotAuthorized);
    for person in [&administrator, &peer] {
        let id = person.subject.to_string();
        bank.try_unlock(&by, &id).await.refused(Token::NotAuthorized);
    }
    let one = bank.try_unlock(&by, &foreign.subject.to_string()).await;
    let other = bank.try_unlock(&by, "AAAAAAAAAAAAAAAAAAAAAA").await;
    one.refused(Token::SubjectUnknown);
    crate::foreign::assert_alike(&one, &other);
}

// [PIN-20] [PIN-21] [PIN-22] [PIN-23] [PIN-05]
#[tokio::test]
async fn a_pin_is_changed_by_its_subject_that_knows_it() {
    let bank = Bank::new().await;
    let user = with_pin(&bank, Role::User).await;
    let logon = log_on(&bank, &user).await;
    for bad in ["1234", "123", "12345678901234567", "12 345", "１２３４５"] {
        bank.try_change_pin(&logon, "1234", bad).await.refused(Token::PinUnacceptable);
    }
    for bad in ["123", "12345678901234567", "12 345", "１２３４５"] {
        bank.try_change_pin(&logon, "0000", bad).await.refused(Token::PinUnacceptable);
    }
    let problem = bank.try_change_pin(&logon, "0000", "5678").await.refused(Token::PinWrong);
    assert_eq!(problem.extra, Extra::AttemptsLeft(4), "an unacceptable one was not counted");
    bank.try_change_pin(&logon, "1234", "5678").await.empty(204);
    let problem = bank.log_on_with(&user.pair, "1234").await.refused(Token::PinWrong);
    assert_eq!(problem.extra, Extra::AttemptsLeft(4));
    let answer = bank.log_on_with(&user.pair, "5678").await;
    let logon = bank.logged_on(&user.pair, &answer);
    for _ in 0..4 {
        bank.try_change_pin(&logon, "1234", "2468").await.refused(Token::PinWrong);
    }
    bank.try_change_pin(&logon, "1234", "2468").await.refused(Token::PinLocked);
    bank.try_change_pin(&logon, "5678", "2468").await.refused(Token::PinLocked);
    let none = bank.user().await;
    let logon = bank.log_on(&none.pair).await;
    bank.try_change_pin(&logon, "1234", "5678").await.refused(Token::NotAuthorized);
}

// [PIN-11] [ERR-09]
#[tokio::test]
async fn pins_are_stored_as_argon2id_hashes_and_told_to_nobody() {
    let bank = Bank::new().await;
    let user = with_pin(&bank, Role::User).await;
    let hash: String = bank
        .sql()
        .query_row("SELECT pin_hash FROM subject WHERE pin_hash IS NOT NULL", [], |row| row.get(0))
        .expect("a hash");
    assert!(hash.starts_with("$argon2id$v=19$"));
    let answer = bank.log_on_with(&user.pair, "secret-9876").await;
    assert!(!answer.text().contains("9876"));
}

// [RTA-01] [CHK-03]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_sent_away_because_others_wait_has_not_tried() {
    let bank = Bank::with(Setup { pins: (1, 0), ..Setup::default() }).await;
    let users = [with_pin(&bank, Role::User).await, with_pin(&bank, Role::User).await];
    let place = bank.server.pins.as_ref().expect("PINs").place().expect("a place");
    for user in &users {
        for _ in 0..6 {
            bank.log_on_with(&user.pair, "1234").await.refused(Token::Unavailable);
        }
    }
    drop(place);
    let first = log_on(&bank, &users[0]).await;
    let answer = bank
        .read(&koshin_protocol::url::Url::parse(contract(&first)).expect("a URL"), &first.by())
        .await;
    let page: koshin_protocol::contract::Contract = answer.object(200);
    assert_eq!(page.subjects[0].pin, PinState::Set);
}

fn contract(logon: &Logon) -> &str {
    match &logon.session.access {
        koshin_protocol::session::Access::Renewal { contract } => contract.as_str(),
        koshin_protocol::session::Access::Recovery { .. } => panic!("a recovery session"),
    }
}
