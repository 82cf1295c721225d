//! A clock that is wrong for a while: what it decided is right again once it is (SPEC.md 8.4).

use koshin_protocol::order::Order;
use koshin_protocol::problem::Token;
use koshin_server::background::tidy_up;
use koshin_server::ca::Fault;
use koshin_server::issue::take_up;
use koshin_server::store::Store;
use koshin_server::store::change::{Actor, Revoke};
use koshin_server::store::row::{Reason, Role};

use crate::bank::{Bank, DAY, Setup, at};
use crate::deeds::pair_of;
use crate::person::Key;
use crate::request::By;
use crate::revocation::{crl, listed, number};

const YEAR: i64 = 365 * DAY;

/// What the bank's clock is measured as.
fn measured(bank: &Bank, name: &str) -> i64 {
    let exposition = bank.server.metrics.exposition();
    let line = exposition.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.expect("measured").parse().expect("a number")
}

async fn look(bank: &Bank) {
    bank.server.watched.look(&*bank.store).await.expect("looked");
}

// [NON-03] [NON-08]
#[tokio::test]
async fn a_jump_of_the_clock_makes_no_nonce_old_and_none_young() {
    let bank = Bank::new().await;
    let spend = |nonce: &str| bank.server.nonces.spend(nonce, bank.server.clock.uptime()).is_ok();
    for jump in [2 * YEAR, -2 * YEAR] {
        let (fresh, old) = (bank.nonce(), bank.nonce());
        bank.jump(jump);
        assert!(spend(&fresh));
        bank.wait(301);
        bank.jump(-jump - 301);
        assert!(!spend(&old));
    }
}

// [CRT-07] [CRT-13]
#[tokio::test]
async fn a_successor_of_a_clock_that_was_ahead_is_valid_once_it_is_right() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.wait(60);
    let right = bank.now();
    bank.jump(10 * DAY);
    let (new, _) = bank.renew(&user).await;
    bank.jump(-10 * DAY);
    assert!(new.certificate.not_before() <= right);
    bank.log_on(&new).await;
    bank.log_on_for(&user.pair, "renewal").await.refused(Token::CertificateSuperseded);
}

// [CRT-07] [CRT-08] [CRT-13]
#[tokio::test]
async fn a_successor_of_a_clock_that_was_behind_is_what_it_would_be_without() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    bank.jump(-3600);
    let (new, _) = bank.renew(&user).await;
    bank.jump(3600);
    bank.log_on(&new).await;
    let (its, _) = bank.renew(&other).await;
    assert_eq!(new.not_after(), its.not_after());
}

// [CRT-07] [CRT-10]
#[tokio::test]
async fn an_enrollment_lasts_by_the_time_that_had_been_steady() {
    for jump in [-2 * YEAR, 10 * DAY] {
        let bank = Bank::new().await;
        let (user, administrator) = (bank.user().await, bank.administrator().await);
        bank.wait(DAY);
        look(&bank).await;
        let by = bank.log_on(&administrator.pair).await;
        let ticket = bank.reissue(&by, &user, "keyLost").await;
        let key = Key::new();
        bank.jump(jump);
        let order: Order = bank.enroll_with(&ticket, &user.name, &key).await.object(201);
        bank.jump(-jump);
        let new = pair_of(&order, &key);
        assert_eq!(new.not_after().unix(), bank.now().unix() + YEAR);
        bank.confirm(&order, &new).await;
        bank.log_on(&new).await;
    }
}

// [CRT-07]
#[tokio::test]
async fn a_time_that_has_been_steady_for_a_day_counts_whatever_it_was_before() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.jump(10 * DAY);
    look(&bank).await;
    bank.wait(DAY);
    let (new, _) = bank.renew(&user).await;
    assert_eq!(new.certificate.not_before().unix(), bank.now().unix() - 60);
}

// [ORD-12] [DUR-02]
#[tokio::test]
async fn an_order_taken_up_by_a_clock_that_was_ahead_is_taken_up_again_once_it_is_right() {
    let bank = Bank::slow().await;
    bank.fault(Fault::Down);
    let user = bank.user().await;
    let logon = bank.log_on(&user.pair).await;
    let key = Key::new();
    let order: Order = bank.order_with(&logon, &key).await.object(201);
    bank.jump(2 * YEAR);
    assert_eq!(take_up(&bank.server).await.expect("asked"), 1);
    assert_eq!(take_up(&bank.server).await.expect("asked"), 0, "under a lease");
    bank.jump(-2 * YEAR);
    bank.fault(Fault::None);
    assert_eq!(take_up(&bank.server).await.expect("asked"), 1);
    let valid = bank.read_order(&order, &By::Key(key.clone())).await;
    let new = pair_of(&valid, &key);
    bank.confirm(&valid, &new).await;
    bank.log_on(&new).await;
}

// [CRL-02] [CRL-03] [CRL-07] [CRL-08]
#[tokio::test]
async fn a_crl_from_the_future_is_made_anew_with_a_higher_number_and_what_belongs_into_it() {
    let bank = Bank::new().await;
    let (user, other) = (bank.user().await, bank.user().await);
    let (revoked, _) = bank.renew(&other).await;
    bank.revoke_itself(&revoked, "keyCompromise").await;
    let (second, _) = bank.renew(&user).await;
    bank.set(at(second.not_after().unix() - 20 * DAY));
    bank.renew_pair(&second).await;
    let before = crl(&bank).await;
    assert_eq!(listed(&before, &revoked), Some(Some(1)));
    assert_eq!(listed(&before, &second), None, "it may still roll back");
    bank.jump(8 * DAY);
    let ahead = crl(&bank).await;
    assert_eq!(listed(&ahead, &second), Some(Some(4)));
    bank.jump(2 * YEAR);
    let far_ahead = crl(&bank).await;
    assert_eq!(listed(&far_ahead, &revoked), None, "its certificate has expired by this clock");
    bank.jump(-2 * YEAR - 8 * DAY);
    let after = crl(&bank).await;
    assert_eq!(listed(&after, &revoked), Some(Some(1)));
    assert_eq!(listed(&after, &second), None);
    assert_eq!(crl(&bank).await, after, "once");
    let numbers = [&before, &ahead, &far_ahead, &after].map(number);
    assert!(numbers.is_sorted_by(|earlier, later| earlier < later), "{numbers:?}");
    bank.wait(8 * DAY);
    assert_eq!(listed(&crl(&bank).await, &second), Some(Some(4)));
}

// [CRL-04]
#[tokio::test]
async fn a_revocation_by_a_wrong_clock_is_listed_at_once_and_does_not_make_a_crl_for_everybody_who_asks()
 {
    for jump in [2 * DAY, -2 * DAY] {
        let bank = Bank::new().await;
        let (new, _) = bank.renew(&bank.user().await).await;
        bank.wait(3600);
        crl(&bank).await;
        bank.jump(jump);
        let revoke = Revoke {
            certificate: new.cert_id(),
            reason: Reason::KeyCompromise,
            include_successors: false,
        };
        bank.store.revoke(revoke, Actor::Bank, bank.now()).await.expect("revoked");
        bank.jump(-jump);
        bank.wait(1);
        let after = crl(&bank).await;
        assert_eq!(listed(&after, &new), Some(Some(1)));
        assert_eq!(crl(&bank).await, after);
        let entries = after.tbs_cert_list.revoked_certificates.as_deref().unwrap_or_default();
        let this = after.tbs_cert_list.this_update.to_unix_duration();
        assert!(entries.iter().all(|entry| entry.revocation_date.to_unix_duration() <= this));
    }
}

// [SES-35] [SES-31]
#[tokio::test]
async fn a_session_that_was_opened_by_a_clock_that_was_ahead_is_over_once_it_is_right() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    for (ahead, is_active) in [(60, true), (61, false), (10 * DAY, false)] {
        bank.jump(ahead);
        let logon = bank.log_on(&user.pair).await;
        bank.jump(-ahead);
        assert_eq!(bank.is_active(&logon).await, is_active, "{ahead}");
        if !is_active {
            bank.order_with(&logon, &Key::new()).await.refused(Token::SessionEnded);
            let again = bank.log_on(&user.pair).await;
            assert!(bank.is_active(&again).await);
        }
    }
}

// [SES-30] [SES-31] [STA-09]
#[tokio::test]
async fn a_use_by_a_clock_that_was_ahead_keeps_no_session_beyond_its_absolute_end() {
    let bank = Bank::new().await;
    let logon = bank.log_on(&bank.user().await.pair).await;
    bank.jump(600);
    assert!(bank.is_active(&logon).await);
    bank.jump(1200 - 600);
    assert!(bank.is_active(&logon).await);
    bank.jump(-1200);
    tidy_up(&bank.server).await;
    bank.wait(1800);
    assert!(bank.is_active(&logon).await, "used half an hour ahead");
    bank.jump(3600);
    bank.jump(-3600);
    bank.wait(1801);
    bank.read(&logon.url, &logon.by()).await.refused(Token::SessionEnded);
}

// [STA-09] [STA-06]
#[tokio::test]
async fn sessions_are_forgotten_while_the_clock_has_been_steady_for_longer_than_they_last() {
    let count = |bank: &Bank| -> i64 {
        let count = bank.sql().query_row("SELECT count(*) FROM session", [], |row| row.get(0));
        count.expect("a count")
    };
    let bank = Bank::new().await;
    let logon = bank.log_on(&bank.user().await.pair).await;
    bank.jump(2 * YEAR);
    tidy_up(&bank.server).await;
    bank.jump(-2 * YEAR);
    assert!(bank.is_active(&logon).await);
    bank.jump(2 * YEAR);
    tidy_up(&bank.server).await;
    bank.wait(3600);
    tidy_up(&bank.server).await;
    assert_eq!(count(&bank), 1);
    bank.wait(1);
    tidy_up(&bank.server).await;
    assert_eq!(count(&bank), 0, "an hour has passed, whichever time is right");
    let mut spec = bank.spec(Role::User);
    spec.not_before = at(bank.now().unix() - 3 * YEAR);
    let user = bank.person(spec).await;
    bank.log_on(&user.pair).await;
    bank.jump(-2 * YEAR);
    tidy_up(&bank.server).await;
    assert_eq!(count(&bank), 1);
    bank.wait(3601);
    tidy_up(&bank.server).await;
    assert_eq!(count(&bank), 0, "it would come to life two years from now");
}

// [TIM-05]
#[tokio::test]
async fn jumps_are_counted_with_the_newest_ones_length_and_a_sleep_is_none() {
    let bank = Bank::new().await;
    bank.wait(8 * 3600);
    look(&bank).await;
    assert_eq!(measured(&bank, "koshin_clock_jumps_total"), 0);
    bank.jump(10 * DAY);
    look(&bank).await;
    look(&bank).await;
    assert_eq!(measured(&bank, "koshin_clock_jump_seconds"), 10 * DAY);
    bank.jump(-10 * DAY);
    look(&bank).await;
    assert_eq!(measured(&bank, "koshin_clock_jump_seconds"), -10 * DAY);
    assert_eq!(measured(&bank, "koshin_clock_jumps_total"), 2);
}

// [TIM-05]
#[tokio::test]
async fn a_clock_behind_the_newest_audit_record_is_a_warning_from_the_start_until_it_is_not() {
    const BEHIND: &str = "koshin_clock_behind_audit_seconds";
    let bank = Bank::new().await;
    let user = bank.user().await;
    look(&bank).await;
    assert_eq!(measured(&bank, BEHIND), 0);
    bank.jump(2 * YEAR);
    look(&bank).await;
    assert_eq!(measured(&bank, BEHIND), 0, "nothing was written since");
    bank.new_contract("another").await;
    bank.jump(-2 * YEAR);
    look(&bank).await;
    assert_eq!(measured(&bank, BEHIND), 2 * YEAR);
    assert_eq!(
        bank.server.metrics.warnings(),
        ["the clock is 730 days behind the newest audit record"]
    );
    bank.log_on(&user.pair).await;
    let bank = bank.restarted(Setup::default());
    look(&bank).await;
    bank.wait(1);
    look(&bank).await;
    assert_eq!(measured(&bank, BEHIND), 2 * YEAR - 1);
    bank.wait(2 * YEAR);
    look(&bank).await;
    assert_eq!(measured(&bank, BEHIND), 0);
    assert!(bank.server.metrics.warnings().is_empty());
}

// [TIM-05]
#[tokio::test]
async fn a_newer_record_of_its_chain_ends_the_warning_of_one_from_the_future() {
    const BEHIND: &str = "koshin_clock_behind_audit_seconds";
    let bank = Bank::new().await;
    let user = bank.user().await;
    bank.jump(DAY);
    bank.log_on(&user.pair).await;
    bank.jump(-DAY);
    look(&bank).await;
    assert_eq!(measured(&bank, BEHIND), DAY);
    bank.log_on(&user.pair).await;
    bank.wait(60);
    look(&bank).await;
    assert_eq!(measured(&bank, BEHIND), 0);
}
