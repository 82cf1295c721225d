//! Time is no state (SPEC.md 10.5): the bank's clock stands ahead for a while, the bank looks, refuses and tidies up, and
//! once the clock is right again everything is as it was.

use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::contract::Contract;
use koshin_protocol::order::{Order, Status};
use koshin_protocol::problem::{Extra, Token};
use koshin_server::publish;
use koshin_server::route::Route;
use koshin_server::rule::command::{Actor, Revoke};
use koshin_server::rule::row::{Reason, Role};
use serde_json::json;

use crate::bank::{Bank, DAY, at, policy};
use crate::deeds::{Logon, pair_of};
use crate::person::{Key, Pair, Person, Spec};
use crate::request::By;
use crate::stored;

/// Two years: longer than the seed's certificates are valid, renewed ones included.
const AHEAD: i64 = 2 * 365 * DAY;

impl Bank {
    /// What runs in the background while the clock is wrong.
    async fn tidies_up(&self) {
        publish::newest(&self.server).await.expect("a CRL");
    }

    /// An administrator whose certificate outlasts the wrong clock.
    async fn lasting_administrator(&self) -> Person {
        let not_after = at(self.now().unix() + 3 * AHEAD);
        self.person(Spec { not_after, ..self.spec(Role::Administrator) }).await
    }

    /// The word that an administrator is shown for a certificate.
    async fn shown(&self, by: &Logon, pair: &Pair) -> CertificateState {
        let page = self.url(&Route::Contract(self.contract.to_string()));
        let contract: Contract = self.read(&page, &by.by()).await.object(200);
        let mut all = contract.subjects.iter().flat_map(|subject| &subject.certificates);
        all.find(|entry| entry.cert_id == pair.cert_id()).expect("the certificate").state
    }
}

/// All that is stored; the CRL was published anew, and says so.
fn registry(bank: &Bank) -> Vec<String> {
    let mut rows = stored::rows(&bank.sql());
    rows.retain(|row| !row.starts_with("crl "));
    rows
}

// [STA-09] [STA-10] [AUT-08] [RNI-02]
#[tokio::test]
async fn a_current_certificate_works_again() {
    for name in ["seed", "core", "one-year-grace"] {
        let bank = Bank::of(policy(name, &[])).await;
        let (user, administrator) = (bank.user().await, bank.lasting_administrator().await);
        let logon = bank.log_on(&user.pair).await;
        let before = registry(&bank);
        bank.wait(AHEAD);
        let refused = bank.log_on_for(&user.pair, "renewal").await;
        let problem = refused.refused(Token::CertificateExpired);
        assert_eq!(problem.remedy.action.as_str(), "reissueByAdministrator");
        bank.log_on_for(&user.pair, "recovery").await.refused(Token::CertificateExpired);
        bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);
        let info = bank.url(&Route::RenewalInfo(user.pair.cert_id().to_string()));
        bank.get(&info).await.refused(Token::NotRenewable);
        bank.revoke_itself(&user.pair, "keyLost").await.refused(Token::CertificateExpired);
        bank.tidies_up().await;
        assert_eq!(registry(&bank), before);
        let by = bank.log_on(&administrator.pair).await;
        assert_eq!(bank.shown(&by, &user.pair).await, CertificateState::Expired);

        bank.wait(-AHEAD);
        let by = bank.log_on(&administrator.pair).await;
        assert_eq!(bank.shown(&by, &user.pair).await, CertificateState::Current);
        assert_eq!(bank.get(&info).await.status, 200);
        bank.renew(&user).await;
    }
}

// [STA-09] [CAN-03]
#[tokio::test]
async fn an_open_order_is_confirmed_or_canceled_as_before() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let (key, other_key) = (Key::new(), Key::new());
    let order = bank.order(&bank.log_on(&user.pair).await, &key).await;
    let other_order = bank.order(&bank.log_on(&other.pair).await, &other_key).await;
    let new = pair_of(&order, &key);
    let before = registry(&bank);
    bank.wait(AHEAD);
    bank.try_confirm(&order, &new, json!({})).await.refused(Token::CertificateExpired);
    bank.log_on_for(&new, "renewal").await.refused(Token::CertificateExpired);
    let read = bank.read_order(&order, &By::Key(key.clone())).await;
    assert!(matches!(read.status, Status::Valid { cancel: None, .. }), "nothing to cancel");
    bank.tidies_up().await;
    assert_eq!(registry(&bank), before);

    bank.wait(-AHEAD);
    let read = bank.read_order(&order, &By::Key(key)).await;
    assert!(matches!(read.status, Status::Valid { cancel: Some(_), .. }));
    bank.confirm(&order, &new).await;
    bank.log_on(&new).await;
    let logon = bank.log_on(&other.pair).await;
    let canceled = bank.cancel(&other_order, &logon).await;
    assert_eq!(canceled.status.name().as_str(), "canceled");
}

// [STA-09] [RBK-01] [SES-06]
#[tokio::test]
async fn a_superseded_certificate_rolls_back_as_before() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (new, order) = bank.renew(&user).await;
    let before = registry(&bank);
    bank.wait(AHEAD);
    bank.log_on_for(&user.pair, "recovery").await.refused(Token::CertificateSuperseded);
    let read = bank.read_order(&order, &By::Key(new.key.clone())).await;
    assert!(matches!(read.status, Status::Completed { rollback: None, .. }));
    bank.tidies_up().await;
    assert_eq!(registry(&bank), before);

    bank.wait(-AHEAD);
    let read = bank.read_order(&order, &By::Key(new.key.clone())).await;
    assert!(matches!(read.status, Status::Completed { rollback: Some(_), .. }));
    let recovery = bank.recover(&user.pair).await;
    bank.roll_back(&order, &recovery).await;
    bank.log_on(&user.pair).await;
}

// [STA-09] [STA-11] [ENR-13] [REI-22]
#[tokio::test]
async fn a_pending_reissue_is_redeemed_or_canceled_as_before() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let administrator = bank.lasting_administrator().await;
    let by = bank.log_on(&administrator.pair).await;
    let ticket = bank.reissue(&by, &user, "keyLost").await;
    let canceled = bank.reissue(&by, &other, "keyLost").await;
    let before = registry(&bank);
    bank.wait(AHEAD);
    let refused = bank.enroll_with(&ticket, &user.name, &Key::new()).await;
    refused.refused(Token::EnrollmentExpired);
    bank.tidies_up().await;
    assert_eq!(registry(&bank), before);
    let by = bank.log_on(&administrator.pair).await;
    assert_eq!(bank.read_reissue(&by, &ticket).await.status.name().as_str(), "expired");
    bank.try_cancel_reissue(&by, &canceled).await.refused(Token::ReissueClosed);

    bank.wait(-AHEAD);
    let by = bank.log_on(&administrator.pair).await;
    assert_eq!(bank.read_reissue(&by, &ticket).await.status.name().as_str(), "pending");
    bank.enroll(&ticket, &user.name).await;
    assert_eq!(bank.try_cancel_reissue(&by, &canceled).await.status, 200);
}

// [STA-09] [SES-30] [SES-31]
#[tokio::test]
async fn a_session_is_active_as_before() {
    let bank = Bank::new().await;
    let logon = bank.log_on(&bank.user().await.pair).await;
    for ahead in [601, 3601] {
        bank.wait(ahead);
        bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);
        bank.order_with(&logon, &Key::new()).await.refused(Token::SessionEnded);
        bank.wait(-ahead);
        assert!(bank.is_active(&logon).await);
    }
    bank.order(&logon, &Key::new()).await;
}

// [STA-09] [CFM-05] [RBK-01]
#[tokio::test]
async fn what_was_confirmed_meanwhile_is_rolled_back_until_the_predecessors_end() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let key = Key::new();
    let order = bank.order(&bank.log_on(&user.pair).await, &key).await;
    let new = pair_of(&order, &key);
    // Beyond the predecessor's notAfter, and not beyond the successor's.
    bank.wait(30 * DAY);
    let confirmed = bank.confirm(&order, &new).await;
    assert!(matches!(confirmed.status, Status::Completed { rollback: None, .. }));
    bank.log_on_for(&user.pair, "recovery").await.refused(Token::CertificateSuperseded);

    bank.wait(-30 * DAY);
    let read = bank.read_order(&order, &By::Key(key)).await;
    let Status::Completed { rollback: Some(right), .. } = &read.status else {
        panic!("a right to roll back: {read:?}");
    };
    assert_eq!(right.until, user.pair.not_after());
    let recovery = bank.recover(&user.pair).await;
    bank.roll_back(&order, &recovery).await;
    bank.log_on(&user.pair).await;
}

// [STA-09] [REV-01] [REI-09] [ENR-15]
#[tokio::test]
async fn what_was_revoked_meanwhile_stays_revoked() {
    let bank = Bank::new().await;
    let (asked, lost, enrolled) = (bank.user().await, bank.user().await, bank.user().await);
    let administrator = bank.lasting_administrator().await;
    let (newer, _) = bank.renew(&lost).await;
    bank.wait(AHEAD);
    let by = bank.log_on(&administrator.pair).await;
    assert_eq!(bank.revoke(&by, &asked.pair, false).await, [asked.pair.cert_id()]);
    bank.reissue(&by, &lost, "deviceLost").await;
    let ticket = bank.reissue(&by, &enrolled, "keyLost").await;
    let (pair, _) = bank.enroll(&ticket, &enrolled.name).await;

    bank.wait(-AHEAD);
    for pair in [&asked.pair, &lost.pair, &newer, &enrolled.pair] {
        bank.log_on_for(pair, "renewal").await.refused(Token::CertificateRevoked);
    }
    assert_eq!(bank.state_of(&pair), "current");
}

// [STA-09]
#[tokio::test]
async fn an_operator_who_revokes_what_has_expired_is_told_the_truth() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.wait(AHEAD);
    let revoke = Revoke {
        certificate: user.pair.cert_id(),
        reason: Reason::KeyCompromise,
        include_successors: false,
    };
    let revoked = bank.store.revoke(revoke, Actor::Bank, bank.now()).await.expect("revoked");
    assert_eq!(revoked, [user.pair.cert_id()]);
    assert_eq!(bank.state_of(&user.pair), "revoked");
    let by = bank.log_on(&bank.administrator().await.pair).await;
    assert_eq!(bank.shown(&by, &user.pair).await, CertificateState::Revoked);
}

// [STA-10] [ERR-02]
#[tokio::test]
async fn nobody_is_sent_back_to_a_certificate_that_has_expired() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order: Order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    bank.cancel(&order, &logon).await;
    bank.set(user.pair.not_after());
    let problem = bank.log_on_for(&new, "renewal").await.refused(Token::CertificateRevoked);
    assert_eq!(problem.extra, Extra::Predecessor(user.pair.cert_id()));
    bank.wait(1);
    let problem = bank.log_on_for(&new, "renewal").await.refused(Token::CertificateRevoked);
    assert_eq!(problem.remedy.action.as_str(), "reissueByAdministrator");
    assert!(!matches!(problem.extra, Extra::Predecessor(_)));
}

// [CTR-04] [STA-11]
#[tokio::test]
async fn a_reissue_whose_time_is_over_is_not_open() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let administrator = bank.lasting_administrator().await;
    let by = bank.log_on(&administrator.pair).await;
    bank.reissue(&by, &user, "keyLost").await;
    for (wait, is_open) in [(14 * DAY, true), (1, false), (-1, true)] {
        bank.wait(wait);
        let by = bank.log_on(&administrator.pair).await;
        let page = bank.url(&Route::Contract(bank.contract.to_string()));
        let contract: Contract = bank.read(&page, &by.by()).await.object(200);
        let shown = contract.subjects.iter().any(|entry| entry.reissue.is_some());
        assert_eq!(shown, is_open);
    }
}
