//! The HTTPS transport by itself: what it sends, and which answers it takes for none.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{Read, Write};
use std::net::TcpListener;

use http::{HeaderMap, HeaderValue, Method};
use koshin_client::pem;
use koshin_client::transport::{Https, Pin, Request, Response, Transport, TransportError};
use koshin_protocol::base64url;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use koshin_server::config::Origin;
use koshin_server::init::{NewBank, NewTransport};
use koshin_server::start::{Running, start};
use sha2::{Digest, Sha256};
use wiremock::matchers::{body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn request(url: &str) -> Request {
    let url = Url::parse(url).unwrap();
    Request { method: Method::GET, url, headers: HeaderMap::new(), body: Vec::new(), limit: 1000 }
}

async fn get(url: &str) -> Result<Response, TransportError> {
    Https::new(&[], Vec::new()).unwrap().send(request(url)).await
}

#[tokio::test]
async fn a_request_is_sent_as_it_is_with_the_programs_name() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/x"))
        .and(header("accept-language", "ja"))
        .and(header("content-type", "application/jose+json"))
        .and(header("user-agent", concat!("koshin-client/", env!("CARGO_PKG_VERSION"))))
        .and(body_string("{}"))
        .respond_with(ResponseTemplate::new(201).insert_header("x-y", "z").set_body_string("done"))
        .mount(&server)
        .await;
    let mut request = request(&format!("{}/x", server.uri()));
    request.method = Method::POST;
    request.body = b"{}".to_vec();
    request.headers.insert("accept-language", HeaderValue::from_static("ja"));
    request.headers.insert("content-type", HeaderValue::from_static("application/jose+json"));
    let response = Https::new(&[], Vec::new()).unwrap().send(request).await.unwrap();
    assert_eq!((response.status, &*response.body), (201, &b"done"[..]));
    assert_eq!(response.headers["x-y"], "z");
}

// [URL-03]
#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let server = MockServer::start().await;
    let elsewhere = format!("{}/y", server.uri());
    let redirect = ResponseTemplate::new(307).insert_header("location", elsewhere.as_str());
    Mock::given(path("/x")).respond_with(redirect).mount(&server).await;
    let response = get(&format!("{}/x", server.uri())).await.unwrap();
    assert_eq!(response.status, 307);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

// [ENC-20]
#[tokio::test]
async fn an_answer_over_the_limit_is_refused_whether_its_length_is_told_or_not() {
    let server = MockServer::start().await;
    let long = ResponseTemplate::new(200).set_body_bytes(vec![b' '; 1001]);
    Mock::given(path("/x")).respond_with(long).mount(&server).await;
    let refused = get(&format!("{}/x", server.uri())).await.unwrap_err();
    assert_eq!(refused, TransportError::TooLong { limit: 1000 });
    let chunks = format!("3e9\r\n{}\r\n0\r\n\r\n", " ".repeat(1001));
    let raw = raw(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"));
    assert_eq!(get(&raw).await.unwrap_err(), TransportError::TooLong { limit: 1000 });
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_no_answer() {
    let raw = raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"status\":");
    let error = get(&raw).await.unwrap_err();
    assert!(matches!(error, TransportError::CutShort(_)), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_is_closed_at_once_is_no_answer_and_tried_once() {
    let raw = raw("");
    let error = get(&raw).await.unwrap_err();
    assert!(matches!(error, TransportError::CutShort(_)), "{error:?}");
    // The listener served one connection and is gone: a second attempt would not have found it.
    let error = get(&raw).await.unwrap_err();
    assert!(matches!(error, TransportError::NotConnected(_)), "{error:?}");
}

// [HTP-02]
#[tokio::test]
async fn only_configured_roots_and_pinned_keys_are_trusted() {
    let (running, folder) = bank().await;
    let url = running.directory_url().as_str();
    let root = read(&folder.path().join("bank/root.pem"));
    let tls = std::fs::read(folder.path().join("bank/tls/chain.pem")).unwrap();
    let leaf = Certificate::from_der(&pem::sections(&tls).unwrap()[0].der).unwrap();
    let pin = |certificate: &Certificate| -> Pin {
        let digest = Sha256::digest(certificate.key().to_spki_der());
        base64url::encode(&digest).parse().unwrap()
    };
    let roots = std::slice::from_ref(&root);
    let mut whole = request(url);
    whole.limit = 65_536;
    for (roots, pins, trusted) in [
        (roots, vec![], true),
        (roots, vec![pin(&leaf)], true),
        (roots, vec![pin(&other_certificate()), pin(&leaf)], true),
        (roots, vec![pin(&other_certificate())], false),
        (&[other_certificate()][..], vec![], false),
        (&[], vec![], false),
    ] {
        let https = Https::new(roots, pins.clone()).unwrap();
        let answer = https.send(whole.clone()).await;
        match answer {
            Ok(response) => assert!(trusted && response.status == 200, "{pins:?}"),
            Err(TransportError::NotConnected(_)) => assert!(!trusted, "{pins:?}"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// A server for one connection, which answers with these bytes and closes.
fn raw(answer: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    url
}

async fn bank() -> (Running, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let seconds = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let new = NewBank {
        organization: "Example Bank",
        origin: &Origin::parse("https://localhost:8443").unwrap(),
        listen: "127.0.0.1:0".parse().unwrap(),
        transport: NewTransport::LoopbackTls,
        metrics: None,
        policy: "seed",
        testing: true,
        passphrase: None,
        now: Time::from_unix(i64::try_from(seconds).unwrap() - 60).unwrap(),
    };
    let config = new.create(&folder.path().join("bank")).unwrap();
    (start(config).await.unwrap(), folder)
}

fn read(path: &std::path::Path) -> Certificate {
    let text = std::fs::read(path).unwrap();
    Certificate::from_der(&pem::sections(&text).unwrap()[0].der).unwrap()
}

/// A root of nobody here.
fn other_certificate() -> Certificate {
    use koshin_client::keystore::PrivateKey;
    use koshin_protocol::algorithm::KeyType;
    use koshin_protocol::certificate::{Attribute, KeyUsages, Kind, Name, Profile};
    use koshin_protocol::sign::Signer;
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let name = Name::new(&[(Attribute::CommonName, "Nobody")]).unwrap();
    let profile = Profile {
        serial: &[1],
        issuer: &name,
        not_before: "2020-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2050-01-01T00:00:00Z".parse().unwrap(),
        subject: &name,
        key: key.public_key(),
        kind: Kind::Authority { path_length: None },
        key_usages: KeyUsages::AUTHORITY,
        extended_key_usages: &[],
        authority_key_id: None,
        crl: &[],
    };
    profile.sign(&key).unwrap()
}
