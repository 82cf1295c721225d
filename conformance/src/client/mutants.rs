//! The wrong clients, each run with the cases of the requirement that it breaks.

use std::convert::Infallible;
use std::ffi::OsString;
use std::sync::Arc;

use super::{Client, cases, fault};
use crate::divergence::Divergences;
use crate::mutant::{Found, Mutant, Tally, judge};
use crate::runner::{Quiet, Runner, Watcher};

/// All of them.
pub fn all() -> Vec<Mutant> {
    let all = fault::ALL.iter();
    all.map(|wrong| Mutant { slug: wrong.slug, requirement: wrong.requirement }).collect()
}

/// Runs those whose slug `wanted` wants, with the cases of their requirement or with all, and tells of each as it is found.
pub async fn run(
    program: &OsString,
    jobs: usize,
    full: bool,
    wanted: impl Fn(&str) -> bool,
    tell: impl Fn(&Found),
) -> Tally {
    let mutants = all().into_iter().filter(|mutant| wanted(mutant.slug));
    let one = |mutant: Mutant| one(program.clone(), jobs, full, mutant);
    let Ok(tally) = judge(mutants, one, tell).await;
    tally
}

async fn one(
    program: OsString,
    jobs: usize,
    full: bool,
    mutant: Mutant,
) -> Result<Found, Infallible> {
    let command = [program, "reference-client".into(), "--mutant".into(), mutant.slug.into()];
    let mut cases = cases();
    if !full {
        cases.retain(|case| case.about.requirements.iter().any(|id| id == mutant.requirement));
    }
    let runner = Runner { jobs, divergences: Divergences::default() };
    let watcher: Arc<dyn Watcher> = Arc::new(Quiet);
    let results = runner.run(&Arc::new(Client::new(command)), cases, &watcher).await;
    Ok(mutant.found(&results))
}
