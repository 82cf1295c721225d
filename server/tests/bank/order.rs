//! newOrder, the order and findOrder (SPEC.md 6.3, 6.4, 7.8 to 7.10, 8.1).

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::{Attribute, CLIENT_AUTH, KeyUsages, Name};
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Order, Status};
use koshin_protocol::problem::{Extra, Token};
use koshin_protocol::verify::default_verifier;
use koshin_server::route::Route;
use koshin_server::rule::row::Role;
use serde_json::json;

use crate::bank::{Bank, DAY, at, policy, time};
use crate::deeds::{issued, pair_of};
use crate::person::{Key, Spec};
use crate::request::By;

// [WIN-01] [WIN-02] [ORD-07] [ERR-05]
#[tokio::test]
async fn the_window_opens_at_midnight_in_the_banks_zone_and_not_a_second_before() {
    for (not_after, opens) in [
        ("2027-03-02T23:59:59Z", "2027-01-31T15:00:00Z"),
        ("2026-12-31T14:59:59Z", "2026-11-30T15:00:00Z"),
    ] {
        let bank = Bank::new().await;
        let spec = Spec { not_after: time(not_after), ..bank.spec(Role::User) };
        let user = bank.person(spec).await;
        bank.set(at(time(opens).unix() - 1));
        let logon = bank.log_on(&user.pair).await;
        let problem = bank.order_with(&logon, &Key::new()).await.refused(Token::TooEarly);
        assert_eq!(problem.remedy.action.as_str(), "wait");
        assert_eq!(problem.remedy.not_before, Some(time(opens)));
        bank.wait(1);
        bank.order(&logon, &Key::new()).await;
    }
}

// [WIN-03] [ORD-09] [CRT-08]
#[tokio::test]
async fn an_order_is_accepted_in_the_last_second_of_the_predecessor() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.set(user.pair.not_after());
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let expected = time("2027-11-22T03:00:00Z");
    assert_eq!(user.pair.not_after(), time("2026-11-22T03:00:00Z"));
    assert_eq!(pair_of(&order, &key).not_after(), expected);
}

// [CRT-01] [CRT-02] [CRT-03] [CRT-04] [CRT-05] [CRT-06] [CRT-07] [CRT-08] [CRT-11] [CRT-12] [CHN-01] [CHN-02]
#[tokio::test]
async fn the_certificate_is_what_policy_and_protocol_say() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let certificate = pair_of(&order, &key).certificate;
    assert_eq!(certificate.subject().der(), user.name.der());
    assert_eq!(certificate.extended_key_usages(), Some(&[CLIENT_AUTH][..]));
    assert_eq!(certificate.key_usages(), Some(KeyUsages::DIGITAL_SIGNATURE));
    assert!(certificate.subject_key_id().is_some() && !certificate.is_authority());
    let issuer = bank.server.issuer.authority().certificate().clone();
    assert_eq!(certificate.authority_key_id(), issuer.subject_key_id());
    certificate.verify_issued_by(&issuer, default_verifier()).expect("issued");
    let chain = &issued(&order).chain;
    let above: Vec<&[u8]> = chain.issuers().collect();
    assert_eq!(above, [issuer.der()], "without the root");
    let age = bank.now().seconds_since(certificate.not_before());
    assert!((0..=DAY).contains(&age));
    assert_eq!(certificate.not_after(), time("2027-11-22T03:00:00Z"));
    let crl = bank.server.issuer.authority().crl_url().to_owned();
    let der = certificate.der();
    let found = der.windows(crl.len()).any(|window| window == crl.as_bytes());
    assert!(found, "the CRL distribution point is the directory's");
    assert!(certificate.serial().len() <= 20 && certificate.serial().len() >= 8);
    let directory: koshin_protocol::directory::Directory =
        bank.get(&bank.url(&Route::Directory)).await.object(200);
    assert!(directory.meta.issuers.iter().any(|chain| chain.first() == issuer.der()));
    assert!(directory.crl().iter().any(|url| url.as_str() == crl));
}

// [ORD-02] [IDM-03] [ORD-24] [ORD-26]
#[tokio::test]
async fn the_same_key_gives_the_same_order_for_ever() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let first = bank.order(&logon, &key).await;
    let answer = bank.order_with(&logon, &key).await;
    assert_eq!(answer.location(), first.url);
    assert_eq!(answer.object::<Order>(200), first);
    bank.cancel(&first, &logon).await;
    let canceled: Order = bank.order_with(&logon, &key).await.object(200);
    assert_eq!(canceled.url, first.url);
    assert_eq!(canceled.status.name().as_str(), "canceled");
    let next = Key::new();
    let second = bank.order(&logon, &next).await;
    assert_ne!(second.url, first.url);
    let canceled: Order = bank.order_with(&logon, &key).await.object(200);
    assert_eq!(canceled.url, first.url, "also while another order is open");
    let new = pair_of(&second, &next);
    bank.confirm(&second, &new).await;
    let later = bank.log_on(&new).await;
    let payload = json!({
        "replaces": user.pair.cert_id().to_string(),
        "keyStore": "no such store",
        "csr": crate::deeds::csr_payload(&next.csr(&user.name)),
    });
    let found: Order = bank.try_order(&later, payload).await.object(200);
    assert_eq!((found.url, found.created), (second.url, second.created));
    assert_eq!(found.kind, second.kind);
}

// [IDM-03] [DUR-10]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_same_order_many_times_at_once_one_is_created() {
    let bank = std::sync::Arc::new(Bank::new().await);
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (bank, logon, key) = (bank.clone(), logon.clone(), key.clone());
            tokio::spawn(async move { bank.order_with(&logon, &key).await })
        })
        .collect();
    let (mut created, mut orders) = (0, Vec::new());
    for task in tasks {
        let answer = task.await.expect("no panic");
        created += usize::from(answer.status.as_u16() == 201);
        orders.push(answer.object::<Order>(answer.status.as_u16()));
    }
    assert_eq!(created, 1);
    assert!(orders.iter().all(|order| *order == orders[0]));
}

// [ORD-05] [STA-08] [ERR-02]
#[tokio::test]
async fn another_key_is_told_the_open_order_and_its_key() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let order = bank.order(&logon, &Key::new()).await;
    let problem = bank.order_with(&logon, &Key::new()).await.refused(Token::OrderExists);
    assert_eq!(problem.remedy.action.as_str(), "resumeOrder");
    assert_eq!(problem.extra, Extra::OpenOrder { order: order.url.clone(), key: order.key });
}

// [ORD-04]
#[tokio::test]
async fn only_the_sessions_own_certificate_is_replaced() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let logon = bank.log_on(&user.pair).await;
    for replaces in [other.pair.cert_id().to_string(), "AAAA.AQ".to_owned()] {
        let mut payload = bank.new_order(&logon, &user.name, &Key::new());
        payload["replaces"] = json!(replaces);
        bank.try_order(&logon, payload).await.refused(Token::ReplacesMismatch);
    }
}

// [ORD-06]
#[tokio::test]
async fn a_key_store_outside_the_list_is_refused_with_the_list() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    for store in ["floppy", "File", "", "格納先"] {
        let mut payload = bank.new_order(&logon, &user.name, &Key::new());
        payload["keyStore"] = json!(store);
        let problem = bank.try_order(&logon, payload).await.refused(Token::KeyStoreUnsupported);
        let listed = bank.server.policy.key_stores.clone();
        assert_eq!(problem.extra, Extra::KeyStores(listed));
    }
}

// [CSR-01] [CSR-02] [CSR-04] [CSR-08]
#[tokio::test]
async fn a_bad_csr_is_refused_with_its_reason() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let order = |csr: Vec<u8>| {
        let (bank, logon) = (&bank, &logon);
        async move {
            let payload = json!({
                "replaces": logon.pair.cert_id().to_string(),
                "keyStore": "file",
                "csr": crate::deeds::csr_payload(&csr),
            });
            bank.try_order(logon, payload).await
        }
    };
    let reason = |answer: crate::answer::Answer| {
        answer.refused(Token::BadCsr);
        answer.value()["reason"].as_str().expect("a reason").to_owned()
    };
    let good = Key::new().csr(&user.name);
    let mut longer = good.clone();
    longer.push(0);
    order(longer).await.refused(Token::Malformed);
    order(Vec::new()).await.refused(Token::Malformed);
    let rsa = Key::of(Algorithm::Rs256);
    assert_eq!(reason(order(rsa.csr(&user.name)).await), "keyType");
    let mut spoiled = good.clone();
    *spoiled.last_mut().expect("octets") ^= 1;
    let answer = order(spoiled).await;
    assert!(matches!(answer.token(), Some(Token::BadCsr | Token::Malformed)));
    let mut mutated = good.clone();
    let at = mutated.windows(8).position(|window| window == b"Tanaka H").expect("the name");
    mutated[at] = b'S';
    assert_eq!(reason(order(mutated).await), "signature", "one octet of the name changed");
    let other = Name::new(&[(Attribute::CommonName, "Somebody Else")]).expect("a name");
    assert_eq!(reason(order(Key::new().csr(&other)).await), "subject");
    assert_eq!(bank.log_on(&user.pair).await.session.order, None, "CHK-03");
}

// [CSR-07]
#[tokio::test]
async fn every_key_type_of_the_directory_is_issued_to() {
    let bank = Bank::new().await;
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let user = bank.user().await;
        let logon = bank.log_on(&user.pair).await;
        let key = Key::of(algorithm);
        let order = bank.order(&logon, &key).await;
        bank.confirm(&order, &pair_of(&order, &key)).await;
    }
}

// [CSR-09] [CHK-01]
#[tokio::test]
async fn a_key_that_anybody_ever_had_is_refused_also_before_the_window() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let (second, _) = bank.renew(&user).await;
    let theirs = bank.log_on(&other.pair).await;
    let canceled = Key::new();
    let order = bank.order(&theirs, &canceled).await;
    bank.cancel(&order, &theirs).await;
    let logon = bank.log_on(&second).await;
    let (own, former) = (&second.key, &user.pair.key);
    for key in [own, former, &other.pair.key, &canceled] {
        let problem = bank.order_with(&logon, key).await;
        // The key of the order that made this certificate is not a second order: its predecessor was another one.
        problem.refused(Token::KeyReused);
    }
    bank.order_with(&logon, &Key::new()).await.refused(Token::TooEarly);
}

// [ORD-30] [ORD-31] [HDR-04]
#[tokio::test]
async fn an_order_is_found_by_its_key_in_every_state() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let (canceled, key) = (Key::new(), Key::new());
    let problem = bank.try_find(&key).await.refused(Token::OrderUnknown);
    assert_eq!(problem.remedy.action.as_str(), "logon");
    let first = bank.order(&logon, &canceled).await;
    bank.cancel(&first, &logon).await;
    let answer = bank.try_find(&canceled).await;
    assert_eq!(answer.location(), first.url);
    assert_eq!(answer.object::<Order>(200).status.name().as_str(), "canceled");
    let order = bank.order(&logon, &key).await;
    assert_eq!(bank.try_find(&key).await.object::<Order>(200), order);
    bank.confirm(&order, &pair_of(&order, &key)).await;
    let found: Order = bank.try_find(&key).await.object(200);
    assert_eq!(found.status.name().as_str(), "completed");
    bank.try_find(&user.pair.key).await.refused(Token::OrderUnknown);
}

// [AUT-13] [ORD-21] [CFM-05] [CAN-03]
#[tokio::test]
async fn the_new_key_reads_and_confirms_after_the_predecessor_expired() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.set(user.pair.not_after());
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    assert!(matches!(order.status, Status::Valid { cancel: Some(_), .. }));
    bank.wait(1);
    let read = bank.read_order(&order, &By::Key(key.clone())).await;
    assert!(matches!(read.status, Status::Valid { cancel: None, .. }));
    assert_eq!(issued(&read), issued(&order));
    let new = pair_of(&order, &key);
    let completed = bank.confirm(&order, &new).await;
    let Status::Completed { rollback, .. } = &completed.status else { panic!("completed") };
    assert_eq!(*rollback, None, "nothing to go back to");
    assert_eq!(bank.state_of(&user.pair), "superseded");
    bank.log_on(&new).await;
}

// [CER-01] [CER-03] [HTP-23]
#[tokio::test]
async fn the_certificate_is_read_in_pem_or_der_by_session_key_and_itself() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    let url = issued(&order).certificate.clone();
    let der = new.certificate.der();
    for by in [logon.by(), By::Key(key.clone()), By::Certificate(new.clone())] {
        let answer = bank.read(&url, &by).await;
        assert_eq!(
            answer.header(&http::header::CONTENT_TYPE),
            Some("application/pem-certificate-chain")
        );
        assert_eq!(answer.text().matches("-----BEGIN CERTIFICATE-----").count(), 2);
        let draft = bank.draft(Operation::Read, &url, &by, &json!(null));
        let answer = bank.deliver(draft.with(http::header::ACCEPT, "application/pkix-cert")).await;
        assert_eq!(answer.header(&http::header::CONTENT_TYPE), Some("application/pkix-cert"));
        assert_eq!(&answer.body[..], der);
    }
    bank.cancel(&order, &logon).await;
    let problem = bank.read(&url, &By::Key(key)).await.refused(Token::OrderCanceled);
    assert_eq!(problem.extra, Extra::Predecessor(user.pair.cert_id()));
    assert_eq!(problem.remedy.action.as_str(), "usePredecessor");
    bank.read(&url, &By::Certificate(new)).await.refused(Token::CertificateRevoked);
}

// [ORD-26] [ORD-24]
#[tokio::test]
async fn an_order_shows_the_same_chain_byte_for_byte_and_its_facts_for_ever() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    bank.wait(30);
    let read = bank.read_order(&order, &logon.by()).await;
    assert_eq!(read, order);
    let completed = bank.confirm(&order, &pair_of(&order, &key)).await;
    assert_eq!(issued(&completed).chain, issued(&order).chain);
    assert_eq!((completed.created, completed.key), (order.created, order.key));
    assert_eq!((completed.kind, completed.key_store), (order.kind, order.key_store));
}

// [CRT-08] [CRT-09]
#[tokio::test]
async fn a_certificate_never_outlives_its_issuer_and_always_its_predecessor() {
    let bank = Bank::of(policy("seed", &[("years = 1", "years = 10")])).await;
    let issuer_ends = bank.server.issuer.authority().certificate().not_after();
    let spec = Spec { not_after: at(issuer_ends.unix() - DAY), ..bank.spec(Role::User) };
    let user = bank.person(spec).await;
    bank.set(at(issuer_ends.unix() - 2 * DAY));
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    assert_eq!(pair_of(&order, &key).not_after(), issuer_ends);

    let spec = Spec { not_after: issuer_ends, ..bank.spec(Role::User) };
    let last = bank.person(spec).await;
    let logon = bank.log_on(&last.pair).await;
    let answer = bank.order_with(&logon, &Key::new()).await;
    answer.refused(Token::ServerInternal);
    assert_eq!(bank.log_on(&last.pair).await.session.order, None, "nothing was stored");
}
