//! A clock that is wrong for a while: what it decided is right again once it is (SPEC.md 8.4).

use crate::bank::{Bank, DAY};

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
