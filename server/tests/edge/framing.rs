//! HTTP/1.1 framing and authority: what hyper alone would let pass.

use crate::bank::{Bank, limits};

/// Sends `request` in clear and over TLS, in one piece and in two; expects a refusal each time, and
/// that neither it nor what follows it reached the service.
async fn assert_refused(request: &str, status: u16, token: &str) {
    for bank in Bank::both(limits()).await {
        let followed = format!("{request}GET /smuggled HTTP/1.1\r\nHost: bank.test\r\n\r\n");
        let mut connection = bank.connect().await;
        connection.send(&followed).await;
        connection.answer().await.assert_refused(status, token);
        connection.assert_closed().await;

        let (first, second) = request.split_at(request.len() / 2);
        let mut connection = bank.connect().await;
        connection.send(first).await;
        tokio::task::yield_now().await;
        connection.send(second).await;
        connection.answer().await.assert_refused(status, token);
        assert_eq!(bank.doings.begun(), 0, "{request:?} reached the service");
    }
}

#[tokio::test]
async fn a_bare_line_feed_ends_no_line() {
    assert_refused("GET / HTTP/1.1\nHost: bank.test\r\n\r\n", 400, "malformed").await;
    assert_refused("GET / HTTP/1.1\r\nHost: bank.test\nA: b\r\n\r\n", 400, "malformed").await;
    assert_refused("GET / HTTP/1.1\nHost: bank.test\n\n", 400, "malformed").await;
}

// [HTP-05]
#[tokio::test]
async fn content_length_beside_transfer_encoding_is_refused() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: bank.test\r\n{fields}\r\n\r\n0\r\n\r\n");
        assert_refused(&request, 400, "malformed").await;
    }
}

#[tokio::test]
async fn content_length_twice_is_refused_even_if_equal() {
    let request =
        "POST / HTTP/1.1\r\nHost: bank.test\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab";
    assert_refused(request, 400, "malformed").await;
}

#[tokio::test]
async fn no_host_is_refused() {
    assert_refused("GET / HTTP/1.1\r\nA: b\r\n\r\n", 400, "malformed").await;
    assert_refused("GET http://bank.test/ HTTP/1.1\r\nA: b\r\n\r\n", 400, "malformed").await;
}

// [HTP-05]
#[tokio::test]
async fn two_hosts_are_refused() {
    let request = "GET / HTTP/1.1\r\nHost: bank.test\r\nHost: bank.test\r\n\r\n";
    assert_refused(request, 400, "malformed").await;
}

// [HTP-03]
#[tokio::test]
async fn a_foreign_host_is_misdirected() {
    assert_refused("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421, "misdirected").await;
    assert_refused("GET / HTTP/1.1\r\nHost: bank.test:99\r\n\r\n", 421, "misdirected").await;
}

// [HTP-03]
#[tokio::test]
async fn an_absolute_uri_with_a_foreign_host_is_misdirected() {
    let request = "GET http://evil.test/ HTTP/1.1\r\nHost: bank.test\r\n\r\n";
    assert_refused(request, 421, "misdirected").await;
}

// [HTP-03]
#[tokio::test]
async fn forwarded_headers_make_no_host() {
    let request = "GET / HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: bank.test\r\n\
                   Forwarded: host=bank.test\r\n\r\n";
    assert_refused(request, 421, "misdirected").await;
}

#[tokio::test]
async fn the_bank_opens_no_tunnel() {
    let request = "CONNECT bank.test:80 HTTP/1.1\r\nHost: bank.test:80\r\n\r\n";
    Bank::plain(limits()).await.exchange(request).await.assert_refused(405, "methodNotAllowed");
}

// [LIM-04]
#[tokio::test]
async fn what_hyper_refuses_never_reaches_the_service() {
    let many = "A: b\r\n".repeat(200);
    let long = "a".repeat(20_000);
    for bank in Bank::both(limits()).await {
        for fields in [
            "Content-Length: 2\r\nContent-Length: 3\r\n",
            "Content-Length: +4\r\n",
            "Content-Length : 4\r\n",
            "Content-Length: 4, 4\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "A: b\r\n c\r\n",
            "A: b\0c\r\n",
            "A: b\rc\r\n",
            &many,
            &format!("A: {long}\r\n"),
        ] {
            let request = format!("POST / HTTP/1.1\r\nHost: bank.test\r\n{fields}\r\nabcd");
            let answer = bank.exchange(request).await;
            assert!((400..500).contains(&answer.status), "{fields:?}: {answer:?}");
        }
        assert_eq!(bank.doings.begun(), 0);
    }
}

#[tokio::test]
async fn a_fault_refuses_its_own_request_and_none_before() {
    for bank in Bank::both(limits()).await {
        let mut connection = bank.connect().await;
        connection
            .send(
                "POST /1 HTTP/1.1\r\nHost: bank.test\r\nContent-Length: 3\r\n\r\n\n\n\n\
                 GET /2 HTTP/1.1\r\nHost: bank.test\r\n\r\n\
                 GET /3 HTTP/1.1\r\nHost: bank.test\n\r\n\
                 GET /4 HTTP/1.1\r\nHost: bank.test\r\n\r\n",
            )
            .await;
        connection.answer().await.assert_told("POST /1 3");
        connection.answer().await.assert_told("GET /2 0");
        connection.answer().await.assert_refused(400, "malformed");
        connection.assert_closed().await;
        assert_eq!(bank.doings.begun(), 2);
    }
}

#[tokio::test]
async fn a_connection_carries_many_requests() {
    for bank in Bank::both(limits()).await {
        let mut connection = bank.connect().await;
        for length in 0..20 {
            let body = "\n".repeat(length);
            let request = format!(
                "POST /a HTTP/1.1\r\nhost: BANK.test\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            connection.send(request).await;
            connection.answer().await.assert_told(&format!("POST /a {length}"));
        }
    }
}

#[tokio::test]
async fn a_chunked_request_is_served_and_is_the_last() {
    for bank in Bank::both(limits()).await {
        let mut connection = bank.connect().await;
        connection
            .send(
                "POST /a HTTP/1.1\r\nHost: bank.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3\r\nabc\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: bank.test\r\n\r\n",
            )
            .await;
        let answer = connection.answer().await;
        answer.assert_told("POST /a 3");
        assert_eq!(answer.header("connection"), Some("close"));
        connection.assert_closed().await;
        assert_eq!(bank.doings.begun(), 1);
    }
}

#[tokio::test]
async fn refusals_speak_the_language_asked_for() {
    let bank = Bank::plain(limits()).await;
    for (language, word) in [("ja", "宛先"), ("en", "host")] {
        let request =
            format!("GET / HTTP/1.1\r\nHost: evil.test\r\nAccept-Language: {language}\r\n\r\n");
        let answer = bank.exchange(request).await;
        assert!(String::from_utf8_lossy(&answer.body).contains(word), "{answer:?}");
        assert_eq!(answer.header("content-language"), Some(language));
    }
}
