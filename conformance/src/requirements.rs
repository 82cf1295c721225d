//! The requirements of SPEC.md and the file `requirements.toml` that is extracted from them.
//!
//! A requirement is one line of SPEC.md that begins with its permanent id in bold brackets,
//! `**[ORD-07]** The bank MUST ...`. The file repeats its id, section, level, actor and text, and adds the one thing
//! that is kept by hand: `verified_by`, the kind of evidence that shows it. Tests name their requirements themselves
//! ([`crate::annotation`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::evidence::ByRequirement;

/// How strongly a requirement binds (RFC 2119).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// MUST, MUST NOT, REQUIRED, SHALL.
    Must,
    /// SHOULD, SHOULD NOT, RECOMMENDED.
    Should,
    /// MAY, OPTIONAL.
    May,
}

/// What shows that a requirement is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A vector below `fixtures/` that names the requirement.
    Vector,
    /// A case of the conformance suite that names the requirement.
    Case,
    /// A test of this workspace, named in `tests`.
    Test,
    /// The type system, by a documentation test or a test named in `tests`.
    Type,
    /// Reading, for a reason that the row gives; at most 5% of the MUSTs.
    Review,
    /// Nothing yet: the part that shows it has not been delivered.
    Planned,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vector => "vector",
            Self::Case => "case",
            Self::Test => "test",
            Self::Type => "type",
            Self::Review => "review",
            Self::Planned => "planned",
        })
    }
}

/// One requirement, a row of `requirements.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Permanent id, `ORD-07`; never reused.
    pub id: String,
    /// Number of the section of SPEC.md that holds it, `7.3`.
    pub section: String,
    /// How strongly it binds.
    pub level: Level,
    /// Who is bound: `bank`, `client`, or `both` where the sentence names neither.
    pub actor: String,
    /// The sentence, as SPEC.md has it.
    pub text: String,
    /// Kinds of evidence that show it. Kept by hand, except `test`.
    pub verified_by: Vec<Kind>,
    /// Tests that show it, as `target::path::of::test` of the test log: those with its id in a comment above them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<String>,
    /// Why a review must do, or which part will deliver the evidence. Kept by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The file `requirements.toml`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// In the order of SPEC.md.
    #[serde(default)]
    pub requirement: Vec<Requirement>,
}

/// The file as it was when this program was built.
static EMBEDDED: LazyLock<File> = LazyLock::new(|| {
    parse(include_str!("requirements.toml")).expect("requirements.toml is written by this program")
});

/// The requirement of that id, as it was when this program was built.
pub fn embedded(id: &str) -> Option<&'static Requirement> {
    EMBEDDED.requirement.iter().find(|row| row.id == id)
}

/// All requirements, as they were when this program was built, in the order of SPEC.md.
pub fn all() -> &'static [Requirement] {
    &EMBEDDED.requirement
}

/// What is wrong with the text of SPEC.md or with the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two requirements have one id.
    #[error("SPEC.md line {line}: the id {id} is used twice")]
    Twice {
        /// Line in SPEC.md, from 1.
        line: usize,
        /// The id.
        id: String,
    },
    /// A requirement has no keyword of RFC 2119, or more than one.
    #[error("SPEC.md line {line}: {id} has {count} keywords of RFC 2119, it must have one")]
    Keywords {
        /// Line in SPEC.md, from 1.
        line: usize,
        /// The id.
        id: String,
        /// How many keywords were found.
        count: usize,
    },
    /// An id is not of the form `ORD-07`.
    #[error("SPEC.md line {line}: {id:?} is not an id such as ORD-07")]
    Id {
        /// Line in SPEC.md, from 1.
        line: usize,
        /// What stands there.
        id: String,
    },
    /// A test names what is no requirement.
    #[error("{id}: no such requirement in SPEC.md; named by the test {test}")]
    Unknown {
        /// The id.
        id: String,
        /// The test.
        test: String,
    },
    /// The file is not valid TOML of the expected form.
    #[error("requirements.toml: {0}")]
    Toml(#[from] toml::de::Error),
}

/// Extracts the requirements of SPEC.md, in its order; hand-kept members are empty.
///
/// # Errors
/// The first malformed id, id used twice, or requirement without exactly one keyword of RFC 2119.
pub fn extract(spec: &str) -> Result<Vec<Requirement>, Error> {
    let mut section = String::new();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in spec.lines().enumerate() {
        let line_number = index + 1;
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        if let Some(number) = section_number(line) {
            section = number;
        }
        let Some((id, text)) = line.strip_prefix("**[").and_then(|rest| rest.split_once("]**"))
        else {
            continue;
        };
        if !is_id(id) {
            return Err(Error::Id { line: line_number, id: id.to_owned() });
        }
        if !seen.insert(id.to_owned()) {
            return Err(Error::Twice { line: line_number, id: id.to_owned() });
        }
        let text = text.trim();
        let keywords = keywords(text);
        let [level] = keywords[..] else {
            return Err(Error::Keywords {
                line: line_number,
                id: id.to_owned(),
                count: keywords.len(),
            });
        };
        found.push(Requirement {
            id: id.to_owned(),
            section: section.clone(),
            level,
            actor: actor(text).to_owned(),
            text: text.to_owned(),
            verified_by: Vec::new(),
            tests: Vec::new(),
            reason: None,
        });
    }
    Ok(found)
}

/// Joins what SPEC.md says with what the file keeps by hand. A requirement that is new in SPEC.md is `planned`.
pub fn merge(extracted: Vec<Requirement>, kept: &File) -> File {
    let kept: BTreeMap<&str, &Requirement> =
        kept.requirement.iter().map(|requirement| (requirement.id.as_str(), requirement)).collect();
    let requirement = extracted
        .into_iter()
        .map(|new| match kept.get(new.id.as_str()) {
            Some(old) => Requirement {
                verified_by: old.verified_by.clone(),
                tests: old.tests.clone(),
                reason: old.reason.clone(),
                ..new
            },
            None => Requirement { verified_by: vec![Kind::Planned], ..new },
        })
        .collect();
    File { requirement }
}

/// Names the tests that say in a comment that they show a requirement; what was `planned` is shown by them.
///
/// # Errors
/// A test names a requirement that the file does not have.
pub fn with_tests(mut file: File, tests: &ByRequirement) -> Result<File, Error> {
    let known: BTreeSet<&str> = file.requirement.iter().map(|row| row.id.as_str()).collect();
    for (id, names) in tests {
        if !known.contains(id.as_str()) {
            let test = names.first().cloned().unwrap_or_default();
            return Err(Error::Unknown { id: id.clone(), test });
        }
    }
    for row in &mut file.requirement {
        row.tests = tests.get(&row.id).into_iter().flatten().cloned().collect();
        row.verified_by.retain(|kind| *kind != Kind::Test);
        if !row.tests.is_empty() {
            row.verified_by.retain(|kind| *kind != Kind::Planned);
            row.verified_by.push(Kind::Test);
            row.verified_by.sort();
        } else if row.verified_by.is_empty() {
            row.verified_by.push(Kind::Planned);
        }
    }
    Ok(file)
}

/// Names the kind `case` where a case of the suite shows a requirement, and only there; what was `planned` is shown by it.
pub fn with_cases(mut file: File, cases: &ByRequirement) -> File {
    for row in &mut file.requirement {
        row.verified_by.retain(|kind| *kind != Kind::Case);
        if cases.contains_key(&row.id) {
            row.verified_by.retain(|kind| *kind != Kind::Planned);
            row.verified_by.push(Kind::Case);
            row.verified_by.sort();
        } else if row.verified_by.is_empty() {
            row.verified_by.push(Kind::Planned);
        }
    }
    file
}

/// Reads `requirements.toml`.
///
/// # Errors
/// The file is not valid TOML of the expected form.
pub fn parse(text: &str) -> Result<File, Error> {
    Ok(toml::from_str(text)?)
}

/// Writes `requirements.toml`, the same bytes for the same rows.
pub fn render(file: &File) -> String {
    let body = toml::to_string(file).expect("strings and lists of strings are valid TOML");
    format!(
        "# Extracted from SPEC.md by `cargo run -p koshin-conformance -- requirements`, which leaves\n\
         # verified_by (but test and case) and reason as they are. Everything else here is overwritten: tests are those with the\n\
         # id in a comment above them, `// [ORD-07]`; cases name their requirements themselves.\n\n{body}"
    )
}

fn section_number(line: &str) -> Option<String> {
    let heading = line.strip_prefix("##").map(|rest| rest.trim_start_matches('#').trim_start())?;
    let first = heading.split_whitespace().next()?.trim_end_matches('.');
    let numbered = first.chars().next().is_some_and(|c| c.is_ascii_digit())
        && first.chars().all(|c| c.is_ascii_digit() || c == '.');
    if numbered {
        return Some(first.to_owned());
    }
    let annex = heading.strip_prefix("Annex ")?;
    Some(annex.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect())
}

fn is_id(id: &str) -> bool {
    id.split_once('-').is_some_and(|(topic, number)| {
        (2..=5).contains(&topic.len())
            && topic.chars().all(|c| c.is_ascii_uppercase())
            && (2..=3).contains(&number.len())
            && number.chars().all(|c| c.is_ascii_digit())
    })
}

/// The keywords of RFC 2119 in a sentence; a "MUST NOT" counts once, code in backquotes not at all.
fn keywords(text: &str) -> Vec<Level> {
    text.split('`')
        .step_by(2)
        .flat_map(|prose| prose.split(|c: char| !c.is_ascii_alphabetic()))
        .filter_map(|word| match word {
            "MUST" | "REQUIRED" | "SHALL" => Some(Level::Must),
            "SHOULD" | "RECOMMENDED" => Some(Level::Should),
            "MAY" | "OPTIONAL" => Some(Level::May),
            _ => None,
        })
        .collect()
}

fn actor(text: &str) -> &'static str {
    let position = |words: &[&str]| words.iter().filter_map(|word| text.find(word)).min();
    let keyword = position(&["MUST", "SHOULD", "MAY", "SHALL"]).unwrap_or(text.len());
    let before = &text[..keyword];
    let last = |words: &[&str]| words.iter().filter_map(|word| before.rfind(word)).max();
    match (last(&["bank", "Bank"]), last(&["client", "Client"])) {
        (None, None) => "both",
        (Some(_), None) => "bank",
        (None, Some(_)) => "client",
        (Some(bank), Some(client)) if bank < client => actor_of_subject(before, "client"),
        (Some(_), Some(_)) => actor_of_subject(before, "bank"),
    }
}

/// A sentence's subject stands at its beginning ("The bank MUST"), else the actor named last before the keyword.
fn actor_of_subject(before: &str, last: &'static str) -> &'static str {
    if before.starts_with("The bank") || before.starts_with("A bank") {
        "bank"
    } else if before.starts_with("The client") || before.starts_with("A client") {
        "client"
    } else {
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "# Koshin\n\n## 7 Resources\n\n### 7.3 newOrder\n\n**[ORD-07]** The bank MUST answer `MAY` with 201.\n\n\
        **[CLI-12]** A client SHOULD NOT wait.\n\n```text\n**[ORD-07]** no requirement: fenced\n```\n";

    #[test]
    fn a_requirement_has_section_level_actor_and_text() {
        let found = extract(SPEC).expect("the text is well-formed");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].id.as_str(), found[0].section.as_str()), ("ORD-07", "7.3"));
        assert_eq!((found[0].level, found[0].actor.as_str()), (Level::Must, "bank"));
        assert_eq!(found[0].text, "The bank MUST answer `MAY` with 201.");
        assert_eq!((found[1].level, found[1].actor.as_str()), (Level::Should, "client"));
    }

    #[test]
    fn an_id_used_twice_is_refused() {
        let twice = "**[ORD-07]** The bank MUST a.\n**[ORD-07]** The bank MUST b.\n";
        assert!(matches!(extract(twice), Err(Error::Twice { line: 2, .. })));
    }

    #[test]
    fn a_requirement_has_exactly_one_keyword() {
        let none = "**[ORD-07]** The bank answers.\n";
        assert!(matches!(extract(none), Err(Error::Keywords { count: 0, .. })));
        let two = "**[ORD-07]** The bank MUST a and SHOULD b.\n";
        assert!(matches!(extract(two), Err(Error::Keywords { count: 2, .. })));
    }

    #[test]
    fn a_test_that_names_a_requirement_shows_it_as_long_as_it_is_there() {
        let planned = merge(extract(SPEC).expect("well-formed"), &File::default());
        let tests =
            ByRequirement::from([("ORD-07".to_owned(), ["bank::order::x".to_owned()].into())]);
        let shown = with_tests(planned, &tests).expect("the requirement is there");
        assert_eq!(shown.requirement[0].verified_by, [Kind::Test]);
        assert_eq!(shown.requirement[0].tests, ["bank::order::x"]);
        let gone = with_tests(shown, &ByRequirement::new()).expect("nothing is named");
        assert_eq!(gone.requirement[0].verified_by, [Kind::Planned]);
        let unknown = ByRequirement::from([("ORD-99".to_owned(), ["x".to_owned()].into())]);
        assert!(matches!(with_tests(gone, &unknown), Err(Error::Unknown { .. })));
    }

    #[test]
    fn what_is_kept_by_hand_survives_a_new_extraction() {
        let mut kept = merge(extract(SPEC).expect("well-formed"), &File::default());
        assert_eq!(kept.requirement[0].verified_by, [Kind::Planned]);
        kept.requirement[0].verified_by = vec![Kind::Vector];
        let read = parse(&render(&kept)).expect("what is written can be read");
        let again = merge(extract(SPEC).expect("well-formed"), &read);
        assert_eq!(again.requirement, kept.requirement);
    }
}
