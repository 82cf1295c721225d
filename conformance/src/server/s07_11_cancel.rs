//! SPEC.md 7.11: cancel.

use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Order, StatusName};
use koshin_protocol::problem::Token;
use serde_json::json;

use super::deed::{Logon, Placed};
use super::draft::By;
use super::key::Key;
use super::person::seconds_after;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, ensure};
use crate::control::Request;

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    vec![
        case(
            "cancel/valid",
            "The cancel of an order in `valid` is answered 200 and the canceled order.",
        )
        .shows(&["CAN-01", "CAN-07"])
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            let placed = bank.order(&logon).await?;
            let order: Order = bank.try_cancel(&placed, &logon).await?.object(200)?;
            ensure(order.status.name() == StatusName::Canceled, "canceled", order.status.name())?;
            // The successor is revoked, the predecessor is as it was.
            let answer = bank.try_log_on_for(&placed.pair()?, None, "renewal").await?;
            let problem = answer.refused(Token::CertificateRevoked)?;
            let action = problem.remedy.action.as_str();
            ensure(action == "usePredecessor", "usePredecessor", action)?;
            ensure(bank.is_active(&logon).await?, "the session active", "ended")
        }),
        case("cancel/again", "The cancel of a canceled order is answered 200 and the order.")
            .shows(&["CAN-01"])
            .run(|bank: Bank| async move {
                let (logon, placed) = valid(&bank).await?;
                bank.cancel(&placed, &logon).await?;
                let again: Order = bank.try_cancel(&placed, &logon).await?.object(200)?;
                ensure(again.status.name() == StatusName::Canceled, "canceled", again.status.name())
            }),
        case(
            "cancel/in-a-later-session",
            "An order is canceled in a later session of its subject.",
        )
        .shows(&["CAN-01"])
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed = bank.order(&bank.log_on(&person).await?).await?;
            let later = bank.log_on(&person).await?;
            let order: Order = bank.try_cancel(&placed, &later).await?.object(200)?;
            ensure(order.status.name() == StatusName::Canceled, "canceled", order.status.name())
        }),
        case(
            "cancel/other-key",
            "A cancel that names another key is refused, and names the order's.",
        )
        .shows(&["CAN-02"])
        .run(|bank: Bank| async move {
            let (logon, placed) = valid(&bank).await?;
            let right = bank.draft(
                Operation::Cancel,
                placed.cancel()?,
                &logon.by(),
                &json!({ "key": placed.order.key.to_string() }),
            );
            let wrong = right.clone().edit_payload(|payload| {
                payload["key"] = json!(Key::new().thumbprint().to_string());
            });
            let answer = bank.deliver(wrong).await?;
            answer.refused(Token::KeyMismatch)?;
            let said = answer.value()["key"].as_str().unwrap_or_default().to_owned();
            ensure(said == placed.order.key.to_string(), placed.order.key.to_string(), said)?;
            bank.deliver(right).await?.status(200).prepares("the same cancel with the order's key")
        }),
        case(
            "cancel/other-key-before-state",
            "Another key is told before the state of a completed order.",
        )
        .shows(&["CAN-02"])
        .run(|bank: Bank| async move {
            let (_, placed) = valid(&bank).await?;
            let renewed = bank.confirm(&placed).await?;
            let logon = bank.log_on_by(&renewed.pair, None).await?;
            let payload = json!({ "key": Key::new().thumbprint().to_string() });
            let answer =
                bank.post(Operation::Cancel, placed.cancel()?, &logon.by(), payload).await?;
            answer.refused(Token::KeyMismatch).map(drop)
        }),
        case("cancel/completed", "The cancel of a completed order is refused.")
            .shows(&["STA-01"])
            .run(|bank: Bank| async move {
                let (_, placed) = valid(&bank).await?;
                let renewed = bank.confirm(&placed).await?;
                let logon = bank.log_on_by(&renewed.pair, None).await?;
                let problem =
                    bank.try_cancel(&placed, &logon).await?.refused(Token::OrderCompleted)?;
                let action = problem.remedy.action.as_str();
                ensure(action == "useSuccessor", "useSuccessor", action)
            }),
        case("cancel/invalid", "The cancel of an invalid order is refused.")
            .shows(&["STA-01"])
            .run(|bank: Bank| async move {
                let (logon, placed) = valid(&bank).await?;
                bank.revoke_itself(&placed.pair()?, "unspecified").await?;
                bank.try_cancel(&placed, &logon).await?.refused(Token::OrderInvalid).map(drop)
            }),
        case(
            "cancel/after-predecessor-expired",
            "After the predecessor's notAfter nothing cancels its order.",
        )
        .shows(&["CAN-03", "AUT-08"])
        .needs(&[Need::Time])
        .run(|bank: Bank| async move {
            let person = bank.user_for(8).await?;
            let logon = bank.log_on(&person).await?;
            let placed = bank.order(&logon).await?;
            bank.wait_until(seconds_after(person.pair.not_after(), 2)).await;
            let answer = bank.try_cancel(&placed, &logon).await?;
            answer.refused_with(&[Token::PredecessorExpired, Token::CertificateExpired])?;
            let order = bank.read(placed.url(), &placed.by_key()).await?;
            order.object::<Order>(200)?;
            let value = order.value();
            ensure(
                value["status"] == "valid" && value.get("cancel").is_none(),
                "`valid` without `cancel`",
                value["status"].clone(),
            )?;
            bank.confirm(&placed).await.map(drop)
        }),
        case(
            "cancel/processing",
            "The cancel of an order in `processing` wins over the certificate that comes later.",
        )
        .shows(&["CAN-01", "CAN-06"])
        .needs(&[Need::Control, Need::Ca])
        .within(120)
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            bank.control(Request::CaDown).await?;
            let outcome = canceled_in_processing(&bank, &logon).await;
            bank.control(Request::CaUp).await?;
            let placed = outcome?;
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            let order = bank.read_order(placed.url(), &placed.by_key()).await?;
            ensure(order.status.name() == StatusName::Canceled, "canceled", order.status.name())?;
            let next = bank.order(&logon).await?;
            bank.confirm(&next).await.map(drop)
        }),
        case(
            "cancel/against-confirm",
            "Of a cancel and a confirm at the same time one wins, and the other is told so.",
        )
        .shows(&["STA-03", "CAN-01"])
        .run(against_confirm),
        case(
            "cancel/certificate-gone",
            "The certificate of a canceled order is handed out no more.",
        )
        .shows(&["CAN-07", "CER-03"])
        .run(|bank: Bank| async move {
            let (logon, placed) = valid(&bank).await?;
            let url = &placed.issued()?.certificate;
            bank.read(url, &placed.by_key())
                .await?
                .status(200)
                .prepares("the certificate before")?;
            bank.cancel(&placed, &logon).await?;
            bank.read(url, &placed.by_key()).await?.refused(Token::OrderCanceled).map(drop)
        }),
        case(
            "cancel/enrollment",
            "An open enrollment order is not canceled by a session of its subject.",
        )
        .shows(&["CAN-04"])
        .needs(&[Need::Full])
        .run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let by = bank.log_on(&administrator).await?;
            let (ticket, _, _) = bank.reissue(&by, &user, "keyLost").await?;
            let placed = bank.enroll(&ticket, &user).await?;
            let logon = bank.log_on(&user).await?;
            // An enrollment order has no `cancel` of its own: where a renewal's is, below its URL.
            let example = bank.order(&bank.log_on(&bank.user().await?).await?).await?;
            let suffix = example.cancel()?.as_str().replace(example.url().as_str(), "");
            let url = format!("{}{suffix}", placed.url()).parse().map_err(|_| {
                crate::case::Stop::Skipped(
                    "this bank's `cancel` is not below the order's URL".to_owned(),
                )
            })?;
            let payload = json!({ "key": placed.order.key.to_string() });
            bank.post(Operation::Cancel, &url, &logon.by(), payload)
                .await?
                .refused(Token::NotAuthorized)?;
            bank.confirm(&placed).await.map(drop)
        }),
    ]
}

/// A session with an order in `valid`.
async fn valid(bank: &Bank) -> Outcome<(Logon, Placed)> {
    let logon = bank.log_on(&bank.user().await?).await?;
    let placed = bank.order(&logon).await?;
    Ok((logon, placed))
}

async fn canceled_in_processing(bank: &Bank, logon: &Logon) -> Outcome<Placed> {
    let key = Key::new();
    let order: Order = bank.try_order(logon, &key).await?.object(201)?;
    ensure(order.status.name() == StatusName::Processing, "processing", order.status.name())?;
    let placed = Placed { order, key };
    let canceled: Order = bank.try_cancel(&placed, logon).await?.object(200)?;
    ensure(canceled.status.name() == StatusName::Canceled, "canceled", canceled.status.name())?;
    Ok(placed)
}

async fn against_confirm(bank: Bank) -> Outcome {
    for _ in 0..4 {
        let (logon, placed) = valid(&bank).await?;
        let pair = placed.pair()?;
        let payload = json!({ "key": placed.order.key.to_string() });
        let cancel = bank.draft(Operation::Cancel, placed.cancel()?, &logon.by(), &payload);
        let confirm = bank.draft(
            Operation::Confirm,
            &placed.issued()?.confirm,
            &By::Certificate(pair),
            &json!({}),
        );
        let (canceled, confirmed) = tokio::join!(bank.deliver(cancel), bank.deliver(confirm));
        let (canceled, confirmed) = (canceled?, confirmed?);
        let expected = if canceled.is_good() {
            confirmed.refused(Token::OrderCanceled)?;
            StatusName::Canceled
        } else {
            // The confirm ended the session, or completed the order.
            canceled.refused_with(&[Token::SessionEnded, Token::OrderCompleted])?;
            confirmed.object::<Order>(200)?;
            StatusName::Completed
        };
        let order = bank.read_order(placed.url(), &placed.by_key()).await?;
        ensure(order.status.name() == expected, expected, order.status.name())?;
    }
    Ok(())
}
