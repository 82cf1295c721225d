//! SPEC.md 7: the directory's version, renewalInfo, and whose session it is.

use std::time::Duration;

use serde_json::json;

use super::case;
use super::customer::Wish;
use super::deed::Deed;
use super::plain::Ability;
use super::stage::{Play, Setup};
use super::truth::{does_not_succeed, exits, recovers};
use crate::case::{Case, Outcome, ensure};

const DAY: i64 = 86_400;

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    vec![
        case("directory/version", "The client stops at a bank whose `meta.version` is not \"1\".")
            .shows(&["DIR-03"])
            .run(version),
        case(
            "renewal-info/not-again",
            "The same renewalInfo is not asked for again within a minute, in a second run either.",
        )
        .shows(&["RNI-06"])
        .run(|play| renewal_info(play, None)),
        case(
            "renewal-info/retry-after",
            "The same renewalInfo is not asked for again before its `Retry-After`.",
        )
        .shows(&["RNI-06"])
        .run(|play| renewal_info(play, Some("7200"))),
        case(
            "renewal-info/retry-after-short",
            "A `Retry-After` of renewalInfo of one second is taken as a minute.",
        )
        .shows(&["RNI-06"])
        .run(|play| renewal_info(play, Some("1"))),
        case("session/other-certificate", "A session of another certificate is not used.")
            .shows(&["SES-09"])
            .run(|play| other_session(play, "/certificate/certID", "AAAA.AQ")),
        case("session/other-subject", "A session of another subject is not used.")
            .shows(&["SES-09"])
            .run(|play| other_session(play, "/subject/name", "CN=Somebody Else,O=Example K.K.")),
        case("session/logs-off", "A client that is done with its session logs off.")
            .shows(&["SES-16"])
            .run(logs_off),
    ]
}

async fn version(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.every("directory", Deed::edit(|it| it["meta"]["version"] = json!("2")));
    let ended = stage.watch("renew", Duration::from_secs(30)).await?;
    stage.nothing_signed_since(0)?;
    does_not_succeed(&ended)?;
    recovers(&stage).await
}

/// Too early by every account, twice in a row.
async fn renewal_info(play: Play, retry_after: Option<&'static str>) -> Outcome {
    let wish = Wish { ends_in: 100 * DAY, ..Wish::default() };
    let stage = play.stage_of(Setup { wish, ..Setup::default() }).await?;
    stage.every(
        "renewalInfo",
        Deed::change(move |_, made| match retry_after {
            Some(value) => made.set_header("retry-after", value),
            None => made.drop_header("retry-after"),
        }),
    );
    let first = stage.renew().await?;
    if retry_after == Some("1") {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let second = stage.renew().await?;
    let asked = stage.of("renewalInfo").len();
    ensure(asked <= 1, "renewalInfo once at most", asked)?;
    stage.none_since(0, "newOrder")?;
    exits(&first, &[10])?;
    exits(&second, &[10])
}

async fn other_session(play: Play, pointer: &'static str, value: &'static str) -> Outcome {
    let stage = play.stage().await?;
    stage.every(
        "newSession",
        Deed::edit(move |it| {
            if let Some(member) = it.pointer_mut(pointer) {
                *member = json!(value);
            }
        }),
    );
    let ended = stage.watch("renew", Duration::from_secs(30)).await?;
    for operation in ["newOrder", "cancel", "confirm"] {
        stage.none_since(0, operation)?;
    }
    does_not_succeed(&ended)?;
    recovers(&stage).await
}

async fn logs_off(play: Play) -> Outcome {
    play.able(Ability::Defer).await?;
    let stage = play.stage().await?;
    let ended = stage.run("defer").await?;
    exits(&ended, &[0])?;
    ensure(stage.of("logoff").len() == 1, "one logoff", stage.of("logoff").len())
}
