//! contract, the status page (SPEC.md 7.7).

use koshin_protocol::contract::{Contract, PinState};
use koshin_protocol::problem::Token;
use koshin_protocol::session::Access;
use koshin_server::route::Route;
use koshin_server::rule::row::Role;

use crate::bank::Bank;
use crate::deeds::{Logon, pair_of};
use crate::person::{Key, Spec};

async fn page(bank: &Bank, logon: &Logon) -> Contract {
    let Access::Renewal { contract } = &logon.session.access else { panic!("renewal") };
    bank.read(contract, &logon.by()).await.object(200)
}

// [CTR-01] [CTR-02] [CTR-03] [NAM-01]
#[tokio::test]
async fn a_user_sees_itself_and_an_administrator_everybody() {
    let bank = Bank::new().await;
    let user = bank.person(Spec { pin: Some("1234"), ..bank.spec(Role::User) }).await;
    let other = bank.user().await;
    let administrator = bank.administrator().await;
    let answer = bank.log_on_with(&user.pair, "1234").await;
    let mine = page(&bank, &bank.logged_on(&user.pair, &answer)).await;
    assert_eq!(mine.id.as_str(), bank.contract.to_string());
    assert_eq!(mine.name, "株式会社テスト");
    assert_eq!(mine.subjects.len(), 1);
    let me = &mine.subjects[0];
    assert_eq!((me.id.as_str(), me.role), (user.subject.to_string().as_str(), Role::User));
    assert_eq!((me.name.as_str(), me.pin), (user.name.as_str(), PinState::Set));
    let by = bank.log_on(&administrator.pair).await;
    let all = page(&bank, &by).await;
    let mut ids: Vec<_> = all.subjects.iter().map(|subject| subject.id.to_string()).collect();
    ids.sort();
    let mut expected = [&user, &other, &administrator].map(|person| person.subject.to_string());
    expected.sort();
    assert_eq!(ids, expected);
}

// [CTR-03] [SES-02] [ENC-19]
#[tokio::test]
async fn the_page_tells_certificates_successors_key_stores_orders_and_deferrals() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (new, _) = bank.renew(&user).await;
    bank.set(crate::bank::at(new.not_after().unix() - 86_400));
    let logon = bank.log_on(&new).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let next = pair_of(&order, &key);
    let page = page(&bank, &logon).await;
    let entry = &page.subjects[0];
    assert_eq!(entry.order.as_ref(), Some(&order.url));
    let states: Vec<_> = entry
        .certificates
        .iter()
        .map(|one| (one.cert_id.clone(), one.state.as_str().to_owned(), one.successor.clone()))
        .collect();
    assert_eq!(states[0], (next.cert_id(), "unconfirmed".to_owned(), None), "newest first");
    assert_eq!(states[1], (new.cert_id(), "current".to_owned(), None));
    if let Some(oldest) = states.get(2) {
        assert_eq!(*oldest, (user.pair.cert_id(), "superseded".to_owned(), Some(new.cert_id())));
    }
    let stores: Vec<_> = entry.certificates.iter().map(|one| one.key_store.is_some()).collect();
    assert!(stores[0] && stores[1]);
}

// [CTR-04] [PIN-05]
#[tokio::test]
async fn reissues_and_locks_are_shown_to_administrators() {
    let bank = Bank::new().await;
    let user = bank.person(Spec { pin: Some("1234"), ..bank.spec(Role::User) }).await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let ticket = bank.reissue(&by, &user, "keyLost").await;
    let answer = bank.log_on_with(&user.pair, "1234").await;
    let logon = bank.logged_on(&user.pair, &answer);
    for _ in 0..5 {
        bank.log_on_with(&user.pair, "9999").await.token().expect("wrong");
    }
    let mine = page(&bank, &logon).await;
    assert_eq!((mine.subjects[0].reissue.as_ref(), mine.subjects[0].pin), (None, PinState::Locked));
    let all = page(&bank, &by).await;
    let entry = all.subjects.iter().find(|one| one.id.as_str() == user.subject.to_string());
    let entry = entry.expect("the user");
    assert_eq!(entry.reissue.as_ref(), Some(&bank.reissue_url(&ticket)));
    let administrator = all.subjects.iter().find(|one| one.role == Role::Administrator);
    assert_eq!(administrator.expect("one").pin, PinState::None);
}

// [AUT-05] [AUT-06] [URL-06]
#[tokio::test]
async fn another_contract_looks_like_none() {
    let bank = Bank::new().await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let elsewhere = bank.new_contract("他社").await;
    let there = bank.url(&Route::Contract(elsewhere.to_string()));
    let absent = bank.url(&Route::Contract("AAAAAAAAAAAAAAAAAAAAAA".to_owned()));
    let (one, other) = (bank.read(&there, &by.by()).await, bank.read(&absent, &by.by()).await);
    one.refused(Token::NotFound);
    crate::foreign::assert_alike(&one, &other);
}
