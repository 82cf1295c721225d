//! SPEC.md annex A: interrupted flows of renewals, as far as a bank settles them.

use koshin_protocol::order::{Order, StatusName};
use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use koshin_protocol::subject::Role;
use serde_json::json;

use super::deed::{Placed, remedy, same_order};
use super::key::Key;
use super::person::{DAY, seconds_after};
use super::refusal::On;
use super::{Bank, case};
use crate::case::{Case, Need, Prepares as _, Stop, ensure};

/// The cases of this part of the annex.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = lost_answers();
    cases.extend(lost_files());
    cases.extend(side_by_side());
    cases
}

fn lost_answers() -> Vec<Case<Bank>> {
    vec![
        case("flow/issued-response-lost", "Whoever did not get the answer to newOrder logs on, finds the order and takes its chain.").shows(&["ORD-02", "SES-02"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let key = Key::new();
            let lost: Order = bank.try_order(&bank.log_on(&person).await?, &key).await?.object(201).prepares("newOrder")?;
            let logon = bank.log_on(&person).await?;
            ensure(logon.session.order.as_ref() == Some(&lost.url), "`order` in the session", format_args!("{:?}", logon.session.order))?;
            let order: Order = bank.try_order(&logon, &key).await?.object(200)?;
            ensure(order.url == lost.url, &lost.url, &order.url)?;
            let placed = bank.until_valid(Placed { order, key }).await?;
            bank.confirm(&placed).await?;
            bank.log_on_by(&placed.pair()?, None).await.map(drop)
        }),
        case("flow/closed-before-issue", "An order whose client went away is issued, and found by its key.").shows(&["ORD-10", "ORD-30"]).needs(&[Need::Control, Need::Ca]).within(120).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed = bank.while_ca_down(&person, |bank, logon, placed| async move {
                bank.try_log_off(&logon).await?.status(204).prepares("logoff")?;
                Ok(placed)
            });
            let placed = placed.await?;
            let order: Order = bank.try_find(&placed.key).await?.object(200)?;
            let placed = bank.until_valid(Placed { order, key: placed.key }).await?;
            bank.confirm(&placed).await.map(drop)
        }),
        case("flow/canceled-during-import", "Who cancels after the download goes back to the old pair, and can order anew.").shows(&["CAN-07", "CAN-01"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            bank.read(&staged.placed.issued()?.certificate, &staged.placed.by_key()).await?.status(200).prepares("the download")?;
            let logon = bank.log_on(&staged.person).await?;
            bank.cancel(&staged.placed, &logon).await?;
            remedy(&bank.refused_logon(&staged.pair, Token::CertificateRevoked).await?, "usePredecessor")?;
            let next = bank.order(&logon).await?;
            bank.confirm(&next).await.map(drop)
        }),
        case("flow/confirmation-lost", "A confirm that never arrived is sent again, or the new certificate logs on.").shows(&["CFM-01", "SES-03"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            bank.confirm(&staged.placed).await?;
            let staged = bank.staged(StatusName::Valid).await?;
            bank.log_on_by(&staged.pair, None).await?;
            let order = bank.stands(&staged.placed, StatusName::Completed).await?;
            bank.receipt(&order).map(drop)
        }),
        case("flow/confirmed-response-lost", "A confirm that is sent again gives the completed order, and the old pair is told its successor.").shows(&["CFM-01", "AUT-07"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Completed).await?;
            let again: Order = bank.try_confirm(&staged.confirm()?, &staged.pair, json!({})).await?.object(200)?;
            same_order(&staged.order, &again)?;
            remedy(&bank.refused_logon(&staged.person.pair, Token::CertificateSuperseded).await?, "useSuccessor")
        }),
        case("flow/canceled-response-lost", "A cancel that is sent again in a new session gives the canceled order.").shows(&["CAN-01"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Canceled).await?;
            let logon = bank.log_on(&staged.person).await?;
            let again: Order = bank.try_cancel(&staged.placed, &logon).await?.object(200)?;
            same_order(&staged.order, &again)
        }),
        case("flow/rollback-response-lost", "A rollback that is sent again gives the order, and the old pair is renewed.").shows(&["RBK-01", "RBK-08"]).needs(&[Need::Rollback]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Completed).await?;
            let recovery = bank.recover(&staged.person.pair, None).await?;
            bank.try_roll_back(&staged.order, &recovery).await?.status(200)?;
            let again: Order = bank.try_roll_back(&staged.order, &recovery).await?.object(200)?;
            ensure(again.status.name() == StatusName::RolledBack, "rolledBack", again.status.name())?;
            // Who logs on for recovery anew learns that there is nothing left to do.
            bank.try_log_on_for(&staged.person.pair, None, "recovery").await?.refused(Token::NotSuperseded)?;
            bank.renew(&staged.person).await.map(drop)
        }),
        case("flow/too-late-twice", "One and the same signed request that arrives twice is carried out once.").shows(&["NON-02", "CHK-03"]).run(|bank: Bank| async move {
            for on in [On::NewOrder, On::Confirm, On::Cancel, On::Logoff] {
                let draft = bank.right(on).await?.set("nonce", bank.new_nonce().await?);
                let (a, b) = tokio::join!(bank.deliver(draft.clone()), bank.deliver(draft));
                let (first, second) = (a?, b?);
                let (good, other) = if first.is_good() { (first, second) } else { (second, first) };
                ensure(good.is_good(), "one of the two carried out", good.summary())?;
                other.refused(Token::BadNonce)?;
            }
            Ok(())
        }),
        case("flow/environment-refused", "A logon that the environment refuses confirms nothing and counts no PIN.").shows(&["ENV-01", "CHK-03"]).run(|bank: Bank| async move {
            if bank.directory().await?.meta.environments.is_empty() {
                return Err(Stop::Skipped("this bank takes every environment".to_owned()));
            }
            let staged = bank.staged(StatusName::Valid).await?;
            let mut payload = bank.logon_payload(None, "renewal").await?;
            payload["environment"]["os"] = json!("no-such-os");
            remedy(&bank.try_log_on(&staged.pair, payload).await?.refused(Token::EnvironmentUnsupported)?, "updateEnvironment")?;
            bank.stands(&staged.placed, StatusName::Valid).await?;
            bank.log_on_by(&staged.pair, None).await?;
            bank.stands(&staged.placed, StatusName::Completed).await.map(drop)
        }),
    ]
}

fn lost_files() -> Vec<Case<Bank>> {
    vec![
        case("flow/old-certificate-chosen", "Whoever chooses the old certificate after the renewal is told the new one, for everything.").shows(&["AUT-07", "SES-07"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Completed).await?;
            let answer = bank.try_log_on_for(&staged.person.pair, None, "renewal").await?;
            answer.refused(Token::CertificateSuperseded)?;
            let said = answer.value()["successor"].clone();
            ensure(said == staged.pair.cert_id().as_str(), staged.pair.cert_id(), said)?;
            let answer = bank.try_confirm(&staged.confirm()?, &staged.person.pair, json!({})).await?;
            answer.refused(Token::CertificateSuperseded).map(drop)
        }),
        case("flow/certificate-deleted-key-kept", "The certificate is read again by the key, octet for octet, before and after the confirm.").shows(&["ORD-30", "ORD-26"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            let chain = staged.placed.issued()?.chain.clone();
            for _ in 0..2 {
                let order: Order = bank.try_find(&staged.placed.key).await?.object(200)?;
                let placed = Placed { order, key: staged.placed.key.clone() };
                ensure(placed.issued()?.chain == chain, "the same chain", "another")?;
                bank.confirm(&placed).await?;
            }
            bank.log_on_by(&staged.pair, None).await.map(drop)
        }),
        case("flow/pair-deleted-in-time", "Whoever lost the new pair within the rollback period rolls back with the old one and orders anew.").shows(&["RBK-01", "RBK-08"]).needs(&[Need::Rollback]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Completed).await?;
            let recovery = bank.recover(&staged.person.pair, None).await?;
            // The recovery session reads the order that it is for, and so its key.
            let order = bank.read_order(staged.placed.url(), &recovery.by()).await?;
            bank.try_roll_back(&order, &recovery).await?.status(200)?;
            let renewed = bank.renew(&staged.person).await?;
            bank.log_on_by(&renewed.pair, None).await.map(drop)
        }),
        case("flow/pair-deleted-too-late", "Whoever lost the new pair after the right to roll back ended is reissued.").shows(&["SES-06", "RBK-03"]).needs(&[Need::Rollback, Need::Full]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let staged = bank.staged_for(user, StatusName::Completed).await?;
            bank.log_on_by(&staged.pair, None).await?;
            bank.try_log_on_for(&staged.person.pair, None, "recovery").await?.refused(Token::RollbackEnded)?;
            let by = bank.log_on(&administrator).await?;
            let made = bank.reissued_by(by, staged.person.clone(), reissue::StatusName::Completed).await?;
            let pair = made.placed.ok_or_else(|| Stop::blocked("no order"))?.pair()?;
            bank.log_on_by(&pair, None).await.map(drop)
        }),
        case("flow/new-key-lost", "Whoever lost the new key before the install cancels with the old pair and orders anew.").shows(&["CAN-01", "ORD-05"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            let logon = bank.log_on(&staged.person).await?;
            let answer = bank.try_order(&logon, &Key::new()).await?;
            answer.refused(Token::OrderExists)?;
            ensure(answer.value()["key"] == staged.order.key.to_string(), "the key of the open order", answer.summary())?;
            let url = logon.session.order.clone().ok_or_else(|| Stop::fail("`order` in the session", "none"))?;
            let order = bank.read_order(&url, &logon.by()).await?;
            let placed = Placed { order, key: Key::new() };
            bank.cancel(&placed, &logon).await?;
            let next = bank.order(&logon).await?;
            bank.confirm(&next).await.map(drop)
        }),
        case("flow/journal-lost", "Without a journal the session tells the open order, and findOrder the order of each key.").shows(&["SES-02", "ORD-30"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            let logon = bank.log_on(&staged.person).await?;
            ensure(logon.session.order.as_ref() == Some(staged.placed.url()), staged.placed.url(), format_args!("{:?}", logon.session.order))?;
            bank.try_find(&staged.person.pair.key).await?.refused(Token::OrderUnknown)?;
            bank.try_find(&Key::new()).await?.refused(Token::OrderUnknown)?;
            let order: Order = bank.try_find(&staged.placed.key).await?.object(200)?;
            same_order(&staged.order, &order)
        }),
        case("flow/issuer-changed", "The certificate of another CA is renewed by the bank's own, and the chain leads to its root.").shows(&["CHN-01", "CRT-12"]).run(|bank: Bank| async move {
            let person = bank.person(bank.wanted(Role::User).await?.foreign()).await?;
            let renewed = bank.renew(&person).await?;
            ensure(renewed.pair.certificate.issuer() != person.pair.certificate.issuer(), "another issuer", renewed.pair.certificate.issuer())?;
            ensure(renewed.pair.name() == person.pair.name(), "the same subject", renewed.pair.name())?;
            bank.receipt(&renewed.completed)?;
            bank.log_on_by(&renewed.pair, None).await.map(drop)
        }),
    ]
}

fn side_by_side() -> Vec<Case<Bank>> {
    vec![
        case("flow/double-click", "Two tabs with one key get one order, and one with another key is told that one.").shows(&["IDM-03", "ORD-05"]).run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let key = Key::new();
            let (a, b) = tokio::join!(bank.try_order(&logon, &key), bank.try_order(&logon, &key));
            let (a, b) = (a?, b?);
            ensure(a.location()? == b.location()?, a.location()?, b.location()?)?;
            ensure(a.status.as_u16() + b.status.as_u16() == 401, "201 and 200", format_args!("{} and {}", a.status, b.status))?;
            let answer = bank.try_order(&logon, &Key::new()).await?;
            answer.refused(Token::OrderExists)?;
            ensure(answer.value()["order"] == a.location()?.as_str(), a.location()?, answer.summary())
        }),
        case("flow/another-user-in-between", "Another user's logon and renewal disturb neither session nor order.").shows(&["SES-22"]).needs(&[Need::Full]).run(|bank: Bank| async move {
            let (_, user, other) = bank.three().await?;
            let logon = bank.log_on(&user).await?;
            let placed = bank.order(&logon).await?;
            bank.renew(&other).await?;
            ensure(bank.is_active(&logon).await?, "the session active", "ended")?;
            bank.confirm(&placed).await.map(drop)
        }),
        case("flow/two-logons-at-once", "Of two logons of one certificate at once one has the session, and the order stays.").shows(&["SES-20", "SES-21", "SES-23"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            let (a, b) = tokio::join!(bank.log_on(&staged.person), bank.log_on(&staged.person));
            let (a, b) = (a?, b?);
            let active = [bank.is_active(&a).await?, bank.is_active(&b).await?];
            ensure(active[0] != active[1], "one session active", format_args!("{active:?}"))?;
            bank.stands(&staged.placed, StatusName::Valid).await?;
            bank.confirm(&staged.placed).await.map(drop)
        }),
        case("flow/person-and-agent", "Of two machines that renew at once one has the order, and the other is told whose it is.").shows(&["ORD-05", "STA-08"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            let (one, other) = (Key::new(), Key::new());
            let (a, b) = tokio::join!(bank.try_order(&logon, &one), bank.try_order(&logon, &other));
            let (a, b) = (a?, b?);
            let (won, lost, key) = if a.is_good() { (a, b, one) } else { (b, a, other) };
            let order: Order = won.object(201)?;
            remedy(&lost.refused(Token::OrderExists)?, "resumeOrder")?;
            ensure(lost.value()["key"] == key.thumbprint().to_string(), "the winner's key", lost.summary())?;
            let placed = bank.until_valid(Placed { order, key }).await?;
            bank.confirm(&placed).await.map(drop)
        }),
        case("flow/too-early", "Too early, the client is told when; the order is refused until then.").shows(&["ORD-07", "ERR-05"]).run(|bank: Bank| async move {
            let window = i64::from(bank.directory().await?.meta.window.days());
            let until = seconds_after(bank.now(), (window + 5) * DAY);
            let person = bank.person(bank.wanted(Role::User).await?.until(until)).await?;
            let logon = bank.log_on(&person).await?;
            let key = Key::new();
            let problem = bank.try_order(&logon, &key).await?.refused(Token::TooEarly)?;
            let opens = problem.remedy.not_before.ok_or_else(|| Stop::fail("`notBefore`", "none"))?;
            let days = person.pair.not_after().seconds_since(opens);
            ensure(opens > bank.now() && days >= window * DAY && days <= (window + 1) * DAY, "the opening of the window", opens)?;
            bank.try_find(&key).await?.refused(Token::OrderUnknown)?;
            bank.renew(&bank.user().await?).await.prepares("a renewal in its window").map(drop)
        }),
    ]
}
