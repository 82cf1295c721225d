//! HTTP: methods, media types, headers, languages, problem documents (SPEC.md 5.1, 5.2, 5.9, 11).

use http::header::{ACCEPT_LANGUAGE, ALLOW, CONTENT_LANGUAGE, RETRY_AFTER};
use http::{HeaderMap, Method};
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_server::http::{Refusal, Service};
use koshin_server::route::Route;
use serde_json::json;

use crate::answer::Answer;
use crate::bank::Bank;
use crate::person::Key;
use crate::request::By;

fn id() -> String {
    "AAAAAAAAAAAAAAAAAAAAAA".to_owned()
}

pub fn signed() -> Vec<Route> {
    vec![
        Route::NewSession,
        Route::Session(id()),
        Route::Logoff(id()),
        Route::Defer(id()),
        Route::Contract(id()),
        Route::NewOrder,
        Route::FindOrder,
        Route::Order(id()),
        Route::Certificate(id()),
        Route::Cancel(id()),
        Route::Confirm(id()),
        Route::Rollback(id()),
        Route::NewReissue,
        Route::Reissue(id()),
        Route::CancelReissue(id()),
        Route::Unlock,
        Route::Pin,
        Route::NewEnrollment,
        Route::RevokeCert,
    ]
}

// [HTP-08] [HTP-24]
#[tokio::test]
async fn a_method_that_a_resource_does_not_have_is_refused_with_those_that_it_has() {
    let bank = Bank::new().await;
    for route in signed() {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = bank.ask(method, bank.url(&route).path(), HeaderMap::new()).await;
            answer.refused(Token::MethodNotAllowed);
            assert_eq!(answer.header(&ALLOW), Some("POST"));
        }
    }
    for (route, allowed) in [
        (Route::Directory, "GET"),
        (Route::RenewalInfo("AAAA.AQ".to_owned()), "GET"),
        (Route::Crl("00".to_owned()), "GET"),
        (Route::NewNonce, "HEAD, GET"),
    ] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = bank.ask(method, bank.url(&route).path(), HeaderMap::new()).await;
            answer.refused(Token::MethodNotAllowed);
            assert_eq!(answer.header(&ALLOW), Some(allowed));
        }
    }
}

// [HTP-09] [HTP-24]
#[tokio::test]
async fn a_path_that_is_no_resource_is_not_found() {
    let bank = Bank::new().await;
    for path in [
        "/",
        "/koshin",
        "/koshin/",
        "/koshin/nothing",
        "/koshin/order",
        "/koshin/order/",
        "/koshin/order/x/y",
        "/koshin/directory/",
        "/koshin/directory?x=1",
        "/Koshin/directory",
        "/koshin//directory",
        "/koshin/crl/00",
    ] {
        bank.ask(Method::GET, path, HeaderMap::new()).await.refused(Token::NotFound);
    }
}

// [HTP-21]
#[tokio::test]
async fn the_media_type_is_that_of_signed_requests_whatever_its_parameters() {
    let bank = Bank::new().await;
    let by = By::Key(Key::new());
    let url = bank.url(&Route::FindOrder);
    for (content_type, token) in [
        (Some("application/jose+json"), Token::OrderUnknown),
        (Some("application/jose+json; charset=utf-8"), Token::OrderUnknown),
        (Some("Application/JOSE+JSON ;x=y"), Token::OrderUnknown),
        (Some("application/json"), Token::UnsupportedMediaType),
        (Some("application/jose"), Token::UnsupportedMediaType),
        (Some("application/jose+jsonx"), Token::UnsupportedMediaType),
        (Some(""), Token::UnsupportedMediaType),
        (None, Token::UnsupportedMediaType),
    ] {
        let mut draft = bank.draft(Operation::FindOrder, &url, &by, &json!({}));
        draft.content_type = content_type;
        bank.deliver(draft).await.refused(token);
    }
}

// [HDR-05] [HDR-06]
#[tokio::test]
async fn refusals_are_worded_in_the_language_that_is_preferred() {
    let bank = Bank::new().await;
    for (wanted, language) in [
        ("ja", "ja"),
        ("en", "en"),
        ("ja-JP, en;q=0.5", "ja"),
        ("en-US,en;q=0.9,ja;q=0.8", "en"),
        ("ja;q=0.2, en;q=0.9", "en"),
        ("fr, ja;q=0.3", "ja"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, wanted.parse().expect("a value"));
        let answer = bank.ask(Method::GET, "/koshin/nothing", headers).await;
        let problem = answer.refused(Token::NotFound);
        assert_eq!(answer.header(&CONTENT_LANGUAGE), Some(language), "{wanted}");
        assert_eq!(problem.title.is_ascii(), language == "en");
        assert_eq!(problem.detail.is_ascii(), language == "en");
    }
}

// [HDR-05] [ORD-23]
#[tokio::test]
async fn why_an_order_became_invalid_is_told_in_the_readers_language() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    bank.revoke_itself(&user.pair, "keyLost").await;
    let by = By::Key(key);
    for (wanted, ascii) in [("ja", false), ("en", true)] {
        let draft = bank.draft(Operation::Read, &order.url, &by, &json!(null));
        let answer = bank.deliver(draft.with(ACCEPT_LANGUAGE, wanted)).await;
        let read: koshin_protocol::order::Order = answer.object(200);
        let koshin_protocol::order::Status::Invalid { error, .. } = read.status else {
            panic!("invalid")
        };
        assert_eq!(error.title.is_ascii(), ascii);
    }
}

// [ERR-01] [ERR-02] [ENC-30]
#[tokio::test]
async fn every_problem_tells_the_banks_time_and_a_remedy() {
    let bank = Bank::new().await;
    let answer = bank.ask(Method::GET, "/koshin/nothing", HeaderMap::new()).await;
    let value = answer.value();
    assert_eq!(value["serverTime"], bank.now().to_string());
    assert_eq!(value["serverTime"].as_str().map(str::len), Some(20));
    assert_eq!(value["remedy"]["action"], "stop");
    assert_eq!(value["status"], 404);
    assert_eq!(value["type"], "urn:koshin:error:notFound");
}

// [ERR-02] [RTA-01] [HDR-05] [HTP-08]
#[tokio::test]
async fn what_the_edge_refuses_is_told_by_the_bank_with_what_exactly_is_wrong() {
    let bank = Bank::new().await;
    let refuse = |refusal, language: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, language.parse().expect("a value"));
        Answer::of(bank.server.refuse(refusal, &headers), true)
    };
    for (refusal, token, said) in [
        (Refusal::TwoHosts, Token::Malformed, "more than one Host"),
        (Refusal::BrokenBody, Token::Malformed, "breaks off"),
        (Refusal::Compressed, Token::UnsupportedMediaType, "Content-Encoding"),
        (Refusal::SlowBody, Token::Unavailable, "did not arrive in time"),
        (Refusal::Overdue, Token::Unavailable, "took effect is not certain"),
    ] {
        let problem = refuse(refusal, "en").refused(token);
        assert!(problem.detail.contains(said), "{}", problem.detail);
        assert!(!refuse(refusal, "ja").refused(token).detail.is_ascii());
        assert_eq!(problem.server_time, bank.now());
    }
    let limited = refuse(Refusal::RateLimited { seconds: 7 }, "en");
    limited.refused(Token::RateLimited);
    assert_eq!(limited.header(&RETRY_AFTER), Some("7"));
    let tunnel = refuse(Refusal::Tunnel, "en");
    tunnel.refused(Token::MethodNotAllowed);
    assert_eq!(tunnel.header(&ALLOW), Some("GET, HEAD, POST"));
}
