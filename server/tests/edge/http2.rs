//! HTTP/2: the same refusals, and limits of its own.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use koshin_server::http::Limits;
use koshin_server::http::listener::Drained;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bank::{Bank, PATIENCE, assert_problem, limits};

async fn client(bank: &Bank) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(bank.address).await.expect("a connection");
    let stream = bank.handshake(stream, b"h2").await;
    let (client, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    client
}

fn request(uri: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(uri).body(Full::new(body.into())).expect("a request")
}

async fn answer(
    client: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> (StatusCode, Bytes) {
    let answer = async {
        let response = client.send_request(request).await.expect("an answer");
        assert!(response.headers().contains_key("date"));
        let status = response.status();
        (status, response.collect().await.expect("a body").to_bytes())
    };
    tokio::time::timeout(PATIENCE, answer).await.expect("an answer within patience")
}

// [HTP-07] [HDR-01]
#[tokio::test]
async fn requests_are_served_side_by_side() {
    let bank = Bank::over_tls(limits()).await;
    let mut client = client(&bank).await;
    let mut waiting = client.clone();
    let waiting =
        tokio::spawn(
            async move { answer(&mut waiting, request("https://bank.test/wait", "")).await },
        );
    bank.doings.until_begun(1).await;
    let (status, body) = answer(&mut client, request("https://bank.test/a", "abc")).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"POST /a 3"[..]));
    bank.doings.open_door(1);
    assert_eq!(waiting.await.expect("no panic").0, StatusCode::OK);
}

#[tokio::test]
async fn refusals_are_the_same_and_leave_the_connection_open() {
    let bank = Bank::over_tls(limits()).await;
    let mut client = client(&bank).await;
    let mut coded = request("https://bank.test/a", "abc");
    coded.headers_mut().insert("content-encoding", "gzip".parse().expect("a value"));
    let mut other_host = request("https://bank.test/a", "");
    other_host.headers_mut().insert("host", "evil.test".parse().expect("a value"));
    for (request, status, token) in [
        (request("https://evil.test/a", ""), 421, "misdirected"),
        (other_host, 421, "misdirected"),
        (coded, 415, "unsupportedMediaType"),
        (request("https://bank.test/a", vec![b'x'; 65_537]), 413, "payloadTooLarge"),
        (request("https://bank.test/a", vec![b'x'; 1 << 20]), 413, "payloadTooLarge"),
    ] {
        let (given, body) = answer(&mut client, request).await;
        assert_eq!(given, status);
        assert_problem(&body, status, token);
    }
    assert_eq!(bank.doings.begun(), 0);
    let (status, _) = answer(&mut client, request("https://bank.test/a", "")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn streams_beyond_the_limit_wait() {
    let bank = Bank::over_tls(Limits { streams: 2, ..limits() }).await;
    let mut first = client(&bank).await;
    // The peer's settings are known once one answer was read.
    answer(&mut first, request("https://bank.test/a", "")).await;
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let mut client = first.clone();
            tokio::spawn(
                async move { answer(&mut client, request("https://bank.test/wait", "")).await },
            )
        })
        .collect();
    bank.doings.until_begun(3).await;
    // A round trip of its own connection, so that the third had its chance.
    let mut other = client(&bank).await;
    for _ in 0..20 {
        answer(&mut other, request("https://bank.test/a", "")).await;
    }
    assert_eq!(bank.doings.begun(), 23, "the third stream was served beside two others");
    bank.doings.open_door(3);
    for answered in waiting {
        assert_eq!(answered.await.expect("no panic").0, StatusCode::OK);
    }
}

// [LIM-04]
#[tokio::test]
async fn a_header_list_beyond_the_limit_is_refused() {
    let bank = Bank::over_tls(limits()).await;
    let mut client = client(&bank).await;
    let mut long = request("https://bank.test/a", "");
    for number in 0..32 {
        let name: http::HeaderName = format!("x-{number}").parse().expect("a name");
        long.headers_mut().insert(name, "y".repeat(1024).parse().expect("a value"));
    }
    let refused = client.send_request(long).await;
    assert!(
        refused.is_err() || refused.is_ok_and(|r| r.status().is_client_error()),
        "the header list was taken"
    );
    assert_eq!(bank.doings.begun(), 0);
}

// [LIM-03]
#[tokio::test]
async fn a_slow_body_is_given_up_without_the_connection() {
    let bank = Bank::over_tls(Limits { body_time: Duration::from_millis(150), ..limits() }).await;
    let mut raw = Raw::open(&bank).await;
    raw.headers(1, false).await;
    raw.until_status_503().await;
    assert_eq!(bank.doings.begun(), 0);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let bank = Bank::over_tls(Limits { idle_time: Duration::from_millis(150), ..limits() }).await;
    let mut client = client(&bank).await;
    answer(&mut client, request("https://bank.test/a", "")).await;
    bank.until_closed().await;
}

#[tokio::test]
async fn a_request_under_way_is_not_idle() {
    let bank = Bank::over_tls(Limits { idle_time: Duration::from_millis(400), ..limits() }).await;
    let mut client = client(&bank).await;
    let doings = bank.doings.clone();
    let later = tokio::spawn(async move {
        doings.until_begun(1).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        doings.open_door(1);
    });
    for path in ["/wait", "/a"] {
        let request = request(&format!("https://bank.test{path}"), "");
        assert_eq!(answer(&mut client, request).await.0, StatusCode::OK, "{path}");
    }
    later.await.expect("no panic");
}

#[tokio::test]
async fn a_peer_that_takes_no_answer_is_given_up() {
    let short = Duration::from_millis(150);
    let bank = Bank::over_tls(Limits { idle_time: short, head_time: short, ..limits() }).await;
    // SETTINGS_INITIAL_WINDOW_SIZE 0.
    let mut raw = Raw::open_with(&bank, &[0, 4, 0, 0, 0, 0]).await;
    raw.headers(1, true).await;
    bank.doings.until_begun(1).await;
    bank.until_closed().await;
}

#[tokio::test]
async fn who_sends_malformed_streams_without_end_is_cut_off() {
    let bank = Bank::over_tls(limits()).await;
    let mut raw = Raw::open(&bank).await;
    for stream in (1..200).step_by(2) {
        // Content-Length 5 (literal, name from the static table), and the end of the stream.
        let mut block = Raw::block();
        block.extend([0x0f, 0x0d, 1, b'5']);
        if raw.stream.write_all(&Raw::frame(1, 5, stream, &block)).await.is_err() {
            break;
        }
    }
    raw.until_goaway(11).await;
    assert_eq!(bank.doings.begun(), 0);
}

#[tokio::test]
async fn who_resets_stream_after_stream_is_cut_off() {
    let bank = Bank::over_tls(limits()).await;
    let mut raw = Raw::open(&bank).await;
    let mut flood = Vec::new();
    for stream in (1..4000).step_by(2) {
        flood.extend(Raw::headers_frame(stream, true));
        // RST_STREAM, CANCEL.
        flood.extend(Raw::frame(3, 0, stream, &[0, 0, 0, 8]));
    }
    // The edge may be gone before it has read everything.
    let _cut = raw.stream.write_all(&flood).await.is_err();
    raw.until_goaway(11).await;
    assert!(bank.doings.begun() < 2000, "{} requests were served", bank.doings.begun());
}

#[tokio::test]
async fn a_hangup_resets_the_stream_without_an_answer() {
    let bank = Bank::over_tls(limits()).await;
    let mut client = client(&bank).await;
    let error = client.send_request(request("https://bank.test/hangup", "")).await;
    assert!(error.is_err());
    assert_eq!(bank.doings.begun(), 1);
}

#[tokio::test]
async fn shutdown_finishes_what_is_under_way() {
    let bank = Bank::over_tls(limits()).await;
    let mut client = client(&bank).await;
    let waiting =
        tokio::spawn(
            async move { answer(&mut client, request("https://bank.test/wait", "")).await },
        );
    bank.doings.until_begun(1).await;
    bank.trigger.pull();
    bank.doings.open_door(1);
    assert_eq!(waiting.await.expect("no panic").0, StatusCode::OK);
    let drained = tokio::time::timeout(PATIENCE, bank.served).await.expect("an end");
    assert_eq!(drained.expect("no panic"), Drained::Whole);
}

/// HTTP/2 by hand (RFC 9113), for what no client library does.
struct Raw {
    stream: tokio_rustls::client::TlsStream<TcpStream>,
}

impl Raw {
    async fn open(bank: &Bank) -> Self {
        Self::open_with(bank, &[]).await
    }

    async fn open_with(bank: &Bank, settings: &[u8]) -> Self {
        let stream = TcpStream::connect(bank.address).await.expect("a connection");
        let mut stream = bank.handshake(stream, b"h2").await;
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
        stream.write_all(&Self::frame(4, 0, 0, settings)).await.expect("sent");
        Self { stream }
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    /// `POST https://bank.test/` with literal and indexed fields only (RFC 7541).
    fn block() -> Vec<u8> {
        let mut block = vec![0x83, 0x87, 0x84, 0x01, 9];
        block.extend(b"bank.test");
        block
    }

    fn headers_frame(stream: u32, end: bool) -> Vec<u8> {
        Self::frame(1, 4 | u8::from(end), stream, &Self::block())
    }

    async fn headers(&mut self, stream: u32, end: bool) {
        self.stream.write_all(&Self::headers_frame(stream, end)).await.expect("sent");
    }

    async fn next(&mut self) -> (u8, Vec<u8>) {
        let reading = async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.expect("a frame");
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).expect("24 bits")];
            self.stream.read_exact(&mut payload).await.expect("a whole frame");
            (head[3], payload)
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("a frame within patience")
    }

    async fn until_goaway(&mut self, code: u8) {
        loop {
            let (kind, payload) = self.next().await;
            if kind == 7 {
                assert_eq!(payload[4..8], [0, 0, 0, code]);
                return;
            }
        }
    }

    async fn until_status_503(&mut self) {
        loop {
            let (kind, payload) = self.next().await;
            assert_ne!(kind, 7, "the connection was given up");
            if kind == 0 {
                assert_problem(&payload, 503, "unavailable");
                return;
            }
        }
    }
}
