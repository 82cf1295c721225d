//! What verifying a signed newOrder costs, against the bare ES256 verification of the same bytes.
//!
//! ```text
//! cargo bench -p koshin-protocol --features aws-lc-rs
//! ```
//!
//! Both are measured in one run, alternating in small batches, so that whatever slows the machine
//! slows both. Of the batches minimum, median and 90th percentile are printed, and the ratio of
//! the medians. The requests' allocations are counted.

use std::hint::black_box;
use std::time::Instant;

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::base64url;
use koshin_protocol::certificate::{Attribute, Name};
use koshin_protocol::csr::Csr;
use koshin_protocol::jws::{By, Parsed, Request, Resource};
use koshin_protocol::operation::Operation;
use koshin_protocol::sign::{Es256Key, Signer};
use koshin_protocol::url::Url;
use koshin_protocol::verify::{RustCrypto, Verifier};

/// Verifications in one batch.
const BATCH: u32 = 20;
/// Batches of each kind.
const BATCHES: usize = 300;

struct Case {
    body: Vec<u8>,
    key: Es256Key,
    url: Url,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Case {
    /// A newOrder as a client sends it, of about 1 KB.
    fn new() -> Self {
        let key = Es256Key::from_random(&[1; 48]);
        let subject = Name::new(&[
            (Attribute::Country, "JP"),
            (Attribute::Organization, "Example K.K."),
            (Attribute::CommonName, "Tanaka Hanako"),
        ]);
        let csr = Csr::make(&subject.expect("a name"), &Es256Key::from_random(&[2; 48]));
        let payload = format!(
            r#"{{"replaces":"bEDkl2qiYdTeZ9rPlesv6sHUVec.P8uga1c2-vZ-VLB7Vh6ulA","keyStore":"file","csr":"{}"}}"#,
            base64url::encode(&csr.expect("a CSR"))
        );
        let url = Url::parse("https://bank.example/koshin/new-order").expect("a URL");
        let session = Url::parse("https://bank.example/koshin/session/Qk0x4tLr5b2s1kq7p2mB3w");
        let request = Request {
            operation: Operation::NewOrder,
            url: &url,
            nonce: &"oFvnlFP1wIhRlYS2jTaXbA".parse().expect("a nonce"),
            by: &By::Session(session.expect("a URL")),
            payload: payload.as_bytes(),
        };
        let body = request.sign(&key).expect("a signed request");
        let text = String::from_utf8(body.clone()).expect("UTF-8");
        let member = |name: &str| {
            let start = text.find(&format!(r#""{name}":""#)).expect("a member") + name.len() + 4;
            text[start..].split('"').next().expect("a value").to_owned()
        };
        let message = format!("{}.{}", member("protected"), member("payload")).into_bytes();
        let signature = base64url::decode(&member("signature")).expect("base64url");
        Self { body, key, url, message, signature }
    }

    fn request(&self, verifier: &dyn Verifier) {
        let resource = Resource { operation: Operation::NewOrder, url: &self.url };
        let parsed = Parsed::for_resource(black_box(&self.body), resource).expect("parsed");
        let request = parsed.verify(verifier, self.key.public_key()).expect("verified");
        black_box(request.payload());
    }

    fn bare(&self, verifier: &dyn Verifier) {
        let (message, signature) = (black_box(&self.message), black_box(&self.signature));
        verifier
            .verify(Algorithm::Es256, self.key.public_key(), message, signature)
            .expect("verified");
    }
}

/// Microseconds for one call, of a whole batch.
fn time(call: impl Fn()) -> f64 {
    let start = Instant::now();
    for _ in 0..BATCH {
        call();
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH)
}

fn print(name: &str, mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!("  {name:<28} min {:8.2}   median {:8.2}   p90 {:8.2} us", at(0), at(50), at(90));
    at(50)
}

fn measure(name: &str, case: &Case, verifier: &dyn Verifier) {
    println!("{name}: newOrder of {} bytes, {BATCHES} batches of {BATCH}", case.body.len());
    let (mut requests, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        bare.push(time(|| case.bare(verifier)));
        requests.push(time(|| case.request(verifier)));
    }
    let bare = print("bare ES256 verification", bare);
    let request = print("parsed and verified request", requests);
    println!("  ratio of the medians         {:.3}", request / bare);

    let alone = allocation_counter::measure(|| case.bare(verifier));
    let whole = allocation_counter::measure(|| case.request(verifier));
    println!(
        "  allocations                  {} ({} bytes), of which by the bare verification {} ({} bytes)",
        whole.count_total, whole.bytes_total, alone.count_total, alone.bytes_total
    );
}

fn main() {
    // `cargo test --benches` only wants to know that it runs; `cargo bench` says so itself.
    let case = Case::new();
    if !std::env::args().any(|argument| argument == "--bench") {
        case.request(&RustCrypto);
        return;
    }
    measure("RustCrypto", &case, &RustCrypto);
    #[cfg(feature = "aws-lc-rs")]
    measure("aws-lc-rs", &case, &koshin_protocol::verify::AwsLc);
}
