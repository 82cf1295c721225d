//! kill -9 of the real program, under load, hundreds of times: nothing that a client saw acknowledged is lost, and the
//! bank's invariants hold after every start (DESIGN's invariants 1, 3, 4, 6 and 7; SPEC.md 10.7).
//!
//! Several banks live side by side. Customers log on, order, cancel, confirm, roll back and so on over TLS, each deciding
//! by dice, some of them two machines with one certificate. After so many acknowledgements, and a moment, the bank gets
//! SIGKILL; now and then once more while it starts. It starts again, and what it has is compared with what the customers
//! wrote down; the customers themselves go on from what they kept, and accept no answer that a kill does not explain.
//!
//! `KOSHIN_TEST_SEED=1234 cargo test -p koshin-server --test kill` repeats a run: the same decisions and instants, as far
//! as the scheduler allows. `KOSHIN_TEST_KILLS` asks for another number of kills.

#![allow(missing_docs, unreachable_pub, reason = "a test names its rule, and nobody imports it")]

mod bank;
mod customer;
mod dice;
mod holder;
#[path = "../store/invariants.rs"]
mod invariants;
mod ledger;
mod line;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use koshin_server::audit;
use koshin_server::store::Store;
use koshin_server::rule::command::Actor;
use tokio::task::JoinSet;

use crate::bank::{Bank, now};
use crate::customer::Customer;
use crate::dice::Dice;
use crate::ledger::{Kind, Ledger};
use crate::line::Address;

/// Under load, of all banks together.
const KILLS: u64 = 208;
/// Banks at once.
const BANKS: u64 = 2;
/// After so many kills a bank is done, so that checking it stays quick.
const LIVES: u64 = 26;

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number"))
}

// [DUR-01] [DUR-02] [DUR-03] [DUR-10] [DUR-12]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_client_saw_acknowledged_survives_every_kill() {
    let seed = number("KOSHIN_TEST_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
        u64::from(since.subsec_nanos())
    });
    let kills = number("KOSHIN_TEST_KILLS").unwrap_or(KILLS);
    println!("KOSHIN_TEST_SEED={seed}");
    let mut running = JoinSet::new();
    let mut total = Ledger::default();
    let mut killed = 0;
    let mut begun = 0;
    while killed < kills {
        while running.len() < usize::try_from(BANKS).expect("few") && begun * LIVES < kills {
            let lives = LIVES.min(kills - begun * LIVES);
            running.spawn(life(Dice::new(seed.wrapping_add(begun)), lives));
            begun += 1;
        }
        let (ledger, lives) = running.join_next().await.expect("a bank").expect("no panic");
        killed += lives;
        total.take_in(ledger);
    }
    println!("{killed} kills under load, and {} acknowledged: {:?}", total.len(), total.kinds());
    if kills >= KILLS {
        // What was never acknowledged was never tested.
        for kind in Kind::ALL {
            assert!(total.kinds().contains_key(&kind), "no {kind:?} was ever acknowledged");
        }
    }
}

/// One bank, from its making to its last kill.
async fn life(mut dice: Dice, lives: u64) -> (Ledger, u64) {
    let bank = Bank::new();
    let ledger = Arc::new(Ledger::default());
    let mut customers = Customer::several(&bank, &mut dice).await;
    for _ in 0..lives {
        let process = bank.start();
        check(&bank, &ledger).await;
        for customer in &customers {
            if let Some(subject) = customer.to_unlock(&bank.sql()) {
                bank.store().unlock(subject, Actor::Bank, now()).await.expect("unlocked");
            }
        }
        let address = Address::of(&bank, &process);
        let enough = ledger.len() + dice.below(60) + 1;
        let mut load = JoinSet::new();
        for customer in customers.drain(..) {
            load.spawn(customer.work(address.clone(), ledger.clone()));
        }
        tokio::select! {
            () = ledger.reaches(enough) => {}
            ended = load.join_next() => {
                let ended = ended.expect("customers").map(|customer| customer.name());
                panic!("a customer ended although nobody killed the bank: {ended:?}\n{}", bank.log());
            }
            () = tokio::time::sleep(Duration::from_mins(1)) => panic!("nothing goes on\n{}", bank.log()),
        }
        tokio::time::sleep(Duration::from_micros(dice.below(9_000))).await;
        process.kill();
        while let Some(customer) = load.join_next().await {
            customers.push(customer.expect("no panic"));
        }
        customers.sort_by_key(Customer::name);
        if dice.below(8) == 0 {
            // While it starts, and takes up what the last one left.
            let process = bank.spawn();
            tokio::time::sleep(Duration::from_millis(dice.below(80))).await;
            process.kill();
        }
    }
    let process = bank.start();
    check(&bank, &ledger).await;
    process.kill();
    assert!(!bank.log().contains("a panic"), "{}", bank.log());
    (Arc::into_inner(ledger).expect("nobody else has it"), lives)
}

/// The serving bank has what was acknowledged, and breaks no rule.
async fn check(bank: &Bank, ledger: &Ledger) {
    ledger.check(&bank.sql());
    invariants::check(bank);
    let store = bank.store();
    audit::verify(&*store, None).await.expect("the audit is sound");
    let integrity = store.integrity().await.expect("checked");
    assert_eq!(integrity.findings, Vec::<String>::new());
}
