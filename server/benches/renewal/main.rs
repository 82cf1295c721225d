//! What a renewal costs the bank, against what its signatures alone would cost.
//!
//! ```text
//! cargo bench -p koshin-server                    # everything, some minutes
//! cargo bench -p koshin-server -- --quick         # everything, small, for CI
//! cargo bench -p koshin-server -- renewals        # or: nonces, sessions, store
//! ```
//!
//! The bank runs in a process of its own, this program started again, so that its CPU time is
//! apart from its clients'. It is a bank as `init` makes it, with the seed's policy: real TLS 1.3,
//! `SQLite` flushed at every commit; the subjects have no PIN. Every renewal has a subject of its own
//! and is logon, order and confirmation on a connection that is kept.
//!
//! Whatever is compared is measured in one run, alternating, so that what slows the machine slows
//! all of it; of the rounds minimum, median and 90th percentile are printed. CPU time is the
//! scheduler's account of the bank's threads; latency and throughput are of a machine that the
//! clients share with the bank.

mod bare;
mod client;
mod cpu;
mod figures;
mod flat;
mod large;
mod process;
mod renewals;
mod subjects;

use std::error::Error;

/// What can go wrong ends the run.
type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    Quick,
    Full,
}

impl Effort {
    fn of<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, folder] = arguments.as_slice()
        && first == process::SERVE
    {
        return process::serve(folder.as_ref());
    }
    let mut effort = Effort::Full;
    let mut parts = Vec::new();
    for argument in &arguments {
        match argument.as_str() {
            // Cargo says that this is a bench.
            "--bench" => {}
            "--quick" => effort = Effort::Quick,
            part @ ("renewals" | "nonces" | "sessions" | "store") => parts.push(part),
            other => {
                return Err(format!(
                    "{other:?} is none of renewals, nonces, sessions, store, --quick"
                )
                .into());
            }
        }
    }
    let wanted = |part| parts.is_empty() || parts.contains(&part);
    // One thread for all clients leaves the other cores to the bank.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if wanted("renewals") {
            renewals::measure(effort).await?;
        }
        if wanted("nonces") {
            flat::nonces(effort).await?;
        }
        if wanted("sessions") {
            flat::sessions(effort).await?;
        }
        if wanted("store") {
            large::measure(effort).await?;
        }
        Ok(())
    })
}
