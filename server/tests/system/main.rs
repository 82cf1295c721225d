//! The program `koshin-server` beside tools of the system: what they read of it, and what they do to it.
//!
//! A test whose tool is not installed is listed as ignored; with `KOSHIN_REQUIRE_ALL=1` it fails.

#![allow(missing_docs, unreachable_pub, reason = "a test names its rule, and nobody imports it")]
#![allow(dead_code, reason = "the bank of another test, of which this needs a part")]

mod age;
#[path = "../command/bank.rs"]
mod bank;
#[path = "../command/customer.rs"]
mod customer;
mod disk;
mod unit;

use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let trials = [age::CASES, disk::CASES, unit::CASES].concat().into_iter().map(trial);
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// A test's name, the tools that it needs, and the test, which panics where its rule is broken.
type Case = (&'static str, &'static [&'static str], fn());

fn trial((name, tools, test): Case) -> Trial {
    let required = env::var("KOSHIN_REQUIRE_ALL").is_ok_and(|value| value == "1");
    let missing = tools.iter().find(|tool| !is_installed(tool));
    let run = move || {
        if let Some(tool) = missing {
            return Err(format!("not installed: {tool}").into());
        }
        test();
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(missing.is_some() && !required)
}

fn is_installed(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}
