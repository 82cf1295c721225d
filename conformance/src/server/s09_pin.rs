//! SPEC.md 9.3: the PIN, its count and its lock.

use koshin_protocol::problem::{Extra, Problem, Token};
use koshin_protocol::subject::Role;
use serde_json::json;
use tokio::task::JoinSet;

use super::answer::Answer;
use super::person::Person;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};
use crate::control::Request;

/// The right PIN of these cases, and one that is wrong.
const RIGHT: &str = "481516";
const WRONG: &str = "234242";

/// The fifth wrong one locks (PIN-04).
const TRIES: u32 = 5;

/// How many wrong PINs are sent at a time.
const AT_ONCE: usize = 20;

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = counted();
    cases.extend(impossible());
    cases.extend(uncounted());
    cases.extend(locked());
    for case in &mut cases {
        case.about.needs.push(Need::Pin);
    }
    cases
}

/// A user with a PIN.
async fn user(bank: &Bank) -> Outcome<Person> {
    bank.person(bank.wanted(Role::User).await?.with_pin(RIGHT)).await
}

async fn log_on(bank: &Bank, person: &Person, pin: Option<&str>) -> Outcome<Answer> {
    bank.try_log_on_for(&person.pair, pin, "renewal").await
}

fn left(problem: &Problem) -> Outcome<u32> {
    match problem.extra {
        Extra::AttemptsLeft(left) => Ok(left),
        _ => Err(Stop::fail("`attemptsLeft`", format!("{:?}", problem.extra))),
    }
}

/// A wrong PIN that leaves this many attempts.
async fn wrong(bank: &Bank, person: &Person, expected: u32) -> Outcome {
    let problem = log_on(bank, person, Some(WRONG)).await?.refused(Token::PinWrong)?;
    let left = left(&problem)?;
    ensure(left == expected, format_args!("`attemptsLeft` {expected}"), left)
}

async fn lock(bank: &Bank, person: &Person) -> Outcome {
    for left in (1..TRIES).rev() {
        wrong(bank, person, left).await?;
    }
    log_on(bank, person, Some(WRONG)).await?.refused(Token::PinLocked).map(drop)
}

fn counted() -> Vec<Case<Bank>> {
    vec![
        case("pin/required", "A logon without the PIN is refused, and accepted with it.")
            .shows(&["PIN-01"])
            .run(|bank: Bank| async move {
                let person = user(&bank).await?;
                let refused = log_on(&bank, &person, None).await?;
                log_on(&bank, &person, Some(RIGHT))
                    .await?
                    .status(201)
                    .prepares("the logon with the PIN")?;
                refused.refused(Token::PinRequired).map(drop)
            }),
        case("pin/ignored", "A PIN of a subject that has none is ignored, whatever it is.")
            .shows(&["PIN-02"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                for pin in ["0000", "!", "12345678901234567890123456789012345"] {
                    log_on(&bank, &person, Some(pin)).await?.status(201)?;
                }
                Ok(())
            }),
        case("pin/lock", "Wrong PINs count down from four to one, and the fifth locks.")
            .shows(&["PIN-03", "PIN-04"])
            .run(|bank: Bank| async move {
                let person = user(&bank).await?;
                log_on(&bank, &person, Some(RIGHT)).await?.status(201).prepares("the right PIN")?;
                lock(&bank, &person).await
            }),
        case("pin/right-one-resets", "A right PIN sets the count of wrong ones to zero.")
            .shows(&["PIN-06"])
            .run(|bank: Bank| async move {
                let person = user(&bank).await?;
                for _ in 0..3 {
                    wrong(&bank, &person, 4).await?;
                    wrong(&bank, &person, 3).await?;
                    log_on(&bank, &person, Some(RIGHT)).await?.status(201)?;
                }
                Ok(())
            }),
        case(
            "pin/kept-over-restarts",
            "The count of wrong PINs is the same after the bank was killed.",
        )
        .shows(&["PIN-07"])
        .needs(&[Need::Control, Need::Alone])
        .run(|bank: Bank| async move {
            let person = user(&bank).await?;
            wrong(&bank, &person, 4).await?;
            wrong(&bank, &person, 3).await?;
            bank.control(Request::Kill).await?;
            bank.control(Request::Start).await?;
            wrong(&bank, &person, 2).await?;
            log_on(&bank, &person, Some(RIGHT)).await?.status(201)
        }),
        case(
            "pin/guessed-at-once",
            "Twenty wrong PINs at the same time are no more than five tries.",
        )
        .shows(&["PIN-08"])
        .run(|bank: Bank| async move {
            let person = user(&bank).await?;
            log_on(&bank, &person, Some(RIGHT)).await?.status(201).prepares("the right PIN")?;
            let mut guesses = JoinSet::new();
            for _ in 0..AT_ONCE {
                let (bank, person) = (bank.clone(), person.clone());
                guesses.spawn(async move { log_on(&bank, &person, Some(WRONG)).await });
            }
            let mut tried = Vec::new();
            for answer in guesses.join_all().await {
                let problem = answer?.refused_with(&[Token::PinWrong, Token::PinLocked])?;
                if matches!(problem.extra, Extra::AttemptsLeft(_)) {
                    tried.push(left(&problem)?);
                }
            }
            tried.sort_unstable();
            ensure(
                tried == [1, 2, 3, 4],
                "`attemptsLeft` 1, 2, 3 and 4 once each",
                format!("{tried:?}"),
            )?;
            log_on(&bank, &person, Some(RIGHT)).await?.refused(Token::PinLocked).map(drop)
        }),
        case(
            "pin/change-counts",
            "A wrong `old` at a change of PIN is counted with the wrong ones at logon.",
        )
        .shows(&["PIN-21", "PIN-04"])
        .run(|bank: Bank| async move {
            let person = user(&bank).await?;
            let logon = bank.log_on(&person).await?;
            for expected in [4, 3] {
                let problem =
                    bank.try_change_pin(&logon, WRONG, "777777").await?.refused(Token::PinWrong)?;
                ensure(
                    left(&problem)? == expected,
                    format_args!("`attemptsLeft` {expected}"),
                    left(&problem)?,
                )?;
            }
            wrong(&bank, &person, 2).await
        }),
    ]
}

/// PINs that cannot be right are counted all the same, and so tell nothing of the rule.
fn impossible() -> Vec<Case<Bank>> {
    const PINS: [(&str, &str, &str); 6] = [
        ("short", "too short", "1"),
        (
            "long",
            "too long",
            "12345678901234567890123456789012345678901234567890123456789012345678",
        ),
        ("space", "with a space", "481 516"),
        ("wide-digits", "in full-width digits", "４８１５１６"),
        ("padded", "the right one with a space after it", "481516 "),
        ("prefix", "the beginning of the right one", "48151"),
    ];
    PINS.into_iter()
        .map(|(name, said, pin)| {
            let sentence = format!("A PIN that is {said} is counted as a wrong one.");
            case(format!("pin/impossible-{name}"), sentence).shows(&["PIN-10", "PIN-03"]).run(
                move |bank: Bank| async move {
                    let person = user(&bank).await?;
                    let problem =
                        log_on(&bank, &person, Some(pin)).await?.refused(Token::PinWrong)?;
                    ensure(left(&problem)? == 4, "`attemptsLeft` 4", left(&problem)?)?;
                    wrong(&bank, &person, 3).await?;
                    log_on(&bank, &person, Some(RIGHT)).await?.status(201)
                },
            )
        })
        .collect()
}

/// Whoever has neither key nor certificate locks nobody out.
fn uncounted() -> Vec<Case<Bank>> {
    type Defect = fn(super::draft::Draft) -> super::draft::Draft;
    const DEFECTS: [(&str, &str, Token, Defect); 3] = [
        ("signature", "whose signature is wrong", Token::BadSignature, |draft| {
            draft.edit_signature(|signature| signature[3] ^= 1)
        }),
        ("nonce", "whose nonce is unknown", Token::BadNonce, |draft| {
            draft.set("nonce", "AAAAAAAAAAAAAAAAAAAAAA")
        }),
        (
            "environment",
            "from an unsupported environment",
            Token::EnvironmentUnsupported,
            |draft| draft.edit_payload(|payload| payload["environment"]["os"] = json!("plan9")),
        ),
    ];
    DEFECTS
        .into_iter()
        .map(|(name, said, token, defect)| {
            let sentence = format!("A wrong PIN in a logon {said} is not counted.");
            case(format!("pin/not-counted-{name}"), sentence).shows(&["PIN-09"]).run(
                move |bank: Bank| async move {
                    let directory = bank.directory().await?;
                    if token == Token::EnvironmentUnsupported
                        && directory.meta.environments.is_empty()
                    {
                        return Err(Stop::Skipped("this bank takes every environment".to_owned()));
                    }
                    let person = user(&bank).await?;
                    let payload = bank.logon_payload(Some(WRONG), "renewal").await?;
                    let by = super::draft::By::Certificate(person.pair.clone());
                    let operation = koshin_protocol::operation::Operation::NewSession;
                    for _ in 0..=TRIES {
                        let draft = bank.draft(operation, &directory.new_session, &by, &payload);
                        bank.deliver(defect(draft)).await?.refused(token)?;
                    }
                    wrong(&bank, &person, 4).await?;
                    log_on(&bank, &person, Some(RIGHT)).await?.status(201)
                },
            )
        })
        .collect()
}

fn locked() -> Vec<Case<Bank>> {
    vec![
        case(
            "pin/locked-refuses-the-right-one",
            "A locked PIN refuses the right one, at logon and at a change of PIN.",
        )
        .shows(&["PIN-05"])
        .run(|bank: Bank| async move {
            let person = user(&bank).await?;
            let logon = bank.log_on(&person).await?;
            lock(&bank, &person).await.prepares("the lock")?;
            log_on(&bank, &person, Some(RIGHT)).await?.refused(Token::PinLocked)?;
            bank.try_change_pin(&logon, RIGHT, "777777").await?.refused(Token::PinLocked).map(drop)
        }),
        case(
            "pin/locked-keeps-sessions",
            "A session that is active when the PIN becomes locked goes on, and renews.",
        )
        .shows(&["PIN-13"])
        .run(|bank: Bank| async move {
            let person = user(&bank).await?;
            let logon = bank.log_on(&person).await?;
            lock(&bank, &person).await.prepares("the lock")?;
            ensure(bank.is_active(&logon).await?, "the session active", "ended")?;
            let key = super::key::Key::new();
            bank.try_order(&logon, &key).await?.status(201)
        }),
        case(
            "pin/locked-enrollment",
            "A locked PIN refuses an enrollment, until the administrator unlocks it.",
        )
        .shows(&["PIN-05", "PIN-01"])
        .needs(&[Need::Full])
        .run(|bank: Bank| async move {
            let administrator =
                bank.person(bank.wanted(Role::Administrator).await?.of("locked")).await?;
            let wanted = bank.wanted(Role::User).await?.of("locked").with_pin(RIGHT);
            let person = bank.person(wanted).await?;
            lock(&bank, &person).await.prepares("the lock")?;
            let logon = bank.log_on(&administrator).await?;
            let (ticket, _, _) = bank.reissue(&logon, &person, "keyLost").await?;
            let key = super::key::Key::new();
            let without = bank.new_enrollment(&ticket, person.pair.name(), &key).await?;
            let mut with = without.clone();
            with["pin"] = json!(RIGHT);
            let refused = bank.try_enroll(&key, with.clone()).await?;
            bank.try_unlock(&logon, &person.subject).await?.status(204).prepares("unlock")?;
            bank.try_enroll(&key, without).await?.refused(Token::PinRequired)?;
            bank.try_enroll(&key, with)
                .await?
                .status(201)
                .prepares("the enrollment after the unlock")?;
            refused.refused(Token::PinLocked).map(drop)
        }),
    ]
}
