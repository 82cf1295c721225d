//! A bank restored from an older backup (SPEC.md 14.4, Annex A), under each policy that comes with the program.

use koshin_protocol::problem::Token;
use koshin_server::policy::SHIPPED;
use koshin_server::store::Store;
use koshin_server::store::backup::Backup;
use koshin_server::store::change::Actor;
use koshin_server::store::row::Role;

use crate::answer::Answer;
use crate::bank::{Bank, DAY, Setup, at, policy};
use crate::deeds::pair_of;
use crate::person::{Key, Pair, Person, Spec};
use crate::revocation::{crl, listed, number};

const PIN: &str = "4815";

fn setup(name: &str) -> Setup {
    Setup { policy: policy(name, &[]), ..Setup::default() }
}

/// A bank with an operator who may accept a loss.
async fn bank(name: &str) -> Bank {
    let bank = Bank::with(setup(name)).await;
    let (operator, hash) = ("sato".to_owned(), "hash".to_owned());
    let added = bank.store.add_operator(operator, hash, Actor::Bank, bank.now()).await;
    added.expect("an operator");
    bank
}

/// Somebody whose certificate this bank issued.
async fn renewed_once(bank: &Bank) -> Person {
    let pin = bank.server.policy.pin.as_ref().map(|_| PIN);
    let mut person = bank.person(Spec { pin, ..bank.spec(Role::User) }).await;
    person.pair = renew(bank, &person.pair).await;
    person
}

/// The first second in which the person may renew.
fn window_opens(bank: &Bank, person: &Person) {
    bank.set(bank.server.policy.window(person.pair.not_after()).opens);
}

async fn log_on(bank: &Bank, pair: &Pair) -> Answer {
    match bank.server.policy.pin {
        Some(_) => bank.log_on_with(pair, PIN).await,
        None => bank.log_on_for(pair, "renewal").await,
    }
}

/// What a customer's program does, with nobody's help.
async fn renew(bank: &Bank, pair: &Pair) -> Pair {
    let answer = log_on(bank, pair).await;
    let logon = bank.logged_on(pair, &answer);
    let key = Key::new();
    let order = bank.order(&logon, &key).await;
    let new = pair_of(&order, &key);
    bank.confirm(&order, &new).await;
    new
}

/// Days after the renewal: at once, in the rollback period, after it, and after every period of grace.
const LATER: [i64; 4] = [0, 3, 8, 15];

// [DUR-22] [DUR-23] [DUR-24] [CRL-02] [CRL-07]
#[tokio::test]
async fn under_every_policy_who_renewed_after_the_backup_renews_once_more_with_the_old_pair() {
    for (name, _) in SHIPPED {
        for days in LATER {
            let bank = bank(name).await;
            let (renews, stays) = (renewed_once(&bank).await, renewed_once(&bank).await);
            window_opens(&bank, &stays);
            let backup = bank.folder.path().join("backup.db");
            bank.store.backup(Backup::to(&backup)).await.expect("a backup");
            let new = renew(&bank, &renews.pair).await;
            bank.set(at(bank.now().unix() + days * DAY));
            let before = crl(&bank).await;

            let bank = bank.restored(setup(name), &backup).await;
            let after = crl(&bank).await;
            assert!(number(&after) > number(&before), "{name}, {days} days");
            for pair in [&renews.pair, &stays.pair] {
                assert_eq!(listed(&after, pair), None, "{name}, {days} days");
            }
            log_on(&bank, &new).await.refused(Token::CertificateUnknown);
            for pair in [&renews.pair, &stays.pair] {
                let newest = renew(&bank, pair).await;
                assert_eq!(bank.state_of(&newest), "current", "{name}, {days} days");
                assert_eq!(bank.state_of(pair), "superseded", "{name}, {days} days");
                let logged_on = log_on(&bank, &newest).await;
                assert_eq!(logged_on.status.as_u16(), 201, "{name}, {days} days");
            }
        }
    }
}

// [DUR-23]
#[tokio::test]
async fn under_every_policy_who_renewed_before_the_backup_goes_on_with_the_new_pair() {
    for (name, _) in SHIPPED {
        let bank = bank(name).await;
        let person = renewed_once(&bank).await;
        window_opens(&bank, &person);
        let new = renew(&bank, &person.pair).await;
        let backup = bank.folder.path().join("backup.db");
        bank.store.backup(Backup::to(&backup)).await.expect("a backup");
        bank.wait(15 * DAY);
        let before = listed(&crl(&bank).await, &person.pair);
        let bank = bank.restored(setup(name), &backup).await;
        assert_eq!(listed(&crl(&bank).await, &person.pair), before, "{name}: as before");
        log_on(&bank, &person.pair).await.refused(Token::CertificateSuperseded);
        assert_eq!(log_on(&bank, &new).await.status.as_u16(), 201, "{name}");
        assert_eq!(bank.state_of(&new), "current", "{name}");
    }
}
