//! Bodies: too long, coded, too slow, broken.

use std::time::Duration;

use koshin_server::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bank::{Bank, PATIENCE, limits};

const HEAD: &str = "POST /a HTTP/1.1\r\nHost: bank.test\r\n";

// [LIM-01] [LIM-02]
#[tokio::test]
async fn a_body_of_64_kib_passes_and_one_byte_more_does_not() {
    for bank in Bank::both(limits()).await {
        for (length, passes) in [(65_536, true), (65_537, false)] {
            let body = "x".repeat(length);
            let plain = format!("{HEAD}Content-Length: {length}\r\n\r\n{body}");
            let chunked = format!(
                "{HEAD}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
            );
            for request in [plain, chunked] {
                let answer = bank.exchange(request).await;
                if passes {
                    answer.assert_told(&format!("POST /a {length}"));
                } else {
                    answer.assert_refused(413, "payloadTooLarge");
                }
            }
        }
    }
}

// [LIM-01]
#[tokio::test]
async fn a_length_announced_is_refused_before_any_of_it_is_sent() {
    for bank in Bank::both(limits()).await {
        let answer = bank.exchange(format!("{HEAD}Content-Length: 1073741824\r\n\r\n")).await;
        answer.assert_refused(413, "payloadTooLarge");
        let waiting = format!("{HEAD}Content-Length: 70000\r\nExpect: 100-continue\r\n\r\n");
        bank.exchange(waiting).await.assert_refused(413, "payloadTooLarge");
        assert_eq!(bank.doings.begun(), 0);
    }
}

/// Sends a body of a gigabyte without looking up; the refusal is to arrive all the same.
// [LIM-01]
#[tokio::test]
async fn a_gigabyte_is_refused_early_and_the_refusal_arrives() {
    const CHUNK: usize = 16 * 1024;
    for bank in Bank::both(limits()).await {
        let (mut reading, mut writing) = tokio::io::split(bank.connect().await.stream);
        let sending = tokio::spawn(async move {
            let head = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n");
            writing.write_all(head.as_bytes()).await.expect("the edge reads the head");
            let chunk = format!("{CHUNK:x}\r\n{}\r\n", "x".repeat(CHUNK));
            let mut sent = 0_usize;
            while sent < 1 << 30 && writing.write_all(chunk.as_bytes()).await.is_ok() {
                sent += CHUNK;
            }
            sent
        });
        let mut answer = Vec::new();
        // The edge may end a connection like this with a reset, but not before the answer.
        let _reset = tokio::time::timeout(PATIENCE, reading.read_to_end(&mut answer))
            .await
            .expect("an end within patience")
            .is_err();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("payloadTooLarge"), "{answer}");
        let sent = sending.await.expect("no panic");
        assert!(sent < 64 << 20, "the edge took {sent} bytes");
    }
}

/// A reset makes some systems throw away the answer that came before it.
#[tokio::test]
async fn what_still_comes_after_a_refusal_is_no_reason_for_a_reset() {
    for bank in Bank::both(limits()).await {
        let mut connection = bank.connect().await;
        connection.send(format!("{HEAD}Content-Length: 300000\r\n\r\n")).await;
        connection.answer().await.assert_refused(413, "payloadTooLarge");
        for _ in 0..30 {
            connection.send("x".repeat(10_000)).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        connection.assert_closed().await;
    }
}

// [HTP-22]
#[tokio::test]
async fn a_coded_body_is_refused() {
    for bank in Bank::both(limits()).await {
        for coding in ["gzip", "br", "identity, gzip", "identity\r\nContent-Encoding: deflate"] {
            let request =
                format!("{HEAD}Content-Encoding: {coding}\r\nContent-Length: 3\r\n\r\nabc");
            bank.exchange(request).await.assert_refused(415, "unsupportedMediaType");
        }
        assert_eq!(bank.doings.begun(), 0);
        let request = format!("{HEAD}Content-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc");
        bank.exchange(request).await.assert_told("POST /a 3");
    }
}

// [LIM-03]
#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let limits = Limits { body_time: Duration::from_millis(200), ..limits() };
    for bank in Bank::both(limits).await {
        for framing in ["Content-Length: 60000", "Transfer-Encoding: chunked"] {
            let (mut reading, mut writing) = tokio::io::split(bank.connect().await.stream);
            let dripping = tokio::spawn(async move {
                let head = format!("{HEAD}{framing}\r\n\r\n");
                writing.write_all(head.as_bytes()).await.expect("the edge reads the head");
                while writing.write_all(b"1\r\nx\r\n").await.is_ok() {
                    writing.flush().await.ok();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
            let mut answer = [0; 4096];
            let read = tokio::time::timeout(PATIENCE, reading.read(&mut answer))
                .await
                .expect("an answer within patience")
                .expect("an answer");
            let answer = String::from_utf8_lossy(&answer[..read]);
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
            dripping.abort();
        }
        assert_eq!(bank.doings.begun(), 0);
    }
}

#[tokio::test]
async fn a_broken_chunk_never_reaches_the_service() {
    for bank in Bank::both(limits()).await {
        let mut connection = bank.connect().await;
        connection.send(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n")).await;
        connection.answer().await.assert_refused(400, "malformed");
        assert_eq!(bank.doings.begun(), 0);
    }
}
