//! The suite against our own client, as a process behind the adapter of SPEC.md B.3: each case is a test of its name. Clients
//! that do nothing, or that always fail, pass none.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use koshin_conformance::case::{Case, Side};
use koshin_conformance::client::{self, Client, Play};
use koshin_conformance::divergence::Divergences;
use koshin_conformance::report::{CaseResult, Report, Run, text};
use koshin_conformance::runner::{Quiet, Runner, Watcher};
use koshin_conformance::target::here;
use koshin_conformance::verdict::Kind;
use libtest_mimic::{Arguments, Failed, Trial};

/// Clients that pass no case.
const USELESS: [(&str, &[&str]); 3] = [
    ("does_nothing", &["true"]),
    ("always_fails", &["false"]),
    ("says_to_come_back", &["sh", "-c", "exit 10"]),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let wanted: Vec<Case<Play>> = client::cases()
        .into_iter()
        .filter(|case| is_wanted(&arguments, &case.about.slug))
        .collect();
    let useless = USELESS
        .map(|(name, command)| (format!("a_client_that_{name}_passes_no_case"), command))
        .into_iter()
        .filter(|(name, _)| is_wanted(&arguments, name));
    let mut trials: Vec<Trial> =
        useless.map(|(name, command)| Trial::test(name, move || passes_nothing(command))).collect();
    let order: Vec<String> = wanted.iter().map(|case| case.about.slug.clone()).collect();
    if arguments.list {
        trials.extend(order.into_iter().map(|slug| Trial::test(slug, || Ok(()))));
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let program = env!("CARGO_BIN_EXE_koshin-conformance");
    let mut results = run(&[program, "reference-client"], wanted);
    trials.extend(order.into_iter().map(|slug| {
        let result = results.remove(&slug).expect("each case has its result");
        Trial::test(slug, move || told(result))
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn is_wanted(arguments: &Arguments, slug: &str) -> bool {
    let fits = |filter: &String| {
        if arguments.exact { slug == filter } else { slug.contains(filter.as_str()) }
    };
    arguments.filter.as_ref().is_none_or(fits) && !arguments.skip.iter().any(fits)
}

fn run(command: &[&str], cases: Vec<Case<Play>>) -> BTreeMap<String, CaseResult> {
    let subject = Arc::new(Client::new(command.iter().map(OsString::from)));
    let runner = Runner { jobs: 8, divergences: Divergences::default() };
    let watcher: Arc<dyn Watcher> = Arc::new(Quiet);
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let began = Instant::now();
    let results = runtime.block_on(runner.run(&subject, cases, &watcher));
    eprintln!("{} cases in {} s", results.len(), began.elapsed().as_secs());
    results.into_iter().map(|result| (result.about.slug.clone(), result)).collect()
}

fn passes_nothing(command: &[&str]) -> Result<(), Failed> {
    let results = run(command, client::cases());
    let passed = results.values().filter(|result| result.verdict.kind() == Kind::Pass);
    let passed: Vec<_> = passed.map(|result| result.about.slug.as_str()).collect();
    if passed.is_empty() { Ok(()) } else { Err(format!("it passes {}", passed.join(", ")).into()) }
}

fn told(result: CaseResult) -> Result<(), Failed> {
    if result.verdict.kind() == Kind::Pass {
        return Ok(());
    }
    let run = Run {
        side: Side::Client,
        target: "our client".to_owned(),
        began: here().to_string(),
        milliseconds: result.milliseconds,
        seed: 1,
        strict: true,
    };
    Err(text::render(&Report::new(run, vec![result])).into())
}
