//! SPEC.md 14: what a bank acknowledged is there after it was killed.

use std::fmt;

use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::operation::Operation;
use koshin_protocol::order::{Order, StatusName};
use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::deed::{Placed, same_order};
use super::draft::By;
use super::key::Key;
use super::person::Person;
use super::s07_17_unlock::{lock, with_pin};
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};
use crate::control::Request;

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = kept();
    cases.extend(issuing());
    for case in &mut cases {
        case.about.needs.extend([Need::Control, Need::Alone]);
    }
    cases
}

/// Kills the bank and starts it again.
pub(super) async fn restart(bank: &Bank) -> Outcome {
    bank.control(Request::Kill).await?;
    bank.control(Request::Start).await.map(drop)
}

fn durable(name: &str, what: impl fmt::Display, shows: &[&str]) -> crate::case::Draft {
    case(format!("durable/{name}"), format!("After the bank was killed {what}."))
        .shows(shows)
        .within(120)
}

fn kept() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = [
        StatusName::Valid,
        StatusName::Completed,
        StatusName::Canceled,
        StatusName::Invalid,
        StatusName::RolledBack,
    ]
    .into_iter()
    .map(|status| {
        let needs: &[Need] = if status == StatusName::RolledBack { &[Need::Rollback] } else { &[] };
        let name = format!("order-{}", status.as_str().to_ascii_lowercase());
        durable(
            &name,
            format_args!("an order in `{status}` is the same, member for member"),
            &["DUR-01", "ORD-26"],
        )
        .needs(needs)
        .run(move |bank: Bank| async move {
            let staged = bank.staged(status).await?;
            restart(&bank).await?;
            let order = bank.stands(&staged.placed, status).await?;
            same_order(&staged.order, &order)?;
            let found: Order = bank.try_find(&staged.placed.key).await?.object(200)?;
            same_order(&order, &found)?;
            if status == StatusName::Valid {
                bank.confirm(&staged.placed).await?;
            }
            bank.log_on_by(
                &if status == StatusName::Valid { staged.pair.clone() } else { staged.current() },
                None,
            )
            .await
            .map(drop)
        })
    })
    .collect();
    cases.extend([
        durable(
            "session",
            "its sessions are active, and ended ones are not",
            &["DUR-01", "STA-06"],
        )
        .run(|bank: Bank| async move {
            let active = bank.log_on(&bank.user().await?).await?;
            let ended = bank.log_on(&bank.user().await?).await?;
            bank.try_log_off(&ended).await?.status(204).prepares("logoff")?;
            restart(&bank).await?;
            ensure(bank.is_active(&active).await?, "the session active", "ended")?;
            bank.read(&ended.url, &ended.by()).await?.refused(Token::SessionEnded)?;
            bank.order(&active).await.map(drop)
        }),
        durable("revocation", "a revoked certificate is revoked", &["DUR-01", "REV-08"]).run(
            |bank: Bank| async move {
                let person = bank.user().await?;
                bank.log_on(&person).await?;
                bank.revoke_itself(&person.pair, "keyCompromise").await?;
                restart(&bank).await?;
                bank.refused_logon(&person.pair, Token::CertificateRevoked).await.map(drop)
            },
        ),
        durable("reissue", "a reissue is there, and its code redeems", &["DUR-01"])
            .needs(&[Need::Full])
            .run(|bank: Bank| async move {
                let made = bank.reissued(reissue::StatusName::Pending).await?;
                restart(&bank).await?;
                bank.reissue_stands(&made, reissue::StatusName::Pending).await?;
                let placed = bank.enroll(&made.ticket, &made.person).await?;
                restart(&bank).await?;
                bank.reissue_stands(&made, reissue::StatusName::Redeemed).await?;
                let draft = bank
                    .enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new())
                    .await?;
                bank.deliver(draft).await?.refused(Token::EnrollmentUsed)?;
                bank.confirm(&placed).await.map(drop)
            }),
        durable("pin", "a changed PIN is the new one, and a lock locks", &["DUR-01", "PIN-07"])
            .needs(&[Need::Full, Need::Pin])
            .run(|bank: Bank| async move {
                let (by, user) = with_pin(&bank).await?;
                let logon = bank.log_on(&user).await?;
                bank.try_change_pin(&logon, "481516", "108108")
                    .await?
                    .status(204)
                    .prepares("pin")?;
                restart(&bank).await?;
                bank.try_log_on_for(&user.pair, Some("108108"), "renewal").await?.status(201)?;
                lock(&bank, &user).await?;
                restart(&bank).await?;
                bank.try_log_on_for(&user.pair, Some("108108"), "renewal")
                    .await?
                    .refused(Token::PinLocked)?;
                bank.try_unlock(&by, &user.subject).await?.status(204)?;
                restart(&bank).await?;
                bank.try_log_on_for(&user.pair, Some("108108"), "renewal").await?.status(201)
            }),
        durable("deferral", "a deferral is counted", &["DUR-01", "NTC-22"]).run(
            |bank: Bank| async move {
                let person = bank.user().await?;
                let logon = bank.log_on(&person).await?;
                let url = logon.defer()?;
                bank.try_defer(&logon, &url).await?.status(200).prepares("defer")?;
                restart(&bank).await?;
                let again = bank.log_on(&person).await?;
                let deferrals = again
                    .session
                    .notice
                    .and_then(|notice| notice.deferred)
                    .map(|deferred| deferred.count.get());
                ensure(deferrals == Some(1), "`deferrals` 1", format_args!("{deferrals:?}"))
            },
        ),
        durable(
            "right-to-roll-back",
            "the right to roll back is there, and given up it is not",
            &["DUR-01", "RBK-01"],
        )
        .needs(&[Need::Rollback])
        .run(|bank: Bank| async move {
            let kept = bank.staged(StatusName::Completed).await?;
            let ended = bank.staged(StatusName::Completed).await?;
            bank.try_confirm(&ended.confirm()?, &ended.pair, json!({ "final": true }))
                .await?
                .status(200)
                .prepares("confirm")?;
            restart(&bank).await?;
            bank.try_log_on_for(&ended.person.pair, None, "recovery")
                .await?
                .refused(Token::RollbackEnded)?;
            let recovery = bank.recover(&kept.person.pair, None).await?;
            bank.try_roll_back(&kept.order, &recovery).await?.status(200)
        }),
        durable("nonce", "no nonce that was spent before is taken", &["NON-02", "NON-03"]).run(
            |bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                let nonce = bank.new_nonce().await?;
                let draft = bank
                    .draft(Operation::Read, &logon.url, &logon.by(), &Value::Null)
                    .set("nonce", nonce);
                bank.deliver(draft.clone()).await?.status(200).prepares("the first use")?;
                restart(&bank).await?;
                bank.deliver(draft).await?.refused(Token::BadNonce).map(drop)
            },
        ),
    ]);
    cases
}

fn issuing() -> Vec<Case<Bank>> {
    vec![
        durable("processing", "an order in `processing` is taken up again, and gets one certificate", &["DUR-02", "DUR-10", "DUR-13"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed = bank.while_ca_down(&person, |bank, _, placed| async move {
                restart(&bank).await?;
                bank.stands(&placed, StatusName::Processing).await?;
                Ok::<Placed, Stop>(placed)
            });
            let placed = bank.until_valid(placed.await?).await?;
            let chain = placed.issued()?.chain.clone();
            restart(&bank).await?;
            let later = bank.stands(&placed, StatusName::Valid).await?;
            let later = Placed { order: later, key: placed.key.clone() };
            ensure(later.issued()?.chain == chain, "the same chain", "another")?;
            bank.confirm(&placed).await.map(drop)
        }),
        durable("enrollment-processing", "an enrollment in `processing` is taken up again", &["DUR-02"]).needs(&[Need::Full]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let key = Key::new();
            bank.control(Request::CaDown).await?;
            let placed = async {
                let draft = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &key).await?;
                let order: Order = bank.deliver(draft).await?.object(201)?;
                ensure(order.status.name() == StatusName::Processing, "processing", order.status.name())?;
                restart(&bank).await?;
                Ok::<Placed, Stop>(Placed { order, key: key.clone() })
            }
            .await;
            bank.control(Request::CaUp).await?;
            let placed = bank.until_valid(placed?).await?;
            bank.confirm(&placed).await.map(drop)
        }),
        durable("canceled-in-processing", "an order that was canceled in `processing` stays so", &["DUR-01", "CAN-06"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed = bank.while_ca_down(&person, |bank, logon, placed| async move {
                bank.try_cancel(&placed, &logon).await?.status(200)?;
                restart(&bank).await?;
                Ok::<Placed, Stop>(placed)
            });
            let placed = placed.await?;
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            bank.stands(&placed, StatusName::Canceled).await.map(drop)
        }),
        durable("in-flight", "while orders and confirms were under way, what was acknowledged is there, and each key has one order", &["DUR-01", "DUR-10", "DUR-12"]).run(in_flight),
    ]
}

/// A renewal that is under way when the bank is killed.
struct UnderWay {
    person: Person,
    key: Key,
    /// The order that was acknowledged.
    order: Option<Order>,
    /// Whether its confirm was.
    confirmed: bool,
}

async fn in_flight(bank: Bank) -> Outcome {
    let mut people = Vec::new();
    for _ in 0..6 {
        let person = bank.user().await?;
        let logon = bank.log_on(&person).await?;
        people.push((person, logon));
    }
    let mut renewing = JoinSet::new();
    for (person, logon) in people {
        let bank = bank.clone();
        renewing.spawn(async move {
            let mut state = UnderWay { person, key: Key::new(), order: None, confirmed: false };
            // Without an answer the request may have been carried out or not.
            let Ok(answer) = bank.try_order(&logon, &state.key).await else { return state };
            state.order = answer.object(201).ok();
            let Some(order) = state.order.clone() else { return state };
            let placed = Placed { order, key: state.key.clone() };
            let (Ok(issued), Ok(pair)) = (placed.issued(), placed.pair()) else { return state };
            if let Ok(answer) = bank.try_confirm(&issued.confirm, &pair, json!({})).await {
                state.confirmed = answer.is_good();
            }
            state
        });
    }
    tokio::time::sleep(std::time::Duration::from_millis(
        5 + 10 * u64::try_from(bank.choose(5)).unwrap_or(0),
    ))
    .await;
    restart(&bank).await?;
    while let Some(done) = renewing.join_next().await {
        let state = done.map_err(|error| Stop::blocked(format_args!("a renewal: {error}")))?;
        let found = bank.try_find(&state.key).await?;
        let Some(order) = &state.order else {
            // Not acknowledged: found or not, the same key gives one order.
            if found.is_good() {
                found.object::<Order>(200)?;
            } else {
                found.refused(Token::OrderUnknown)?;
                let placed = bank.order(&bank.log_on(&state.person).await?).await?;
                bank.confirm(&placed).await?;
            }
            continue;
        };
        let found: Order = found.object(200)?;
        ensure(found.url == order.url, &order.url, &found.url)?;
        if state.confirmed {
            ensure(found.status.name() == StatusName::Completed, "completed", found.status.name())?;
            bank.refused_logon(&state.person.pair, Token::CertificateSuperseded).await?;
        }
        let placed = Placed { order: found, key: state.key.clone() };
        let pair = bank.until_issued(placed).await?.pair()?;
        let logon = bank.log_on_by(&pair, None).await?;
        bank.shows(&logon, &pair, CertificateState::Current).await?;
        let by = By::Certificate(state.person.pair.clone());
        let payload =
            json!({ "certID": state.person.pair.cert_id().as_str(), "reason": "unspecified" });
        bank.try_revoke(&by, payload).await?.status(200)?;
    }
    Ok(())
}

impl Bank {
    /// An order that has its certificate.
    async fn until_issued(&self, placed: Placed) -> Outcome<Placed> {
        if placed.order.status.name() == StatusName::Completed {
            Ok(placed)
        } else {
            self.until_valid(placed).await
        }
    }
}
