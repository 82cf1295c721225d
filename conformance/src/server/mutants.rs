//! The wrong banks, each run with the cases of the requirement that it breaks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{bent, cases};
use crate::divergence::Divergences;
use crate::koshin::{Koshin, KoshinError, MUTANT, Variant};
use crate::mutant::{Found, Mutant, Tally, judge};
use crate::runner::{Quiet, Runner, Watcher};
use crate::target::Target;

/// All of them.
pub fn all() -> Vec<Mutant> {
    bent::all().map(|wrong| Mutant { slug: wrong.slug, requirement: wrong.requirement }).collect()
}

/// Runs those whose slug `wanted` wants, with the cases of their requirement or with all, and tells of each as it is found.
/// Each is a bank of its own, in a folder of its own below `folder`.
pub async fn run(
    program: &Path,
    folder: &Path,
    jobs: usize,
    full: bool,
    wanted: impl Fn(&str) -> bool,
    tell: impl Fn(&Found),
) -> Result<Tally, KoshinError> {
    let mutants = all().into_iter().filter(|mutant| wanted(mutant.slug));
    let one =
        |mutant: Mutant| one(program.to_owned(), folder.join(mutant.slug), jobs, full, mutant);
    judge(mutants, one, tell).await
}

async fn one(
    program: PathBuf,
    folder: PathBuf,
    jobs: usize,
    full: bool,
    mutant: Mutant,
) -> Result<Found, KoshinError> {
    let wrong = |why: std::io::Error| KoshinError::new(mutant.slug, why);
    let (bank, serving) = tokio::task::block_in_place(|| {
        fs::create_dir_all(&folder).map_err(wrong)?;
        let bank = Arc::new(Koshin::create(&folder, &program, Variant::Rich)?);
        fs::write(folder.join(MUTANT), mutant.slug).map_err(wrong)?;
        let serving = bank.serving()?;
        Ok::<_, KoshinError>((bank, serving))
    })?;
    let (provision, control) = (Arc::clone(&bank) as _, Arc::clone(&bank) as _);
    let target =
        Target::new(bank.directory_url(), &bank.root()?, Some(provision), Some(control), 1)
            .map_err(|why| KoshinError::new(mutant.slug, why))?;
    let mut cases = cases();
    if !full {
        cases.retain(|case| case.about.requirements.iter().any(|id| id == mutant.requirement));
    }
    let runner = Runner { jobs, divergences: Divergences::default() };
    let watcher: Arc<dyn Watcher> = Arc::new(Quiet);
    let results = runner.run(&Arc::new(target), cases, &watcher).await;
    tokio::task::block_in_place(|| {
        drop(serving);
        fs::remove_dir_all(&folder).map_err(wrong)
    })?;
    Ok(mutant.found(&results))
}
