//! What `cargo run -p koshin-protocol --example fixtures` writes is what is committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[expect(dead_code, reason = "the example's main function is not called here")]
#[path = "../examples/fixtures/main.rs"]
mod fixtures;

#[test]
fn the_committed_files_are_what_the_generator_makes() {
    let differences = fixtures::differences(&fixtures::files());
    assert!(
        differences.is_empty(),
        "{differences:#?}\nrun: cargo run -p koshin-protocol --example fixtures"
    );
}

#[test]
fn the_generator_makes_the_same_again() {
    let text = |files: Vec<fixtures::vector::File>| -> Vec<(String, String)> {
        files.into_iter().map(|file| (file.path, file.text)).collect()
    };
    assert!(text(fixtures::files()) == text(fixtures::files()), "two runs differ");
}

#[test]
fn no_file_of_vectors_or_keys_is_left_over() {
    let made: BTreeSet<String> = fixtures::files().into_iter().map(|file| file.path).collect();
    let root = fixtures::root();
    for folder in fs::read_dir(root.join("fixtures")).expect("fixtures/ can be read") {
        let folder = folder.expect("an entry can be read").path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if folder.is_dir() && name != "schema" {
            for file in fs::read_dir(&folder).expect("a folder can be read") {
                let path = file.expect("an entry can be read").path();
                let below = path.strip_prefix(&root).unwrap_or(Path::new(""));
                let below = below.to_string_lossy().replace('\\', "/");
                assert!(made.contains(&below), "{below} is not generated");
            }
        }
    }
}
