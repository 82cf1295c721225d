//! The unit files that ship, read by systemd itself (`systemd-analyze`), which needs not run for that.
//!
//! Without it the tests are listed as ignored; with `KOSHIN_REQUIRE_ALL=1` they fail.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

const UNITS: [&str; 3] =
    ["koshin-agent.service", "koshin-agent-once.service", "koshin-agent.timer"];

/// Tenths of the exposure that `systemd-analyze security` counts, from 0 to 100.
const MOST_EXPOSED: &str = "20";

fn main() {
    let required = std::env::var("KOSHIN_REQUIRE_ALL").is_ok_and(|value| value == "1");
    let is_there = Command::new("systemd-analyze").arg("--version").stdout(Stdio::null()).status();
    let is_there = is_there.is_ok_and(|status| status.success());
    let trial = |name: &str, test: fn() -> Result<(), Failed>| {
        let run = move || if is_there { test() } else { Err("not installed: systemd".into()) };
        Trial::test(name, run).with_ignored_flag(!is_there && !required)
    };
    let trials = vec![
        trial("systemd_takes_the_units_without_a_word", are_taken),
        trial("a_unit_with_a_word_that_systemd_does_not_know_is_noticed", unknown_is_noticed),
        trial("the_services_are_closed_in", are_closed_in),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The units in a folder, beginning this build's program in place of the installed one.
fn units() -> TempDir {
    let (shipped, folder) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd"), tempfile::tempdir().unwrap());
    assert_eq!(fs::read_dir(&shipped).unwrap().count(), UNITS.len());
    for unit in UNITS {
        let text = fs::read_to_string(shipped.join(unit)).unwrap();
        let here = text.replace("/usr/bin/koshin", env!("CARGO_BIN_EXE_koshin"));
        assert_eq!(here != text, unit.ends_with(".service"), "{unit}");
        fs::write(folder.path().join(unit), here).unwrap();
    }
    folder
}

fn analyze(folder: &TempDir, arguments: &[&str]) -> Result<(), Failed> {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .args(["--no-pager", "--man=no"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && said.is_empty() {
        Ok(())
    } else {
        Err(format!("{arguments:?}: {}: {said}", output.status).into())
    }
}

fn verify(folder: &TempDir) -> Result<(), Failed> {
    analyze(folder, &[&["verify"][..], &UNITS].concat())
}

fn are_taken() -> Result<(), Failed> {
    verify(&units())
}

fn unknown_is_noticed() -> Result<(), Failed> {
    let folder = units();
    let unit = folder.path().join(UNITS[0]);
    let text = fs::read_to_string(&unit).unwrap().replace("KillMode=", "KillMood=");
    fs::write(&unit, text).unwrap();
    match verify(&folder) {
        Err(_) => Ok(()),
        Ok(()) => Err("KillMood= was taken".into()),
    }
}

fn are_closed_in() -> Result<(), Failed> {
    let folder = units();
    for unit in UNITS.iter().filter(|unit| unit.ends_with(".service")) {
        let unit = format!("./{unit}");
        analyze(&folder, &["security", "--offline=yes", "--threshold", MOST_EXPOSED, &unit])?;
    }
    Ok(())
}
