//! What can be seen of an identity without its lock: that somebody changed it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Shared;
use super::secret::{self, SecretFile};
use crate::cli::home::IdentityName;

/// How an identity looks from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    settings: Option<SystemTime>,
    current: Option<PathBuf>,
    generations: Option<SystemTime>,
    pin: Option<(SecretFile, Option<String>)>,
}

impl Trace {
    pub(crate) fn of(shared: &Shared, name: &IdentityName) -> Self {
        let folder = shared.home.path(name);
        let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
        let pin = secret::pin(name, &shared.config().of(name.as_str()), false);
        Self {
            settings: changed(&folder.join("identity.toml")),
            current: fs::read_link(folder.join("current")).ok(),
            generations: changed(&folder.join("generations")),
            pin: pin.map(|pin| {
                let stamp = pin.stamp();
                (pin, stamp)
            }),
        }
    }
}
