//! SPEC.md 9: sessions that end, PINs, the environment.

use std::fs;
use std::path::Path;
use std::time::Duration;

use koshin_protocol::base64url;

use super::case;
use super::customer::PIN;
use super::deed::Deed;
use super::forge::problem;
use super::plain::Ability;
use super::seen::{Seen, base64};
use super::stage::{Play, Setup, Stage};
use super::truth::{exits, recovers};
use crate::case::{Case, Outcome, Stop, ensure};

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases = Vec::new();
    for (slug, operation, words) in [
        ("ended/order", "newOrder", "newOrder is refused"),
        ("ended/after-order", "newOrder", "newOrder was carried out and is answered"),
    ] {
        let carried_out = slug == "ended/after-order";
        cases.push(
            case(
                slug,
                format!("After {words} with `sessionEnded` the client logs on again and goes on, with the same key."),
            )
            .shows(&["SES-34", "CLI-31", "CLI-50"])
            .run(move |play| session_ended(play, operation, carried_out)),
        );
    }
    cases.extend([
        case(
            "ended/by-another-logon",
            "A client whose session another logon ended logs on again, and renews.",
        )
        .shows(&["SES-34"])
        .run(ended_by_another),
        case(
            "pin/not-stored",
            "The PIN is in no file of the client, after a renewal, a kill and a refusal.",
        )
        .shows(&["PIN-12"])
        .run(not_stored),
        case("pin/wrong-once", "A PIN that was wrong is not sent again.")
            .shows(&["ERR-10"])
            .run(wrong_once),
        case(
            "pin/locked-mid-flow",
            "A renewal whose PIN is locked in its middle is finished after the unlocking.",
        )
        .shows(&["CLI-50", "CLI-31"])
        .run(locked_mid_flow),
        case("pin/none", "A subject without a PIN renews at a bank that asks for PINs.")
            .shows(&["EXT-01"])
            .run(no_pin),
        case("environment/as-it-is", "The environment names the system that the client runs on.")
            .shows(&["ENV-03"])
            .run(as_it_is),
        case(
            "environment/no-other",
            "A client whose environment is refused declares no other one.",
        )
        .shows(&["ENV-03", "ERR-10"])
        .run(no_other),
    ]);
    cases
}

async fn session_ended(play: Play, operation: &'static str, carried_out: bool) -> Outcome {
    let stage = play.stage().await?;
    let refusal = problem("sessionEnded", 401, "logon");
    if carried_out {
        stage.first(
            operation,
            Deed::change(move |_, made| {
                let nonce = made.header("replay-nonce").unwrap_or_default().to_owned();
                *made = refusal.clone().with("replay-nonce", &nonce);
            }),
        );
    } else {
        stage.first(operation, Deed::say(refusal));
    }
    let ended = stage.renew().await?;
    let all = stage.seen();
    let refused = all.iter().position(|seen| seen.is(operation)).unwrap_or(0);
    let next = all[refused + 1..].iter().find(|seen| seen.is_signed());
    ensure(
        next.is_some_and(|seen| seen.is("newSession") || seen.is("findOrder") || seen.is("read")),
        "a look at the bank after `sessionEnded`",
        next.map_or("nothing", |seen| seen.operation),
    )?;
    stage.renewed(&ended).await
}

async fn ended_by_another(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let other = stage.somebody_else("other", true).await?;
    stage.first("newSession", Deed::Delay(Duration::from_millis(600)));
    let (run, logon) = tokio::join!(stage.renew(), async {
        // While the answer of the client's logon is on its way.
        while stage.of("newSession").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        other.logs_on().await
    });
    logon?;
    stage.renewed(&run?).await
}

/// Files in which the PIN stands, as it is or encoded.
fn with_the_pin(folder: &Path, found: &mut Vec<String>) -> Outcome {
    let hex = PIN.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let encoded = base64::encode(PIN.as_bytes());
    let forms = [PIN, &hex, encoded.trim_end_matches('='), &base64url::encode(PIN.as_bytes())]
        .map(ToOwned::to_owned);
    for entry in fs::read_dir(folder).map_err(Stop::blocked)? {
        let path = entry.map_err(Stop::blocked)?.path();
        if path.is_dir() && !path.is_symlink() {
            with_the_pin(&path, found)?;
        } else if let Ok(content) = fs::read(&path) {
            let text = String::from_utf8_lossy(&content);
            if forms.iter().any(|form| text.contains(form.as_str())) {
                found.push(path.display().to_string());
            }
        }
    }
    Ok(())
}

fn no_file_with_the_pin(stage: &Stage) -> Outcome {
    let mut found = Vec::new();
    with_the_pin(&stage.state(), &mut found)?;
    ensure(found.is_empty(), "no file with the PIN", found.join(", "))
}

async fn not_stored(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.first("newOrder", Deed::KillAfter);
    stage.first("confirm", Deed::say(problem("subjectDisabled", 403, "stop")));
    for _ in 0..2 {
        let ended = stage.renew().await?;
        no_file_with_the_pin(&stage)?;
        ensure(!ended.shown.contains(PIN), "the PIN is not in what the client writes", "it is")?;
    }
    recovers(&stage).await?;
    no_file_with_the_pin(&stage)
}

async fn wrong_once(play: Play) -> Outcome {
    let mut stage = play.stage().await?;
    stage.pin = Some("quite-wrong".to_owned());
    let ended = stage.renew().await?;
    let pins: Vec<_> = stage
        .of("newSession")
        .iter()
        .filter_map(|seen| Some(seen.jws.as_ref()?.payload.get("pin")?.to_string()))
        .collect();
    ensure(pins.len() == 1, "one logon with that PIN", pins.len())?;
    exits(&ended, &[11])?;
    stage.pin = Some(PIN.to_owned());
    recovers(&stage).await
}

async fn locked_mid_flow(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.first("newOrder", Deed::KillAfter);
    stage.renew().await?;
    // Somebody tries PINs with the same certificate meanwhile, as the bank tells it.
    stage.refuse("newSession", "pinLocked", 403, "unlockByAdministrator");
    let ended = stage.renew().await?;
    exits(&ended, &[11, 0])?;
    recovers(&stage).await
}

async fn no_pin(play: Play) -> Outcome {
    let mut setup = Setup::default();
    setup.wish.pin = false;
    let stage = play.stage_of(setup).await?;
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

fn environments(all: &[Seen]) -> Vec<serde_json::Value> {
    let payloads = all.iter().filter_map(|seen| seen.jws.as_ref());
    payloads.filter_map(|jws| jws.payload.get("environment").cloned()).collect()
}

async fn as_it_is(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.renewed_before().await?;
    let found = environments(&stage.seen());
    let os = found.first().and_then(|one| one["os"].as_str()).unwrap_or_default();
    ensure(
        os.eq_ignore_ascii_case(std::env::consts::OS),
        format_args!("`os` is {}, where the client runs", std::env::consts::OS),
        os,
    )
}

async fn no_other(play: Play) -> Outcome {
    play.able(Ability::Renew).await?;
    let setup = Setup {
        alter: |policy| {
            policy.environments = vec![
                serde_json::from_value(serde_json::json!({ "os": "plan9", "osVersion": "4" }))
                    .expect("a requirement"),
            ];
        },
        ..Setup::default()
    };
    let stage = play.set(setup).await?;
    let ended = stage.renew().await?;
    let found = environments(&stage.seen());
    ensure(found.len() <= 1, "one environment, once", found.len())?;
    ensure(
        found.iter().all(|one| one["os"] != "plan9"),
        "the environment as it is",
        "the one that the bank wants",
    )?;
    exits(&ended, &[11])
}
