//! Banks whose answers are not as they must be.

use http::StatusCode;
use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    LINK, LOCATION, RETRY_AFTER,
};
use koshin_protocol::problem::Token;
use serde_json::{Value, json};

use super::{Asked, Bend, Told, Wrong, wrong};

const fn answers(
    slug: &'static str,
    requirement: &'static str,
    bend: fn(&Asked, &mut Told),
) -> Wrong {
    wrong(slug, requirement, Bend::Answers(bend))
}

/// All of them.
pub(super) const ALL: [Wrong; 36] = [
    wrong("answers-replays", "NON-02", Bend::Replays),
    wrong(
        "speaks-english-only",
        "HDR-05",
        Bend::Hears(|request| {
            request.headers_mut().remove(ACCEPT_LANGUAGE);
        }),
    ),
    answers("gives-no-nonce-with-problems", "NON-01", |_, told| {
        if !told.status.is_success() {
            told.headers.remove(HeaderName::from_static("replay-nonce"));
        }
    }),
    answers("gives-one-nonce-to-all", "NON-09", |_, told| {
        let nonce = HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA");
        if told.headers.contains_key("replay-nonce") {
            told.headers.insert(HeaderName::from_static("replay-nonce"), nonce);
        }
    }),
    answers("lets-answers-be-stored", "HDR-02", |_, told| {
        told.headers.remove(CACHE_CONTROL);
    }),
    answers("links-no-index", "HDR-03", |_, told| {
        told.headers.remove(LINK);
    }),
    answers("gives-no-location", "HDR-04", |_, told| {
        told.headers.remove(LOCATION);
    }),
    answers("tells-no-language", "HDR-06", |_, told| {
        told.headers.remove(CONTENT_LANGUAGE);
    }),
    answers("gives-no-age", "HDR-08", |asked, told| {
        if asked.typ().is_empty() {
            told.headers.remove(CACHE_CONTROL);
        }
    }),
    answers("asks-for-no-patience", "RTA-01", |_, told| {
        told.headers.remove(RETRY_AFTER);
    }),
    answers("calls-problems-json", "HTP-24", |_, told| {
        if !told.status.is_success() {
            told.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
    }),
    answers("calls-what-is-read-text", "HTP-23", |asked, told| {
        if asked.typ() == "koshin-read+jws" && told.status.is_success() {
            told.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
    }),
    answers("numbers-problems-400", "ERR-01", |_, told| {
        problem(told, |value| value["status"] = json!(400));
    }),
    answers("answers-refusals-with-200", "ERR-01", |_, told| {
        if !told.status.is_success() {
            told.status = StatusCode::OK;
        }
    }),
    answers("knows-no-remedy-but-to-stop", "ERR-02", |_, told| {
        problem(told, |value| value["remedy"] = json!({ "action": "stop" }));
    }),
    answers("writes-fractions-of-seconds", "ENC-30", |_, told| {
        told.edit(fractions);
    }),
    answers("sends-null", "ENC-19", |_, told| {
        if told.status.is_success() {
            told.edit(|value| {
                if let Some(members) = value.as_object_mut() {
                    members.insert("comment".to_owned(), Value::Null);
                }
            });
        }
    }),
    answers("tells-no-attempts", "PIN-03", |_, told| {
        problem(told, |value| remove(value, "attemptsLeft"));
    }),
    answers("never-locks", "PIN-04", |_, told| {
        if told.token() == Some(Token::PinLocked) {
            told.status = StatusCode::FORBIDDEN;
            told.edit(|value| {
                value["type"] = json!(format!("{}pinWrong", Token::URN));
                value["status"] = json!(403);
                value["attemptsLeft"] = json!(1);
                value["remedy"] = json!({ "action": "correct" });
            });
        }
    }),
    answers("shows-no-expiry", "STA-10", |_, told| told.edit(without_expiry)),
    answers("names-no-successor", "SES-07", |_, told| {
        problem(told, |value| remove(value, "successor"));
    }),
    answers("tells-no-opening", "ORD-07", |_, told| {
        problem(told, |value| remove(&mut value["remedy"], "notBefore"));
    }),
    answers("names-no-open-order", "ORD-05", |_, told| {
        problem(told, |value| remove(value, "order"));
    }),
    answers("lists-no-environments", "ENV-01", |_, told| {
        problem(told, |value| remove(value, "environments"));
    }),
    answers("shifts-the-window", "WIN-01", |asked, told| {
        if asked.path.contains("/renewal-info/") {
            told.edit(|value| {
                let end = value["enforcedWindow"]["end"].clone();
                value["enforcedWindow"]["start"] = end.clone();
                value["suggestedWindow"]["start"] = end.clone();
                value["suggestedWindow"]["end"] = end;
            });
        }
    }),
    answers("suggests-what-is-refused", "RNI-04", |asked, told| {
        if asked.path.contains("/renewal-info/") {
            told.edit(|value| value["suggestedWindow"]["start"] = json!("2000-01-01T00:00:00Z"));
        }
    }),
    answers("tags-no-renewal-info", "RNI-08", |_, told| {
        told.headers.remove(ETAG);
    }),
    answers("gives-no-notice", "NTC-10", |_, told| told.edit(|value| remove(value, "notice"))),
    answers("forgets-deferrals", "NTC-22", |_, told| {
        told.edit(|value| {
            if let Some(notice) = value.get_mut("notice") {
                remove(notice, "deferredAt");
                notice["deferrals"] = json!(0);
            }
        });
    }),
    answers("offers-no-deferral", "NTC-20", |_, told| {
        told.edit(|value| {
            if let Some(notice) = value.get_mut("notice") {
                remove(notice, "defer");
            }
        });
    }),
    answers("hides-the-open-order", "SES-02", |asked, told| {
        if asked.typ() == "koshin-new-session+jws" && told.status.is_success() {
            told.edit(|value| remove(value, "order"));
        }
    }),
    answers("creates-with-200", "ORD-01", |asked, told| {
        if asked.typ() == "koshin-new-order+jws" && told.status == StatusCode::CREATED {
            told.status = StatusCode::OK;
        }
    }),
    answers("creates-again", "ORD-02", |asked, told| {
        if asked.typ() == "koshin-new-order+jws" && told.status == StatusCode::OK {
            told.status = StatusCode::CREATED;
        }
    }),
    answers("sends-the-leaf-alone", "CHN-01", |_, told| {
        told.edit(|value| {
            if let Some(chain) = value.get_mut("chain").and_then(Value::as_array_mut) {
                chain.truncate(1);
            }
        });
    }),
    answers("gives-no-receipt", "RCP-01", |_, told| told.edit(|value| remove(value, "receipt"))),
    answers("forgets-when-it-was-ordered", "ORD-24", |asked, told| {
        if asked.typ() == "koshin-read+jws" {
            told.edit(|value| {
                if value.get("created").is_some() {
                    value["created"] = json!("2020-01-01T00:00:00Z");
                }
            });
        }
    }),
];

fn problem(told: &mut Told, edit: impl FnOnce(&mut Value)) {
    if told.token().is_some() {
        told.edit(edit);
    }
}

fn remove(value: &mut Value, member: &str) {
    if let Some(members) = value.as_object_mut() {
        members.remove(member);
    }
}

/// What a contract shows as expired is current.
fn without_expiry(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_expiry),
        Value::Object(members) => {
            if let Some(state) = members.get_mut("state").filter(|state| *state == "expired") {
                *state = json!("current");
            }
            members.values_mut().for_each(without_expiry);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every time gets a fraction.
fn fractions(value: &mut Value) {
    match value {
        Value::String(text)
            if text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T' =>
        {
            *text = text.replace('Z', ".000Z");
        }
        Value::Array(items) => items.iter_mut().for_each(fractions),
        Value::Object(members) => members.values_mut().for_each(fractions),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
