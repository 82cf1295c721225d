//! A key store of one's own: here one that counts what its keys sign, around the one in files. A token or the system's
//! keychain fits the same way: it makes keys and signs, and never lets them go.
//!
//! ```text
//! cargo run --example own_key_store -- IDENTITY-FOLDER
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use koshin_client::files::Real;
use koshin_client::identity::Identity;
use koshin_client::keystore::{FileStore, KeyStore, KeyStoreError, PrivateKey, Slot};
use koshin_client::{Client, Error, Outcome, Renewal};
use koshin_protocol::algorithm::{Algorithm, KeyType};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::sign::{SignError, Signer};

/// Keys in files, whose signatures are counted.
#[derive(Debug)]
struct Counting {
    inner: FileStore,
    signed: Arc<AtomicUsize>,
}

struct CountingKey {
    key: Arc<dyn Signer>,
    signed: Arc<AtomicUsize>,
}

impl Signer for CountingKey {
    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signed.fetch_add(1, Ordering::Relaxed);
        self.key.sign(message)
    }
}

impl Counting {
    fn counted(&self, key: Arc<dyn Signer>) -> Arc<dyn Signer> {
        Arc::new(CountingKey { key, signed: Arc::clone(&self.signed) })
    }
}

impl KeyStore for Counting {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn make_key(
        &self,
        slot: Slot<'_>,
        key_type: KeyType,
    ) -> Result<Arc<dyn Signer>, KeyStoreError> {
        Ok(self.counted(self.inner.make_key(slot, key_type)?))
    }

    fn signer(&self, slot: Slot<'_>) -> Result<Option<Arc<dyn Signer>>, KeyStoreError> {
        Ok(self.inner.signer(slot)?.map(|key| self.counted(key)))
    }

    fn import_key(
        &self,
        slot: Slot<'_>,
        key: PrivateKey,
    ) -> Result<Arc<dyn Signer>, KeyStoreError> {
        Ok(self.counted(self.inner.import_key(slot, key)?))
    }

    fn export_key(&self, _: Slot<'_>) -> Result<Option<PrivateKey>, KeyStoreError> {
        Err(KeyStoreError::CannotExport { kind: self.kind() })
    }

    fn attach(&self, slot: Slot<'_>, chain: &[Certificate]) -> Result<(), KeyStoreError> {
        self.inner.attach(slot, chain)
    }

    fn settle(&self, slot: Slot<'_>) -> Result<(), KeyStoreError> {
        self.inner.settle(slot)
    }

    fn remove_key(&self, slot: Slot<'_>) -> Result<(), KeyStoreError> {
        self.inner.remove_key(slot)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "identity".to_owned());
    let signed = Arc::new(AtomicUsize::new(0));
    let keys = Arc::new(Counting { inner: FileStore::plain(), signed: Arc::clone(&signed) });
    let identity = Identity::open(Arc::new(Real), keys, folder.as_ref())?;
    let client = Client::builder(identity).build().await?;
    if let Outcome::Renewed(new) = client.renew(Renewal::default()).await? {
        println!("valid until {}", new.certificate.not_after());
    }
    println!("{} signatures", signed.load(Ordering::Relaxed));
    Ok(())
}
