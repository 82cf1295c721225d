//! `mutants`

use std::collections::BTreeMap;

use clap::Args;

use super::Failure;
use crate::case::Side;
use crate::mutant::{Found, Tally};
use crate::select::fits;
use crate::{client, server};

const LONG: &str = "\
Tests the suite itself: runs it against banks and clients that break one requirement each, and says which case noticed. Every
mutant must fail a case of its requirement.";

/// Test the suite itself
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(super) struct Mutants {
    /// Only those of one side.
    #[arg(long, value_enum)]
    side: Option<Side>,
    /// Only those whose name fits; `*` stands for any text. May be repeated.
    #[arg(long = "mutant", value_name = "GLOB")]
    slugs: Vec<String>,
    /// Runs all cases, not only those of the mutant's requirement.
    #[arg(long)]
    full: bool,
    /// How many cases run at a time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// The result as JSON, and nothing else.
    #[arg(long)]
    json: bool,
}

impl Mutants {
    pub(super) fn run(self) -> Result<(), Failure> {
        let all = server::mutants::all().into_iter().chain(client::mutants::all());
        if !all.map(|mutant| mutant.slug).any(|slug| self.wants(slug)) {
            return Err(Failure::Usage("no mutant has such a name".to_owned()));
        }
        let impossible = |error: &dyn std::fmt::Display| Failure::Impossible(error.to_string());
        let runtime = tokio::runtime::Runtime::new().map_err(|error| impossible(&error))?;
        let program = std::env::current_exe().map_err(|error| impossible(&error))?.into_os_string();
        let mut tallies: BTreeMap<Side, Tally> = BTreeMap::new();
        if self.side != Some(Side::Client) {
            let (jobs, tell) = (usize::from(self.jobs), |found: &Found| self.tell(found));
            let folder = tempfile::tempdir().map_err(|error| impossible(&error))?;
            let (program, wanted) = (program.as_ref(), |slug: &str| self.wants(slug));
            let run = server::mutants::run(program, folder.path(), jobs, self.full, wanted, tell);
            tallies.insert(Side::Server, runtime.block_on(run)?);
        }
        if self.side != Some(Side::Server) {
            let (jobs, tell) = (usize::from(self.jobs), |found: &Found| self.tell(found));
            let wanted = |slug: &str| self.wants(slug);
            let run = client::mutants::run(&program, jobs, self.full, wanted, tell);
            tallies.insert(Side::Client, runtime.block_on(run));
        }
        if self.json {
            let text =
                serde_json::to_string_pretty(&tallies).map_err(|error| impossible(&error))?;
            println!("{text}");
        } else {
            let mutants: usize = tallies.values().map(|tally| tally.mutants).sum();
            let killed: usize = tallies.values().map(|tally| tally.killed).sum();
            println!("{killed} of {mutants} mutants were noticed");
        }
        judged(&tallies)
    }

    fn wants(&self, slug: &str) -> bool {
        self.slugs.is_empty() || self.slugs.iter().any(|glob| fits(glob, slug))
    }

    fn tell(&self, found: &Found) {
        if !self.json {
            let by = found.killed_by.as_deref().unwrap_or("NOTHING");
            println!("{:<36} {:<8} {by}", found.slug, found.requirement);
        }
    }
}

/// Every mutant must be noticed.
fn judged(tallies: &BTreeMap<Side, Tally>) -> Result<(), Failure> {
    let survivors: Vec<_> = tallies
        .values()
        .flat_map(Tally::survivors)
        .map(|slug| format!("no case of its requirement noticed the mutant {slug}"))
        .collect();
    if survivors.is_empty() { Ok(()) } else { Err(Failure::Found(survivors)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_that_nothing_noticed_is_a_failure_that_names_it() {
        let found = |slug, killed_by: Option<&str>| Found {
            slug,
            requirement: "ORD-01",
            killed_by: killed_by.map(ToOwned::to_owned),
        };
        let tallies = |list| BTreeMap::from([(Side::Server, Tally::of(list))]);
        assert!(judged(&tallies(vec![found("a", Some("order/a"))])).is_ok());
        let judged = judged(&tallies(vec![found("a", Some("order/a")), found("b", None)]));
        assert!(
            matches!(judged, Err(Failure::Found(told)) if told.len() == 1 && told[0].ends_with(" b"))
        );
    }
}
