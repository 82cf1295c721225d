//! Many at once for the same certificate: exactly one outcome, and the others are told which.

use std::collections::BTreeMap;
use std::sync::Arc;

use koshin_protocol::state::order::Status;
use koshin_server::rule::command::Undo;
use koshin_server::registry::Failure;
use koshin_server::rule::refused::Refused;
use koshin_server::store::Store;

use crate::bank::{Bank, certificate_of, refused, thumbprint, token};
use crate::invariants;

const TASKS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_orders_with_different_keys_one_is_placed() {
    let bank = Arc::new(Bank::new().await);
    let person = bank.user().await;
    let session = bank.session(&person.certificate).await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (bank, person, n) = (bank.clone(), person.clone(), bank.new_key());
            tokio::spawn(async move { bank.place(&person, session, n).await })
        })
        .collect();
    let (mut placed, mut told) = (Vec::new(), Vec::new());
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(order) => placed.push(order),
            Err(failure) => told.push(refused::<()>(Err(failure))),
        }
    }
    assert_eq!(placed.len(), 1);
    let order = &placed[0].order;
    let expected = Refused::OrderExists { order: order.id, key: order.key };
    assert!(told.iter().all(|told| *told == expected), "{told:?}");
    invariants::check(&bank.sql(), &*bank.sqlite);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_orders_with_the_same_key_one_is_created_and_all_get_it() {
    let bank = Arc::new(Bank::new().await);
    let person = bank.user().await;
    let session = bank.session(&person.certificate).await;
    let n = bank.new_key();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (bank, person) = (bank.clone(), person.clone());
            tokio::spawn(async move { bank.place(&person, session, n).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("no panic").expect("placed"));
    }
    assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1);
    assert!(answers.iter().all(|answer| answer.order == answers[0].order));
    invariants::check(&bank.sql(), &*bank.sqlite);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_cancel_and_confirm_at_once_one_wins_and_the_others_are_told() {
    let bank = Arc::new(Bank::new().await);
    let mut ends = BTreeMap::new();
    for round in 0..16 {
        let person =
            bank.person(&format!("Person {round}"), koshin_server::rule::row::Role::User).await;
        let session = bank.session(&person.certificate).await;
        let n = bank.new_key();
        let placed = bank.place(&person, session, n).await.expect("placed");
        let (id, new) = (placed.order.id, certificate_of(&placed.order));
        let tasks: Vec<_> = (0..TASKS)
            .map(|turn| {
                let (bank, new) = (bank.clone(), new.clone());
                tokio::spawn(async move {
                    if (turn + round) % 2 == 0 {
                        let undo = Undo { session, order: id, key: thumbprint(n) };
                        ("cancel", bank.store.cancel_order(undo, bank.now()).await)
                    } else {
                        ("confirm", bank.confirm(id, &new).await)
                    }
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.expect("no panic"));
        }
        let end = bank.store.order(id).await.expect("read").expect("there").state.status();
        for (what, answer) in answers {
            match (what, end, answer) {
                ("cancel", Status::Canceled, Ok(order)) => {
                    assert_eq!(order.state.status(), Status::Canceled);
                }
                ("confirm", Status::Completed, Ok(order)) => {
                    assert_eq!(order.state.status(), Status::Completed);
                }
                ("confirm", Status::Canceled, refused) => {
                    assert_eq!(token(refused), "orderCanceled");
                }
                // The confirmation ended the predecessor's session, before or while it canceled.
                ("cancel", Status::Completed, Err(Failure::Refused(refused))) => {
                    assert_eq!(*refused, Refused::SessionEnded);
                }
                other => panic!("{other:?}"),
            }
        }
        *ends.entry(end.as_str()).or_insert(0) += 1;
    }
    println!("ends of 16 races: {ends:?}");
    invariants::check(&bank.sql(), &*bank.sqlite);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_logons_at_once_one_session_is_left() {
    let bank = Arc::new(Bank::new().await);
    let person = bank.user().await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (bank, person) = (bank.clone(), person.clone());
            tokio::spawn(async move { bank.session(&person.certificate).await })
        })
        .collect();
    let mut active = 0;
    for task in tasks {
        let session = task.await.expect("no panic");
        let there = bank.store.session(session, bank.now()).await.expect("read");
        active += usize::from(there.is_some());
    }
    assert!(active >= 1);
    let left: i64 = bank
        .sql()
        .query_row("SELECT count(*) FROM session WHERE ended IS NULL", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(left, 1);
    invariants::check(&bank.sql(), &*bank.sqlite);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_guesses_never_exceed_five() {
    let bank = Arc::new(Bank::new().await);
    let person = bank.user().await;
    bank.store
        .set_pin_hash(
            person.subject,
            "the hash".to_owned(),
            koshin_server::rule::command::PinCheck::NotAsked,
            koshin_server::rule::command::Actor::Bank,
            bank.now(),
        )
        .await
        .expect("set");
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (bank, subject) = (bank.clone(), person.subject);
            tokio::spawn(async move { bank.store.begin_pin_attempt(subject, bank.now()).await })
        })
        .collect();
    let (mut left, mut locked) = (Vec::new(), 0);
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(attempt) => left.push(attempt.left),
            Err(failure) => {
                assert_eq!(token::<()>(Err(failure)), "pinLocked");
                locked += 1;
            }
        }
    }
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2, 3, 4]);
    assert_eq!(locked, TASKS - 5);
}
