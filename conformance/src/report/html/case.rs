//! A case on the page: what it shows, what was said of it, and the exchange.

use maud::{Markup, html};

use super::{anchor, class, mark, name, quoted, seconds};
use crate::case::Side;
use crate::exchange::{Exchange, Message};
use crate::report::{CaseResult, Report};
use crate::requirements;
use crate::verdict::Verdict;

/// A case: closed, or opened with everything there is to say of it.
pub(super) fn case(one: &CaseResult, report: &Report, opened: bool) -> Markup {
    let about = &one.about;
    let kind = one.verdict.kind();
    // Every case stands among the cases; a finding has a second place, further up.
    let id = (!opened).then(|| anchor(&about.slug));
    html! {
        details.case.(class(kind)) id=[id] open[opened] data-kind=(class(kind)) {
            summary {
                (mark(kind))
                code.slug { (about.slug) }
                span.ids { (about.requirements.join(" ")) }
                span.sentence { (quoted(&about.sentence)) }
            }
            div.body {
                (verdict(&one.verdict))
                @for row in about.requirements.iter().filter_map(|id| requirements::embedded(id)) {
                    blockquote {
                        cite { "SPEC.md " (row.section) " " a href={ "#" (row.id) } { (row.id) } }
                        " " (quoted(&row.text))
                    }
                }
                p.meta {
                    (name(kind)) " in " (seconds(one.milliseconds)) "; again: "
                    code { (again(about.side, report)) " --case " (about.slug) }
                }
                ol.exchanges {
                    @for (index, exchange) in one.exchanges.iter().enumerate() {
                        // What was wrong is mostly in the last one; the others are the way there.
                        li { (pair(index, exchange, opened && index + 1 == one.exchanges.len())) }
                    }
                }
            }
        }
    }
}

fn again(side: Side, report: &Report) -> String {
    let command = match side {
        Side::Server => "server",
        Side::Client => "client",
    };
    format!("koshin-conformance {command} … --seed {}", report.seed)
}

fn verdict(verdict: &Verdict) -> Markup {
    let row = |term: &str, text: &str| html! { div { dt { (term) } dd { (visible(text)) } } };
    html! {
        dl.verdict {
            @match verdict {
                Verdict::Pass => {}
                Verdict::Fail { expected, actual } => {
                    (row("Expected", expected)) (row("Got", actual))
                }
                Verdict::Skipped { reason } => (row("Skipped", reason)),
                Verdict::Blocked { by } => (row("Blocked by", by)),
                Verdict::KnownDivergence { reason, expected, actual } => {
                    (row("Expected", expected)) (row("Got", actual)) (row("Known", reason))
                }
                Verdict::StaleDivergence { reason } => {
                    (row("Passes, although declared", reason))
                }
            }
        }
    }
}

/// An exchange: a line of what was asked and answered, and behind it the whole.
fn pair(index: usize, exchange: &Exchange, opened: bool) -> Markup {
    let answer = exchange.response.as_ref().map_or("no answer", |response| response.line.as_str());
    html! {
        details.exchange open[opened] {
            summary { (index + 1) ". " code { (visible(&exchange.request.line)) } b { (visible(answer)) } }
            (message("request", &exchange.request))
            @if let Some(response) = &exchange.response { (message("response", response)) }
            @if let Some(note) = &exchange.note { p.note { (visible(note)) } }
        }
    }
}

fn message(class: &str, message: &Message) -> Markup {
    html! {
        div.message.(class) {
            code.line { (visible(&message.line)) }
            @if !message.headers.is_empty() {
                pre.headers {
                    @for (header, value) in &message.headers { (visible(&format!("{header}: {value}"))) "\n" }
                }
            }
            @if let Some(jws) = &message.jws {
                div.jws {
                    span { "protected" } pre { (indented(&jws.protected)) }
                    span { "payload" } pre { (indented(&jws.payload)) }
                }
            } @else if !message.body.is_empty() {
                pre.content { (indented(&message.body)) }
            }
        }
    }
}

/// JSON on lines of its own, so that a person can read it; anything else, as also JSON with a member twice, as it stands.
fn indented(text: &str) -> String {
    let again = serde_json::from_str::<serde_json::Value>(text).ok();
    let same = |value: &serde_json::Value| value.to_string().len() == stripped(text);
    let pretty = again.filter(same).and_then(|value| serde_json::to_string_pretty(&value).ok());
    visible(&pretty.unwrap_or_else(|| text.to_owned()))
}

/// How long JSON is without white space outside its strings.
fn stripped(text: &str) -> usize {
    let (mut length, mut inside, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            b'"' if !escaped => inside = !inside,
            b' ' | b'\n' | b'\r' | b'\t' if !inside => continue,
            _ => {}
        }
        escaped = inside && byte == b'\\' && !escaped;
        length += 1;
    }
    length
}

/// Control characters are shown as escapes: they do nothing on a page, but whoever copies from it takes them along.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_what_would_not_be_the_same_again_stands_as_it_is() {
        assert_eq!(indented(r#"{"a":[1, 2]}"#), "{\n  \"a\": [\n    1,\n    2\n  ]\n}");
        assert_eq!(indented(r#"{"a b\" ":1}"#), "{\n  \"a b\\\" \": 1\n}");
        for odd in [r#"{"a":1,"a":2}"#, "{", "<html>", r#"{"a":1e2}"#] {
            assert_eq!(indented(odd), odd);
        }
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(visible("a\u{1b}[2J\r\nb"), "a\\u{1b}[2J\\r\nb");
    }
}
