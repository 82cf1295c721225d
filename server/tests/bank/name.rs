//! Names (SPEC.md 4.7): one subject, in whatever string types and order a DER has its name.

use std::fs;

use koshin_protocol::base64url::decode_standard;
use koshin_protocol::certificate::Name;
use koshin_protocol::order::Order;
use koshin_protocol::problem::Token;
use koshin_server::store::row::Role;
use serde_json::Value;

use crate::bank::Bank;
use crate::deeds::pair_of;
use crate::person::Key;

/// The pairs of `fixtures/name/equal.json` that are equal, or are not.
fn pairs(equal: bool) -> Vec<(Name, Name)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/name/equal.json");
    let file = fs::read(path).expect("the fixtures");
    let file: Value = serde_json::from_slice(&file).expect("JSON");
    let name = |vector: &Value, member: &str| {
        let der = decode_standard(vector["input"][member].as_str().expect("text"));
        Name::from_der(&der.expect("base64")).expect("a name")
    };
    let vectors = file["vectors"].as_array().expect("vectors").iter();
    let vectors = vectors.filter(|vector| vector["expect"]["equal"] == equal);
    let pairs: Vec<_> = vectors.map(|one| (name(one, "der"), name(one, "other"))).collect();
    assert!(pairs.len() > 5);
    pairs
}

// [CSR-08] [CRT-01] [NAM-05]
#[tokio::test]
async fn an_order_may_have_the_name_in_any_encoding_and_the_successor_has_the_recorded_one() {
    for (recorded, other) in pairs(true) {
        let bank = Bank::new().await;
        let user = bank.person_called(recorded.clone(), bank.spec(Role::User)).await;
        let logon = bank.log_on(&user.pair).await;
        let key = Key::new();
        let payload = bank.new_order(&logon, &other, &key);
        let order: Order = bank.try_order(&logon, payload).await.object(201);
        let pair = pair_of(&order, &key);
        assert_eq!(pair.certificate.subject().der(), recorded.der(), "{recorded}");
        bank.confirm(&order, &pair).await;
        assert_eq!(bank.log_on(&pair).await.session.subject.name.as_str(), other.as_str());
    }
}

// [CSR-08]
#[tokio::test]
async fn a_name_that_is_not_equal_is_refused() {
    for (recorded, other) in pairs(false) {
        let bank = Bank::new().await;
        let user = bank.person_called(recorded, bank.spec(Role::User)).await;
        let logon = bank.log_on(&user.pair).await;
        let payload = bank.new_order(&logon, &other, &Key::new());
        bank.try_order(&logon, payload).await.refused(Token::BadCsr);
    }
}

// [CSR-08] [REI-06] [NAM-04]
#[tokio::test]
async fn whoever_has_the_names_text_alone_can_enroll() {
    for (recorded, _) in pairs(true) {
        let bank = Bank::new().await;
        let user = bank.person_called(recorded.clone(), bank.spec(Role::User)).await;
        let by = bank.log_on(&bank.administrator().await.pair).await;
        let ticket = bank.reissue(&by, &user, "keyLost").await;
        let name: Name = recorded.as_str().parse().expect("what is written can be read");
        let (pair, _) = bank.enroll(&ticket, &name).await;
        assert_eq!(pair.certificate.subject().der(), recorded.der(), "{recorded}");
        bank.log_on(&pair).await;
    }
}
