//! How far a run is, on a terminal.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::case::About;
use crate::report::CaseResult;
use crate::runner::Watcher;
use crate::verdict::Kind;

/// A bar on standard error, where that is a terminal; the cases that run beside it.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    running: Mutex<BTreeSet<String>>,
}

impl Progress {
    /// For so many cases.
    pub fn new(cases: usize) -> Self {
        let bar = ProgressBar::new(u64::try_from(cases).unwrap_or(u64::MAX));
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}");
        bar.set_style(style.expect("a template of ours"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, running: Mutex::default() }
    }

    fn show(&self, change: impl FnOnce(&mut BTreeSet<String>)) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut running);
        let names: Vec<&str> = running.iter().take(3).map(String::as_str).collect();
        self.bar.set_message(names.join(", "));
    }
}

impl Watcher for Progress {
    fn began(&self, about: &About) {
        self.show(|running| {
            running.insert(about.slug.clone());
        });
    }

    fn ended(&self, result: &CaseResult) {
        self.show(|running| {
            running.remove(&result.about.slug);
        });
        let kind = result.verdict.kind();
        if matches!(kind, Kind::Fail | Kind::Blocked | Kind::StaleDivergence) {
            self.bar.println(format!("{kind}  {}", result.about.slug));
        }
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
