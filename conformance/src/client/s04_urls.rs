//! SPEC.md 4.4: what a client opens, signs for, and follows.

use std::time::Duration;

use serde_json::{Value, json};

use super::case;
use super::deed::Deed;
use super::front::Trap;
use super::seen::Made;
use super::stage::Play;
use super::truth::{recovers, recovers_anyhow};
use crate::case::{Case, Outcome, ensure};

const WATCHED: Duration = Duration::from_secs(3);

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases = Vec::new();
    for (slug, operation, pointer) in [
        ("new-session", "directory", "/newSession"),
        ("new-order", "directory", "/newOrder"),
        ("order", "newOrder", "/self"),
        ("confirm", "newOrder", "/confirm"),
        ("logoff", "newSession", "/logoff"),
    ] {
        for elsewhere in [true, false] {
            let (kind, words) =
                if elsewhere { ("host", "at another host") } else { ("path", "above the base") };
            cases.push(
                case(
                    format!("base/{slug}-{kind}"),
                    format!(
                        "Nothing is sent to a URL {words} that the bank gives as `{}`.",
                        &pointer[1..]
                    ),
                )
                .shows(&["URL-02"])
                .run(move |play| outside(play, operation, pointer, elsewhere)),
            );
        }
    }
    cases.push(
        case("base/kid", "No request is signed for a session whose URL is outside of the base.")
            .shows(&["URL-02"])
            .run(kid),
    );
    for (status, operation) in
        [(301, "directory"), (302, "newSession"), (307, "newOrder"), (308, "confirm")]
    {
        cases.push(
            case(
                format!("redirect/{status}"),
                format!("A redirect ({status}) of {operation} is not followed."),
            )
            .shows(&["URL-03"])
            .run(move |play| redirect(play, operation, status)),
        );
    }
    cases.extend([
        case("people/urls", "URLs for people are not opened by the client.")
            .shows(&["URL-04"])
            .run(for_people),
        case(
            "directory/urls",
            "The client takes the URLs of resources from the directory, and builds none.",
        )
        .shows(&["DIR-02"])
        .run(from_the_directory),
    ]);
    cases
}

async fn outside(
    play: Play,
    operation: &'static str,
    pointer: &'static str,
    elsewhere: bool,
) -> Outcome {
    let stage = play.stage().await?;
    let trap = Trap::set().await?;
    let base = stage.base();
    let above = base.trim_end_matches("koshin/").to_owned();
    let wrong = if elsewhere {
        format!("https://{}/koshin/x", trap.authority)
    } else {
        format!("{above}other/x")
    };
    let url = wrong.clone();
    stage.every(
        operation,
        Deed::edit(move |it| {
            if let Some(member) = it.pointer_mut(pointer) {
                *member = json!(url);
            }
        }),
    );
    let action = if pointer == "/logoff" { "defer" } else { "renew" };
    stage.watch(action, WATCHED).await?;
    ensure(trap.caught() == 0, "nobody connects to another host", trap.caught())?;
    let sent = stage.seen().into_iter().find(|seen| !seen.url.starts_with(&base));
    ensure(
        sent.is_none(),
        "every request goes below the base",
        sent.map_or(String::new(), |seen| seen.url),
    )?;
    let signed = stage.seen().into_iter().find(|seen| seen.header("url") == wrong);
    ensure(signed.is_none(), "nothing is signed for that URL", &wrong)?;
    recovers(&stage).await
}

async fn kid(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let base = stage.base();
    let above = base.trim_end_matches("koshin/").to_owned();
    stage.every(
        "newSession",
        Deed::change(move |_, made| {
            if made.is_success() {
                made.set_header("location", &format!("{above}other/session"));
            }
        }),
    );
    stage.watch("renew", WATCHED).await?;
    let wrong = stage.seen().into_iter().find(|seen| {
        let kid = seen.header("kid");
        !kid.is_empty() && !kid.starts_with(&base)
    });
    ensure(
        wrong.is_none(),
        "no `kid` outside of the base",
        wrong.map_or(String::new(), |seen| seen.header("kid").to_owned()),
    )?;
    recovers(&stage).await
}

async fn redirect(play: Play, operation: &'static str, status: u16) -> Outcome {
    let stage = play.stage().await?;
    let target = format!("{}elsewhere", stage.base());
    let made = Made::new(status, "text/plain", "gone").with("location", &target);
    stage.every(operation, Deed::say(made));
    stage.watch("renew", WATCHED).await?;
    let followed = stage.seen().into_iter().any(|seen| seen.url == target);
    ensure(!followed, "the redirect is not followed", "it was")?;
    recovers(&stage).await
}

async fn for_people(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let page = format!("{}page", stage.base());
    let url = page.clone();
    stage.every(
        "directory",
        Deed::edit(move |it| {
            it["meta"]["website"] = json!(url);
            it["meta"]["termsOfService"] = json!(url);
        }),
    );
    let url = page.clone();
    stage.every("renewalInfo", Deed::edit(move |it| it["explanationURL"] = json!(url)));
    let mut refusal = super::forge::problem("subjectDisabled", 403, "stop");
    let mut problem = refusal.json();
    problem["remedy"]["url"] = json!(page);
    refusal.body = problem.to_string().into_bytes();
    stage.first("newOrder", Deed::say(refusal));
    stage.renew().await?;
    let opened = stage.seen().into_iter().any(|seen| seen.url == page);
    ensure(!opened, "no URL for people is opened", &page)?;
    recovers_anyhow(&stage).await
}

async fn from_the_directory(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let base = stage.base();
    let moved = format!("{base}moved-by-the-suite");
    let url = moved.clone();
    stage.every("directory", Deed::edit(move |it| it["newSession"] = json!(url)));
    stage.every("unknown", Deed::say(super::forge::problem("notFound", 404, "stop")));
    stage.watch("renew", WATCHED).await?;
    let sent = stage.of("newSession");
    ensure(!sent.is_empty(), format!("newSession is sent to {moved}"), "none is sent")?;
    let wrong = sent.into_iter().find(|seen| seen.url != moved || seen.header("url") != moved);
    ensure(
        wrong.is_none(),
        format!("every newSession is sent to, and signed for, {moved}"),
        wrong.map_or(Value::Null, |seen| json!(seen.url)),
    )
}
