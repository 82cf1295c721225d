//! kill -9: what was acknowledged is there when the store opens again.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use koshin_protocol::state::order::Status;
use koshin_server::audit;
use koshin_server::store::Store;
use koshin_server::id::OrderId;
use koshin_server::rule::row::Role;
use koshin_server::registry::Registry;
use koshin_server::store::sqlite::Sqlite;

use crate::bank::{Bank, certificate_of};
use crate::invariants;

/// Set for the child: the folder to work in.
const FOLDER: &str = "KOSHIN_TEST_CRASH_FOLDER";
const ROUNDS: u32 = 8;

/// Renews certificates for ever, on many tasks, saying each thing that the store acknowledged.
/// Does nothing unless the test below starts it.
#[test]
fn child_that_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        let bank = Arc::new(Bank::at(folder.as_ref()).await);
        let tasks: Vec<_> =
            (0..16).map(|task| tokio::spawn(renew_for_ever(bank.clone(), task))).collect();
        for task in tasks {
            task.await.expect("never ends");
        }
    });
}

async fn renew_for_ever(bank: Arc<Bank>, task: u32) {
    for turn in 0_u64.. {
        let person =
            bank.person(&format!("{} {task} {turn}", std::process::id()), Role::User).await;
        let session = bank.session(&person.certificate).await;
        let n = Bank::fresh_key();
        let placed = bank.place(&person, session, n).await.expect("placed");
        println!("\nvalid {}", placed.order.id);
        if turn % 3 == 0 {
            bank.cancel(session, placed.order.id, n).await.expect("canceled");
            println!("\ncanceled {}", placed.order.id);
        } else {
            bank.confirm(placed.order.id, &certificate_of(&placed.order)).await.expect("confirmed");
            println!("\ncompleted {}", placed.order.id);
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "crash::child_that_is_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        // Killed after so many acknowledgements, and while further jobs are under way.
        let killer = std::thread::spawn(move || {
            let mut said: Vec<(String, OrderId)> = Vec::new();
            let mut alive = true;
            for line in lines.map_while(Result::ok) {
                if let Some((what, id)) = line.split_once(' ')
                    && let Ok(id) = id.parse()
                {
                    said.push((what.to_owned(), id));
                }
                if alive && said.len() > 60 + 17 * round as usize {
                    std::thread::sleep(Duration::from_millis(u64::from(round)));
                    child.kill().expect("SIGKILL");
                    alive = false;
                }
            }
            child.wait().expect("it ended");
            said
        });
        let said = killer.join().expect("no panic");
        acknowledged += said.len();
        let bank = Bank::at(folder.path()).await;
        for (what, id) in said {
            let order = bank.store.order(id).await.expect("read").expect("acknowledged: there");
            let status = order.state.status();
            match what.as_str() {
                "valid" => assert_ne!(status, Status::Processing),
                "canceled" => assert_eq!(status, Status::Canceled),
                "completed" => assert_eq!(status, Status::Completed),
                other => panic!("{other}"),
            }
        }
        invariants::check(&bank.sql(), &*bank.sqlite);
        audit::verify(&*bank.sqlite, None).await.expect("the audit is sound");
        let integrity = bank.sqlite.integrity().await.expect("checked");
        assert_eq!(integrity.findings, Vec::<String>::new());
    }
    println!("{acknowledged} acknowledgements over {ROUNDS} kills, none lost");
}

#[tokio::test]
async fn a_closed_store_opens_again_with_everything() {
    let bank = Bank::new().await;
    let person = bank.user().await;
    let (new, order) = bank.renew(&person).await;
    bank.sqlite.close();
    let again = Registry::new(Arc::new(Sqlite::open(bank.sqlite.path()).expect("opens")));
    let there = again.order(order).await.expect("read").expect("there");
    assert_eq!(certificate_of(&there), new.certificate);
}
