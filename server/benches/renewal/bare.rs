//! What no bank can do without: the signatures of a renewal, its hashes, and the encryption of its
//! records.

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::sign::{AwsLcKey, Signer};
use koshin_protocol::verify::default_verifier;

use crate::client::Traffic;
use crate::subjects::new_key;
use crate::{Done, cpu};

/// Of head lines, in each direction.
const HEAD: usize = 300;

/// Size of what a CSR's, a certificate's and a receipt's signature covers.
const SIGNED: usize = 400;

/// The work of one renewal, ready to be done.
pub(crate) struct Bare {
    key: AwsLcKey,
    /// Three requests and a CSR.
    signed: Vec<(Vec<u8>, Vec<u8>)>,
    mac: hmac::Key,
    aead: LessSafeKey,
    records: Vec<Vec<u8>>,
}

impl Bare {
    pub(crate) fn new(traffic: Traffic) -> Done<Self> {
        let key = new_key()?;
        let signed = traffic.requests.iter().chain(&[SIGNED]).map(|size| {
            let message = vec![b'm'; *size];
            let signature = key.sign(&message)?;
            Ok((message, signature))
        });
        let signed = signed.collect::<Done<_>>()?;
        let sizes = traffic.requests.iter().chain(&traffic.answers);
        Ok(Self {
            key,
            signed,
            mac: hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]),
            aead: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32])?),
            records: sizes.map(|size| vec![b'r'; size + HEAD]).collect(),
        })
    }

    /// The CPU time of one renewal's worth, out of `count`.
    pub(crate) fn measure(&mut self, count: u32) -> Done<Duration> {
        let began = cpu::of_this_thread()?;
        for _ in 0..count {
            self.once()?;
        }
        Ok(cpu::of_this_thread()?.saturating_sub(began) / count)
    }

    fn once(&mut self) -> Done {
        for (message, signature) in &self.signed {
            let (message, signature) = (black_box(message), black_box(signature));
            let key = self.key.public_key();
            default_verifier().verify(Algorithm::Es256, key, message, signature)?;
        }
        // The certificate and the receipt.
        for _ in 0..2 {
            black_box(self.key.sign(black_box(&[b's'; SIGNED]))?);
        }
        // Two fingerprints, two thumbprints of the new key, its key identifier, three audit records.
        for _ in 0..8 {
            black_box(digest(&SHA256, black_box(&[b'h'; SIGNED])));
        }
        // Three nonces spent and three issued.
        for _ in 0..6 {
            black_box(hmac::sign(&self.mac, black_box(&[b'n'; 16])));
        }
        for record in &mut self.records {
            let nonce = Nonce::assume_unique_for_key([0; 12]);
            let tag = self.aead.seal_in_place_separate_tag(nonce, Aad::empty(), record)?;
            black_box(tag.as_ref());
        }
        Ok(())
    }
}
