//! SPEC.md 8: when a client orders, by whose account and by whose clock, and deferral.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::case;
use super::customer::Wish;
use super::deed::Deed;
use super::plain::Ability;
use super::process::Ended;
use super::stage::{Play, Setup, Stage};
use super::truth::{exits, recovers};
use crate::case::{Case, Outcome, ensure};

const DAY: i64 = 86_400;

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    vec![
        case("window/own-account", "The client orders when its own count says that the window is open, whatever notice and renewalInfo say.")
            .shows(&["WIN-04", "WIN-05"])
            .run(own_account),
        case("window/notice", "The client orders when only the notice says that the window is open.")
            .shows(&["WIN-05"])
            .run(by_the_notice),
        case("window/renewal-info", "The client orders when only renewalInfo says that the window is open.")
            .shows(&["WIN-05"])
            .run(by_renewal_info),
        case("window/closed", "The client orders nothing where no account says that the window is open, and tells to come back.")
            .shows(&["WIN-05"])
            .run(closed),
        case("window/banks-clock", "The client orders when the window is open by the bank's clock, and not by its own.")
            .shows(&["WIN-05", "TIM-02"])
            .run(by_the_banks_clock),
        case("window/own-clock", "The client orders when the window is open by its own clock, and not by the bank's, and heeds the bank's `tooEarly`.")
            .shows(&["WIN-05"])
            .run(by_its_own_clock),
        case("window/exact-opening", "At the first second of the window the renewal goes through.")
            .shows(&["WIN-04", "WIN-05"])
            .run(exact_opening),
        case("time/of-this-run", "What an earlier run learnt of the bank's clock says nothing in this one.")
            .shows(&["TIM-02", "CLI-52"])
            .run(of_this_run),
        case("time/warns", "A client whose clock is an hour behind the bank's says something that it does not say otherwise.")
            .shows(&["TIM-03"])
            .run(warns),
        case("defer/then-renew", "After a deferral the client renews at the next start.")
            .shows(&["NTC-12"])
            .run(defer_then_renew),
        case("defer/not-offered", "Where the bank offers no deferral, none is sent.")
            .shows(&["NTC-12"])
            .run(not_offered),
    ]
}

/// A certificate whose window opened by the client's own count, or not.
async fn stage_ending_in(play: &Play, days: i64) -> Outcome<Stage> {
    let wish = Wish { ends_in: days * DAY, ..Wish::default() };
    play.stage_of(Setup { wish, ..Setup::default() }).await
}

/// A window that is open neither now nor soon, or one that is.
fn window(open: bool) -> Value {
    if open {
        json!({ "start": "2020-01-01T00:00:00Z", "end": "2999-01-01T00:00:00Z" })
    } else {
        json!({ "start": "2999-01-01T00:00:00Z", "end": "2999-02-01T00:00:00Z" })
    }
}

fn tell(stage: &Stage, notice: Option<bool>, info: bool) {
    stage.every(
        "newSession",
        Deed::edit(move |it| match notice {
            None => {
                it.as_object_mut().and_then(|members| members.remove("notice"));
            }
            Some(open) => {
                let expires = it["certificate"]["notAfter"].clone();
                it["notice"] =
                    json!({ "expires": expires, "window": window(open), "deferrals": 0 });
            }
        }),
    );
    stage.every(
        "renewalInfo",
        Deed::edit(move |it| {
            it["suggestedWindow"] = window(info);
            it["enforcedWindow"] = window(info);
        }),
    );
}

async fn own_account(play: Play) -> Outcome {
    let stage = stage_ending_in(&play, 20).await?;
    tell(&stage, Some(false), false);
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

/// The bank refuses, since it is too early in truth; that it was asked is what counts.
async fn asked_too_early(stage: &Stage) -> Outcome {
    let ended = stage.renew().await?;
    ensure(!stage.of("newOrder").is_empty(), "a newOrder", "none")?;
    exits(&ended, &[10])
}

async fn by_the_notice(play: Play) -> Outcome {
    let stage = stage_ending_in(&play, 100).await?;
    tell(&stage, Some(true), false);
    asked_too_early(&stage).await
}

async fn by_renewal_info(play: Play) -> Outcome {
    let stage = stage_ending_in(&play, 100).await?;
    tell(&stage, None, true);
    asked_too_early(&stage).await
}

async fn closed(play: Play) -> Outcome {
    let stage = stage_ending_in(&play, 100).await?;
    let ended = stage.renew().await?;
    stage.none_since(0, "newOrder")?;
    stage.holds_the_old_pair()?;
    exits(&ended, &[10])
}

async fn by_the_banks_clock(play: Play) -> Outcome {
    // The bank is forty days ahead: twenty days are left there, sixty here.
    let stage = play.stage_of(Setup { ahead: 40 * DAY, ..Setup::default() }).await?;
    // What notice and renewalInfo say is closed: the count from the certificate, by the bank's clock, is what is left.
    tell(&stage, None, false);
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

async fn by_its_own_clock(play: Play) -> Outcome {
    // The bank is forty days behind: sixty days are left there, twenty here.
    let wish = Wish { ends_in: 60 * DAY, ..Wish::default() };
    let stage = play.stage_of(Setup { wish, ahead: -40 * DAY, ..Setup::default() }).await?;
    tell(&stage, None, false);
    asked_too_early(&stage).await?;
    stage.holds_the_old_pair()
}

async fn exact_opening(play: Play) -> Outcome {
    let stage = stage_ending_in(&play, 100).await?;
    let not_after = stage.customer.certificate.not_after();
    let opens = stage.inner().policy.window(not_after).opens.unix();
    let now = stage.bank.now().unix();
    stage.bank.set_ahead(opens - now);
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

/// An order of somebody else counts as abandoned by a `Date` two days ahead, but not by the true one of the next run.
async fn of_this_run(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.set_date_ahead(2 * DAY);
    stage.first("newSession", Deed::KillBefore);
    stage.renew().await?;
    stage.behave();
    stage.begun_elsewhere().await?;
    let mark = stage.mark();
    stage.renew().await?;
    stage.none_since(mark, "cancel")
}

/// Words of what was shown, those with digits left out: identifiers and times differ anyhow.
fn words(ended: &Ended) -> BTreeSet<String> {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let words = ended.shown.split_whitespace().map(bare);
    words.filter(|word| !word.is_empty() && word.chars().all(char::is_alphabetic)).collect()
}

async fn warns(play: Play) -> Outcome {
    let mut shown = Vec::new();
    for ahead in [0, 3600] {
        let stage = play.stage_of(Setup { ahead, ..Setup::default() }).await?;
        let ended = stage.renew().await?;
        stage.renewed(&ended).await?;
        shown.push(words(&ended));
    }
    ensure(shown[1].difference(&shown[0]).next().is_some(), "a warning", "the same words as ever")
}

async fn defer_then_renew(play: Play) -> Outcome {
    play.able(Ability::Defer).await?;
    let stage = play.stage().await?;
    exits(&stage.run("defer").await?, &[0])?;
    recovers(&stage).await
}

async fn not_offered(play: Play) -> Outcome {
    play.able(Ability::Defer).await?;
    let stage = play.stage().await?;
    tell(&stage, Some(true), true);
    stage.run("defer").await?;
    stage.none_since(0, "defer")?;
    recovers(&stage).await
}
