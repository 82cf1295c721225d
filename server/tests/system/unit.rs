//! The unit file that ships, read by systemd itself (`systemd-analyze`), which needs not run for that.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::Case;

pub const CASES: &[Case] = &[
    ("systemd_takes_the_unit_without_a_word", &["systemd-analyze"], is_taken),
    ("a_word_that_systemd_does_not_know_is_noticed", &["systemd-analyze"], unknown_is_noticed),
    ("the_service_is_closed_in", &["systemd-analyze"], is_closed_in),
    ("the_unit_begins_again_where_a_new_start_helps_and_nowhere_else", &[], begins_again),
];

const UNIT: &str = "koshin-server.service";

/// Tenths of the exposure that `systemd-analyze security` counts, from 0 to 100.
const MOST_EXPOSED: &str = "20";

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(UNIT);
    fs::read_to_string(path).expect("the unit")
}

/// The unit in a folder, beginning this build's program in place of the installed one.
fn unit(change: impl FnOnce(String) -> String) -> TempDir {
    let here = shipped().replace("/usr/bin/koshin-server", env!("CARGO_BIN_EXE_koshin-server"));
    assert_ne!(here, shipped());
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(UNIT), change(here)).expect("written");
    folder
}

/// Whether systemd had nothing to say, and what it said.
fn analyze(folder: &TempDir, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).args(["--no-pager", "--man=no", &format!("./{UNIT}")]);
    let output = command.current_dir(folder.path()).output().expect("systemd-analyze");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success() && said.is_empty(), said)
}

fn is_taken() {
    let (taken, said) = analyze(&unit(|text| text), &["verify"]);
    assert!(taken, "{said}");
}

fn unknown_is_noticed() {
    let folder = unit(|text| text.replace("RestartSec=", "RestartSex="));
    assert!(!analyze(&folder, &["verify"]).0);
}

fn is_closed_in() {
    let security = ["security", "--offline=yes", "--threshold", MOST_EXPOSED];
    let (closed, said) = analyze(&unit(|text| text), &security);
    assert!(closed, "{said}");
}

/// By the exit codes of `koshin-server --help`.
fn begins_again() {
    let unit = shipped();
    let setting = |name: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("{name} is not set")).to_owned()
    };
    assert_eq!(setting("Restart"), "on-failure");
    assert_eq!(setting("StartLimitIntervalSec"), "0");
    let prevented = setting("RestartPreventExitStatus");
    let prevented: Vec<_> = prevented.split(' ').collect();
    let help = Command::new(env!("CARGO_BIN_EXE_koshin-server")).arg("--help").output();
    let help = String::from_utf8(help.expect("the program").stdout).expect("UTF-8");
    let codes = help.lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  "));
    let codes: Vec<_> = codes.filter(|(code, _)| code.parse::<u8>().is_ok()).collect();
    assert_eq!(codes.len(), 7, "{codes:?}");
    for (code, meaning) in codes {
        let is_over = code == "0" || prevented.contains(&code);
        let helps = meaning.contains("fault");
        assert_eq!(is_over, !helps, "{code}: {meaning}");
    }
}
