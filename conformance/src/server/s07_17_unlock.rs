//! SPEC.md 7.17 and 7.18: unlocking and changing a PIN.

use koshin_protocol::contract::PinState;
use koshin_protocol::operation::Operation;
use koshin_protocol::problem::Token;
use koshin_protocol::subject::Role;
use serde_json::{Value, json};

use super::deed::Logon;
use super::person::Person;
use super::refusal::alike;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The right PIN of these cases, one that is wrong, and a new one.
const RIGHT: &str = "481516";
const WRONG: &str = "234242";
const NEW: &str = "108108";

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = unlocking();
    cases.extend(changing());
    cases.extend(unacceptable());
    for case in &mut cases {
        case.about.needs.extend([Need::Full, Need::Pin]);
    }
    cases
}

/// An administrator's session and a user with a PIN.
pub(super) async fn with_pin(bank: &Bank) -> Outcome<(Logon, Person)> {
    let administrator = bank.person(bank.wanted(Role::Administrator).await?.of("together")).await?;
    let user = bank.wanted(Role::User).await?.of("together").with_pin(RIGHT);
    Ok((bank.log_on(&administrator).await?, bank.person(user).await?))
}

async fn wrong(bank: &Bank, person: &Person, times: usize) -> Outcome {
    for _ in 0..times {
        let answer = bank.try_log_on_for(&person.pair, Some(WRONG), "renewal").await?;
        answer.refused(Token::PinWrong).prepares("a wrong PIN")?;
    }
    Ok(())
}

/// Locks it.
pub(super) async fn lock(bank: &Bank, person: &Person) -> Outcome {
    wrong(bank, person, 4).await?;
    let answer = bank.try_log_on_for(&person.pair, Some(WRONG), "renewal").await?;
    answer.refused(Token::PinLocked).map(drop).prepares("the fifth wrong PIN")
}

async fn pin_state(bank: &Bank, by: &Logon, person: &Person, state: PinState) -> Outcome {
    let contract = bank.read_contract(by).await?;
    let entry = contract.subjects.iter().find(|entry| entry.id.as_str() == person.subject);
    let entry = entry.ok_or_else(|| Stop::fail("the subject in its contract", "not there"))?;
    ensure(entry.pin == state, format_args!("`pin` {}", state.as_str()), entry.pin.as_str())
}

fn unlocking() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case("unlock/locked", "An administrator unlocks a locked PIN, and the same PIN logs on again.").shows(&["UNL-01"]).run(|bank: Bank| async move {
            let (by, user) = with_pin(&bank).await?;
            lock(&bank, &user).await?;
            pin_state(&bank, &by, &user, PinState::Locked).await?;
            bank.try_log_on_for(&user.pair, Some(RIGHT), "renewal").await?.refused(Token::PinLocked)?;
            bank.try_unlock(&by, &user.subject).await?.empty(204)?;
            pin_state(&bank, &by, &user, PinState::Set).await?;
            bank.try_log_on_for(&user.pair, Some(RIGHT), "renewal").await?.status(201)
        }),
        case("unlock/not-locked", "Unlocking what is not locked is answered 204 and sets the count to zero.").shows(&["UNL-01"]).run(|bank: Bank| async move {
            let (by, user) = with_pin(&bank).await?;
            for _ in 0..3 {
                wrong(&bank, &user, 4).await?;
                bank.try_unlock(&by, &user.subject).await?.empty(204)?;
            }
            bank.try_log_on_for(&user.pair, Some(RIGHT), "renewal").await?.status(201)
        }),
        case("unlock/again", "Unlocking twice is answered 204 both times, also for a user without a PIN.").shows(&["UNL-01"]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let by = bank.log_on(&administrator).await?;
            bank.try_unlock(&by, &user.subject).await?.empty(204)?;
            bank.try_unlock(&by, &user.subject).await?.empty(204)
        }),
        case("unlock/subject-unknown", "A subject of another contract is unknown, looks like one that is not, and stays locked.").shows(&["UNL-02", "AUT-06"]).run(|bank: Bank| async move {
            let (by, user) = with_pin(&bank).await?;
            let stranger = bank.person(bank.wanted(Role::User).await?.with_pin(RIGHT)).await?;
            lock(&bank, &stranger).await?;
            let foreign = bank.try_unlock(&by, &stranger.subject).await?;
            foreign.refused(Token::SubjectUnknown)?;
            let absent = bank.try_unlock(&by, "nobody-has-this-id").await?;
            alike(&absent, &foreign)?;
            bank.try_log_on_for(&stranger.pair, Some(RIGHT), "renewal").await?.refused(Token::PinLocked)?;
            bank.try_unlock(&by, &user.subject).await?.status(204).prepares("unlocking a user of the contract")
        }),
        case("unlock/administrator", "An administrator unlocks neither itself nor another administrator.").shows(&["UNL-03"]).run(|bank: Bank| async move {
            let (by, user) = with_pin(&bank).await?;
            let other = bank.wanted(Role::Administrator).await?.of("together").with_pin(RIGHT);
            let other = bank.person(other).await?;
            lock(&bank, &other).await?;
            bank.try_unlock(&by, &other.subject).await?.refused(Token::NotAuthorized)?;
            bank.try_unlock(&by, by.session.subject.id.as_str()).await?.refused(Token::NotAuthorized)?;
            bank.try_log_on_for(&other.pair, Some(RIGHT), "renewal").await?.refused(Token::PinLocked)?;
            bank.try_unlock(&by, &user.subject).await?.status(204).prepares("unlocking a user of the contract")
        }),
    ];
    for (name, payload) in [
        ("empty", json!({})),
        ("number", json!({ "subject": 1 })),
        ("unknown-member", json!({ "subject": "x", "pin": "1" })),
    ] {
        cases.push(
            case(
                format!("unlock/payload-{name}"),
                format!("An unlock with the payload `{payload}` is refused."),
            )
            .shows(&["ENC-15"])
            .run(move |bank: Bank| {
                let payload = payload.clone();
                async move {
                    let (by, user) = with_pin(&bank).await?;
                    let url = bank.full().await?.unlock;
                    let right = bank.draft(
                        Operation::Unlock,
                        &url,
                        &by.by(),
                        &json!({ "subject": user.subject }),
                    );
                    let wrong = right.clone().payload(payload.to_string());
                    bank.refuses_before(wrong, Token::Malformed, right).await.map(drop)
                }
            }),
        );
    }
    cases
}

fn changing() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case(
            "change-pin/changed",
            "A changed PIN logs on, the old one does not, and the session goes on.",
        )
        .shows(&["PIN-20"])
        .run(|bank: Bank| async move {
            let (_, user) = with_pin(&bank).await?;
            let logon = bank.log_on(&user).await?;
            bank.try_change_pin(&logon, RIGHT, NEW).await?.empty(204)?;
            ensure(bank.is_active(&logon).await?, "the session active", "ended")?;
            bank.try_log_on_for(&user.pair, Some(RIGHT), "renewal")
                .await?
                .refused(Token::PinWrong)?;
            bank.try_log_on_for(&user.pair, Some(NEW), "renewal").await?.status(201)
        }),
        case(
            "change-pin/wrong-old",
            "A change with a wrong old PIN is refused, and the PIN stays.",
        )
        .shows(&["PIN-21"])
        .run(|bank: Bank| async move {
            let (_, user) = with_pin(&bank).await?;
            let logon = bank.log_on(&user).await?;
            let answer = bank.try_change_pin(&logon, WRONG, NEW).await?;
            answer.refused(Token::PinWrong)?;
            let left = answer.value()["attemptsLeft"].clone();
            ensure(left == 4, "`attemptsLeft` 4", left)?;
            bank.try_log_on_for(&user.pair, Some(NEW), "renewal")
                .await?
                .refused(Token::PinWrong)?;
            bank.try_log_on_for(&user.pair, Some(RIGHT), "renewal").await?.status(201)
        }),
        case(
            "change-pin/guessed",
            "Five wrong old PINs lock, and then not even the right one changes it.",
        )
        .shows(&["PIN-21", "PIN-05"])
        .run(|bank: Bank| async move {
            let (by, user) = with_pin(&bank).await?;
            let logon = bank.log_on(&user).await?;
            for _ in 0..4 {
                bank.try_change_pin(&logon, WRONG, NEW).await?.refused(Token::PinWrong)?;
            }
            bank.try_change_pin(&logon, WRONG, NEW).await?.refused(Token::PinLocked)?;
            bank.try_change_pin(&logon, RIGHT, NEW).await?.refused(Token::PinLocked)?;
            bank.try_unlock(&by, &user.subject).await?.status(204).prepares("unlock")?;
            bank.try_change_pin(&logon, RIGHT, NEW).await?.empty(204)
        }),
        case("change-pin/none", "A subject without a PIN changes none.").shows(&["PIN-23"]).run(
            |bank: Bank| async move {
                let (_, user) = with_pin(&bank).await?;
                let logon = bank.log_on(&user).await?;
                let without = bank.log_on(&bank.user().await?).await?;
                bank.try_change_pin(&without, RIGHT, NEW).await?.refused(Token::NotAuthorized)?;
                bank.try_change_pin(&logon, RIGHT, NEW)
                    .await?
                    .status(204)
                    .prepares("the same by a subject with a PIN")
            },
        ),
    ];
    let wrong: [(&str, Value); 4] = [
        ("no-old", json!({ "new": NEW })),
        ("no-new", json!({ "old": RIGHT })),
        ("number", json!({ "old": RIGHT, "new": 108_108 })),
        ("unknown-member", json!({ "old": RIGHT, "new": NEW, "subject": "x" })),
    ];
    for (name, payload) in wrong {
        cases.push(
            case(
                format!("change-pin/payload-{name}"),
                format!("A change of PIN with the payload `{payload}` is refused."),
            )
            .shows(&["ENC-15"])
            .run(move |bank: Bank| {
                let payload = payload.clone();
                async move {
                    let (_, user) = with_pin(&bank).await?;
                    let logon = bank.log_on(&user).await?;
                    let url = bank.full().await?.pin;
                    let right = bank.draft(
                        Operation::Pin,
                        &url,
                        &logon.by(),
                        &json!({ "old": RIGHT, "new": NEW }),
                    );
                    let wrong = right.clone().payload(payload.to_string());
                    bank.refuses_before(wrong, Token::Malformed, right).await.map(drop)
                }
            }),
        );
    }
    cases
}

fn unacceptable() -> Vec<Case<Bank>> {
    let new: [(&str, &str, fn(usize, usize) -> String); 7] = [
        ("short", "shorter than `minLength`", |least, _| "7".repeat(least - 1)),
        ("long", "longer than `maxLength`", |_, most| "7".repeat(most + 1)),
        ("empty", "empty", |_, _| String::new()),
        ("space", "with a space", |least, _| format!("{} ", "7".repeat(least))),
        ("umlaut", "with a letter that is not ASCII", |least, _| {
            format!("{}\u{fc}", "7".repeat(least))
        }),
        ("full-width", "in full-width digits", |least, _| "\u{ff17}".repeat(least)),
        ("equal", "that equals the old one", |_, _| RIGHT.to_owned()),
    ];
    new.into_iter()
        .map(|(name, said, new)| {
            case(format!("change-pin/unacceptable-{name}"), format!("A new PIN {said} is refused, the wrong old one with it is not counted, and the PIN stays."))
                .shows(&["PIN-22"])
                .run(move |bank: Bank| async move {
                    let directory = bank.directory().await?;
                    let rule = directory.pin_rule().ok_or_else(|| Stop::Skipped("this bank has no PINs".to_owned()))?;
                    let new = new(usize::from(rule.min_length()), usize::from(rule.max_length()));
                    let (_, user) = with_pin(&bank).await?;
                    let logon = bank.log_on(&user).await?;
                    let old = if name == "equal" { RIGHT } else { WRONG };
                    for _ in 0..6 {
                        bank.try_change_pin(&logon, old, &new).await?.refused(Token::PinUnacceptable)?;
                    }
                    bank.try_change_pin(&logon, RIGHT, NEW).await?.empty(204)
                })
        })
        .collect()
}
