//! The system calls of one undisturbed life, each to be met again by its name and number.

use std::collections::{HashMap, HashSet};
use std::path::Path;

/// A system call.
#[derive(Clone, Debug)]
pub struct Call {
    pub name: String,
    /// Which of the calls with this name, counted from 1.
    pub number: usize,
    /// Whether it is on a file of the identity's.
    pub is_on_a_file: bool,
    /// Whether none before it said the same, numbers and random names apart.
    pub is_new: bool,
    /// Whether it closes a folder that was listed. Linux does so whatever it answers, and the standard library takes an error
    /// for a broken descriptor, and panics: such errors are not made.
    pub closes_a_listing: bool,
    /// As strace writes it, for people.
    pub text: String,
}

/// Reads what `strace -f -y` wrote of a process that has one thread: strace counts per thread.
pub fn calls(trace: &str, folder: &Path) -> Vec<Call> {
    let folder = folder.to_str().unwrap();
    let mut threads = HashSet::new();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut kinds = HashSet::new();
    let mut listed = HashSet::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let (thread, text) = line.trim_start().split_once(' ').unwrap();
        threads.insert(thread);
        let text = text.trim_start();
        let Some((name, _)) = text.split_once('(') else { continue };
        if !name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
            continue;
        }
        let count = counts.entry(name).or_default();
        *count += 1;
        // strace itself makes this one.
        if name == "execve" {
            continue;
        }
        let descriptor = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        if name == "getdents64" {
            listed.extend(descriptor.map(|(path, _)| path));
        }
        let closes_a_listing =
            name == "close" && descriptor.is_some_and(|(path, _)| listed.contains(path));
        let is_on_a_file = text.contains(folder);
        let is_new = kinds.insert(kind(text));
        let (name, text) = (name.to_owned(), text.replace(folder, "."));
        let number = *count;
        calls.push(Call { name, number, is_on_a_file, is_new, closes_a_listing, text });
    }
    assert_eq!(threads.len(), 1, "one thread, which strace counts the calls of:\n{trace}");
    calls
}

/// What a call says, without what differs from run to run.
fn kind(text: &str) -> String {
    let is_random = |part: &str| part.len() == 16 && part.chars().all(|c| c.is_ascii_hexdigit());
    let parts = text.split(['.', ' ', '(']).filter(|part| !is_random(part));
    parts.flat_map(str::chars).filter(|character| !character.is_ascii_digit()).collect()
}
