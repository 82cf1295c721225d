//! The watch listener, and mischief as a client meets it.

use std::sync::Arc;
use std::time::Duration;

use koshin_server::clock::{Clock, System};
use koshin_server::http::{Listener, Trigger};
use koshin_server::mischief::{Mischief, Mischievous, Shares};
use koshin_server::nonce::Nonces;
use koshin_server::watch::{Metrics, Readiness, Watch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bank::{Bank, Doings, limits};

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn metrics_and_health_have_their_own_listener() {
    let metrics = Arc::new(Metrics::new());
    metrics.nonce_refused();
    let readiness = Readiness::default();
    let (trigger, shutdown) = Trigger::new();
    let watch = Watch::bind(([127, 0, 0, 1], 0).into(), Arc::clone(&metrics), readiness.clone())
        .await
        .expect("a port");
    let address = watch.address().expect("bound");
    let serving = tokio::spawn(watch.serve(shutdown));

    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "));
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503 "));
    readiness.set(true);
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
    let exposition = get(address, "/metrics").await;
    assert!(exposition.contains("koshin_nonces_refused_total 1\n"), "{exposition}");
    trigger.pull();
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503 "));
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "));
    serving.abort();
}

#[tokio::test]
async fn refusals_of_the_edge_are_counted_by_token() {
    let bank = Bank::plain(limits()).await;
    bank.exchange("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n").await;
    let line = "koshin_edge_refusals_total{token=\"misdirected\"} 1\n";
    assert!(bank.metrics.exposition().contains(line));
}

/// A bank that plays one prank on every request.
async fn playing(shares: &Shares) -> Bank {
    let listener = Listener::plain(([127, 0, 0, 1], 0).into()).await.expect("a port");
    let mischief = Mischief::new(1, shares, Duration::from_millis(5)).expect("shares");
    let nonces = Arc::new(Nonces::new(System.uptime()).expect("randomness"));
    let metrics = Arc::new(Metrics::new());
    let wrap = |doings| Mischievous::new(doings, Some(mischief), nonces, Arc::new(System), metrics);
    Bank::start(listener, None, Doings::default(), wrap, limits())
}

const REQUEST: &str = "POST /a HTTP/1.1\r\nHost: bank.test\r\nContent-Length: 1\r\n\r\nx";

#[tokio::test]
async fn a_dropped_response_was_carried_out() {
    let bank = playing(&Shares { drop_response: 1.0, ..Shares::default() }).await;
    let mut connection = bank.connect().await;
    connection.send(REQUEST).await;
    connection.assert_closed().await;
    assert_eq!(bank.doings.begun(), 1);
}

#[tokio::test]
async fn a_refused_request_was_not_carried_out() {
    for (shares, status) in [
        (Shares { rate_limited: 1.0, ..Shares::default() }, 429),
        (Shares { unavailable: 1.0, ..Shares::default() }, 503),
    ] {
        let bank = playing(&shares).await;
        let mut connection = bank.connect().await;
        for _ in 0..10 {
            connection.send(REQUEST).await;
            let answer = connection.answer().await;
            assert_eq!(answer.status, status);
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
        }
        assert_eq!(bank.doings.begun(), 0);
    }
}

#[tokio::test]
async fn a_delayed_request_is_answered_all_the_same() {
    let bank = playing(&Shares { delay: 1.0, ..Shares::default() }).await;
    bank.exchange(REQUEST).await.assert_told("POST /a 1");
}
