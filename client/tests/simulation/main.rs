//! Client, bank and network in simulated time, under crashes, partitions, held and lost messages, failing disks and wrong
//! clocks, all decided by a seed.
//!
//! The client is the library, on a disk in memory that is harsher than any real one; the bank is the real one with its real
//! database; between them is real HTTP on turmoil's network. Keys, nonces and identifiers are random all the same, so that a seed
//! gives the same course of events and not the same bytes.
//!
//! ```sh
//! # one again, with its trace
//! KOSHIN_SIMULATION_SEED=1234 cargo test -p koshin-client --test simulation seed_brings -- --nocapture
//! # more than the 2,000
//! KOSHIN_SIMULATION_SEEDS=50000 cargo test -p koshin-client --test simulation seed_brings
//! ```

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod bank;
mod chance;
mod check;
mod design;
#[path = "../disk/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod disk;
#[path = "../broken/files.rs"]
mod files;
mod machine;
mod network;
mod plan;
mod time;
mod trace;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use design::Design;
use world::{Course, simulate};

/// As many run in CI.
const SEEDS: u64 = 2_000;

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is no number: {value}")))
}

/// Simulates seeds on two threads until `enough` of one, and returns that one with its course.
fn first(
    seeds: u64,
    design: Design,
    enough: impl Fn(&Course) -> bool + Sync,
) -> Option<(u64, Course)> {
    let (next, found) = (AtomicU64::new(0), Mutex::new(None));
    let work = || {
        while found.lock().unwrap().is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return;
            }
            let course = simulate(seed, design);
            if enough(&course) {
                found.lock().unwrap().get_or_insert((seed, course));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    found.into_inner().unwrap()
}

// [CLI-10] [CLI-11] [CLI-23] [CLI-32] [CLI-50] [CLI-64] [CLI-85]
#[test]
fn whatever_a_seed_brings_there_is_a_pair_that_works_at_every_instant_and_renewal_ends() {
    if let Some(seed) = number("KOSHIN_SIMULATION_SEED") {
        let course = simulate(seed, Design::Koshin);
        println!("{}", course.trace.join("\n"));
        if let Some(broken) = course.broken {
            panic!("seed {seed}: {broken}");
        }
        return;
    }
    let seeds = number("KOSHIN_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let (faults, requests) = (AtomicU64::new(0), AtomicU64::new(0));
    let broken = first(seeds, Design::Koshin, |course| {
        faults.fetch_add(course.faults, Ordering::Relaxed);
        requests.fetch_add(course.requests, Ordering::Relaxed);
        course.broken.is_some()
    });
    println!("{seeds} seeds, {faults:?} faults, {requests:?} requests");
    if let Some((seed, Course { trace, broken: Some(broken), .. })) = broken {
        panic!(
            "{}\nseed {seed}: {broken}\nagain: KOSHIN_SIMULATION_SEED={seed} cargo test -p koshin-client --test simulation seed_brings -- --nocapture",
            trace.join("\n"),
        );
    }
}

#[test]
fn the_same_seed_takes_the_same_course() {
    for seed in 0..24 {
        let (once, again) = (simulate(seed, Design::Koshin), simulate(seed, Design::Koshin));
        for (at, (one, other)) in once.trace.iter().zip(&again.trace).enumerate() {
            assert_eq!(one, other, "seed {seed}, line {at}");
        }
        assert_eq!(once.trace.len(), again.trace.len(), "seed {seed}");
    }
}

/// The seed by which a broken design was found to have lost a pair.
fn found(design: Design) -> u64 {
    let found =
        first(SEEDS, design, |course| course.broken.as_ref().is_some_and(check::Broken::is_loss));
    let (seed, course) = found.unwrap_or_else(|| panic!("{design:?} was not found out"));
    println!("{design:?} is found out by seed {seed}: {}", course.broken.unwrap());
    seed
}

#[test]
fn missing_syncs_are_found_out() {
    found(Design::NoSync);
}

#[test]
fn a_repeated_sync_is_found_out() {
    found(Design::SyncAgain);
}

#[test]
fn switching_before_the_check_is_found_out() {
    found(Design::SwitchBeforeCheck);
}

#[test]
fn writing_in_place_is_found_out() {
    found(Design::InPlace);
}
