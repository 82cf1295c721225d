//! PINs: counting, locking, unlocking.

use koshin_server::rule::command::{Actor, LogOn, NewContract, PinCheck};
use koshin_server::id::{ContractId, SessionId, SubjectId};
use koshin_server::rule::row::{Purpose, Role};
use koshin_server::rule::refused::Refused;
use koshin_server::store::Store;

use crate::bank::{Bank, Person, administrator, refused, token};

async fn with_pin(bank: &Bank) -> Person {
    let person = bank.user().await;
    let hash = "first".to_owned();
    bank.store
        .set_pin_hash(person.subject, hash, PinCheck::NotAsked, Actor::Bank, bank.now())
        .await
        .expect("set");
    person
}

fn log_on_with(person: &Person, hash: &str) -> LogOn {
    LogOn {
        fingerprint: person.fingerprint(),
        purpose: Purpose::Renewal,
        environment: "{}".to_owned(),
        pin: PinCheck::Verified { hash: hash.to_owned() },
        idle: koshin_protocol::time::Period::from_seconds(600),
        absolute: koshin_protocol::time::Period::from_seconds(3600),
        rollback_within: None,
    }
}

#[tokio::test]
async fn the_fifth_wrong_pin_locks_and_an_administrator_unlocks() {
    let bank = Bank::new().await;
    let person = with_pin(&bank).await;
    let admin = administrator(&bank).await;
    for left in [4, 3, 2, 1, 0] {
        let attempt = bank.store.begin_pin_attempt(person.subject, bank.now()).await;
        assert_eq!(attempt.expect("counted").left, left);
    }
    let locked = bank.store.begin_pin_attempt(person.subject, bank.now()).await;
    assert_eq!(refused(locked), Refused::PinLocked { role: Role::User });
    bank.store.unlock(person.subject, admin, bank.now()).await.expect("unlocked");
    let attempt = bank.store.begin_pin_attempt(person.subject, bank.now()).await;
    assert_eq!(attempt.expect("counted").left, 4);
}

#[tokio::test]
async fn a_right_pin_starts_the_count_anew_unless_another_was_set_meanwhile() {
    let bank = Bank::new().await;
    let person = with_pin(&bank).await;
    let attempt = bank.store.begin_pin_attempt(person.subject, bank.now()).await.expect("counted");
    let hash = attempt.hash.expect("a PIN");
    bank.store.log_on(log_on_with(&person, &hash), bank.now()).await.expect("logged on");
    let attempt = bank.store.begin_pin_attempt(person.subject, bank.now()).await.expect("counted");
    assert_eq!(attempt.left, 4);
    let second = "second".to_owned();
    bank.store
        .set_pin_hash(person.subject, second, PinCheck::NotAsked, Actor::Bank, bank.now())
        .await
        .expect("set");
    let late = bank.store.log_on(log_on_with(&person, &hash), bank.now()).await;
    assert_eq!(token(late), "pinWrong");
}

#[tokio::test]
async fn a_right_pin_starts_the_count_anew_although_its_request_was_refused() {
    let bank = Bank::new().await;
    let person = with_pin(&bank).await;
    let begin = || bank.store.begin_pin_attempt(person.subject, bank.now());
    let was_right =
        |hash: &str| bank.store.pin_was_right(person.subject, hash.to_owned(), bank.now());
    begin().await.expect("counted");
    was_right("first").await.expect("settled");
    assert_eq!(begin().await.expect("counted").left, 4);
    was_right("a former one").await.expect("another was set meanwhile");
    assert_eq!(begin().await.expect("counted").left, 3);
    for _ in 0..3 {
        begin().await.expect("counted");
    }
    assert_eq!(token(begin().await), "pinLocked");
    was_right("first").await.expect("the fifth one was right");
    assert_eq!(begin().await.expect("counted").left, 4);
}

#[tokio::test]
async fn a_count_that_was_not_reset_survives_a_restart() {
    let bank = Bank::new().await;
    let person = with_pin(&bank).await;
    for _ in 0..5 {
        bank.store.begin_pin_attempt(person.subject, bank.now()).await.expect("counted");
    }
    bank.sqlite.close();
    let again = Bank::at(bank.folder()).await;
    assert_eq!(
        token(again.store.begin_pin_attempt(person.subject, again.now()).await),
        "pinLocked"
    );
}

#[tokio::test]
async fn only_administrators_unlock_and_only_users_of_their_contract() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let admin = bank.person("Kanri Sha", Role::Administrator).await;
    let by_admin = Actor::Session(bank.session(&admin.certificate).await);
    let by_user = Actor::Session(bank.session(&user.certificate).await);
    let other = ContractId::random();
    let new = NewContract { id: other, name: "B".to_owned() };
    bank.store.add_contract(new, Actor::Bank, bank.now()).await.expect("added");
    let foreign = bank.person_of(other, "Gaibu Sha", Role::User).await;
    let unlock = |subject, by| bank.store.unlock(subject, by, bank.now());
    assert_eq!(token(unlock(user.subject, by_user).await), "notAuthorized");
    assert_eq!(token(unlock(admin.subject, by_admin.clone()).await), "notAuthorized");
    assert_eq!(token(unlock(foreign.subject, by_admin.clone()).await), "subjectUnknown");
    assert_eq!(token(unlock(SubjectId::random(), by_admin).await), "subjectUnknown");
}
