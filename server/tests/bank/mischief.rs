//! Pranks that only a whole bank can be played: those that its edge alone shows are in `edge`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Order, Status};
use koshin_protocol::problem::Token;
use koshin_server::bank::Bank as Server;
use koshin_server::http::Service;
use koshin_server::issue::take_up;
use koshin_server::mischief::{Mischief, Mischievous, Reluctant, Shares};
use koshin_server::route::Route;
use serde_json::json;

use crate::answer::Answer;
use crate::bank::Bank;
use crate::deeds::{environment, issued};
use crate::person::Key;
use crate::request::{By, Draft};

/// The bank, with the same prank played on every request.
fn playing(bank: &Bank, shares: &Shares) -> Mischievous<Arc<Server>> {
    let server = Arc::clone(&bank.server);
    let mischief = Mischief::new(1, shares, Duration::ZERO).expect("shares");
    let (nonces, clock) = (Arc::clone(&server.nonces), Arc::clone(&server.clock));
    let metrics = Arc::clone(&server.metrics);
    Mischievous::new(server, Some(mischief), nonces, clock, metrics)
}

async fn deliver(service: &impl Service, draft: &Draft) -> Answer {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
    Answer::of(service.call(draft.request(draft.body()), peer).await, true)
}

#[tokio::test]
async fn a_nonce_refused_on_purpose_is_spent_and_nothing_is_carried_out() {
    let bank = Bank::new().await;
    let pranked = playing(&bank, &Shares { reject_nonce: 1.0, ..Shares::default() });
    let by = By::Certificate(bank.user().await.pair);
    let url = bank.url(&Route::NewSession);
    let payload = json!({ "environment": environment(), "purpose": "renewal" });
    let draft = bank.draft(Operation::NewSession, &url, &by, &payload);
    let refused = deliver(&pranked, &draft).await;
    refused.refused(Token::BadNonce);
    let count = |query| bank.sql().query_row(query, [], |row| row.get::<_, i64>(0));
    assert_eq!(count("SELECT count(*) FROM session").expect("a count"), 0);
    deliver(&bank.server, &draft).await.refused(Token::BadNonce);
    let fresh = refused.headers["replay-nonce"].to_str().expect("a nonce").to_owned();
    assert_eq!(deliver(&bank.server, &draft.set("nonce", fresh)).await.status, 201);
}

#[tokio::test]
async fn what_is_unsigned_or_malformed_is_answered_although_nonces_are_refused_on_purpose() {
    let bank = Bank::new().await;
    let pranked = playing(&bank, &Shares { reject_nonce: 1.0, ..Shares::default() });
    let url = bank.url(&Route::FindOrder);
    let draft = bank.draft(Operation::FindOrder, &url, &By::Key(Key::new()), &json!({}));
    deliver(&pranked, &draft.set("crit", json!(["x"]))).await.refused(Token::Malformed);
    let get = http::Request::get("/koshin/directory").body(hyper::body::Bytes::new());
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
    assert_eq!(pranked.call(get.expect("a request"), peer).await.status(), 200);
}

#[tokio::test]
async fn the_ca_is_slow_with_the_order_that_meets_the_prank_and_with_no_other() {
    let mut bank = Bank::new().await;
    let server = Arc::get_mut(&mut bank.server).expect("nobody else has it yet");
    server.issuer = Arc::new(Reluctant::new(Arc::clone(&server.issuer)));
    let pranked = playing(&bank, &Shares { processing: 1.0, ..Shares::default() });
    let (user, other) = (bank.user().await, bank.user().await);
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let url = bank.url(&Route::NewOrder);
    let payload = bank.new_order(&logon, user.pair.certificate.subject(), &key);
    let draft = bank.draft(Operation::NewOrder, &url, &logon.by(), &payload);
    let order: Order = deliver(&pranked, &draft).await.object(201);
    assert!(matches!(order.status, Status::Processing { .. }), "{order:?}");
    let prompt = bank.order(&bank.log_on(&other.pair).await, &Key::new()).await;
    assert!(matches!(prompt.status, Status::Valid { .. }), "{prompt:?}");
    assert_eq!(take_up(&bank.server).await.expect("asked"), 1);
    issued(&bank.read_order(&order, &By::Key(key)).await);
}
