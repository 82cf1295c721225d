//! What every command has: help, `--json`, exit codes.

use std::fs;

use crate::bank::Bank;

/// Every command, read from the manual pages, one for each.
fn commands(bank: &Bank) -> Vec<Vec<String>> {
    assert_eq!(bank.run(&["man", "pages"]).code, 0);
    let pages = fs::read_dir(bank.path("pages")).expect("a folder");
    pages
        .map(|page| {
            let name = page.expect("a page").file_name().into_string().expect("UTF-8");
            let name = name.strip_suffix(".1").expect("section 1");
            let words = name.strip_prefix("koshin-server").expect("our name");
            words
                .replace("check-config", "check_config")
                .split('-')
                .map(ToOwned::to_owned)
                .collect()
        })
        .map(|words: Vec<String>| {
            words.iter().filter(|w| !w.is_empty()).map(|w| w.replace('_', "-")).collect()
        })
        .collect()
}

#[test]
fn every_command_has_help() {
    let bank = Bank::new();
    let commands = commands(&bank);
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let ran = bank.run(&arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        assert!(ran.out.contains("Usage: koshin-server"), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn the_help_says_the_exit_codes() {
    let ran = Bank::new().run(&["--help"]);
    for code in ["0  done", "1  a fault", "2  wrong usage", "3  refused", "4  the configuration"] {
        assert!(ran.out.contains(code), "{code}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let bank = Bank::new();
    for arguments in [
        &["dance"][..],
        &["operator"],
        &["operator", "add"],
        &["operator", "add", "a\nb"],
        &["contract", "show", "x"],
        &["subject", "add", "--name", "CN=A"],
        &["revoke", "x.y"],
        &["init"],
        &["audit", "show", "nothing"],
    ] {
        assert_eq!(bank.run(arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn errors_are_json_on_standard_error_where_asked_for() {
    let bank = Bank::new();
    let ran = bank.run(&["contract", "show", "AAAAAAAAAAAAAAAAAAAAAA", "--json"]);
    ran.failed(3, "no such contract");
    let error: serde_json::Value = serde_json::from_str(&ran.err).expect("JSON");
    assert_eq!(error["error"], "refused");
    assert!(ran.out.is_empty());
}

#[test]
fn completions_are_printed_for_a_shell() {
    let ran = Bank::new().run(&["completions", "bash"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("check-config"));
}
