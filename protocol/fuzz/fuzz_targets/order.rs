//! Any bytes as an order: what is read is written and read again as the same.
#![no_main]

use koshin_protocol::json;
use koshin_protocol::order::Order;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(order) = json::parse::<Order>(bytes) {
        let written = serde_json::to_vec(&order).expect("JSON");
        assert_eq!(json::parse::<Order>(&written).expect("an order"), order);
    }
});
