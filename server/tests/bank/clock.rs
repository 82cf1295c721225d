//! A clock that is wrong for a while: what it decided is right again once it is (SPEC.md 8.4).

use koshin_server::store::Store;
use koshin_server::store::change::{Actor, Revoke};
use koshin_server::store::row::Reason;

use crate::bank::{Bank, DAY, at};
use crate::revocation::{crl, listed, number};

const YEAR: i64 = 365 * DAY;

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
