//! renewalInfo (SPEC.md 7.3).

use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use http::{HeaderMap, Method};
use koshin_protocol::problem::Token;
use koshin_protocol::renewal_info::RenewalInfo;
use koshin_protocol::url::Url;
use koshin_server::route::Route;
use koshin_server::rule::row::Role;

use crate::bank::{Bank, at, time};
use crate::deeds::pair_of;
use crate::person::{Key, Pair, Spec};

fn url(bank: &Bank, pair: &Pair) -> Url {
    bank.url(&Route::RenewalInfo(pair.cert_id().to_string()))
}

// [RNI-01] [RNI-04] [WIN-01] [RTA-01] [HDR-08] [HTP-23]
#[tokio::test]
async fn a_current_certificate_is_told_its_windows_also_before_they_open() {
    let bank = Bank::new().await;
    let spec = Spec { not_after: time("2027-03-02T23:59:59Z"), ..bank.spec(Role::User) };
    let user = bank.person(spec).await;
    let answer = bank.get(&url(&bank, &user.pair)).await;
    assert!(answer.header(&RETRY_AFTER).is_some());
    assert!(answer.header(&CACHE_CONTROL).is_some_and(|cache| cache.contains("max-age=")));
    let info: RenewalInfo = answer.object(200);
    assert_eq!(info.enforced_window.start(), time("2027-01-31T15:00:00Z"));
    assert_eq!(info.enforced_window.end(), user.pair.not_after());
    assert!(info.enforced_window.contains(info.suggested_window.start()));
    assert!(info.enforced_window.contains(info.suggested_window.end()));
}

// [RNI-08]
#[tokio::test]
async fn a_known_tag_is_answered_304() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let url = url(&bank, &user.pair);
    let tag = bank.get(&url).await.header(&ETAG).expect("RNI-08").to_owned();
    for (known, status) in [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"other\", {tag}"), 304),
        ("*".to_owned(), 304),
        ("\"other\"".to_owned(), 200),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, known.parse().expect("a value"));
        let answer = bank.ask(Method::GET, url.path(), headers).await;
        assert_eq!(answer.status.as_u16(), status, "{known}");
        assert_eq!(answer.header(&ETAG), Some(tag.as_str()));
        assert_eq!(answer.body.is_empty(), status == 304);
    }
}

// [RNI-02] [RNI-03] [ENC-40] [AUT-06]
#[tokio::test]
async fn what_cannot_renew_is_refused_without_saying_why() {
    let bank = Bank::new().await;
    let (user, revoked) = (bank.user().await, bank.user().await);
    let expiring = Spec { not_after: at(bank.now().unix() + 60), ..bank.spec(Role::User) };
    let expiring = bank.person(expiring).await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    let unconfirmed = bank.get(&url(&bank, &new)).await;
    unconfirmed.refused(Token::NotRenewable);
    bank.confirm(&order, &new).await;
    bank.revoke_itself(&revoked.pair, "keyLost").await;
    bank.wait(61);
    for pair in [&user.pair, &revoked.pair, &expiring.pair] {
        let answer = bank.get(&url(&bank, pair)).await;
        let problem = answer.refused(Token::NotRenewable);
        assert_eq!(problem.remedy.action.as_str(), "logon");
        crate::foreign::assert_alike(&answer, &unconfirmed);
    }
    assert_eq!(bank.get(&url(&bank, &new)).await.status.as_u16(), 200);
    for unknown in ["AAAA.AQ", "AAAA", "AAAA.", "a.b.c", "AAAA.AQ==", "%20.%20"] {
        let path = format!("/koshin/renewal-info/{unknown}");
        let answer = bank.ask(Method::GET, &path, HeaderMap::new()).await;
        answer.refused(Token::NotFound);
    }
}
