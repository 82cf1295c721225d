//! Strict JSON (SPEC.md, Encodings): UTF-8 without BOM, no duplicate member at any depth, bounded
//! in size and depth, nothing after the value.
//!
//! Whether a member is known is the business of the type that is read: request payloads carry
//! `#[serde(deny_unknown_fields)]`, responses do not.

mod objects;

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

/// The longest document that is read, in bytes (64 KiB).
pub const MAX_DOCUMENT: usize = 65_536;

/// The deepest nesting of arrays and objects that is read; the outermost value counts as one.
pub const MAX_DEPTH: usize = 16;

/// Why a document was refused.
#[derive(Debug, Error)]
pub enum JsonError {
    /// Longer than [`MAX_DOCUMENT`].
    #[error("the document is longer than {MAX_DOCUMENT} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the document is not UTF-8")]
    NotUtf8,
    /// Arrays and objects nested deeper than [`MAX_DEPTH`].
    #[error("the document is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The same member name twice in one object.
    #[error("the member {0:?} occurs twice in one object")]
    Duplicate(String),
    /// A control character in a string of a request (U+0000 to U+001F, U+007F to U+009F).
    #[error("a string contains a control character")]
    ControlCharacter,
    /// Not JSON, or something follows the value.
    #[error("the document is not JSON: {0}")]
    Syntax(#[source] serde_json::Error),
    /// JSON, but not the object that belongs here: a member missing, unknown or of a wrong form.
    #[error("the document is not what belongs here: {0}")]
    Shape(#[source] serde_json::Error),
}

/// Reads a document of a response.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    read(bytes, Controls::Allowed)
}

/// Reads a document of a response that may be longer than others: a contract (SPEC.md 4.2, ENC-20).
/// The caller has bounded its length.
pub fn parse_long<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    read_bounded(bytes, Controls::Allowed)
}

/// Reads a document of a request, whose strings contain no control characters.
pub fn parse_request<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    read(bytes, Controls::Refused)
}

/// For members that may be absent but not `null`: use with
/// `#[serde(default, deserialize_with = "json::present")]`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

fn read<T: DeserializeOwned>(bytes: &[u8], controls: Controls) -> Result<T, JsonError> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(JsonError::TooLong);
    }
    read_bounded(bytes, controls)
}

fn read_bounded<T: DeserializeOwned>(bytes: &[u8], controls: Controls) -> Result<T, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    Scan::run(text, controls)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    objects::deserialize(&mut deserializer).map_err(JsonError::Shape)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Controls {
    Allowed,
    Refused,
}

/// One walk over the whole document, ahead of the typed reading, which would not see duplicates
/// among members that it ignores.
struct Scan<'de> {
    controls: Controls,
    depth: usize,
    /// Names of the members of all objects that are open, innermost last: one buffer for all.
    names: Vec<Cow<'de, str>>,
    fault: Option<JsonError>,
}

impl<'de> Scan<'de> {
    fn run(text: &'de str, controls: Controls) -> Result<(), JsonError> {
        let mut scan = Self { controls, depth: 0, names: Vec::new(), fault: None };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let walked = (&mut scan).deserialize(&mut deserializer).and_then(|()| deserializer.end());
        match (walked, scan.fault) {
            (_, Some(fault)) => Err(fault),
            (Err(error), None) => Err(JsonError::Syntax(error)),
            (Ok(()), None) => Ok(()),
        }
    }

    fn refuse<E: serde::de::Error>(&mut self, fault: JsonError) -> E {
        let error = E::custom(&fault);
        self.fault = Some(fault);
        error
    }

    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.refuse(JsonError::TooDeep)) } else { Ok(()) }
    }

    fn text<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        if self.controls == Controls::Refused && text.chars().any(char::is_control) {
            return Err(self.refuse(JsonError::ControlCharacter));
        }
        Ok(())
    }

    /// Sorting instead of comparing each with each keeps ten thousand members cheap.
    fn leave_object<E: serde::de::Error>(&mut self, first: usize) -> Result<(), E> {
        self.depth -= 1;
        self.names[first..].sort_unstable();
        let twice = self.names[first..].windows(2).find(|pair| pair[0] == pair[1]);
        if let Some(pair) = twice {
            let name = pair[0].clone().into_owned();
            return Err(self.refuse(JsonError::Duplicate(name)));
        }
        self.names.truncate(first);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Scan<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Scan<'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.enter()?;
        while items.next_element_seed(&mut *self)?.is_some() {}
        self.depth -= 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.enter()?;
        let first = self.names.len();
        while let Some(name) = members.next_key_seed(Name)? {
            self.text(&name)?;
            self.names.push(name);
            members.next_value_seed(&mut *self)?;
        }
        self.leave_object(first)
    }
}

/// A member's name, borrowed from the document unless it is written with escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn refusal(text: &str) -> JsonError {
        parse::<Value>(text.as_bytes()).expect_err(text)
    }

    #[test]
    fn a_struct_is_an_object_at_every_depth_and_never_an_array_of_its_members() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Inner {
            a: u8,
        }
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Outer {
            inner: Option<Inner>,
            list: Vec<Inner>,
        }
        let read = |text: &str| parse::<Outer>(text.as_bytes());
        let outer = read(r#"{"inner":{"a":1},"list":[{"a":2}]}"#).expect("objects");
        assert_eq!(outer, Outer { inner: Some(Inner { a: 1 }), list: vec![Inner { a: 2 }] });
        for array in [
            r#"[{"a":1},[{"a":2}]]"#,
            r#"{"inner":[1],"list":[{"a":2}]}"#,
            r#"{"inner":{"a":1},"list":[[2]]}"#,
        ] {
            assert!(matches!(read(array), Err(JsonError::Shape(_))), "{array}");
        }
    }

    #[test]
    fn ordinary_documents_are_read() {
        for text in ["{}", " [1, -2, 3.5, null, true] ", r#"{"a":{"b":1},"c":[{"b":2}]}"#, "\"é\""]
        {
            assert!(parse::<Value>(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_member_twice_is_refused_at_any_depth_and_in_any_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":{},"\u0061":1}"#,
            r#"[{"x":[{"a":1,"c":{"a":2},"a":3}]}]"#,
        ] {
            assert!(matches!(refusal(text), JsonError::Duplicate(name) if name == "a"), "{text}");
        }
    }

    #[test]
    fn a_member_twice_is_refused_where_the_type_would_ignore_it() {
        #[derive(Debug, serde::Deserialize)]
        struct Nothing {}
        assert!(matches!(
            parse::<Nothing>(br#"{"later":{"a":1,"a":2}}"#),
            Err(JsonError::Duplicate(_))
        ));
    }

    #[test]
    fn depth_is_bounded() {
        let nest = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse::<Value>(nest(MAX_DEPTH).as_bytes()).is_ok());
        assert!(matches!(refusal(&nest(MAX_DEPTH + 1)), JsonError::TooDeep));
        assert!(matches!(refusal(&"[".repeat(60_000)), JsonError::TooDeep));
    }

    #[test]
    fn length_is_bounded() {
        let fill = |length: usize| format!("\"{}\"", "a".repeat(length - 2));
        assert!(parse::<Value>(fill(MAX_DOCUMENT).as_bytes()).is_ok());
        assert!(matches!(refusal(&fill(MAX_DOCUMENT + 1)), JsonError::TooLong));
    }

    #[test]
    fn what_is_not_one_json_value_in_utf_8_is_refused() {
        for text in
            ["", "{} {}", "{}x", "\u{feff}{}", "{'a':1}", "[1,]", "01", r#""\ud800""#, "1e999"]
        {
            assert!(matches!(refusal(text), JsonError::Syntax(_)), "{text}");
        }
        assert!(matches!(parse::<Value>(b"\"\xff\""), Err(JsonError::NotUtf8)));
    }

    #[test]
    fn control_characters_are_refused_in_requests_only() {
        for text in [r#"{"a":"\u0000"}"#, r#"{"a":"\u0085"}"#, "{\"a\":\"\u{7f}\"}", r#"{"\n":1}"#]
        {
            assert!(parse::<Value>(text.as_bytes()).is_ok(), "{text}");
            assert!(
                matches!(parse_request::<Value>(text.as_bytes()), Err(JsonError::ControlCharacter)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_member_that_may_be_absent_is_not_null() {
        #[derive(Debug, serde::Deserialize)]
        struct Optional {
            #[serde(default, deserialize_with = "present")]
            a: Option<u8>,
        }
        assert_eq!(parse::<Optional>(b"{}").expect("absent").a, None);
        assert_eq!(parse::<Optional>(br#"{"a":1}"#).expect("present").a, Some(1));
        assert!(matches!(parse::<Optional>(br#"{"a":null}"#), Err(JsonError::Shape(_))));
    }
}
