//! Connections: how many, and how long for nothing.

use std::time::Duration;

use koshin_server::http::{Limits, Listener};
use tokio::net::TcpStream;

use crate::bank::{Bank, Connection, assert_problem, limits};

const SHORT: Duration = Duration::from_millis(150);
const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: bank.test\r\n\r\n";

// [LIM-03]
#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let limits = Limits { head_time: SHORT, ..limits() };
    for bank in Bank::both(limits).await {
        let mut connection = bank.connect().await;
        connection.send("GET / HTTP/1.1\r\nHost: bank.test\r\n").await;
        connection.assert_closed().await;
    }
}

// [LIM-03]
#[tokio::test]
async fn a_dripping_head_is_given_up() {
    let limits = Limits { head_time: SHORT, ..limits() };
    for bank in Bank::both(limits).await {
        let Connection { mut stream, .. } = bank.connect().await;
        let dripping = async {
            use tokio::io::AsyncWriteExt;
            loop {
                if stream.write_all(b"G").await.is_err() || stream.flush().await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(crate::bank::PATIENCE, dripping).await.expect("the edge gives up");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_before_and_after_a_request() {
    let limits = Limits { idle_time: SHORT, ..limits() };
    for bank in Bank::both(limits).await {
        bank.connect().await.assert_closed().await;
        let mut connection = bank.connect().await;
        connection.send(REQUEST).await;
        connection.answer().await.assert_told("GET /a 0");
        connection.assert_closed().await;
    }
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_given_up() {
    let limits = Limits { write_time: SHORT, ..limits() };
    for bank in Bank::both(limits).await {
        let mut connection = bank.connect().await;
        for _ in 0..8 {
            connection.send("GET /big HTTP/1.1\r\nHost: bank.test\r\n\r\n").await;
        }
        bank.doings.until_begun(1).await;
        bank.until_closed().await;
    }
}

#[tokio::test]
async fn a_request_that_the_service_never_answers_is_given_up_and_told_so() {
    for bank in Bank::both(Limits { service_time: SHORT, ..limits() }).await {
        let mut connection = bank.connect().await;
        connection
            .send("GET /wait HTTP/1.1\r\nHost: bank.test\r\nAccept-Language: en\r\n\r\n")
            .await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_problem(&answer.body, 503, "unavailable");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        let body = String::from_utf8_lossy(&answer.body);
        assert!(body.contains("did not finish in time"), "{body}");
        // The connection is as good as before.
        connection.send("GET /a HTTP/1.1\r\nHost: bank.test\r\n\r\n").await;
        connection.answer().await.assert_told("GET /a 0");
    }
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_given_up() {
    let bank = Bank::over_tls(Limits { handshake_time: SHORT, ..limits() }).await;
    let stream = TcpStream::connect(bank.address).await.expect("a connection");
    crate::bank::until(|| bank.metrics.exposition().contains("handshakes_failed_total 1")).await;
    bank.until_closed().await;
    drop(stream);
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_their_turn() {
    for bank in Bank::both(Limits { connections: 2, ..limits() }).await {
        let mut first = bank.connect().await;
        let mut second = bank.connect().await;
        for connection in [&mut first, &mut second] {
            connection.send(REQUEST).await;
            connection.answer().await.assert_told("GET /a 0");
        }
        // Over TLS the third cannot even shake hands before its turn.
        let third = async {
            let mut third = bank.connect().await;
            third.send(REQUEST).await;
            third.answer().await.assert_told("GET /a 0");
        };
        let others = async {
            for _ in 0..50 {
                first.send(REQUEST).await;
                first.answer().await.assert_told("GET /a 0");
                assert!(bank.metrics.exposition().contains("koshin_connections_open 2\n"));
            }
            assert_eq!(bank.doings.begun(), 52, "the third had its turn before it was free");
            drop(second);
        };
        tokio::join!(third, others);
        assert_eq!(bank.doings.begun(), 53);
    }
}

// [HTP-01]
#[tokio::test]
async fn plain_http_is_for_loopback_only() {
    let error = Listener::plain(([0, 0, 0, 0], 0).into()).await.expect_err("beyond loopback");
    assert!(error.to_string().contains("loopback"), "{error}");
}

#[tokio::test]
async fn a_hangup_closes_without_an_answer() {
    for bank in Bank::both(limits()).await {
        let mut connection = bank.connect().await;
        connection.send("GET /hangup HTTP/1.1\r\nHost: bank.test\r\n\r\n").await;
        connection.assert_closed().await;
        assert_eq!(bank.doings.begun(), 1);
    }
}
