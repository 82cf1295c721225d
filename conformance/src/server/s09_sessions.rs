//! SPEC.md 9.1, 9.2, 9.4: sessions, and the environment in which they begin.

use std::time::Duration;

use koshin_protocol::environment::{EnvironmentRule, EnvironmentText};
use koshin_protocol::problem::{Extra, Token};
use koshin_protocol::session::Session;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::answer::Answer;
use super::bank::date;
use super::deed::Ticket;
use super::key::Key;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// How many logons of one certificate are sent at a time.
const AT_ONCE: usize = 8;

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = sessions();
    cases.extend(times());
    cases.extend(environments());
    cases
}

fn sessions() -> Vec<Case<Bank>> {
    vec![
        case("session/logon-ends-the-former", "A logon ends the former session of the same certificate.")
            .shows(&["SES-20"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let former = bank.log_on(&person).await?;
                ensure(bank.is_active(&former).await?, "the first session active", "ended").prepares("the first logon")?;
                let latter = bank.log_on(&person).await?;
                bank.read(&former.url, &former.by()).await?.refused(Token::SessionEnded)?;
                ensure(bank.is_active(&latter).await?, "the second session active", "ended")
            }),
        case("session/logons-at-once", "Of several logons of one certificate at the same time one session is left.")
            .shows(&["SES-21"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let mut logons = JoinSet::new();
                for _ in 0..AT_ONCE {
                    let (bank, person) = (bank.clone(), person.clone());
                    logons.spawn(async move {
                        let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
                        bank.logged_on(&person.pair, &answer)
                    });
                }
                let mut active = 0;
                for logon in logons.join_all().await {
                    active += usize::from(bank.is_active(&logon.prepares("a logon")?).await?);
                }
                ensure(active == 1, "one session", format_args!("{active} sessions"))
            }),
        case("session/of-other-subjects", "A logon ends no session of another subject of the same contract.")
            .shows(&["SES-22"])
            .run(|bank: Bank| async move {
                let (administrator, user) = bank.contract().await?;
                let one = bank.log_on(&administrator).await?;
                let other = bank.log_on(&user).await?;
                ensure(bank.is_active(&one).await?, "the administrator's session active", "ended")?;
                bank.log_on(&administrator).await?;
                ensure(bank.is_active(&other).await?, "the user's session active", "ended")
            }),
        case("session/order-stays-after-logoff", "An order is as it was after the session that placed it was logged off, and the next one has it.")
            .shows(&["SES-23", "SES-02"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let logon = bank.log_on(&person).await?;
                let placed = bank.order(&logon).await?;
                bank.try_log_off(&logon).await?.status(204).prepares("logoff")?;
                let order = bank.read_order(placed.url(), &placed.by_key()).await?;
                ensure(order == placed.order, "the order as it was", order.status.name())?;
                let next = bank.log_on(&person).await?;
                ensure(
                    next.session.order.as_ref() == Some(placed.url()),
                    format_args!("`order` {}", placed.url()),
                    format!("{:?}", next.session.order),
                )?;
                bank.confirm(&placed).await.map(drop)
            }),
        case("session/order-stays-after-logon", "An order is as it was after a further logon, whose session may cancel it.")
            .shows(&["SES-23"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let placed = bank.order(&bank.log_on(&person).await?).await?;
                let next = bank.log_on(&person).await?;
                let order = bank.read_order(placed.url(), &placed.by_key()).await?;
                ensure(order == placed.order, "the order as it was", order.status.name())?;
                bank.try_cancel(&placed, &next).await?.status(200)
            }),
    ]
}

fn times() -> Vec<Case<Bank>> {
    let expires = |session: &Session, answer: &Answer| {
        let date = date(answer).ok_or_else(|| answer.not("a Date"))?;
        Ok::<_, Stop>((session.expires, date))
    };
    vec![
        case("session/expires-in-time", "A session tells an end that lies ahead, at most an absolute time away, and never goes back.")
            .shows(&["SES-33", "SES-31"])
            .needs(&[Need::Time])
            .run(move |bank: Bank| async move {
                let person = bank.user().await?;
                let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
                let logon = bank.logged_on(&person.pair, &answer)?;
                let (first, began) = expires(&logon.session, &answer)?;
                ensure(first > began, "an end that lies ahead", first)?;
                tokio::time::sleep(Duration::from_secs(2)).await;
                let answer = bank.read(&logon.url, &logon.by()).await?;
                let (second, later) = expires(&answer.object(200)?, &answer)?;
                let moved = second.seconds_since(first);
                let passed = later.seconds_since(began);
                // Counted from the request: as much later as the request is, or at the absolute end, which stands.
                ensure(
                    moved == 0 || (moved - passed).abs() <= 1,
                    format_args!("`expires` {passed} s later, or the same"),
                    format_args!("{moved} s later"),
                )
            }),
    ]
}

/// An environment in which one member is another.
async fn other(bank: &Bank, member: &str, value: impl Into<Value>) -> Outcome<Value> {
    let mut payload = bank.logon_payload(None, "renewal").await?;
    payload["environment"][member] = value.into();
    Ok(payload)
}

/// The first requirement of the bank's list that has a least version.
async fn versioned(bank: &Bank) -> Outcome<EnvironmentRule> {
    let rules = &bank.directory().await?.meta.environments;
    match rules.first() {
        None => Err(Stop::Skipped("this bank takes every environment".to_owned())),
        Some(rule) if rule.os_version.is_none() => {
            Err(Stop::Skipped("this bank's first environment has no `osVersion`".to_owned()))
        }
        Some(rule) => Ok(rule.clone()),
    }
}

/// A version just below another: its last number that is not 0 is one less.
fn below(version: &str) -> Option<String> {
    let mut numbers: Vec<u64> =
        version.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let last = numbers.iter_mut().rev().find(|number| **number > 0)?;
    *last -= 1;
    let text: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Some(text.join("."))
}

type Other = fn(&str) -> String;

/// What becomes of the operating system's name.
const NAMES: [(&str, &str, Other); 3] = [
    ("other-system", "another operating system", |_| "plan9".to_owned()),
    ("other-case", "the operating system in other letters", |os| {
        let swapped = |c: char| {
            if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
        };
        os.chars().map(swapped).collect()
    }),
    ("space-after", "the operating system with a space after it", |os| format!("{os} ")),
];

fn environments() -> Vec<Case<Bank>> {
    type Change = fn(&str) -> Option<String>;
    // What becomes of the least version, and whether it is still met.
    const VERSIONS: [(&str, &str, bool, Change); 9] = [
        ("least", "the least version itself", true, |least| Some(least.to_owned())),
        ("least-and-zero", "the least version with a further `.0`", true, |least| {
            Some(format!("{least}.0"))
        }),
        ("later-below", "a version that is later in a further number", true, |least| {
            Some(format!("{least}.1"))
        }),
        ("later-at-once", "a version that is later in its first number", true, |least| {
            let (first, _) = least.split_once('.').unwrap_or((least, ""));
            Some(format!("{}", first.parse::<u64>().ok()? + 1))
        }),
        ("earlier", "a version that is earlier", false, below),
        ("earlier-and-longer", "a version that is earlier, with further numbers", false, |least| {
            Some(format!("{}.99.99", below(least)?))
        }),
        ("no-version", "a version that is no dotted numbers", false, |_| Some("22H2".to_owned())),
        ("empty-number", "a version with an empty number", false, |least| {
            Some(format!("{least}."))
        }),
        ("signed", "a version with a sign", false, |least| Some(format!("+{least}"))),
    ];
    let mut cases: Vec<Case<Bank>> = VERSIONS
        .into_iter()
        .map(|(name, said, met, change)| {
            let (verb, shows) = if met { ("accepted", "ENV-01") } else { ("refused", "ENV-01") };
            let sentence = format!("A logon from {said} is {verb}.");
            case(format!("environment/{name}"), sentence).shows(&[shows]).run(
                move |bank: Bank| async move {
                    let rule = versioned(&bank).await?;
                    let least =
                        rule.os_version.as_ref().map(EnvironmentText::as_str).unwrap_or_default();
                    let version = change(least).ok_or_else(|| {
                        Stop::Skipped(format!("there is nothing below the version {least:?}"))
                    })?;
                    let payload = other(&bank, "osVersion", version).await?;
                    let person = bank.user().await?;
                    if met {
                        return bank.try_log_on(&person.pair, payload).await?.status(201);
                    }
                    unsupported(&bank, &person.pair, payload).await
                },
            )
        })
        .collect();
    cases.extend(NAMES.into_iter().map(|(name, said, change)| {
        let sentence =
            format!("A logon from {said} is refused, with the list of those that are supported.");
        case(format!("environment/{name}"), sentence).shows(&["ENV-01"]).run(
            move |bank: Bank| async move {
                let rule = versioned(&bank).await?;
                let payload = other(&bank, "os", change(rule.os.as_str())).await?;
                unsupported(&bank, &bank.user().await?.pair, payload).await
            },
        )
    }));
    cases.push(
        case("environment/all", "A bank without a list takes any environment.")
            .shows(&["ENV-02"])
            .run(|bank: Bank| async move {
                if !bank.directory().await?.meta.environments.is_empty() {
                    return Err(Stop::Skipped("this bank has a list of environments".to_owned()));
                }
                let payload = other(&bank, "os", "plan9").await?;
                bank.try_log_on(&bank.user().await?.pair, payload).await?.status(201)
            }),
    );
    cases.push(
        case("environment/enrollment", "An enrollment from an unsupported environment is refused, and made from a supported one.")
            .shows(&["ENV-01"])
            .needs(&[Need::Full])
            .run(|bank: Bank| async move {
                versioned(&bank).await?;
                let (administrator, user) = bank.contract().await?;
                let logon = bank.log_on(&administrator).await?;
                let (ticket, _, _): (Ticket, _, _) = bank.reissue(&logon, &user, "keyLost").await?;
                let key = Key::new();
                let right = bank.new_enrollment(&ticket, user.pair.name(), &key).await?;
                let mut wrong = right.clone();
                wrong["environment"]["os"] = json!("plan9");
                let refused = bank.try_enroll(&key, wrong).await?;
                bank.try_enroll(&key, right).await?.status(201).prepares("the same enrollment from a supported environment")?;
                refused.refused(Token::EnvironmentUnsupported).map(drop)
            }),
    );
    cases
}

/// The logon is refused with the bank's list, and accepted from a supported environment.
async fn unsupported(bank: &Bank, pair: &super::key::Pair, payload: Value) -> Outcome {
    let refused = bank.try_log_on(pair, payload).await?;
    let right = bank.logon_payload(None, "renewal").await?;
    bank.try_log_on(pair, right)
        .await?
        .status(201)
        .prepares("the same logon from a supported environment")?;
    let problem = refused.refused(Token::EnvironmentUnsupported)?;
    let list = &bank.directory().await?.meta.environments;
    match &problem.extra {
        Extra::Environments(told) if told == list => Ok(()),
        other => Err(Stop::fail("the list `environments` of the directory", format!("{other:?}"))),
    }
}
