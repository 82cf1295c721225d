//! SPEC.md 7.14: rollback.

use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Order, StatusName};
use koshin_protocol::problem::Token;
use koshin_protocol::url::Url;
use serde_json::{Value, json};

use super::deed::{Logon, Staged, remedy, same_order};
use super::draft::Draft;
use super::key::Key;
use super::person::seconds_after;
use super::refusal::alike;
use super::s07_13_confirm::right;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = rolled_back();
    cases.extend(ends());
    cases.extend(other_orders());
    cases.extend(wrong());
    for case in &mut cases {
        case.about.needs.push(Need::Rollback);
    }
    cases
}

/// A completed order, and a session of its predecessor that may roll it back.
pub(super) async fn reversible(bank: &Bank) -> Outcome<(Staged, Logon)> {
    let staged = bank.staged(StatusName::Completed).await?;
    let recovery = bank.recover(&staged.person.pair, None).await?;
    Ok((staged, recovery))
}

fn draft(bank: &Bank, url: &Url, by: &Logon, key: &str) -> Draft {
    bank.draft(Operation::Rollback, url, &by.by(), &json!({ "key": key }))
}

fn rolled_back() -> Vec<Case<Bank>> {
    vec![
        case("rollback/completed", "The rollback of a completed order is answered 200 and the order in `rolledBack`, with its receipt.").shows(&["RBK-01", "RCP-01"]).run(|bank: Bank| async move {
            let (staged, recovery) = reversible(&bank).await?;
            let order: Order = bank.try_roll_back(&staged.order, &recovery).await?.object(200)?;
            ensure(order.status.name() == StatusName::RolledBack, "rolledBack", order.status.name())?;
            let receipt = bank.receipt(&order)?;
            ensure(receipt.status == StatusName::RolledBack, "the receipt of the rollback", receipt.status)?;
            ensure(receipt.cert_id == Some(staged.pair.cert_id()), staged.pair.cert_id(), format_args!("{:?}", receipt.cert_id))
        }),
        case("rollback/again", "A rollback that is sent again is answered 200 and the same order.").shows(&["RBK-01"]).run(|bank: Bank| async move {
            let (staged, recovery) = reversible(&bank).await?;
            let first: Order = bank.try_roll_back(&staged.order, &recovery).await?.object(200)?;
            let again: Order = bank.try_roll_back(&staged.order, &recovery).await?.object(200)?;
            same_order(&first, &again)
        }),
        case("rollback/at-once", "Rollbacks at the same time are all answered 200.").shows(&["STA-03", "RBK-01"]).run(|bank: Bank| async move {
            let (staged, recovery) = reversible(&bank).await?;
            let one = || bank.try_roll_back(&staged.order, &recovery);
            let (a, b, c) = tokio::join!(one(), one(), one());
            for answer in [a?, b?, c?] {
                let order: Order = answer.object(200)?;
                ensure(order.status.name() == StatusName::RolledBack, "rolledBack", order.status.name())?;
            }
            Ok(())
        }),
        case("rollback/restores", "A rollback makes the predecessor current, revokes the successor and ends its sessions.").shows(&["RBK-02", "STA-04"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed = bank.order(&bank.log_on(&person).await?).await?;
            // The logon that confirms keeps the right.
            let successor = bank.log_on_by(&placed.pair()?, None).await?;
            let order = bank.stands(&placed, StatusName::Completed).await.prepares("the order")?;
            let recovery = bank.recover(&person.pair, None).await?;
            bank.try_roll_back(&order, &recovery).await?.status(200)?;
            bank.read(&successor.url, &successor.by()).await?.refused(Token::SessionEnded)?;
            let problem = bank.refused_logon(&successor.pair, Token::CertificateRevoked).await?;
            remedy(&problem, "usePredecessor")?;
            let logon = bank.log_on(&person).await?;
            bank.shows(&logon, &person.pair, CertificateState::Current).await?;
            bank.shows(&logon, &successor.pair, CertificateState::Revoked).await
        }),
        case("rollback/names-predecessor", "Who uses the rolled back certificate is told the predecessor.").shows(&["ERR-02"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::RolledBack).await?;
            let answer = bank.try_log_on_for(&staged.pair, None, "renewal").await?;
            answer.refused(Token::CertificateRevoked)?;
            let said = answer.value()["predecessor"].as_str().unwrap_or_default().to_owned();
            let expected = staged.person.pair.cert_id();
            ensure(said == expected.as_str(), format_args!("`predecessor` {expected}"), said)
        }),
        case("rollback/new-order", "After the rollback the predecessor is renewed with a new key.").shows(&["RBK-08"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::RolledBack).await?;
            let logon = bank.log_on(&staged.person).await?;
            let next = bank.order(&logon).await?;
            ensure(next.order.url != staged.order.url, "another order", next.url())?;
            bank.confirm(&next).await?;
            bank.stands(&staged.placed, StatusName::RolledBack).await.map(drop)
        }),
        case("rollback/old-key", "The key of the rolled back order gives that order, and no new one.").shows(&["ORD-02"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::RolledBack).await?;
            let logon = bank.log_on(&staged.person).await?;
            let order: Order = bank.try_order(&logon, &staged.placed.key).await?.object(200)?;
            same_order(&staged.order, &order)
        }),
    ]
}

fn ends() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> =
        ["first-use", "final", "successor-revoked", "predecessor-revoked", "reissue"]
            .into_iter()
            .map(|what| {
                let said = match what {
                    "first-use" => "a logon of the successor",
                    "final" => "a confirm with `final`",
                    "successor-revoked" => "the revocation of the successor",
                    "predecessor-revoked" => "the revocation of the predecessor",
                    _ => "a reissue of the subject",
                };
                case(
                    format!("rollback/ended-by-{what}"),
                    format!(
                        "After {said} nothing is rolled back, and the order shows no `rollback`."
                    ),
                )
                .shows(&["RBK-03", "SES-06"])
                .needs(if what == "reissue" { &[Need::Full] } else { &[] })
                .run(move |bank: Bank| async move {
                    let (administrator, user) = if what == "reissue" {
                        let (administrator, user) = bank.contract().await?;
                        (Some(administrator), user)
                    } else {
                        (None, bank.user().await?)
                    };
                    let staged = bank.staged_for(user, StatusName::Completed).await?;
                    ensure(right(&staged.order)?.is_some(), "`rollback`", "none")
                        .prepares("before")?;
                    let recovery = bank.recover(&staged.person.pair, None).await?;
                    match what {
                        "first-use" => drop(bank.log_on_by(&staged.pair, None).await?),
                        "final" => {
                            let answer = bank
                                .try_confirm(
                                    &staged.confirm()?,
                                    &staged.pair,
                                    json!({ "final": true }),
                                )
                                .await?;
                            answer.status(200).prepares("confirm with `final`")?;
                        }
                        "successor-revoked" => {
                            bank.revoke_itself(&staged.pair, "unspecified").await?
                        }
                        "predecessor-revoked" => {
                            bank.revoke_itself(&staged.person.pair, "unspecified").await?
                        }
                        _ => {
                            let administrator =
                                administrator.ok_or_else(|| Stop::blocked("no administrator"))?;
                            let by = bank.log_on(&administrator).await?;
                            bank.reissue(&by, &staged.person, "keyLost").await?;
                        }
                    }
                    let answer = bank.try_roll_back(&staged.order, &recovery).await?;
                    // These end the session, too.
                    let (token, again) = match what {
                        "predecessor-revoked" => (Token::SessionEnded, Token::CertificateRevoked),
                        "reissue" => (Token::SessionEnded, Token::RollbackEnded),
                        _ => (Token::RollbackEnded, Token::RollbackEnded),
                    };
                    let problem = answer.refused(token)?;
                    if token == Token::RollbackEnded {
                        remedy(&problem, "useSuccessor")?;
                    }
                    bank.try_log_on_for(&staged.person.pair, None, "recovery")
                        .await?
                        .refused(again)?;
                    let order = bank.stands(&staged.placed, StatusName::Completed).await?;
                    ensure(right(&order)?.is_none(), "no `rollback`", "one")
                })
            })
            .collect();
    cases.extend([
        case(
            "rollback/kept-by-the-confirming-logon",
            "The logon that completed the order keeps the right, and the next one ends it.",
        )
        .shows(&["RBK-01", "SES-06"])
        .run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            bank.log_on_by(&staged.pair, None).await?;
            let recovery = bank.recover(&staged.person.pair, None).await?;
            bank.log_on_by(&staged.pair, None).await?;
            bank.try_roll_back(&staged.order, &recovery)
                .await?
                .refused(Token::RollbackEnded)
                .map(drop)
        }),
        case(
            "rollback/kept-by-a-refused-logon",
            "A logon of the successor that is refused ends no right.",
        )
        .shows(&["CHK-03", "RBK-01"])
        .needs(&[Need::Pin])
        .run(|bank: Bank| async move {
            let person =
                bank.wanted(koshin_protocol::subject::Role::User).await?.with_pin("481516");
            let staged = bank.staged_for(bank.person(person).await?, StatusName::Completed).await?;
            bank.try_log_on_for(&staged.pair, Some("234242"), "renewal")
                .await?
                .refused(Token::PinWrong)?;
            let recovery = bank.recover(&staged.person.pair, staged.person.pin.as_deref()).await?;
            bank.try_roll_back(&staged.order, &recovery).await?.status(200)
        }),
        case(
            "rollback/ended-by-expiry",
            "After the predecessor's notAfter nothing is rolled back.",
        )
        .shows(&["RBK-03", "AUT-08"])
        .needs(&[Need::Time])
        .run(|bank: Bank| async move {
            let person = bank.user_for(9).await?;
            let staged = bank.staged_for(person, StatusName::Completed).await?;
            let recovery = bank.recover(&staged.person.pair, None).await?;
            bank.wait_until(seconds_after(staged.person.pair.not_after(), 2)).await;
            let answer = bank.try_roll_back(&staged.order, &recovery).await?;
            answer.refused_with(&[Token::CertificateExpired, Token::CertificateSuperseded])?;
            let answer = bank.try_log_on_for(&staged.person.pair, None, "recovery").await?;
            remedy(&answer.refused(Token::CertificateSuperseded)?, "useSuccessor")?;
            let order = bank.stands(&staged.placed, StatusName::Completed).await?;
            ensure(right(&order)?.is_none(), "no `rollback`", "one")
        }),
    ]);
    cases
}

fn other_orders() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = [
        (StatusName::Canceled, Some(Token::OrderCanceled), "canceled"),
        (StatusName::Invalid, Some(Token::OrderInvalid), "invalid"),
        (StatusName::RolledBack, None, "rolled-back"),
    ]
    .into_iter()
    .map(|(status, token, name)| {
        let said = token.map_or("gives that order".to_owned(), |token| format!("is refused with `{token}`"));
        case(format!("rollback/earlier-{name}"), format!("The rollback of an earlier order in `{status}` of the same predecessor {said}, and the completed one stays."))
            .shows(&["STA-01", "RBK-01"])
            .run(move |bank: Bank| async move {
                let earlier = bank.staged(status).await?;
                let later = bank.staged_for(earlier.person.clone(), StatusName::Completed).await?;
                let recovery = bank.recover(&later.person.pair, None).await?;
                let url = bank.rollback_of(&earlier.order, &recovery)?;
                let answer = bank.deliver(draft(&bank, &url, &recovery, &earlier.order.key.to_string())).await?;
                match token {
                    Some(token) => drop(answer.refused(token)?),
                    None => answer.status(200)?,
                }
                bank.stands(&earlier.placed, status).await?;
                bank.stands(&later.placed, StatusName::Completed).await?;
                bank.try_roll_back(&later.order, &recovery).await?.status(200)
            })
    })
    .collect();
    cases.push(
        case("rollback/foreign", "The recovery session of somebody else rolls nothing back, and does not learn whether there is something.")
            .shows(&["AUT-05", "AUT-06"])
            .run(|bank: Bank| async move {
                let (staged, own) = reversible(&bank).await?;
                let (_, stranger) = reversible(&bank).await?;
                let key = staged.order.key.to_string();
                let foreign = bank.deliver(draft(&bank, &own.rollback()?, &stranger, &key)).await?;
                foreign.refused(Token::NotFound)?;
                let named = staged.order.url.path().rsplit('/').next().unwrap_or_default().to_owned();
                let url = own.rollback()?.as_str().replace(&named, &"A".repeat(named.len()));
                let url = Url::parse(&url).map_err(|_| Stop::blocked("a URL of the suite"))?;
                let absent = bank.deliver(draft(&bank, &url, &stranger, &key)).await?;
                absent.refused(Token::NotFound)?;
                alike(&absent, &foreign)?;
                bank.try_roll_back(&staged.order, &own).await?.status(200).prepares("the owner's rollback")
            }),
    );
    cases
}

fn wrong() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case("rollback/other-key", "A rollback that names another key is refused, names the order's, and changes nothing.").shows(&["RBK-04"]).run(|bank: Bank| async move {
            let (staged, recovery) = reversible(&bank).await?;
            let key = staged.order.key.to_string();
            let right = draft(&bank, &recovery.rollback()?, &recovery, &key);
            let wrong = draft(&bank, &recovery.rollback()?, &recovery, &Key::new().thumbprint().to_string());
            let answer = bank.deliver(wrong).await?;
            answer.refused(Token::KeyMismatch)?;
            let said = answer.value()["key"].as_str().unwrap_or_default().to_owned();
            ensure(said == key, format_args!("`key` {key}"), said)?;
            bank.deliver(right).await?.status(200).prepares("the same rollback with the order's key")
        }),
        case("rollback/other-key-before-state", "Another key is told before the state of an order that was rolled back or can no longer be.").shows(&["RBK-04"]).run(|bank: Bank| async move {
            let (staged, recovery) = reversible(&bank).await?;
            let wrong = draft(&bank, &recovery.rollback()?, &recovery, &Key::new().thumbprint().to_string());
            bank.try_roll_back(&staged.order, &recovery).await?.status(200).prepares("the rollback")?;
            bank.deliver(wrong).await?.refused(Token::KeyMismatch)?;
            let (staged, recovery) = reversible(&bank).await?;
            bank.log_on_by(&staged.pair, None).await?;
            let wrong = draft(&bank, &recovery.rollback()?, &recovery, &Key::new().thumbprint().to_string());
            bank.deliver(wrong).await?.refused(Token::KeyMismatch).map(drop)
        }),
    ];
    let edits: [(&str, &str, fn(&mut Value)); 4] = [
        ("no-key", "without `key`", |payload| *payload = json!({})),
        ("key-null", "with `key` null", |payload| payload["key"] = Value::Null),
        ("short-key", "with a `key` that is no thumbprint", |payload| {
            payload["key"] = json!("AAAA")
        }),
        ("unknown-member", "with a member that is not defined", |payload| {
            payload["final"] = json!(true)
        }),
    ];
    cases.extend(edits.into_iter().map(|(name, said, edit)| {
        case(
            format!("rollback/payload-{name}"),
            format!("A rollback {said} is refused, and changes nothing."),
        )
        .shows(&["ENC-15", "CHK-03"])
        .run(move |bank: Bank| async move {
            let (staged, recovery) = reversible(&bank).await?;
            let right =
                draft(&bank, &recovery.rollback()?, &recovery, &staged.order.key.to_string());
            bank.refuses_before(right.clone().edit_payload(edit), Token::Malformed, right)
                .await
                .map(drop)
        })
    }));
    cases
}
