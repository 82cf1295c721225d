//! Settings files: TOML read by hand, so that every mistake in one is named with file, line, key,
//! value and what would have been allowed.
//!
//! `config` and `policy` read their files through this. A table lists the keys it knows when it is
//! opened and refuses any other: a misspelt key never silently means the default.

use std::fmt;
use std::ops::RangeInclusive;

use koshin_protocol::time::Period;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One table of a settings file.
pub struct Table<'t> {
    source: Source<'t>,
    path: String,
    line: usize,
    entries: DeTable<'t>,
}

impl<'t> Table<'t> {
    /// Reads `text`, naming it `file` in errors. `keys` are the keys allowed at the top.
    pub fn parse(file: &'t str, text: &'t str, keys: &[&str]) -> Result<Self, SettingsError> {
        let source = Source { file, text };
        let entries = DeTable::parse(text).map_err(|error| {
            source.error(
                error.span().map_or(0, |span| span.start),
                String::new(),
                Fault::Syntax(error.message().to_owned()),
            )
        })?;
        Self { source, path: String::new(), line: 1, entries: entries.into_inner() }.knowing(keys)
    }

    /// The value of `key`, if it is there.
    pub fn optional(&mut self, key: &str) -> Option<Entry<'t>> {
        let value = self.entries.remove(key)?;
        Some(Entry { source: self.source, key: self.full(key), value })
    }

    /// The value of `key`; its absence is an error that says what is `allowed`.
    pub fn required(&mut self, key: &str, allowed: &str) -> Result<Entry<'t>, SettingsError> {
        self.optional(key).ok_or_else(|| self.missing(key, allowed))
    }

    /// The table under `key`, if it is there, in which only `keys` are allowed.
    pub fn section(
        &mut self,
        key: &str,
        keys: &[&str],
    ) -> Result<Option<Table<'t>>, SettingsError> {
        self.optional(key).map(|entry| entry.table(keys)).transpose()
    }

    /// The table under `key`; its absence is an error.
    pub fn required_section(
        &mut self,
        key: &str,
        keys: &[&str],
    ) -> Result<Table<'t>, SettingsError> {
        self.section(key, keys)?
            .ok_or_else(|| self.missing(key, &format!("a table [{}]", self.full(key))))
    }

    fn knowing(self, keys: &[&str]) -> Result<Self, SettingsError> {
        for (key, _) in &self.entries {
            let name: &str = key.get_ref();
            if !keys.contains(&name) {
                return Err(self.source.error(
                    key.span().start,
                    self.full(name),
                    Fault::UnknownKey { allowed: keys.join(", ") },
                ));
            }
        }
        Ok(self)
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The error that says that `key` is missing here, and what is allowed.
    pub fn missing(&self, key: &str, allowed: &str) -> SettingsError {
        SettingsError {
            file: self.source.file.to_owned(),
            line: self.line,
            key: self.full(key),
            fault: Fault::Missing { allowed: allowed.to_owned() },
        }
    }
}

/// One value, with its key and place.
pub struct Entry<'t> {
    source: Source<'t>,
    key: String,
    value: Spanned<DeValue<'t>>,
}

impl<'t> Entry<'t> {
    /// A whole number of `unit` within `range`.
    pub fn integer(&self, range: RangeInclusive<u32>, unit: &str) -> Result<u32, SettingsError> {
        self.value
            .get_ref()
            .as_integer()
            .and_then(|value| u32::from_str_radix(value.as_str(), value.radix()).ok())
            .filter(|value| range.contains(value))
            .ok_or_else(|| self.refused(&format!("{} to {} {unit}", range.start(), range.end())))
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Result<bool, SettingsError> {
        self.value.get_ref().as_bool().ok_or_else(|| self.refused("true or false"))
    }

    /// A string; anything else is refused with `allowed`.
    pub fn text(&self, allowed: &str) -> Result<&str, SettingsError> {
        self.value.get_ref().as_str().ok_or_else(|| self.refused(allowed))
    }

    /// A string that `parse` accepts; anything else is refused with `allowed`.
    pub fn parsed<T>(
        &self,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, SettingsError> {
        parse(self.text(allowed)?).ok_or_else(|| self.refused(allowed))
    }

    /// One of the named `choices`.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, SettingsError> {
        let allowed: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        self.parsed(&allowed.join(", "), |text| {
            choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
        })
    }

    /// A period within `range`, both as the wire writes them: `"P7D"`, `"PT10M"`.
    pub fn period(&self, range: RangeInclusive<&str>) -> Result<Period, SettingsError> {
        let bound = |text: &str| text.parse::<Period>().map(Period::total_seconds);
        let (least, most) = (
            bound(range.start()).expect("bounds are written in the source"),
            bound(range.end()).expect("bounds are written in the source"),
        );
        let allowed =
            format!("an ISO 8601 duration from \"{}\" to \"{}\"", range.start(), range.end());
        self.parsed(&allowed, |text| {
            text.parse()
                .ok()
                .filter(|value: &Period| (least..=most).contains(&value.total_seconds()))
        })
    }

    /// Whether this is the string `word`: for values that may also be switched off by a word.
    pub fn is(&self, word: &str) -> bool {
        self.value.get_ref().as_str() == Some(word)
    }

    /// The elements of an array.
    pub fn list(self, allowed: &str) -> Result<Vec<Entry<'t>>, SettingsError> {
        let refused = self.refused(&format!("a list of {allowed}"));
        let Self { source, key, value } = self;
        match value.into_inner() {
            DeValue::Array(values) => Ok(values
                .into_iter()
                .enumerate()
                .map(|(at, value)| Entry { source, key: format!("{key}[{at}]"), value })
                .collect()),
            _ => Err(refused),
        }
    }

    /// The value as a table in which only `keys` are allowed.
    pub fn table(self, keys: &[&str]) -> Result<Table<'t>, SettingsError> {
        let refused = self.refused(&format!("a table with {}", keys.join(", ")));
        let Self { source, key, value } = self;
        let line = source.line(value.span().start);
        match value.into_inner() {
            DeValue::Table(entries) => Table { source, path: key, line, entries }.knowing(keys),
            _ => Err(refused),
        }
    }

    /// The error that says that this value is not among the `allowed` ones.
    pub fn refused(&self, allowed: &str) -> SettingsError {
        let span = self.value.span();
        let value = self.source.text.get(span.clone()).unwrap_or_default();
        self.source.error(
            span.start,
            self.key.clone(),
            Fault::Value {
                value: value.escape_debug().take(200).collect::<String>().replace("\\\"", "\""),
                allowed: allowed.to_owned(),
            },
        )
    }
}

/// A mistake in a settings file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// The file, as it was named by whoever read it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The key with its tables, like `session.idle`; empty where the file is no TOML at all.
    pub key: String,
    /// What is wrong there.
    pub fault: Fault,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, key, fault } = self;
        write!(f, "{file}:{line}: ")?;
        match fault {
            Fault::Syntax(message) => write!(f, "not TOML: {message}"),
            Fault::UnknownKey { allowed } => {
                write!(f, "unknown key `{key}`; known here: {allowed}")
            }
            Fault::Missing { allowed } => write!(f, "`{key}` is missing; allowed: {allowed}"),
            Fault::Value { value, allowed } => {
                write!(f, "`{key}` is {value}; allowed: {allowed}")
            }
        }
    }
}

/// What is wrong at a place of a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The file is not TOML from here on; the TOML reader's own words.
    Syntax(String),
    /// No such key; the known ones.
    UnknownKey {
        /// The keys known in this table.
        allowed: String,
    },
    /// A key that must be there is not.
    Missing {
        /// The values it may have.
        allowed: String,
    },
    /// The key has a value that it may not have.
    Value {
        /// The value as it is written in the file.
        value: String,
        /// The values it may have.
        allowed: String,
    },
}

#[derive(Clone, Copy)]
struct Source<'t> {
    file: &'t str,
    text: &'t str,
}

impl Source<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.get(..offset).unwrap_or(self.text).matches('\n').count()
    }

    fn error(&self, offset: usize, key: String, fault: Fault) -> SettingsError {
        SettingsError { file: self.file.to_owned(), line: self.line(offset), key, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[&str] = &["count", "mode", "wait", "list", "inner"];

    fn refusal<T>(result: Result<T, SettingsError>) -> String {
        match result {
            Ok(_) => panic!("accepted"),
            Err(error) => error.to_string(),
        }
    }

    fn table(text: &str) -> Table<'_> {
        Table::parse("bank.toml", text, KEYS).expect("these tests' tables are well formed")
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_known_ones() {
        let refused = refusal(Table::parse("bank.toml", "count = 1\nmoed = \"a\"\n", KEYS));
        assert_eq!(
            refused,
            "bank.toml:2: unknown key `moed`; known here: count, mode, wait, list, inner"
        );
    }

    #[test]
    fn an_unknown_key_of_an_inner_table_is_named_with_its_path() {
        let refused =
            refusal(table("count = 1\n\n[inner]\nthere = 1\n").section("inner", &["here"]));
        assert_eq!(refused, "bank.toml:4: unknown key `inner.there`; known here: here");
    }

    #[test]
    fn a_number_outside_its_range_is_named_with_the_range() {
        let entry = table("\n\ncount = 91").required("count", "").expect("it is there");
        assert_eq!(
            refusal(entry.integer(1..=90, "days")),
            "bank.toml:3: `count` is 91; allowed: 1 to 90 days"
        );
        assert_eq!(entry.integer(1..=91, "days"), Ok(91));
    }

    #[test]
    fn a_word_that_is_no_choice_is_named_with_the_choices() {
        let entry = table("mode = \"gracee\"").required("mode", "").expect("it is there");
        assert_eq!(
            refusal(entry.choice(&[("supersede", 1), ("grace", 2)])),
            "bank.toml:1: `mode` is \"gracee\"; allowed: \"supersede\", \"grace\""
        );
    }

    #[test]
    fn a_duration_is_iso_8601_and_within_its_range() {
        let within = "PT1M"..="PT24H";
        let read = |text: &str| {
            table(text).required("wait", "").expect("it is there").period(within.clone())
        };
        assert_eq!(read("wait = \"PT10M\""), Ok(Period::from_seconds(600)));
        for bad in ["\"10 min\"", "\"PT25H\"", "\"PT59S\"", "\"-PT10M\"", "\"P1M\"", "600"] {
            assert_eq!(
                refusal(read(&format!("wait = {bad}"))),
                format!(
                    "bank.toml:1: `wait` is {bad}; allowed: an ISO 8601 duration from \"PT1M\" to \"PT24H\""
                )
            );
        }
    }

    #[test]
    fn a_missing_key_is_named_with_the_line_of_its_table() {
        let mut inner = table("count = 1\n[inner]\n")
            .required_section("inner", &["here"])
            .expect("it is there");
        assert_eq!(
            refusal(inner.required("here", "true or false")),
            "bank.toml:2: `inner.here` is missing; allowed: true or false"
        );
    }

    #[test]
    fn what_is_not_toml_is_refused_with_its_line() {
        let refused = refusal(Table::parse("bank.toml", "count = 1\nmode = = 2\n", KEYS));
        assert!(refused.starts_with("bank.toml:2: not TOML: "), "{refused}");
    }

    #[test]
    fn an_element_of_a_list_is_named_by_its_position() {
        let list = table("list = [1,\n 7]")
            .required("list", "")
            .expect("it is there")
            .list("days")
            .expect("a list");
        assert_eq!(
            refusal(list[1].integer(1..=5, "days")),
            "bank.toml:2: `list[1]` is 7; allowed: 1 to 5 days"
        );
    }
}
