//! Any bytes as a problem document: what is read is written and read again as the same.
#![no_main]

use koshin_protocol::json;
use koshin_protocol::problem::Problem;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(problem) = json::parse::<Problem>(bytes) {
        let written = serde_json::to_vec(&problem).expect("JSON");
        assert_eq!(json::parse::<Problem>(&written).expect("a problem"), problem);
    }
});
