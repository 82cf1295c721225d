//! The suite against our own bank, in a process of its own: each case is a test of its name.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use koshin_conformance::case::{Case, Side};
use koshin_conformance::divergence::Divergences;
use koshin_conformance::koshin::{Koshin, Variant};
use koshin_conformance::report::{CaseResult, Report, Run, text};
use koshin_conformance::runner::{Quiet, Runner, Watcher};
use koshin_conformance::server::{self, Bank};
use koshin_conformance::target::{Target, here};
use koshin_conformance::verdict::Kind;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let wanted: Vec<Case<Bank>> = server::cases()
        .into_iter()
        .filter(|case| is_wanted(&arguments, &case.about.slug))
        .collect();
    if arguments.list {
        let trials = wanted.iter().map(|case| Trial::test(case.about.slug.clone(), || Ok(())));
        return libtest_mimic::run(&arguments, trials.collect()).exit_code();
    }
    let order: Vec<String> = wanted.iter().map(|case| case.about.slug.clone()).collect();
    let mut results = run(wanted.clone(), Variant::Rich);
    // What the one bank's policy leaves no room for, the other's does.
    let left: Vec<Case<Bank>> = wanted
        .into_iter()
        .filter(|case| {
            results
                .get(&case.about.slug)
                .is_some_and(|result| result.verdict.kind() == Kind::Skipped)
        })
        .collect();
    if !left.is_empty() {
        results.extend(run(left, Variant::Plain));
    }
    let trials = order.into_iter().map(|slug| {
        let result = results.remove(&slug).expect("each case has its result");
        let skipped = result.verdict.kind() == Kind::Skipped;
        let required = std::env::var_os("KOSHIN_REQUIRE_ALL").is_some_and(|value| value == "1");
        Trial::test(slug, move || told(result)).with_ignored_flag(skipped && !required)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn is_wanted(arguments: &Arguments, slug: &str) -> bool {
    let fits = |filter: &String| {
        if arguments.exact { slug == filter } else { slug.contains(filter.as_str()) }
    };
    arguments.filter.as_ref().is_none_or(fits) && !arguments.skip.iter().any(fits)
}

fn run(cases: Vec<Case<Bank>>, variant: Variant) -> BTreeMap<String, CaseResult> {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_koshin-conformance"));
    let bank = Arc::new(Koshin::create(folder.path(), program, variant).expect("a bank"));
    let serving = bank.serving().expect("it serves");
    let root = bank.root().expect("a root");
    let (provision, control) = (Arc::clone(&bank) as _, Arc::clone(&bank) as _);
    let target = Target::new(bank.directory_url(), &root, Some(provision), Some(control), 1);
    let target = Arc::new(target.expect("a target"));
    let runner = Runner { jobs: 8, divergences: Divergences::default() };
    let watcher: Arc<dyn Watcher> = Arc::new(Quiet);
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let began = Instant::now();
    let results = runtime.block_on(runner.run(&target, cases, &watcher));
    drop(serving);
    eprintln!(
        "{variant:?} bank: {} cases in {} s, seed 1",
        results.len(),
        began.elapsed().as_secs()
    );
    results.into_iter().map(|result| (result.about.slug.clone(), result)).collect()
}

fn told(result: CaseResult) -> Result<(), Failed> {
    if result.verdict.kind() == Kind::Pass {
        return Ok(());
    }
    let milliseconds = result.milliseconds;
    let run = Run {
        side: Side::Server,
        target: "our bank".to_owned(),
        began: here().to_string(),
        milliseconds,
        seed: 1,
        strict: true,
    };
    Err(text::render(&Report::new(run, vec![result])).into())
}
