//! What a client owes whatever the bank says: looked at in each request, and on the disk at the moment when it is sent.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use koshin_client::error::{Class, Error};
use koshin_client::files::Real;
use koshin_client::identity::{Identity, IdentityError, Mismatch};
use koshin_client::keystore::FileStore;
use koshin_client::transport::Request;
use koshin_client::{Client, Outcome, Renewal, pem};
use koshin_protocol::base64url;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::csr::Csr;
use koshin_protocol::problem::Token;
use koshin_protocol::verify::default_verifier;
use serde_json::Value;

use crate::misbehaviour::{changing, refusal, refusing, sent_to};
use crate::scene::{Answers, Bank, Person, Wire, renewed, wire};

/// Protected header and payload of a signed request.
fn opened(request: &Request) -> Option<(Value, Value)> {
    let jws: Value = serde_json::from_slice(&request.body).ok()?;
    let part = |name: &str| {
        let bytes = base64url::decode(jws[name].as_str()?).ok()?;
        Some(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    };
    Some((part("protected")?, part("payload")?))
}

/// Lets `look` see each request before it is sent.
fn watching(mut look: impl FnMut(&Request) + Send + 'static) -> Wire {
    let wire = wire();
    wire.tamper(move |request, response| {
        if response.is_none() {
            look(request);
        }
        None
    });
    wire
}

fn journal(folder: &Path, generation: u64) -> Value {
    let path = folder.join(format!("generations/{generation}/journal.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn current(folder: &Path) -> String {
    fs::read_link(folder.join("current")).unwrap().to_str().unwrap().to_owned()
}

// [HTP-20] [HDR-07] [NON-07] [ALG-02]
#[tokio::test]
async fn each_signed_request_is_a_post_with_a_nonce_of_its_own() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let (nonces, seen) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Mutex::new(0)));
    let (kept, counted) = (Arc::clone(&nonces), Arc::clone(&seen));
    let wire = watching(move |request| {
        *counted.lock().unwrap() += 1;
        assert_eq!(request.headers["accept-language"], "en");
        let Some((header, _)) = opened(request) else { return };
        assert_eq!(request.method, "POST");
        assert_eq!(request.headers["content-type"], "application/jose+json");
        assert_eq!(
            (&header["alg"], &header["url"]),
            (&"ES256".into(), &request.url.as_str().into())
        );
        kept.lock().unwrap().push(header["nonce"].as_str().unwrap().to_owned());
    });
    let client = user.by(wire).await;
    renewed(client.renew(Renewal::default()).await);
    client.rollback().await.unwrap();
    let nonces = nonces.lock().unwrap();
    assert_eq!((nonces.len(), *seen.lock().unwrap()), (5, 6), "all but the directory are signed");
    assert_eq!(nonces.iter().collect::<BTreeSet<_>>().len(), 5, "{nonces:?}");
}

// [CLI-10] [CLI-11] [CLI-20] [CLI-65] [NAM-03]
#[tokio::test]
async fn what_a_request_depends_on_is_on_disk_before_it_is_sent() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let old = user.identity().current().unwrap().unwrap().certificate;
    let (folder, subject) = (user.folder.clone(), old.subject().clone());
    let replaces = CertId::of(&old).to_string();
    let order_was_seen = Arc::new(Mutex::new(false));
    let seen = Arc::clone(&order_was_seen);
    let wire = watching(move |request| {
        let generation = folder.join("generations/2");
        if request.url.as_str().ends_with("new-order") {
            let (_, payload) = opened(request).unwrap();
            let sent = base64url::decode(payload["csr"].as_str().unwrap()).unwrap();
            let stored = fs::read(generation.join("request.csr")).unwrap();
            assert_eq!(pem::sections(&stored).unwrap()[0].der.to_vec(), sent);
            let csr = Csr::from_der(&sent, default_verifier()).unwrap();
            assert_eq!(csr.subject().der(), subject.der());
            assert!(generation.join("key.pem").exists());
            let journal = journal(&folder, 2);
            assert_eq!(journal["key"], csr.key().thumbprint().to_string());
            assert_eq!(
                (&journal["purpose"]["replaces"], &payload["replaces"]),
                (&replaces.as_str().into(), &replaces.as_str().into())
            );
            let settings = fs::read_to_string(folder.join("identity.toml")).unwrap();
            assert!(
                settings.contains(&format!("key-store = {}", payload["keyStore"])),
                "{settings}"
            );
            assert_eq!(current(&folder), "generations/1");
            *seen.lock().unwrap() = true;
        }
        if request.url.as_str().ends_with("confirm") {
            assert_eq!(current(&folder), "generations/2", "switched before");
            assert_eq!(journal(&folder, 2)["progress"]["state"], "installed");
            assert!(folder.join("generations/1/key.pem").exists(), "and the old pair is untouched");
        }
    });
    renewed(user.by(wire).await.renew(Renewal::default()).await);
    assert!(*order_was_seen.lock().unwrap());
}

// [CLI-21] [CLI-80] [CLI-82]
#[tokio::test]
async fn what_is_to_be_undone_is_journaled_before_the_bank_is_told() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let folder = user.folder.clone();
    let told = Arc::<Mutex<Vec<(String, String)>>>::default();
    let kept = Arc::clone(&told);
    let look = move |request: &Request| {
        let url = request.url.as_str();
        if url.ends_with("cancel") || url.ends_with("rollback") {
            let newest = if folder.join("generations/3").exists() { 3 } else { 2 };
            let intent = journal(&folder, newest)["intent"].as_str().unwrap().to_owned();
            kept.lock().unwrap().push((intent, current(&folder)));
        }
    };
    // Installed and not confirmed: the old pair is current again before the cancel.
    let deaf = wire();
    deaf.drop_before("confirm", 100);
    user.by(deaf).await.renew(Renewal::default()).await.unwrap_err();
    assert_eq!(current(&user.folder), "generations/2");
    user.by(watching(look.clone())).await.cancel().await.unwrap();
    // Confirmed: the new pair is current until the bank has rolled back.
    renewed(user.client().await.renew(Renewal::default()).await);
    user.by(watching(look)).await.rollback().await.unwrap();
    let told = told.lock().unwrap();
    let wanted = [("cancel", "generations/1"), ("rollBack", "generations/3")];
    assert_eq!(*told, wanted.map(|(intent, current)| (intent.to_owned(), current.to_owned())));
    assert_eq!(current(&user.folder), "generations/1");
}

// [CLI-02] [CLI-84]
#[tokio::test]
async fn nothing_is_rolled_back_or_deleted_by_itself_whatever_the_bank_says() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    renewed(user.client().await.renew(Renewal::default()).await);
    for file in ["key.pem", "certificate.pem"] {
        fs::remove_file(user.folder.join("generations/2").join(file)).unwrap();
    }
    // All that there is was superseded: a rollback would help, and it is the user's to say so.
    let wire = wire();
    let error = user.by(wire.clone()).await.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::RenewedElsewhere { .. }), "{error:?}");
    assert_eq!(sent_to(&wire, "rollback"), 0);
    for token in [Token::CertificateRevoked, Token::CertificateUnknown, Token::CertificateExpired] {
        let wire = refusing("new-session", 100, refusal(token, &[]));
        user.by(wire).await.renew(Renewal::default()).await.unwrap_err();
        assert!(user.folder.join("generations/1/key.pem").exists(), "{token:?}");
    }
}

// [ALG-06]
#[tokio::test]
async fn nothing_is_signed_with_an_algorithm_that_the_bank_does_not_list() {
    let bank = Bank::open().await;
    let user = bank.user_of("alg", "ES384").await;
    let wire = changing("meta", |json| json["meta"]["algorithms"] = vec!["ES256"].into());
    let error = user.by(wire.clone()).await.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::Algorithm(_)), "{error:?}");
    assert_eq!(wire.sent().len(), 1, "{:?}", wire.sent());
    renewed(user.client().await.renew(Renewal::default()).await);
}

// [CLI-45]
#[tokio::test]
async fn what_may_not_be_repeated_is_sent_once() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let pin = |text: &str| koshin_protocol::pin::Pin::new(text.to_owned());
    for token in [Token::Unavailable, Token::ServerInternal, Token::RateLimited] {
        let wire = refusing("/pin", 100, refusal(token, &[("retry-after", "1")]));
        let client = user.by(wire.clone()).await;
        let error = client.change_pin(pin(crate::scene::PIN), pin("234242")).await.unwrap_err();
        assert_eq!(error.token(), Some(token));
        assert_eq!(sent_to(&wire, "/pin"), 1);
    }
}

// [ERR-08] [ERR-10]
#[tokio::test]
async fn a_refusal_is_handed_on_with_its_texts_and_its_remedy() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    for token in [Token::SubjectDisabled, Token::CertificateRevoked, Token::PinLocked] {
        let answer = refusal(token, &[]);
        let sent: Value = serde_json::from_slice(&answer.body).unwrap();
        let wire = refusing("new-session", 100, answer);
        let error = user.by(wire.clone()).await.renew(Renewal::default()).await.unwrap_err();
        let problem = error.problem().expect("the bank's own words");
        assert_eq!(sent["title"], problem.title);
        assert_eq!(sent["detail"], problem.detail);
        assert_eq!(sent["remedy"]["action"], error.remedy().unwrap().action.as_str());
        assert_eq!(sent_to(&wire, "new-session"), 1, "the same would be refused again");
    }
}

// [RCP-05] [CLI-97]
#[tokio::test]
async fn a_receipt_of_another_order_is_not_believed() {
    let bank = Bank::open().await;
    let (one, other) = (bank.user().await, bank.user().await);
    renewed(one.client().await.renew(Renewal::default()).await);
    let receipt = fs::read(one.folder.join("generations/2/receipt.json")).unwrap();
    let receipt: Value = serde_json::from_slice(&receipt).unwrap();
    let wire = changing("receipt", move |json| json["receipt"] = receipt.clone());
    let error = other.by(wire).await.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::Receipt(_)), "{error:?}");
    assert!(!other.identity().resume().unwrap().is_empty(), "it is not done");
    renewed(other.client().await.resume().await);
}

// [RCP-06]
#[tokio::test]
async fn the_receipt_of_each_order_is_kept() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    user.begin().await;
    user.client().await.cancel().await.unwrap();
    let client = user.client().await;
    renewed(client.renew(Renewal::default()).await);
    assert!(matches!(client.rollback().await, Ok(Outcome::RolledBack)));
    renewed(client.renew(Renewal::default()).await);
    for (generation, status) in [(2, "canceled"), (3, "rolledBack"), (4, "completed")] {
        let path = user.folder.join(format!("generations/{generation}/receipt.json"));
        let receipt: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let payload = base64url::decode(receipt["payload"].as_str().unwrap()).unwrap();
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(payload["status"], status);
    }
}

/// The user trusts another root from now on.
fn trust(user: &Person, root: &Path) {
    let path = user.folder.join("identity.toml");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| {
        let is_trust = line.starts_with("trust =");
        if is_trust { format!("trust = {:?}", root.to_str().unwrap()) } else { line.to_owned() }
    });
    fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
}

// [CHN-03] [CHN-05] [CLI-62] [CLI-63]
#[tokio::test]
async fn no_certificate_that_the_bank_sends_counts_as_a_root() {
    let (bank, other) = (Bank::open().await, Bank::open().await);
    let user = bank.user().await;
    let old = user.current();
    trust(&user, &other.root());
    // The chain is whole, and its issuers stand in the directory as well.
    let error = user.client().await.renew(Renewal::default()).await.unwrap_err();
    let is_chain =
        matches!(&error, Error::Identity(IdentityError::Mismatch(Mismatch::Chain { .. })));
    assert!(is_chain, "{error:?}");
    assert_eq!(user.current(), old);
    trust(&user, &bank.root());
    renewed(user.client().await.resume().await);
}

// [CHN-04]
#[tokio::test]
async fn a_successor_of_another_issuer_is_taken_by_the_configured_roots() {
    let bank = Bank::open().await;
    let user = bank.user_of("issuer", "foreign").await;
    let old = user.identity().current().unwrap().unwrap().certificate;
    let new = renewed(user.client().await.renew(Renewal::default()).await);
    assert_ne!(
        CertId::of(&old).to_string().split('.').next(),
        CertId::of(&new.certificate).to_string().split('.').next()
    );
    assert_eq!(user.current(), CertId::of(&new.certificate));
}

// [CLI-01]
#[tokio::test]
async fn without_roots_for_the_bank_there_is_no_client() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let empty = user.folder.join("empty.pem");
    fs::write(&empty, "").unwrap();
    for root in [empty, user.folder.join("nowhere.pem")] {
        trust(&user, &root);
        let keys = Arc::new(FileStore::plain());
        let identity = Identity::open(Arc::new(Real), keys, &user.folder).unwrap();
        let wire = wire();
        let error = Client::builder(identity).transport(wire.clone()).build().await.unwrap_err();
        assert!(matches!(error, Error::Identity(_)), "{error:?}");
        assert!(wire.sent().is_empty());
    }
}

// [CLI-15]
#[tokio::test]
async fn without_the_users_consent_there_is_no_key_and_no_switch() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let answers = Answers { make_key: false, ..Answers::default() };
    let error = user.answering(answers).await.renew(Renewal::default()).await.unwrap_err();
    assert!(matches!(error, Error::Declined(_)), "{error:?}");
    assert!(!user.folder.join("generations/2").exists());
    user.begin().await;
    assert_eq!(current(&user.folder), "generations/1");
    assert_eq!(error.class(), Class::Act);
}
