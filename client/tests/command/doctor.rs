//! `doctor`: every check, seen well and seen failing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, Method};
use koshin_client::files::Real;
use koshin_client::identity::Identity;
use koshin_client::keystore::FileStore;
use koshin_client::transport::{Https, Request, Transport};
use koshin_server::provision::Answer;
use serde_json::{Value, json};
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::bank::{Bank, in_days};
use crate::customer::{Customer, Ran, finish};

fn doctor(customer: &Customer) -> Ran {
    customer.run(&["doctor", "--json"])
}

/// The findings of a check.
fn of(ran: &Ran, check: &str) -> Vec<Value> {
    let events = ran.events().into_iter();
    events.filter(|event| event["event"] == "check" && event["check"] == check).collect()
}

/// One finding of this check is so, and says this; what is wrong comes with what to do.
#[track_caller]
fn finds(ran: &Ran, check: &str, status: &str, said: &str) {
    let found = of(ran, check);
    let is_it =
        |one: &Value| one["status"] == status && one["message"].as_str().unwrap().contains(said);
    let one = found.iter().find(|one| is_it(one));
    let one = one.unwrap_or_else(|| panic!("no {status} of {check} says {said:?}: {found:#?}"));
    assert_eq!(one["fix"].is_string(), status != "ok", "{one}");
}

/// It finds this failing, and ends with this code.
#[track_caller]
fn fails(ran: &Ran, check: &str, code: i32, said: &str) {
    finds(ran, check, "fail", said);
    assert_eq!(ran.code, code, "{ran:?}");
    assert_eq!(ran.last()["outcome"], "problems");
}

/// Somebody whose window opens in months.
fn healthy(bank: &Bank) -> Customer {
    bank.customer("user", 200)
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn where_all_is_well_every_check_says_so() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    let ran = doctor(&customer).done();
    for check in [
        "home",
        "writable",
        "space",
        "proxy",
        "settings",
        "permissions",
        "trust",
        "tlsTrust",
        "journal",
        "lock",
        "pair",
        "connection",
        "clock",
        "directory",
        "environment",
        "keyStore",
        "algorithm",
        "issuers",
        "renewalInfo",
        "expiry",
    ] {
        finds(&ran, check, "ok", "");
    }
    assert_eq!(ran.last()["outcome"], "healthy");
    let text = customer.run(&["doctor"]).done();
    assert!(text.out.contains("All is well"), "{text:?}");
    let text = customer.run(&["doctor", "--lang", "ja"]).done();
    assert!(text.out.contains("問題はありません"), "{text:?}");
}

#[test]
fn offline_it_asks_no_bank() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    drop(bank);
    let ran = customer.run(&["doctor", "--offline", "--json"]).done();
    assert!(of(&ran, "connection").is_empty(), "{ran:?}");
    finds(&ran, "expiry", "ok", "valid until");
    fails(&doctor(&customer), "connection", 10, "does not answer");
}

#[test]
fn what_others_may_read_or_change_is_found() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    let folder = customer.path("home/default");
    let key = folder.join("generations/1/key.pem");
    mode(&key, 0o644);
    let ran = doctor(&customer);
    fails(&ran, "permissions", 11, "mode 644");
    fails(&ran, "pair", 11, "others may read");
    mode(&key, 0o600);
    mode(&folder, 0o755);
    fails(&doctor(&customer), "permissions", 11, "others may enter");
    mode(&folder, 0o700);
    mode(&customer.path("home"), 0o777);
    fails(&doctor(&customer), "permissions", 11, "others may write");
    mode(&customer.path("home"), 0o755);
    doctor(&customer).done();
}

#[test]
fn a_folder_without_room_or_access_is_found_and_so_is_one_that_is_empty() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    // Nobody can make a file there, not even the superuser, and it has no room.
    let ran = customer.run(&["doctor", "--json", "--home", "/sys/kernel"]);
    fails(&ran, "writable", 11, "no file can be made");
    fails(&ran, "space", 11, "full");
    let ran = customer.run(&["doctor", "--json", "--home", "nowhere"]).done();
    finds(&ran, "home", "warn", "there is no identity");
    let ran = customer.run(&["doctor", "--json", "--home", "key.pem/home"]);
    fails(&ran, "home", 11, "cannot be read");
}

#[test]
fn settings_that_cannot_be_read_are_found_and_the_other_identities_looked_at() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    fs::create_dir(customer.path("home/broken")).unwrap();
    fs::write(customer.path("home/broken/identity.toml"), "name = 1").unwrap();
    let ran = doctor(&customer);
    fails(&ran, "settings", 11, "identity.toml");
    finds(&ran, "pair", "ok", "belong together");
    customer.run(&["doctor", "--json", "--identity", "default"]).done();
    customer.run(&["doctor", "--identity", "nobody"]).failed(2, "nobody");
}

#[test]
fn trust_that_is_missing_damaged_or_not_the_banks_is_found() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    let trust = customer.path("home/default/trust.pem");
    let good = fs::read(&trust).unwrap();
    fs::write(&trust, "").unwrap();
    fails(&doctor(&customer), "trust", 11, "no certificate in it");
    fs::remove_file(&trust).unwrap();
    fails(&doctor(&customer), "trust", 11, "trust.pem");
    let other = Bank::open();
    fs::copy(other.roots(), &trust).unwrap();
    let ran = doctor(&customer);
    fails(&ran, "issuers", 11, "do not cover");
    finds(&ran, "trust", "ok", "");
    fs::write(&trust, expired_root()).unwrap();
    fails(&doctor(&customer), "trust", 11, "expired");
    fs::write(&trust, good).unwrap();
    doctor(&customer).done();
}

/// A root that ended long ago.
fn expired_root() -> String {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

#[test]
fn a_server_that_is_not_the_bank_is_found() {
    let bank = Bank::open_tls();
    let customer = bank.newcomer("user", 200);
    let roots = customer.roots.to_str().unwrap().to_owned();
    customer.import(&["--tls-trust", &roots, "key.pem", "certificate.pem"]).done();
    finds(&doctor(&customer).done(), "tlsTrust", "ok", "1 roots");
    let settings = customer.path("home/default/identity.toml");
    let good = fs::read_to_string(&settings).unwrap();
    let pinned = |pin: &str| fs::write(&settings, format!("{good}tls-pins = ['{pin}']\n")).unwrap();
    pinned("nonsense");
    fails(&doctor(&customer), "pins", 11, "nonsense");
    pinned("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let ran = doctor(&customer);
    finds(&ran, "pins", "ok", "1 keys");
    fails(&ran, "connection", 11, "cannot prove");
    let other = Bank::open_tls();
    let trust = customer.path("other.pem");
    fs::copy(other.roots(), &trust).unwrap();
    let lines = good.lines().filter(|line| !line.starts_with("tls-trust"));
    let without = lines.collect::<Vec<_>>().join("\n");
    fs::write(&settings, format!("{without}\ntls-trust = '{}'\n", trust.display())).unwrap();
    fails(&doctor(&customer), "connection", 11, "cannot prove");
    fs::write(&trust, "nothing").unwrap();
    fails(&doctor(&customer), "tlsTrust", 11, "other.pem");
}

#[test]
fn a_pair_that_is_not_one_is_found() {
    let bank = Bank::open();
    let (customer, other) = (healthy(&bank), healthy(&bank));
    let pair = customer.path("home/default/generations/1");
    let certificate = pair.join("certificate.pem");
    let good = fs::read(&certificate).unwrap();
    fs::copy(other.path("certificate.pem"), &certificate).unwrap();
    fails(&doctor(&customer), "pair", 11, "not that of the certificate");
    fs::write(&certificate, "rubbish").unwrap();
    fails(&doctor(&customer), "pair", 11, "certificate.pem");
    fs::write(&certificate, good).unwrap();
    fs::rename(pair.join("key.pem"), pair.join("other.pem")).unwrap();
    fails(&doctor(&customer), "pair", 11, "there is no key");
    fs::remove_file(customer.path("home/default/current")).unwrap();
    fails(&doctor(&customer), "pair", 11, "no certificate in use");
}

#[test]
fn what_is_unfinished_or_locked_is_no_failure_and_is_told() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    let journal = customer.path("home/default/generations/1/journal.json");
    let good = fs::read_to_string(&journal).unwrap();
    let mut open: Value = serde_json::from_str(&good).unwrap();
    open["progress"] = json!({ "state": "began" });
    fs::write(&journal, open.to_string()).unwrap();
    let ran = doctor(&customer).done();
    finds(&ran, "journal", "warn", "not finished");
    assert_eq!(ran.last()["outcome"], "warnings");
    fs::write(&journal, "{").unwrap();
    fails(&doctor(&customer), "journal", 11, "journal.json");
    fs::write(&journal, good).unwrap();
    let keys = Arc::new(FileStore::plain());
    let held = Identity::open(Arc::new(Real), keys, &customer.path("home/default")).unwrap();
    finds(&doctor(&customer).done(), "lock", "warn", "another program");
    drop(held);
}

#[test]
fn a_certificate_that_may_be_renewed_or_is_too_late_is_found() {
    let bank = Bank::open();
    finds(&doctor(&bank.user()).done(), "expiry", "warn", "may be renewed");
    let until = koshin_protocol::time::Time::from_unix(crate::bank::now().unix() + 2).unwrap();
    let customer = Customer::new(&bank, Some(&bank.makes("user", until)));
    customer.imports();
    crate::service::until(|| crate::bank::now() > until);
    let ran = doctor(&customer);
    fails(&ran, "expiry", 12, "expired");
    finds(&ran, "renewalInfo", "fail", "unconfirmed, superseded");
    // Of each identity its own.
    let other = bank.makes("user", in_days(200));
    fs::write(customer.path("other.pem"), other.certificate + other.key.as_str()).unwrap();
    customer.import(&["other.pem", "--identity", "other"]).done();
    let ran = doctor(&customer);
    fails(&ran, "expiry", 12, "expired");
    let expiry = of(&ran, "expiry");
    let told: Vec<_> = expiry.iter().map(|one| (&one["identity"], &one["status"])).collect();
    assert_eq!(told, [(&"default".into(), &"fail".into()), (&"other".into(), &"ok".into())]);
    customer.run(&["doctor", "--identity", "other"]).done();
}

/// Somebody with such a certificate, imported.
fn provided(bank: &Bank, request: Value) -> Customer {
    let request = serde_json::from_value(request).unwrap();
    let Answer::Made(made) = bank.runtime.block_on(bank.running.provision(&request)).unwrap()
    else {
        panic!("the bank makes no such certificate");
    };
    let customer = Customer::new(bank, Some(&made));
    customer.imports();
    customer
}

#[test]
fn a_certificate_of_the_future_is_found() {
    let bank = Bank::open();
    let request = json!({ "role": "user", "notBefore": in_days(1), "notAfter": in_days(200) });
    let customer = provided(&bank, request);
    fails(&doctor(&customer), "expiry", 11, "is valid from");
}

#[test]
fn a_key_that_is_closed_is_found() {
    let bank = Bank::open();
    let customer = bank.newcomer("user", 200);
    customer.secret("pass", "correct horse");
    let encrypted = ["--encrypt", "--key-passphrase-file", "pass", "key.pem", "certificate.pem"];
    customer.import(&encrypted).done();
    fails(&doctor(&customer), "pair", 11, "encrypted");
    customer.secret("wrong", "wrong horse");
    let with = |file| customer.run(&["doctor", "--json", "--key-passphrase-file", file]);
    fails(&with("wrong"), "pair", 11, "passphrase");
    finds(&with("pass").done(), "pair", "ok", "belong together");
}

#[test]
fn what_the_agent_could_not_do_is_told() {
    let bank = Bank::open();
    let customer = crate::agent::customer(&bank, crate::agent::DUE);
    crate::agent::configure(&customer, "000000", "");
    assert_eq!(customer.run(&["agent", "--once"]).code, 11);
    finds(&doctor(&customer).done(), "agent", "warn", "last attempt failed");
}

#[test]
fn a_proxy_is_named_without_its_password() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    let mut command = customer.command(&["doctor", "--offline", "--json"]);
    command.env("HTTPS_PROXY", "http://u:hidden@proxy:3128");
    let ran = finish(command).done();
    finds(&ran, "proxy", "ok", "HTTPS_PROXY=http://***@proxy:3128");
    assert!(!ran.out.contains("hidden"), "{ran:?}");
}

/// A bank that publishes what a test wants, in front of nothing.
struct Publisher {
    server: MockServer,
}

impl Publisher {
    /// Publishes the directory of a bank, changed.
    fn of(bank: &Bank, customer: &Customer, change: impl FnOnce(&mut Value)) -> Self {
        let server = bank.runtime.block_on(MockServer::start());
        let url = bank.directory().parse().unwrap();
        let request = Request {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Vec::new().into(),
            limit: 65_536,
        };
        let https = Https::new(&[], Vec::new()).unwrap();
        let directory = bank.runtime.block_on(https.send(request)).unwrap().body;
        let directory = String::from_utf8(directory).unwrap();
        let origin = bank.directory().trim_end_matches("/directory").to_owned();
        let mut directory =
            serde_json::from_str(&directory.replace(&origin, &server.uri())).unwrap();
        change(&mut directory);
        let publisher = Self { server };
        publisher.answers(bank, "directory", ResponseTemplate::new(200).set_body_json(directory));
        let settings = customer.path("home/default/identity.toml");
        let text = fs::read_to_string(&settings).unwrap();
        fs::write(&settings, text.replace(&origin, &publisher.server.uri())).unwrap();
        publisher
    }

    fn answers(&self, bank: &Bank, end: &str, answer: ResponseTemplate) {
        let at = path_regex(format!("{end}$"));
        bank.runtime
            .block_on(Mock::given(method("GET")).and(at).respond_with(answer).mount(&self.server));
    }
}

/// What is found where the directory is changed so.
fn with_directory(change: impl FnOnce(&mut Value)) -> Ran {
    let bank = Bank::open();
    let customer = healthy(&bank);
    let _publisher = Publisher::of(&bank, &customer, change);
    doctor(&customer)
}

#[test]
fn a_bank_that_wants_something_else_is_found() {
    let ran = with_directory(|directory| directory["meta"]["version"] = json!("2"));
    fails(&ran, "directory", 11, "cannot be used");
    let rule = json!([{ "os": "plan9", "osVersion": "4" }]);
    let ran = with_directory(|directory| directory["meta"]["environments"] = rule);
    fails(&ran, "environment", 11, "does not support");
    let ran = with_directory(|directory| directory["meta"]["keyStores"] = json!(["token"]));
    fails(&ran, "keyStore", 11, "does not take keys kept in: file");
}

#[test]
fn a_key_whose_signatures_the_bank_does_not_take_is_found() {
    let bank = Bank::open();
    let request = json!({
        "role": "user",
        "alg": "ES384",
        "notBefore": in_days(-1),
        "notAfter": in_days(200),
    });
    let customer = provided(&bank, request);
    finds(&doctor(&customer).done(), "algorithm", "ok", "ES384");
    let only = |directory: &mut Value| directory["meta"]["algorithms"] = json!(["ES256"]);
    let _publisher = Publisher::of(&bank, &customer, only);
    fails(&doctor(&customer), "algorithm", 11, "ES384");
}

#[test]
fn a_clock_that_is_wrong_is_found() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    let publisher = Publisher::of(&bank, &customer, |_| {});
    bank.runtime.block_on(publisher.server.reset());
    for (date, side) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "ahead of the bank's"),
        ("Sat, 06 Nov 2094 08:49:37 GMT", "behind the bank's"),
    ] {
        let wrong = ResponseTemplate::new(200).insert_header("date", date).set_body_json(json!({}));
        publisher.answers(&bank, "directory", wrong);
        let ran = doctor(&customer);
        finds(&ran, "clock", "warn", side);
        assert!(of(&ran, "clock")[0]["fix"].as_str().unwrap().contains("set the clock"), "{ran:?}");
        bank.runtime.block_on(publisher.server.reset());
    }
}

#[test]
fn a_bank_that_answers_with_something_else_is_found() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    let publisher = Publisher::of(&bank, &customer, |_| {});
    publisher.answers(&bank, "renewal-info/.*", ResponseTemplate::new(500));
    finds(&doctor(&customer).done(), "renewalInfo", "warn", "HTTP status 500");
    bank.runtime.block_on(publisher.server.reset());
    publisher.answers(&bank, "directory", ResponseTemplate::new(503));
    fails(&doctor(&customer), "connection", 10, "HTTP status 503");
}

#[test]
fn a_certificate_that_the_bank_does_not_know_or_count_is_found() {
    let bank = Bank::open();
    let customer = healthy(&bank);
    let other = Bank::open();
    let settings = customer.path("home/default/identity.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let change = |from: &Bank, to: &Bank| text.replace(&from.directory(), &to.directory());
    fs::write(&settings, change(&bank, &other)).unwrap();
    fails(&doctor(&customer), "renewalInfo", 11, "does not know");
    fs::write(&settings, &text).unwrap();
    let renewed = bank.customer("user", 20);
    let copy = bank.newcomer("user", 20);
    fs::create_dir_all(copy.path("home")).unwrap();
    let status = std::process::Command::new("cp")
        .arg("-a")
        .args([renewed.path("home/default"), copy.path("home/")])
        .status();
    assert!(status.unwrap().success());
    renewed.with_pin(&["renew", "--yes"]).done();
    fails(&doctor(&copy), "renewalInfo", 11, "superseded");
}
