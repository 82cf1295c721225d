//! The bank: everything that a request is answered with.

use std::sync::Arc;

use hyper::body::Bytes;
use koshin_protocol::chain::Chain;
use koshin_protocol::embedded_jws::EmbeddedJws;
use koshin_protocol::receipt::Receipt;
use koshin_protocol::sign::{SignError, Signer};
use koshin_protocol::verify::Verifier;

use crate::ca::Issuer;
use crate::clock::{Clock, Watched};
use crate::http::Rates;
use crate::keys::Keys;
use crate::nonce::Nonces;
use crate::pin::Pins;
use crate::policy::Policy;
use crate::store::Store;
use crate::urls::Urls;
use crate::watch::Metrics;

/// A bank, ready to answer.
pub struct Bank {
    /// What it decided.
    pub policy: Policy,
    /// Its resources' names.
    pub urls: Urls,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Its watch over that clock.
    pub watched: Watched,
    /// Its memory.
    pub store: Arc<dyn Store>,
    /// Its CA.
    pub issuer: Arc<dyn Issuer>,
    /// Its word on the end of orders.
    pub receipts: ReceiptSigner,
    /// Single use of requests.
    pub nonces: Arc<Nonces>,
    /// PINs, if policy has them.
    pub pins: Option<Pins>,
    /// Verifies signatures.
    pub verifier: &'static dyn Verifier,
    /// Keys of certificates that sign.
    pub keys: Keys,
    /// How often one certificate may sign, if that is limited.
    pub rates: Option<Rates>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The CRL of the root, which lists no issuing CA until a person says so.
    pub root_crl: Option<(String, Bytes)>,
}

/// The receipt key and its chain.
pub struct ReceiptSigner {
    /// Signs.
    pub signer: Box<dyn Signer>,
    /// The receipt certificate and its issuers without the root.
    pub chain: Chain,
}

impl ReceiptSigner {
    /// Signs a receipt.
    pub fn sign(&self, receipt: &Receipt) -> Result<EmbeddedJws, SignError> {
        receipt.sign(&self.chain, &*self.signer)
    }
}

impl Bank {
    /// A fresh nonce.
    pub fn nonce(&self) -> String {
        self.nonces.issue(self.clock.uptime())
    }
}
