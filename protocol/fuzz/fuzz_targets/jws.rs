//! Any bytes as the body of a request: read, and if the form is right, verified under some key.
#![no_main]

use koshin_protocol::jws::Parsed;
use koshin_protocol::verify::RustCrypto;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(parsed) = Parsed::from_slice(body) else { return };
    assert!(parsed.operation().allows(parsed.by().identification()));
    if parsed.own_key().is_some() {
        drop(parsed.verify_by_own_key(&RustCrypto));
    }
});
