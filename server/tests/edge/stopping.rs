//! Shutdown: what was taken on is finished, and within a bound.

use std::time::Duration;

use koshin_server::http::Limits;
use koshin_server::http::listener::Drained;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bank::{Bank, PATIENCE, limits};

const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: bank.test\r\n\r\n";

#[tokio::test]
async fn a_request_under_way_is_answered_and_nothing_new_is_accepted() {
    for bank in Bank::both(limits()).await {
        let mut idle = bank.connect().await;
        idle.send("GET /a HTTP/1.1\r\nHost: bank.test\r\n\r\n").await;
        idle.answer().await.assert_told("GET /a 0");
        let mut busy = bank.connect().await;
        busy.send(WAIT).await;
        bank.doings.until_begun(2).await;

        bank.trigger.pull();
        idle.assert_closed().await;
        let address = bank.address;
        refuses(address).await;
        assert!(!bank.served.is_finished(), "the edge left a request behind");

        bank.doings.open_door(1);
        busy.answer().await.assert_told("GET /wait 0");
        busy.assert_closed().await;
        let drained = tokio::time::timeout(PATIENCE, bank.served).await.expect("an end");
        assert_eq!(drained.expect("no panic"), Drained::Whole);
    }
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off() {
    for bank in Bank::both(Limits { grace: Duration::from_millis(100), ..limits() }).await {
        let mut busy = bank.connect().await;
        busy.send(WAIT).await;
        bank.doings.until_begun(1).await;
        bank.trigger.pull();
        let drained = tokio::time::timeout(PATIENCE, bank.served).await.expect("an end");
        assert_eq!(drained.expect("no panic"), Drained::CutOff(1));
        busy.assert_closed().await;
    }
}

#[tokio::test]
async fn dropping_the_trigger_stops_as_well() {
    let bank = Bank::plain(limits()).await;
    drop(bank.trigger);
    let drained = tokio::time::timeout(PATIENCE, bank.served).await.expect("an end");
    assert_eq!(drained.expect("no panic"), Drained::Whole);
}

/// The only test of this process that may send itself SIGTERM: a second one would end it.
#[tokio::test]
async fn sigterm_stops() {
    let bank = Bank::plain(limits()).await;
    let mut busy = bank.connect().await;
    busy.send(WAIT).await;
    bank.doings.until_begun(1).await;
    bank.trigger.on_signals().expect("signal handlers");
    for _ in 0..5 {
        let request = "GET /a HTTP/1.1\r\nHost: bank.test\r\n\r\n";
        let mut connection = TcpStream::connect(bank.address).await.expect("no signal, no end");
        connection.write_all(request.as_bytes()).await.expect("no signal, no end");
        let mut first = [0];
        connection.read_exact(&mut first).await.expect("no signal, no end");
    }
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &std::process::id().to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()));
    refuses(bank.address).await;
    bank.doings.open_door(1);
    busy.answer().await.assert_told("GET /wait 0");
    let drained = tokio::time::timeout(PATIENCE, bank.served).await.expect("an end");
    assert_eq!(drained.expect("no panic"), Drained::Whole);
}

/// Waits until `address` refuses connections.
async fn refuses(address: std::net::SocketAddr) {
    let trying = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("the listener closes");
}
