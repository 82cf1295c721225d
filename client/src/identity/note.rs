//! Small files beside the generations that nothing depends on: what a program wants to remember over restarts.

use super::{Identity, IdentityError};
use crate::files::durable::{self, Entry};
use crate::files::{Access, FileError};

impl Identity {
    /// Reads a file of the identity's folder; `None` if it is not there. Programs may keep files of their own here, under
    /// names that are not among those of [`crate::identity`].
    pub fn read_note(&self, name: &str) -> Result<Option<Vec<u8>>, IdentityError> {
        let path = self.home.folder.join(name);
        match self.home.files.read(&path).map_err(FileError::of("read", &path)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file of the identity's folder; durable when it returns.
    pub fn put_note(&self, name: &str, content: &[u8]) -> Result<(), IdentityError> {
        let entry = Entry { name, content, access: Access::Private };
        Ok(durable::put(&*self.home.files, &self.home.folder, &[entry])?)
    }
}
