//! SPEC.md 4.1: base64url and base64.

use koshin_protocol::problem::Token;
use serde_json::Value;

use super::Bank;
use super::draft::Draft;
use super::good::Good;
use super::refusal::{On, refuses};
use crate::case::Case;

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = Vec::new();
    for part in ["protected", "payload", "signature"] {
        for (spoiled, sentence, spoil) in SPOILED {
            let slug = format!("base64url/{part}-{spoiled}");
            let sentence = format!("A request whose `{part}` {sentence} is malformed.");
            cases.push(refuses(
                Good::Logon,
                Token::Malformed,
                slug,
                sentence,
                &["ENC-01"],
                move |draft| spaced(draft).edit_jws(move |jws| edit(&mut jws[part], spoil)),
            ));
        }
    }
    for (spoiled, sentence, spoil) in SPOILED {
        let slug = format!("base64url/csr-{spoiled}");
        let sentence = format!("A newOrder whose `csr` {sentence} is malformed.");
        cases.push(refuses(
            On::NewOrder,
            Token::Malformed,
            slug,
            sentence,
            &["ENC-01"],
            move |draft| draft.edit_payload(|payload| edit(&mut payload["csr"], spoil)),
        ));
    }
    for (spoiled, sentence, spoil) in SPOILED_STANDARD {
        let slug = format!("base64/x5c-{spoiled}");
        let sentence = format!("A request whose `x5c` {sentence} is malformed.");
        cases.push(refuses(
            Good::Logon,
            Token::Malformed,
            slug,
            sentence,
            &["ENC-03"],
            move |mut draft| {
                edit(&mut draft.header["x5c"][0], spoil);
                draft
            },
        ));
    }
    cases
}

type Spoil = fn(&str) -> String;

/// Ways in which base64url is wrong.
const SPOILED: [(&str, &str, Spoil); 5] = [
    ("padded", "is padded", |text| format!("{text}=")),
    ("standard-alphabet", "has a `+`", |text| format!("+{}", &text[1..])),
    ("line-break", "has a space in it", |text| format!("{} {}", &text[..8], &text[8..])),
    ("impossible-length", "has a length that no octets have", |text| {
        let mut text = text.to_owned();
        while text.len() % 4 != 1 {
            text.push('A');
        }
        text
    }),
    ("trailing-bits", "has bits beyond the last octet that are not zero", trailing_bits),
];

/// Ways in which base64 is wrong.
const SPOILED_STANDARD: [(&str, &str, Spoil); 6] = [
    ("padded-too-much", "is padded too much", |text| format!("{text}=")),
    ("not-padded", "lacks its padding", |text| {
        // What needs none has an octet less, and its padding left out.
        let text = text.trim_end_matches('=');
        if text.len() % 4 == 0 { text[..text.len() - 1].to_owned() } else { text.to_owned() }
    }),
    ("url-alphabet", "has a `-`", |text| format!("-{}", &text[1..])),
    ("space", "has a space in it", |text| format!("{} {}", &text[..64], &text[64..])),
    ("trailing-bits", "has bits beyond the last octet that are not zero", |text| {
        let text = text.trim_end_matches('=');
        let text = if text.len() % 4 == 0 { &text[..text.len() - 1] } else { text };
        let spoiled = trailing_bits(text);
        let padding = "=".repeat((4 - spoiled.len() % 4) % 4);
        spoiled + &padding
    }),
    ("empty", "is empty", |_| String::new()),
];

fn edit(value: &mut Value, spoil: Spoil) {
    let text = value.as_str().unwrap_or_default().to_owned();
    *value = Value::from(spoil(&text));
}

/// The last character with its lowest bit set; the text does not fill its last octet.
fn trailing_bits(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text = if text.len().is_multiple_of(4) { &text[..text.len() - 1] } else { text };
    let (head, last) = text.split_at(text.len() - 1);
    let standard = match last {
        "+" => "-",
        "/" => "_",
        other => other,
    };
    let value = ALPHABET.iter().position(|&letter| standard.as_bytes() == [letter]).unwrap_or(0);
    format!("{head}{}", char::from(ALPHABET[value | 1]))
}

/// White space, so that header and payload do not fill their last octet: both stay right.
fn spaced(draft: Draft) -> Draft {
    let mut payload = draft.payload.clone();
    pad(&mut payload);
    draft.payload(payload).edit_header_text(pad)
}

fn pad(text: &mut Vec<u8>) {
    while text.len() % 3 != 1 {
        text.push(b' ');
    }
}
