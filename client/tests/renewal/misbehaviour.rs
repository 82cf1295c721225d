//! A bank, or a proxy before it, that answers what it should not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use koshin_client::error::{Class, Error, NoAnswer};
use koshin_client::identity::{IdentityError, Mismatch};
use koshin_client::transport::{Request, Response};
use koshin_client::{Client, Renewal};
use koshin_protocol::base64url;
use koshin_protocol::jws::Parsed;
use koshin_protocol::problem::{Language, Problem, Token};
use serde_json::Value;

use crate::scene::{Bank, Person, Wire, now, renewed, wire};

/// A refusal as the bank would send it.
pub(crate) fn refusal(token: Token, headers: &[(&'static str, &str)]) -> Response {
    let problem = Problem::builder(token, Language::En, now()).build();
    let mut map = HeaderMap::new();
    map.insert("content-type", HeaderValue::from_static(Problem::MEDIA_TYPE));
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    let body = serde_json::to_vec(&problem).unwrap();
    Response { status: token.status(), headers: map, body }
}

/// Answers the first `times` requests to URLs with this end so.
pub(crate) fn refusing(end: &'static str, times: usize, answer: Response) -> Wire {
    let (wire, mut left) = (wire(), times);
    wire.tamper(move |request, response| {
        let hit = response.is_none() && request.url.as_str().ends_with(end) && left > 0;
        left -= usize::from(hit);
        hit.then(|| answer.clone())
    });
    wire
}

/// Changes the JSON of every answer that has this member.
pub(crate) fn changing(member: &'static str, change: impl Fn(&mut Value) + Send + 'static) -> Wire {
    let wire = wire();
    wire.tamper(move |_, response| {
        if let Some(response) = response
            && let Ok(mut json) = serde_json::from_slice::<Value>(&response.body)
            && json.get(member).is_some()
        {
            change(&mut json);
            response.body = serde_json::to_vec(&json).unwrap();
        }
        None
    });
    wire
}

async fn renew(user: &Person, wire: &Wire) -> Result<koshin_client::Outcome, Error> {
    let client: Client = user.by(wire.clone()).await;
    client.renew(Renewal::default()).await
}

pub(crate) fn sent_to(wire: &Wire, end: &str) -> usize {
    wire.sent().iter().filter(|url| url.ends_with(end)).count()
}

const NONCE: &str = "AAAAAAAAAAAAAAAAAAAAAA";

// [CLI-40] [NON-07]
#[tokio::test]
async fn a_bad_nonce_is_mended_at_every_step_with_that_of_the_refusal() {
    let bank = Bank::open().await;
    for step in ["new-session", "new-order", "confirm"] {
        let user = bank.user().await;
        let (wire, seen) = (wire(), Arc::new(Mutex::new(Vec::new())));
        let nonces = Arc::clone(&seen);
        wire.tamper(move |request, response| {
            if response.is_some() || !request.url.as_str().ends_with(step) {
                return None;
            }
            let parsed = Parsed::from_slice(&request.body).unwrap();
            let mut nonces = nonces.lock().unwrap();
            nonces.push(parsed.nonce().to_string());
            (nonces.len() == 1).then(|| refusal(Token::BadNonce, &[("replay-nonce", NONCE)]))
        });
        // The nonce of that refusal is not one of this bank either; the bank's own refusal brings a good one.
        renewed(renew(&user, &wire).await);
        let nonces = seen.lock().unwrap();
        assert_eq!((nonces.len(), nonces[1].as_str()), (3, NONCE), "{step}");
        assert_eq!(nonces.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{step}");
    }
}

// [CLI-41]
#[tokio::test]
async fn a_request_is_given_up_after_five_bad_nonces_in_a_row() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let answer = refusal(Token::BadNonce, &[("replay-nonce", NONCE)]);
    let wire = refusing("new-session", usize::MAX, answer);
    let error = renew(&user, &wire).await.unwrap_err();
    assert_eq!((error.token(), error.class()), (Some(Token::BadNonce), Class::RetryLater));
    assert_eq!(sent_to(&wire, "new-session"), 5);
}

// [RTA-02] [RTA-03] [RTA-06]
#[tokio::test]
async fn retry_after_is_waited_for_in_both_forms() {
    let bank = Bank::open().await;
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let later = "Sun, 06 Nov 1994 08:51:17 GMT";
    for token in [Token::RateLimited, Token::Unavailable] {
        for headers in [&[("retry-after", "100")][..], &[("retry-after", later), ("date", date)]] {
            let user = bank.user().await;
            // A wrong `Date` makes the windows look closed by the bank's clock, and open by this machine's.
            let wire = refusing("new-order", 1, refusal(token, headers));
            renewed(renew(&user, &wire).await);
            assert_eq!(*user.slept.lock().unwrap(), [Duration::from_secs(100)], "{headers:?}");
        }
    }
}

// [RTA-04]
#[tokio::test]
async fn a_wait_is_capped_by_a_tenth_of_the_certificates_life() {
    let bank = Bank::open().await;
    let user = bank.user_for(Duration::from_mins(10)).await;
    let wire = refusing("new-order", 1, refusal(Token::Unavailable, &[("retry-after", "999999")]));
    renewed(renew(&user, &wire).await);
    let slept = user.slept.lock().unwrap();
    assert!(slept[0] <= Duration::from_mins(1), "{slept:?}");
    assert!(slept[0] > Duration::from_secs(50), "{slept:?}");
}

// [CLI-42] [CLI-43]
#[tokio::test]
async fn a_bank_that_stays_overloaded_is_given_up_with_growing_pauses() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wire = refusing("new-order", usize::MAX, refusal(Token::ServerInternal, &[]));
    let error = renew(&user, &wire).await.unwrap_err();
    assert_eq!(error.class(), Class::RetryLater);
    assert_eq!(sent_to(&wire, "new-order"), 6, "once, and five times again");
    assert!(user.slept.lock().unwrap().is_sorted());
}

// [ERR-06] [ERR-07]
#[tokio::test]
async fn an_unknown_token_is_acted_on_by_its_remedy() {
    let bank = Bank::open().await;
    for (action, status, class) in [
        ("stop", 403, Class::Act),
        ("reissueAtBranch", 403, Class::Reissue),
        ("dance", 503, Class::RetryLater),
        ("dance", 418, Class::Act),
    ] {
        let user = bank.user().await;
        let mut answer = refusal(Token::CertificateExpired, &[]);
        let mut json: Value = serde_json::from_slice(&answer.body).unwrap();
        json["type"] = "urn:koshin:error:x-new-thing".into();
        json["remedy"]["action"] = action.into();
        json["status"] = status.into();
        (answer.status, answer.body) = (status, serde_json::to_vec(&json).unwrap());
        let wire = refusing("new-session", usize::MAX, answer);
        let error = renew(&user, &wire).await.unwrap_err();
        assert_eq!(error.class(), class, "{action} {status}");
    }
}

// [ERR-11]
#[tokio::test]
async fn text_of_the_bank_moves_no_cursor() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let mut answer = refusal(Token::SubjectDisabled, &[]);
    let mut json: Value = serde_json::from_slice(&answer.body).unwrap();
    json["title"] = "\u{1b}[2J\r\nAll is well".into();
    answer.body = serde_json::to_vec(&json).unwrap();
    let error = renew(&user, &refusing("new-session", 1, answer)).await.unwrap_err();
    assert!(error.to_string().starts_with("[2JAll is well"), "{error}");
}

// [URL-02]
#[tokio::test]
async fn nothing_is_signed_for_a_url_outside_the_directorys_base() {
    let bank = Bank::open().await;
    for member in ["newSession", "newOrder"] {
        let user = bank.user().await;
        let old = user.current();
        let wire = changing(member, move |json| json[member] = "https://evil.example/x".into());
        let error = renew(&user, &wire).await.unwrap_err();
        assert!(matches!(error, Error::ForeignUrl { .. }), "{error:?}");
        assert_eq!(user.current(), old);
        assert!(wire.sent().iter().all(|url| !url.contains("evil")), "{:?}", wire.sent());
    }
}

// [URL-02]
#[tokio::test]
async fn a_confirmation_goes_nowhere_else_either() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wire = changing("confirm", |json| json["confirm"] = "https://evil.example/x".into());
    let error = renew(&user, &wire).await.unwrap_err();
    assert!(matches!(error, Error::ForeignUrl { .. }), "{error:?}");
    renewed(user.client().await.resume().await);
}

// [CLI-60] [CLI-62] [CLI-63]
#[tokio::test]
async fn a_wrong_certificate_is_neither_switched_to_nor_confirmed() {
    let bank = Bank::open().await;
    let (other, _) = bank.known_user().await;
    let foreign = der(&other.certificate);
    let (own, user) = bank.known_user().await;
    let old = der(&own.certificate);
    let current = user.current();
    for wrong in [foreign, old] {
        let cert_id = cert_id(&wrong);
        let wire = changing("chain", move |json| {
            json["chain"][0] = base64url::encode_standard(&wrong).into();
            json["certID"] = cert_id.clone().into();
        });
        let error = renew(&user, &wire).await.unwrap_err();
        // The old certificate ends no later than itself, which is noticed first.
        let is_wrong = matches!(
            error,
            Error::Identity(IdentityError::Mismatch(Mismatch::Key)) | Error::NotLonger { .. }
        );
        assert!(is_wrong, "{error:?}");
        assert_eq!(error.class(), Class::RetryLater);
        assert_eq!(user.current(), current);
        assert_eq!(sent_to(&wire, "confirm"), 0);
    }
    renewed(user.client().await.resume().await);
}

// [CHN-03] [CLI-62] [CLI-63]
#[tokio::test]
async fn a_chain_that_leads_to_no_configured_root_is_refused() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wire = changing("chain", |json| json["chain"].as_array_mut().unwrap().truncate(1));
    let error = renew(&user, &wire).await.unwrap_err();
    let is_chain =
        matches!(&error, Error::Identity(IdentityError::Mismatch(Mismatch::Chain { .. })));
    assert!(is_chain, "{error:?}");
}

// [CLI-97]
#[tokio::test]
async fn a_completion_without_a_receipt_that_verifies_is_not_believed() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wire = changing("receipt", |json| {
        let payload = json["receipt"]["payload"].as_str().unwrap();
        let forged = String::from_utf8(base64url::decode(payload).unwrap()).unwrap();
        let forged = forged.replace("completed", "canceled");
        json["receipt"]["payload"] = base64url::encode(forged.as_bytes()).into();
    });
    let error = renew(&user, &wire).await.unwrap_err();
    assert!(matches!(error, Error::Receipt(_)), "{error:?}");
    assert!(!user.identity().resume().unwrap().is_empty(), "it is not done");
    renewed(user.client().await.resume().await);
}

// [RTA-03] [RTA-05] [RTA-07]
#[tokio::test]
async fn an_order_in_processing_is_looked_at_when_the_bank_wants() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let (wire, mut left) = (wire(), 3);
    wire.tamper(move |_, response| {
        let response = response?;
        let mut json: Value = serde_json::from_slice(&response.body).ok()?;
        if json.get("chain").is_none() || left == 0 {
            return None;
        }
        left -= 1;
        json["status"] = "processing".into();
        for member in ["certID", "certificate", "chain", "confirm"] {
            json.as_object_mut().unwrap().remove(member);
        }
        response.body = serde_json::to_vec(&json).unwrap();
        response.headers.insert("retry-after", HeaderValue::from(left * 7));
        None
    });
    renewed(renew(&user, &wire).await);
    let slept = user.slept.lock().unwrap();
    // The last one is less than a second, which is taken as one.
    assert_eq!(*slept, [14, 7, 1].map(Duration::from_secs));
}

// [CLI-32] [CLI-50]
#[tokio::test]
async fn an_order_that_is_denied_by_its_key_and_told_of_at_logon_is_taken_up_all_the_same() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    user.begin().await;
    let (wire, mut logged_on) = (wire(), false);
    wire.tamper(move |request, response| {
        let parsed = Parsed::from_slice(&request.body).ok()?;
        let by_key = matches!(parsed.by(), koshin_protocol::jws::By::Key(_));
        logged_on |= request.url.as_str().ends_with("new-session");
        if response.is_some() || !by_key || logged_on {
            return None;
        }
        let find = request.url.as_str().ends_with("find-order");
        Some(refusal(if find { Token::OrderUnknown } else { Token::NotFound }, &[]))
    });
    let new = renewed(renew(&user, &wire).await);
    assert_eq!((new.generation, user.orders().len()), (2, 1));
    assert_eq!(sent_to(&wire, "find-order"), 1);
}

// [SES-09]
#[tokio::test]
async fn a_session_of_somebody_else_is_refused() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wire = changing("logoff", |json| json["subject"]["name"] = "CN=Mallory".into());
    let error = renew(&user, &wire).await.unwrap_err();
    assert!(matches!(error, Error::OtherSubject), "{error:?}");
}

// [ENC-46]
#[tokio::test]
async fn an_order_of_another_key_is_refused() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wire = changing("keyStore", |json| json["key"] = base64url::encode(&[7; 32]).into());
    let error = renew(&user, &wire).await.unwrap_err();
    assert!(matches!(error, Error::OtherOrder), "{error:?}");
    renewed(user.client().await.resume().await);
}

// [CLI-30] [ENC-12]
#[tokio::test]
async fn an_answer_with_the_same_member_twice_or_cut_short_is_none() {
    let bank = Bank::open().await;
    for damage in ["twice", "short"] {
        let user = bank.user().await;
        let wire = wire();
        wire.tamper(move |request: &Request, response| {
            let response = response.filter(|_| request.url.as_str().ends_with("new-order"))?;
            match damage {
                "twice" => drop(response.body.splice(0..1, *b"{\"status\":\"valid\",")),
                _ => response.body.truncate(response.body.len() / 2),
            }
            None
        });
        // Each time the client looks at the bank, and finds its order there.
        renewed(renew(&user, &wire).await);
        assert_eq!(sent_to(&wire, "new-order"), 1, "{damage}");
    }
}

// [DIR-03]
#[tokio::test]
async fn a_directory_of_another_version_stops_everything() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let wire = changing("meta", |json| json["meta"]["version"] = "2".into());
    let error = renew(&user, &wire).await.unwrap_err();
    assert!(matches!(error, Error::Directory(_)), "{error:?}");
    assert_eq!(wire.sent().len(), 1);
}

// [ERR-07]
#[tokio::test]
async fn an_answer_that_is_no_problem_document_counts_as_none() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let answer = Response { status: 404, headers: HeaderMap::new(), body: b"<html>".to_vec() };
    let wire = refusing("new-session", usize::MAX, answer);
    let error = renew(&user, &wire).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { cause: NoAnswer::Status(404), .. }), "{error:?}");
    assert_eq!(sent_to(&wire, "new-session"), 1, "404 is no reason to try again");
    assert_eq!(error.class(), Class::Act);
}

fn der(pem: &str) -> Vec<u8> {
    koshin_client::pem::sections(pem.as_bytes()).unwrap().remove(0).der.to_vec()
}

fn cert_id(der: &[u8]) -> String {
    let certificate = koshin_protocol::certificate::Certificate::from_der(der).unwrap();
    koshin_protocol::cert_id::CertId::of(&certificate).to_string()
}

// [URL-02]
#[tokio::test]
async fn an_order_elsewhere_is_not_journaled_and_costs_nothing_but_the_run() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let elsewhere = changing("kind", |order| {
        order["self"] =
            Value::from("https://elsewhere.example/koshin/order/AAAAAAAAAAAAAAAAAAAAAA");
    });
    let error = renew(&user, &elsewhere).await.unwrap_err();
    assert!(matches!(error, Error::ForeignUrl { .. }), "{error:?}");
    assert_eq!(sent_to(&elsewhere, "confirm"), 0);
    renewed(renew(&user, &wire()).await);
}
