//! What a process keeps in its memory once a renewal is over (SPEC.md 16).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use koshin_client::pem;

use crate::agent::{DUE, configure};
use crate::bank::{Bank, PIN};
use crate::service::Service;

/// Everything that a process could have written to: heaps, stacks, static variables.
fn memory(pid: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut all = Vec::new();
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        if !rest.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut part = vec![0; usize::try_from(end - start).unwrap()];
        // Some of the kernel's own mappings cannot be read.
        if memory.read_exact_at(&mut part, start).is_ok() {
            all.extend(part);
        }
    }
    all
}

fn holds(memory: &[u8], wanted: &[u8]) -> bool {
    memory.windows(wanted.len()).any(|window| window == wanted)
}

/// The private number of a P-256 key in PKCS#8, and a line of its PEM.
fn private_parts(file: &str) -> [Vec<u8>; 2] {
    let der = pem::sections(file.as_bytes()).unwrap().remove(0).der;
    let before = [2, 1, 1, 4, 32];
    let at = der.windows(before.len()).position(|window| window == before).unwrap();
    let number = der[at + before.len()..][..32].to_vec();
    // The second line: the first has no secret, it says what kind of key it is.
    [number, file.lines().nth(2).unwrap().as_bytes().to_vec()]
}

// [SEC-02]
#[test]
fn after_a_renewal_an_agent_has_no_pin_and_no_private_key_in_memory() {
    let bank = Bank::open_tls();
    let customer = bank.newcomer("user", DUE);
    let roots = customer.roots.to_str().unwrap();
    customer.import(&["--tls-trust", roots, "key.pem", "certificate.pem"]).done();
    configure(&customer, PIN, "");
    let mut service = Service::start(&customer, &[]);
    service.event("renewed");
    // As the logon's payload has it: fifteen bytes, so that the characters are always the same.
    let payload = koshin_protocol::base64url::encode(format!("{{\"pin\":\"{PIN}\"").as_bytes());
    let mut secrets =
        vec![("the PIN", PIN.as_bytes().to_vec()), ("the PIN in a request", payload.into_bytes())];
    for generation in ["1", "2"] {
        let path = customer.path(&format!("home/default/generations/{generation}/key.pem"));
        let [number, line] = private_parts(&fs::read_to_string(path).unwrap());
        secrets.extend([("a private key", number), ("a private key's file", line)]);
    }
    // It says that it renewed before it forgets with what.
    let mut found = Vec::new();
    for _ in 0..20 {
        let memory = memory(service.pid());
        assert!(holds(&memory, bank.directory().as_bytes()), "this is its memory");
        found = secrets.iter().filter(|(_, secret)| holds(&memory, secret)).collect();
        if found.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let found: Vec<&str> = found.into_iter().map(|(name, _)| *name).collect();
    assert!(found.is_empty(), "{found:?}: still there");
}
