//! SPEC.md 12.6, 12.8, 12.10: which pair to use, whose order it is, and what became of the bank meanwhile.

use std::time::Duration;

use koshin_server::ca::Fault;
use koshin_server::rule::command::{Actor, Revoke};
use koshin_server::rule::row::Reason;

use super::case;
use super::customer::{Wish, faulty};
use super::deed::Deed;
use super::plain::Ability;
use super::stage::Play;
use super::truth::{does_not_succeed, exits, recovers};
use crate::case::{Case, Outcome, Stop, ensure};

const DAY: i64 = 86_400;

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    vec![
        case("foreign/left-alone", "An open order of somebody else with the same certificate is not canceled.")
            .shows(&["CLI-52", "CLI-53"])
            .run(foreign_order),
        case("foreign/both-at-once", "Where person and agent renew at once there is one order, and nobody cancels it.")
            .shows(&["CLI-52", "CLI-33"])
            .run(both_at_once),
        case("elsewhere/renewed", "A client whose certificate was renewed elsewhere orders nothing, and tells so.")
            .shows(&["CLI-72"])
            .run(renewed_elsewhere),
        case("elsewhere/in-the-middle", "A client whose certificate was renewed elsewhere between logon and order tells so.")
            .shows(&["CLI-72", "SES-34"])
            .run(renewed_in_the_middle),
        case("elsewhere/another-user", "Another user's logon in between changes nothing.")
            .shows(&["CLI-50"])
            .run(another_user),
        case("restored/older-backup", "After the bank was restored from a backup of before the renewal the old pair renews again, with a new key.")
            .shows(&["CLI-70", "CLI-33"])
            .run(restored),
        case("restored/open-order-gone", "After the bank was restored from a backup of before the order the client renews all the same.")
            .shows(&["CLI-70", "CLI-32"])
            .run(restored_in_the_middle),
        case("rolled-back/elsewhere", "A client whose renewal somebody else rolled back switches to the old pair.")
            .shows(&["CLI-71", "CLI-70"])
            .run(rolled_back_elsewhere),
        case("expired/after-order", "A client whose certificate expired after its order finds the order by its key, and finishes it.")
            .shows(&["CLI-55", "CLI-51"])
            .run(|play| expired_after(play, "newOrder")),
        case("expired/before-confirm", "A client whose certificate expired before its confirm confirms all the same.")
            .shows(&["CLI-55", "CLI-65"])
            .run(|play| expired_after(play, "confirm")),
        case("expired/while-processing", "A client whose certificate expires while the order is `processing` gets the new one by its key.")
            .shows(&["CLI-55", "RTA-07"])
            .run(expired_while_processing),
        case("expired/before-logon", "A client whose certificate expired before its logon tells who reissues, and orders nothing.")
            .shows(&["CLI-70", "ERR-08"])
            .run(|play| expired_before(play, "directory")),
        case("expired/before-order", "A client whose certificate expires between logon and order tells who reissues.")
            .shows(&["CLI-70", "ERR-08"])
            .run(|play| expired_before(play, "newOrder")),
        case("revoked/order-open", "A client whose certificate was revoked while its order was open confirms nothing, and tells who reissues.")
            .shows(&["CLI-70", "CLI-63"])
            .run(revoked),
        case("reissued/order-open", "A client whose subject was reissued while its order was open does not complete it.")
            .shows(&["CLI-70", "CLI-63"])
            .run(reissued),
        case("session/no-order-told", "A session that does not tell of the open order, as an older answer would, leads to no second key.")
            .shows(&["CLI-32", "CLI-31", "CLI-33"])
            .run(no_order_told),
        case("kept/old-pair", "The old pair is there after a completed renewal and a further run.")
            .shows(&["CLI-90", "CLI-92"])
            .run(old_pair_kept),
        case("kept/no-rollback", "A client that is not told to never rolls back, whatever the bank says of its new pair.")
            .shows(&["CLI-84"])
            .run(never_rolls_back),
        case("kept/order-unknown", "An answer that there is no such order costs no key: the order is completed when the bank knows it again.")
            .shows(&["CLI-91", "CLI-02", "CLI-23"])
            .run(order_unknown),
    ]
}

async fn foreign_order(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.begun_elsewhere().await?;
    let ended = stage.renew().await?;
    stage.none_since(0, "cancel")?;
    stage.none_since(0, "confirm")?;
    stage.holds_the_old_pair()?;
    exits(&ended, &[10, 11])
}

async fn both_at_once(play: Play) -> Outcome {
    let stage = play.stage().await?;
    // Somebody else orders while the client's logon is answered.
    stage.first("newSession", Deed::Delay(Duration::from_millis(1500)));
    let (run, other) = tokio::join!(stage.renew(), async {
        while stage.of("newSession").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stage.begun_elsewhere().await
    });
    other?;
    let ended = run?;
    stage.none_since(0, "cancel")?;
    stage.none_since(0, "confirm")?;
    does_not_succeed(&ended)
}

async fn renewed_elsewhere(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.renewed_elsewhere().await?;
    let ended = stage.renew().await?;
    stage.none_since(0, "newOrder")?;
    exits(&ended, &[11])?;
    stage.holds_the_old_pair()
}

async fn renewed_in_the_middle(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.first("newSession", Deed::Delay(Duration::from_millis(1500)));
    let (run, other) = tokio::join!(stage.renew(), async {
        while stage.of("newSession").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stage.renewed_elsewhere().await
    });
    other?;
    let ended = run?;
    stage.none_since(0, "confirm")?;
    exits(&ended, &[11])
}

async fn another_user(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let other = super::customer::make(&stage.bank, &Wish::default()).await?;
    stage.first("newSession", Deed::Delay(Duration::from_millis(600)));
    let (run, made) = tokio::join!(stage.renew(), async {
        while stage.of("newSession").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stage.client_of("another", &other, true).await?.logs_on().await
    });
    made?;
    stage.renewed(&run?).await
}

async fn restored(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.bank.back_up()?;
    stage.renewed_before().await?;
    let first = stage.held_pair()?;
    let before = stage.ordered_keys();
    stage.bank.restore()?;
    let ended = stage.renew().await?;
    exits(&ended, &[0])?;
    let after = stage.ordered_keys();
    ensure(after.len() == 2, "a second key", after.len())?;
    ensure(before.iter().all(|key| after.contains(key)), "the first key, too", "none")?;
    stage.order_is("completed").await?;
    stage.holds_the_new_pair().await?;
    ensure(stage.held_pair()? != first, "another pair than the first one", "the first one")
}

async fn restored_in_the_middle(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.bank.back_up()?;
    stage.begin().await?;
    stage.bank.restore()?;
    let ended = stage.renew().await?;
    stage.renewed_anyhow(&ended).await
}

async fn rolled_back_elsewhere(play: Play) -> Outcome {
    play.able(Ability::Rollback).await?;
    let stage = play.stage().await?;
    stage.renewed_before().await?;
    let key = stage.order().await?.key;
    stage.somebody_else("other", true).await?.rolls_back(key).await?;
    stage.order_is("rolledBack").await?;
    let ended = stage.renew().await?;
    // It may renew at once with the old pair, by another key: or say that the old one counts.
    stage.none_since(0, "rollback")?;
    if ended.code == Some(0) && stage.ordered_keys().len() == 2 {
        return stage.holds_the_new_pair().await;
    }
    let held = stage.held_pair()?;
    ensure(held == stage.customer.certificate, "the old pair", "another")
}

async fn expired_after(play: Play, operation: &'static str) -> Outcome {
    let stage = play.stage().await?;
    stage.first(operation, if operation == "confirm" { Deed::KillBefore } else { Deed::KillAfter });
    stage.renew().await?;
    stage.bank.set_ahead(25 * DAY);
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

async fn expired_while_processing(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.bank.set_ca(Fault::Down);
    let (run, ()) = tokio::join!(stage.renew(), async {
        while stage.of("newOrder").is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stage.bank.set_ahead(25 * DAY);
        tokio::time::sleep(Duration::from_secs(2)).await;
        stage.bank.set_ca(Fault::None);
        // Past the bank's next look at its CA.
        stage.bank.set_ahead(25 * DAY + 40);
    });
    let mut ended = run?;
    if ended.code == Some(10) {
        ended = stage.renew().await?;
    }
    stage.renewed(&ended).await
}

async fn expired_before(play: Play, operation: &'static str) -> Outcome {
    let stage = play.stage().await?;
    if operation == "directory" {
        stage.first(operation, Deed::KillAfter);
        stage.renew().await?;
        stage.bank.set_ahead(25 * DAY);
    } else {
        stage.first("newSession", Deed::Delay(Duration::from_millis(1200)));
    }
    let (run, ()) = tokio::join!(stage.renew(), async {
        if operation == "newOrder" {
            while stage.of("newSession").is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            // The session is there, its answer on the way.
            tokio::time::sleep(Duration::from_millis(400)).await;
            stage.bank.set_ahead(25 * DAY);
        }
    });
    let ended = run?;
    exits(&ended, &[12])?;
    stage.none_since(0, "confirm")
}

async fn revoked(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.first("newOrder", Deed::KillAfter);
    stage.renew().await?;
    let bank = stage.inner();
    let certificate = koshin_protocol::cert_id::CertId::of(&stage.customer.certificate);
    let revoke = Revoke { certificate, reason: Reason::KeyCompromise, include_successors: false };
    bank.store.revoke(revoke, Actor::Bank, stage.bank.now()).await.map_err(faulty)?;
    let ended = stage.renew().await?;
    exits(&ended, &[12])?;
    stage.order_is("invalid").await
}

async fn reissued(play: Play) -> Outcome {
    let mut stage = play.stage().await?;
    stage.first("newOrder", Deed::KillAfter);
    stage.renew().await?;
    stage.reissue().await?;
    let ended = stage.renew().await?;
    stage.order_is("invalid").await.or_else(|stop| match stop {
        // The old certificate is still current, and may be renewed anew with another key (REI-10, ORD-13).
        Stop::Fail { .. } if stage.ordered_keys().len() == 2 => Ok(()),
        other => Err(other),
    })?;
    if ended.code == Some(0) {
        return stage.holds_the_new_pair().await;
    }
    stage.holds_the_old_pair()
}

async fn no_order_told(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.first("newOrder", Deed::KillAfter);
    stage.renew().await?;
    stage.every(
        "newSession",
        Deed::edit(|it| {
            it.as_object_mut().and_then(|members| members.remove("order"));
        }),
    );
    let ended = stage.renew().await?;
    stage.none_since(0, "cancel")?;
    stage.renewed(&ended).await
}

async fn old_pair_kept(play: Play) -> Outcome {
    play.able(Ability::Rollback).await?;
    let stage = play.stage().await?;
    stage.renewed_before().await?;
    // Nothing to do: the window of the new one is far away.
    let ended = stage.run("resume").await?;
    ensure(!ended.hung, "an end", ended.how())?;
    let ended = stage.run("rollback").await?;
    exits(&ended, &[0])?;
    stage.order_is("rolledBack").await?;
    stage.holds_the_old_pair()
}

async fn never_rolls_back(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.renewed_before().await?;
    let mark = stage.mark();
    for (token, action) in [
        ("certificateUnknown", "stop"),
        ("certificateRevoked", "reissueByAdministrator"),
        ("notSuperseded", "logon"),
        ("rollbackEnded", "useSuccessor"),
    ] {
        stage.refuse("newSession", token, 403, action);
        // That it is too early for another renewal a client finds out without a logon (CLI-86).
        stage.watch("defer", Duration::from_secs(2)).await?;
        stage.behave();
    }
    stage.none_since(mark, "rollback")?;
    let recovery = stage
        .since(mark)
        .into_iter()
        .any(|seen| seen.jws.is_some_and(|jws| jws.payload["purpose"] == "recovery"));
    ensure(!recovery, "no logon with purpose `recovery`", "one")
}

async fn order_unknown(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.begin().await?;
    stage.refuse("read", "notFound", 404, "stop");
    stage.refuse("findOrder", "orderUnknown", 404, "logon");
    stage.refuse("confirm", "notFound", 404, "stop");
    stage.refuse("newSession", "unavailable", 503, "wait");
    stage.watch("renew", Duration::from_secs(3)).await?;
    recovers(&stage).await
}
