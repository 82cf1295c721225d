//! What was begun with a generation, durable before the request that depends on it.
//!
//! One file, `journal.json`, in each generation's folder. It says how far the generation came and what is intended with it;
//! the key and the certificate themselves stand beside it. It is written whole and renamed into place, so that a reader
//! finds the former or the new one. Where it is ahead of the files beside it (a power loss may keep the one and not the
//! other), the files count: see [`crate::identity`].

use std::path::Path;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use serde::{Deserialize, Serialize};

use crate::files::durable::{self, Entry};
use crate::files::{Access, FileError, Files};

/// The journal's name in a generation's folder.
pub const FILE: &str = "journal.json";

/// The journal of one generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Journal {
    /// The form of this file.
    pub version: Version,
    /// When the generation was begun, by this machine's clock.
    pub begun: Time,
    /// The generation's key.
    pub key: Thumbprint,
    /// What the certificate is for.
    pub purpose: Purpose,
    /// What the user or the program wants now, journaled before it is asked of the bank.
    pub intent: Intent,
    /// How far it came.
    pub progress: Progress,
}

/// The form of the file. A client that does not know it leaves the generation alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// This one.
    #[serde(rename = "1")]
    One,
}

/// What a generation is made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "camelCase")]
pub enum Purpose {
    /// The successor of a certificate (SPEC.md, newOrder).
    Renewal {
        /// The predecessor.
        replaces: CertId,
    },
    /// A certificate by enrollment code (SPEC.md, newEnrollment). The code itself is never written down.
    Enrollment {
        /// The reissue's id.
        reissue: String,
    },
    /// A pair that was made elsewhere.
    Import,
}

/// What is wanted with a generation that is under way or complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Intent {
    /// To complete it.
    Complete,
    /// To cancel its order: first back to the old pair, then the bank is told.
    Cancel,
    /// To roll it back: first the bank is told, then back to the old pair.
    RollBack,
    /// To give it up for a new generation, its order being canceled on the way.
    StartOver,
}

/// How far a generation came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Progress {
    /// Key and request are stored; the bank may or may not have an order for it.
    Began,
    /// The bank has an order for it.
    Requested {
        /// The order.
        order: Url,
    },
    /// Certificate and chain are stored beside the key.
    Received {
        /// The order.
        order: Url,
    },
    /// `current` points to it; the bank may or may not know.
    Installed {
        /// The order.
        order: Url,
    },
    /// The bank knows that it is installed; or it was imported.
    Confirmed {
        /// The order, unless imported.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<Url>,
    },
    /// It will not be used.
    Ended {
        /// Why.
        how: Ending,
    },
}

/// Why a generation will not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// Its order was canceled.
    Canceled,
    /// Its order was rolled back.
    RolledBack,
    /// The bank ended its order, or has none and will give none.
    Refused,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The content is no journal, or one of a later version of this program.
    #[error(
        "{} is not a journal that this version can read: {detail}; the key beside it is untouched",
        path.display()
    )]
    Unreadable {
        /// The journal's file.
        path: std::path::PathBuf,
        /// What was found.
        detail: String,
    },
}

impl Journal {
    /// Reads the journal in a folder, `None` if there is none.
    pub fn read(files: &dyn Files, folder: &Path) -> Result<Option<Self>, JournalError> {
        let path = folder.join(FILE);
        let content = match files.read(&path).map_err(FileError::of("read", &path)) {
            Ok(content) => content,
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match serde_json::from_slice(&content) {
            Ok(journal) => Ok(Some(journal)),
            Err(error) => Err(JournalError::Unreadable { path, detail: error.to_string() }),
        }
    }

    /// Writes it into a folder; durable when it returns.
    pub fn put(&self, files: &dyn Files, folder: &Path) -> Result<(), FileError> {
        let content = self.to_json();
        durable::put(files, folder, &[Self::entry(&content)])
    }

    /// For putting it together with other files.
    pub(crate) fn entry(content: &[u8]) -> Entry<'_> {
        Entry { name: FILE, content, access: Access::Private }
    }

    /// The file's content.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut json =
            serde_json::to_vec_pretty(self).expect("a journal has no maps and no floats");
        json.push(b'\n');
        json
    }
}
