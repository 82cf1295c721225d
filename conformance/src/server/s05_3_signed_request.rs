//! SPEC.md 5.3: the form of a signed request.

use koshin_protocol::base64url;
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use serde_json::{Value, json};

use super::draft::{By, Draft, jwk};
use super::good::Good;
use super::key::Key;
use super::refusal::{On, malformed, refuses};
use super::{Bank, case};
use crate::case::{Case, Outcome, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = bodies();
    cases.extend(headers());
    cases.extend(signers());
    cases.extend(signatures());
    cases.extend(payloads());
    cases.push(
        case("read/changes-nothing", "A read of a certificate by itself does not confirm it.")
            .shows(&["JWS-20"])
            .run(read_changes_nothing),
    );
    cases
}

fn bodies() -> Vec<Case<Bank>> {
    let mut cases = vec![
        malformed(
            "jws/unprotected-header",
            "A JWS with an unprotected header",
            "JWS-01",
            |draft| draft.edit_jws(|jws| jws["header"] = json!({})),
        ),
        malformed("jws/signatures", "A JWS with `signatures`", "JWS-01", |draft| {
            draft.edit_jws(|jws| jws["signatures"] = json!([]))
        }),
        malformed("jws/further-member", "A JWS with a further member", "JWS-01", |draft| {
            draft.edit_jws(|jws| jws["comment"] = json!(""))
        }),
        malformed("jws/general", "A JWS in general JSON serialization", "JWS-01", |draft| {
            draft.edit_jws(|jws| {
                let one = json!({ "protected": jws["protected"], "signature": jws["signature"] });
                *jws = json!({ "payload": jws["payload"], "signatures": [one] });
            })
        }),
        malformed("jws/compact", "A JWS in compact serialization", "JWS-01", |draft| {
            draft.edit_body(|body| {
                let jws: Value = serde_json::from_slice(body).unwrap_or_default();
                let part = |name: &str| jws[name].as_str().unwrap_or_default().to_owned();
                *body = format!("{}.{}.{}", part("protected"), part("payload"), part("signature"))
                    .into_bytes();
            })
        }),
        malformed("jws/array", "A JWS in an array", "JWS-01", |draft| {
            draft.edit_jws(|jws| *jws = json!([jws.clone()]))
        }),
        malformed("jws/empty-object", "An empty object", "JWS-01", |draft| {
            draft.edit_jws(|jws| *jws = json!({}))
        }),
        malformed("jws/signature-null", "A JWS with a `signature` of `null`", "JWS-01", |draft| {
            draft.edit_jws(|jws| jws["signature"] = json!(null))
        }),
        malformed(
            "jws/protected-object",
            "A JWS whose `protected` is an object",
            "JWS-01",
            |draft| draft.edit_jws(|jws| jws["protected"] = json!({ "alg": "ES256" })),
        ),
    ];
    for part in ["protected", "payload", "signature"] {
        cases.push(malformed(
            format!("jws/without-{part}"),
            &format!("A JWS without `{part}`"),
            "JWS-01",
            move |draft| {
                draft.edit_jws(move |jws| {
                    drop(jws.as_object_mut().and_then(|members| members.remove(part)));
                })
            },
        ));
    }
    cases
}

fn headers() -> Vec<Case<Bank>> {
    type Row = (&'static str, &'static str, fn() -> Value);
    let further: [Row; 10] = [
        ("crit", "crit", || json!(["exp"])),
        ("b64", "b64", || json!(false)),
        ("b64-true", "b64", || json!(true)),
        ("jku", "jku", || json!("https://evil.example/keys")),
        ("x5u", "x5u", || json!("https://evil.example/chain")),
        ("x5t", "x5t#S256", || json!("AAAA")),
        ("cty", "cty", || json!("json")),
        ("zip", "zip", || json!("DEF")),
        ("exp", "exp", || json!(4_102_444_800_u32)),
        ("extension", "x-test-further", || json!(1)),
    ];
    let mut cases: Vec<Case<Bank>> = further
        .into_iter()
        .map(|(name, member, value)| {
            malformed(
                format!("header/{name}"),
                &format!("A protected header with `{member}`"),
                "JWS-02",
                move |draft| draft.set(member, value()),
            )
        })
        .collect();
    for member in ["alg", "typ", "nonce", "url"] {
        cases.push(malformed(
            format!("header/without-{member}"),
            &format!("A protected header without `{member}`"),
            "ENC-15",
            move |draft| draft.without(member),
        ));
        cases.push(malformed(
            format!("header/{member}-null"),
            &format!("A protected header with a `{member}` of `null`"),
            "ENC-15",
            move |draft| draft.set(member, Value::Null),
        ));
        cases.push(malformed(
            format!("header/{member}-array"),
            &format!("A protected header whose `{member}` is an array"),
            "ENC-15",
            move |draft| {
                let value = draft
                    .header
                    .get(member)
                    .cloned()
                    .unwrap_or_else(|| json!("AAAAAAAAAAAAAAAAAAAAAA"));
                draft.set(member, json!([value]))
            },
        ));
    }
    for (name, said, nonce) in [
        ("short", "is shorter than 16 characters", "A".repeat(15)),
        ("long", "is longer than 128 characters", "A".repeat(129)),
        ("no-base64url", "is not in base64url", "AAAAAAAAAAA+AAAAAAAAAA".to_owned()),
        ("empty", "is empty", String::new()),
    ] {
        cases.push(malformed(
            format!("header/nonce-{name}"),
            &format!("A request whose nonce {said}"),
            "ENC-15",
            move |draft| draft.set("nonce", nonce.clone()),
        ));
    }
    cases
}

fn signers() -> Vec<Case<Bank>> {
    const KID: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    let kid = |draft: &Draft| {
        let url = draft.header["url"].as_str().unwrap_or_default();
        json!(format!("{url}/{KID}"))
    };
    vec![
        malformed("signer/none", "A request without a signer member", "JWS-03", |draft| {
            draft.without("x5c")
        }),
        malformed("signer/x5c-and-kid", "A request with `x5c` and `kid`", "JWS-03", move |draft| {
            let value = kid(&draft);
            draft.set("kid", value)
        }),
        malformed("signer/x5c-and-jwk", "A request with `x5c` and `jwk`", "JWS-03", |draft| {
            let value = jwk(&draft.key);
            draft.set("jwk", value)
        }),
        malformed(
            "signer/all-three",
            "A request with `x5c`, `kid` and `jwk`",
            "JWS-03",
            move |draft| {
                let (url, key) = (kid(&draft), jwk(&draft.key));
                draft.set("kid", url).set("jwk", key)
            },
        ),
        malformed("signer/logon-by-jwk", "A newSession by `jwk`", "JWS-03", |draft| {
            let by = By::Key(draft.key.clone());
            draft.named(&by)
        }),
        malformed("signer/logon-by-kid", "A newSession by `kid`", "JWS-03", move |draft| {
            let value = kid(&draft);
            draft.without("x5c").set("kid", value)
        }),
        refuses(
            Good::Find,
            Token::Malformed,
            "signer/kid-and-jwk",
            "A request with `kid` and `jwk` is malformed.",
            &["JWS-03"],
            move |draft| {
                let value = kid(&draft);
                draft.set("kid", value)
            },
        ),
        refuses(
            Good::Find,
            Token::Malformed,
            "signer/find-by-kid",
            "A findOrder by `kid` is malformed.",
            &["JWS-03"],
            move |draft| {
                let value = kid(&draft);
                draft.without("jwk").set("kid", value)
            },
        ),
        refuses(
            On::NewOrder,
            Token::Malformed,
            "signer/order-by-jwk",
            "A newOrder by `jwk` is malformed.",
            &["JWS-03"],
            |draft| {
                let by = By::Key(draft.key.clone());
                draft.named(&by)
            },
        ),
        refuses(
            On::Cancel,
            Token::Malformed,
            "signer/cancel-by-jwk",
            "A cancel by `jwk` is malformed.",
            &["JWS-03"],
            |draft| {
                let by = By::Key(draft.key.clone());
                draft.named(&by)
            },
        ),
        refuses(
            On::Confirm,
            Token::Malformed,
            "signer/confirm-by-jwk",
            "A confirm by `jwk` is malformed: the new key alone does not confirm.",
            &["JWS-03"],
            |draft| {
                let by = By::Key(draft.key.clone());
                draft.named(&by)
            },
        ),
        case(
            "signer/order-by-x5c",
            "A newOrder by `x5c` is malformed, and by the session accepted.",
        )
        .shows(&["JWS-03"])
        .run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let right = bank.order_draft(&logon, &Key::new()).await?;
            let wrong = right.clone().named(&By::Certificate(logon.pair.clone()));
            bank.refuses_before(wrong, Token::Malformed, right).await.map(drop)
        }),
        case(
            "signer/cancel-by-x5c",
            "A cancel by `x5c` is malformed, and by the session accepted.",
        )
        .shows(&["JWS-03"])
        .run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let placed = bank.order(&logon).await?;
            let payload = json!({ "key": placed.order.key.to_string() });
            let right = bank.draft(Operation::Cancel, placed.cancel()?, &logon.by(), &payload);
            let wrong = right.clone().named(&By::Certificate(logon.pair.clone()));
            bank.refuses_before(wrong, Token::Malformed, right).await.map(drop)
        }),
        case(
            "signer/confirm-by-kid",
            "A confirm by the session is malformed, and by the certificate accepted.",
        )
        .shows(&["JWS-03"])
        .run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let placed = bank.order(&logon).await?;
            let (url, by) = (&placed.issued()?.confirm, By::Certificate(placed.pair()?));
            let right = bank.draft(Operation::Confirm, url, &by, &json!({}));
            let wrong = bank.draft(Operation::Confirm, url, &logon.by(), &json!({}));
            bank.refuses_before(wrong, Token::Malformed, right).await.map(drop)
        }),
        malformed("x5c/empty", "An empty `x5c`", "JWS-04", |draft| draft.set("x5c", json!([]))),
        malformed("x5c/twice", "An `x5c` with the certificate twice", "JWS-04", |draft| {
            let one = draft.header["x5c"][0].clone();
            draft.set("x5c", json!([one, one]))
        }),
        malformed("x5c/string", "An `x5c` that is a string", "JWS-04", |draft| {
            let one = draft.header["x5c"][0].clone();
            draft.set("x5c", one)
        }),
        malformed("x5c/number", "An `x5c` with a number", "JWS-04", |draft| {
            draft.set("x5c", json!([1]))
        }),
        case("x5c/with-its-issuer", "An `x5c` with a whole chain is malformed.")
            .shows(&["JWS-04"])
            .run(|bank: Bank| async move {
                let directory = bank.directory().await?;
                let issuer = directory
                    .meta
                    .issuers
                    .first()
                    .map(|chain| base64url::encode_standard(chain.first()));
                bank.refuses(
                    Good::Logon,
                    |draft| {
                        let one = draft.header["x5c"][0].clone();
                        draft.set("x5c", json!([one, issuer]))
                    },
                    Token::Malformed,
                )
                .await
                .map(drop)
            }),
    ]
}

fn signatures() -> Vec<Case<Bank>> {
    let mut cases = Vec::new();
    for (good, by) in [(Good::Logon, "x5c"), (Good::Read, "kid"), (Good::Find, "jwk")] {
        let bad = |name: &str, sentence: &str, defect: fn(Draft) -> Draft| {
            let slug = format!("signature/{by}-{name}");
            let sentence = format!("A request by `{by}` {sentence} is refused.");
            refuses(good, Token::BadSignature, slug, sentence, &["JWS-08"], defect)
        };
        cases.push(bad("first-bit", "whose signature has another first bit", |draft| {
            draft.edit_signature(|octets| octets[0] ^= 0x80)
        }));
        cases.push(bad("last-bit", "whose signature has another last bit", |draft| {
            draft.edit_signature(|octets| {
                if let Some(last) = octets.last_mut() {
                    *last ^= 1;
                }
            })
        }));
        cases.push(bad("other-key", "that another key signed", |draft| draft.by_key(&Key::new())));
        cases.push(bad("zeros", "whose signature is all zeros", |draft| {
            draft.edit_signature(|octets| octets.fill(0))
        }));
        cases.push(bad(
            "other-header",
            "whose protected header was changed after it was signed",
            |draft| {
                draft.edit_jws(|jws| {
                    let text = jws["protected"].as_str().unwrap_or_default();
                    let mut header = base64url::decode(text).unwrap_or_default();
                    header.push(b' ');
                    jws["protected"] = json!(base64url::encode(&header));
                })
            },
        ));
    }
    for (good, by) in [(Good::Logon, "x5c"), (Good::Find, "jwk")] {
        let slug = format!("signature/{by}-other-payload");
        let sentence = format!(
            "A request by `{by}` whose payload was changed after it was signed is refused."
        );
        cases.push(refuses(good, Token::BadSignature, slug, sentence, &["JWS-08"], |draft| {
            draft.edit_jws(|jws| {
                let text = jws["payload"].as_str().unwrap_or_default();
                let mut payload = base64url::decode(text).unwrap_or_default();
                payload.push(b' ');
                jws["payload"] = json!(base64url::encode(&payload));
            })
        }));
    }
    cases
}

fn payloads() -> Vec<Case<Bank>> {
    let mut cases = vec![
        refuses(
            Good::Read,
            Token::Malformed,
            "read/payload-object",
            "A read with the payload `{}` is malformed.",
            &["JWS-09"],
            |draft| draft.payload("{}"),
        ),
        refuses(
            Good::Read,
            Token::Malformed,
            "read/payload-space",
            "A read whose payload is a space is malformed.",
            &["JWS-09"],
            |draft| draft.payload(" "),
        ),
        malformed(
            "payload/empty-new-session",
            "A newSession with an empty payload",
            "JWS-10",
            |draft| draft.payload(""),
        ),
        refuses(
            Good::Find,
            Token::Malformed,
            "payload/empty-find-order",
            "A findOrder with an empty payload is malformed.",
            &["JWS-10"],
            |draft| draft.payload(""),
        ),
    ];
    for (on, name) in [
        (On::NewOrder, "new-order"),
        (On::Cancel, "cancel"),
        (On::Confirm, "confirm"),
        (On::Logoff, "logoff"),
    ] {
        let sentence = format!("A {name} with an empty payload is malformed and does nothing.");
        cases.push(refuses(
            on,
            Token::Malformed,
            format!("payload/empty-{name}"),
            sentence,
            &["JWS-10"],
            |draft| draft.payload(""),
        ));
    }
    cases
}

async fn read_changes_nothing(bank: Bank) -> Outcome {
    let logon = bank.log_on(&bank.user().await?).await?;
    let placed = bank.order(&logon).await?;
    let issued = placed.issued()?;
    for by in [By::Certificate(placed.pair()?), placed.by_key(), logon.by()] {
        bank.read(&issued.certificate, &by).await?.status(200)?;
    }
    let order = bank.read_order(placed.url(), &placed.by_key()).await?;
    ensure(
        order == placed.order,
        "the order in `valid`, as it was",
        format!("{:?}", order.status.name()),
    )?;
    ensure(bank.is_active(&logon).await?, "the session active", "ended")
}
