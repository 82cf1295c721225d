//! Every vector of fixtures/ is a trial of its own, run against this crate's types; its name is the
//! vector's id. Trials named `runner/...` see to it that the runner itself can fail.

mod cert_id;
mod csr;
mod encoding;
mod enrollment;
mod file;
mod jwk;
mod jws;
mod mutation;
mod object;
mod outcome;
mod policy;
mod problem;
mod receipt;
mod state;
mod transcript;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

use file::VectorFile;
use outcome::Outcome;

/// What this crate makes of an input.
fn run(topic: &str, input: &Value) -> Outcome {
    match topic {
        "base64url" => encoding::base64url(input),
        "cert_id" => cert_id::run(input),
        "csr" => csr::run(input),
        "enrollment" => enrollment::run(input),
        "header" => policy::header(input),
        "json" => encoding::json(input),
        "jwk" => jwk::run(input),
        "jws" => jws::run(input),
        "name" => encoding::name(input),
        "object" => object::run(input),
        "order" => object::order(input),
        "payload" => object::payload(input),
        "policy" => policy::run(input),
        "problem" => problem::run(input),
        "receipt" => receipt::run(input),
        "state" => state::run(input),
        "time" => encoding::time(input),
        "transcript" => transcript::run(input),
        "url" => encoding::url(input),
        other => panic!("no runner for the topic {other}"),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let files = file::all();
    mutation::hush_wanted_panics();
    let mut trials: Vec<Trial> = mutation::trials(&files);
    trials.push(mutation::changed_transcripts(&files));
    trials.push(Trial::test("runner/every-file-is-valid-by-its-schema", {
        let files = files.clone();
        move || file::check_schema(&files)
    }));
    trials.push(Trial::test("runner/ids-are-unique-and-of-their-topic", {
        let files = files.clone();
        move || file::check_ids(&files)
    }));
    for VectorFile { topic, vectors, .. } in files {
        trials.extend(vectors.into_iter().map(|vector| {
            let topic = topic.clone();
            Trial::test(vector.id.clone(), move || {
                let outcome = run(&topic, &vector.input);
                outcome
                    .compare(&vector.expect)
                    .map_err(|difference| Failed::from(format!("{}\n{difference}", vector.comment)))
            })
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Octets from hexadecimal.
fn hexadecimal(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}

/// Hexadecimal of octets.
fn hexadecimal_of(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}
