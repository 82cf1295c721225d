//! SPEC.md 12.9: cancel and rollback, journaled before anything else, interrupted, too late.

use super::case;
use super::deed::Deed;
use super::forge::problem;
use super::plain::Ability;
use super::stage::{Play, Stage};
use super::truth::{does_not_succeed, exits};
use crate::case::{Case, Outcome, ensure};

const DAY: i64 = 86_400;

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases = Vec::new();
    for (slug, deed, words) in [
        ("killed-before", Deed::KillBefore, "killed before the bank acts on its cancel"),
        ("killed-after", Deed::KillAfter, "killed after the bank acted on its cancel"),
        ("lost-request", Deed::LoseRequest, "disconnected before the bank acts on its cancel"),
        ("lost-answer", Deed::LoseAnswer, "disconnected after the bank acted on its cancel"),
    ] {
        let kept = deed.clone();
        cases.push(
            case(
                format!("cancel/{slug}"),
                format!("A client that is {words} has it canceled, and the old pair, after one more start."),
            )
            .shows(&["CLI-80", "CLI-21", "CLI-85"])
            .run(move |play| cancel(play, deed.clone(), "cancel")),
        );
        if slug.starts_with("killed") {
            cases.push(
                case(
                    format!("cancel/{slug}-then-renew"),
                    format!("A client that is {words} finishes that before it begins anything else, told to renew or not."),
                )
                .shows(&["CLI-85", "CLI-21"])
                .run(move |play| cancel(play, kept.clone(), "renew")),
            );
        }
    }
    for (slug, deed, words) in [
        ("killed-before", Deed::KillBefore, "killed before the bank acts on its rollback"),
        ("killed-after", Deed::KillAfter, "killed after the bank acted on its rollback"),
        ("lost-answer", Deed::LoseAnswer, "disconnected after the bank acted on its rollback"),
    ] {
        cases.push(
            case(
                format!("rollback/{slug}"),
                format!("A client that is {words} has it rolled back, and the old pair, after one more start."),
            )
            .shows(&["CLI-82", "CLI-21", "CLI-85"])
            .run(move |play| rollback(play, deed.clone())),
        );
    }
    cases.extend([
        case(
            "cancel/too-late",
            "A cancel refused with `orderCompleted` leads forward, to the new pair.",
        )
        .shows(&["CLI-81"])
        .run(|play| too_late(play, "orderCompleted", "useSuccessor")),
        case(
            "cancel/predecessor-expired",
            "A cancel refused with `predecessorExpired` leads forward, to the new pair.",
        )
        .shows(&["CLI-81"])
        .run(|play| too_late(play, "predecessorExpired", "resumeOrder")),
        case(
            "cancel/old-pair-expired",
            "A journaled cancel whose old pair expired is abandoned, and the renewal completed.",
        )
        .shows(&["CLI-83", "CLI-55"])
        .run(old_pair_expired),
        case(
            "cancel/nothing-begun",
            "A cancel where nothing was begun sends none, and touches nobody's order.",
        )
        .shows(&["CLI-52"])
        .run(nothing_begun),
        case(
            "rollback/switch-after-answer",
            "Until the bank answered the rollback the new pair stays the current one.",
        )
        .shows(&["CLI-82"])
        .run(switch_after_answer),
        case(
            "rollback/ended",
            "A rollback refused with `rollbackEnded` leaves the new pair current.",
        )
        .shows(&["CLI-82", "CLI-83"])
        .run(ended),
        case("rollback/then-renew", "After a rollback the next renewal has a key of its own.")
            .shows(&["CLI-33"])
            .run(then_renew),
        case("cancel/then-renew", "After a cancel the next renewal has a key of its own.")
            .shows(&["CLI-33"])
            .run(canceled_then_renew),
    ]);
    cases
}

async fn begun(play: &Play) -> Outcome<Stage> {
    play.able(Ability::Cancel).await?;
    let stage = play.stage().await?;
    stage.begin().await?;
    Ok(stage)
}

async fn cancel(play: Play, deed: Deed, again: &'static str) -> Outcome {
    let stage = begun(&play).await?;
    stage.first("cancel", deed);
    let first = stage.run("cancel").await?;
    if first.code != Some(0) {
        let mark = stage.mark();
        let ended = stage.run(again).await?;
        ensure(!ended.hung, "an end", ended.how())?;
        // Told to renew, it may go on to a new order once the old one is done with.
        let keys = stage.ordered_keys().len();
        if keys == 2 {
            let order = stage.since(mark).iter().position(|seen| seen.is("newOrder"));
            ensure(order.is_some(), "the second order after the cancel", "before")?;
            exits(&ended, &[0])?;
            return stage.holds_the_new_pair().await;
        }
    }
    stage.order_is("canceled").await?;
    let held = stage.held_pair()?;
    ensure(held == stage.customer.certificate, "the old pair", "the new one")
}

async fn completed(play: &Play) -> Outcome<Stage> {
    play.able(Ability::Rollback).await?;
    let stage = play.stage().await?;
    stage.renewed_before().await?;
    Ok(stage)
}

async fn rollback(play: Play, deed: Deed) -> Outcome {
    let stage = completed(&play).await?;
    stage.first("rollback", deed);
    let first = stage.run("rollback").await?;
    if first.code != Some(0) {
        let ended = stage.run("rollback").await?;
        exits(&ended, &[0])?;
    }
    stage.order_is("rolledBack").await?;
    stage.holds_the_old_pair()
}

async fn too_late(play: Play, token: &'static str, action: &'static str) -> Outcome {
    let stage = begun(&play).await?;
    stage.every("cancel", Deed::say(problem(token, 409, action)));
    let mut ended = stage.run("cancel").await?;
    if ended.code != Some(0) {
        ended = stage.renew().await?;
    }
    stage.renewed(&ended).await
}

async fn old_pair_expired(play: Play) -> Outcome {
    let stage = begun(&play).await?;
    stage.first("cancel", Deed::KillBefore);
    stage.run("cancel").await?;
    stage.bank.set_ahead(25 * DAY);
    let mut ended = stage.renew().await?;
    if ended.code != Some(0) {
        ended = stage.renew().await?;
    }
    stage.renewed(&ended).await
}

async fn nothing_begun(play: Play) -> Outcome {
    play.able(Ability::Cancel).await?;
    let stage = play.stage().await?;
    stage.begun_elsewhere().await?;
    let ended = stage.run("cancel").await?;
    stage.none_since(0, "cancel")?;
    does_not_succeed(&ended)
}

async fn switch_after_answer(play: Play) -> Outcome {
    let stage = completed(&play).await?;
    let new = stage.held_pair()?;
    stage.every(
        "rollback",
        Deed::say(problem("unavailable", 503, "wait").with("retry-after", "3600")),
    );
    let ended = stage.run("rollback").await?;
    ensure(!stage.of("rollback").is_empty(), "a rollback", "none")?;
    does_not_succeed(&ended)?;
    ensure(stage.held_pair()? == new, "the new pair", "the old one")?;
    stage.behave();
    let ended = stage.run("rollback").await?;
    exits(&ended, &[0])?;
    stage.order_is("rolledBack").await?;
    stage.holds_the_old_pair()
}

async fn ended(play: Play) -> Outcome {
    let stage = completed(&play).await?;
    let new = stage.held_pair()?;
    stage.every("rollback", Deed::say(problem("rollbackEnded", 409, "useSuccessor")));
    let ended = stage.run("rollback").await?;
    does_not_succeed(&ended)?;
    ensure(stage.held_pair()? == new, "the new pair", "the old one")?;
    stage.order_is("completed").await
}

/// A key of its own for each order.
async fn another_key(stage: &Stage) -> Outcome {
    let ended = stage.renew().await?;
    exits(&ended, &[0])?;
    let keys = stage.ordered_keys().len();
    ensure(keys == 2, "two keys for two orders", keys)?;
    stage.order_is("completed").await?;
    stage.holds_the_new_pair().await
}

async fn then_renew(play: Play) -> Outcome {
    let stage = completed(&play).await?;
    exits(&stage.run("rollback").await?, &[0])?;
    another_key(&stage).await
}

async fn canceled_then_renew(play: Play) -> Outcome {
    let stage = begun(&play).await?;
    exits(&stage.run("cancel").await?, &[0])?;
    another_key(&stage).await
}
