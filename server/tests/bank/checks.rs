//! The order of checks (SPEC.md 5.7): of two defects the earlier stage's is told.

use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_server::route::Route;
use koshin_server::rule::row::Role;
use serde_json::{Value, json};

use crate::bank::{Bank, DAY, at};
use crate::deeds::{Logon, environment};
use crate::person::{Key, Spec};
use crate::request::{By, Draft};

/// One thing made wrong, in the order of the stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Defect {
    MediaType,
    Form,
    Type,
    Algorithm,
    Nonce,
    Signature,
    Expired,
    Payload,
    State,
}

const DEFECTS: [(Defect, Token); 9] = [
    (Defect::MediaType, Token::UnsupportedMediaType),
    (Defect::Form, Token::Malformed),
    (Defect::Type, Token::TypeMismatch),
    (Defect::Algorithm, Token::BadSignatureAlgorithm),
    (Defect::Nonce, Token::BadNonce),
    (Defect::Signature, Token::BadSignature),
    (Defect::Expired, Token::CertificateExpired),
    (Defect::Payload, Token::Malformed),
    (Defect::State, Token::ReplacesMismatch),
];

/// A newOrder with these defects.
fn spoil(bank: &Bank, logon: &Logon, defects: &[Defect]) -> Draft {
    let has = |defect| defects.contains(&defect);
    let name = logon.pair.certificate.subject().clone();
    let mut payload = bank.new_order(logon, &name, &Key::new());
    if has(Defect::State) {
        payload["replaces"] = json!("AAAA.AQ");
    }
    if has(Defect::Payload) {
        payload["further"] = json!(1);
    }
    let url = bank.url(&Route::NewOrder);
    let mut draft = bank.draft(Operation::NewOrder, &url, &logon.by(), &payload);
    if has(Defect::MediaType) {
        draft.content_type = Some("application/json");
    }
    if has(Defect::Form) {
        draft = draft.set("crit", json!([]));
    }
    if has(Defect::Type) {
        draft = draft.set("typ", "koshin-cancel+jws");
    }
    if has(Defect::Algorithm) {
        draft = draft.set("alg", "HS256");
    }
    if has(Defect::Nonce) {
        draft = draft.set("nonce", "AAAAAAAAAAAAAAAAAAAAAAAA");
    }
    if has(Defect::Signature) {
        draft = draft.spoiled();
    }
    draft
}

// [CHK-01] [CHK-03]
#[tokio::test]
async fn of_every_two_defects_the_earlier_stages_is_told() {
    let bank = Bank::new().await;
    let short = Spec { not_after: at(bank.now().unix() + 60), ..bank.spec(Role::User) };
    let (user, expiring) = (bank.user().await, bank.person(short).await);
    let logons = [bank.log_on(&user.pair).await, bank.log_on(&expiring.pair).await];
    bank.wait(61);
    for (index, (first, token)) in DEFECTS.iter().enumerate() {
        let alone = std::iter::once(*first);
        for second in alone.chain(DEFECTS[index + 1..].iter().map(|(defect, _)| *defect)) {
            let both = [*first, second];
            let expired = both.contains(&Defect::Expired);
            let logon = &logons[usize::from(expired)];
            let answer = bank.deliver(spoil(&bank, logon, &both)).await;
            assert_eq!(answer.token(), Some(*token), "{first:?} and {second:?}: {}", answer.text());
        }
    }
    let answer = bank.deliver(spoil(&bank, &logons[0], &[])).await;
    assert_eq!(answer.status.as_u16(), 201);
}

// [CHK-01] [JWS-03] [JWS-05] [JWS-06]
#[tokio::test]
async fn a_signer_member_that_the_resource_does_not_take_is_malformed_before_the_nonce_is_looked_at()
 {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let order = bank.order(&logon, &Key::new()).await;
    let contract = bank.url(&Route::Contract(bank.contract.to_string()));
    let reissue = bank.url(&Route::Reissue("AAAAAAAAAAAAAAAAAAAAAA".to_owned()));
    let certificate = || By::Certificate(user.pair.clone());
    let key = || By::Key(Key::new());
    let cases = [
        (Operation::Read, &logon.url, certificate()),
        (Operation::Read, &logon.url, key()),
        (Operation::Read, &contract, certificate()),
        (Operation::Read, &contract, key()),
        (Operation::Read, &reissue, key()),
        (Operation::Read, &order.url, certificate()),
        (Operation::NewSession, &bank.url(&Route::NewSession), logon.by()),
        (Operation::NewSession, &bank.url(&Route::NewSession), key()),
        (Operation::NewOrder, &bank.url(&Route::NewOrder), certificate()),
        (Operation::FindOrder, &bank.url(&Route::FindOrder), logon.by()),
        (Operation::FindOrder, &bank.url(&Route::FindOrder), certificate()),
        (Operation::RevokeCert, &bank.url(&Route::RevokeCert), key()),
        (Operation::NewEnrollment, &bank.url(&Route::NewEnrollment), certificate()),
        (Operation::Unlock, &bank.url(&Route::Unlock), certificate()),
    ];
    for (operation, url, by) in cases {
        let draft = bank.draft(operation, url, &by, &Value::Null);
        let draft = draft.set("nonce", "AAAAAAAAAAAAAAAAAAAAAAAA").spoiled();
        let answer = bank.deliver(draft).await;
        assert_eq!(answer.token(), Some(Token::Malformed), "{operation:?} {url}");
    }
}

// [CHK-01] [AUT-07] [AUT-08] [AUT-09] [AUT-11]
#[tokio::test]
async fn the_states_of_the_signer_are_told_in_their_order() {
    use koshin_server::store::Store;
    use koshin_server::rule::command::Actor;
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.renew(&user).await;
    let disabled = bank.user().await;
    for person in [&user, &disabled] {
        let disable =
            bank.store.set_subject_disabled(person.subject, true, Actor::Bank, bank.now());
        disable.await.expect("disabled");
    }
    bank.log_on_for(&user.pair, "renewal").await.refused(Token::CertificateSuperseded);
    bank.log_on_for(&user.pair, "recovery").await.refused(Token::SubjectDisabled);
    bank.log_on_for(&disabled.pair, "recovery").await.refused(Token::SubjectDisabled);
    bank.set(at(disabled.pair.not_after().unix() + DAY));
    bank.log_on_for(&disabled.pair, "renewal").await.refused(Token::CertificateExpired);
}

// [CHK-01] [CHK-02]
#[tokio::test]
async fn the_state_of_a_certificate_is_told_before_the_form_of_the_payload_and_to_its_key_only() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.renew(&user).await;
    let url = bank.url(&Route::NewSession);
    let by = By::Certificate(user.pair.clone());
    for payload in [json!({}), json!({ "purpose": "renewal", "further": 1 }), json!([])] {
        let answer = bank.post(Operation::NewSession, &url, &by, payload.clone()).await;
        answer.refused(Token::CertificateSuperseded);
    }
    let payload = json!({ "purpose": "recovery", "further": 1 });
    bank.post(Operation::NewSession, &url, &by, payload).await.refused(Token::Malformed);
    let payload = json!({ "environment": environment(), "purpose": "renewal" });
    let draft = bank.draft(Operation::NewSession, &url, &by, &payload);
    bank.deliver(draft.spoiled()).await.refused(Token::BadSignature);
}

// [CHK-01] [ORD-02] [ORD-04] [ORD-05] [ORD-06] [ORD-07] [CSR-08]
#[tokio::test]
async fn the_rules_of_a_new_order_are_checked_in_their_order() {
    let bank = Bank::new().await;
    let spec = Spec { not_after: at(bank.now().unix() + 200 * DAY), ..bank.spec(Role::User) };
    let (early, user) = (bank.person(spec).await, bank.user().await);
    let logon = bank.log_on(&early.pair).await;
    let mut payload = bank.new_order(&logon, &user.name, &Key::new());
    payload["keyStore"] = json!("floppy");
    payload["replaces"] = json!("AAAA.AQ");
    bank.try_order(&logon, payload.clone()).await.refused(Token::ReplacesMismatch);
    payload["replaces"] = json!(early.pair.cert_id().to_string());
    bank.try_order(&logon, payload.clone()).await.refused(Token::KeyStoreUnsupported);
    payload["keyStore"] = json!("file");
    bank.try_order(&logon, payload).await.refused(Token::BadCsr);
    bank.order_with(&logon, &Key::new()).await.refused(Token::TooEarly);

    let logon = bank.log_on(&user.pair).await;
    let order = bank.order(&logon, &Key::new()).await;
    let mut payload = bank.new_order(&logon, &early.name, &Key::new());
    payload["keyStore"] = json!("floppy");
    bank.try_order(&logon, payload.clone()).await.refused(Token::OrderExists);
    payload["replaces"] = json!("AAAA.AQ");
    bank.try_order(&logon, payload).await.refused(Token::ReplacesMismatch);
    bank.cancel(&order, &logon).await;
}
