//! SPEC.md 7.13: confirm.

use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::order::{Order, RollbackRight, Status, StatusName};
use koshin_protocol::problem::Token;
use serde_json::{Value, json};

use super::deed::{remedy, same_order};
use super::key::Key;
use super::person::seconds_after;
use super::refusal::{On, refuses};
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = confirmed();
    cases.extend(final_ones());
    cases.extend(by_others());
    cases.extend(ended());
    cases.extend(payloads());
    cases
}

/// The right to roll back that a completed order shows.
pub(super) fn right(order: &Order) -> Outcome<Option<RollbackRight>> {
    match &order.status {
        Status::Completed { rollback, .. } => Ok(rollback.clone()),
        other => Err(Stop::fail("an order in `completed`", other.name())),
    }
}

fn confirmed() -> Vec<Case<Bank>> {
    vec![
        case("confirm/valid", "The confirm of an order in `valid` is answered 200 and the completed order, with its receipt.").shows(&["CFM-01", "RCP-01"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            let answer = bank.try_confirm(&staged.confirm()?, &staged.pair, json!({})).await?;
            let order: Order = answer.object(200)?;
            ensure(order.status.name() == StatusName::Completed, "completed", order.status.name())?;
            let receipt = bank.receipt(&order)?;
            ensure(receipt.status == StatusName::Completed && receipt.order == order.url, "its receipt", receipt.status)
        }),
        case("confirm/again", "The confirm of a completed order is answered 200 and the same order, as often as it is sent.").shows(&["CFM-01"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Completed).await?;
            for _ in 0..2 {
                let answer = bank.try_confirm(&staged.confirm()?, &staged.pair, json!({})).await?;
                let order: Order = answer.object(200)?;
                same_order(&staged.order, &order)?;
            }
            Ok(())
        }),
        case("confirm/at-once", "Confirms at the same time are all answered 200, with one and the same receipt.").shows(&["STA-03", "CFM-01"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            let url = staged.confirm()?;
            let one = || bank.try_confirm(&url, &staged.pair, json!({}));
            let (a, b, c) = tokio::join!(one(), one(), one());
            let first: Order = a?.object(200)?;
            let time = bank.receipt(&first)?.time;
            for answer in [b?, c?] {
                let order: Order = answer.object(200)?;
                let other = bank.receipt(&order)?.time;
                ensure(other == time, format_args!("completed at {time}"), other)?;
            }
            Ok(())
        }),
        case("confirm/supersedes", "A confirm makes the new certificate current, the old one superseded, and ends the old one's session.").shows(&["CFM-04", "STA-05"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            let placed = bank.order(&logon).await?;
            let pair = placed.pair()?;
            bank.shows(&logon, &person.pair, CertificateState::Current).await.prepares("before")?;
            bank.shows(&logon, &pair, CertificateState::Unconfirmed).await.prepares("before")?;
            bank.confirm(&placed).await?;
            bank.read(&logon.url, &logon.by()).await?.refused(Token::SessionEnded)?;
            let next = bank.log_on_by(&pair, None).await?;
            bank.shows(&next, &pair, CertificateState::Current).await?;
            bank.shows(&next, &person.pair, CertificateState::Superseded).await
        }),
        case("confirm/of-an-administrator", "A confirm of an administrator leaves the users' sessions active.").shows(&["CFM-04", "SES-22"]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let logon = bank.log_on(&user).await?;
            bank.renew(&administrator).await?;
            ensure(bank.is_active(&logon).await?, "the user's session active", "ended")
        }),
        case("confirm/rollback-until", "The right to roll back lasts `rollbackWithin` from completion, or to the predecessor's notAfter.").shows(&["RBK-01", "ENC-19"]).needs(&[Need::Rollback]).run(|bank: Bank| async move {
            let within = bank.directory().await?.meta.rollback_within;
            let within = within.ok_or_else(|| Stop::Skipped("this bank has no rollback".to_owned()))?;
            for seconds in [3600, within.total_seconds() + 3600] {
                let person = bank.user_for(seconds).await?;
                let renewed = bank.renew(&person).await?;
                let completed = bank.receipt(&renewed.completed)?.time;
                let end = seconds_after(completed, within.total_seconds()).min(person.pair.not_after());
                let until = right(&renewed.completed)?.ok_or_else(|| Stop::fail("`rollback`", "none"))?.until;
                // Whether the second in which it has passed counts is nobody's business.
                ensure((end.unix() - until.unix()).abs() <= 1, format_args!("`rollbackUntil` {end}"), until)?;
            }
            Ok(())
        }),
        case("confirm/after-predecessor-expired", "A confirm after the predecessor's notAfter is accepted, the predecessor is superseded then, and there is no rollback.").shows(&["CFM-05", "STA-04"]).needs(&[Need::Time]).run(|bank: Bank| async move {
            let person = bank.user_for(8).await?;
            let staged = bank.staged_for(person.clone(), StatusName::Valid).await?;
            bank.wait_until(seconds_after(person.pair.not_after(), 2)).await;
            bank.refused_logon(&person.pair, Token::CertificateExpired).await?;
            let answer = bank.try_confirm(&staged.confirm()?, &staged.pair, json!({})).await?;
            let order: Order = answer.object(200)?;
            ensure(right(&order)?.is_none(), "no `rollback`", "one")?;
            let problem = bank.refused_logon(&person.pair, Token::CertificateSuperseded).await?;
            remedy(&problem, "useSuccessor")?;
            bank.log_on_by(&staged.pair, None).await.map(drop)
        }),
    ]
}

fn final_ones() -> Vec<Case<Bank>> {
    let of = |name: &'static str,
              sentence: &'static str,
              payloads: &'static [fn() -> Value],
              ends: bool| {
        case(format!("confirm/{name}"), sentence)
            .shows(&["CFM-01", "RBK-03"])
            .needs(&[Need::Rollback])
            .run(move |bank: Bank| async move {
                let staged = bank.staged(StatusName::Valid).await?;
                let url = staged.confirm()?;
                let mut last = None;
                for payload in payloads {
                    let order: Order =
                        bank.try_confirm(&url, &staged.pair, payload()).await?.object(200)?;
                    last = right(&order)?;
                }
                ensure(
                    last.is_none() == ends,
                    if ends { "no `rollback`" } else { "`rollback`" },
                    format_args!("{last:?}"),
                )?;
                let answer = bank.try_log_on_for(&staged.person.pair, None, "recovery").await?;
                if ends {
                    answer.refused(Token::RollbackEnded).map(drop)
                } else {
                    answer.status(201)
                }
            })
    };
    vec![
        of(
            "final",
            "A confirm with `final` true gives up the right to roll back.",
            &[|| json!({ "final": true })],
            true,
        ),
        of(
            "final-false",
            "A confirm with `final` false keeps the right to roll back.",
            &[|| json!({ "final": false })],
            false,
        ),
        of(
            "final-later",
            "A second confirm with `final` true gives up the right to roll back.",
            &[|| json!({}), || json!({ "final": true })],
            true,
        ),
        of(
            "final-kept",
            "What `final` gave up no later confirm gives back.",
            &[|| json!({ "final": true }), || json!({ "final": false })],
            true,
        ),
    ]
}

fn by_others() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = [(StatusName::Valid, "valid"), (StatusName::Canceled, "canceled"), (StatusName::Invalid, "invalid"), (StatusName::RolledBack, "rolled-back")]
        .into_iter()
        .map(|(status, name)| {
            let needs: &[Need] = if status == StatusName::RolledBack { &[Need::Rollback] } else { &[] };
            case(format!("confirm/by-predecessor-{name}"), format!("The predecessor does not confirm an order in `{status}`, and is told the order's key."))
                .shows(&["CFM-02"])
                .needs(needs)
                .run(move |bank: Bank| async move {
                    let staged = bank.staged(status).await?;
                    let answer = bank.try_confirm(&staged.confirm()?, &staged.person.pair, json!({})).await?;
                    answer.refused(Token::KeyMismatch)?;
                    let said = answer.value()["key"].as_str().unwrap_or_default().to_owned();
                    ensure(said == staged.order.key.to_string(), staged.order.key, said)?;
                    bank.stands(&staged.placed, status).await.map(drop)
                })
        })
        .collect();
    cases.extend([
        case(
            "confirm/by-predecessor-completed",
            "The predecessor of a completed order is told its successor.",
        )
        .shows(&["AUT-07"])
        .run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Completed).await?;
            let answer =
                bank.try_confirm(&staged.confirm()?, &staged.person.pair, json!({})).await?;
            answer.refused(Token::CertificateSuperseded).map(drop)
        }),
        case(
            "confirm/by-other-order",
            "The unconfirmed certificate of a later order does not confirm a canceled one.",
        )
        .shows(&["CFM-02"])
        .run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Canceled).await?;
            let later = bank.order(&bank.log_on(&staged.person).await?).await?;
            bank.try_confirm(&staged.confirm()?, &later.pair()?, json!({}))
                .await?
                .refused(Token::KeyMismatch)?;
            bank.stands(&later, StatusName::Valid).await?;
            bank.confirm(&later).await.map(drop)
        }),
        case(
            "confirm/key-of-the-order-alone",
            "The new key with the old certificate in `x5c` does not confirm.",
        )
        .shows(&["JWS-08"])
        .run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            let mut mixed = staged.person.pair.clone();
            mixed.key = staged.pair.key.clone();
            bank.try_confirm(&staged.confirm()?, &mixed, json!({}))
                .await?
                .refused(Token::BadSignature)?;
            bank.confirm(&staged.placed).await.map(drop)
        }),
        case("confirm/stolen-certificate", "The new certificate without its key does not confirm.")
            .shows(&["JWS-08", "CHK-02"])
            .run(|bank: Bank| async move {
                let staged = bank.staged(StatusName::Valid).await?;
                let mut stolen = staged.pair.clone();
                stolen.key = Key::new();
                bank.try_confirm(&staged.confirm()?, &stolen, json!({}))
                    .await?
                    .refused(Token::BadSignature)?;
                bank.stands(&staged.placed, StatusName::Valid).await?;
                bank.confirm(&staged.placed).await.map(drop)
            }),
        case(
            "confirm/processing",
            "The predecessor that confirms an order in `processing` is told to wait.",
        )
        .shows(&["CFM-08", "RTA-01"])
        .needs(&[Need::Control, Need::Ca])
        .within(120)
        .run(|bank: Bank| async move {
            // Where this bank has its `confirm`, another order shows.
            let example = bank.staged(StatusName::Valid).await?;
            let suffix = example.confirm()?.as_str().replace(example.placed.url().as_str(), "");
            let person = bank.user().await?;
            let placed = bank.while_ca_down(&person, |bank, logon, placed| async move {
                let url = format!("{}{suffix}", placed.url()).parse();
                let url = url.map_err(|_| {
                    Stop::Skipped("this bank's `confirm` is not below the order's URL".to_owned())
                })?;
                let answer = bank.try_confirm(&url, &logon.pair, json!({})).await?;
                remedy(&answer.refused(Token::OrderProcessing)?, "wait")?;
                ensure(answer.header(&http::header::RETRY_AFTER).is_some(), "Retry-After", "none")?;
                Ok(placed)
            });
            let placed = bank.until_valid(placed.await?).await?;
            bank.confirm(&placed).await.map(drop)
        }),
    ]);
    cases
}

fn ended() -> Vec<Case<Bank>> {
    [
        (StatusName::Canceled, Token::OrderCanceled, "usePredecessor", "canceled"),
        (StatusName::Invalid, Token::OrderInvalid, "logon", "invalid"),
        (StatusName::RolledBack, Token::OrderRolledBack, "usePredecessor", "rolled-back"),
    ]
    .into_iter()
    .map(|(status, token, action, name)| {
        let needs: &[Need] = if status == StatusName::RolledBack { &[Need::Rollback] } else { &[] };
        case(format!("confirm/{name}"), format!("The confirm of an order in `{status}` by its own certificate is refused with `{token}`, not for the certificate."))
            .shows(&["CFM-03", "AUT-09"])
            .needs(needs)
            .run(move |bank: Bank| async move {
                let staged = bank.staged(status).await?;
                let answer = bank.try_confirm(&staged.confirm()?, &staged.pair, json!({})).await?;
                remedy(&answer.refused(token)?, action)?;
                bank.stands(&staged.placed, status).await?;
                bank.log_on(&staged.person).await.map(drop)
            })
    })
    .collect()
}

fn payloads() -> Vec<Case<Bank>> {
    [
        ("empty", ""),
        ("no-object", "[]"),
        ("final-as-text", r#"{"final":"true"}"#),
        ("final-as-number", r#"{"final":1}"#),
        ("final-null", r#"{"final":null}"#),
        ("unknown-member", r#"{"final":false,"key":"x"}"#),
        ("final-twice", r#"{"final":false,"final":true}"#),
    ]
    .into_iter()
    .map(|(name, payload)| {
        refuses(
            On::Confirm,
            Token::Malformed,
            format!("confirm/payload-{name}"),
            format!("A confirm with the payload `{payload}` is refused, and changes nothing."),
            &["ENC-15", "CHK-03"],
            move |draft| draft.payload(payload),
        )
    })
    .collect()
}
