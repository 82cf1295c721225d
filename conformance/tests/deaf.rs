//! Banks that answer everything alike pass no case, and banks that are right about the directory alone pass only what that shows.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use koshin_conformance::adapter::{AdapterError, Answering};
use koshin_conformance::case::Need;
use koshin_conformance::divergence::Divergences;
use koshin_conformance::provision::{Provided, Provision, Request as Wanted};
use koshin_conformance::runner::{Quiet, Runner, Watcher};
use koshin_conformance::server;
use koshin_conformance::target::Target;
use koshin_conformance::verdict::Kind;
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::{
    Attribute, CLIENT_AUTH, KeyUsages, Kind as Leaf, Name, Profile,
};
use koshin_protocol::sign::{Es256Key, Signer};
use tokio::net::TcpListener;

/// Gives each subject a certificate that no bank knows.
struct MadeUp;

impl Provision for MadeUp {
    fn provision(&self, wanted: Wanted) -> Answering<'_, Provided> {
        Box::pin(async move {
            if wanted.alg != Algorithm::Es256 {
                return Err(AdapterError::Cannot("P-256 alone".to_owned()));
            }
            let mut random = [0; 48];
            getrandom::fill(&mut random).expect("randomness");
            let key = Es256Key::from_random(&random);
            let name = Name::new(&[(Attribute::CommonName, "Nobody")]).expect("a name");
            let profile = Profile {
                serial: &random[..16],
                issuer: &name,
                not_before: wanted.not_before,
                not_after: wanted.not_after,
                subject: &name,
                key: key.public_key(),
                kind: Leaf::Leaf,
                key_usages: KeyUsages::DIGITAL_SIGNATURE,
                extended_key_usages: &[CLIENT_AUTH],
                authority_key_id: None,
                crl: &[],
            };
            let certificate = profile.sign(&key).expect("a certificate");
            let encoded = koshin_protocol::base64url::encode_standard(certificate.der());
            Ok(Provided {
                subject: "u-1".to_owned(),
                certificate: format!(
                    "-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n"
                ),
                key: key.to_pkcs8_pem().to_string(),
                pin: wanted.pin,
            })
        })
    }
}

type Answer = fn(&str, &str) -> (u16, &'static str, String);

/// Serves the answer to everything; the slugs of the cases that pass.
async fn passed(answer: Answer) -> BTreeSet<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let base = format!("http://127.0.0.1:{port}/koshin/");
    let serving = tokio::spawn({
        let base = base.clone();
        async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let base = base.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let (status, media_type, body) = answer(request.uri().path(), &base);
                    let response = Response::builder()
                        .status(status)
                        .header("content-type", media_type)
                        .header("replay-nonce", "AAAAAAAAAAAAAAAAAAAAAA")
                        .header("cache-control", "no-store, max-age=1")
                        .body(Full::new(Bytes::from(body)));
                    async move { Ok::<_, Infallible>(response.expect("a response")) }
                });
                let serve = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move { drop(serve.await) });
            }
        }
    });
    let url = format!("{base}directory").parse().expect("a URL");
    let target = Target::new(url, b"", Some(Arc::new(MadeUp)), None, 1).expect("a target");
    let runner = Runner { jobs: 16, divergences: Divergences::default() };
    let watcher: Arc<dyn Watcher> = Arc::new(Quiet);
    // Those that wait for a time are left out: a minute each, for what others show as well.
    let cases = server::cases()
        .into_iter()
        .filter(|case| !case.needs(Need::Time) && !case.needs(Need::Long))
        .collect();
    let results = runner.run(&Arc::new(target), cases, &watcher).await;
    serving.abort();
    assert!(results.len() >= 250);
    let passed = results.into_iter().filter(|result| result.verdict.kind() == Kind::Pass);
    passed.map(|result| result.about.slug).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_answers_404_to_everything_passes_no_case() {
    assert_eq!(passed(|_, _| (404, "text/plain", String::new())).await, BTreeSet::new());
    let with_problem: Answer = |_, _| {
        (404, "application/problem+json", r#"{"type":"urn:koshin:error:notFound","title":"x","detail":"x","status":404,"serverTime":"2027-01-15T03:00:00Z","remedy":{"action":"stop"}}"#.to_owned())
    };
    assert_eq!(passed(with_problem).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_answers_500_to_everything_passes_no_case() {
    assert_eq!(passed(|_, _| (500, "text/plain", String::new())).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_answers_an_empty_object_to_everything_passes_no_case() {
    assert_eq!(passed(|_, _| (200, "application/json", "{}".to_owned())).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_has_a_directory_and_refuses_all_else_as_malformed_passes_only_what_the_directory_shows()
 {
    let answer: Answer = |path, base| {
        if path == "/koshin/directory" {
            return (200, "application/json", DIRECTORY.replace("BASE/", base));
        }
        (400, "application/problem+json", r#"{"type":"urn:koshin:error:malformed","title":"x","detail":"x","status":400,"serverTime":"2027-01-15T03:00:00Z","remedy":{"action":"correct"}}"#.to_owned())
    };
    let passed = passed(answer).await;
    let other: Vec<&String> = passed
        .iter()
        .filter(|slug| !ABOUT_THE_DIRECTORY.iter().any(|about| slug.starts_with(about)))
        .collect();
    assert!(other.is_empty(), "{other:#?}");
}

/// What a right directory shows, and what a plain HTTP server does by itself.
const ABOUT_THE_DIRECTORY: [&str; 6] =
    ["directory/", "url/spoofed-", "https/http-1-1", "framing/", "limit/", "nonce/new-nonce"];

const DIRECTORY: &str = r#"{"newNonce":"BASE/new-nonce","newSession":"BASE/new-session","newOrder":"BASE/new-order","findOrder":"BASE/find-order","renewalInfo":"BASE/renewal-info","revokeCert":"BASE/revoke-cert","meta":{"version":"1","profile":"core","algorithms":["ES256"],"keyTypes":["P-256"],"environments":[],"keyStores":["file"],"timeZone":"Asia/Tokyo","window":"P30D","confirmWithin":"PT24H","issuers":[["AAAA"]],"extensions":[]}}"#;
