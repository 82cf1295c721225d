//! Public keys of certificates that sign often, parsed once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use koshin_protocol::jwk::PublicKey;

use crate::error::Error;
use crate::registry::Registry;
use crate::request::key_of;
use crate::id::Fingerprint;
use crate::rule::row::CertificateRow;

/// How many keys are kept; about 10 MB of RSA keys at worst.
const KEPT: usize = 16_384;

/// A cache that forgets everything when it is full: a key costs 20 microseconds to parse again, and nothing depends on
/// which ones are kept.
#[derive(Debug, Default)]
pub struct Keys {
    kept: RwLock<HashMap<Fingerprint, Arc<PublicKey>>>,
}

impl Keys {
    /// The key of a certificate of the registry.
    ///
    /// # Errors
    /// The registry holds bytes that are no certificate.
    pub async fn of(
        &self,
        certificate: &CertificateRow,
        registry: &Registry,
    ) -> Result<Arc<PublicKey>, Error> {
        let fingerprint = certificate.fingerprint;
        let found = {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            kept.get(&fingerprint).map(Arc::clone)
        };
        if let Some(key) = found {
            return Ok(key);
        }
        let key = Arc::new(key_of(&registry.der(certificate.number).await?)?);
        self.insert(fingerprint, &key);
        Ok(key)
    }

    /// Keeps the key of a certificate that a request brought along: its session will need it.
    pub fn keep(&self, fingerprint: Fingerprint, key: &PublicKey) {
        let known = {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            kept.contains_key(&fingerprint)
        };
        if !known {
            self.insert(fingerprint, &Arc::new(key.clone()));
        }
    }

    fn insert(&self, fingerprint: Fingerprint, key: &Arc<PublicKey>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(fingerprint, Arc::clone(key));
    }
}
