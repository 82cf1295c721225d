//! Attacks that concern the bank, each refused.

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::base64url;
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_server::route::Route;
use koshin_server::rule::row::Role;
use serde_json::{Value, json};

use crate::bank::{Bank, DAY, at};
use crate::deeds::{Logon, environment, pair_of};
use crate::person::{Key, Spec};
use crate::request::{By, Draft};

fn logon_draft(bank: &Bank, by: &By) -> Draft {
    let payload = json!({ "environment": environment(), "purpose": "renewal" });
    bank.draft(Operation::NewSession, &bank.url(&Route::NewSession), by, &payload)
}

/// Every signed resource: its operation, and a URL of it that may exist.
fn resources(
    bank: &Bank,
    logon: &Logon,
    order: &koshin_protocol::order::Order,
) -> Vec<(Operation, Route)> {
    let id = |url: &koshin_protocol::url::Url| {
        url.as_str().rsplit('/').next().expect("an id").to_owned()
    };
    let (session, order) = (id(&logon.url), id(&order.url));
    let nobody = "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
    vec![
        (Operation::NewSession, Route::NewSession),
        (Operation::Read, Route::Session(session.clone())),
        (Operation::Logoff, Route::Logoff(session.clone())),
        (Operation::Defer, Route::Defer(session)),
        (Operation::Read, Route::Contract(bank.contract.to_string())),
        (Operation::NewOrder, Route::NewOrder),
        (Operation::FindOrder, Route::FindOrder),
        (Operation::Read, Route::Order(order.clone())),
        (Operation::Read, Route::Certificate(order.clone())),
        (Operation::Cancel, Route::Cancel(order.clone())),
        (Operation::Confirm, Route::Confirm(order.clone())),
        (Operation::Rollback, Route::Rollback(order)),
        (Operation::NewReissue, Route::NewReissue),
        (Operation::Read, Route::Reissue(nobody.clone())),
        (Operation::CancelReissue, Route::CancelReissue(nobody)),
        (Operation::Unlock, Route::Unlock),
        (Operation::Pin, Route::Pin),
        (Operation::NewEnrollment, Route::NewEnrollment),
        (Operation::RevokeCert, Route::RevokeCert),
    ]
}

// [JWS-05] [JWS-06]
#[tokio::test]
async fn a_request_for_one_resource_is_refused_at_every_other() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    let resources = resources(&bank, &logon, &order);
    for (operation, route) in &resources {
        let by = match operation.identifications()[0] {
            koshin_protocol::operation::Identification::Session => logon.by(),
            koshin_protocol::operation::Identification::Key => By::Key(key.clone()),
            koshin_protocol::operation::Identification::Certificate => By::Certificate(new.clone()),
        };
        for (_, other) in resources.iter().filter(|(_, other)| other != route) {
            let draft = bank.draft(*operation, &bank.url(route), &by, &json!({}));
            let answer = bank.deliver(draft.to(&bank.url(other))).await;
            let expected = if other.operation() == Some(*operation) {
                Token::UrlMismatch
            } else {
                Token::TypeMismatch
            };
            assert_eq!(answer.token(), Some(expected), "{route:?} at {other:?}");
            // A proxy that rewrites the operation as well finds that it is signed.
            let draft = bank.draft(*operation, &bank.url(route), &by, &json!({}));
            let typ = other.operation().expect("signed").typ();
            let answer = bank.deliver(draft.to(&bank.url(other)).set("typ", typ)).await;
            assert_eq!(answer.token(), Some(Token::UrlMismatch), "{route:?} at {other:?}");
        }
    }
    assert_eq!(bank.read_order(&order, &By::Key(key)).await, order);
}

// [JWS-05]
#[tokio::test]
async fn a_url_that_only_resembles_the_banks_is_refused() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let by = By::Certificate(user.pair);
    for (url, token) in [
        ("https://bank.example/koshin/new-order", Token::UrlMismatch),
        ("https://evil.example/koshin/new-session", Token::UrlMismatch),
        ("https://bank.example:8443/koshin/new-session", Token::UrlMismatch),
        ("https://bank.example/koshin/new-session/", Token::UrlMismatch),
        ("https://bank.example/koshin/New-Session", Token::UrlMismatch),
        ("https://bank.example/koshin/new-session?", Token::Malformed),
        ("https://bank.example/koshin/new-session#", Token::Malformed),
        ("https://bank.example:443/koshin/new-session", Token::Malformed),
        ("https://BANK.example/koshin/new-session", Token::Malformed),
        ("https://bank.example/koshin/../koshin/new-session", Token::Malformed),
        ("http://bank.example/koshin/new-session", Token::Malformed),
        ("/koshin/new-session", Token::Malformed),
    ] {
        let answer = bank.deliver(logon_draft(&bank, &by).set("url", url)).await;
        assert_eq!(answer.token(), Some(token), "{url}");
    }
}

// [ALG-03] [ALG-04] [ALG-05] [JWS-08]
#[tokio::test]
async fn algorithms_are_not_the_attackers_to_choose() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let by = By::Certificate(user.pair.clone());
    for algorithm in ["none", "None", "HS256", "HS512", "ES512", "RS1", "ES256K", "es256", ""] {
        let answer = bank.deliver(logon_draft(&bank, &by).set("alg", algorithm)).await;
        assert_eq!(answer.token(), Some(Token::BadSignatureAlgorithm), "{algorithm}");
    }
    // HS256 with the public key as the secret, and an empty signature for "none".
    let draft = logon_draft(&bank, &by).set("alg", "HS256");
    let secret = user.pair.key.public().to_spki_der();
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
    let mut body: Value = serde_json::from_slice(&draft.body()).expect("JSON");
    let part = |name: &str| body[name].as_str().expect("text").to_owned();
    let input = format!("{}.{}", part("protected"), part("payload"));
    let tag = aws_lc_rs::hmac::sign(&secret, input.as_bytes());
    body["signature"] = json!(base64url::encode(tag.as_ref()));
    let body = serde_json::to_vec(&body).expect("JSON");
    bank.deliver_body(&draft, body).await.refused(Token::BadSignatureAlgorithm);
    // Signatures of other lengths.
    let draft = logon_draft(&bank, &by);
    let body: Value = serde_json::from_slice(&draft.body()).expect("JSON");
    let signature = base64url::decode(body["signature"].as_str().expect("text")).expect("octets");
    for octets in [&signature[..63], &signature[..0], &[&signature[..], &[0]].concat()] {
        let draft = logon_draft(&bank, &by);
        let mut body: Value = serde_json::from_slice(&draft.body()).expect("JSON");
        body["signature"] = json!(base64url::encode(octets));
        let body = serde_json::to_vec(&body).expect("JSON");
        bank.deliver_body(&draft, body).await.refused(Token::BadSignature);
    }
}

// [JWS-01] [JWS-02] [JWS-03] [JWS-04] [ENC-01] [ENC-03] [ENC-10] [ENC-11] [ENC-13]
#[tokio::test]
async fn a_jws_of_another_form_is_malformed() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let by = By::Certificate(user.pair.clone());
    for (member, value) in [
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("jku", json!("https://evil.example/keys")),
        ("kid", json!("https://bank.example/koshin/session/AAAAAAAAAAAAAAAAAAAAAA")),
        ("jwk", serde_json::to_value(user.pair.key.public()).expect("a JWK")),
        ("nonce", json!(1)),
        ("alg", json!(null)),
        ("x5c", json!([])),
        ("x5c", json!("text")),
        ("x5c", json!(["AAAA", "AAAA"])),
        ("x5c", json!(["not base64!"])),
        ("x5c", json!(["AAAA\n"])),
    ] {
        let answer = bank.deliver(logon_draft(&bank, &by).set(member, value.clone())).await;
        assert_eq!(answer.token(), Some(Token::Malformed), "{member}: {value}");
    }
    for member in ["alg", "typ", "nonce", "url", "x5c"] {
        let answer = bank.deliver(logon_draft(&bank, &by).without(member)).await;
        assert_eq!(answer.token(), Some(Token::Malformed), "without {member}");
    }
    let header = |draft: &Draft| serde_json::to_string(&draft.header).expect("JSON");
    let draft = logon_draft(&bank, &by);
    let doubled = header(&draft).replacen('{', r#"{"alg":"ES256","#, 1);
    let escaped = header(&draft).replacen('{', r#"{"\u0061lg":"ES256","#, 1);
    for header in [doubled, escaped] {
        let body = draft.body_with_header(header.as_bytes());
        bank.deliver_body(&draft, body).await.refused(Token::Malformed);
    }
    let good: Value = serde_json::from_slice(&draft.body()).expect("JSON");
    let text = |value: &Value| serde_json::to_vec(value).expect("JSON");
    let mut bodies = vec![
        Vec::new(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        [text(&good), b"x".to_vec()].concat(),
        [b"\xef\xbb\xbf".to_vec(), text(&good)].concat(),
        b"\xff\xfe".to_vec(),
        [vec![b'['; 100_000 / 2], vec![b']'; 100_000 / 2]].concat(),
    ];
    for (member, value) in
        [("header", json!({})), ("signatures", json!([])), ("signature", json!(1))]
    {
        let mut changed = good.clone();
        changed[member] = value;
        bodies.push(text(&changed));
    }
    for member in ["protected", "payload", "signature"] {
        let mut changed = good.clone();
        changed[member] = json!(format!("{}=", good[member].as_str().expect("text")));
        bodies.push(text(&changed));
        changed.as_object_mut().expect("an object").remove(member);
        bodies.push(text(&changed));
    }
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = bank.deliver_body(&draft, body).await;
        assert_eq!(answer.token(), Some(Token::Malformed), "{shown}");
    }
}

// [ENC-11] [ENC-13] [ENC-14] [ENC-15] [ENC-16] [JWS-09] [JWS-10]
#[tokio::test]
async fn a_payload_of_another_form_is_malformed() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let by = By::Certificate(user.pair.clone());
    let environment = environment().to_string();
    let deep = format!("{}1{}", "[".repeat(17), "]".repeat(17));
    for payload in [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        format!(r#"{{"environment":{environment},"purpose":"renewal","purpose":"renewal"}}"#),
        format!(r#"{{"environment":{environment},"purpose":"renewal","pin":null}}"#),
        format!(r#"{{"environment":{environment},"purpose":"Renewal"}}"#),
        format!(r#"{{"environment":{environment},"purpose":"renewal","further":{deep}}}"#),
        format!(r#"{{"environment":{environment},"purpose":"renewal"}} x"#),
        format!(r#"{{"environment":{environment},"purpose":"renewal","pin":"12\u000034"}}"#),
        format!(r#"{{"environment":{environment},"purpose":"renewal","pin":"12\u009b34"}}"#),
        r#"{"environment":{"os":"x","osVersion":"1","software":"s"},"purpose":"renewal"}"#.to_owned(),
        r#"{"environment":{"os":"","osVersion":"1","software":"s","softwareVersion":"1"},"purpose":"renewal"}"#.to_owned(),
        format!(r#"{{"environment":[{environment}],"purpose":"renewal"}}"#),
    ] {
        let draft = logon_draft(&bank, &by).payload(payload.clone());
        let answer = bank.deliver(draft).await;
        assert_eq!(answer.token(), Some(Token::Malformed), "{payload}");
    }
    let logon = bank.log_on(&user.pair).await;
    let draft = bank.draft(Operation::Read, &logon.url, &logon.by(), &json!({}));
    bank.deliver(draft).await.refused(Token::Malformed);
    let draft = bank.draft(Operation::Logoff, &logon.session.logoff, &logon.by(), &Value::Null);
    bank.deliver(draft).await.refused(Token::Malformed);
    assert!(bank.is_active(&logon).await);
}

// [JWS-08] [AUT-12]
#[tokio::test]
async fn a_signature_by_another_key_than_the_named_one_is_refused() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let by = By::Certificate(user.pair.clone());
    let draft = logon_draft(&bank, &by).by_key(&other.pair.key);
    bank.deliver(draft).await.refused(Token::BadSignature);
    let logon = bank.log_on(&user.pair).await;
    let stolen = By::Session(logon.url.clone(), other.pair.key.clone());
    bank.read(&logon.url, &stolen).await.refused(Token::BadSignature);
    let draft = bank
        .draft(Operation::FindOrder, &bank.url(&Route::FindOrder), &By::Key(Key::new()), &json!({}))
        .by_key(&other.pair.key);
    bank.deliver(draft).await.refused(Token::BadSignature);
    let draft = logon_draft(&bank, &by);
    let changed = json!({ "environment": environment(), "purpose": "recovery" });
    let mut body: Value = serde_json::from_slice(&draft.body()).expect("JSON");
    body["payload"] = json!(base64url::encode(changed.to_string().as_bytes()));
    let body = serde_json::to_vec(&body).expect("JSON");
    bank.deliver_body(&draft, body).await.refused(Token::BadSignature);
}

// [KEY-01] [KEY-02] [KEY-03] [KEY-04]
#[tokio::test]
async fn odd_keys_are_refused() {
    let bank = Bank::new().await;
    let key = Key::new();
    let good = serde_json::to_value(key.public()).expect("a JWK");
    let find = |jwk: Value, algorithm: &str| {
        bank.draft(
            Operation::FindOrder,
            &bank.url(&Route::FindOrder),
            &By::Key(key.clone()),
            &json!({}),
        )
        .set("jwk", jwk)
        .set("alg", algorithm.to_owned())
    };
    let with = |member: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[member] = value;
        jwk
    };
    let zeros = |octets: usize| json!(base64url::encode(&vec![0; octets]));
    let short = json!(base64url::encode(&[1; 31]));
    for (jwk, algorithm) in [
        (with("d", json!("AAAA")), "ES256"),
        (with("use", json!("sig")), "ES256"),
        (with("x", zeros(32)), "ES256"),
        (with("x", short), "ES256"),
        (with("crv", json!("P-521")), "ES256"),
        (json!({ "kty": "OKP", "crv": "Ed25519", "x": zeros(32) }), "EdDSA"),
        (json!({ "kty": "RSA", "n": base64url::encode(&[0xff; 256]), "e": "Aw" }), "RS256"),
        (json!({ "kty": "RSA", "n": base64url::encode(&[0xff; 128]), "e": "AQAB" }), "RS256"),
        (json!({ "kty": "RSA", "n": base64url::encode(&[0xfe; 256]), "e": "AQAB" }), "RS256"),
    ] {
        let answer = bank.deliver(find(jwk.clone(), algorithm)).await;
        assert_eq!(answer.token(), Some(Token::BadPublicKey), "{jwk}");
    }
    bank.deliver(find(good.clone(), "ES384")).await.refused(Token::BadSignatureAlgorithm);
    bank.deliver(find(good, "ES256")).await.refused(Token::OrderUnknown);
}

// [AUT-08] [AUT-10] [NON-03]
#[tokio::test]
async fn a_moved_clock_revives_nothing() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let began = bank.now().unix();
    let by = By::Certificate(user.pair.clone());
    let draft = logon_draft(&bank, &by);
    bank.deliver(draft.clone()).await.object::<koshin_protocol::session::Session>(201);
    for seconds in [-7200, 7200, -40 * DAY, 40 * DAY] {
        bank.set(at(began + seconds));
        bank.deliver(draft.clone()).await.refused(Token::BadNonce);
        let answer = bank.read(&logon.url, &logon.by()).await;
        answer.refused(Token::SessionEnded);
    }
    bank.set(at(began));
    bank.deliver(draft).await.refused(Token::BadNonce);
}

// [CSR-02] [ALG-04] [CHN-04] [CRT-12]
#[tokio::test]
async fn an_imported_rsa_certificate_of_another_ca_renews_to_a_key_of_this_bank() {
    let bank = Bank::new().await;
    let spec = Spec { algorithm: Algorithm::Rs256, ..bank.spec(Role::Administrator) };
    let person = bank.person(spec).await;
    let logon = bank.log_on(&person.pair).await;
    bank.order_with(&logon, &Key::of(Algorithm::Rs256)).await.refused(Token::BadCsr);
    let (new, _) = bank.renew(&person).await;
    let logon = bank.log_on(&new).await;
    assert_eq!(logon.session.subject.role, Role::Administrator);
    assert_eq!(logon.session.subject.id.as_str(), person.subject.to_string());
    assert_eq!(new.certificate.subject().der(), person.name.der());
}
