//! Any bytes as CSR and as certificate. What is accepted keeps its bytes, and its key and names are
//! written as they were read.
#![no_main]

use koshin_protocol::certificate::{Certificate, Name};
use koshin_protocol::csr::Csr;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::verify::RustCrypto;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    if let Ok(csr) = Csr::from_der(der, &RustCrypto) {
        assert_eq!(csr.der(), der);
        assert!(!csr.subject().is_empty());
    }
    if let Ok(certificate) = Certificate::from_der(der) {
        assert_eq!(certificate.der(), der);
        assert!(certificate.not_before() <= certificate.not_after());
        let key = PublicKey::from_spki_der(&certificate.key().to_spki_der());
        assert_eq!(key.as_ref(), Ok(certificate.key()));
        let text = certificate.subject().as_str();
        if text.len() <= Name::MAX_TEXT {
            assert_eq!(text.parse::<Name>().as_ref(), Ok(certificate.subject()));
        }
        std::hint::black_box(certificate.verify_issued_by(&certificate, &RustCrypto)).ok();
    }
});
