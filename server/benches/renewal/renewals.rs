//! Whole renewals, by one client and by many at once.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::bare::Bare;
use crate::client::{Address, Client};
use crate::figures::{Latencies, Rounds, each};
use crate::process::Bank;
use crate::subjects::{OldCa, Subject};
use crate::{Done, Effort};

/// So many clients at once.
struct Load {
    clients: usize,
    /// Renewals of each client in one round.
    renewals: usize,
    per_second: Rounds,
    cpu: Rounds,
    ratio: Rounds,
    latencies: Latencies,
}

/// Prints renewals a second, latencies, the bank's CPU time of one, and how often the bare cost of
/// the signatures that is.
pub(crate) async fn measure(effort: Effort) -> Done {
    let rounds = effort.of(3, 9);
    let mut loads = [(1, effort.of(20, 100)), (16, effort.of(4, 20)), (64, effort.of(2, 10))].map(
        |(clients, renewals)| Load {
            clients,
            renewals,
            per_second: Rounds::default(),
            cpu: Rounds::default(),
            ratio: Rounds::default(),
            latencies: Latencies::default(),
        },
    );
    let mut bank = Bank::new()?;
    let mut old_ca = OldCa::new()?;
    let address = Address::of(&bank)?;
    let mut bare = warm_up(&mut bank, &mut old_ca, &address).await?;
    let mut bare_rounds = Rounds::default();
    for _ in 0..rounds {
        for load in &mut loads {
            let subjects = old_ca.issue(load.clients * load.renewals)?;
            bank.import(&subjects)?;
            let bare_cost = bare.measure(effort.of(50, 200))?;
            load.round(&bank, &address, subjects, bare_cost).await?;
            bare_rounds.push(each(bare_cost, 1));
        }
    }
    println!("renewals: newSession, newOrder, confirm; {rounds} rounds");
    bare_rounds.print("bare signatures, hashes, records: CPU", "us");
    for load in &loads {
        let clients = load.clients;
        load.per_second.print(&format!("{clients} clients: renewals"), "a second");
        load.latencies.print(&format!("{clients} clients: latency of a renewal"));
        load.cpu.print(&format!("{clients} clients: CPU of the bank for one"), "us");
        load.ratio.print(&format!("{clients} clients: times the bare cost"), "");
    }
    Ok(())
}

/// A few renewals that are not counted; what went over the line tells what the bare work is.
async fn warm_up(bank: &mut Bank, old_ca: &mut OldCa, address: &Address) -> Done<Bare> {
    let subjects = old_ca.issue(32)?;
    bank.import(&subjects)?;
    let mut client = Client::connect(address).await?;
    let mut bare = None;
    for subject in &subjects {
        bare = Some(client.renew(subject).await?);
    }
    Bare::new(bare.ok_or("nothing was renewed")?)
}

impl Load {
    async fn round(
        &mut self,
        bank: &Bank,
        address: &Address,
        subjects: Vec<Subject>,
        bare: Duration,
    ) -> Done {
        let count = subjects.len();
        let mut subjects = subjects.into_iter();
        let mut ready = Vec::new();
        for _ in 0..self.clients {
            let client = Client::connect(address).await?;
            ready.push((client, subjects.by_ref().take(self.renewals).collect::<Vec<_>>()));
        }
        let (cpu, began) = (bank.cpu()?, Instant::now());
        let mut running = JoinSet::new();
        for (client, own) in ready {
            running.spawn(renew_all(client, own));
        }
        while let Some(latencies) = running.join_next().await {
            self.latencies.extend(latencies??);
        }
        let (wall, cpu) = (began.elapsed(), bank.cpu_since(cpu)?);
        self.per_second.push(1e6 / each(wall, count));
        self.cpu.push(each(cpu, count));
        self.ratio.push(each(cpu, count) / each(bare, 1));
        Ok(())
    }
}

async fn renew_all(mut client: Client, subjects: Vec<Subject>) -> Done<Vec<Duration>> {
    let mut latencies = Vec::new();
    for subject in &subjects {
        let began = Instant::now();
        client.renew(subject).await?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}
