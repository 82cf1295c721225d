//! The folder with the identities, and which one is meant.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::failure::Failure;
use super::say::Say;

/// What the first identity is called where nobody named it.
const FIRST: &str = "default";

/// The name of an identity and of its folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IdentityName(String);

/// A text that names no identity.
#[derive(Debug, thiserror::Error)]
#[error("a name has 1 to 64 letters, digits, `-`, `_` and `.`, and begins with a letter or digit")]
pub(crate) struct NoName;

impl IdentityName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdentityName {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let good = text.chars().count() <= 64
            && text.starts_with(char::is_alphanumeric)
            && text
                .chars()
                .all(|character| character.is_alphanumeric() || "-_.".contains(character));
        if good { Ok(Self(text.to_owned())) } else { Err(NoName) }
    }
}

impl fmt::Display for IdentityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder with the identities, one folder each.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    wanted: Option<IdentityName>,
}

impl Home {
    /// The folder given, else the user's own for such data; with the identity that the user named.
    pub(crate) fn new(
        folder: Option<PathBuf>,
        wanted: Option<IdentityName>,
    ) -> Result<Self, Failure> {
        let folder = match folder {
            Some(folder) => Some(folder),
            None => usual(env::var_os("XDG_DATA_HOME"), env::var_os("HOME")),
        };
        let folder = folder.ok_or_else(|| Failure::usage(Say::NoHome))?;
        let folder =
            std::path::absolute(&folder).map_err(|source| Failure::input(&folder, source))?;
        Ok(Self { folder, wanted })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The identity that the user named.
    pub(crate) fn wanted(&self) -> Option<&IdentityName> {
        self.wanted.as_ref()
    }

    /// The folder of an identity.
    pub(crate) fn path(&self, name: &IdentityName) -> PathBuf {
        self.folder.join(name.as_str())
    }

    /// The identities that there are, sorted.
    pub(crate) fn names(&self) -> Result<Vec<IdentityName>, Failure> {
        let failed = |source| Failure::input(&self.folder, source);
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let name = name.to_str().and_then(|name| name.parse::<IdentityName>().ok());
            names.extend(name.filter(|name| self.path(name).join("identity.toml").exists()));
        }
        names.sort();
        Ok(names)
    }

    /// The identity that is meant: the one that was named, else the only one.
    pub(crate) fn chosen(&self) -> Result<IdentityName, Failure> {
        let names = self.names()?;
        match (&self.wanted, names.as_slice()) {
            (Some(wanted), names) if names.contains(wanted) => Ok(wanted.clone()),
            (None, [only]) => Ok(only.clone()),
            (_, []) => Err(Failure::act(Say::NoIdentity { home: self.folder.clone() })),
            (Some(wanted), names) => Err(Failure::usage(Say::NoSuchIdentity {
                name: wanted.to_string(),
                names: join(names),
            })),
            (None, names) => Err(Failure::usage(Say::ManyIdentities { names: join(names) })),
        }
    }

    /// The identities that are meant: the one that was named, else all.
    pub(crate) fn meant(&self) -> Result<Vec<IdentityName>, Failure> {
        let names = self.names()?;
        if self.wanted.is_some() || names.is_empty() { Ok(vec![self.chosen()?]) } else { Ok(names) }
    }

    /// The identity to set up or to add to: the one that was named, else the only one, else the first.
    pub(crate) fn chosen_or_new(&self) -> Result<IdentityName, Failure> {
        match (&self.wanted, self.names()?.as_slice()) {
            (Some(wanted), _) => Ok(wanted.clone()),
            (None, [only]) => Ok(only.clone()),
            (None, []) => Ok(FIRST.parse().expect("letters")),
            (None, names) => Err(Failure::usage(Say::ManyIdentities { names: join(names) })),
        }
    }

    /// ` --identity NAME` where it is needed to mean this identity.
    pub(crate) fn option(&self, name: &IdentityName) -> String {
        match self.names() {
            Ok(names) if names.len() < 2 => String::new(),
            Ok(_) | Err(_) => format!(" --identity {name}"),
        }
    }

    /// Makes the folder, for its owner alone.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| Failure::input(&self.folder, source))
    }
}

fn join(names: &[IdentityName]) -> String {
    names.iter().map(IdentityName::as_str).collect::<Vec<_>>().join(", ")
}

/// The folder of the XDG base directory specification; a relative `XDG_DATA_HOME` counts as none.
fn usual(data: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let data = data.map(PathBuf::from).filter(|data| data.is_absolute());
    let home = home.map(PathBuf::from).filter(|home| home.is_absolute());
    let data = data.or_else(|| home.map(|home| home.join(".local/share")));
    data.map(|data| data.join("koshin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        for name in ["hanako", "田中", "ledger.1", "a_b-c"] {
            assert!(name.parse::<IdentityName>().is_ok(), "{name}");
        }
        for name in ["", "..", ".a", "-a", "a/b", "a b", "a\n", &"a".repeat(65)] {
            assert!(name.parse::<IdentityName>().is_err(), "{name}");
        }
    }

    #[test]
    fn the_folder_is_where_such_data_usually_is() {
        let usual = |data: &str, home: &str| usual(Some(data.into()), Some(home.into()));
        assert_eq!(usual("/data", "/home/u"), Some("/data/koshin".into()));
        assert_eq!(usual("data", "/home/u"), Some("/home/u/.local/share/koshin".into()));
        assert_eq!(usual("", ""), None);
    }
}
