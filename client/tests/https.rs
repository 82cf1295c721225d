//! The HTTPS transport by itself: what it sends, and which answers it takes for none.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{Read, Write};
use std::net::TcpListener;

use http::{HeaderMap, HeaderValue, Method};
use koshin_client::pem;
use koshin_client::transport::{
    Distrust, Https, Pin, Request, Response, Transport, TransportError,
};
use koshin_protocol::base64url;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use koshin_server::config::Origin;
use koshin_server::init::{NewBank, NewTransport};
use koshin_server::start::{Running, start};
use rustls::crypto::aws_lc_rs;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use wiremock::matchers::{body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn request(url: &str) -> Request {
    let url = Url::parse(url).unwrap();
    Request {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Vec::new().into(),
        limit: 1000,
    }
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
    request.body = b"{}".to_vec().into();
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
            Err(TransportError::Untrusted(_)) => assert!(!trusted, "{pins:?}"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

// [HTP-02]
#[tokio::test]
async fn why_somebody_is_not_trusted_is_told_apart() {
    let (ca, namesake) = (authority("CA"), authority("CA"));
    let (trusted, unknown) = (&[root_of(&ca)][..], &[root_of(&authority("Other"))][..]);
    let pins = vec![base64url::encode(&[7; 32]).parse().unwrap()];
    let long = (2020, 2050);
    for (roots, pins, name, years, why) in [
        (trusted, vec![], "localhost", long, None),
        (unknown, vec![], "localhost", long, Some(Distrust::Issuer)),
        (&[root_of(&namesake)], vec![], "localhost", long, Some(Distrust::Issuer)),
        (&[][..], vec![], "localhost", long, Some(Distrust::Issuer)),
        (trusted, vec![], "bank.example", long, Some(Distrust::Name)),
        (trusted, vec![], "localhost", (2020, 2021), Some(Distrust::Expired)),
        (trusted, vec![], "localhost", (2049, 2050), Some(Distrust::NotYetValid)),
        (trusted, pins, "localhost", long, Some(Distrust::Pin)),
    ] {
        let url = tls(&ca, name, years);
        let answer = Https::new(roots, pins).unwrap().send(request(&url)).await;
        match (answer, why) {
            (Ok(response), None) => assert_eq!(response.status, 204),
            (Err(TransportError::Untrusted(found)), Some(why)) => assert_eq!(found, why),
            (answer, why) => panic!("{why:?}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_one_of_a_server_is_not_trusted() {
    // An authority's own certificate, as those have who make one by hand.
    let ca = authority("CA");
    let url = serve(ca.der().clone(), ca.key());
    let error = Https::new(&[root_of(&ca)], vec![]).unwrap().send(request(&url)).await.unwrap_err();
    assert!(matches!(error, TransportError::Untrusted(Distrust::Certificate(_))), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_no_matter_of_trust() {
    let url = raw("HTTP/1.1 400 Bad Request\r\n\r\n").replace("http:", "https:");
    let error = get(&url).await.unwrap_err();
    assert!(matches!(error, TransportError::NotConnected(_)), "{error:?}");
}

fn authority(name: &str) -> rcgen::CertifiedIssuer<'static, rcgen::KeyPair> {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap()
}

fn root_of(ca: &rcgen::CertifiedIssuer<'_, rcgen::KeyPair>) -> Certificate {
    Certificate::from_der(ca.der()).unwrap()
}

/// A server for one connection, with a certificate of this name, valid in these years.
fn tls(
    ca: &rcgen::CertifiedIssuer<'_, rcgen::KeyPair>,
    name: &str,
    (from, until): (i32, i32),
) -> String {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, ca).unwrap();
    serve(certificate.der().clone(), &key)
}

/// A server for one connection with this certificate.
fn serve(certificate: CertificateDer<'static>, key: &rcgen::KeyPair) -> String {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/x", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(config.into()).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let mut head = [0; 4096];
        // Whoever does not trust the certificate ends the connection here.
        if stream.read(&mut head).is_ok() {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        }
    });
    url
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
