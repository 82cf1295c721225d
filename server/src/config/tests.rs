#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use super::*;

const BANK: &str = r#"publicOrigin = "https://bank.example"
listen = "0.0.0.0:8443"
data = "data"
policy = "seed"
[tls]
certificate = "tls/chain.pem"
key = "/etc/tls/key.pem"
"#;

const PLAIN: &str = r#"publicOrigin = "http://127.0.0.1:8080"
listen = "127.0.0.1:8080"
plainHttp = true
data = "data"
policy = "seed"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("etc/bank.toml"), text)
}

fn with(text: &str, old: &str, new: &str) -> Result<Config, ConfigError> {
    assert!(text.contains(old), "the configuration has no {old:?}");
    parse(&text.replace(old, new))
}

fn refusal(text: &str, old: &str, new: &str) -> String {
    with(text, old, new).expect_err("accepted").to_string()
}

#[test]
fn paths_start_at_the_files_folder() {
    let config = parse(BANK).unwrap();
    assert_eq!(config.data, Path::new("etc/data"));
    let Transport::Tls { certificate, key } = config.transport else { panic!("not TLS") };
    assert_eq!(
        (certificate, key),
        (PathBuf::from("etc/tls/chain.pem"), PathBuf::from("/etc/tls/key.pem"))
    );
}

#[test]
fn what_is_left_out_has_a_default() {
    let config = parse(BANK).unwrap();
    assert!(!config.testing);
    assert_eq!((config.metrics, config.mischief, config.ca_passphrase), (None, None, None));
    assert_eq!(config.log, LogSettings { json: false, filter: "info".to_owned() });
    assert_eq!((config.limits.connections, config.limits.pins_waiting), (4096, 64));
    assert!(config.limits.pins_at_once >= 1);
}

#[test]
fn everything_can_be_said() {
    let text = format!(
        "testing = true\n{BANK}[ca]\npassphraseFile = \"pass\"\n[metrics]\nlisten = \"127.0.0.1:9464\"\n[log]\nformat = \"json\"\n\
         filter = \"debug\"\n[limits]\nconnections = 10\nrequestsPerAddress = 0\nrequestsPerCertificate = 9\npinsAtOnce = 3\npinsWaiting = 4\ncontractPage = 5\n[mischief]\nseed = 7\nrejectNonce = 5\n"
    );
    let config = parse(&text).unwrap();
    assert!(config.testing);
    assert_eq!(config.ca_passphrase, Some(PathBuf::from("etc/pass")));
    assert_eq!(config.metrics, Some("127.0.0.1:9464".parse().unwrap()));
    assert_eq!(config.log, LogSettings { json: true, filter: "debug".to_owned() });
    assert_eq!(
        config.limits,
        LimitSettings {
            connections: 10,
            requests_per_address: 0,
            requests_per_certificate: 9,
            pins_at_once: 3,
            pins_waiting: 4,
            contract_page: 5
        }
    );
    let mischief = config.mischief.unwrap();
    assert_eq!(
        (mischief.seed, mischief.reject_nonce, mischief.delay, mischief.longest_delay),
        (7, 5, 0, 5)
    );
}

#[test]
fn http_in_clear_is_only_for_loopback_and_only_when_asked_for() {
    assert_eq!(parse(PLAIN).unwrap().transport, Transport::Plain);
    assert_eq!(
        refusal(PLAIN, "listen = \"127.0.0.1:8080\"", "listen = \"0.0.0.0:8080\""),
        "etc/bank.toml:2: `listen` is \"0.0.0.0:8080\"; allowed: a loopback address, like \"127.0.0.1:8080\", with plainHttp = true"
    );
    assert_eq!(
        refusal(PLAIN, "plainHttp = true", "plainHttp = false"),
        "etc/bank.toml:1: `tls` is missing; allowed: a table with certificate and key, or plainHttp = true on a loopback address"
    );
    assert!(
        refusal(BANK, "[tls]", "plainHttp = true\n[tls]")
            .starts_with("etc/bank.toml:5: `plainHttp` is true; allowed: false")
    );
    assert!(
        with(PLAIN, "http://127.0.0.1:8080", "https://bank.example").is_ok(),
        "behind a proxy on the same machine"
    );
    assert!(
        refusal(BANK, "https://bank.example", "http://127.0.0.1")
            .starts_with("etc/bank.toml:1: `publicOrigin`")
    );
}

#[test]
fn the_public_origin_is_an_origin_in_its_normal_form() {
    for good in [
        "https://bank.example",
        "https://bank.example:8443",
        "https://192.0.2.1",
        "https://[2001:db8::1]",
    ] {
        assert!(with(BANK, "https://bank.example", good).is_ok(), "{good}");
    }
    for bad in [
        "https://bank.example/",
        "https://bank.example/koshin",
        "https://Bank.example",
        "https://bank.example:443",
        "https://",
        "https://a@bank.example",
        "http://bank.example",
        "bank.example",
        "https://bank.example?",
        "https://bank.example#",
        "",
    ] {
        let refused = refusal(BANK, "https://bank.example", bad);
        assert!(refused.starts_with("etc/bank.toml:1: `publicOrigin` is "), "{refused}");
    }
    let origin = Origin::parse("https://bank.example:8443").unwrap();
    assert_eq!(
        (origin.as_str(), origin.authority()),
        ("https://bank.example:8443", "bank.example:8443")
    );
}

#[test]
fn mischief_is_refused_outside_a_test_environment_and_beyond_everything() {
    let mischief = format!("{BANK}[mischief]\nseed = 1\nrejectNonce = 60\ndelay = 41\n");
    assert!(
        parse(&mischief)
            .unwrap_err()
            .to_string()
            .ends_with("allowed: nothing, unless testing = true")
    );
    let testing = format!("testing = true\n{mischief}");
    assert!(
        parse(&testing)
            .unwrap_err()
            .to_string()
            .ends_with("allowed: shares that add up to at most 100 per cent")
    );
    assert!(parse(&testing.replace("41", "40")).is_ok());
}

#[test]
fn an_unknown_policy_is_answered_with_the_shipped_ones() {
    assert_eq!(
        refusal(BANK, "\"seed\"", "\"sed\""),
        "etc/bank.toml:4: `policy` is \"sed\"; allowed: \"seed\", \"core\", \"one-year-grace\", \"two-years-until-expiry\", \
         \"365-days-early\", \"366-days-four-weeks\", or a file ending in \".toml\""
    );
}

#[test]
fn a_policy_file_is_read_from_beside_the_configuration_and_its_mistakes_carry_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koshin-server.toml");
    fs::write(&path, BANK.replace("\"seed\"", "\"own.toml\"")).unwrap();
    let own = folder.path().join("own.toml");
    let missing = Config::read(&path).unwrap_err().to_string();
    assert!(missing.starts_with(&own.display().to_string()), "{missing}");
    fs::write(&own, SHIPPED[0].1).unwrap();
    assert_eq!(Config::read(&path).unwrap().policy.renewal.window_days, 30);
    fs::write(&own, SHIPPED[0].1.replace("days = 30", "days = 999")).unwrap();
    let wrong = Config::read(&path).unwrap_err().to_string();
    assert_eq!(
        wrong,
        format!("{}:10: `window.days` is 999; allowed: 1 to 366 days", own.display())
    );
}

#[test]
fn a_log_filter_that_cannot_be_read_is_named() {
    let log = format!("{BANK}[log]\nfilter = \"koshin_server=loud\"\n");
    assert_eq!(
        parse(&log).unwrap_err().to_string(),
        "etc/bank.toml:9: `log.filter` is \"koshin_server=loud\"; allowed: directives like \"info\" or \"koshin_server=debug,info\""
    );
    assert!(parse(&log.replace("loud", "debug,info")).is_ok());
}
