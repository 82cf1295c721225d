//! SPEC.md 13.4: the binding.

use koshin_protocol::base64url;
use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use serde_json::{Value, json};

use super::binding::{Parts, SignedBy, with, without};
use super::deed::{Reissued, Ticket, remedy};
use super::draft::Draft;
use super::key::Key;
use super::refusal::alike;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Stop};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = not_proven();
    cases.extend(no_binding());
    cases.extend(guesses());
    for case in &mut cases {
        case.about.needs.push(Need::Full);
    }
    cases
}

type Edit = fn(&mut Parts);

/// A right enrollment of a pending reissue, and what its binding is made of.
async fn enrollment(bank: &Bank) -> Outcome<(Reissued, Draft, Parts)> {
    let made = bank.reissued(reissue::StatusName::Pending).await?;
    let key = Key::new();
    let right = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &key).await?;
    let parts = Parts::right(bank, &made.ticket, &key).await?;
    Ok((made, right, parts))
}

fn not_proven() -> Vec<Case<Bank>> {
    let keep: Edit = |_| {};
    let list: [(&str, &str, Edit, SignedBy); 17] = [
        ("other-code", "signed by another code", keep, SignedBy::OtherCode),
        ("new-key", "signed by the new key itself", keep, SignedBy::NewKey),
        ("signature-changed", "with one bit of its signature changed", keep, SignedBy::Changed),
        ("signature-der", "with its signature in DER", keep, SignedBy::Der),
        ("signature-zero", "with a signature of zeros", keep, SignedBy::Zeros),
        (
            "alg-none",
            "with `alg` \"none\"",
            |parts| parts.header["alg"] = json!("none"),
            SignedBy::Code,
        ),
        (
            "alg-es384",
            "with `alg` \"ES384\"",
            |parts| parts.header["alg"] = json!("ES384"),
            SignedBy::Code,
        ),
        (
            "alg-hs256",
            "with `alg` \"HS256\"",
            |parts| parts.header["alg"] = json!("HS256"),
            SignedBy::Code,
        ),
        (
            "kid",
            "with the `kid` of another reissue",
            |parts| parts.header["kid"] = json!("AAAAAAAAAAAAAAAAAAAAAA"),
            SignedBy::Code,
        ),
        (
            "typ",
            "with the `typ` of a receipt",
            |parts| parts.header["typ"] = json!("koshin-receipt+jws"),
            SignedBy::Code,
        ),
        (
            "typ-of-request",
            "with the `typ` of the request",
            |parts| parts.header["typ"] = json!("koshin-new-enrollment+jws"),
            SignedBy::Code,
        ),
        (
            "url",
            "with another `url`",
            |parts| parts.header["url"] = json!("https://other.example/koshin/new-enrollment"),
            SignedBy::Code,
        ),
        (
            "other-key",
            "of another new key",
            |parts| parts.payload = Key::new().public().to_canonical_jwk(),
            SignedBy::Code,
        ),
        (
            "key-with-space",
            "of the key in JSON that is not canonical",
            |parts| parts.payload = parts.payload.replace(',', ", "),
            SignedBy::Code,
        ),
        (
            "key-reordered",
            "of the key with its members in another order",
            |parts| {
                let value: Value = serde_json::from_str(&parts.payload).unwrap_or_default();
                parts.payload = format!(
                    r#"{{"kty":"EC","crv":"P-256","x":{},"y":{}}}"#,
                    value["x"], value["y"]
                );
            },
            SignedBy::Code,
        ),
        (
            "thumbprint",
            "of the key's thumbprint",
            |parts| parts.payload = parts.key.thumbprint().to_string(),
            SignedBy::Code,
        ),
        ("empty", "of an empty payload", |parts| parts.payload.clear(), SignedBy::Code),
    ];
    let mut cases: Vec<Case<Bank>> = list
        .into_iter()
        .map(|(name, said, edit, by)| {
            case(
                format!("binding/{name}"),
                format!("A binding {said} is refused, and the code is not used up."),
            )
            .shows(&["ENR-02", "CHK-03"])
            .run(move |bank: Bank| async move {
                let (_, right, mut parts) = enrollment(&bank).await?;
                edit(&mut parts);
                let binding = parts.sign(by)?;
                let wrong = right.clone().edit_payload(|payload| payload["binding"] = binding);
                let (problem, _) =
                    bank.refuses_before(wrong, Token::EnrollmentRefused, right).await?;
                remedy(&problem, "correct")
            })
        })
        .collect();
    cases.push(
        case(
            "binding/made-by-hand",
            "A binding as this suite makes it by hand is accepted: the refusals are the defects'.",
        )
        .shows(&["ENR-10"])
        .run(|bank: Bank| async move {
            let (_, right, parts) = enrollment(&bank).await?;
            let binding = parts.sign(SignedBy::Code)?;
            bank.deliver(right.edit_payload(|payload| payload["binding"] = binding))
                .await?
                .status(201)
        }),
    );
    cases.push(
        case(
            "binding/unknown-reissue",
            "An unknown reissue is refused, and looks like a wrong code.",
        )
        .shows(&["ENR-03", "ENR-02", "AUT-06"])
        .run(|bank: Bank| async move {
            let (made, right, _) = enrollment(&bank).await?;
            let name = made.person.pair.name();
            let wrong =
                bank.enrollment_draft(&made.ticket.with_wrong_code(), name, &Key::new()).await?;
            let wrong = bank.deliver(wrong).await?;
            wrong.refused(Token::EnrollmentRefused)?;
            let unknown = bank.enrollment_draft(&Ticket::new(), name, &Key::new()).await?;
            let unknown = bank.deliver(unknown).await?;
            unknown.refused(Token::EnrollmentRefused)?;
            alike(&unknown, &wrong)?;
            bank.deliver(right).await?.status(201)
        }),
    );
    cases.push(
        case(
            "binding/other-reissue",
            "A right binding of one reissue with the id of another is refused.",
        )
        .shows(&["ENR-02"])
        .run(|bank: Bank| async move {
            let (_, right, _) = enrollment(&bank).await?;
            let other = bank.reissued_by_other().await?;
            let wrong = right
                .clone()
                .edit_payload(|payload| payload["reissue"] = json!(other.ticket.id.to_string()));
            bank.refuses_before(wrong, Token::EnrollmentRefused, right).await.map(drop)
        }),
    );
    cases.push(
        case(
            "binding/replayed-with-other-key",
            "A binding that was seen is of no use with another key and CSR.",
        )
        .shows(&["ENR-02"])
        .run(|bank: Bank| async move {
            let (made, right, parts) = enrollment(&bank).await?;
            let binding = parts.sign(SignedBy::Code)?;
            let thief = bank
                .enrollment_draft(
                    &made.ticket.with_wrong_code(),
                    made.person.pair.name(),
                    &Key::new(),
                )
                .await?;
            let thief = thief.edit_payload(|payload| payload["binding"] = binding);
            bank.refuses_before(thief, Token::EnrollmentRefused, right).await.map(drop)
        }),
    );
    cases
}

impl Bank {
    /// A pending reissue of another contract.
    async fn reissued_by_other(&self) -> Outcome<Reissued> {
        use koshin_protocol::subject::Role;
        let administrator =
            self.person(self.wanted(Role::Administrator).await?.of("other")).await?;
        let user = self.person(self.wanted(Role::User).await?.of("other")).await?;
        let by = self.log_on(&administrator).await?;
        self.reissued_by(by, user, reissue::StatusName::Pending).await
    }
}

fn no_binding() -> Vec<Case<Bank>> {
    let list: [(&str, &str, fn(&mut Value, &Parts)); 11] = [
        ("text", "that is a text", |binding, _| *binding = json!("a.b.c")),
        ("null", "that is null", |binding, _| *binding = Value::Null),
        ("general", "in the general serialization", |binding, _| {
            *binding = json!({ "payload": binding["payload"], "signatures": [{ "protected": binding["protected"], "signature": binding["signature"] }] });
        }),
        ("with-header", "with an unprotected header", |binding, _| binding["header"] = json!({})),
        ("no-signature", "without `signature`", |binding, _| {
            binding.as_object_mut().map(|members| members.remove("signature"));
        }),
        ("padded", "with padding in `payload`", |binding, _| {
            binding["payload"] =
                json!(format!("{}=", binding["payload"].as_str().unwrap_or_default()))
        }),
        ("header-no-json", "whose protected header is no JSON", |binding, _| {
            binding["protected"] = json!(base64url::encode(b"{"))
        }),
        ("header-kid-missing", "whose protected header lacks `kid`", |binding, parts| {
            without(binding, parts, "kid")
        }),
        ("header-url-missing", "whose protected header lacks `url`", |binding, parts| {
            without(binding, parts, "url")
        }),
        ("header-nonce", "whose protected header has a nonce", |binding, parts| {
            with(binding, parts, "nonce", json!("AAAAAAAAAAAAAAAAAAAAAA"))
        }),
        ("header-jwk", "whose protected header has a key of its own", |binding, parts| {
            with(binding, parts, "jwk", super::draft::jwk(&parts.key))
        }),
    ];
    list.into_iter()
        .map(|(name, said, edit)| {
            case(
                format!("binding/form-{name}"),
                format!("A binding {said} is refused, and the code is not used up."),
            )
            .shows(&["ENR-01"])
            .run(move |bank: Bank| async move {
                let (_, right, parts) = enrollment(&bank).await?;
                let mut binding = parts.sign(SignedBy::Code)?;
                edit(&mut binding, &parts);
                let wrong = right.clone().edit_payload(|payload| payload["binding"] = binding);
                bank.refuses_before(wrong, Token::Malformed, right).await.map(drop)
            })
        })
        .collect()
}

fn guesses() -> Vec<Case<Bank>> {
    vec![
        case("binding/empty-signature", "A binding with an empty signature is refused.")
            .shows(&["ENR-02", "ENR-01"])
            .run(|bank: Bank| async move {
                let (_, right, parts) = enrollment(&bank).await?;
                let binding = parts.sign(SignedBy::Nothing)?;
                let answer = bank
                    .deliver(right.clone().edit_payload(|payload| payload["binding"] = binding))
                    .await?;
                answer.refused_with(&[Token::EnrollmentRefused, Token::Malformed])?;
                bank.deliver(right).await?.status(201)
            }),
        case(
            "binding/guessed",
            "Many wrong codes at the same time are refused, and the right one still redeems.",
        )
        .shows(&["ENR-02", "ENR-12"])
        .run(|bank: Bank| async move {
            let (made, right, _) = enrollment(&bank).await?;
            let mut guesses = tokio::task::JoinSet::new();
            for _ in 0..12 {
                let (bank, ticket, name) =
                    (bank.clone(), made.ticket.with_wrong_code(), made.person.pair.name().clone());
                guesses.spawn(async move {
                    let draft = bank.enrollment_draft(&ticket, &name, &Key::new()).await?;
                    bank.deliver(draft).await?.refused(Token::EnrollmentRefused).map(drop)
                });
            }
            while let Some(done) = guesses.join_next().await {
                done.map_err(|error| Stop::blocked(format_args!("a guess: {error}")))??;
            }
            bank.deliver(right).await?.status(201)
        }),
        case(
            "binding/before-the-rest",
            "A wrong code is refused before environment, PIN, key store and CSR are looked at.",
        )
        .shows(&["ENR-02", "CHK-02"])
        .run(|bank: Bank| async move {
            let (made, right, _) = enrollment(&bank).await?;
            let wrong = bank
                .enrollment_draft(
                    &made.ticket.with_wrong_code(),
                    made.person.pair.name(),
                    &Key::new(),
                )
                .await?;
            let wrong = wrong.edit_payload(|payload| {
                payload["environment"]["os"] = json!("no-such-os");
                payload["keyStore"] = json!("no-such-store");
                payload["pin"] = json!("234242");
            });
            bank.refuses_before(wrong, Token::EnrollmentRefused, right).await.map(drop)
        }),
        case("binding/at-its-own-url", "A binding sent as a request is refused.")
            .shows(&["JWS-06"])
            .run(|bank: Bank| async move {
                let (_, right, _) = enrollment(&bank).await?;
                let wrong = right.clone().set("typ", "koshin-binding+jws");
                bank.refuses_before(wrong, Token::TypeMismatch, right).await.map(drop)
            }),
    ]
}
