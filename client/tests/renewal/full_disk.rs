//! A real folder whose disk is full, or read-only, at each write of a whole renewal.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use koshin_client::error::{Class, Error};
use koshin_client::files::{Access, Files, Lock, NewFile, Real};
use koshin_client::identity::{Identity, IdentityError};
use koshin_client::keystore::FileStore;
use koshin_client::{Client, Renewal};

use crate::misbehaviour::sent_to;
use crate::scene::{Answers, Bank, Person, Wire, renewed, wire};

const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

/// The real files, of which writing fails: from one operation on, for so many.
#[derive(Clone, Debug)]
struct Failing {
    number: i32,
    from: usize,
    count: usize,
    writes: Arc<AtomicUsize>,
}

struct FailingFile {
    file: Box<dyn NewFile>,
    failing: Failing,
}

impl Failing {
    fn new(number: i32, from: usize, count: usize) -> Self {
        Self { number, from, count, writes: Arc::default() }
    }

    fn write(&self) -> io::Result<()> {
        let at = self.writes.fetch_add(1, Ordering::SeqCst);
        if (self.from..self.from.saturating_add(self.count)).contains(&at) {
            Err(io::Error::from_raw_os_error(self.number))
        } else {
            Ok(())
        }
    }

    fn was_met(&self) -> bool {
        self.writes.load(Ordering::SeqCst) > self.from
    }
}

impl NewFile for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.failing.write()?;
        self.file.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.failing.write()?;
        self.file.sync()
    }
}

impl Files for Failing {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.write()?;
        Real.make_folder(path)
    }

    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn NewFile>> {
        self.write()?;
        Ok(Box::new(FailingFile { file: Real.create(path, access)?, failing: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.write()?;
        Real.rename(from, to)
    }

    fn link(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.write()?;
        Real.link(target, link)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.write()?;
        Real.sync_folder(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Real.read(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        Real.read_link(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        Real.list(path)
    }

    fn permissions(&self, path: &Path) -> io::Result<u32> {
        Real.permissions(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.write()?;
        Real.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.write()?;
        Real.remove_folder(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        Real.lock(path)
    }
}

async fn client(user: &Person, files: Failing, wire: Wire) -> Client {
    let keys = Arc::new(FileStore::plain());
    let identity = Identity::open(Arc::new(files), keys, &user.folder).unwrap();
    user.on(identity, wire, Answers::default()).await
}

// [CLI-14] [CLI-16]
#[tokio::test]
async fn whichever_write_fails_the_old_pair_stays_and_the_next_run_finishes_the_one_order() {
    let bank = Bank::open().await;
    for from in 0.. {
        let user = bank.user().await;
        let (old, files, wire) = (user.current(), Failing::new(ENOSPC, from, 1), wire());
        let outcome =
            client(&user, files.clone(), wire.clone()).await.renew(Renewal::default()).await;
        let met = files.was_met();
        if let Err(error) = &outcome {
            assert!(matches!(error, Error::Identity(_)), "write {from}: {error:?}");
            assert_eq!(error.class(), Class::Act, "write {from}: {error:?}");
            if sent_to(&wire, "new-order") == 0 {
                assert_eq!(user.current(), old, "write {from}");
            }
        }
        // There is a pair at every instant, and the next run, or the one after, has the new one.
        match user.client().await.renew(Renewal::default()).await {
            Err(Error::TooEarly { .. }) => {}
            other => drop(renewed(other)),
        }
        assert_ne!(user.current(), old, "write {from}");
        assert_eq!(user.orders().len(), 1, "write {from}");
        if !met {
            assert!(from > 20, "only {from} writes were seen");
            return;
        }
    }
}

// [CLI-16]
#[tokio::test]
async fn on_a_read_only_disk_nothing_is_ordered() {
    let bank = Bank::open().await;
    let user = bank.user().await;
    let (old, wire) = (user.current(), wire());
    let files = Failing::new(EROFS, 0, usize::MAX);
    let error = client(&user, files, wire.clone()).await.renew(Renewal::default()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Identity(IdentityError::File(_) | IdentityError::KeyStore(_))));
    assert_eq!((user.current(), sent_to(&wire, "new-order")), (old, 0));
    renewed(user.client().await.renew(Renewal::default()).await);
}
