//! Project Wycheproof's vectors for every algorithm, through both verifiers and through the
//! reading of keys.

use koshin_protocol::algorithm::{Algorithm, X509Algorithm};
use koshin_protocol::jwk::{KeyError, PublicKey};
use koshin_protocol::verify::{BadSignature, RustCrypto, Verifier};
use wycheproof::TestResult;

fn verifiers() -> Vec<(&'static str, &'static dyn Verifier)> {
    vec![
        ("RustCrypto", &RustCrypto),
        #[cfg(feature = "aws-lc-rs")]
        ("aws-lc-rs", &koshin_protocol::verify::AwsLc),
    ]
}

/// A signature in either of its forms.
#[derive(Clone, Copy, Debug)]
enum Form {
    Jws(Algorithm),
    X509(X509Algorithm),
}

impl Form {
    fn verify(
        self,
        verifier: &dyn Verifier,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        match self {
            Self::Jws(algorithm) => verifier.verify(algorithm, key, message, signature),
            Self::X509(algorithm) => verifier.verify_x509(algorithm, key, message, signature),
        }
    }
}

/// Counts what was checked, so that a set that became empty is noticed.
#[derive(Default)]
struct Tally {
    accepted: usize,
    refused: usize,
}

impl Tally {
    fn check(
        &mut self,
        what: &str,
        expected: TestResult,
        may_refuse: bool,
        result: Result<(), BadSignature>,
    ) {
        assert_ne!(result, Err(BadSignature::KeyMismatch), "{what}");
        match expected {
            TestResult::Valid => assert!(result.is_ok() || may_refuse, "{what}: {result:?}"),
            TestResult::Invalid => assert!(result.is_err(), "{what}: accepted"),
            TestResult::Acceptable => {}
        }
        if result.is_ok() { self.accepted += 1 } else { self.refused += 1 }
    }
}

fn ecdsa(set: wycheproof::ecdsa::TestName, form: Form) {
    let set = wycheproof::ecdsa::TestSet::load(set).expect("a set");
    for (name, verifier) in verifiers() {
        let mut tally = Tally::default();
        for group in &set.test_groups {
            let key = PublicKey::from_spki_der(&group.der).expect("a key");
            for test in &group.tests {
                let result = form.verify(verifier, &key, &test.msg, &test.sig);
                let what = format!("{name} {form:?} {}: {}", test.tc_id, test.comment);
                tally.check(&what, test.result, false, result);
            }
        }
        assert!(tally.accepted > 50 && tally.refused > 50, "{name} {form:?}");
    }
}

#[test]
fn es256_agrees_with_wycheproof() {
    ecdsa(wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Form::Jws(Algorithm::Es256));
}

#[test]
fn es384_agrees_with_wycheproof() {
    ecdsa(wycheproof::ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Form::Jws(Algorithm::Es384));
}

#[test]
fn ecdsa_of_certificates_agrees_with_wycheproof() {
    use wycheproof::ecdsa::TestName;
    ecdsa(TestName::EcdsaSecp256r1Sha256, Form::X509(X509Algorithm::EcdsaSha256));
    ecdsa(TestName::EcdsaSecp384r1Sha384, Form::X509(X509Algorithm::EcdsaSha384));
    ecdsa(TestName::EcdsaSecp384r1Sha256, Form::X509(X509Algorithm::EcdsaSha256));
}

#[test]
fn eddsa_agrees_with_wycheproof() {
    let set =
        wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).expect("a set");
    for (name, verifier) in verifiers() {
        let mut tally = Tally::default();
        for group in &set.test_groups {
            let key = PublicKey::from_spki_der(&group.der).expect("a key");
            for test in &group.tests {
                let result = verifier.verify(Algorithm::EdDsa, &key, &test.msg, &test.sig);
                let what = format!("{name} EdDSA {}: {}", test.tc_id, test.comment);
                tally.check(&what, test.result, false, result);
                let x509 = verifier.verify_x509(X509Algorithm::Ed25519, &key, &test.msg, &test.sig);
                assert_eq!(x509, result, "{what}");
            }
        }
        assert!(tally.accepted > 50 && tally.refused > 50, "{name}");
    }
}

#[test]
fn rsa_is_refused_by_rust_crypto_as_unsupported() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let set = TestSet::load(TestName::Rsa2048Sha256).expect("a set");
    let group = &set.test_groups[0];
    let key = PublicKey::from_spki_der(&group.der).expect("a key");
    let test = &group.tests[0];
    let result = RustCrypto.verify(Algorithm::Rs256, &key, &test.msg, &test.sig);
    assert_eq!(result, Err(BadSignature::Unsupported));
}

#[test]
fn rsa_keys_with_other_exponents_or_lengths_are_refused() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let mut refused = 0;
    for set in TestName::all() {
        for group in &TestSet::load(set).expect("a set").test_groups {
            match PublicKey::from_spki_der(&group.der) {
                Ok(_) => {}
                Err(KeyError::Exponent | KeyError::Modulus) => refused += 1,
                Err(other) => panic!("{set:?}: {other}"),
            }
        }
    }
    assert!(refused > 0, "Wycheproof has keys with exponent 3");
}

#[cfg(feature = "aws-lc-rs")]
mod rsa {
    use koshin_protocol::verify::AwsLc;

    use super::*;

    #[test]
    fn rs256_and_rsa_of_certificates_agree_with_wycheproof() {
        use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
        for (set, form) in [
            (TestName::Rsa2048Sha256, Form::Jws(Algorithm::Rs256)),
            (TestName::Rsa2048Sha256, Form::X509(X509Algorithm::RsaSha256)),
            (TestName::Rsa3072Sha256, Form::Jws(Algorithm::Rs256)),
            (TestName::Rsa4096Sha256, Form::Jws(Algorithm::Rs256)),
            (TestName::Rsa2048Sha384, Form::X509(X509Algorithm::RsaSha384)),
            (TestName::Rsa2048Sha512, Form::X509(X509Algorithm::RsaSha512)),
        ] {
            let mut tally = Tally::default();
            for group in &TestSet::load(set).expect("a set").test_groups {
                let Ok(key) = PublicKey::from_spki_der(&group.der) else { continue };
                for test in &group.tests {
                    let result = form.verify(&AwsLc, &key, &test.msg, &test.sig);
                    let what = format!("{form:?} {}: {}", test.tc_id, test.comment);
                    tally.check(&what, test.result, false, result);
                }
            }
            assert!(tally.accepted > 3 && tally.refused > 50, "{form:?}");
        }
    }

    #[test]
    fn ps256_agrees_with_wycheproof() {
        use wycheproof::rsa_pss_verify::{TestName, TestSet};
        for set in [
            TestName::RsaPss2048Sha256Mgf1SaltLen32,
            TestName::RsaPss3072Sha256Mgf1SaltLen32,
            TestName::RsaPss4096Sha256Mgf1SaltLen32,
        ] {
            let mut tally = Tally::default();
            for group in &TestSet::load(set).expect("a set").test_groups {
                let Ok(key) = PublicKey::from_spki_der(&group.der) else { continue };
                for test in &group.tests {
                    let result = AwsLc.verify(Algorithm::Ps256, &key, &test.msg, &test.sig);
                    let what = format!("PS256 {}: {}", test.tc_id, test.comment);
                    tally.check(&what, test.result, false, result);
                }
            }
            assert!(tally.accepted > 3 && tally.refused > 10, "{set:?}");
        }
    }
}
