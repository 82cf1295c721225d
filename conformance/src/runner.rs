//! Runs cases: several at a time, each within its time, and gives their results in the order of the cases.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::case::{About, Case, Need, Outcome, Stop};
use crate::divergence::Divergences;
use crate::exchange::{Exchange, Log};
use crate::report::CaseResult;
use crate::verdict::Verdict;

/// Cases that wait for a time to come take no other case's turn, but not endlessly many run at once.
const WAITING_AT_ONCE: usize = 64;

/// Makes what one case sees of the thing under test, or says why the case cannot be tried on it.
pub trait Subject: Send + Sync + 'static {
    /// What a case sees.
    type View: Send + 'static;

    /// Makes it; the exchanges of the case are to be written to `log`.
    fn view(
        subject: &Arc<Self>,
        about: &About,
        log: &Log,
    ) -> impl Future<Output = Outcome<Self::View>> + Send;
}

/// Is told how far a run is.
pub trait Watcher: Send + Sync {
    /// A case began.
    fn began(&self, about: &About);
    /// A case ended so.
    fn ended(&self, result: &CaseResult);
}

/// Watches nothing.
#[derive(Debug)]
pub struct Quiet;

impl Watcher for Quiet {
    fn began(&self, _: &About) {}
    fn ended(&self, _: &CaseResult) {}
}

/// How cases are run.
#[derive(Debug)]
pub struct Runner {
    /// How many at a time; at least one.
    pub jobs: usize,
    /// What is known beforehand.
    pub divergences: Divergences,
}

impl Runner {
    /// Runs the cases and gives their results in their order.
    ///
    /// Cases that wait begin first; those that disturb the CA run one by one once nothing is left but the longest waits; those
    /// that need to be alone run last, one by one.
    pub async fn run<S: Subject>(
        &self,
        subject: &Arc<S>,
        cases: Vec<Case<S::View>>,
        watcher: &Arc<dyn Watcher>,
    ) -> Vec<CaseResult> {
        let mut results: Vec<Option<CaseResult>> = cases.iter().map(|_| None).collect();
        let cases = cases.into_iter().enumerate();
        let (alone, together): (Vec<_>, Vec<_>) =
            cases.partition(|(_, case)| case.needs(Need::Alone));
        let (at_the_ca, together): (Vec<_>, Vec<_>) =
            together.into_iter().partition(|(_, case)| case.needs(Need::Ca));
        let (long, short): (Vec<_>, Vec<_>) =
            together.into_iter().partition(|(_, case)| case.needs(Need::Long));
        let (waiting, working): (Vec<_>, Vec<_>) =
            short.into_iter().partition(|(_, case)| case.needs(Need::Time));
        let turns = Arc::new(Semaphore::new(self.jobs.max(1)));
        let waits = Arc::new(Semaphore::new(WAITING_AT_ONCE));
        let (mut patient, mut running) = (JoinSet::new(), JoinSet::new());
        for (index, case) in long {
            let (subject, watcher) = (Arc::clone(subject), Arc::clone(watcher));
            patient.spawn(async move { (index, one(&subject, &case, &*watcher).await) });
        }
        for (index, case) in waiting.into_iter().chain(working) {
            let turns = Arc::clone(if case.needs(Need::Time) { &waits } else { &turns });
            let (subject, watcher) = (Arc::clone(subject), Arc::clone(watcher));
            running.spawn(async move {
                let _turn = turns.acquire().await.expect("nobody closes it");
                (index, one(&subject, &case, &*watcher).await)
            });
        }
        self.ended(running, &mut results, watcher).await;
        for (index, case) in at_the_ca {
            let result = one(subject, &case, &**watcher).await;
            results[index] = Some(self.judged(result, &**watcher));
        }
        self.ended(patient, &mut results, watcher).await;
        for (index, case) in alone {
            let result = one(subject, &case, &**watcher).await;
            results[index] = Some(self.judged(result, &**watcher));
        }
        results.into_iter().flatten().collect()
    }

    /// Takes the results of all of them.
    async fn ended(
        &self,
        mut running: JoinSet<(usize, CaseResult)>,
        results: &mut [Option<CaseResult>],
        watcher: &Arc<dyn Watcher>,
    ) {
        while let Some(ended) = running.join_next().await {
            // A panic within a case is caught below; there is none here.
            let (index, result) = ended.expect("a case that runs is not aborted");
            results[index] = Some(self.judged(result, &**watcher));
        }
    }

    fn judged(&self, mut result: CaseResult, watcher: &dyn Watcher) -> CaseResult {
        result.verdict = self.divergences.judge(&result.about.slug, result.verdict);
        if result.verdict == Verdict::Pass {
            result.exchanges = Vec::new();
        }
        watcher.ended(&result);
        result
    }
}

async fn one<S: Subject>(
    subject: &Arc<S>,
    case: &Case<S::View>,
    watcher: &dyn Watcher,
) -> CaseResult {
    watcher.began(&case.about);
    let log = Log::default();
    let began = Instant::now();
    let outcome = match S::view(subject, &case.about, &log).await {
        Err(stop) => Err(stop),
        Ok(view) => within(case.longest, case.run(view)).await,
    };
    let exchanges: Vec<Exchange> = log.all();
    CaseResult {
        about: case.about.clone(),
        verdict: Verdict::of(outcome),
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        exchanges,
    }
}

/// A case that takes too long fails; a panic in it is a fault of the suite.
async fn within(longest: Duration, run: impl Future<Output = Outcome> + Send + 'static) -> Outcome {
    let mut task = tokio::spawn(run);
    match tokio::time::timeout(longest, &mut task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Stop::blocked("a fault of the suite: the case panicked")),
        Err(_) => {
            task.abort();
            let seconds = longest.as_secs();
            Err(Stop::fail(
                format_args!("an end within {seconds} seconds"),
                "none; the exchanges show how far it came",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::case::Side;
    use crate::verdict::Kind;

    struct Nothing;

    impl Subject for Nothing {
        type View = Log;
        async fn view(_: &Arc<Self>, _: &About, log: &Log) -> Outcome<Log> {
            Ok(log.clone())
        }
    }

    fn case<R: Future<Output = Outcome> + Send + 'static>(
        slug: &str,
        needs: &[Need],
        run: impl Fn() -> R + Send + Sync + 'static,
    ) -> Case<Log> {
        Case::<Log>::new(Side::Server, slug, "").needs(needs).within(1).run(move |_| run())
    }

    async fn kinds(cases: Vec<Case<Log>>, known: &str) -> Vec<Kind> {
        let divergences = Divergences::parse(known).expect("divergences");
        let watcher: Arc<dyn Watcher> = Arc::new(Quiet);
        let runner = Runner { jobs: 4, divergences };
        let results = runner.run(&Arc::new(Nothing), cases, &watcher).await;
        results.iter().map(|result| result.verdict.kind()).collect()
    }

    #[tokio::test]
    async fn each_way_to_end_has_its_verdict_and_the_order_stays() {
        let cases = vec![
            case("slow", &[], || async {
                tokio::time::sleep(Duration::from_secs(100)).await;
                Ok(())
            }),
            case("pass", &[Need::Time], || async { Ok(()) }),
            case("fail", &[Need::Alone], || async { Err(Stop::fail("this", "that")) }),
            case("panic", &[], || async { panic!("on purpose") }),
            case("known", &[], || async { Err(Stop::fail("this", "that")) }),
            case("stale", &[], || async { Ok(()) }),
            case("skipped", &[], || async { Err(Stop::Skipped("no".to_owned())) }),
        ];
        let known = "[[divergence]]\ncase = \"known\"\nreason = \"r\"\n[[divergence]]\ncase = \"stale\"\nreason = \"r\"\n";
        let expected = [
            Kind::Fail,
            Kind::Pass,
            Kind::Fail,
            Kind::Blocked,
            Kind::KnownDivergence,
            Kind::StaleDivergence,
            Kind::Skipped,
        ];
        assert_eq!(kinds(cases, known).await, expected);
    }

    #[tokio::test]
    async fn what_needs_to_be_alone_is_and_long_waits_are_beside_what_disturbs_the_ca() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut cases = Vec::new();
        for (name, needs, milliseconds) in [
            ("alone", &[Need::Alone][..], 50),
            ("ca", &[Need::Ca], 50),
            ("a", &[], 100),
            ("waits", &[Need::Time], 100),
            ("long", &[Need::Long], 800),
        ] {
            let order = Arc::clone(&order);
            cases.push(case(name, needs, move || {
                let order = Arc::clone(&order);
                async move {
                    order.lock().expect("not poisoned").push((name, "begins"));
                    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                    order.lock().expect("not poisoned").push((name, "ends"));
                    Ok(())
                }
            }));
        }
        kinds(cases, "").await;
        let order = order.lock().expect("not poisoned");
        let last = [
            ("ca", "begins"),
            ("ca", "ends"),
            ("long", "ends"),
            ("alone", "begins"),
            ("alone", "ends"),
        ];
        assert_eq!(order[5..], last, "{order:?}");
    }
}
