//! `agent`, as a timer runs it (`--once`) and as a service.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use koshin_client::consent::{AskEnrollment, AskKey, AskPin, Choice, Consent};
use koshin_client::files::Real;
use koshin_client::identity::Identity;
use koshin_client::keystore::FileStore;
use koshin_client::{Client, Later, Renewal};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::notice::Notice;
use koshin_protocol::pin::Pin;
use serde_json::Value;

use crate::bank::{Bank, PIN};
use crate::customer::{Customer, Ran};
use crate::service::Service;

/// A window that the bank suggested is over: the renewal is due.
pub const DUE: i64 = 5;
/// The window opens in months.
const NOT_DUE: i64 = 200;

/// Somebody whose agent has the PIN.
pub fn customer(bank: &Bank, days: i64) -> Customer {
    let customer = bank.customer("user", days);
    configure(&customer, PIN, "");
    customer
}

pub fn configure(customer: &Customer, pin: &str, more: &str) {
    let pin_file = customer.path(&customer.secret("pin", pin));
    let config = format!("{more}\n[identity.default]\npin-file = '{}'\n", pin_file.display());
    fs::write(customer.path("home/agent.toml"), config).unwrap();
}

fn once(customer: &Customer) -> Ran {
    customer.run(&["agent", "--once", "--json"])
}

/// The names of the events.
fn names(ran: &Ran) -> Vec<String> {
    ran.events().iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
}

fn has(ran: &Ran, name: &str) -> bool {
    names(ran).iter().any(|one| one == name)
}

#[track_caller]
fn event(ran: &Ran, name: &str) -> Value {
    let found = ran.events().into_iter().find(|event| event["event"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {ran:?}"))
}

/// The certificate in use.
fn current(customer: &Customer) -> std::path::PathBuf {
    fs::read_link(customer.path("home/default/current")).unwrap()
}

/// What an identity's note says is moved into the past, as if so many hours had gone by.
fn let_pass(customer: &Customer, hours: i64) {
    for note in ["schedule.json", "agent.json"] {
        let path = customer.path("home/default").join(note);
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let mut value: Value = serde_json::from_str(&text).unwrap();
        move_back(&mut value, hours);
        fs::write(&path, serde_json::to_string(&value).unwrap()).unwrap();
    }
}

fn move_back(value: &mut Value, hours: i64) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                // The window and the time that was chosen are the bank's, and stay.
                if name != "window" && name != "renewAt" {
                    move_back(member, hours);
                }
            }
        }
        Value::String(text) => {
            if let Ok(time) = text.parse::<koshin_protocol::time::Time>() {
                let moved = koshin_protocol::time::Time::from_unix(time.unix() - hours * 3600);
                *text = moved.unwrap().to_string();
            }
        }
        _ => {}
    }
}

// [RNI-07]
#[test]
fn what_is_due_is_renewed_and_what_is_not_keeps_its_time() {
    let bank = Bank::open();
    let due = customer(&bank, DUE);
    let ran = once(&due).done();
    let renewed = event(&ran, "renewed");
    assert_eq!(renewed["identity"], "default");
    assert_eq!(current(&due).to_str(), Some("generations/2"));
    // The new certificate has a time of its own, kept over restarts.
    let next = event(&once(&due).done(), "appointed");
    assert_eq!(next["certID"], renewed["certID"]);
    let again = once(&due).done();
    assert_eq!(event(&again, "appointed"), with_time_of(&next, &again));
    let waiting = customer(&bank, NOT_DUE);
    let ran = once(&waiting).done();
    assert!(!has(&ran, "renewing"), "{ran:?}");
    assert_eq!(event(&ran, "appointed")["source"], "bank");
    assert_eq!(current(&waiting).to_str(), Some("generations/1"));
}

/// An event as it is in another run, but for the time of its line.
fn with_time_of(event: &Value, ran: &Ran) -> Value {
    let mut event = event.clone();
    event["time"] = self::event(ran, "appointed")["time"].clone();
    event
}

// [CLI-44]
#[test]
fn after_a_failure_nothing_is_tried_for_an_hour_also_by_another_process() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    configure(&customer, "", "");
    let ran = once(&customer);
    assert_eq!(ran.code, 11, "{ran:?}");
    assert_eq!(event(&ran, "renewalFailed")["class"], "act");
    // It would go well now.
    configure(&customer, PIN, "");
    for _ in 0..3 {
        let ran = once(&customer);
        assert_eq!(ran.code, 11, "{ran:?}");
        assert_eq!(names(&ran), ["paused", "result"]);
    }
    let_pass(&customer, 2);
    let ran = once(&customer).done();
    assert!(has(&ran, "renewed"), "{ran:?}");
}

#[test]
fn a_person_who_wants_it_now_does_not_have_to_wait() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    configure(&customer, "", "");
    assert_eq!(once(&customer).code, 11);
    configure(&customer, PIN, "");
    let ran = customer.run(&["agent", "--once", "--again", "--json"]).done();
    assert!(has(&ran, "renewed"), "{ran:?}");
}

// [PIN-12]
#[test]
fn a_wrong_pin_is_sent_once_and_not_again_before_its_file_changed() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    configure(&customer, "000000", "");
    let ran = once(&customer);
    assert_eq!(ran.code, 11, "{ran:?}");
    let left = event(&ran, "renewalFailed")["reason"].as_str().unwrap().to_owned();
    for _ in 0..6 {
        let_pass(&customer, 25);
        let ran = once(&customer);
        assert_eq!((ran.code, names(&ran)), (11, vec!["pinHeld".into(), "result".into()]));
    }
    for file in walk(&customer.path("home/default")) {
        let content = fs::read(&file).unwrap();
        assert!(!content.windows(6).any(|at| at == b"000000"), "{file:?}: {left}");
    }
    configure(&customer, PIN, "");
    assert!(has(&once(&customer).done(), "renewed"));
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut files): (Vec<_>, Vec<_>) =
        entries.filter(|path| !path.is_symlink()).partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| walk(folder)));
    files
}

#[test]
fn hooks_run_before_and_after_and_are_told_what_happens() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    let log = customer.path("log");
    let hook = format!("env | grep ^KOSHIN_ | sort >> {}", log.display());
    configure(&customer, PIN, &format!("before-hook = '{hook}'\nafter-hook = '{hook}'"));
    let ran = once(&customer).done();
    assert_eq!(event(&ran, "hookDone")["hook"], "before");
    let text = fs::read_to_string(&log).unwrap();
    let value = |name: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(&format!("{name}=")));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(value("KOSHIN_HOOK"), ["before", "after"]);
    assert_eq!(value("KOSHIN_OUTCOME"), ["renewed"]);
    assert_eq!(value("KOSHIN_IDENTITY"), ["default", "default"]);
    for name in ["KOSHIN_CERTIFICATE", "KOSHIN_KEY"] {
        assert!(value(name).iter().all(|path| Path::new(path).exists()), "{name}: {text}");
    }
    let certificates = value("KOSHIN_CERT_ID");
    assert_ne!(certificates[0], certificates[1]);
    assert_eq!(certificates[1], event(&ran, "renewed")["certID"]);
    // Nothing more is owed.
    let_pass(&customer, 100);
    assert!(!has(&once(&customer).done(), "hookDone"));
}

#[test]
fn a_failing_hook_before_postpones_the_renewal() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    configure(&customer, PIN, "before-hook = 'test -e ready'\nafter-hook = 'touch after'");
    let ran = once(&customer);
    assert_eq!(ran.code, 11, "{ran:?}");
    assert_eq!(event(&ran, "hookFailed")["hook"], "before");
    assert!(!has(&ran, "renewing"), "{ran:?}");
    fs::write(customer.path("ready"), "").unwrap();
    // Not at once, though: a hook that failed is left alone for a while.
    let ran = once(&customer);
    assert_eq!((ran.code, has(&ran, "renewing")), (11, false), "{ran:?}");
    assert!(!customer.path("after").exists());
    let_pass(&customer, 1);
    assert!(has(&once(&customer).done(), "renewed"));
    assert!(customer.path("after").exists());
}

// [CLI-66]
#[test]
fn a_failing_hook_after_undoes_nothing_and_runs_again_until_it_succeeds_also_after_a_restart() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    configure(&customer, PIN, "after-hook = 'echo $KOSHIN_OUTCOME >> log; test -e ready'");
    let ran = once(&customer);
    assert_eq!(ran.code, 11, "{ran:?}");
    let at = |ran: &Ran, name: &str| names(ran).iter().position(|one| one == name);
    assert!(at(&ran, "renewed") < at(&ran, "hookFailed"), "{ran:?}");
    assert_eq!(current(&customer).to_str(), Some("generations/2"));
    let_pass(&customer, 1);
    let ran = once(&customer);
    assert!(has(&ran, "hookFailed") && !has(&ran, "renewing"), "{ran:?}");
    fs::write(customer.path("ready"), "").unwrap();
    let_pass(&customer, 1);
    let ran = once(&customer).done();
    assert_eq!(event(&ran, "hookDone")["outcome"], "renewed");
    let_pass(&customer, 1);
    assert!(!has(&once(&customer).done(), "hookDone"));
    assert_eq!(fs::read_to_string(customer.path("log")).unwrap(), "renewed\n".repeat(3));
    assert_eq!(current(&customer).to_str(), Some("generations/2"));
}

#[test]
fn the_hook_after_hears_of_renewals_by_hand_and_of_failures_that_a_hook_before_prepared() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    let hooks = "before-hook = 'true'\nafter-hook = 'echo $KOSHIN_OUTCOME >> log'";
    configure(&customer, "", hooks);
    assert_eq!(once(&customer).code, 11);
    customer.with_pin(&["renew", "--yes"]).done();
    once(&customer).done();
    assert_eq!(fs::read_to_string(customer.path("log")).unwrap(), "failed\nchanged\n");
}

#[test]
fn a_hook_that_does_not_end_is_ended_with_everything_it_started() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    let hook = "after-hook = 'sleep 600 & echo $! > child; wait'\nhook-timeout = 'PT1S'";
    configure(&customer, PIN, hook);
    let ran = once(&customer);
    assert_eq!(ran.code, 11, "{ran:?}");
    assert!(event(&ran, "hookFailed")["reason"].as_str().unwrap().contains("1 seconds"), "{ran:?}");
    let child = fs::read_to_string(customer.path("child")).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim()));
    // Whoever adopted it may not have buried it yet.
    assert!(stat.is_err() || stat.unwrap().contains(") Z "), "it lives");
}

#[test]
fn one_identitys_failure_is_none_of_the_others_business_and_the_worst_is_the_exit_code() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    for (name, settings) in [("a", "nonsense"), ("z", "nonsense")] {
        fs::create_dir(customer.path("home").join(name)).unwrap();
        fs::write(customer.path("home").join(name).join("identity.toml"), settings).unwrap();
    }
    let ran = once(&customer);
    assert_eq!(ran.code, 11, "{ran:?}");
    assert_eq!(event(&ran, "renewed")["identity"], "default");
    let unusable = ran.events().into_iter().filter(|event| event["event"] == "unusable");
    let names = unusable.map(|event| event["identity"].clone()).collect::<Vec<_>>();
    assert_eq!(names, ["a", "z"]);
    let ran = customer.run(&["agent", "--once", "--json", "--identity", "default"]).done();
    assert!(!has(&ran, "unusable"), "{ran:?}");
}

fn locked(customer: &Customer) -> Identity {
    let folder = customer.path("home/default");
    Identity::open(Arc::new(Real), Arc::new(FileStore::plain()), &folder).unwrap()
}

#[test]
fn an_identity_that_another_program_works_with_is_skipped() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    let identity = locked(&customer);
    let ran = once(&customer);
    assert_eq!((ran.code, names(&ran)), (10, vec!["busy".into(), "result".into()]));
    drop(identity);
    assert!(has(&once(&customer).done(), "renewed"));
}

#[derive(Debug)]
struct Undecided;

impl Consent for Undecided {
    fn pin<'a>(&'a self, _: &'a AskPin) -> Later<'a, Option<Pin>> {
        Box::pin(async { Some(Pin::new(PIN.to_owned())) })
    }

    fn notice<'a>(&'a self, _: &'a Notice) -> Later<'a, Choice> {
        Box::pin(async { Choice::Renew })
    }

    fn make_key<'a>(&'a self, _: &'a AskKey) -> Later<'a, bool> {
        Box::pin(async { true })
    }

    fn install<'a>(&'a self, _: &'a Certificate) -> Later<'a, bool> {
        Box::pin(async { false })
    }

    fn enroll<'a>(&'a self, _: &'a AskEnrollment) -> Later<'a, bool> {
        Box::pin(async { false })
    }
}

/// Somebody ordered a renewal and came no further.
fn begin(bank: &Bank, customer: &Customer) {
    bank.runtime.block_on(async {
        let client = Client::builder(locked(customer)).consent(Undecided).build().await.unwrap();
        client.renew(Renewal::default()).await.unwrap_err();
    });
}

// [CLI-50]
#[test]
fn what_was_interrupted_is_resumed_at_the_start_whether_it_is_due_or_not() {
    let bank = Bank::open();
    let customer = customer(&bank, 29);
    begin(&bank, &customer);
    let ran = once(&customer).done();
    assert_eq!(event(&ran, "renewing")["isResumed"], true);
    assert!(has(&ran, "renewed") && !has(&ran, "ordered"), "{ran:?}");
    assert_eq!(current(&customer).to_str(), Some("generations/2"));
}

#[test]
fn a_pin_comes_from_the_service_managers_credentials() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    fs::remove_file(customer.path("home/agent.toml")).unwrap();
    fs::create_dir(customer.path("credentials")).unwrap();
    fs::write(customer.path("credentials/koshin-pin.default"), PIN).unwrap();
    let mut command = customer.command(&["agent", "--once", "--json"]);
    command.env("CREDENTIALS_DIRECTORY", customer.path("credentials"));
    let ran = crate::customer::finish(command).done();
    assert!(has(&ran, "renewed"), "{ran:?}");
}

#[test]
fn a_configuration_that_cannot_be_used_is_wrong_usage() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    configure(&customer, PIN, "after-hok = 'x'");
    customer.run(&["agent", "--once"]).failed(2, "after-hok");
    customer.run(&["agent", "--again"]).failed(2, "--once");
}

#[test]
fn a_service_is_ready_notices_what_changes_and_stops_when_it_is_told_to() {
    let bank = Bank::open();
    let customer = customer(&bank, NOT_DUE);
    let mut service = Service::start(&customer, &["--look-every", "PT1S"]);
    service.hears("READY=1");
    service.event("agentStarted");
    assert_eq!(service.event("appointed")["identity"], "default");
    // Somebody imports another identity, whose renewal is due.
    let other = bank.newcomer("user", DUE);
    let certificate = other.path("certificate.pem");
    let key = other.path("key.pem");
    let files = [key.to_str().unwrap(), certificate.to_str().unwrap()];
    configure(
        &customer,
        PIN,
        &format!("[identity.other]\npin-file = '{}'", customer.path("pin").display()),
    );
    service.signal(rustix::process::Signal::HUP);
    service.event("reloaded");
    customer.import(&[&["--identity", "other"], &files[..]].concat()).done();
    assert_eq!(service.event("appeared")["identity"], "other");
    assert_eq!(service.event("renewed")["identity"], "other");
    // And takes the first one away.
    fs::remove_dir_all(customer.path("home/default")).unwrap();
    assert_eq!(service.event("gone")["identity"], "default");
    // A configuration with a mistake changes nothing.
    configure(&customer, PIN, "hook-timeout = 'soon'");
    service.signal(rustix::process::Signal::HUP);
    service.event("configUnusable");
    service.signal(rustix::process::Signal::TERM);
    service.event("stopping");
    service.hears("STOPPING=1");
    assert_eq!(service.ended(), Some(0));
}

#[test]
fn a_service_says_that_it_lives_as_often_as_it_is_asked_to() {
    let bank = Bank::open();
    let customer = customer(&bank, NOT_DUE);
    let service = Service::watched(&customer, "400000");
    service.hears("READY=1");
    service.hears("STATUS=watching 1; next renewal: default at ");
    for _ in 0..3 {
        service.hears("WATCHDOG=1");
    }
    service.signal(rustix::process::Signal::INT);
    assert_eq!(service.ended(), Some(0));
}

#[test]
fn a_hook_that_runs_when_the_service_is_stopped_comes_to_its_end_and_nothing_new_begins() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    let hook = "before-hook = 'touch began; while ! test -e go; do sleep 0.05; done; touch done'";
    configure(&customer, PIN, hook);
    let mut service = Service::start(&customer, &[]);
    crate::service::until(|| customer.path("began").exists());
    service.signal(rustix::process::Signal::TERM);
    service.event("stopping");
    fs::write(customer.path("go"), "").unwrap();
    assert_eq!(service.ended(), Some(0));
    assert!(customer.path("done").exists());
    assert_eq!(current(&customer).to_str(), Some("generations/1"));
    // The next one does what is due.
    assert!(has(&once(&customer).done(), "renewed"));
}

#[test]
fn a_service_that_is_killed_in_the_middle_is_no_loss() {
    let bank = Bank::open();
    let customer = customer(&bank, DUE);
    let hook = "after-hook = 'touch began; while ! test -e go; do sleep 0.05; done'";
    configure(&customer, PIN, hook);
    let mut service = Service::start(&customer, &[]);
    service.event("renewed");
    crate::service::until(|| customer.path("began").exists());
    service.signal(rustix::process::Signal::KILL);
    assert_eq!(service.ended(), None);
    fs::write(customer.path("go"), "").unwrap();
    let ran = once(&customer).done();
    assert_eq!(event(&ran, "hookDone")["outcome"], "renewed");
}
