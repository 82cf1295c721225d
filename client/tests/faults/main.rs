//! The command `koshin` under faults of the real system: killed at every system call of a renewal, given errors at every
//! call on its files (strace), and losing power (a file system in a file). There is a usable pair at every instant, and the
//! next start comes to the end. Designs that are broken on purpose are caught by the same harness.
//!
//! `KOSHIN_FAULTS=all` takes every call; otherwise those that touch none of the identity's files, or do so as one before them,
//! are taken in strides, from a place on that is printed, and given again as `KOSHIN_FAULTS_SEED`.
//!
//! Without strace or xfsprogs the tests are listed as ignored; with `KOSHIN_REQUIRE_ALL=1` they fail. Where the machine itself
//! does not let a file be mounted, they are ignored in any case, with the reason.

#![allow(missing_docs, unreachable_pub, reason = "a test names its rule, and nobody imports it")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[allow(dead_code, reason = "shared with the tests of the command")]
#[path = "../command/bank.rs"]
mod bank;
#[allow(dead_code, reason = "shared with the tests at the seam")]
#[path = "../broken/files.rs"]
mod broken_files;
#[allow(dead_code, reason = "shared with the tests of the command")]
#[path = "../command/customer.rs"]
mod customer;
#[path = "../command/schema.rs"]
mod schema;

mod broken;
mod campaign;
mod design;
mod disk;
mod import;
mod judge;
mod recording;
mod tool;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use campaign::{Campaign, Report};
use design::Design;
use disk::{Cut, Disk};
use import::{Before, Import};
use recording::Call;
use tool::Missing;

type Case = fn() -> Result<(), Failed>;

const WITH_STRACE: [(&str, Case); 8] = [
    ("killed_at_every_system_call_of_a_renewal_nothing_is_lost", killed),
    ("every_call_on_a_file_fails_with_eio_and_nothing_is_lost", || failed("EIO")),
    ("every_call_on_a_file_fails_with_enospc_and_nothing_is_lost", || failed("ENOSPC")),
    ("every_call_on_a_file_is_interrupted_and_nothing_is_lost", || failed("EINTR")),
    ("switching_before_the_check_is_caught_by_kills", switching_first_is_caught),
    ("a_first_import_killed_at_every_system_call_is_made_by_the_same_command", || {
        imported(Before::Nothing, "signal=KILL")
    }),
    ("an_import_killed_at_every_system_call_leaves_the_old_pair_or_the_new_one", || {
        imported(Before::Pair, "signal=KILL")
    }),
    ("an_import_whose_calls_on_files_fail_leaves_the_old_pair_or_the_new_one", || {
        ["error=EIO", "error=ENOSPC"].iter().try_for_each(|fault| imported(Before::Pair, fault))
    }),
];

const WITH_POWER: [(&str, Case); 2] = [
    ("power_lost_at_every_call_on_a_file_nothing_is_lost", power_lost),
    ("renewing_without_syncs_is_caught_by_power_loss", no_syncs_are_caught),
];

fn main() -> ExitCode {
    if let Some(design) = broken::asked_for() {
        return broken::live(design);
    }
    tool::in_own_mount_namespace();
    let required = std::env::var_os("KOSHIN_REQUIRE_ALL").is_some_and(|value| value == "1");
    let strace = tool::strace();
    let power = strace.clone().and_then(|()| Disk::new().map(drop));
    let trial = |(name, case): (&'static str, Case), can: &Result<(), Missing>| match can.clone() {
        Ok(()) => Trial::test(name, case),
        Err(missing) => {
            let is_ignored = !(required && missing.is_a_package());
            let reason = missing.to_string();
            Trial::test(name, move || Err(missing.to_string().into()))
                .with_kind(reason)
                .with_ignored_flag(is_ignored)
        }
    };
    let trials = WITH_STRACE.map(|case| trial(case, &strace));
    let trials = trials.into_iter().chain(WITH_POWER.map(|case| trial(case, &power)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn killed() -> Result<(), Failed> {
    let campaign = Campaign::new(Design::Koshin, None);
    let calls = campaign.calls();
    nothing_lost(&campaign.run(&chosen(calls.iter()), "signal=KILL", &[None]))
}

fn failed(error: &str) -> Result<(), Failed> {
    let campaign = Campaign::new(Design::Koshin, None);
    let calls = campaign.calls();
    let calls = on_files(&calls).filter(|call| !call.closes_a_listing);
    nothing_lost(&campaign.run(&chosen(calls), &format!("error={error}"), &[None]))
}

fn imported(before: Before, fault: &str) -> Result<(), Failed> {
    let import = Import::new(before);
    let calls = import.calls();
    let calls = match fault {
        "signal=KILL" => chosen(calls.iter()),
        _ => chosen(on_files(&calls).filter(|call| !call.closes_a_listing)),
    };
    nothing_lost(&import.run(&calls, fault))
}

fn power_lost() -> Result<(), Failed> {
    let campaign = Campaign::new(Design::Koshin, Some(disk()?));
    let calls = campaign.calls();
    let cuts = [Some(Cut::WithJournal), Some(Cut::WithoutJournal)];
    nothing_lost(&campaign.run(&chosen(on_files(&calls)), "signal=KILL", &cuts))
}

fn switching_first_is_caught() -> Result<(), Failed> {
    let campaign = Campaign::new(Design::SwitchBeforeCheck, None);
    let calls = campaign.calls();
    caught(&campaign.run(&chosen(on_files(&calls)), "signal=KILL", &[None]))
}

fn no_syncs_are_caught() -> Result<(), Failed> {
    let campaign = Campaign::new(Design::NoSync, Some(disk()?));
    let calls = campaign.calls();
    let cuts = [Some(Cut::WithJournal), Some(Cut::WithoutJournal)];
    // It loses about every third.
    let calls = chosen(on_files(&calls)).into_iter().step_by(3).collect::<Vec<_>>();
    caught(&campaign.run(&calls, "signal=KILL", &cuts))
}

fn on_files(calls: &[Call]) -> impl Iterator<Item = &Call> {
    calls.iter().filter(|call| call.is_on_a_file)
}

fn disk() -> Result<Disk, Failed> {
    Disk::new().map_err(|missing| missing.to_string().into())
}

/// Every call that does what none before it did, and of the others every ninth, from a place on that differs from run to run.
fn chosen<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<&'a Call> {
    const STRIDE: usize = 9;
    let takes_all = std::env::var_os("KOSHIN_FAULTS").is_some_and(|value| value == "all");
    let given = std::env::var("KOSHIN_FAULTS_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_micros() as usize);
    let seed: usize = given.unwrap_or(now % STRIDE);
    let (mut all, mut others, mut chosen) = (0, 0, Vec::new());
    for call in calls {
        all += 1;
        let is_new = call.is_on_a_file && call.is_new;
        others += usize::from(!is_new);
        if takes_all || is_new || (others + seed).is_multiple_of(STRIDE) {
            chosen.push(call);
        }
    }
    println!("{} of {all} calls, KOSHIN_FAULTS_SEED={seed}", chosen.len());
    chosen
}

fn nothing_lost(report: &Report) -> Result<(), Failed> {
    println!("{report}");
    // A run may have a call less than the recorded one, as of the memory allocator; most points must be met all the same.
    if report.met * 10 < report.points * 9 {
        return Err(format!("the faults did not come where they should: {report}").into());
    }
    if report.lost.is_empty() { Ok(()) } else { Err(report.lost.join("\n").into()) }
}

fn caught(report: &Report) -> Result<(), Failed> {
    println!("{report}");
    let pairs = report.lost.iter().filter(|loss| loss.contains("of current")).count();
    if pairs > 0 { Ok(()) } else { Err(format!("the harness does not see it: {report}").into()) }
}
