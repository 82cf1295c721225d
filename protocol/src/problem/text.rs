//! Filling in the templates of problem texts.
//!
//! A template is plain text with `{name}` for a value, and `[one|other]` for the first alternative
//! whose values are all known; without any such alternative the brackets leave nothing behind.

/// Fills in `template`; `value` knows some of the names.
///
/// An unknown name outside of brackets leaves nothing behind; the table's test sees to it that
/// there is none.
pub fn render(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, bracket)) = rest.split_once('[') {
        text.push_str(&fill(before, &value).unwrap_or_default());
        let (alternatives, after) = bracket.split_once(']').unwrap_or((bracket, ""));
        let chosen = alternatives.split('|').find_map(|alternative| fill(alternative, &value));
        text.push_str(&chosen.unwrap_or_default());
        rest = after;
    }
    text.push_str(&fill(rest, &value).unwrap_or_default());
    text
}

/// The text with its values, or `None` if one of them is not known.
fn fill(template: &str, value: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, name_on)) = rest.split_once('{') {
        let (name, after) = name_on.split_once('}')?;
        text.push_str(before);
        text.push_str(&value(name)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str) -> String {
        render(template, |name| (name == "a").then(|| "1".to_owned()))
    }

    #[test]
    fn values_are_filled_in() {
        assert_eq!(rendered("plain"), "plain");
        assert_eq!(rendered("a{a}b"), "a1b");
    }

    #[test]
    fn brackets_without_their_value_vanish() {
        assert_eq!(rendered("x[ {a}]y[ {b}]z"), "x 1yz");
    }

    #[test]
    fn the_first_alternative_that_is_known_is_taken() {
        assert_eq!(rendered("[{b}|{a}|c]."), "1.");
        assert_eq!(rendered("[{b}|c]."), "c.");
    }
}
