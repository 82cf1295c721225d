//! Logon, the session, notice and deferral (SPEC.md 7.4 to 7.6, 8.2, 8.3, 9.1, 9.2, 9.4).

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_protocol::session::{Access, Purpose, Session};
use koshin_server::route::Route;
use koshin_server::store::Store;
use koshin_server::rule::command::Actor;
use koshin_server::rule::row::Role;
use serde_json::json;

use crate::bank::{Bank, DAY, at, policy, time};
use crate::deeds::{Logon, environment, pair_of};
use crate::person::{Key, Pair, Spec, former_ca, new_name};

async fn defer(bank: &Bank, logon: &Logon) -> crate::answer::Answer {
    let url = url_of_defer(bank, logon);
    bank.post(Operation::Defer, &url, &logon.by(), json!({})).await
}

fn url_of_defer(bank: &Bank, logon: &Logon) -> koshin_protocol::url::Url {
    let id = logon.url.as_str().rsplit('/').next().expect("an id").to_owned();
    bank.url(&Route::Defer(id))
}

async fn log_off(bank: &Bank, logon: &Logon) -> crate::answer::Answer {
    bank.post(Operation::Logoff, &logon.session.logoff, &logon.by(), json!({})).await
}

// [SES-01] [NTC-10] [NAM-01] [ENC-40] [HDR-04]
#[tokio::test]
async fn a_logon_answers_the_session_with_everything_that_belongs_to_it() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let answer = bank.log_on_for(&user.pair, "renewal").await;
    let session: Session = answer.object(201);
    assert_eq!(session.subject.id.as_str(), user.subject.to_string());
    assert_eq!(session.subject.name.as_str(), user.name.as_str());
    assert_eq!(session.certificate.cert_id, user.pair.cert_id());
    assert_eq!(session.certificate.not_after, user.pair.not_after());
    assert_eq!(session.purpose(), Purpose::Renewal);
    let notice = session.notice.expect("the window is open");
    assert_eq!(notice.expires, user.pair.not_after());
    assert_eq!(session.order, None);
    let again: Session =
        bank.read(&answer.location(), &bank.logged_on(&user.pair, &answer).by()).await.object(200);
    assert_eq!(again.subject, session.subject);
}

// [SES-20] [SES-22] [AUT-02]
#[tokio::test]
async fn a_new_logon_ends_the_former_session_of_the_same_certificate_only() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let (first, others) = (bank.log_on(&user.pair).await, bank.log_on(&other.pair).await);
    let second = bank.log_on(&user.pair).await;
    bank.read(&first.url, &first.by()).await.refused(Token::SessionEnded);
    assert!(bank.is_active(&second).await);
    assert!(bank.is_active(&others).await);
}

// [SES-21]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_logons_at_once_one_session_stays_active() {
    let bank = std::sync::Arc::new(Bank::new().await);
    let user = bank.user().await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (bank, pair) = (bank.clone(), user.pair.clone());
            tokio::spawn(async move { bank.log_on(&pair).await })
        })
        .collect();
    let mut active = 0;
    let mut logons = Vec::new();
    for task in tasks {
        logons.push(task.await.expect("no panic"));
    }
    for logon in &logons {
        active += usize::from(bank.is_active(logon).await);
    }
    assert_eq!(active, 1);
}

// [SES-15] [AUT-02]
#[tokio::test]
async fn logoff_ends_the_session_once() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    log_off(&bank, &logon).await.empty(204);
    log_off(&bank, &logon).await.refused(Token::SessionEnded);
}

// [AUT-02]
#[tokio::test]
async fn a_session_neither_reads_nor_ends_another_one() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let (mine, theirs) = (bank.log_on(&user.pair).await, bank.log_on(&other.pair).await);
    bank.read(&theirs.url, &mine.by()).await.refused(Token::SessionEnded);
    let answer = bank.post(Operation::Logoff, &theirs.session.logoff, &mine.by(), json!({})).await;
    answer.refused(Token::SessionEnded);
    let url = url_of_defer(&bank, &theirs);
    let answer = bank.post(Operation::Defer, &url, &mine.by(), json!({})).await;
    answer.refused(Token::SessionEnded);
    assert!(bank.is_active(&theirs).await);
}

// [SES-30] [SES-31] [SES-33] [JWS-20]
#[tokio::test]
async fn a_session_ends_after_ten_idle_minutes_and_sixty_in_all_to_the_second() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let began = bank.now().unix();
    let logon = bank.log_on(&user.pair).await;
    assert_eq!(logon.session.expires, at(began + 600));
    bank.set(at(began + 600));
    let read: Session = bank.read(&logon.url, &logon.by()).await.object(200);
    assert_eq!(read.expires, at(began + 1200), "a request begins the idle time anew");
    bank.set(at(began + 1201));
    bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);

    let began = bank.now().unix();
    let logon = bank.log_on(&user.pair).await;
    for minutes in (9..60).step_by(9) {
        bank.set(at(began + minutes * 60));
        assert!(bank.is_active(&logon).await, "after {minutes} minutes");
    }
    bank.set(at(began + 3600));
    let read: Session = bank.read(&logon.url, &logon.by()).await.object(200);
    assert_eq!(read.expires, at(began + 3600), "the absolute end is the earlier one");
    bank.set(at(began + 3601));
    bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);
}

// [SES-23] [SES-02]
#[tokio::test]
async fn an_open_order_outlives_its_session_and_is_found_by_the_next() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let order = bank.order(&logon, &Key::new()).await;
    log_off(&bank, &logon).await.empty(204);
    let next = bank.log_on(&user.pair).await;
    assert_eq!(next.session.order.as_ref(), Some(&order.url));
    assert_eq!(bank.read_order(&order, &next.by()).await, order);
}

// [SES-03] [CFM-04]
#[tokio::test]
async fn the_first_logon_with_an_unconfirmed_certificate_completes_its_order() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    assert_eq!(bank.state_of(&new), "unconfirmed");
    let first = bank.log_on(&new).await;
    assert_eq!(first.session.certificate.state.as_str(), "current");
    assert_eq!(first.session.order, None);
    assert_eq!(bank.read_order(&order, &first.by()).await.status.name().as_str(), "completed");
    assert_eq!(bank.state_of(&user.pair), "superseded");
    bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);
}

// [AUT-07] [SES-07] [ERR-02]
#[tokio::test]
async fn a_superseded_certificate_is_told_its_newest_successor() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (second, _) = bank.renew(&user).await;
    bank.set(at(second.not_after().unix() - DAY));
    let (third, _) = bank.renew_pair(&second).await;
    for old in [&user.pair, &second] {
        let problem = bank.log_on_for(old, "renewal").await.refused(Token::CertificateSuperseded);
        assert_eq!(problem.remedy.action.as_str(), "useSuccessor");
        let extra = koshin_protocol::problem::Extra::Successor(third.cert_id());
        assert_eq!(problem.extra, extra);
    }
}

// [AUT-07]
#[tokio::test]
async fn a_superseded_certificate_past_its_end_still_leads_to_its_successor() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.renew(&user).await;
    bank.set(at(user.pair.not_after().unix() + 1));
    for purpose in ["renewal", "recovery"] {
        bank.log_on_for(&user.pair, purpose).await.refused(Token::CertificateSuperseded);
    }
}

// [AUT-08] [AUT-10] [WIN-03]
#[tokio::test]
async fn a_certificate_logs_on_from_its_first_to_its_last_second_inclusive() {
    let bank = Bank::new().await;
    let spec = Spec {
        not_before: time("2026-11-05T00:00:00Z"),
        not_after: time("2026-11-20T08:59:59Z"),
        ..bank.spec(Role::User)
    };
    let user = bank.person(spec).await;
    bank.set(time("2026-11-04T23:59:59Z"));
    let problem =
        bank.log_on_for(&user.pair, "renewal").await.refused(Token::CertificateNotYetValid);
    assert_eq!(problem.remedy.not_before, Some(time("2026-11-05T00:00:00Z")));
    bank.set(time("2026-11-05T00:00:00Z"));
    bank.log_on(&user.pair).await;
    bank.set(time("2026-11-20T08:59:59Z"));
    bank.log_on(&user.pair).await;
    bank.set(time("2026-11-20T09:00:00Z"));
    let problem = bank.log_on_for(&user.pair, "renewal").await.refused(Token::CertificateExpired);
    assert_eq!(problem.remedy.action.as_str(), "reissueByAdministrator");
}

// [AUT-08]
#[tokio::test]
async fn a_session_whose_certificate_expires_signs_nothing_more() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.set(at(user.pair.not_after().unix() - 60));
    let logon = bank.log_on(&user.pair).await;
    bank.set(user.pair.not_after());
    assert!(bank.is_active(&logon).await);
    bank.wait(1);
    bank.read(&logon.url, &logon.by()).await.refused(Token::CertificateExpired);
    bank.order_with(&logon, &Key::new()).await.refused(Token::CertificateExpired);
}

// [AUT-12]
#[tokio::test]
async fn a_certificate_that_is_not_in_the_registry_byte_for_byte_is_unknown() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let validity = (user.pair.certificate.not_before(), user.pair.not_after());
    let stranger = former_ca().pair(&new_name(), validity);
    bank.log_on_for(&stranger, "renewal").await.refused(Token::CertificateUnknown);
    let same_key = Pair {
        key: user.pair.key.clone(),
        certificate: former_ca().issue(&user.name, user.pair.key.public(), validity),
    };
    bank.log_on_for(&same_key, "renewal").await.refused(Token::CertificateUnknown);
    let other_ca = crate::person::Ca::new().pair(&user.name, validity);
    let problem = bank.log_on_for(&other_ca, "renewal").await.refused(Token::CertificateUnknown);
    assert_eq!(problem.remedy.by.map(koshin_protocol::remedy::By::as_str), Some("branch"));
}

// [AUT-11]
#[tokio::test]
async fn a_disabled_subject_and_a_disabled_contract_sign_nothing() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    let now = bank.now();
    let disable =
        |disabled| bank.store.set_subject_disabled(user.subject, disabled, Actor::Bank, now);
    disable(true).await.expect("disabled");
    bank.log_on_for(&user.pair, "renewal").await.refused(Token::SubjectDisabled);
    bank.read(&logon.url, &logon.by()).await.refused(Token::SubjectDisabled);
    bank.try_confirm(&order, &new, json!({})).await.refused(Token::SubjectDisabled);
    bank.revoke_itself(&user.pair, "keyLost").await.refused(Token::SubjectDisabled);
    disable(false).await.expect("enabled");
    assert!(bank.is_active(&logon).await);
    bank.store
        .set_contract_disabled(bank.contract, true, Actor::Bank, now)
        .await
        .expect("disabled");
    bank.log_on_for(&user.pair, "renewal").await.refused(Token::SubjectDisabled);
}

// [ALG-01] [ALG-04]
#[tokio::test]
async fn every_algorithm_of_the_directory_logs_on_and_no_other_one_for_its_key() {
    let bank = Bank::new().await;
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Rs256] {
        let person = bank.person(Spec { algorithm, ..bank.spec(Role::User) }).await;
        bank.log_on(&person.pair).await;
        for other in ["ES256", "ES384", "EdDSA", "RS256", "PS256"] {
            let fits =
                other == algorithm.as_str() || (algorithm, other) == (Algorithm::Rs256, "PS256");
            if !fits {
                let url = bank.url(&Route::NewSession);
                let by = crate::request::By::Certificate(person.pair.clone());
                let payload = json!({ "environment": environment(), "purpose": "renewal" });
                let draft = bank.draft(Operation::NewSession, &url, &by, &payload);
                let answer = bank.deliver(draft.set("alg", other)).await;
                answer.refused(Token::BadSignatureAlgorithm);
            }
        }
    }
}

// [ENV-01] [ENV-02] [PIN-09]
#[tokio::test]
async fn an_unsupported_environment_is_refused_with_the_list_before_the_pin_is_counted() {
    let rules = "[[environment]]\nos = \"windows\"\nosVersion = \"10.0\"\n\n\
                 [[environment]]\nos = \"linux\"\n\n[crl]";
    let bank = Bank::of(policy("seed", &[("[crl]", rules)])).await;
    let user = bank.person(Spec { pin: Some("1234"), ..bank.spec(Role::User) }).await;
    let log_on = |os: &str, version: &str, pin: &str| {
        let environment =
            json!({ "os": os, "osVersion": version, "software": "s", "softwareVersion": "1" });
        let payload = json!({ "environment": environment, "purpose": "renewal", "pin": pin });
        let pair = user.pair.clone();
        let bank = &bank;
        async move { bank.try_log_on(&pair, payload).await }
    };
    for _ in 0..6 {
        let problem =
            log_on("windows", "9.12", "9999").await.refused(Token::EnvironmentUnsupported);
        assert_eq!(problem.remedy.action.as_str(), "updateEnvironment");
    }
    log_on("windows", "22H2", "1234").await.refused(Token::EnvironmentUnsupported);
    log_on("Windows", "10.0", "1234").await.refused(Token::EnvironmentUnsupported);
    let _: Session = log_on("windows", "10.0.19045", "1234").await.object(201);
    let _: Session = log_on("windows", "10", "1234").await.object(201);
    let _: Session = log_on("linux", "whatever", "1234").await.object(201);
    let anywhere = Bank::new().await;
    let user = anywhere.user().await;
    let odd = json!({ "os": "plan9", "osVersion": "?", "software": "s", "softwareVersion": "v" });
    let payload = json!({ "environment": odd, "purpose": "renewal" });
    let _: Session = anywhere.try_log_on(&user.pair, payload).await.object(201);
}

// [NTC-10] [NTC-20] [NTC-23] [WIN-01]
#[tokio::test]
async fn the_notice_comes_with_the_window_to_the_second() {
    let bank = Bank::new().await;
    let spec = Spec { not_after: time("2027-03-02T23:59:59Z"), ..bank.spec(Role::User) };
    let user = bank.person(spec).await;
    bank.set(time("2027-01-31T14:59:59Z"));
    let early = bank.log_on(&user.pair).await;
    assert_eq!(early.session.notice, None);
    defer(&bank, &early).await.refused(Token::DeferralRefused);
    bank.set(time("2027-01-31T15:00:00Z"));
    let logon = bank.log_on(&user.pair).await;
    let notice = logon.session.notice.expect("a notice");
    assert_eq!(notice.window.start(), time("2027-01-31T15:00:00Z"));
    assert_eq!(notice.window.end(), user.pair.not_after());
    assert!(notice.defer.is_some());
    bank.set(user.pair.not_after());
    assert!(bank.log_on(&user.pair).await.session.notice.is_some());
}

// [NTC-11] [NTC-20]
#[tokio::test]
async fn a_notice_before_the_window_cannot_be_deferred() {
    let bank = Bank::of(policy("seed", &[("notices = [30]", "notices = [45, 30]")])).await;
    let spec = Spec { not_after: time("2027-03-02T23:59:59Z"), ..bank.spec(Role::User) };
    let user = bank.person(spec).await;
    bank.set(time("2027-01-20T00:00:00Z"));
    let logon = bank.log_on(&user.pair).await;
    let notice = logon.session.notice.as_ref().expect("45 days before, policy reminds");
    assert_eq!(notice.defer, None);
    let problem = defer(&bank, &logon).await.refused(Token::DeferralRefused);
    assert_eq!(problem.remedy.action.as_str(), "stop");
}

// [NTC-21] [NTC-22] [NTC-24]
#[tokio::test]
async fn a_deferral_counts_once_a_session_and_changes_nothing_else() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let window = logon.session.notice.as_ref().expect("a notice").window;
    for _ in 0..3 {
        let session: Session = defer(&bank, &logon).await.object(200);
        let deferred = session.notice.expect("a notice").deferred.expect("deferred");
        assert_eq!((deferred.count.get(), deferred.last), (1, bank.now()));
    }
    bank.wait(DAY);
    let next = bank.log_on(&user.pair).await;
    let notice = next.session.notice.as_ref().expect("offered again");
    assert_eq!(notice.deferred.map(|deferred| deferred.count.get()), Some(1));
    assert_eq!(notice.window, window);
    let session: Session = defer(&bank, &next).await.object(200);
    let deferred = session.notice.expect("a notice").deferred.expect("deferred");
    assert_eq!((deferred.count.get(), deferred.last), (2, bank.now()));
    let order = bank.order(&next, &Key::new()).await;
    assert_eq!(order.status.name().as_str(), "valid");
}

// [NTC-20] [NTC-23] [ERR-02]
#[tokio::test]
async fn nothing_is_deferred_while_an_order_is_open() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let order = bank.order(&logon, &Key::new()).await;
    let session: Session = bank.read(&logon.url, &logon.by()).await.object(200);
    assert_eq!(session.notice.expect("a notice").defer, None);
    let problem = defer(&bank, &logon).await.refused(Token::DeferralRefused);
    assert_eq!(problem.remedy.action.as_str(), "resumeOrder");
    bank.cancel(&order, &logon).await;
    let _: Session = defer(&bank, &logon).await.object(200);
}

// [SES-04] [SES-05] [SES-06] [AUT-03]
#[tokio::test]
async fn a_recovery_logon_is_for_a_superseded_certificate_whose_right_exists() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let problem = bank.log_on_for(&user.pair, "recovery").await.refused(Token::NotSuperseded);
    assert_eq!(problem.remedy.action.as_str(), "logon");
    let (_, order) = bank.renew(&user).await;
    let recovery = bank.recover(&user.pair).await;
    let Access::Recovery { rollback } = &recovery.session.access else { panic!("recovery") };
    assert_eq!(*rollback, crate::deeds::below(&order, "rollback"));
    assert_eq!(recovery.session.notice, None);
    bank.order_with(&recovery, &Key::new()).await.refused(Token::SessionPurpose);
    bank.try_cancel(&order, &recovery).await.refused(Token::SessionPurpose);
    let problem = defer(&bank, &recovery).await.refused(Token::SessionPurpose);
    assert_eq!(problem.remedy.action.as_str(), "logon");
    bank.wait(7 * DAY + 1);
    bank.log_on_for(&user.pair, "recovery").await.refused(Token::RollbackEnded);

    let never = Bank::of(policy("seed", &[("rollback = \"P7D\"", "rollback = \"off\"")])).await;
    let user = never.user().await;
    never.renew(&user).await;
    never.log_on_for(&user.pair, "recovery").await.refused(Token::RollbackDisabled);
}

// [CHK-01] [SES-06] [PIN-09]
#[tokio::test]
async fn a_recovery_without_a_right_is_refused_before_environment_and_pin() {
    let bank = Bank::new().await;
    let user = bank.person(Spec { pin: Some("1234"), ..bank.spec(Role::User) }).await;
    let answer = bank.log_on_with(&user.pair, "1234").await;
    let logon = bank.logged_on(&user.pair, &answer);
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    bank.confirm(&order, &pair_of(&order, &key)).await;
    bank.wait(7 * DAY + 1);
    for _ in 0..6 {
        let payload = json!({ "environment": environment(), "purpose": "recovery", "pin": "9" });
        bank.try_log_on(&user.pair, payload).await.refused(Token::RollbackEnded);
    }
}
