//! How often one certificate may ask (SPEC.md 5.11).

use http::header::RETRY_AFTER;
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_server::http::Rate;
use koshin_server::route::Route;
use serde_json::json;

use crate::bank::{Bank, Setup};
use crate::deeds::environment;
use crate::person::Key;
use crate::request::By;

/// One request a second, five at once.
async fn strict() -> Bank {
    let rate = Some(Rate { per_second: 1, burst: 5 });
    Bank::with(Setup { rate, ..Setup::default() }).await
}

// [RTA-08] [RTA-01]
#[tokio::test]
async fn one_certificates_excess_refuses_nobody_elses_requests() {
    let bank = strict().await;
    let (greedy, other) = (bank.user().await, bank.user().await);
    let logon = bank.log_on(&greedy.pair).await;
    let mut refused = None;
    // However slow the machine is: more than one in a second.
    for _ in 0..1000 {
        let answer = bank.read(&logon.url, &logon.by()).await;
        if answer.token().is_some() {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a limit");
    refused.refused(Token::RateLimited);
    assert_eq!(refused.header(&RETRY_AFTER), Some("1"));
    bank.log_on(&other.pair).await;
    bank.try_find(&greedy.pair.key).await.refused(Token::OrderUnknown);
}

// [RTA-08] [CHK-02]
#[tokio::test]
async fn nobody_spends_what_another_certificate_may_ask() {
    let bank = strict().await;
    let user = bank.user().await;
    let url = bank.url(&Route::NewSession);
    let by = By::Certificate(user.pair.clone());
    let payload = json!({ "environment": environment(), "purpose": "renewal" });
    for _ in 0..20 {
        let draft = bank.draft(Operation::NewSession, &url, &by, &payload).by_key(&Key::new());
        bank.deliver(draft).await.refused(Token::BadSignature);
    }
    bank.log_on(&user.pair).await;
}
