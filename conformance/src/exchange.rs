//! The record of what was sent and answered, to be read by the person who has to mend it: JWS are shown decoded, and secrets
//! not at all.

use std::sync::{Arc, Mutex, PoisonError};

use koshin_protocol::base64url;
use serde::Serialize;
use serde_json::Value;

/// Bodies are shown up to this many bytes.
const SHOWN: usize = 4096;

/// A request and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// What was sent.
    pub request: Message,
    /// What came back; absent where nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Message>,
    /// Why nothing came back, or what else is to be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One half of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// `POST https://…` or `201 Created`.
    pub line: String,
    /// Headers, as they stood.
    pub headers: Vec<(String, String)>,
    /// The body as text, cut where it is long. A JWS is in `jws` instead.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// A JWS, decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jws: Option<Jws>,
}

/// A JWS, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jws {
    /// The protected header's text.
    pub protected: String,
    /// The payload's text; secrets replaced.
    pub payload: String,
    /// As it stood.
    pub signature: String,
}

impl Message {
    /// Of its first line, headers and body.
    pub fn new(
        line: impl Into<String>,
        headers: impl IntoIterator<Item = (String, String)>,
        body: &[u8],
    ) -> Self {
        let jws = Jws::of(body);
        let body = if jws.is_some() { String::new() } else { text(body) };
        Self { line: line.into(), headers: headers.into_iter().collect(), body, jws }
    }
}

impl Jws {
    fn of(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let object = value.as_object().filter(|object| object.len() == 3)?;
        let part = |name: &str| object.get(name)?.as_str().map(ToOwned::to_owned);
        let decoded = |name: &str| base64url::decode(&part(name)?).ok();
        Some(Self {
            protected: text(&decoded("protected")?),
            payload: text(&decoded("payload")?),
            signature: part("signature")?,
        })
    }
}

/// Bytes as text, secrets replaced, cut where it is long.
fn text(bytes: &[u8]) -> String {
    let shown = redacted(bytes)
        .unwrap_or_else(|| String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned());
    let end = shown.floor_char_boundary(SHOWN);
    if end < shown.len() || bytes.len() > SHOWN {
        format!("{}… ({} bytes)", &shown[..end], bytes.len())
    } else {
        shown
    }
}

/// A JSON object without its secrets, `None` where it has none (and so stands as it is).
fn redacted(bytes: &[u8]) -> Option<String> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    hide(&mut value).then(|| value.to_string())
}

fn hide(value: &mut Value) -> bool {
    match value {
        Value::Object(members) => {
            let mut hidden = false;
            // `pin` and `old`, `new` of a change of PIN.
            let change = members.len() == 2 && members.contains_key("old");
            for (name, member) in members {
                let secret = name == "pin" || (change && (name == "old" || name == "new"));
                if secret && member.is_string() {
                    *member = Value::from("(not shown)");
                    hidden = true;
                } else {
                    hidden |= hide(member);
                }
            }
            hidden
        }
        Value::Array(items) => items.iter_mut().map(hide).filter(|&hidden| hidden).count() > 0,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The exchanges of one case, in order. Clones write to the same record.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Exchange>>>);

impl Log {
    /// Most exchanges that are kept of one case: the first and the last ones.
    const KEPT: usize = 60;

    /// Adds one.
    pub fn push(&self, exchange: Exchange) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= Self::KEPT {
            // The beginning says how the situation was made, the end what was wrong.
            all.remove(Self::KEPT / 2);
        }
        all.push(exchange);
    }

    /// What there is so far.
    pub fn all(&self) -> Vec<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jws(payload: &Value) -> Vec<u8> {
        let part = |text: &str| base64url::encode(text.as_bytes());
        json!({ "protected": part("{\"alg\":\"ES256\"}"), "payload": part(&payload.to_string()), "signature": "AAAA" })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn a_jws_is_shown_decoded_and_without_its_pin() {
        let message =
            Message::new("POST /", [], &jws(&json!({ "pin": "481516", "purpose": "renewal" })));
        let shown = serde_json::to_string(&message).expect("JSON");
        assert!(!shown.contains("481516"), "{shown}");
        let jws = message.jws.expect("a JWS");
        assert_eq!(jws.protected, "{\"alg\":\"ES256\"}");
        assert!(
            jws.payload.contains("renewal") && jws.payload.contains("(not shown)"),
            "{}",
            jws.payload
        );
        assert!(message.body.is_empty());
    }

    #[test]
    fn a_change_of_pin_shows_neither_pin_and_a_pin_rule_stands() {
        let message = Message::new("POST /", [], &jws(&json!({ "old": "1111", "new": "2222" })));
        let payload = message.jws.expect("a JWS").payload;
        assert!(!payload.contains("1111") && !payload.contains("2222"), "{payload}");
        let rule = json!({ "meta": { "pin": { "minLength": 4 } } }).to_string();
        assert_eq!(Message::new("200", [], rule.as_bytes()).body, rule);
    }

    #[test]
    fn what_is_long_is_cut_and_what_is_no_text_is_shown_as_far_as_it_is() {
        let long = Message::new("200", [], &vec![b'a'; 100_000]).body;
        assert!(long.len() < 5000 && long.ends_with("(100000 bytes)"), "{}", long.len());
        assert_eq!(Message::new("200", [], b"\xffx").body, "\u{fffd}x");
    }

    #[test]
    fn the_beginning_and_the_end_of_a_long_record_are_kept() {
        let log = Log::default();
        for number in 0..1000 {
            let request = Message::new(number.to_string(), [], b"");
            log.push(Exchange { request, response: None, note: None });
        }
        let all = log.all();
        assert_eq!((all.len(), all[0].request.line.as_str()), (60, "0"));
        assert_eq!(all[59].request.line, "999");
    }
}
