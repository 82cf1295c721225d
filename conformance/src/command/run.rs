//! A run of either side: the chosen cases, as often as asked for.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;

use super::{Failure, Progress, RunOptions};
use crate::case::{Case, Side};
use crate::report::{Report, Run};
use crate::runner::{Quiet, Runner, Subject, Watcher};
use crate::target::here;

impl RunOptions {
    /// Runs those of the cases that are chosen against what `subject` makes, and tells what came of it. `target` names it.
    pub(super) fn run<S: Subject>(
        &self,
        side: Side,
        target: &str,
        all: Vec<Case<S::View>>,
        subject: impl Fn(&Runtime) -> Result<Arc<S>, Failure>,
    ) -> Result<(), Failure> {
        let divergences = self.known(all.iter().map(|case| &case.about))?;
        let cases = self.choose(all)?;
        let runner = Runner { jobs: usize::from(self.jobs), divergences };
        let runtime = Runtime::new().map_err(|error| Failure::Impossible(error.to_string()))?;
        let once = || {
            // Made anew each time: a run knows nothing of those before.
            let subject = subject(&runtime)?;
            let watcher: Arc<dyn Watcher> =
                if self.quiet { Arc::new(Quiet) } else { Arc::new(Progress::new(cases.len())) };
            let (began, clock) = (here(), Instant::now());
            let results = runtime.block_on(runner.run(&subject, cases.clone(), &watcher));
            let run = Run {
                side,
                target: target.to_owned(),
                began: began.to_string(),
                milliseconds: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
                seed: self.seed,
                strict: self.strict,
            };
            Ok::<_, Failure>(Report::new(run, results))
        };
        let first = once()?;
        let mut unsteady = Vec::new();
        for turn in 2..=self.repeat {
            let changed = first.changes(&once()?);
            unsteady.extend(changed.into_iter().map(|change| format!("run {turn}: {change}")));
        }
        let told = self.tell(&first);
        if self.repeat > 1 && unsteady.is_empty() {
            println!("{} runs, seed {}: the same verdicts", self.repeat, self.seed);
        }
        if unsteady.is_empty() { told } else { Err(Failure::Found(unsteady)) }
    }
}
