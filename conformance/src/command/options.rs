//! What a run of either side is told.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::case::{About, Case};
use crate::divergence::Divergences;
use crate::report::{Report, html, json, junit, text};
use crate::select::Selection;

/// What a run of either side is told.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// Which cases.
    #[command(flatten)]
    pub selection: Selection,
    /// SHOULDs count like MUSTs.
    #[arg(long)]
    pub strict: bool,
    /// Where random choices come from; the same seed makes the same ones.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many cases run at a time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Runs everything so many times with the same seed; a case whose verdict is not the same each time is a failure.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub repeat: u16,
    /// File that says which cases are known to fail, and why.
    #[arg(long, value_name = "FILE")]
    pub divergences: Option<PathBuf>,
    /// Writes the report as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes the report as `JUnit` XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Writes the report as one page to be opened in a browser, with each failure's exchange.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Shows no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

impl RunOptions {
    /// Those of the cases that are to be run.
    pub(super) fn choose<T: 'static>(&self, cases: Vec<Case<T>>) -> Result<Vec<Case<T>>, Failure> {
        let chosen: Vec<Case<T>> =
            cases.into_iter().filter(|case| self.selection.has(&case.about)).collect();
        if chosen.is_empty() {
            return Err(Failure::Usage("no case is selected; see `list`".to_owned()));
        }
        Ok(chosen)
    }

    /// What is known beforehand, of these cases.
    pub(super) fn known<'a>(
        &self,
        all: impl Iterator<Item = &'a About>,
    ) -> Result<Divergences, Failure> {
        let Some(path) = &self.divergences else { return Ok(Divergences::default()) };
        let wrong = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
        let known = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let known = Divergences::parse(&known).map_err(|error| wrong(error.to_string()))?;
        let slugs: Vec<&str> = all.map(|about| about.slug.as_str()).collect();
        match known.unknown(&slugs).first() {
            None => Ok(known),
            Some(unknown) => Err(wrong(format!("there is no case {unknown}; see `list`"))),
        }
    }

    /// Prints the report, writes it where it was asked for, and ends as it says.
    pub(super) fn tell(&self, report: &Report) -> Result<(), Failure> {
        print!("{}", text::render(report));
        if let Some(path) = &self.json {
            write(path, &json::render(report))?;
        }
        if let Some(path) = &self.junit {
            write(path, &junit::render(report))?;
        }
        if let Some(path) = &self.html {
            write(path, &html::render(report))?;
        }
        if report.passed { Ok(()) } else { Err(Failure::Found(Vec::new())) }
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::Impossible(format!("{}: {error}", path.display())))
}
