//! Reissue (SPEC.md 7.15, 7.16, 10.4, 13.1).

use koshin_protocol::order::{Order, Status as OrderStatus};
use koshin_protocol::problem::Token;
use koshin_protocol::reissue::Reissue;
use koshin_server::rule::row::Role;
use serde_json::json;

use crate::bank::{Bank, DAY, at};
use crate::deeds::{Ticket, pair_of};
use crate::person::Key;
use crate::request::By;

// [REI-01] [REI-02] [REI-03] [REI-12] [HDR-04]
#[tokio::test]
async fn a_reissue_is_made_once_for_an_id_and_content() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let ticket = Ticket::new();
    let payload = bank.new_reissue(&user, "keyLost", &ticket);
    let first: Reissue = bank.try_reissue(&by, payload.clone()).await.object(201);
    let life = first.expires.seconds_since(first.created);
    assert_eq!(life, 14 * DAY, "the code's life of the seed's policy");
    bank.wait(60);
    let answer = bank.try_reissue(&by, payload.clone()).await;
    assert_eq!(answer.location(), bank.reissue_url(&ticket));
    assert_eq!(answer.object::<Reissue>(200), first);
    for (member, value) in [
        ("reason", json!("unspecified")),
        ("enrollmentKey", serde_json::to_value(Key::new().public()).expect("a JWK")),
        ("subject", json!(other.subject.to_string())),
        ("subjectName", json!("CN=Somebody Else")),
    ] {
        let mut changed = payload.clone();
        changed[member] = value;
        bank.try_reissue(&by, changed).await.refused(Token::ReissueConflict);
    }
    assert_eq!(bank.read_reissue(&by, &ticket).await, first);
}

// [REI-04] [REI-05] [REI-06] [REI-11] [AUT-04] [KEY-01] [KEY-02]
#[tokio::test]
async fn a_reissue_is_for_a_user_of_the_own_contract_by_its_right_name_and_key() {
    let bank = Bank::new().await;
    let (user, administrator) = (bank.user().await, bank.administrator().await);
    let peer = bank.administrator().await;
    let by = bank.log_on(&administrator.pair).await;
    let elsewhere = bank.new_contract("他社").await;
    let mut spec = bank.spec(Role::User);
    spec.contract = elsewhere;
    let foreign = bank.person(spec).await;
    let ask = |person: &crate::person::Person, member: &str, value: serde_json::Value| {
        let mut payload = bank.new_reissue(person, "keyLost", &Ticket::new());
        if !member.is_empty() {
            payload[member] = value;
        }
        payload
    };
    let absent = "AAAAAAAAAAAAAAAAAAAAAA";
    bank.try_reissue(&by, ask(&foreign, "", json!(0))).await.refused(Token::SubjectUnknown);
    bank.try_reissue(&by, ask(&user, "subject", json!(absent)))
        .await
        .refused(Token::SubjectUnknown);
    bank.try_reissue(&by, ask(&user, "subject", json!("u-1"))).await.refused(Token::SubjectUnknown);
    for person in [&administrator, &peer] {
        let problem = bank
            .try_reissue(&by, ask(person, "", json!(0)))
            .await
            .refused(Token::ReissueNotAllowed);
        assert_eq!(problem.remedy.action.as_str(), "reissueAtBranch");
    }
    let name = json!("CN=Somebody Else");
    bank.try_reissue(&by, ask(&user, "subjectName", name)).await.refused(Token::SubjectMismatch);
    let p384 = Key::of(koshin_protocol::algorithm::Algorithm::Es384);
    let good = serde_json::to_value(Key::new().public()).expect("a JWK");
    let mut private = good.clone();
    private["d"] = json!("AAAA");
    let mut off_curve = good.clone();
    off_curve["x"] = off_curve["y"].clone();
    for key in [serde_json::to_value(p384.public()).expect("a JWK"), private, off_curve, json!({})]
    {
        let answer = bank.try_reissue(&by, ask(&user, "enrollmentKey", key)).await;
        answer.refused(Token::BadPublicKey);
    }
    let users = bank.log_on(&user.pair).await;
    bank.try_reissue(&users, ask(&user, "", json!(0))).await.refused(Token::NotAuthorized);
    assert!(bank.is_active(&users).await, "CHK-03: nothing was changed");
}

// [REI-08] [ORD-23] [SES-32] [STA-06]
#[tokio::test]
async fn a_reissue_ends_sessions_and_open_orders_of_the_subject() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    bank.reissue(&by, &user, "keyLost").await;
    bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);
    let ended = bank.read_order(&order, &By::Key(key)).await;
    let OrderStatus::Invalid { error, .. } = &ended.status else { panic!("invalid: {ended:?}") };
    assert_eq!(error.token(), Some(Token::OrderInvalid));
    assert_eq!(bank.receipt(&ended).status.as_str(), "invalid");
    assert_eq!(bank.state_of(&new), "revoked");
    assert_eq!(bank.state_of(&user.pair), "current");
}

// [REI-09] [REI-10] [CRL-06]
#[tokio::test]
async fn only_a_compromise_or_a_lost_device_revokes_at_once() {
    for reason in [
        "keyCompromise",
        "deviceLost",
        "keyLost",
        "affiliationChanged",
        "cessationOfOperation",
        "unspecified",
    ] {
        let at_once = matches!(reason, "keyCompromise" | "deviceLost");
        let bank = Bank::new().await;
        let user = bank.user().await;
        let (new, _) = bank.renew(&user).await;
        let by = bank.log_on(&bank.administrator().await.pair).await;
        bank.reissue(&by, &user, reason).await;
        let expected = if at_once { ["revoked", "revoked"] } else { ["superseded", "current"] };
        assert_eq!([bank.state_of(&user.pair), bank.state_of(&new)], expected, "{reason}");
        let code: Option<u8> = match reason {
            "keyCompromise" | "deviceLost" => Some(1),
            _ => None,
        };
        if at_once {
            let listed: Option<u8> = bank
                .sql()
                .query_row(
                    "SELECT crl_reason FROM revocation WHERE serial = ?1",
                    [new.certificate.serial()],
                    |row| row.get(0),
                )
                .expect("listed");
            assert_eq!(listed, code);
        }
    }
}

// [ORD-13] [REI-08] [ORD-05]
#[tokio::test]
async fn a_pending_reissue_does_not_forbid_a_renewal_and_redeeming_ends_it() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let ticket = bank.reissue(&by, &user, "keyLost").await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let enrolled = Key::new();
    let enrollment: Order = bank.enroll_with(&ticket, &user.name, &enrolled).await.object(201);
    bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);
    let ended = bank.read_order(&order, &By::Key(key)).await;
    assert_eq!(ended.status.name().as_str(), "invalid");
    let logon = bank.log_on(&user.pair).await;
    assert_eq!(logon.session.order, Some(enrollment.url.clone()));
    bank.order_with(&logon, &Key::new()).await.refused(Token::OrderExists);
}

// [REI-07] [REI-21] [STA-07] [STA-08] [ENR-13]
#[tokio::test]
async fn a_newer_reissue_voids_the_former_one_and_its_order() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let first = bank.reissue(&by, &user, "keyLost").await;
    let second = bank.reissue(&by, &user, "keyLost").await;
    assert_eq!(bank.read_reissue(&by, &first).await.status.name().as_str(), "voided");
    let problem = bank.enroll_with(&first, &user.name, &Key::new()).await;
    problem.refused(Token::EnrollmentCanceled);
    let key = Key::new();
    let order: Order = bank.enroll_with(&second, &user.name, &key).await.object(201);
    let new = pair_of(&order, &key);
    bank.reissue(&by, &user, "keyLost").await;
    assert_eq!(bank.read_reissue(&by, &second).await.status.name().as_str(), "voided");
    assert_eq!(bank.state_of(&new), "revoked");
    let again: Order = bank.enroll_with(&second, &user.name, &key).await.object(200);
    let OrderStatus::Invalid { error, .. } = &again.status else { panic!("invalid") };
    assert_eq!(error.token(), Some(Token::EnrollmentCanceled));
    bank.try_confirm(&order, &new, json!({})).await.refused(Token::OrderInvalid);
}

// [REI-20] [REI-21] [REI-22] [STA-07]
#[tokio::test]
async fn an_open_reissue_is_canceled_with_its_order_and_a_closed_one_is_not() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let pending = bank.reissue(&by, &user, "keyLost").await;
    for _ in 0..2 {
        let canceled: Reissue = bank.try_cancel_reissue(&by, &pending).await.object(200);
        assert_eq!(canceled.status.name().as_str(), "canceled");
    }
    bank.enroll_with(&pending, &user.name, &Key::new()).await.refused(Token::EnrollmentCanceled);

    let redeemed = bank.reissue(&by, &user, "keyLost").await;
    let key = Key::new();
    let order: Order = bank.enroll_with(&redeemed, &user.name, &key).await.object(201);
    assert_eq!(bank.read_reissue(&by, &redeemed).await.status.name().as_str(), "redeemed");
    let canceled: Reissue = bank.try_cancel_reissue(&by, &redeemed).await.object(200);
    assert_eq!(canceled.status.name().as_str(), "canceled");
    assert_eq!(bank.state_of(&pair_of(&order, &key)), "revoked");
    assert_eq!(bank.state_of(&user.pair), "current");

    let voided = bank.reissue(&by, &user, "keyLost").await;
    let expiring = bank.reissue(&by, &user, "keyLost").await;
    bank.try_cancel_reissue(&by, &voided).await.refused(Token::ReissueClosed);
    bank.wait(14 * DAY);
    let by = bank.log_on(&by.pair).await;
    assert_eq!(bank.read_reissue(&by, &expiring).await.status.name().as_str(), "pending");
    bank.wait(1);
    assert_eq!(bank.read_reissue(&by, &expiring).await.status.name().as_str(), "expired");
    bank.try_cancel_reissue(&by, &expiring).await.refused(Token::ReissueClosed);

    let completed = bank.reissue(&by, &user, "keyLost").await;
    bank.enroll(&completed, &user.name).await;
    assert_eq!(bank.read_reissue(&by, &completed).await.status.name().as_str(), "completed");
    bank.try_cancel_reissue(&by, &completed).await.refused(Token::ReissueClosed);
}

// [STA-07]
#[tokio::test]
async fn a_reissue_whose_order_became_invalid_has_failed() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    let ticket = bank.reissue(&by, &user, "keyLost").await;
    let key = Key::new();
    let order: Order = bank.enroll_with(&ticket, &user.name, &key).await.object(201);
    bank.revoke_itself(&pair_of(&order, &key), "keyCompromise").await;
    assert_eq!(bank.read_reissue(&by, &ticket).await.status.name().as_str(), "failed");
    bank.try_cancel_reissue(&by, &ticket).await.refused(Token::ReissueClosed);
    bank.enroll_with(&ticket, &user.name, &Key::new()).await.refused(Token::EnrollmentUsed);
}

// [RBK-03] [REI-08]
#[tokio::test]
async fn a_reissue_ends_the_right_to_roll_back() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.renew(&user).await;
    let by = bank.log_on(&bank.administrator().await.pair).await;
    bank.reissue(&by, &user, "keyLost").await;
    bank.log_on_for(&user.pair, "recovery").await.refused(Token::RollbackEnded);
    assert!(bank.now() < at(user.pair.not_after().unix()));
}
