//! The command line itself.

use std::fs;

use crate::bank::Bank;
use crate::customer::Customer;

const COMMANDS: [&str; 17] = [
    "import",
    "enroll",
    "status",
    "list",
    "renew",
    "resume",
    "defer",
    "cancel",
    "rollback",
    "export",
    "revoke",
    "admin",
    "agent",
    "doctor",
    "completions",
    "man",
    "help",
];

fn nobody() -> Customer {
    Customer::new(&Bank::open(), None)
}

#[test]
fn every_command_explains_itself_in_help_completions_and_manual() {
    let nobody = nobody();
    let help = nobody.run(&["--help"]).done();
    let script = nobody.run(&["completions", "bash"]).done();
    nobody.run(&["man", "pages"]).done();
    for command in COMMANDS {
        assert!(help.out.contains(&format!("  {command}")), "{command}: {help:?}");
        assert!(script.out.contains(command), "{command}");
        if command != "help" {
            nobody.run(&[command, "--help"]).done();
            let page =
                fs::read_to_string(nobody.path(&format!("pages/koshin-{command}.1"))).unwrap();
            assert!(page.contains(".SH"), "{page}");
        }
    }
    assert!(nobody.path("pages/koshin-admin-reissue.1").exists());
    assert!(nobody.run(&["man"]).done().out.contains("Exit codes"));
    assert!(nobody.run(&["--version"]).done().out.starts_with("koshin "));
}

#[test]
fn wrong_usage_is_told_from_everything_else_also_in_json() {
    let nobody = nobody();
    for arguments in
        [&["nonsense"][..], &["renew", "--nonsense"], &["import"], &[], &["renew", "-i", "../x"]]
    {
        assert_eq!(nobody.run(arguments).code, 2, "{arguments:?}");
    }
    for arguments in [
        &["renew", "--json"][..],
        &["renew", "--nonsense", "--json"],
        &["list", "--lang", "fr", "--json"],
    ] {
        let ran = nobody.run(arguments);
        assert_eq!((ran.code, &ran.last()["class"]), (2, &"usage".into()), "{ran:?}");
    }
}

#[test]
fn the_folder_with_the_identities_is_the_users_own_unless_named() {
    let nobody = nobody();
    let mut command = nobody.command(&["status"]);
    command.env_remove("KOSHIN_HOME").env("HOME", "/nowhere/hanako");
    crate::customer::finish(command).failed(11, "/nowhere/hanako/.local/share/koshin");
    nobody.run(&["status", "--home", "elsewhere"]).failed(11, "elsewhere");
    let mut command = nobody.command(&["status"]);
    command.env_remove("KOSHIN_HOME");
    crate::customer::finish(command).failed(2, "--home");
}
