//! SPEC.md 11: what a client does about refusals, known and unknown, and what it shows of them.

use std::time::Duration;

use serde_json::json;

use super::case;
use super::deed::Deed;
use super::forge::problem;
use super::plain::Ability;
use super::seen::Made;
use super::stage::{Play, Stage};
use super::truth::{exits, recovers_anyhow};
use crate::case::{Case, Outcome, ensure};

/// Refusals of a logon, and the exit code that says who acts next (B.3).
const ENDS: [(&str, u16, &str, i32); 12] = [
    ("certificateNotYetValid", 403, "wait", 10),
    ("pinLocked", 403, "unlockByAdministrator", 11),
    ("pinLocked", 403, "unlockAtBranch", 11),
    ("environmentUnsupported", 403, "updateEnvironment", 11),
    ("certificateExpired", 403, "reissueByAdministrator", 12),
    ("certificateExpired", 403, "reissueAtBranch", 12),
    ("certificateRevoked", 403, "reissueByAdministrator", 12),
    ("x-suite-wait", 403, "wait", 10),
    ("x-suite-unlock", 403, "unlockAtBranch", 11),
    ("x-suite-update", 403, "updateEnvironment", 11),
    ("x-suite-correct", 400, "correct", 11),
    ("x-suite-reissue", 403, "reissueAtBranch", 12),
];

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases = Vec::new();
    for (token, status, action, code) in ENDS {
        let known = !token.starts_with("x-");
        let (words, shows) =
            if known { ("", "ERR-08") } else { (", which nobody knows,", "ERR-06") };
        cases.push(
            case(
                format!("remedy/{token}-{action}").to_lowercase(),
                format!("A logon refused with `{token}`{words} and the remedy `{action}` ends with exit code {code}."),
            )
            .shows(&[shows])
            .run(move |play| remedy(play, token, status, action, code)),
        );
    }
    for (operation, action) in [
        ("newSession", "correct"),
        ("newSession", "stop"),
        ("newOrder", "correct"),
        ("newOrder", "stop"),
        ("confirm", "correct"),
        ("confirm", "stop"),
    ] {
        cases.push(
            case(
                format!("not-again/{operation}-{action}").to_lowercase(),
                format!(
                    "A {operation} refused with the remedy `{action}` is not sent again unchanged."
                ),
            )
            .shows(&["ERR-10"])
            .run(move |play| not_again(play, operation, action)),
        );
    }
    cases.extend(without_explanation());
    cases.extend([
        case("shown/title-and-detail", "Title and detail of a refusal are shown.")
            .shows(&["ERR-08"])
            .run(shown),
        case(
            "shown/control-characters",
            "Control characters of the bank's text are not written to the terminal.",
        )
        .shows(&["ERR-11", "ERR-08"])
        .run(control_characters),
        case(
            "shown/foreign-order",
            "An open order of somebody else is told of, with when it was begun.",
        )
        .shows(&["CLI-53", "CLI-52"])
        .run(foreign_order),
    ]);
    cases
}

/// Answers that are no problem document, and actions that nobody knows.
fn without_explanation() -> Vec<Case<Play>> {
    let mut cases = Vec::new();
    for (slug, made, again, code, words) in [
        (
            "status-500",
            Made::new(500, "text/html", "<p>oops</p>"),
            true,
            10,
            "500 and no problem document",
        ),
        ("status-502", Made::new(502, "text/plain", ""), true, 10, "502 and no problem document"),
        (
            "status-429",
            Made::new(429, "text/plain", "slow").with("retry-after", "1"),
            true,
            10,
            "429 and no problem document",
        ),
        (
            "status-404",
            Made::new(404, "text/html", "<p>what?</p>"),
            false,
            11,
            "404 and no problem document",
        ),
        (
            "status-403",
            Made::new(403, "application/json", "{}"),
            false,
            11,
            "403 and no problem document",
        ),
        (
            "action-503",
            problem("unavailable", 503, "x-suite-meditate").with("retry-after", "1"),
            true,
            10,
            "503 and an action that nobody knows",
        ),
        (
            "action-500",
            problem("serverInternal", 500, "x-suite-meditate"),
            true,
            10,
            "500 and an action that nobody knows",
        ),
        (
            "action-403",
            problem("x-suite-odd", 403, "x-suite-meditate"),
            false,
            11,
            "403, a token and an action that nobody knows",
        ),
    ] {
        cases.push(
            case(
                format!("unknown/{slug}"),
                format!(
                    "A logon answered with {words} is {}.",
                    if again { "tried again, or left to another run" } else { "not tried again" }
                ),
            )
            .shows(&["ERR-07"])
            .run(move |play| unknown(play, made.clone(), again, code)),
        );
    }
    cases
}

async fn remedy(
    play: Play,
    token: &'static str,
    status: u16,
    action: &'static str,
    code: i32,
) -> Outcome {
    let stage = play.stage().await?;
    let mut refusal = problem(token, status, action);
    if action == "wait" {
        let mut problem = refusal.json();
        problem["remedy"]["notBefore"] = json!("2999-01-01T00:00:00Z");
        refusal.body = problem.to_string().into_bytes();
    }
    stage.every("newSession", Deed::say(refusal));
    let ended = stage.renew().await?;
    ensure(!stage.of("newSession").is_empty(), "a logon", "none")?;
    exits(&ended, &[code])?;
    stage.none_since(0, "newOrder")?;
    recovers_anyhow(&stage).await
}

async fn not_again(play: Play, operation: &'static str, action: &'static str) -> Outcome {
    let stage = play.stage().await?;
    stage.refuse(operation, "x-suite-refused", 400, action);
    let ended = stage.renew().await?;
    let mut payloads = Vec::new();
    for seen in stage.of(operation) {
        let payload = seen.jws.as_ref().map(|jws| (seen.url.clone(), jws.payload.to_string()));
        ensure(
            !payloads.contains(&payload),
            format_args!("{operation} once"),
            "the same request again",
        )?;
        payloads.push(payload);
    }
    ensure(!payloads.is_empty(), format_args!("a {operation}"), "none")?;
    exits(&ended, &[11, 12, 1])?;
    recovers_anyhow(&stage).await
}

async fn unknown(play: Play, made: Made, again: bool, code: i32) -> Outcome {
    let stage = play.stage().await?;
    if again {
        // It may be over by the second time.
        stage.first("newSession", Deed::say(made));
        let ended = stage.renew().await?;
        exits(&ended, &[0, code])?;
        ensure(
            ended.code == Some(code) || stage.of("newSession").len() >= 2,
            "another logon",
            stage.of("newSession").len(),
        )?;
    } else {
        stage.every("newSession", Deed::say(made));
        let ended = stage.watch("renew", Duration::from_secs(30)).await?;
        let count = stage.of("newSession").len();
        ensure(count == 1, "one logon", count)?;
        exits(&ended, &[code])?;
    }
    recovers_anyhow(&stage).await
}

async fn refused_with(stage: &Stage, title: &str, detail: &str) -> Outcome<String> {
    let mut refusal = problem("subjectDisabled", 403, "stop");
    let mut document = refusal.json();
    document["title"] = json!(title);
    document["detail"] = json!(detail);
    refusal.body = document.to_string().into_bytes();
    stage.every("newSession", Deed::say(refusal));
    Ok(stage.renew().await?.shown)
}

async fn shown(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let (title, detail) = ("Quartz vexes jumping frogs.", "Ring extension 4711 before noon.");
    let shown = refused_with(&stage, title, detail).await?;
    for text in [title, detail] {
        ensure(shown.contains(text), format_args!("`{text}` is shown"), &shown)?;
    }
    Ok(())
}

async fn control_characters(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let title = "Quartz\u{1b}[31m vexes\u{7}\u{9b}2J frogs.";
    let shown = refused_with(&stage, title, "One\r\u{8}Two").await?;
    ensure(shown.contains("Quartz"), "the title is shown", &shown)?;
    let bad = ['\u{1b}', '\u{7}', '\u{9b}', '\r', '\u{8}'];
    let found: Vec<_> = shown.chars().filter(|one| bad.contains(one)).collect();
    ensure(found.is_empty(), "none of them is written", format_args!("{found:?}"))
}

async fn foreign_order(play: Play) -> Outcome {
    play.able(Ability::Renew).await?;
    let stage = play.stage().await?;
    stage.begun_elsewhere().await?;
    let before = stage.bank.now().unix();
    let ended = stage.renew().await?;
    stage.none_since(0, "cancel")?;
    exits(&ended, &[11])?;
    // `created` is within the seconds before; in whatever form, its date is there.
    let day = koshin_protocol::time::Time::from_unix(before).map(|time| time.to_string());
    let day = day.map(|time| time[..10].to_owned()).unwrap_or_default();
    let parts: Vec<&str> = day.split('-').collect();
    let told = parts.iter().all(|part| ended.shown.contains(part.trim_start_matches('0')));
    ensure(told, format_args!("the order's time ({day}) is shown"), ended.shown)
}
