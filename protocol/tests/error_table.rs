//! SPEC.md's error table (11.2) and list of actions (11.3) against the tables of this crate, both
//! ways.

use std::collections::{BTreeMap, BTreeSet};

use koshin_protocol::problem::{Token, table::TABLE};
use koshin_protocol::remedy::{Action, By};

fn spec() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../SPEC.md");
    std::fs::read_to_string(path).expect("SPEC.md is beside the crate")
}

/// The lines of one section, by the number in its heading.
fn section(spec: &str, number: &str) -> Vec<String> {
    let heading = format!("### {number} ");
    let lines = spec.lines().skip_while(|line| !line.starts_with(&heading)).skip(1);
    lines.take_while(|line| !line.starts_with("##")).map(str::to_owned).collect()
}

/// The cells of each row of the section's table, without its two heading lines.
fn rows(section: &[String]) -> Vec<Vec<String>> {
    let rows = section.iter().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

/// The words in backquotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// What one row of the SPEC says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    status: u16,
    actions: BTreeSet<Action>,
    by: Option<&'static str>,
    client: String,
}

fn said_by_spec() -> BTreeMap<String, Said> {
    let spec = spec();
    let rows = rows(&section(&spec, "11.2"));
    let remedies: BTreeMap<&str, &str> =
        rows.iter().map(|row| (quoted(&row[0])[0], row[3].as_str())).collect();
    let mut said = BTreeMap::new();
    for row in &rows {
        assert_eq!(row.len(), 5, "{row:?}");
        let (mut actions, mut by) = (BTreeSet::new(), None);
        for word in quoted(&row[3]) {
            if let Some(action) = Action::from_name(word) {
                actions.insert(action);
            } else if let Some(who) = By::from_name(word) {
                by = Some(who.as_str());
            } else {
                let other = remedies.get(word).unwrap_or_else(|| panic!("{word} is nothing"));
                actions.extend(quoted(other).into_iter().filter_map(Action::from_name));
            }
        }
        let status = row[1].parse().expect("a status");
        let said_here = Said { status, actions, by, client: row[4].clone() };
        let former = said.insert(quoted(&row[0])[0].to_owned(), said_here);
        assert!(former.is_none(), "{} stands twice", row[0]);
    }
    said
}

#[test]
fn the_specs_table_is_the_crates_table() {
    let mut spec = said_by_spec();
    assert!(!spec.is_empty(), "SPEC.md 11.2 has no table");
    for row in &TABLE {
        let said = spec.remove(row.name).unwrap_or_else(|| panic!("SPEC.md lacks {}", row.name));
        let ours = Said {
            status: row.status,
            actions: row.actions().collect(),
            // The SPEC names who acts only where the action leaves it open and it matters.
            by: said.by.and(row.by.map(By::as_str)),
            client: row.client.to_owned(),
        };
        assert_eq!(ours, said, "{}", row.name);
    }
    assert!(spec.is_empty(), "the crate lacks {:?}", spec.keys());
}

#[test]
fn the_specs_actions_are_the_crates_actions() {
    let spec = spec();
    let rows = rows(&section(&spec, "11.3"));
    let words: Vec<&str> = rows.iter().map(|row| quoted(&row[0])[0]).collect();
    let ours: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    assert_eq!(words, ours);
}

/// The members that SPEC.md 11.1 gives a token are those that its row carries.
#[test]
fn the_specs_members_are_the_crates_members() {
    let spec = spec();
    let mut carried: BTreeSet<(String, &str)> = BTreeSet::new();
    for row in rows(&section(&spec, "11.1")) {
        // What `remedy` consists of is a table of its own, whose presence cells name no tokens.
        for word in quoted(&row[2]) {
            let Some(token) = Token::from_name(word) else { continue };
            let member = quoted(&row[0])[0].to_owned();
            if member != "notBefore" {
                carried.insert((member, token.as_str()));
            }
        }
    }
    assert!(!carried.is_empty(), "SPEC.md 11.1 has no table");
    for (member, name) in &carried {
        let token = Token::from_name(name).expect("found by its name");
        let members = token.row().carries.members();
        assert!(members.contains(&member.as_str()), "{name} carries no {member}");
    }
    for row in &TABLE {
        for member in row.carries.members() {
            let said = carried.contains(&((*member).to_owned(), row.name));
            let with_predecessor =
                *member == "predecessor" && row.actions().any(|a| a == Action::UsePredecessor);
            let other_order = *member == "order" && row.actions().any(|a| a == Action::ResumeOrder);
            assert!(
                said || with_predecessor || other_order,
                "SPEC.md gives {} no {member}",
                row.name
            );
        }
    }
}
