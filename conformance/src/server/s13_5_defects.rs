//! SPEC.md 13.5: enrollments with a defect, which do not use the code up.

use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use serde_json::{Value, json};

use super::key::Key;
use super::s07_17_unlock::with_pin;
use super::{Bank, case};
use crate::case::{Case, Need, Prepares as _, Stop};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = payloads();
    cases.extend(pins());
    for case in &mut cases {
        case.about.needs.push(Need::Full);
    }
    cases
}

fn payloads() -> Vec<Case<Bank>> {
    let edits: [(&str, &str, Token, fn(&mut Value)); 7] = [
        (
            "key-store",
            "with a key store that the bank does not take",
            Token::KeyStoreUnsupported,
            |payload| payload["keyStore"] = json!("no-such-store"),
        ),
        ("csr-no-der", "with a `csr` that is none", Token::Malformed, |payload| {
            payload["csr"] = json!("AAAA")
        }),
        ("no-csr", "without `csr`", Token::Malformed, |payload| {
            payload.as_object_mut().map(|members| members.remove("csr"));
        }),
        ("no-environment", "without `environment`", Token::Malformed, |payload| {
            payload.as_object_mut().map(|members| members.remove("environment"));
        }),
        ("no-binding", "without `binding`", Token::Malformed, |payload| {
            payload.as_object_mut().map(|members| members.remove("binding"));
        }),
        ("no-reissue", "without `reissue`", Token::Malformed, |payload| {
            payload.as_object_mut().map(|members| members.remove("reissue"));
        }),
        ("code", "that sends the code", Token::Malformed, |payload| {
            payload["code"] = json!("00041061050R3GG28A1C60T3GF6")
        }),
    ];
    let mut cases: Vec<Case<Bank>> = edits
        .into_iter()
        .map(|(name, said, token, edit)| {
            case(
                format!("enrollment/without-use-{name}"),
                format!("A newEnrollment {said} is refused, and the code is not used up."),
            )
            .shows(&["CHK-03", if token == Token::Malformed { "ENC-15" } else { "ORD-06" }])
            .run(move |bank: Bank| async move {
                let made = bank.reissued(reissue::StatusName::Pending).await?;
                let right = bank
                    .enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new())
                    .await?;
                bank.refuses_before(right.clone().edit_payload(edit), token, right).await.map(drop)
            })
        })
        .collect();
    cases.push(case("enrollment/without-use-old-key", "A newEnrollment with the key of the lost certificate is refused, and the code is not used up.").shows(&["CSR-09", "CHK-03"]).run(|bank: Bank| async move {
        let made = bank.reissued(reissue::StatusName::Pending).await?;
        let name = made.person.pair.name();
        let wrong = bank.enrollment_draft(&made.ticket, name, &made.person.pair.key).await?;
        let right = bank.enrollment_draft(&made.ticket, name, &Key::new()).await?;
        bank.refuses_before(wrong, Token::KeyReused, right).await.map(drop)
    }));
    cases.push(
        case(
            "enrollment/without-use-other-name",
            "A newEnrollment with the CSR of another name is refused, and the code is not used up.",
        )
        .shows(&["CSR-08", "CHK-03"])
        .run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let (key, name) = (Key::new(), made.person.pair.name());
            let other = made.by.pair.name();
            let wrong = bank.enrollment_draft(&made.ticket, other, &key).await?;
            let right = bank.enrollment_draft(&made.ticket, name, &key).await?;
            if other == name {
                return Err(Stop::Skipped("all subjects of this bank have one name".to_owned()));
            }
            bank.refuses_before(wrong, Token::BadCsr, right).await.map(drop)
        }),
    );
    cases
}

fn pins() -> Vec<Case<Bank>> {
    [("without-pin", None, Token::PinRequired), ("wrong-pin", Some("234242"), Token::PinWrong)]
        .into_iter()
        .map(|(name, pin, token)| {
            case(format!("enrollment/{name}"), format!("A newEnrollment is refused with `{token}`, and the code is not used up."))
                .shows(&["PIN-01", "PIN-03", "CHK-03"])
                .needs(&[Need::Pin])
                .run(move |bank: Bank| async move {
                    let (by, user) = with_pin(&bank).await?;
                    let made = bank.reissued_by(by, user, reissue::StatusName::Pending).await?;
                    let draft = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new()).await?;
                    let right = draft.clone().edit_payload(|payload| payload["pin"] = json!(made.person.pin));
                    let wrong = draft.edit_payload(|payload| if let Some(pin) = pin { payload["pin"] = json!(pin) });
                    bank.refuses_before(wrong, token, right).await.map(drop)
                })
        })
        .chain([case("enrollment/stolen-code", "Whoever has the code but not the PIN does not enroll: five tries lock, and the code is not used up.")
            .shows(&["PIN-04", "PIN-05", "CHK-03"])
            .needs(&[Need::Pin])
            .run(|bank: Bank| async move {
                let (by, user) = with_pin(&bank).await?;
                let made = bank.reissued_by(by, user, reissue::StatusName::Pending).await?;
                let right = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new()).await?;
                let right = right.edit_payload(|payload| payload["pin"] = json!(made.person.pin));
                for guess in 0..5 {
                    let draft = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new()).await?;
                    let draft = draft.edit_payload(|payload| payload["pin"] = json!(format!("90000{guess}")));
                    let token = if guess < 4 { Token::PinWrong } else { Token::PinLocked };
                    bank.deliver(draft).await?.refused(token)?;
                }
                bank.deliver(right.clone()).await?.refused(Token::PinLocked)?;
                bank.reissue_stands(&made, reissue::StatusName::Pending).await?;
                bank.try_unlock(&made.by, &made.person.subject).await?.status(204).prepares("unlock")?;
                bank.deliver(right).await?.status(201)
            })])
        .collect()
}
