//! SPEC.md 12.4, 12.6: killed, or without an answer, at each step; started again; one key, one order, and a pair that counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use koshin_server::ca::Fault;

use super::case;
use super::deed::{Deed, Rule};
use super::plain::Ability;
use super::seen::Made;
use super::stage::Play;
use super::truth::recovers_anyhow;
use crate::case::{Case, Outcome, Stop, ensure};

/// The steps of a renewal at which a client is interrupted.
const STEPS: [(&str, &str); 4] = [
    ("directory", "directory"),
    ("newSession", "logon"),
    ("newOrder", "order"),
    ("confirm", "confirm"),
];

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases = Vec::new();
    for (operation, step) in STEPS {
        for (deed, when, words) in [
            (Deed::KillBefore, "before", "before the bank acts on"),
            (Deed::KillAfter, "after", "after the bank acted on"),
        ] {
            let sentence = format!(
                "A client that is killed {words} its {operation} and started again renews with one key and one order."
            );
            cases.push(
                case(format!("killed/{when}-{step}"), sentence)
                    .shows(&["CLI-50", "CLI-31", "CLI-10", "CLI-20", "CLI-33", "CLI-56"])
                    .run(move |play| killed(play, operation, deed.clone())),
            );
        }
        for (deed, when, words) in [
            (Deed::LoseRequest, "request", "request is lost"),
            (Deed::LoseAnswer, "answer", "answer is lost"),
            (Deed::Truncate, "half", "answer breaks off"),
        ] {
            let sentence = format!(
                "A client whose {operation}'s {words} ends with one key, one order and the new pair, started again where it gave up."
            );
            cases.push(
                case(format!("lost/{step}-{when}"), sentence)
                    .shows(&["CLI-30", "CLI-31", "CLI-33"])
                    .run(move |play| lost(play, operation, deed.clone())),
            );
        }
    }
    for (operation, action) in [
        ("newOrder", "renew"),
        ("confirm", "renew"),
        ("cancel", "cancel"),
        ("rollback", "rollback"),
    ] {
        cases.push(
            case(
                format!("looks-first/{operation}").to_lowercase(),
                format!("After a {operation} whose answer was lost the client looks at the bank before anything else."),
            )
            .shows(&["CLI-30", "CLI-32"])
            .run(move |play| looks_first(play, operation, action)),
        );
    }
    for (slug, made) in [
        ("empty", Made::new(201, "application/json", "")),
        ("html", Made::new(200, "text/html", "<p>Welcome to the hotel's network</p>")),
        ("gateway", Made::new(502, "text/html", "<p>Bad gateway</p>")),
        ("half-json", Made::new(201, "application/json", "{\"self\":\"https://")),
    ] {
        cases.push(
            case(
                format!("no-answer/{slug}"),
                "A newOrder that was carried out and answered by a proxy with nonsense ends with one key and one order.",
            )
            .shows(&["CLI-30", "CLI-31", "ENC-18"])
            .run(move |play| no_answer(play, made.clone())),
        );
    }
    cases.extend([
        case("lost/twice", "Answers that are lost twice in a row, at order and confirm, cost no second key.")
            .shows(&["CLI-30", "CLI-31"])
            .run(lost_twice),
        case("killed/everywhere", "A client that is killed before and after every step of one renewal ends with one key and one order.")
            .shows(&["CLI-50", "CLI-31", "CLI-33", "CLI-23"])
            .run(killed_everywhere),
        case("answers/duplicated", "An earlier answer that comes once more in place of an order is no answer.")
            .shows(&["CLI-30", "ENC-18"])
            .run(duplicated),
        case("answers/delayed", "Answers that come late are answers.")
            .shows(&["CLI-43"])
            .run(delayed),
        case("slow/closed-before-issue", "A client that was closed before the certificate was issued gets it in the next run.")
            .shows(&["CLI-50", "CLI-31"])
            .run(closed_before_issue),
        case("slow/refused", "An order that the CA refuses for good is not confirmed; a later renewal succeeds with another key.")
            .shows(&["CLI-33", "CLI-43"])
            .run(issue_failed),
    ]);
    cases
}

async fn killed(play: Play, operation: &'static str, deed: Deed) -> Outcome {
    let stage = play.stage().await?;
    stage.first(operation, deed);
    let ended = stage.renew().await?;
    ensure(ended.code.is_none(), "the client is killed", ended.how())?;
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

async fn lost(play: Play, operation: &'static str, deed: Deed) -> Outcome {
    let stage = play.stage().await?;
    stage.first(operation, deed);
    let mut ended = stage.renew().await?;
    if ended.code == Some(10) {
        ended = stage.renew().await?;
    }
    stage.renewed(&ended).await
}

async fn lost_twice(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.rule(Rule::times("newOrder", 2, Deed::LoseAnswer));
    stage.rule(Rule::times("confirm", 2, Deed::LoseAnswer));
    let mut ended = stage.renew().await?;
    for _ in 0..3 {
        if ended.code == Some(10) {
            ended = stage.renew().await?;
        }
    }
    stage.renewed(&ended).await
}

async fn killed_everywhere(play: Play) -> Outcome {
    let stage = play.stage().await?;
    for (operation, _) in STEPS {
        stage.first(operation, Deed::KillBefore);
        stage.first(operation, Deed::KillAfter);
    }
    let mut ended = stage.renew().await?;
    for _ in 0..12 {
        if ended.code.is_some() {
            break;
        }
        ended = stage.renew().await?;
    }
    stage.renewed(&ended).await
}

/// After no answer the next thing is a look at the bank, in this run or the next.
async fn looks_first(play: Play, operation: &'static str, action: &'static str) -> Outcome {
    play.able(match action {
        "cancel" => Ability::Cancel,
        "rollback" => Ability::Rollback,
        _ => Ability::Renew,
    })
    .await?;
    let stage = play.stage().await?;
    match action {
        "cancel" => stage.begin().await?,
        "rollback" => stage.renewed_before().await?,
        _ => {}
    }
    stage.first(operation, Deed::LoseAnswer);
    let mut ended = stage.run(action).await?;
    if ended.code == Some(10) {
        ended = stage.run(action).await?;
    }
    let all = stage.seen();
    let lost = all.iter().position(|seen| seen.deed.is_some() && seen.is(operation));
    let lost = lost.ok_or_else(|| Stop::blocked(format_args!("no {operation} was sent")))?;
    let next = all[lost + 1..].iter().find(|seen| seen.is_signed());
    ensure(
        next.is_some_and(|seen| seen.is("newSession") || seen.is("read") || seen.is("findOrder")),
        format_args!("a logon, or a look at the order, after the lost {operation}"),
        next.map_or("nothing", |seen| seen.operation),
    )?;
    match action {
        "cancel" => stage.order_is("canceled").await,
        "rollback" => stage.order_is("rolledBack").await,
        _ => stage.renewed(&ended).await,
    }
}

/// Answers that are none, to a newOrder that the bank carried out.
async fn no_answer(play: Play, made: Made) -> Outcome {
    let stage = play.stage().await?;
    stage.first("newOrder", Deed::change(move |_, answer| *answer = made.clone()));
    let mut ended = stage.renew().await?;
    if ended.code == Some(10) {
        ended = stage.renew().await?;
    }
    stage.renewed(&ended).await
}

/// The answer of an earlier request comes once more.
async fn duplicated(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let session = Arc::new(Mutex::new(None::<Made>));
    let kept = Arc::clone(&session);
    stage.first(
        "newSession",
        Deed::change(move |_, made| {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(made.clone());
        }),
    );
    stage.first(
        "newOrder",
        Deed::change(move |_, made| {
            if let Some(earlier) = session.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                *made = earlier;
            }
        }),
    );
    let mut ended = stage.renew().await?;
    if ended.code == Some(10) {
        ended = stage.renew().await?;
    }
    stage.renewed(&ended).await
}

async fn delayed(play: Play) -> Outcome {
    let stage = play.stage().await?;
    for (operation, _) in STEPS {
        stage.first(operation, Deed::Delay(Duration::from_millis(1500)));
    }
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

/// A restart while the order is `processing`.
async fn closed_before_issue(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.bank.set_ca(Fault::Slow { questions: 1 });
    stage.first("newOrder", Deed::KillAfter);
    stage.renew().await?;
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

/// The CA refuses for good.
async fn issue_failed(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.bank.set_ca(Fault::Refuses);
    let ended = stage.watch("renew", Duration::from_secs(4)).await;
    // Nothing is done to any request here: the CA is what misbehaves.
    if let Ok(ended) = ended {
        ensure(ended.code != Some(0), "no success", ended.how())?;
    }
    stage.none_since(0, "confirm")?;
    stage.holds_the_old_pair()?;
    stage.bank.set_ca(Fault::None);
    recovers_anyhow(&stage).await
}
