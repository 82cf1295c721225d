//! The machine: the folder with the identities, its disk, and the proxy.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::finding::Finding;
use crate::cli::home::Home;

/// Mebibytes below which a renewal may find no place for its files.
const LEAST: u64 = 8;

/// Proxy variables, as the HTTP library reads them.
const PROXIES: [&str; 8] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Looks at the folder with so many identities, and at what surrounds it.
pub(crate) fn check(home: &Home, identities: usize) -> Vec<Finding> {
    let folder = home.folder();
    let owned = || folder.to_owned();
    let mut found = Vec::new();
    match fs::metadata(folder) {
        Ok(metadata) => {
            found.push(match identities {
                0 => Finding::NoIdentities { folder: owned() },
                _ => Finding::Home { folder: owned(), identities },
            });
            let mode = metadata.mode() & 0o7777;
            if mode & 0o022 != 0 {
                found.push(Finding::HomeOpen { folder: owned(), mode });
            }
            found.push(writable(folder));
            found.push(space(folder));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            found.push(Finding::NoIdentities { folder: owned() });
        }
        Err(error) => {
            let detail = error.to_string();
            found.push(Finding::HomeUnreadable { folder: owned(), detail });
        }
    }
    found.push(proxy());
    found
}

/// Whether a file can be made, made durable, and removed: as a renewal does.
pub(crate) fn writable(folder: &Path) -> Finding {
    // The form of a temporary file of an identity: whatever becomes of this program, it is swept.
    let path = folder.join(format!(".doctor.{}.tmp", std::process::id()));
    let tried = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(b"koshin doctor\n").and_then(|()| file.sync_all()));
    let removed = fs::remove_file(&path);
    match tried.and(removed) {
        Ok(()) => Finding::HomeWritable { folder: folder.to_owned() },
        Err(error) => {
            Finding::HomeNotWritable { folder: folder.to_owned(), detail: error.to_string() }
        }
    }
}

fn space(folder: &Path) -> Finding {
    let owned = folder.to_owned();
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let mebibytes = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
            // Some file systems do not count their files, and say 0 of 0.
            let is_full = disk.f_files > 0 && disk.f_favail == 0;
            if mebibytes < LEAST || is_full {
                Finding::SpaceLow { folder: owned, mebibytes }
            } else {
                Finding::Space { folder: owned, mebibytes }
            }
        }
        Err(error) => Finding::SpaceUnknown { folder: owned, detail: error.to_string() },
    }
}

fn proxy() -> Finding {
    let set = PROXIES.iter().filter_map(|name| {
        let value = env::var(name).ok().filter(|value| !value.is_empty())?;
        Some(format!("{name}={}", without_password(&value)))
    });
    let variables = set.collect::<Vec<_>>().join(", ");
    if variables.is_empty() { Finding::NoProxy } else { Finding::Proxy { variables } }
}

/// A proxy's URL without what stands before its `@`.
fn without_password(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}***@{host}"),
        None => format!("{scheme}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_password_is_not_shown() {
        assert_eq!(without_password("http://u:p@proxy:8080"), "http://***@proxy:8080");
        assert_eq!(without_password("u:p@ss@proxy"), "***@proxy");
        assert_eq!(without_password("http://proxy:8080"), "http://proxy:8080");
        assert_eq!(without_password("localhost,.example"), "localhost,.example");
    }
}
