//! SPEC.md 4.2: JSON.

use koshin_protocol::problem::Token;
use serde_json::{Value, json};

use super::draft::Draft;
use super::good::Good;
use super::refusal::{On, malformed, refuses};
use super::{Bank, case};
use crate::case::{Case, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = texts();
    cases.extend(duplicates());
    cases.extend(nesting());
    cases.extend(members());
    cases.extend(operations());
    cases.extend(controls());
    cases.push(
        case("json/members-exactly", "Directory, session, contract and order have exactly the members of their tables, and no `null`.")
            .shows(&["ENC-19"])
            .run(|bank: Bank| async move {
                bank.get(&bank.target.directory_url).await?.object::<koshin_protocol::directory::Directory>(200)?;
                let user = bank.user().await?;
                let payload = bank.logon_payload(None, "renewal").await?;
                let answer = bank.try_log_on(&user.pair, payload).await?;
                let logon = bank.logged_on(&user.pair, &answer)?;
                ensure(logon.session.order.is_none(), "no `order` without an open one", answer.summary())?;
                bank.read_contract(&logon).await?;
                let placed = bank.order(&logon).await?;
                bank.read_order(placed.url(), &placed.by_key()).await?;
                let session = bank.read_session(&logon).await?;
                ensure(session.order.is_some(), "`order` while there is an open one", "none")?;
                bank.confirm(&placed).await?;
                bank.read_order(placed.url(), &placed.by_key()).await.map(drop)
            }),
    );
    cases
}

/// Where a text is: each is parsed by itself.
const PLACES: [(&str, &str); 3] =
    [("body", "body"), ("header", "protected header"), ("payload", "payload")];

/// With the text of one place changed before it is signed.
fn edited(draft: Draft, place: &str, edit: fn(&mut Vec<u8>)) -> Draft {
    match place {
        "body" => draft.edit_body(edit),
        "header" => draft.edit_header_text(edit),
        _ => {
            let mut payload = draft.payload.clone();
            edit(&mut payload);
            draft.payload(payload)
        }
    }
}

fn texts() -> Vec<Case<Bank>> {
    type Row = (&'static str, &'static str, fn(&mut Vec<u8>));
    const WRONG: [Row; 5] = [
        ("byte-order-mark", "begins with a byte order mark", |text| {
            text.splice(..0, *b"\xef\xbb\xbf");
        }),
        ("text-after", "has text after its value", |text| text.extend(b" x")),
        ("value-after", "has a second value after its first", |text| text.extend(b"{}")),
        ("not-utf8", "is not UTF-8", |text| {
            // Within the first string.
            text.splice(2..2, *b"\xff");
        }),
        ("utf16", "is UTF-16", |text| {
            *text = text.iter().flat_map(|&octet| [octet, 0]).collect();
        }),
    ];
    let mut cases = Vec::new();
    for (place, said) in PLACES {
        for (name, sentence, edit) in WRONG {
            let (slug, sentence) =
                (format!("json/{place}-{name}"), format!("A request whose {said} {sentence}"));
            cases.push(malformed(&slug, &sentence, "ENC-10", move |draft| {
                edited(draft, place, edit)
            }));
        }
    }
    cases.push(malformed(
        "json/body-empty",
        "A signed request without a body",
        "ENC-10",
        |draft| draft.edit_body(Vec::clear),
    ));
    cases
}

fn duplicates() -> Vec<Case<Bank>> {
    fn again(text: &mut Vec<u8>, member: &str) {
        text.splice(1..1, member.bytes());
    }
    vec![
        malformed("json/duplicate-in-body", "A body with `payload` twice", "ENC-11", |draft| {
            draft.edit_body(|body| {
                let value: Value = serde_json::from_slice(body).unwrap_or_default();
                again(body, &format!("\"payload\":{},", value["payload"]));
            })
        }),
        malformed(
            "json/duplicate-in-header",
            "A protected header with `alg` twice",
            "ENC-11",
            |draft| draft.edit_header_text(|text| again(text, "\"alg\":\"ES256\",")),
        ),
        malformed(
            "json/duplicate-escaped-in-header",
            "A protected header with `alg` twice, once escaped,",
            "ENC-11",
            |draft| draft.edit_header_text(|text| again(text, "\"\\u0061lg\":\"ES256\",")),
        ),
        malformed(
            "json/duplicate-in-payload",
            "A payload with `purpose` twice",
            "ENC-11",
            |draft| edited(draft, "payload", |text| again(text, "\"purpose\":\"renewal\",")),
        ),
        malformed(
            "json/duplicate-escaped-in-payload",
            "A payload with `purpose` twice, once escaped,",
            "ENC-11",
            |draft| edited(draft, "payload", |text| again(text, "\"pur\\u0070ose\":\"renewal\",")),
        ),
        malformed(
            "json/duplicate-deep-in-payload",
            "A payload with `os` of `environment` twice",
            "ENC-11",
            |draft| {
                let text = String::from_utf8_lossy(&draft.payload).into_owned();
                let doubled = text.replacen("\"os\":", "\"os\":\"linux\",\"os\":", 1);
                draft.payload(doubled)
            },
        ),
        refuses(
            Good::Find,
            Token::Malformed,
            "json/duplicate-in-jwk",
            "A protected header with `kty` of `jwk` twice is malformed.",
            &["ENC-11"],
            |draft| {
                draft.edit_header_text(|text| {
                    let doubled = String::from_utf8_lossy(text).replacen(
                        "\"kty\":",
                        "\"kty\":\"EC\",\"kty\":",
                        1,
                    );
                    *text = doubled.into_bytes();
                })
            },
        ),
    ]
}

fn nesting() -> Vec<Case<Bank>> {
    fn deep(text: &mut Vec<u8>, depth: usize) {
        let value = format!("\"x\":{}{},", "[".repeat(depth), "]".repeat(depth));
        text.splice(1..1, value.into_bytes());
    }
    let mut cases = Vec::new();
    for (place, said) in PLACES {
        let slug = format!("json/{place}-nested-17");
        let sentence = format!("A request whose {said} is nested 17 deep");
        cases.push(malformed(&slug, &sentence, "ENC-13", move |draft| {
            edited(draft, place, |text| deep(text, 16))
        }));
        let slug = format!("json/{place}-nested-10000");
        let sentence = format!("A request whose {said} is nested 10000 deep");
        cases.push(malformed(&slug, &sentence, "ENC-13", move |draft| {
            edited(draft, place, |text| deep(text, 10_000))
        }));
    }
    cases
}

/// A member that no table has, one that lacks, one of another type.
fn members() -> Vec<Case<Bank>> {
    type Edit = fn(&mut Value);
    fn remove(value: &mut Value, member: &str) {
        if let Some(members) = value.as_object_mut() {
            members.remove(member);
        }
    }
    const WRONG: [(&str, &str, &str, Edit); 23] = [
        ("ENC-14", "unknown-member", "a member that 7.4 does not have", |p| {
            p["further"] = json!(1);
        }),
        ("ENC-14", "unknown-case", "a member that differs in case", |p| p["PIN"] = json!("1234")),
        (
            "ENC-14",
            "unknown-in-environment",
            "a member of `environment` that 7.22 does not have",
            |p| p["environment"]["arch"] = json!("x"),
        ),
        ("ENC-15", "without-environment", "no `environment`", |p| remove(p, "environment")),
        ("ENC-15", "without-purpose", "no `purpose`", |p| remove(p, "purpose")),
        ("ENC-15", "without-os", "no `os`", |p| remove(&mut p["environment"], "os")),
        ("ENC-15", "without-os-version", "no `osVersion`", |p| {
            remove(&mut p["environment"], "osVersion");
        }),
        ("ENC-15", "without-software", "no `software`", |p| {
            remove(&mut p["environment"], "software");
        }),
        ("ENC-15", "without-software-version", "no `softwareVersion`", |p| {
            remove(&mut p["environment"], "softwareVersion");
        }),
        ("ENC-15", "purpose-null", "a `purpose` of `null`", |p| p["purpose"] = json!(null)),
        ("ENC-15", "purpose-number", "a `purpose` that is a number", |p| p["purpose"] = json!(1)),
        ("ENC-15", "purpose-capital", "the `purpose` \"Renewal\"", |p| {
            p["purpose"] = json!("Renewal");
        }),
        ("ENC-15", "purpose-other", "a `purpose` that 7.4 does not have", |p| {
            p["purpose"] = json!("enrollment");
        }),
        ("ENC-15", "pin-null", "a `pin` of `null`", |p| p["pin"] = json!(null)),
        ("ENC-15", "pin-number", "a `pin` that is a number", |p| p["pin"] = json!(1234)),
        ("ENC-15", "pin-array", "a `pin` that is an array", |p| p["pin"] = json!(["1234"])),
        ("ENC-15", "environment-array", "an `environment` that is an array", |p| {
            p["environment"] = json!([p["environment"]]);
        }),
        ("ENC-15", "environment-string", "an `environment` that is a string", |p| {
            p["environment"] = json!("linux");
        }),
        ("ENC-15", "os-boolean", "an `os` that is a boolean", |p| {
            p["environment"]["os"] = json!(true);
        }),
        ("ENC-15", "os-empty", "an empty `os`", |p| p["environment"]["os"] = json!("")),
        ("ENC-15", "software-too-long", "a `software` of 65 characters", |p| {
            p["environment"]["software"] = json!("s".repeat(65));
        }),
        ("ENC-15", "payload-array", "a payload that is an array", |p| *p = json!([p.clone()])),
        ("ENC-15", "payload-null", "a payload that is `null`", |p| *p = json!(null)),
    ];
    WRONG
        .into_iter()
        .map(|(shows, name, said, edit)| {
            let slug = format!("new-session/{name}");
            malformed(&slug, &format!("A newSession with {said}"), shows, move |draft| {
                draft.edit_payload(edit)
            })
        })
        .collect()
}

/// The same for other operations.
fn operations() -> Vec<Case<Bank>> {
    type Edit = fn(&mut Value);
    type Row = (On, &'static str, &'static str, &'static str, Edit);
    const WRONG: [Row; 19] = [
        (
            On::NewOrder,
            "ENC-14",
            "new-order/unknown-member",
            "a member that 7.8 does not have",
            |p| p["notAfter"] = json!("2030-01-01T00:00:00Z"),
        ),
        (On::NewOrder, "ENC-15", "new-order/without-replaces", "no `replaces`", |p| {
            drop(p.as_object_mut().and_then(|m| m.remove("replaces")));
        }),
        (On::NewOrder, "ENC-15", "new-order/without-key-store", "no `keyStore`", |p| {
            drop(p.as_object_mut().and_then(|m| m.remove("keyStore")));
        }),
        (On::NewOrder, "ENC-15", "new-order/without-csr", "no `csr`", |p| {
            drop(p.as_object_mut().and_then(|m| m.remove("csr")));
        }),
        (On::NewOrder, "ENC-15", "new-order/replaces-null", "a `replaces` of `null`", |p| {
            p["replaces"] = json!(null);
        }),
        (
            On::NewOrder,
            "ENC-15",
            "new-order/replaces-no-cert-id",
            "a `replaces` that is no certID",
            |p| p["replaces"] = json!("not a certID"),
        ),
        (
            On::NewOrder,
            "ENC-15",
            "new-order/key-store-array",
            "a `keyStore` that is an array",
            |p| p["keyStore"] = json!([p["keyStore"]]),
        ),
        (On::NewOrder, "ENC-15", "new-order/csr-array", "a `csr` that is an array", |p| {
            p["csr"] = json!([p["csr"]]);
        }),
        (On::Cancel, "ENC-14", "cancel/unknown-member", "a member that 7.11 does not have", |p| {
            p["reason"] = json!("later");
        }),
        (On::Cancel, "ENC-15", "cancel/without-key", "no `key`", |p| *p = json!({})),
        (On::Cancel, "ENC-15", "cancel/key-null", "a `key` of `null`", |p| p["key"] = json!(null)),
        (On::Cancel, "ENC-15", "cancel/key-no-thumbprint", "a `key` that is no thumbprint", |p| {
            p["key"] = json!("AAAA");
        }),
        (
            On::Confirm,
            "ENC-14",
            "confirm/unknown-member",
            "a member that 7.13 does not have",
            |p| p["key"] = json!("AAAA"),
        ),
        (On::Confirm, "ENC-15", "confirm/final-null", "a `final` of `null`", |p| {
            p["final"] = json!(null);
        }),
        (On::Confirm, "ENC-15", "confirm/final-string", "a `final` that is a string", |p| {
            p["final"] = json!("true");
        }),
        (On::Confirm, "ENC-15", "confirm/final-number", "a `final` that is a number", |p| {
            p["final"] = json!(1);
        }),
        (On::Confirm, "ENC-15", "confirm/payload-array", "a payload that is an array", |p| {
            *p = json!([]);
        }),
        (On::Logoff, "ENC-14", "logoff/unknown-member", "a member", |p| p["all"] = json!(true)),
        (On::Logoff, "ENC-15", "logoff/payload-array", "a payload that is an array", |p| {
            *p = json!([]);
        }),
    ];
    let mut cases: Vec<Case<Bank>> = WRONG
        .into_iter()
        .map(|(on, shows, slug, said, edit)| {
            let sentence = format!(
                "A {} with {said} is malformed and does nothing.",
                slug.split('/').next().unwrap_or_default()
            );
            refuses(on, Token::Malformed, slug, sentence, &[shows], move |draft| {
                draft.edit_payload(edit)
            })
        })
        .collect();
    cases.push(refuses(
        Good::Find,
        Token::Malformed,
        "find-order/unknown-member",
        "A findOrder with a member is malformed.",
        &["ENC-14"],
        |draft| draft.payload("{\"key\":\"AAAA\"}"),
    ));
    cases
}

fn controls() -> Vec<Case<Bank>> {
    const CHARACTERS: [(&str, &str); 6] = [
        ("null", "\\u0000"),
        ("line-feed", "\\n"),
        ("escape", "\\u001b"),
        ("unit-separator", "\\u001f"),
        ("delete", "\\u007f"),
        ("c1", "\\u009f"),
    ];
    let mut cases = Vec::new();
    for (name, escaped) in CHARACTERS {
        let slug = format!("json/control-character-{name}");
        let sentence = format!("A string with the control character `{escaped}`");
        cases.push(malformed(&slug, &sentence, "ENC-16", move |draft| {
            let text = String::from_utf8_lossy(&draft.payload).into_owned();
            let spoiled = text.replacen("\"software\":\"", &format!("\"software\":\"{escaped}"), 1);
            draft.payload(spoiled)
        }));
    }
    cases.push(malformed(
        "json/control-character-in-pin",
        "A PIN with a control character",
        "ENC-16",
        |draft| {
            let mut text = draft.payload.clone();
            text.splice(1..1, *b"\"pin\":\"12\\u000034\",");
            draft.payload(text)
        },
    ));
    cases
}
