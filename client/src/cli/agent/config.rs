//! `agent.toml`: what the agent does for which identity. Everything in it may be absent, and so may the file.
//!
//! ```toml
//! before-hook = "systemctl stop ledger"
//! after-hook = "systemctl start ledger"
//! hook-timeout = "PT5M"
//! look-every = "PT1M"
//!
//! [identity.hanako]
//! pin-file = "/etc/koshin/hanako.pin"
//! key-passphrase-file = "/etc/koshin/hanako.passphrase"
//! after-hook = "/usr/local/bin/copy-certificate"
//!
//! [identity.taro]
//! renew = false
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use koshin_protocol::time::Period;
use serde::Deserialize;

/// The file's name in the folder with the identities.
pub(crate) const FILE: &str = "agent.toml";

const HOOK_TIMEOUT: Duration = Duration::from_mins(5);
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// What the agent does, for all identities and for single ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    before_hook: Option<String>,
    after_hook: Option<String>,
    hook_timeout: Option<Period>,
    look_every: Option<Period>,
    identity: BTreeMap<String, OfIdentity>,
}

/// What it does for one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct OfIdentity {
    before_hook: Option<String>,
    after_hook: Option<String>,
    /// The PIN's file.
    pub(crate) pin_file: Option<PathBuf>,
    /// The file with the passphrase of the key store.
    pub(crate) key_passphrase_file: Option<PathBuf>,
    renew: Option<bool>,
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) before_hook: Option<String>,
    pub(crate) after_hook: Option<String>,
    pub(crate) hook_timeout: Option<Period>,
    pub(crate) look_every: Option<Period>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", path.display())]
pub(crate) struct ConfigError {
    path: PathBuf,
    detail: String,
}

impl Config {
    /// Reads the file that was asked for, or the usual one if there is one; what the command line says comes first.
    pub(crate) fn read(
        asked_for: Option<&Path>,
        home: &Path,
        given: &Given,
    ) -> Result<Self, ConfigError> {
        let usual = home.join(FILE);
        let path = asked_for.unwrap_or(&usual);
        let failed = |detail: String| ConfigError { path: path.to_owned(), detail };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if asked_for.is_none() && error.kind() == io::ErrorKind::NotFound => {
                String::new()
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        let mut config: Self = toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
        let Given { before_hook, after_hook, hook_timeout, look_every } = given.clone();
        config.before_hook = before_hook.or(config.before_hook);
        config.after_hook = after_hook.or(config.after_hook);
        config.hook_timeout = hook_timeout.or(config.hook_timeout);
        config.look_every = look_every.or(config.look_every);
        Ok(config)
    }

    /// How long a hook may take.
    pub(crate) fn hook_timeout(&self) -> Duration {
        self.hook_timeout.map_or(HOOK_TIMEOUT, at_least_a_second)
    }

    /// How often the folder is looked at for what changed in it.
    pub(crate) fn look_every(&self) -> Duration {
        self.look_every.map_or(LOOK_EVERY, at_least_a_second)
    }

    /// The hook before a renewal of this identity; an empty one is none.
    pub(crate) fn before_hook(&self, name: &str) -> Option<&str> {
        let own = self.identity.get(name).and_then(|of| of.before_hook.as_deref());
        own.or(self.before_hook.as_deref()).filter(|hook| !hook.trim().is_empty())
    }

    /// The hook after a renewal of this identity; an empty one is none.
    pub(crate) fn after_hook(&self, name: &str) -> Option<&str> {
        let own = self.identity.get(name).and_then(|of| of.after_hook.as_deref());
        own.or(self.after_hook.as_deref()).filter(|hook| !hook.trim().is_empty())
    }

    /// What is said of this identity alone.
    pub(crate) fn of(&self, name: &str) -> OfIdentity {
        self.identity.get(name).cloned().unwrap_or_default()
    }

    /// Whether the agent renews this identity.
    pub(crate) fn renews(&self, name: &str) -> bool {
        self.identity.get(name).and_then(|of| of.renew).unwrap_or(true)
    }
}

fn at_least_a_second(period: Period) -> Duration {
    period.to_duration().max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, given: &Given) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), text).expect("written");
        Config::read(None, folder.path(), given)
    }

    #[test]
    fn the_example_of_this_page_is_read() {
        let page = include_str!("config.rs");
        let example = page.split("```").nth(1).expect("an example").trim_start_matches("toml\n");
        let example = example.replace("//! ", "").replace("//!", "");
        let config = read(&example, &Given::default()).expect("a configuration");
        assert_eq!(config.after_hook("hanako"), Some("/usr/local/bin/copy-certificate"));
        assert_eq!(config.after_hook("jiro"), Some("systemctl start ledger"));
        assert_eq!(config.before_hook("hanako"), Some("systemctl stop ledger"));
        assert_eq!(config.hook_timeout(), Duration::from_mins(5));
        assert!(config.renews("hanako") && !config.renews("taro"));
        assert_eq!(config.of("hanako").pin_file, Some("/etc/koshin/hanako.pin".into()));
    }

    #[test]
    fn without_a_file_there_are_no_hooks_unless_it_was_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::read(None, folder.path(), &Given::default()).expect("nothing asked");
        assert_eq!((config.after_hook("a"), config.look_every()), (None, LOOK_EVERY));
        let asked = folder.path().join("other.toml");
        let error = Config::read(Some(&asked), folder.path(), &Given::default());
        assert!(error.expect_err("absent").to_string().contains("other.toml"));
    }

    #[test]
    fn the_command_line_comes_first_but_for_what_is_said_of_one_identity() {
        let text =
            "after-hook = 'file'\n[identity.a]\nafter-hook = 'own'\n[identity.b]\nafter-hook = ''";
        let given = Given { after_hook: Some("given".to_owned()), ..Given::default() };
        let config = read(text, &given).expect("a configuration");
        assert_eq!(config.after_hook("a"), Some("own"));
        assert_eq!(config.after_hook("b"), None);
        assert_eq!(config.after_hook("c"), Some("given"));
    }

    #[test]
    fn a_word_that_is_not_known_is_refused_with_its_place() {
        let error = read("after-hok = 'x'", &Given::default()).expect_err("not known");
        assert!(error.to_string().contains("after-hok"), "{error}");
    }
}
