//! Encodings: base64url, JSON, times, periods, URLs, names.

use koshin_protocol::base64url;
use koshin_protocol::certificate::Name;
use koshin_protocol::json;
use koshin_protocol::problem::Token;
use koshin_protocol::time::{Period, Time};
use koshin_protocol::url::{Base, Url};
use serde_json::{Value, json};

use super::hexadecimal_of;
use super::outcome::Outcome;

fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name].as_str().unwrap_or_else(|| panic!("the input has no text {name}"))
}

pub(crate) fn base64url(input: &Value) -> Outcome {
    let (read, stage) = match text(input, "alphabet") {
        "base64url" => (base64url::decode(text(input, "text")), "payload"),
        "base64" => (base64url::decode_standard(text(input, "text")), "jws"),
        other => panic!("no alphabet {other}"),
    };
    match read {
        Ok(octets) => Outcome::valid(json!({ "octets": hexadecimal_of(&octets) })),
        Err(_) => Outcome::refused(Token::Malformed, stage),
    }
}

pub(crate) fn json(input: &Value) -> Outcome {
    let bytes = text(input, "text").as_bytes();
    match text(input, "side") {
        "request" => match json::parse_request::<Value>(bytes) {
            Ok(_) => Outcome::valid(json!({})),
            Err(_) => Outcome::refused(Token::Malformed, "payload"),
        },
        "response" => match json::parse::<Value>(bytes) {
            Ok(_) => Outcome::valid(json!({})),
            Err(_) => Outcome::refused_by_client(),
        },
        other => panic!("no side {other}"),
    }
}

pub(crate) fn time(input: &Value) -> Outcome {
    let read = if input.get("period").is_some() {
        text(input, "period")
            .parse::<Period>()
            .map(|period| json!({ "days": period.days(), "seconds": period.seconds() }))
            .ok()
    } else {
        text(input, "time").parse::<Time>().map(|time| json!({ "unix": time.unix() })).ok()
    };
    read.map_or_else(Outcome::refused_by_client, Outcome::valid)
}

pub(crate) fn url(input: &Value) -> Outcome {
    let good = match input.get("directory") {
        Some(_) => {
            let read = |name| Url::parse(text(input, name)).expect("a URL");
            Base::of(&read("directory")).contains(&read("url"))
        }
        None => Url::parse(text(input, "url")).is_ok(),
    };
    if good { Outcome::valid(json!({})) } else { Outcome::refused_by_client() }
}

pub(crate) fn name(input: &Value) -> Outcome {
    if input.get("name").is_some() {
        return text(input, "name").parse::<Name>().map_or_else(
            |_| Outcome::refused_by_client(),
            |name| Outcome::valid(json!({ "der": base64url::encode_standard(name.der()) })),
        );
    }
    let read = |member| {
        let der = base64url::decode_standard(text(input, member)).expect("base64");
        Name::from_der(&der).expect("a name")
    };
    let name = read("der");
    if input.get("other").is_some() {
        return Outcome::valid(json!({ "equal": name == read("other") }));
    }
    Outcome::valid(json!({ "name": name.as_str() }))
}
