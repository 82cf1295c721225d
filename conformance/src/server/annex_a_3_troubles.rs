//! SPEC.md annex A: flows of PINs, reissues and codes, and of the bank's own troubles.

use http::header::RETRY_AFTER;
use koshin_protocol::order::{Order, StatusName};
use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use koshin_protocol::revocation::Reason;
use koshin_protocol::subject::Role;
use serde_json::json;

use super::deed::{Placed, Ticket, remedy, same_order};
use super::key::Key;
use super::person::{DAY, seconds_after};
use super::s07_14_rollback::reversible;
use super::s07_17_unlock::{lock, with_pin};
use super::s13_5_enrollment::from_the_branch;
use super::s14_durability::restart;
use super::{Bank, case};
use crate::case::{Case, Need, Prepares as _, Stop, ensure};
use crate::control::Request;

/// The cases of this part of the annex.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = people();
    cases.extend(troubles());
    cases.extend(races());
    cases
}

fn people() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case("flow/pin-locked-and-unlocked", "A PIN that is locked while an order is open leaves order and session; unlocked, the renewal goes on.").shows(&["PIN-13", "UNL-01"]).needs(&[Need::Pin]).run(|bank: Bank| async move {
            let (by, user) = with_pin(&bank).await?;
            let logon = bank.log_on(&user).await?;
            let placed = bank.order(&logon).await?;
            lock(&bank, &user).await?;
            ensure(bank.is_active(&logon).await?, "the session active", "ended")?;
            let pair = placed.pair()?;
            remedy(&bank.try_log_on_for(&pair, user.pin.as_deref(), "renewal").await?.refused(Token::PinLocked)?, "unlockByAdministrator")?;
            bank.stands(&placed, StatusName::Valid).await?;
            bank.try_unlock(&by, &user.subject).await?.status(204)?;
            bank.log_on_by(&pair, user.pin.as_deref()).await?;
            bank.stands(&placed, StatusName::Completed).await.map(drop)
        }),
        case("flow/reissued-while-open", "A reissue while an order is open makes it invalid and revokes its certificate; the code gives another.").shows(&["REI-08", "ORD-23"]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let staged = bank.staged_for(user, StatusName::Valid).await?;
            let by = bank.log_on(&administrator).await?;
            let (ticket, _, _) = bank.reissue(&by, &staged.person, "deviceLost").await?;
            bank.invalid_for(&staged.placed, Token::OrderInvalid).await?;
            bank.refused_logon(&staged.pair, Token::CertificateRevoked).await?;
            let placed = bank.enroll(&ticket, &staged.person).await?;
            bank.confirm(&placed).await.map(drop)
        }),
        case("flow/revoked-while-open", "A revocation while an order is open makes it invalid and revokes its certificate.").shows(&["REV-05", "DUR-11"]).run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            bank.revoke_itself(&staged.person.pair, "keyCompromise").await?;
            bank.invalid_for(&staged.placed, Token::CertificateRevoked).await?;
            bank.refused_logon(&staged.pair, Token::CertificateRevoked).await?;
            bank.try_confirm(&staged.confirm()?, &staged.pair, json!({})).await?.refused(Token::OrderInvalid).map(drop)
        }),
        case("flow/code-wrong", "A wrong code is refused, and the right one redeems afterwards.").shows(&["ENR-02"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let wrong = bank.enrollment_draft(&made.ticket.with_wrong_code(), made.person.pair.name(), &Key::new()).await?;
            bank.deliver(wrong).await?.refused(Token::EnrollmentRefused)?;
            bank.enroll(&made.ticket, &made.person).await.map(drop)
        }),
        case("flow/code-stolen", "Whoever comes with a stolen code after its owner gets nothing; whoever came before is thrown out by a new reissue.").shows(&["ENR-13", "REI-07", "REI-21"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Redeemed).await?;
            let thief = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new()).await?;
            bank.deliver(thief).await?.refused(Token::EnrollmentUsed)?;
            let stolen = made.placed.clone().ok_or_else(|| Stop::blocked("no order"))?;
            let (newer, _, _) = bank.reissue(&made.by, &made.person, "keyCompromise").await?;
            bank.refused_logon(&stolen.pair()?, Token::CertificateRevoked).await?;
            bank.invalid_for(&stolen, Token::EnrollmentCanceled).await?;
            let placed = bank.enroll(&newer, &made.person).await?;
            bank.confirm(&placed).await.map(drop)
        }),
        case("flow/redeemed-response-lost", "The key that redeemed a code without hearing of it gets its order, and confirms.").shows(&["ENR-11"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let key = Key::new();
            let draft = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &key).await?;
            let lost: Order = bank.deliver(draft.clone()).await?.object(201).prepares("newEnrollment")?;
            let order: Order = bank.deliver(draft).await?.object(200)?;
            ensure(order.url == lost.url, &lost.url, &order.url)?;
            let found: Order = bank.try_find(&key).await?.object(200)?;
            ensure(found.url == lost.url, &lost.url, &found.url)?;
            let placed = bank.until_valid(Placed { order, key }).await?;
            bank.confirm(&placed).await.map(drop)
        }),
        case("flow/sole-administrator-expired", "An administrator whose certificate expired is sent to the branch, whose code gives a new one.").shows(&["ERR-02", "REI-30"]).needs(&[Need::Control]).run(|bank: Bank| async move {
            let expired = bank.wanted(Role::Administrator).await?.until(seconds_after(bank.now(), -DAY));
            let person = bank.person(expired).await?;
            remedy(&bank.refused_logon(&person.pair, Token::CertificateExpired).await?, "reissueAtBranch")?;
            let ticket = from_the_branch(&bank, &person, Reason::Unspecified).await?;
            let placed = bank.enroll(&ticket, &person).await?;
            bank.confirm(&placed).await?;
            bank.log_on_by(&placed.pair()?, None).await.map(drop)
        }),
    ];
    for case in &mut cases {
        case.about.needs.push(Need::Full);
    }
    cases
}

fn troubles() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case("flow/ca-down", "While the CA is down an order is `processing`, and with the CA back it is `valid`.").shows(&["ORD-12", "RTA-01"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed = bank.while_ca_down(&person, |bank, _, placed| async move {
                let answer = bank.read(placed.url(), &placed.by_key()).await?;
                answer.object::<Order>(200)?;
                ensure(answer.headers.contains_key(RETRY_AFTER), "Retry-After", "none")?;
                Ok::<Placed, Stop>(placed)
            });
            let placed = bank.until_valid(placed.await?).await?;
            bank.confirm(&placed).await.map(drop)
        }),
        case("flow/ca-slow", "While the CA is slow an order is `processing` with `Retry-After`, and one key has one order.").shows(&["RTA-01", "ORD-02"]).run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            bank.control(Request::CaSlow { seconds: 3 }).await?;
            let placed = async {
                let key = Key::new();
                let answer = bank.try_order(&logon, &key).await?;
                let order: Order = answer.object(201)?;
                let again: Order = bank.try_order(&logon, &key).await?.object(200)?;
                ensure(again.url == order.url, &order.url, &again.url)?;
                if order.status.name() == StatusName::Processing {
                    ensure(answer.headers.contains_key(RETRY_AFTER), "Retry-After", "none")?;
                }
                bank.until_valid(Placed { order, key }).await
            }
            .await;
            bank.control(Request::CaUp).await?;
            bank.confirm(&placed?).await.map(drop)
        }),
        case("flow/bank-killed-at-each-step", "A renewal goes on over a bank that is killed after each of its answers.").shows(&["DUR-01", "DUR-10"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            restart(&bank).await?;
            let placed = bank.order(&logon).await?;
            restart(&bank).await?;
            let order = bank.stands(&placed, StatusName::Valid).await?;
            same_order(&placed.order, &order)?;
            let again: Order = bank.try_order(&logon, &placed.key).await?.object(200)?;
            same_order(&order, &again)?;
            let url = &placed.issued()?.certificate;
            bank.read(url, &placed.by_key()).await?.status(200)?;
            restart(&bank).await?;
            let renewed = bank.confirm(&placed).await?;
            restart(&bank).await?;
            let completed = bank.stands(&placed, StatusName::Completed).await?;
            same_order(&renewed.completed, &completed)?;
            bank.refused_logon(&person.pair, Token::CertificateSuperseded).await?;
            bank.log_on_by(&renewed.pair, None).await.map(drop)
        }),
    ];
    for case in &mut cases {
        let kills = case.about.slug == "flow/bank-killed-at-each-step";
        let alone = if kills { Need::Alone } else { Need::Ca };
        case.about.needs.extend([Need::Control, alone]);
    }
    cases
}

fn races() -> Vec<Case<Bank>> {
    vec![
        case("flow/cancel-against-late-issue", "Of a cancel and a certificate that the CA delivers at the same time one wins, and no certificate is left that works.").shows(&["STA-03", "CAN-06"]).needs(&[Need::Control, Need::Ca]).within(120).run(|bank: Bank| async move {
            for _ in 0..3 {
                let person = bank.user().await?;
                let logon = bank.log_on(&person).await?;
                bank.control(Request::CaSlow { seconds: 1 }).await?;
                let key = Key::new();
                let answer = bank.try_order(&logon, &key).await;
                tokio::time::sleep(std::time::Duration::from_millis(900 + 50 * u64::try_from(bank.choose(5)).unwrap_or(0))).await;
                let canceled = async {
                    let placed = Placed { order: answer?.object(201)?, key };
                    bank.try_cancel(&placed, &logon).await?.status(200)?;
                    Ok::<Placed, Stop>(placed)
                }
                .await;
                bank.control(Request::CaUp).await?;
                let placed = canceled?;
                tokio::time::sleep(std::time::Duration::from_secs(2)).await;
                bank.stands(&placed, StatusName::Canceled).await?;
                let next = bank.order(&logon).await?;
                bank.confirm(&next).await?;
            }
            Ok(())
        }),
        case("flow/confirm-against-rollback", "Of a rollback and a confirm that is sent again at the same time each is answered by the state that it finds.").shows(&["STA-03", "RBK-01"]).needs(&[Need::Rollback]).run(|bank: Bank| async move {
            for _ in 0..4 {
                let (staged, recovery) = reversible(&bank).await?;
                let url = staged.confirm()?;
                let (back, again) = tokio::join!(bank.try_roll_back(&staged.order, &recovery), bank.try_confirm(&url, &staged.pair, json!({})));
                back?.status(200)?;
                let again = again?;
                if !again.is_good() {
                    again.refused(Token::OrderRolledBack)?;
                }
                bank.stands(&staged.placed, StatusName::RolledBack).await?;
                bank.log_on(&staged.person).await?;
            }
            Ok(())
        }),
        case("flow/logon-against-rollback", "Of a rollback and the successor's first logon at the same time exactly one wins.").shows(&["STA-03", "RBK-03"]).needs(&[Need::Rollback]).run(|bank: Bank| async move {
            for _ in 0..4 {
                let (staged, recovery) = reversible(&bank).await?;
                let (back, logon) = tokio::join!(bank.try_roll_back(&staged.order, &recovery), bank.try_log_on_for(&staged.pair, None, "renewal"));
                let (back, logon) = (back?, logon?);
                if back.is_good() {
                    bank.stands(&staged.placed, StatusName::RolledBack).await?;
                    // A logon that came first and was not seen to would have ended the right.
                    logon.refused(Token::CertificateRevoked)?;
                    bank.log_on(&staged.person).await?;
                } else {
                    back.refused(Token::RollbackEnded)?;
                    logon.status(201)?;
                    bank.stands(&staged.placed, StatusName::Completed).await?;
                    bank.refused_logon(&staged.person.pair, Token::CertificateSuperseded).await?;
                }
            }
            Ok(())
        }),
        case("flow/reissue-against-confirm", "Of a reissue and a confirm of the subject's renewal at the same time each order finds its end, and one certificate counts at most.").shows(&["STA-03", "REI-08"]).needs(&[Need::Full]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let staged = bank.staged_for(user, StatusName::Valid).await?;
            let by = bank.log_on(&administrator).await?;
            let url = staged.confirm()?;
            let payload = bank.new_reissue(&staged.person, "deviceLost", &Ticket::new());
            let (reissued, confirmed) = tokio::join!(bank.try_reissue(&by, payload), bank.try_confirm(&url, &staged.pair, json!({})));
            reissued?.status(201)?;
            let confirmed = confirmed?;
            if confirmed.is_good() {
                bank.stands(&staged.placed, StatusName::Completed).await?;
            } else {
                confirmed.refused(Token::OrderInvalid)?;
                bank.invalid_for(&staged.placed, Token::OrderInvalid).await?;
            }
            for pair in [&staged.person.pair, &staged.pair] {
                bank.refused_logon(pair, Token::CertificateRevoked).await?;
            }
            Ok(())
        }),
    ]
}
