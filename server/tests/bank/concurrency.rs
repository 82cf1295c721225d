//! Many at once: exactly one outcome (SPEC.md 5.6, 10, DESIGN's invariants 1 and 5).

use std::sync::Arc;

use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Order, StatusName};
use koshin_protocol::problem::Token;
use koshin_server::route::Route;
use serde_json::json;
use tokio::sync::Barrier;

use crate::bank::Bank;
use crate::deeds::{environment, pair_of};
use crate::person::Key;
use crate::request::By;

/// A small generator, so that a round can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

// [NON-02] [IDM-03]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_replays_of_one_request_at_once_exactly_one_is_accepted() {
    let bank = Arc::new(Bank::new().await);
    let user = bank.user().await;
    let by = By::Certificate(user.pair.clone());
    let url = bank.url(&Route::NewSession);
    let payload = json!({ "environment": environment(), "purpose": "renewal" });
    for _ in 0..3 {
        let draft = bank.draft(Operation::NewSession, &url, &by, &payload);
        let body = draft.body();
        let start = Arc::new(Barrier::new(100));
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (bank, draft, body) = (bank.clone(), draft.clone(), body.clone());
                let start = start.clone();
                tokio::spawn(async move {
                    start.wait().await;
                    bank.deliver_body(&draft, body).await
                })
            })
            .collect();
        let mut accepted = 0;
        for task in tasks {
            match task.await.expect("no panic").token() {
                None => accepted += 1,
                token => assert_eq!(token, Some(Token::BadNonce)),
            }
        }
        assert_eq!(accepted, 1);
    }
}

// [STA-02] [STA-03] [STA-05] [STA-08] [DUR-10] [CAN-01] [CFM-01]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_that_order_cancel_and_confirm_at_once_one_outcome_is_told_to_all() {
    let bank = Arc::new(Bank::new().await);
    for seed in 1..=12_u64 {
        println!("seed {seed}");
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let user = bank.user().await;
        let logon = bank.log_on(&user.pair).await;
        let key = Key::new();
        let order = bank.order(&logon, &key).await;
        let new = pair_of(&order, &key);
        let start = Arc::new(Barrier::new(64));
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let deed = dice.roll(4);
                let (bank, logon, order) = (bank.clone(), logon.clone(), order.clone());
                let (key, new, start) = (key.clone(), new.clone(), start.clone());
                tokio::spawn(async move {
                    start.wait().await;
                    let answer = match deed {
                        0 => bank.try_cancel(&order, &logon).await,
                        1 => bank.try_confirm(&order, &new, json!({})).await,
                        2 => bank.order_with(&logon, &key).await,
                        _ => bank.order_with(&logon, &Key::new()).await,
                    };
                    (deed, answer)
                })
            })
            .collect();
        let (mut canceled, mut confirmed, mut others) = (0, 0, 0);
        for task in tasks {
            let (deed, answer) = task.await.expect("no panic");
            match (deed, answer.token()) {
                (0, None) => canceled += 1,
                (0, token) => assert!(
                    matches!(token, Some(Token::OrderCompleted | Token::SessionEnded)),
                    "{token:?}"
                ),
                (1, None) => confirmed += 1,
                (1, token) => assert_eq!(token, Some(Token::OrderCanceled)),
                (2, None) => assert_eq!(answer.object::<Order>(200).url, order.url),
                (2, token) => assert_eq!(token, Some(Token::SessionEnded)),
                (_, None) => others += 1,
                (_, token) => assert!(
                    matches!(token, Some(Token::OrderExists | Token::SessionEnded)),
                    "{token:?}"
                ),
            }
        }
        let ended: Order = bank.try_find(&key).await.object(200);
        let current = [bank.state_of(&user.pair), bank.state_of(&new)];
        match ended.status.name() {
            StatusName::Canceled => {
                assert_eq!((confirmed, current), (0, ["current".into(), "revoked".into()]));
                assert!(others <= 1, "one open order");
            }
            StatusName::Completed => {
                assert_eq!((canceled, others), (0, 0));
                assert_eq!(current, ["superseded".to_owned(), "current".to_owned()]);
            }
            other => panic!("{other}"),
        }
        assert!(canceled + confirmed > 0, "somebody was told of success");
    }
}

// [STA-03] [ORD-05] [STA-08]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_different_keys_at_once_one_gets_the_order() {
    let bank = Arc::new(Bank::new().await);
    for _ in 0..4 {
        let user = bank.user().await;
        let logon = bank.log_on(&user.pair).await;
        let start = Arc::new(Barrier::new(64));
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (bank, logon, start) = (bank.clone(), logon.clone(), start.clone());
                tokio::spawn(async move {
                    start.wait().await;
                    bank.order_with(&logon, &Key::new()).await
                })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match task.await.expect("no panic").token() {
                None => won += 1,
                token => assert_eq!(token, Some(Token::OrderExists)),
            }
        }
        assert_eq!(won, 1);
    }
}

// [STA-03] [RBK-01] [CFM-01]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollback_and_final_confirmation_at_once_have_one_winner() {
    let bank = Arc::new(Bank::new().await);
    for _ in 0..12 {
        let user = bank.user().await;
        let (new, order) = bank.renew(&user).await;
        let recovery = bank.recover(&user.pair).await;
        let (one, other) = (bank.clone(), bank.clone());
        let (undone, kept) = (order.clone(), order);
        let pair = new.clone();
        let rolled = tokio::spawn(async move { one.try_roll_back(&undone, &recovery).await });
        let last = json!({ "final": true });
        let confirmed = tokio::spawn(async move { other.try_confirm(&kept, &pair, last).await });
        let rolled = rolled.await.expect("no panic").token();
        let confirmed = confirmed.await.expect("no panic").token();
        match (rolled, confirmed) {
            (None, Some(Token::OrderRolledBack)) => assert_eq!(bank.state_of(&new), "revoked"),
            (Some(Token::RollbackEnded), None) => assert_eq!(bank.state_of(&new), "current"),
            // Confirmed first, and rolled back before the right was given up: the final flag came as a repetition.
            other => panic!("{other:?}"),
        }
    }
}
