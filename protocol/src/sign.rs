//! Signing: one small trait, and the P-256 key that everybody has.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;

use std::fmt;

use p256::SecretKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::bigint::{NonZero, U256, U384};
use p256::elliptic_curve::{Curve, FieldBytes};
use pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

#[cfg(feature = "aws-lc-rs")]
pub use self::aws_lc::AwsLcKey;
use crate::algorithm::{Algorithm, X509Algorithm};
use crate::jwk::PublicKey;

/// Whoever can sign with a private key: a key in memory, a token, a remote service.
pub trait Signer: Send + Sync {
    /// The algorithm of its signatures.
    fn algorithm(&self) -> Algorithm;

    /// The public key to its private one.
    fn public_key(&self) -> &PublicKey;

    /// Signs a message; the signature has the form of JWS (RFC 7518 section 3), for ECDSA `r` and
    /// `s` in full length one after the other.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why there is no signature.
#[derive(Debug, Error)]
pub enum SignError {
    /// The signer's algorithm has no form in certificates and CSRs here (`PS256`).
    #[error("{0} does not sign certificates and CSRs")]
    NotForX509(Algorithm),
    /// The signer gave something that is no signature of its algorithm.
    #[error("the signer returned something that is no {0} signature")]
    Malformed(Algorithm),
    /// The token, service or library behind the signer refused.
    #[error("the signer refused: {0}")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Signs a certificate or CSR: the algorithm and the signature in the form of X.509.
pub(crate) fn sign_x509(
    signer: &dyn Signer,
    message: &[u8],
) -> Result<(X509Algorithm, Vec<u8>), SignError> {
    let algorithm = signer.algorithm();
    let x509 = X509Algorithm::of(algorithm).ok_or(SignError::NotForX509(algorithm))?;
    let signature = signer.sign(message)?;
    let malformed = |_| SignError::Malformed(algorithm);
    let signature = match algorithm {
        Algorithm::Es256 => {
            let signature = Signature::from_slice(&signature).map_err(malformed)?;
            signature.to_der().as_bytes().to_vec()
        }
        Algorithm::Es384 => {
            let signature = p384::ecdsa::Signature::from_slice(&signature).map_err(malformed)?;
            signature.to_der().as_bytes().to_vec()
        }
        Algorithm::EdDsa | Algorithm::Rs256 | Algorithm::Ps256 => signature,
    };
    Ok((x509, signature))
}

/// A P-256 private key. Its signatures are deterministic (RFC 6979); its bytes are wiped when it
/// is dropped, and it never prints them.
#[derive(Clone)]
pub struct Es256Key {
    secret: SigningKey,
    public: PublicKey,
}

/// The bytes are not a P-256 private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a P-256 private key")]
pub struct InvalidPrivateKey;

impl Es256Key {
    /// Makes a key of 48 uniformly random bytes: `(bytes as big-endian integer mod (n-1)) + 1`.
    ///
    /// The bytes come from the caller, since this crate has no randomness of its own; they are the
    /// key, so wipe them. The bias is less than 2^-128 (FIPS 186-5 appendix A.2.1).
    pub fn from_random(random: &[u8; 48]) -> Self {
        let one_less = p256::NistP256::ORDER.as_ref().wrapping_sub(&U256::ONE);
        let modulus = NonZero::new(one_less.resize::<{ U384::LIMBS }>());
        let modulus = modulus.expect("the order of P-256 is more than one");
        let mut wide = U384::from_be_slice(random);
        let mut reduced = wide.rem(&modulus);
        let mut scalar = reduced.resize::<{ U256::LIMBS }>().wrapping_add(&U256::ONE);
        let bytes = Zeroizing::new(<[u8; 32]>::from(scalar.to_be_bytes()));
        wide.zeroize();
        reduced.zeroize();
        scalar.zeroize();
        Self::from_scalar(&bytes).expect("a number from 1 to n - 1 is a private key")
    }

    /// A key from its scalar, big-endian, from 1 to n - 1.
    pub fn from_scalar(scalar: &[u8; 32]) -> Result<Self, InvalidPrivateKey> {
        let bytes: &FieldBytes<p256::NistP256> = scalar.into();
        SigningKey::from_bytes(bytes).map(Self::from_secret).map_err(|_| InvalidPrivateKey)
    }

    /// Reads an unencrypted PKCS#8 private key in DER (RFC 5958).
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, InvalidPrivateKey> {
        let secret = SecretKey::from_pkcs8_der(der).map_err(|_| InvalidPrivateKey)?;
        Ok(Self::from_secret(secret.into()))
    }

    /// Writes the key as unencrypted PKCS#8 in DER.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let document = SecretKey::from(&self.secret).to_pkcs8_der();
        document.expect("a P-256 key has a PKCS#8 form").to_bytes()
    }

    /// Reads an unencrypted PKCS#8 private key in PEM (RFC 7468 section 10).
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, InvalidPrivateKey> {
        let secret = SecretKey::from_pkcs8_pem(pem).map_err(|_| InvalidPrivateKey)?;
        Ok(Self::from_secret(secret.into()))
    }

    /// Writes the key as unencrypted PKCS#8 in PEM.
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        let pem = SecretKey::from(&self.secret).to_pkcs8_pem(LineEnding::LF);
        pem.expect("a P-256 key has a PKCS#8 form")
    }

    fn from_secret(secret: SigningKey) -> Self {
        let public = PublicKey::of_p256(secret.verifying_key());
        Self { secret, public }
    }
}

impl Signer for Es256Key {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Es256
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature: Signature = self.secret.sign(message);
        Ok(signature.to_bytes().to_vec())
    }
}

impl fmt::Debug for Es256Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Es256Key({})", self.public.thumbprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{RustCrypto, Verifier};

    /// RFC 6979 appendix A.2.5
    const SCALAR: [u8; 32] = [
        0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6,
        0x93, 0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f,
        0x67, 0x21,
    ];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
    }

    #[test]
    fn rfc_6979_a_2_5_the_signature_of_sample_with_sha_256() {
        let key = Es256Key::from_scalar(&SCALAR).expect("a key");
        let signature = key.sign(b"sample").expect("a signature");
        assert_eq!(
            hex(&signature),
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        );
    }

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does() {
        let key = Es256Key::from_random(&[7; 48]);
        let mut signature = key.sign(b"message").expect("a signature");
        let verify = |message: &[u8], signature: &[u8]| {
            RustCrypto.verify(Algorithm::Es256, key.public_key(), message, signature)
        };
        assert!(verify(b"message", &signature).is_ok());
        assert!(verify(b"massage", &signature).is_err());
        assert!(verify(b"message", &signature[..63]).is_err());
        signature[10] ^= 1;
        assert!(verify(b"message", &signature).is_err());
    }

    #[test]
    fn random_bytes_become_a_scalar_from_1_to_n_minus_1() {
        let scalar = |random: [u8; 48]| hex(&Es256Key::from_random(&random).secret.to_bytes());
        let order_less_one = p256::NistP256::ORDER.as_ref().wrapping_sub(&U256::ONE);
        let mut random = [0; 48];
        assert_eq!(scalar(random), format!("{:064X}", 1));
        random[16..].copy_from_slice(&order_less_one.to_be_bytes());
        assert_eq!(scalar(random), format!("{:064X}", 1), "n - 1 wraps to 0, and 1 is added");
        random[47] -= 1;
        assert_eq!(scalar(random), hex(&order_less_one.to_be_bytes()));
    }

    #[test]
    fn keys_go_through_pkcs8_and_back() {
        let key = Es256Key::from_scalar(&SCALAR).expect("a key");
        let again = Es256Key::from_pkcs8_der(&key.to_pkcs8_der()).expect("DER");
        assert_eq!(again.public_key(), key.public_key());
        let again = Es256Key::from_pkcs8_pem(&key.to_pkcs8_pem()).expect("PEM");
        assert_eq!(again.public_key(), key.public_key());
        assert!(Es256Key::from_pkcs8_der(b"0\x00").is_err());
        assert!(Es256Key::from_scalar(&[0; 32]).is_err());
        assert!(Es256Key::from_scalar(&[0xff; 32]).is_err());
    }

    #[test]
    fn a_key_prints_its_thumbprint_only() {
        let key = Es256Key::from_scalar(&SCALAR).expect("a key");
        assert_eq!(format!("{key:?}"), format!("Es256Key({})", key.public_key().thumbprint()));
    }
}
