//! SPEC.md 12.5: bad nonces, growing pauses, and giving up.

use std::time::Duration;

use super::case;
use super::deed::{Deed, Rule};
use super::forge::problem;
use super::plain::Ability;
use super::stage::Play;
use super::truth::{exits, recovers_anyhow};
use crate::case::{Case, Need, Outcome, Stop, ensure};

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases = Vec::new();
    for operation in ["newSession", "newOrder", "read", "confirm"] {
        cases.push(
            case(
                format!("bad-nonce/{operation}").to_lowercase(),
                format!("A {operation} refused with `badNonce` is signed again with the nonce of the refusal."),
            )
            .shows(&["CLI-40", "NON-07"])
            .run(move |play| with_the_refusals_nonce(play, operation)),
        );
    }
    cases.extend([
        case("bad-nonce/four-times", "A request that is refused with `badNonce` four times in a row goes through at the fifth.")
            .shows(&["CLI-40"])
            .run(four_times),
        case("bad-nonce/always", "A request is given up after five refusals with `badNonce` in a row.")
            .shows(&["CLI-41"])
            .needs(&[Need::Time])
            .run(always),
        case("bad-nonce/enrollment", "A newEnrollment refused with `badNonce` is signed again with the nonce of the refusal, and the same key.")
            .shows(&["CLI-40", "CLI-31"])
            .run(enrollment),
        case("pauses/grow", "Repetitions of a logon without `Retry-After` come after pauses that grow: few in ten seconds.")
            .shows(&["CLI-42"])
            .needs(&[Need::Time])
            .run(grow),
        case("pauses/bounded", "A bank that always says to wait a second is given up after a bounded number of tries, and resumed later.")
            .shows(&["CLI-43"])
            .needs(&[Need::Time])
            .run(bounded),
    ]);
    cases.extend((1..=5).map(|seed| {
        case(
            format!("mischief/{seed}"),
            "A bank that loses answers, refuses good nonces, is slow, overloaded or late, by a seed: renewed once, in few runs.",
        )
        .shows(&["CLI-30", "CLI-31"])
        .needs(&[Need::Time])
        .run(move |play| mischief(play, seed))
    }));
    cases
}

async fn mischief(play: Play, seed: u64) -> Outcome {
    let stage = play.stage().await?;
    stage.mischief(seed)?;
    for _ in 0..8 {
        let ended = stage.watch("renew", Duration::from_secs(40)).await?;
        if ended.code == Some(0) {
            stage.behave();
            stage.renewed(&ended).await?;
            let met = stage.seen().iter().filter(|seen| seen.deed.is_some()).count();
            ensure(met >= 2, "requests that met mischief", met).map_err(Stop::blocked)?;
            return Ok(());
        }
        exits(&ended, &[10])?;
    }
    recovers_anyhow(&stage).await
}

async fn with_the_refusals_nonce(play: Play, operation: &'static str) -> Outcome {
    let stage = play.stage().await?;
    if operation == "read" {
        stage.every("newOrder", super::forge::processing(1, Some("1")));
    }
    let nonce = stage.inner().nonce();
    let refusal = problem("badNonce", 400, "retry").with("replay-nonce", &nonce);
    stage.first(operation, Deed::say(refusal));
    let ended = stage.renew().await?;
    let sent = stage.of(operation);
    let next = sent.get(1).map_or("nothing", |seen| seen.header("nonce"));
    ensure(next == nonce, format_args!("the nonce of the refusal, {nonce}"), next)?;
    stage.renewed(&ended).await
}

async fn four_times(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.rule(Rule::times("newOrder", 4, Deed::say(problem("badNonce", 400, "retry"))));
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

async fn always(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.refuse("newSession", "badNonce", 400, "retry");
    let ended = stage.watch("renew", Duration::from_secs(30)).await?;
    let count = stage.of("newSession").len();
    ensure((2..=5).contains(&count), "two to five newSession", count)?;
    exits(&ended, &[10, 11])?;
    recovers_anyhow(&stage).await
}

async fn enrollment(play: Play) -> Outcome {
    play.able(Ability::Enroll).await?;
    let mut stage = play.stage().await?;
    stage.reissue().await?;
    let nonce = stage.inner().nonce();
    let refusal = problem("badNonce", 400, "retry").with("replay-nonce", &nonce);
    stage.first("newEnrollment", Deed::say(refusal));
    let ended = stage.run("enroll").await?;
    let sent = stage.of("newEnrollment");
    let next = sent.get(1).map_or("nothing", |seen| seen.header("nonce"));
    ensure(next == nonce, format_args!("the nonce of the refusal, {nonce}"), next)?;
    stage.renewed(&ended).await
}

async fn grow(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.refuse("newSession", "serverInternal", 500, "retry");
    stage.watch("renew", Duration::from_secs(10)).await?;
    let sent = stage.of("newSession");
    let gaps: Vec<_> = sent.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at)).collect();
    ensure(
        gaps.iter().all(|gap| *gap >= Duration::from_millis(100)),
        "a pause between any two",
        format_args!("{gaps:?}"),
    )?;
    // Whatever else keeps the machine busy makes them fewer, never more.
    ensure(sent.len() <= 7, "seven tries in ten seconds at most", sent.len())?;
    recovers_anyhow(&stage).await
}

async fn bounded(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let refusal = problem("unavailable", 503, "wait").with("retry-after", "1");
    stage.every("newOrder", Deed::say(refusal));
    let ended = stage.watch("renew", Duration::from_secs(40)).await?;
    exits(&ended, &[10])?;
    let count = stage.of("newOrder").len();
    ensure(count <= 60, "a bounded number of newOrder", count)?;
    super::truth::recovers(&stage).await
}
