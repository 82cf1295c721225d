//! SPEC.md 13: tickets and codes, and enrollment, interrupted at each step.

use std::time::Duration;

use koshin_protocol::reissue::ReissueId as WireId;

use super::case;
use super::deed::Deed;
use super::forge;
use super::front::Trap;
use super::plain::Ability;
use super::stage::{Play, Stage};
use super::truth::{does_not_succeed, exits};
use crate::case::{Case, Need, Outcome, Stop, ensure};

/// Changes a ticket's text.
type Spoil = fn(&str) -> String;

/// Tickets that are none (COD-01, COD-11).
const SPOILT: [(&str, &str, &str, Spoil); 7] = [
    ("version", "of version 2", "COD-11", |ticket| ticket.replacen("ticket:1?", "ticket:2?", 1)),
    ("order", "whose values stand in another order", "COD-11", |ticket| {
        let (head, values) = ticket.split_once('?').unwrap_or_default();
        let mut values: Vec<_> = values.split('&').collect();
        values.swap(1, 2);
        format!("{head}?{}", values.join("&"))
    }),
    ("extra", "with a fifth value", "COD-11", |ticket| format!("{ticket}&note=x")),
    ("missing", "without a name", "COD-11", |ticket| {
        let values: Vec<_> =
            ticket.split('&').filter(|value| !value.starts_with("name=")).collect();
        values.join("&")
    }),
    ("check-symbol", "whose code has a wrong check symbol", "COD-01", |ticket| {
        let (rest, last) = ticket.split_at(ticket.len() - 1);
        format!("{rest}{}", if last == "0" { "1" } else { "0" })
    }),
    ("short-code", "whose code lacks a symbol", "COD-01", |ticket| {
        let (head, code) = ticket.split_once("code=").unwrap_or_default();
        format!("{head}code={}", &code[1..])
    }),
    ("foreign-symbol", "whose code has a foreign symbol", "COD-01", |ticket| {
        let (head, code) = ticket.split_once("code=").unwrap_or_default();
        format!("{head}code=!{}", &code[1..])
    }),
];

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases = Vec::new();
    for (slug, words, requirement, spoil) in SPOILT {
        cases.push(
            case(
                format!("ticket/{slug}"),
                format!("A ticket {words} is refused before anything is sent."),
            )
            .shows(&[requirement])
            .run(move |play| spoilt(play, spoil)),
        );
    }
    for (operation, step) in [("newEnrollment", "enrollment"), ("confirm", "confirm")] {
        for (deed, when, words) in [
            (Deed::KillBefore, "killed-before", "killed before the bank acts on its"),
            (Deed::KillAfter, "killed-after", "killed after the bank acted on its"),
            (Deed::LoseRequest, "lost-request", "disconnected before the bank acts on its"),
            (Deed::LoseAnswer, "lost-answer", "disconnected after the bank acted on its"),
        ] {
            cases.push(
                case(
                    format!("enroll/{when}-{step}"),
                    format!("A client that is {words} {operation} enrolls with one key after one more start."),
                )
                .shows(&["CLI-31", "ENR-17", "CLI-33"])
                .run(move |play| interrupted(play, operation, deed.clone())),
            );
        }
    }
    for (token, status, action, code) in [
        ("enrollmentRefused", 403, "correct", 11),
        ("enrollmentUsed", 409, "reissueByAdministrator", 12),
        ("enrollmentExpired", 403, "reissueByAdministrator", 12),
        ("enrollmentCanceled", 403, "reissueAtBranch", 12),
    ] {
        cases.push(
            case(
                format!("enroll/{token}").to_lowercase(),
                format!("An enrollment refused with `{token}` is not sent again, and ends with exit code {code}."),
            )
            .shows(&["ERR-10", "ERR-08"])
            .run(move |play| refused(play, token, status, action, code)),
        );
    }
    cases.extend([
        case("ticket/code-is-not-sent", "The code of a ticket is in no request and in no file.")
            .shows(&["REI-32", "COD-02"])
            .run(code_is_kept),
        case(
            "ticket/other-bank",
            "A ticket of another bank than the configured one is not redeemed there unasked.",
        )
        .shows(&["COD-12"])
        .run(other_bank),
        case(
            "ticket/unknown-reissue",
            "A ticket of a reissue that the bank does not know ends with exit code 11.",
        )
        .shows(&["COD-02"])
        .run(unknown_reissue),
        case(
            "enroll/slow",
            "An enrollment whose order is `processing` is read by its key until it is there.",
        )
        .shows(&["ENR-17", "RTA-03"])
        .needs(&[Need::Time])
        .run(slow),
        case(
            "enroll/reads-by-key",
            "The order of an enrollment is read by its key, and confirmed by the new certificate.",
        )
        .shows(&["ENR-17", "CLI-55"])
        .run(by_key),
    ]);
    cases
}

async fn ticketed(play: &Play) -> Outcome<Stage> {
    play.able(Ability::Enroll).await?;
    let mut stage = play.stage().await?;
    stage.reissue().await?;
    Ok(stage)
}

async fn spoilt(play: Play, spoil: Spoil) -> Outcome {
    let mut stage = ticketed(&play).await?;
    let right = stage.ticket.clone().unwrap_or_default();
    stage.ticket = Some(spoil(&right));
    let ended = stage.run("enroll").await?;
    ensure(stage.mark() == 0, "no request", stage.mark())?;
    exits(&ended, &[11, 2])?;
    stage.ticket = Some(right);
    let ended = stage.run("enroll").await?;
    stage.renewed(&ended).await
}

async fn interrupted(play: Play, operation: &'static str, deed: Deed) -> Outcome {
    let stage = ticketed(&play).await?;
    stage.first(operation, deed);
    let mut ended = stage.run("enroll").await?;
    if ended.code != Some(0) {
        ended = stage.run("enroll").await?;
    }
    stage.renewed(&ended).await
}

async fn refused(
    play: Play,
    token: &'static str,
    status: u16,
    action: &'static str,
    code: i32,
) -> Outcome {
    let stage = ticketed(&play).await?;
    stage.refuse("newEnrollment", token, status, action);
    let ended = stage.run("enroll").await?;
    let count = stage.of("newEnrollment").len();
    ensure(count == 1, "one newEnrollment", count)?;
    exits(&ended, &[code])
}

async fn code_is_kept(play: Play) -> Outcome {
    let mut stage = ticketed(&play).await?;
    let ticket = stage.ticket.clone().unwrap_or_default();
    let code = ticket.rsplit("code=").next().unwrap_or_default().to_owned();
    stage.first("confirm", Deed::KillAfter);
    stage.run("enroll").await?;
    let ended = stage.run("enroll").await?;
    stage.renewed(&ended).await?;
    let symbols: String = code.chars().take(20).collect();
    for seen in stage.seen() {
        let payload = seen.jws.as_ref().map(|jws| jws.payload.to_string()).unwrap_or_default();
        ensure(!payload.contains(&symbols), "the code is not sent", seen.operation)?;
    }
    let mut folders = vec![stage.state()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Stop::blocked)? {
            let path = entry.map_err(Stop::blocked)?.path();
            if path.is_symlink() {
            } else if path.is_dir() {
                folders.push(path);
            } else if let Ok(content) = std::fs::read(&path) {
                let text = String::from_utf8_lossy(&content).replace('-', "");
                ensure(!text.contains(&symbols), "the code in no file", path.display())?;
            }
        }
    }
    stage.ticket = None;
    Ok(())
}

async fn other_bank(play: Play) -> Outcome {
    let mut stage = ticketed(&play).await?;
    let trap = Trap::set().await?;
    let ticket = stage.ticket.clone().unwrap_or_default();
    let (head, rest) = ticket.split_once("directory=").unwrap_or_default();
    let (_, rest) = rest.split_once('&').unwrap_or_default();
    let authority = trap.authority.replace(':', "%3A");
    stage.ticket =
        Some(format!("{head}directory=https%3A%2F%2F{authority}%2Fkoshin%2Fdirectory&{rest}"));
    let ended = stage.run("enroll").await?;
    ensure(trap.caught() == 0, "nobody connects to the other bank", trap.caught())?;
    stage.none_since(0, "newEnrollment")?;
    does_not_succeed(&ended)
}

async fn unknown_reissue(play: Play) -> Outcome {
    play.able(Ability::Enroll).await?;
    let mut stage = play.stage().await?;
    let mut ticket = stage.reissue().await?;
    ticket.reissue = WireId::from_bytes([7; 16]);
    stage.ticket = Some(ticket.to_text().to_string());
    let ended = stage.run("enroll").await?;
    exits(&ended, &[11])?;
    ensure(
        stage.of("newEnrollment").len() == 1,
        "one newEnrollment",
        stage.of("newEnrollment").len(),
    )
}

async fn slow(play: Play) -> Outcome {
    let stage = ticketed(&play).await?;
    let slow = forge::processing(2, Some("1"));
    for operation in ["newEnrollment", "read order"] {
        stage.every(operation, slow.clone());
    }
    let ended = stage.run("enroll").await?;
    let looks: Vec<_> = stage
        .seen()
        .into_iter()
        .filter(|seen| seen.is("newEnrollment") || seen.is("read order"))
        .collect();
    for pair in looks.windows(2) {
        let gap = pair[1].at.duration_since(pair[0].at);
        ensure(
            gap >= Duration::from_millis(970),
            "a second between two looks",
            format!("{gap:?}"),
        )?;
    }
    stage.renewed(&ended).await
}

async fn by_key(play: Play) -> Outcome {
    let stage = ticketed(&play).await?;
    stage.every("newEnrollment", forge::processing(1, Some("1")));
    let ended = stage.run("enroll").await?;
    let ordered = stage.ordered_keys();
    for seen in stage.of("read order") {
        let key = seen.jwk().unwrap_or_default();
        ensure(ordered.contains(&key), "a read by the order's key", seen.header("kid"))?;
    }
    stage.renewed(&ended).await
}
