//! SPEC.md 5: TLS, headers, nonces, and how long to leave the bank alone.

use std::collections::BTreeSet;
use std::time::Duration;

use super::case;
use super::customer::Wish;
use super::deed::Deed;
use super::forge::{self, problem};
use super::seen::{Made, Seen};
use super::stage::{Play, Setup};
use super::truth::{does_not_succeed, exits, recovers};
use crate::case::{Case, Need, Outcome, Stop, ensure};

/// A response and the next request are this much closer than they seem, at most: clocks of the suite tick while it works.
const TOLERANCE: Duration = Duration::from_millis(30);

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases = vec![
        case("tls/unknown-root", "Nothing is sent to a bank whose TLS certificate is of a root that the client was not told of.")
            .shows(&["HTP-02"])
            .run(|play| tls(play, Setup { unknown_tls: true, ..Setup::default() })),
        case("tls/other-name", "Nothing is sent to a bank whose TLS certificate is another host's.")
            .shows(&["HTP-02"])
            .run(|play| tls(play, Setup { octet: Some(2), ..Setup::default() })),
        case("request/form", "Each signed request is a POST of `application/jose+json` with the three members of a flattened JWS.")
            .shows(&["HTP-20"])
            .run(form),
        case("request/accept-language", "Requests say which language the user reads.")
            .shows(&["HDR-07"])
            .run(language),
        case("nonce/once", "Each nonce is in one request only, over losses, refusals and restarts.")
            .shows(&["NON-07"])
            .run(nonce_once),
        case("nonce/asked-for", "Where answers bring no nonce the client asks newNonce for one, and never uses one twice.")
            .shows(&["NON-07"])
            .run(nonce_asked_for),
        case("wait/seconds", "A newSession refused with 429 and `Retry-After` of 2 seconds is not repeated sooner.")
            .shows(&["RTA-02", "RTA-03"])
            .needs(&[Need::Time])
            .run(|play| waits(play, "newSession", "rateLimited", 429, Form::Seconds(2))),
        case("wait/date", "A newSession refused with 503 and a date in `Retry-After` is not repeated sooner.")
            .shows(&["RTA-02", "RTA-03"])
            .needs(&[Need::Time])
            .run(|play| waits(play, "newSession", "unavailable", 503, Form::Date(3))),
        case("wait/new-order", "A newOrder refused with 503 and `Retry-After` is not repeated sooner, and with the same key.")
            .shows(&["RTA-03", "CLI-31"])
            .needs(&[Need::Time])
            .run(|play| waits(play, "newOrder", "unavailable", 503, Form::Seconds(2))),
        case("wait/confirm", "A confirm refused with 429 and a date in `Retry-After` is not repeated sooner.")
            .shows(&["RTA-03"])
            .needs(&[Need::Time])
            .run(|play| waits(play, "confirm", "rateLimited", 429, Form::Date(3))),
        case("wait/directory", "A directory refused with 503 and `Retry-After` is not asked for sooner.")
            .shows(&["RTA-03"])
            .needs(&[Need::Time])
            .run(|play| waits(play, "directory", "unavailable", 503, Form::Seconds(2))),
        case("wait/zero", "A `Retry-After` of no seconds is taken as one second.")
            .shows(&["RTA-05"])
            .needs(&[Need::Time])
            .run(|play| waits(play, "newOrder", "unavailable", 503, Form::Seconds(0))),
        case("wait/date-passed", "A date in `Retry-After` that has passed is taken as one second.")
            .shows(&["RTA-05"])
            .needs(&[Need::Time])
            .run(|play| waits(play, "newOrder", "unavailable", 503, Form::Date(-60))),
        case("wait/bank-ahead", "A date in `Retry-After` counts from the answer's `Date`, also where that is two days ahead of the client's clock.")
            .shows(&["RTA-06"])
            .needs(&[Need::Time])
            .run(|play| by_the_banks_date(play, 2 * 86_400)),
        case("wait/bank-behind", "A date in `Retry-After` counts from the answer's `Date`, also where that is two days behind the client's clock.")
            .shows(&["RTA-06"])
            .needs(&[Need::Time])
            .run(|play| by_the_banks_date(play, -2 * 86_400)),
        case("wait/capped", "No wait is longer than a tenth of what is left of the certificate's life.")
            .shows(&["RTA-04"])
            .needs(&[Need::Time])
            .run(capped),
        case("wait/no-answer", "An answer of 503 that is no problem document, with `Retry-After`, is waited for, too.")
            .shows(&["RTA-03", "ERR-07"])
            .needs(&[Need::Time])
            .run(no_document),
    ];
    for (slug, seconds, words) in [
        ("slow/no-retry-after", None, "without `Retry-After`"),
        ("slow/zero", Some("0"), "with `Retry-After` of 0"),
        ("slow/two-seconds", Some("2"), "with `Retry-After` of 2 seconds"),
    ] {
        cases.push(
            case(
                slug,
                format!("An order that stays `processing` {words} is read again until it is there, once a second at most."),
            )
            .shows(if seconds == Some("2") { &["RTA-03"] } else { &["RTA-07", "RTA-05"] })
            .needs(&[Need::Time])
            .run(move |play| slow(play, seconds)),
        );
    }
    cases
}

async fn tls(play: Play, setup: Setup) -> Outcome {
    let stage = play.stage_of(setup).await?;
    let ended = stage.renew().await?;
    ensure(stage.mark() == 0, "no request arrives", stage.mark())?;
    does_not_succeed(&ended)
}

async fn form(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.renewed_before().await?;
    let mut count = 0;
    for seen in stage.seen().into_iter().filter(Seen::is_signed) {
        count += 1;
        let media_type = seen.headers.get("content-type").and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default();
        ensure(
            seen.method == http::Method::POST && media_type == "application/jose+json",
            "POST with `application/jose+json`",
            format_args!("{} with `{media_type}`", seen.method),
        )?;
        let jws: serde_json::Value = serde_json::from_slice(&seen.body).map_err(Stop::blocked)?;
        let members = jws.as_object().map_or(0, serde_json::Map::len);
        ensure(members == 3, "three members", members)?;
        ensure(seen.header("url") == seen.url, &seen.url, seen.header("url"))?;
    }
    ensure(count >= 3, "at least three signed requests", count)
}

async fn language(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.renewed_before().await?;
    let without = stage
        .seen()
        .into_iter()
        .find(|seen| seen.is_signed() && !seen.headers.contains_key("accept-language"));
    ensure(
        without.is_none(),
        "`Accept-Language` in every signed request",
        without.map_or("", |seen| seen.operation),
    )
}

/// Fails if a nonce was sent twice.
fn each_nonce_once(all: &[Seen]) -> Outcome {
    let mut known = BTreeSet::new();
    for seen in all.iter().filter(|seen| seen.is_signed()) {
        let nonce = seen.header("nonce");
        ensure(
            known.insert(nonce.to_owned()),
            "a nonce of its own in each request",
            format_args!("{} with the nonce {nonce} of an earlier one", seen.operation),
        )?;
    }
    Ok(())
}

async fn nonce_once(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.first("newSession", Deed::say(problem("badNonce", 400, "retry")));
    stage.first("newOrder", Deed::LoseRequest);
    stage.first("confirm", Deed::KillAfter);
    let mut ended = stage.renew().await?;
    for _ in 0..3 {
        if ended.code == Some(0) {
            break;
        }
        ended = stage.renew().await?;
    }
    each_nonce_once(&stage.seen())?;
    stage.renewed(&ended).await
}

async fn nonce_asked_for(play: Play) -> Outcome {
    let stage = play.stage().await?;
    for operation in ["directory", "newSession", "newOrder", "read"] {
        stage.every(operation, Deed::change(|_, made| made.drop_header("replay-nonce")));
    }
    let ended = stage.renew().await?;
    each_nonce_once(&stage.seen())?;
    stage.renewed(&ended).await?;
    let asked = stage.of("newNonce").len();
    ensure(asked >= 1, "newNonce is asked", "it is not")
}

/// A form of `Retry-After`.
#[derive(Clone, Copy)]
enum Form {
    Seconds(u32),
    Date(i64),
}

/// How long after the refusal the next request of that operation came, at least.
fn gap(all: &[Seen]) -> Option<Duration> {
    let [first, second, ..] = all else { return None };
    Some(second.at.duration_since(first.at))
}

/// One refusal; the same request again no sooner than it says. A date has whole seconds, so that up to one is lost.
async fn waits(
    play: Play,
    operation: &'static str,
    token: &'static str,
    status: u16,
    form: Form,
) -> Outcome {
    let stage = play.stage().await?;
    let dates = stage.dates();
    stage.first(
        operation,
        Deed::answer(move |_| {
            let value = match form {
                Form::Seconds(seconds) => seconds.to_string(),
                Form::Date(seconds) => dates(seconds),
            };
            problem(token, status, "wait").with("retry-after", &value)
        }),
    );
    let ended = stage.renew().await?;
    let all = stage.of(operation);
    let least = Duration::from_secs(match form {
        Form::Seconds(seconds) => u64::from(seconds.max(1)),
        Form::Date(seconds) => u64::try_from(seconds - 1).unwrap_or(0).max(1),
    });
    if let Some(gap) = gap(&all) {
        ensure(
            gap + TOLERANCE >= least,
            format_args!("{least:?} between the refusal and the next {operation}"),
            format_args!("{gap:?}"),
        )?;
    } else {
        // It may leave it to another run, and says so.
        exits(&ended, &[10])?;
        return recovers(&stage).await;
    }
    stage.renewed(&ended).await
}

async fn by_the_banks_date(play: Play, ahead: i64) -> Outcome {
    let stage = play.stage_of(Setup { ahead, ..Setup::default() }).await?;
    let dates = stage.dates();
    stage.first(
        "newSession",
        Deed::answer(move |_| problem("unavailable", 503, "wait").with("retry-after", &dates(3))),
    );
    let ended = stage.renew().await?;
    let Some(gap) = gap(&stage.of("newSession")) else {
        return Err(Stop::fail("the request again after three seconds", ended.how()));
    };
    ensure(
        gap + TOLERANCE >= Duration::from_secs(2),
        "a wait of three seconds",
        format!("{gap:?}"),
    )?;
    stage.renewed(&ended).await
}

async fn capped(play: Play) -> Outcome {
    // A tenth of what is left of a hundred seconds is ten.
    let wish = Wish { ends_in: 100, ..Wish::default() };
    let stage = play.stage_of(Setup { wish, ..Setup::default() }).await?;
    stage.first(
        "newOrder",
        Deed::say(problem("unavailable", 503, "wait").with("retry-after", "3600")),
    );
    let ended = stage.renew().await?;
    if let Some(gap) = gap(&stage.of("newOrder")) {
        // What the machine is busy with comes on top.
        ensure(gap < Duration::from_secs(30), "a wait of at most ten seconds", format!("{gap:?}"))?;
        return stage.renewed(&ended).await;
    }
    exits(&ended, &[10])
}

async fn no_document(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let made = Made::new(503, "text/html", "<h1>Down</h1>").with("retry-after", "2");
    stage.first("newSession", Deed::say(made));
    let ended = stage.renew().await?;
    match gap(&stage.of("newSession")) {
        Some(gap) => ensure(
            gap + TOLERANCE >= Duration::from_secs(2),
            "two seconds between the answer and the next newSession",
            format!("{gap:?}"),
        )?,
        None => exits(&ended, &[10])?,
    }
    recovers(&stage).await
}

async fn slow(play: Play, retry_after: Option<&'static str>) -> Outcome {
    let stage = play.stage().await?;
    let slow = forge::processing(3, retry_after);
    for operation in ["newOrder", "read order"] {
        stage.every(operation, slow.clone());
    }
    let ended = stage.renew().await?;
    let looks: Vec<Seen> = stage
        .seen()
        .into_iter()
        .filter(|seen| seen.is("newOrder") || seen.is("read order"))
        .collect();
    ensure(looks.len() >= 2, "the order is read again", looks.len())?;
    let least = Duration::from_secs(if retry_after == Some("2") { 2 } else { 1 });
    for pair in looks.windows(2) {
        let gap = pair[1].at.duration_since(pair[0].at);
        ensure(
            gap + TOLERANCE >= least,
            format_args!("{least:?} between two looks at the order"),
            format_args!("{gap:?}"),
        )?;
    }
    stage.renewed(&ended).await
}
