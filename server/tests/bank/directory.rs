//! directory, newNonce and profiles (SPEC.md 7.1, 7.2, 15.3).

use std::collections::HashSet;

use http::{HeaderMap, Method};
use koshin_protocol::directory::{Directory, ProfileName};
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_protocol::session::Session;
use koshin_server::route::Route;
use koshin_server::rule::row::Role;
use serde_json::json;

use crate::bank::{Bank, ORIGIN, policy};
use crate::person::Key;
use crate::request::By;

// [DIR-01] [URL-01] [URL-05] [PRF-01] [ERR-04]
#[tokio::test]
async fn the_directory_says_where_everything_is_below_the_configured_origin() {
    let bank = Bank::new().await;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example;proto=http"),
    ] {
        headers.insert(name, value.parse().expect("a value"));
    }
    let answer = bank.ask(Method::GET, "/koshin/directory", headers).await;
    assert!(!answer.text().contains("evil"));
    let directory: Directory = answer.object(200);
    assert_eq!(directory.profile.name(), ProfileName::Full);
    let base = format!("{ORIGIN}/koshin/");
    for url in [&directory.new_nonce, &directory.new_session, &directory.revoke_cert] {
        assert!(url.as_str().starts_with(&base));
    }
    assert_eq!(directory.meta.time_zone, "Asia/Tokyo");
    assert_eq!(directory.meta.window.to_string(), "P30D");
    assert_eq!(directory.meta.rollback_within.expect("on").to_string(), "P7D");
}

// [NON-01] [NON-06] [HDR-02]
#[tokio::test]
async fn nonces_are_given_without_a_body_and_never_twice() {
    let bank = Bank::new().await;
    let url = bank.url(&Route::NewNonce);
    let mut seen = HashSet::new();
    for _ in 0..50 {
        let head = bank.ask(Method::HEAD, url.path(), HeaderMap::new()).await;
        head.empty(200);
        let get = bank.get(&url).await;
        get.empty(204);
        assert!(seen.insert(head.nonce()) && seen.insert(get.nonce()));
    }
}

// [NON-03] [NON-08] [NON-09]
#[tokio::test]
async fn a_nonce_is_good_once_for_five_minutes_and_only_if_it_is_the_banks() {
    let bank = Bank::new().await;
    let key = Key::new();
    let url = bank.url(&Route::FindOrder);
    let by = By::Key(key);
    let find = || bank.draft(Operation::FindOrder, &url, &by, &json!({}));
    let (young, old) = (find(), find());
    bank.wait(300);
    bank.deliver(young.clone()).await.refused(Token::OrderUnknown);
    let refusal = bank.deliver(young).await;
    let problem = refusal.refused(Token::BadNonce);
    assert_eq!(problem.remedy.action.as_str(), "retry");
    let fresh = find().set("nonce", refusal.nonce());
    bank.deliver(fresh).await.refused(Token::OrderUnknown);
    bank.wait(1);
    bank.deliver(old).await.refused(Token::BadNonce);
    for invented in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA"] {
        bank.deliver(find().set("nonce", invented)).await.refused(Token::BadNonce);
    }
    for malformed in ["", "AAAA", "AAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAA%"] {
        bank.deliver(find().set("nonce", malformed)).await.refused(Token::Malformed);
    }
}

// [PRF-01] [PRF-02] [PRF-03] [SES-05] [HTP-09]
#[tokio::test]
async fn a_bank_of_profile_core_renews_and_has_nothing_else() {
    let bank = Bank::of(policy("core", &[])).await;
    let directory: Directory = bank.get(&bank.url(&Route::Directory)).await.object(200);
    assert_eq!(directory.profile.name(), ProfileName::Core);
    assert_eq!(directory.meta.rollback_within, None);
    assert!(directory.pin_rule().is_none_or(|rule| !rule.required()));
    let (user, administrator) = (bank.user().await, bank.administrator().await);
    let (new, _) = bank.renew(&user).await;
    bank.log_on_for(&user.pair, "recovery").await.refused(Token::RollbackDisabled);
    let by = bank.log_on(&administrator.pair).await;
    let revoke = json!({ "certID": new.cert_id().to_string(), "reason": "keyLost" });
    bank.try_revoke(&by.by(), revoke).await.refused(Token::NotAuthorized);
    let subject = user.subject.to_string();
    bank.try_unlock(&by, &subject).await.refused(Token::NotFound);
    bank.try_change_pin(&by, "1", "2").await.refused(Token::NotFound);
    let ticket = crate::deeds::Ticket::new();
    let payload = bank.new_reissue(&user, "keyLost", &ticket);
    bank.try_reissue(&by, payload).await.refused(Token::NotFound);
    bank.enroll_with(&ticket, &user.name, &Key::new()).await.refused(Token::NotFound);
    bank.revoke_itself(&new, "keyLost")
        .await
        .object::<koshin_protocol::revocation::Revocation>(200);
    let _: Session = bank.read(&by.url, &by.by()).await.object(200);
    assert_eq!(administrator.role, Role::Administrator);
}

// [DIR-01]
#[tokio::test]
async fn the_pages_for_people_are_policys() {
    let pages = "website = \"https://bank.example/\"\ntermsOfService = \"https://bank.example/terms\"\nprofile = \"full\"";
    let bank = Bank::of(policy("seed", &[("profile = \"full\"", pages)])).await;
    let directory: Directory = bank.get(&bank.url(&Route::Directory)).await.object(200);
    let page = |page: Option<koshin_protocol::page_url::PageUrl>| page.map(|page| page.to_string());
    assert_eq!(page(directory.meta.website).as_deref(), Some("https://bank.example/"));
    assert_eq!(
        page(directory.meta.terms_of_service).as_deref(),
        Some("https://bank.example/terms")
    );
}
