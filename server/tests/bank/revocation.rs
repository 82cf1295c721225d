//! revokeCert and the CRL (SPEC.md 6.6, 7.20, 7.21).

use der::Decode;
use koshin_protocol::order::Status;
use koshin_protocol::problem::Token;
use koshin_protocol::revocation::Revocation;
use koshin_server::route::Route;
use koshin_server::rule::row::Role;
use serde_json::json;
use x509_cert::crl::CertificateList;

use crate::bank::{Bank, DAY};
use crate::deeds::pair_of;
use crate::person::{Key, Pair};
use crate::request::By;

async fn crl(bank: &Bank) -> CertificateList {
    let id = bank.server.issuer.authority().id();
    let answer = bank.get(&bank.url(&Route::Crl(id))).await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(answer.header(&http::header::CONTENT_TYPE), Some("application/pkix-crl"));
    CertificateList::from_der(&answer.body).expect("a CRL")
}

/// The CRL's reason for a certificate: `None`, it is not listed; `Some(None)`, without one.
#[allow(clippy::option_option, reason = "a reason may be absent, and so may the entry")]
fn listed(crl: &CertificateList, pair: &Pair) -> Option<Option<u8>> {
    let entries = crl.tbs_cert_list.revoked_certificates.as_deref().unwrap_or_default();
    let entry =
        entries.iter().find(|entry| entry.serial_number.as_bytes() == pair.certificate.serial())?;
    let extensions = entry.crl_entry_extensions.as_deref().unwrap_or_default();
    let reason = extensions.iter().find(|extension| extension.extn_id.to_string() == "2.5.29.21");
    Some(reason.map(|reason| *reason.extn_value.as_bytes().last().expect("a reason")))
}

fn number(crl: &CertificateList) -> Vec<u8> {
    let extensions = crl.tbs_cert_list.crl_extensions.as_deref().unwrap_or_default();
    let number = extensions.iter().find(|one| one.extn_id.to_string() == "2.5.29.20");
    number.expect("CRL-01: a CRL number").extn_value.as_bytes().to_vec()
}

// [REV-01] [AUT-09]
#[tokio::test]
async fn a_certificate_revokes_itself_as_often_as_it_likes() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    for _ in 0..2 {
        let answer: Revocation = bank.revoke_itself(&user.pair, "keyCompromise").await.object(200);
        assert_eq!(answer.revoked, [user.pair.cert_id()]);
    }
    bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);
    let problem = bank.log_on_for(&user.pair, "renewal").await.refused(Token::CertificateRevoked);
    assert_eq!(problem.remedy.action.as_str(), "reissueByAdministrator");
    let by = bank.log_on(&bank.administrator().await.pair).await;
    assert_eq!(bank.revoke(&by, &user.pair, false).await, [user.pair.cert_id()]);
}

// [REV-02]
#[tokio::test]
async fn a_certificate_revokes_no_other_and_no_successor() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let (new, _) = bank.renew(&user).await;
    let by = By::Certificate(user.pair.clone());
    for target in [&other.pair, &new] {
        let payload = json!({ "certID": target.cert_id().to_string(), "reason": "keyLost" });
        bank.try_revoke(&by, payload).await.refused(Token::NotAuthorized);
    }
    let payload = json!({ "certID": "AAAA.AQ", "reason": "keyLost" });
    bank.try_revoke(&by, payload).await.refused(Token::NotAuthorized);
    let own = user.pair.cert_id().to_string();
    let payload = json!({ "certID": own, "reason": "keyLost", "includeSuccessors": true });
    bank.try_revoke(&by, payload).await.refused(Token::NotAuthorized);
    assert_eq!(bank.state_of(&new), "current");
    let revoked: Revocation = bank.revoke_itself(&user.pair, "keyCompromise").await.object(200);
    assert_eq!(revoked.revoked, [user.pair.cert_id()]);
    assert_eq!(bank.state_of(&new), "current", "a stolen old key does not lock its owner out");
}

// [REV-03] [REV-04] [AUT-04] [AUT-06]
#[tokio::test]
async fn an_administrator_revokes_certificates_of_users_of_its_contract_only() {
    let bank = Bank::new().await;
    let (user, administrator) = (bank.user().await, bank.administrator().await);
    let peer = bank.administrator().await;
    let mut spec = bank.spec(Role::User);
    spec.contract = bank.new_contract("他社").await;
    let foreign = bank.person(spec).await;
    let by = bank.log_on(&administrator.pair).await;
    let ask = |cert_id: String| json!({ "certID": cert_id, "reason": "keyLost" });
    let one = bank.try_revoke(&by.by(), ask(foreign.pair.cert_id().to_string())).await;
    let other = bank.try_revoke(&by.by(), ask("AAAA.AQ".to_owned())).await;
    one.refused(Token::NotFound);
    crate::foreign::assert_alike(&one, &other);
    for person in [&peer, &administrator] {
        let answer = bank.try_revoke(&by.by(), ask(person.pair.cert_id().to_string())).await;
        answer.refused(Token::NotAuthorized);
    }
    let users = bank.log_on(&user.pair).await;
    let own = ask(user.pair.cert_id().to_string());
    bank.try_revoke(&users.by(), own).await.refused(Token::NotAuthorized);
    assert_eq!(bank.revoke(&by, &user.pair, false).await, [user.pair.cert_id()]);
}

// [REV-05] [ORD-23] [STA-02] [DUR-11]
#[tokio::test]
async fn revoking_the_predecessor_takes_its_open_order_and_unconfirmed_successor_along() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    bank.revoke(&by, &user.pair, false).await;
    assert_eq!(bank.state_of(&new), "revoked");
    let ended = bank.read_order(&order, &By::Key(key)).await;
    let Status::Invalid { error, .. } = &ended.status else { panic!("invalid") };
    assert_eq!(error.token(), Some(Token::CertificateRevoked));
    assert_eq!(error.remedy.action.as_str(), "reissueByAdministrator");
    bank.try_confirm(&order, &new, json!({})).await.refused(Token::OrderInvalid);
}

// [REV-06]
#[tokio::test]
async fn successors_go_along_on_an_administrators_request_only() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (new, _) = bank.renew(&user).await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    bank.revoke(&by, &user.pair, false).await;
    assert_eq!(bank.state_of(&new), "current");
    let mut revoked = bank.revoke(&by, &user.pair, true).await;
    revoked.sort();
    let mut expected = vec![user.pair.cert_id(), new.cert_id()];
    expected.sort();
    assert_eq!(revoked, expected);
    assert_eq!(bank.state_of(&new), "revoked");
    let problem = bank.log_on_for(&new, "renewal").await.refused(Token::CertificateRevoked);
    assert_eq!(problem.remedy.action.as_str(), "reissueByAdministrator");
}

// [CRL-01] [CRL-02] [CRL-03] [CRL-04] [CRL-05] [CRL-06] [CRL-10] [HDR-08]
#[tokio::test]
async fn the_crl_lists_what_is_revoked_with_its_reason() {
    let bank = Bank::new().await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let first = crl(&bank).await;
    for (reason, code) in [
        ("keyCompromise", Some(1)),
        ("deviceLost", Some(1)),
        ("affiliationChanged", Some(3)),
        ("cessationOfOperation", Some(5)),
        ("keyLost", None),
        ("unspecified", None),
    ] {
        let user = bank.user().await;
        let (new, _) = bank.renew(&user).await;
        bank.wait(1);
        let before = crl(&bank).await;
        assert_eq!(listed(&before, &new), None);
        bank.revoke_itself(&new, reason).await;
        bank.wait(1);
        let after = crl(&bank).await;
        assert_eq!(listed(&after, &new), Some(code), "{reason}");
        assert!(number(&after) > number(&before), "CRL-02");
        assert!(number(&before) >= number(&first));
    }
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    bank.cancel(&order, &logon).await;
    bank.wait(1);
    let last = crl(&bank).await;
    assert_eq!(listed(&last, &pair_of(&order, &key)), Some(Some(5)), "of a canceled order");
    let this = last.tbs_cert_list.this_update.to_unix_duration().as_secs();
    let next = last.tbs_cert_list.next_update.expect("CRL-05").to_unix_duration().as_secs();
    assert!(next - this <= 7 * DAY.unsigned_abs());
    drop(by);
}

// [CRL-03] [CRL-04]
#[tokio::test]
async fn an_unchanged_crl_is_served_again_and_made_anew_before_it_ends() {
    let bank = Bank::new().await;
    let first = crl(&bank).await;
    bank.wait(DAY);
    assert_eq!(crl(&bank).await, first);
    bank.wait(3 * DAY);
    assert!(number(&crl(&bank).await) > number(&first));
}

// [CRL-06] [CRL-07]
#[tokio::test]
async fn a_superseded_certificate_is_listed_when_its_right_to_roll_back_is_over() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (second, _) = bank.renew(&user).await;
    bank.set(crate::bank::at(second.not_after().unix() - 20 * DAY));
    bank.renew_pair(&second).await;
    bank.wait(7 * DAY);
    assert_eq!(listed(&crl(&bank).await, &second), None, "it may still roll back");
    bank.wait(1);
    assert_eq!(listed(&crl(&bank).await, &second), Some(Some(4)));
    let never = Bank::of(crate::bank::policy(
        "seed",
        &[("then = \"supersede\"", "then = \"untilExpiry\"")],
    ))
    .await;
    let user = never.user().await;
    let (second, _) = never.renew(&user).await;
    never.set(crate::bank::at(second.not_after().unix() - 20 * DAY));
    never.renew_pair(&second).await;
    never.wait(8 * DAY);
    assert_eq!(listed(&crl(&never).await, &second), None);
}
