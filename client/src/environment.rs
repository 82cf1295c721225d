//! What the client runs on, as it is (SPEC.md 7.22, 9.4, ENV-03).

use koshin_protocol::environment::{Environment, EnvironmentText, InvalidEnvironmentText};

/// The environment of this machine, for software that calls itself `software`.
///
/// `os` is `linux`, `macos`, `windows` or another word of [`std::env::consts::OS`]; its version is dotted decimals
/// (of Linux the kernel's), `0` where the system does not say.
pub fn detect(
    software: &str,
    software_version: &str,
) -> Result<Environment, InvalidEnvironmentText> {
    let version = os_version();
    let version = if version.is_empty() { "0" } else { &version };
    Ok(Environment {
        os: std::env::consts::OS.parse()?,
        os_version: version.parse::<EnvironmentText>()?,
        software: software.parse()?,
        software_version: software_version.parse()?,
    })
}

/// The environment of a program that has nothing to say of itself but this library.
pub(crate) fn of_this_library() -> Environment {
    detect(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .expect("name, version and dotted decimals are short texts")
}

#[cfg(target_os = "linux")]
fn os_version() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    leading_version(&release)
}

#[cfg(target_os = "macos")]
fn os_version() -> String {
    let file = "/System/Library/CoreServices/SystemVersion.plist";
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let after = text.split_once("<key>ProductVersion</key>").map(|(_, rest)| rest);
    let value = after.and_then(|rest| rest.split_once("<string>")).map(|(_, value)| value);
    leading_version(value.unwrap_or_default())
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn os_version() -> String {
    String::new()
}

/// The dotted decimals that a text begins with: `6.1.0` of `6.1.0-18-amd64`.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn leading_version(text: &str) -> String {
    let end = text.find(|at: char| !at.is_ascii_digit() && at != '.').unwrap_or(text.len());
    text[..end].trim_matches('.').chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_dotted_decimals_ahead_of_anything_else() {
        for (text, version) in [
            ("6.1.0-18-amd64\n", "6.1.0"),
            ("13.4", "13.4"),
            ("5.15.-rc1", "5.15"),
            ("unknown", ""),
            ("", ""),
        ] {
            assert_eq!(leading_version(text), version, "{text}");
        }
    }

    #[test]
    fn every_machine_has_an_environment() {
        let environment = detect("ledger", "4.2").expect("short texts");
        assert_eq!(environment.os.as_str(), std::env::consts::OS);
        assert!(environment.os_version.is_at_least(&"0".parse().expect("a version")));
    }
}
