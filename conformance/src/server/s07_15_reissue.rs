//! SPEC.md 7.15: newReissue. What it does to the subject is in `s07_15_effects`.

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_protocol::reissue::{self, Reissue};
use koshin_protocol::revocation::Reason;
use koshin_protocol::subject::Role;
use serde_json::{Value, json};

use super::deed::{Logon, Ticket, remedy};
use super::draft::{Draft, jwk};
use super::key::Key;
use super::person::{DAY, Person, seconds_after};
use super::refusal::alike;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = accepted();
    cases.extend(again());
    cases.extend(refused());
    cases.extend(payloads());
    for case in &mut cases {
        case.about.needs.push(Need::Full);
    }
    cases
}

/// An administrator's session and a user of the contract.
pub(super) async fn pair(bank: &Bank) -> Outcome<(Logon, Person)> {
    let (administrator, user) = bank.contract().await?;
    Ok((bank.log_on(&administrator).await?, user))
}

async fn draft(bank: &Bank, by: &Logon, payload: &Value) -> Outcome<Draft> {
    let url = bank.full().await?.new_reissue;
    Ok(bank.draft(Operation::NewReissue, &url, &by.by(), payload))
}

fn accepted() -> Vec<Case<Bank>> {
    vec![
        case("reissue/accepted", "A newReissue is answered 201, the reissue in `pending` as it was asked for, and `Location`.").shows(&["REI-01", "REI-12"]).run(|bank: Bank| async move {
            let (by, user) = pair(&bank).await?;
            let ticket = Ticket::new();
            let answer = bank.try_reissue(&by, bank.new_reissue(&user, "keyLost", &ticket)).await?;
            let made: Reissue = answer.object(201)?;
            let asked = made.id == ticket.id && made.subject.as_str() == user.subject && made.reason == Reason::KeyLost;
            ensure(asked, "the reissue that was asked for", answer.summary())?;
            ensure(made.status.name() == reissue::StatusName::Pending, "pending", made.status.name().as_str())?;
            let longest = seconds_after(made.created, 90 * DAY);
            ensure(made.created < made.expires && made.expires <= longest, format_args!("`expires` after {} and by {longest}", made.created), made.expires)?;
            let read: Reissue = bank.read(&answer.location()?, &by.by()).await?.object(200)?;
            ensure(read == made, "the reissue at `Location`", read.status.name().as_str())
        }),
        case("reissue/by-another-administrator", "Another administrator of the contract reads a reissue and cancels it.").shows(&["REI-20", "AUT-05"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let other = bank.person(bank.wanted(Role::Administrator).await?.of("together")).await?;
            let other = bank.log_on(&other).await?;
            bank.read(&made.url, &other.by()).await?.object::<Reissue>(200)?;
            bank.try_cancel_reissue(&other, &made.cancel).await?.object::<Reissue>(200).map(drop)
        }),
        case("reissue/foreign", "A reissue of another contract is not found, neither to read nor to cancel, and looks absent.").shows(&["AUT-05", "AUT-06"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let stranger = bank.log_on(&bank.administrator().await?).await?;
            let absent = |url: &koshin_protocol::url::Url| {
                let text = url.as_str().replace(&made.ticket.id.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
                text.parse().map_err(|_| Stop::blocked("a URL of the suite"))
            };
            let foreign = bank.read(&made.url, &stranger.by()).await?;
            foreign.refused(Token::NotFound)?;
            alike(&bank.read(&absent(&made.url)?, &stranger.by()).await?, &foreign)?;
            let foreign = bank.try_cancel_reissue(&stranger, &made.cancel).await?;
            foreign.refused(Token::NotFound)?;
            alike(&bank.try_cancel_reissue(&stranger, &absent(&made.cancel)?).await?, &foreign)?;
            bank.reissue_stands(&made, reissue::StatusName::Pending).await
        }),
        case("reissue/read-by-user", "The user of a reissue does not read or cancel it.").shows(&["AUT-04"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let user = bank.log_on(&made.person).await?;
            bank.read(&made.url, &user.by()).await?.refused(Token::NotAuthorized)?;
            bank.try_cancel_reissue(&user, &made.cancel).await?.refused(Token::NotAuthorized)?;
            bank.reissue_stands(&made, reissue::StatusName::Pending).await
        }),
    ]
}

fn again() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = ["pending", "canceled", "redeemed", "completed"]
        .into_iter()
        .map(|state| {
            case(format!("reissue/again-{state}"), format!("The same newReissue again is answered 200, the reissue in `{state}`, and `Location`."))
                .shows(&["REI-02"])
                .run(move |bank: Bank| async move {
                    let status = match state {
                        "redeemed" => reissue::StatusName::Redeemed,
                        "completed" => reissue::StatusName::Completed,
                        _ => reissue::StatusName::Pending,
                    };
                    let made = bank.reissued(status).await?;
                    if state == "canceled" {
                        bank.try_cancel_reissue(&made.by, &made.cancel).await?.status(200).prepares("cancelReissue")?;
                    }
                    let answer = bank.try_reissue(&made.by, bank.new_reissue(&made.person, "keyLost", &made.ticket)).await?;
                    let again: Reissue = answer.object(200)?;
                    ensure(answer.location()? == made.url, &made.url, answer.location()?)?;
                    ensure(again.status.name().as_str() == state, state, again.status.name().as_str())
                })
        })
        .collect();
    cases.push(case("reissue/at-once", "Of several newReissues with one id at the same time one is answered 201 and the others 200.").shows(&["REI-02", "STA-03"]).run(|bank: Bank| async move {
        let (by, user) = pair(&bank).await?;
        let payload = bank.new_reissue(&user, "keyLost", &Ticket::new());
        let one = || bank.try_reissue(&by, payload.clone());
        let (a, b, c) = tokio::join!(one(), one(), one());
        let mut statuses = [a?.status.as_u16(), b?.status.as_u16(), c?.status.as_u16()];
        statuses.sort_unstable();
        ensure(statuses == [200, 200, 201], "200, 200 and 201", format_args!("{statuses:?}"))
    }));
    let edits: [(&str, fn(&mut Value, &Person)); 4] = [
        ("subject", |payload, other| {
            payload["subject"] = json!(other.subject);
            payload["subjectName"] = json!(other.pair.name().as_str());
        }),
        ("name", |payload, _| {
            payload["subjectName"] = json!("CN=Somebody Else,O=Example K.K.,C=JP")
        }),
        ("reason", |payload, _| payload["reason"] = json!("unspecified")),
        ("enrollment-key", |payload, _| payload["enrollmentKey"] = jwk(&Key::new())),
    ];
    cases.extend(edits.into_iter().map(|(name, edit)| {
        case(
            format!("reissue/conflict-{name}"),
            format!("The id of a reissue with another {name} is refused."),
        )
        .shows(&["REI-03"])
        .run(move |bank: Bank| async move {
            let (administrator, user, other) = bank.three().await?;
            let by = bank.log_on(&administrator).await?;
            let ticket = Ticket::new();
            let right = draft(&bank, &by, &bank.new_reissue(&user, "keyLost", &ticket)).await?;
            bank.deliver(right.clone()).await?.status(201).prepares("newReissue")?;
            let wrong = right.clone().edit_payload(|payload| edit(payload, &other));
            bank.refuses_before(wrong, Token::ReissueConflict, right).await.map(drop)
        })
    }));
    cases.push(
        case(
            "reissue/conflict-contract",
            "The id of another contract's reissue is refused, and that reissue stays.",
        )
        .shows(&["REI-03", "REI-04"])
        .run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let stranger =
                bank.person(bank.wanted(Role::Administrator).await?.of("elsewhere")).await?;
            let own = bank.person(bank.wanted(Role::User).await?.of("elsewhere")).await?;
            let stranger = bank.log_on(&stranger).await?;
            let ticket = Ticket { id: made.ticket.id, code: Ticket::new().code };
            bank.try_reissue(&stranger, bank.new_reissue(&own, "keyLost", &ticket))
                .await?
                .refused(Token::ReissueConflict)?;
            bank.reissue_stands(&made, reissue::StatusName::Pending).await
        }),
    );
    cases
}

fn refused() -> Vec<Case<Bank>> {
    vec![
        case(
            "reissue/subject-unknown",
            "A subject of another contract is unknown, and looks like one that is not.",
        )
        .shows(&["REI-04", "AUT-06"])
        .run(|bank: Bank| async move {
            let (by, user) = pair(&bank).await?;
            let stranger = bank.user().await?;
            let foreign = bank
                .try_reissue(&by, bank.new_reissue(&stranger, "keyCompromise", &Ticket::new()))
                .await?;
            foreign.refused(Token::SubjectUnknown)?;
            let mut payload = bank.new_reissue(&stranger, "keyCompromise", &Ticket::new());
            payload["subject"] = json!("nobody-has-this-id");
            let absent = bank.try_reissue(&by, payload).await?;
            absent.refused(Token::SubjectUnknown)?;
            alike(&absent, &foreign)?;
            bank.log_on(&stranger).await?;
            bank.reissue(&by, &user, "keyLost").await.map(drop)
        }),
        case(
            "reissue/oneself",
            "An administrator does not reissue for itself, and is sent to the branch.",
        )
        .shows(&["REI-05"])
        .run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let by = bank.log_on(&administrator).await?;
            let answer = bank
                .try_reissue(&by, bank.new_reissue(&administrator, "deviceLost", &Ticket::new()))
                .await?;
            remedy(&answer.refused(Token::ReissueNotAllowed)?, "reissueAtBranch")?;
            ensure(bank.is_active(&by).await?, "the session active", "ended")?;
            bank.reissue(&by, &user, "keyLost").await.map(drop)
        }),
        case("reissue/other-administrator", "An administrator does not reissue for another one.")
            .shows(&["REI-05"])
            .run(|bank: Bank| async move {
                let (by, user) = pair(&bank).await?;
                let other =
                    bank.person(bank.wanted(Role::Administrator).await?.of("together")).await?;
                let answer = bank
                    .try_reissue(&by, bank.new_reissue(&other, "keyCompromise", &Ticket::new()))
                    .await?;
                remedy(&answer.refused(Token::ReissueNotAllowed)?, "reissueAtBranch")?;
                bank.log_on(&other).await?;
                bank.reissue(&by, &user, "keyLost").await.map(drop)
            }),
        case(
            "reissue/name-mismatch",
            "Another name than the subject's is refused, and changes nothing.",
        )
        .shows(&["REI-06", "CHK-03"])
        .run(|bank: Bank| async move {
            let (administrator, user, other) = bank.three().await?;
            let by = bank.log_on(&administrator).await?;
            let right =
                draft(&bank, &by, &bank.new_reissue(&user, "deviceLost", &Ticket::new())).await?;
            let name = other.pair.name().as_str().to_owned();
            let name = if name == user.pair.name().as_str() {
                "CN=Somebody Else,O=Example K.K.,C=JP".to_owned()
            } else {
                name
            };
            let wrong = right.clone().edit_payload(|payload| payload["subjectName"] = json!(name));
            bank.refuses_before(wrong, Token::SubjectMismatch, right).await.map(drop)
        }),
    ]
}

fn payloads() -> Vec<Case<Bank>> {
    let edits: [(&str, &str, Token, fn(&mut Value)); 13] = [
        ("no-id", "without `id`", Token::Malformed, |payload| {
            payload.as_object_mut().map(|members| members.remove("id"));
        }),
        ("short-id", "with an `id` of 15 octets", Token::Malformed, |payload| {
            payload["id"] = json!("A".repeat(20))
        }),
        ("long-id", "with an `id` of 17 octets", Token::Malformed, |payload| {
            payload["id"] = json!("A".repeat(23))
        }),
        ("id-padded", "with an `id` in padded base64", Token::Malformed, |payload| {
            payload["id"] = json!(format!("{}==", "A".repeat(22)))
        }),
        ("no-reason", "without `reason`", Token::Malformed, |payload| {
            payload.as_object_mut().map(|members| members.remove("reason"));
        }),
        ("unknown-reason", "with a `reason` that is none", Token::Malformed, |payload| {
            payload["reason"] = json!("superseded")
        }),
        ("no-name", "without `subjectName`", Token::Malformed, |payload| {
            payload.as_object_mut().map(|members| members.remove("subjectName"));
        }),
        ("code-sent", "with a member `code`", Token::Malformed, |payload| {
            payload["code"] = json!("00041061050R3GG28A1C60T3GF6")
        }),
        ("no-key", "without `enrollmentKey`", Token::Malformed, |payload| {
            payload.as_object_mut().map(|members| members.remove("enrollmentKey"));
        }),
        ("key-p384", "with an `enrollmentKey` of P-384", Token::BadPublicKey, |payload| {
            payload["enrollmentKey"] = jwk(&Key::of(Algorithm::Es384))
        }),
        ("key-ed25519", "with an `enrollmentKey` of Ed25519", Token::BadPublicKey, |payload| {
            payload["enrollmentKey"] = jwk(&Key::of(Algorithm::EdDsa))
        }),
        (
            "key-off-curve",
            "with an `enrollmentKey` that is no point",
            Token::BadPublicKey,
            |payload| payload["enrollmentKey"]["y"] = payload["enrollmentKey"]["x"].clone(),
        ),
        (
            "key-private",
            "with the private half of `enrollmentKey`",
            Token::BadPublicKey,
            |payload| payload["enrollmentKey"]["d"] = json!("A".repeat(43)),
        ),
    ];
    edits
        .into_iter()
        .map(|(name, said, token, edit)| {
            let shows: &[&str] =
                if token == Token::BadPublicKey { &["REI-11"] } else { &["ENC-15", "CHK-03"] };
            case(
                format!("reissue/payload-{name}"),
                format!("A newReissue {said} is refused, and accepted without the defect."),
            )
            .shows(shows)
            .run(move |bank: Bank| async move {
                let (by, user) = pair(&bank).await?;
                let right =
                    draft(&bank, &by, &bank.new_reissue(&user, "keyLost", &Ticket::new())).await?;
                bank.refuses_before(right.clone().edit_payload(edit), token, right).await.map(drop)
            })
        })
        .collect()
}
