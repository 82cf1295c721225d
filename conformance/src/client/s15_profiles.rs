//! SPEC.md 15: extensions and profiles.

use serde_json::{Value, json};

use super::case;
use super::deed::Deed;
use super::stage::{Play, Setup};
use crate::case::{Case, Outcome, ensure};

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    vec![
        case("profile/core", "A client renews at a bank of profile `core`, without PIN and rollback.")
            .shows(&["PRF-04"])
            .run(core),
        case("extension/members", "Payloads have the members of this text alone, at a bank that announces an extension that nobody knows.")
            .shows(&["EXT-01", "ENC-17"])
            .run(members),
    ]
}

async fn core(play: Play) -> Outcome {
    let stage = play.stage_of(Setup { policy: "core", ..Setup::default() }).await?;
    let ended = stage.renew().await?;
    let pins = stage
        .of("newSession")
        .into_iter()
        .any(|seen| seen.jws.is_some_and(|jws| jws.payload.get("pin").is_some()));
    ensure(!pins, "no PIN, since nobody has one", "a PIN")?;
    stage.renewed(&ended).await
}

/// What each payload may have.
const MEMBERS: [(&str, &[&str]); 3] = [
    ("newSession", &["pin", "environment", "purpose"]),
    ("newOrder", &["replaces", "keyStore", "csr"]),
    ("confirm", &["final"]),
];

async fn members(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.every(
        "directory",
        Deed::edit(|it| it["meta"]["extensions"] = json!(["https://suite.example/extension"])),
    );
    let ended = stage.renew().await?;
    for (operation, known) in MEMBERS {
        for seen in stage.of(operation) {
            let payload = seen.jws.map(|jws| jws.payload);
            let members = payload.as_ref().and_then(Value::as_object);
            let other = members.and_then(|members| {
                members.keys().find(|name| !known.contains(&name.as_str())).cloned()
            });
            ensure(
                other.is_none(),
                format_args!("{known:?} in {operation}"),
                other.unwrap_or_default(),
            )?;
        }
    }
    stage.renewed(&ended).await
}
