//! SPEC.md 10.1: every cell of the table of orders that can be reached from outside; and that time changes no order (10.5).

use std::fmt;
use std::time::Duration;

use koshin_protocol::operation::Operation;
use koshin_protocol::order::StatusName;
use koshin_protocol::problem::Token;
use serde_json::json;

use super::answer::Answer;
use super::deed::{Placed, Staged, same_order};
use super::person::seconds_after;
use super::s07_13_confirm::right;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = CELLS.iter().map(|&cell| of(cell)).collect();
    cases.extend(in_processing());
    cases
}

/// What happens to an order, or only the time that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Cancel,
    Confirm,
    FirstUse,
    Rollback,
    PredecessorExpired,
    PredecessorRevoked,
    SuccessorRevoked,
    SubjectReissued,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancel => "cancel",
            Self::Confirm => "confirm",
            Self::FirstUse => "first use",
            Self::Rollback => "rollback",
            Self::PredecessorExpired => "predecessor expired",
            Self::PredecessorRevoked => "predecessor revoked",
            Self::SuccessorRevoked => "successor revoked",
            Self::SubjectReissued => "subject reissued",
        })
    }
}

/// What a cell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// `=`: the event succeeds, the state is the same.
    Same,
    /// The next state.
    Next(StatusName),
    /// The request is refused, the state stays.
    Refused(Token),
}

type Cell = (Event, StatusName, Then);

const CELLS: [Cell; 31] = {
    use Event::{
        Cancel, Confirm, FirstUse, PredecessorExpired, PredecessorRevoked, Rollback,
        SubjectReissued, SuccessorRevoked,
    };
    use StatusName::{Canceled, Completed, Invalid, RolledBack, Valid};
    use Then::{Next, Refused, Same};
    [
        (Cancel, Valid, Next(Canceled)),
        (Cancel, Completed, Refused(Token::OrderCompleted)),
        (Cancel, Canceled, Same),
        (Cancel, Invalid, Refused(Token::OrderInvalid)),
        (Cancel, RolledBack, Refused(Token::OrderRolledBack)),
        (Confirm, Valid, Next(Completed)),
        (Confirm, Completed, Same),
        (Confirm, Canceled, Refused(Token::OrderCanceled)),
        (Confirm, Invalid, Refused(Token::OrderInvalid)),
        (Confirm, RolledBack, Refused(Token::OrderRolledBack)),
        (FirstUse, Valid, Next(Completed)),
        (FirstUse, Completed, Same),
        (FirstUse, Canceled, Refused(Token::CertificateRevoked)),
        (FirstUse, Invalid, Refused(Token::CertificateRevoked)),
        (FirstUse, RolledBack, Refused(Token::CertificateRevoked)),
        (Rollback, Completed, Next(RolledBack)),
        (PredecessorExpired, Valid, Same),
        (PredecessorExpired, Completed, Same),
        (PredecessorExpired, Canceled, Same),
        (PredecessorExpired, RolledBack, Same),
        (PredecessorRevoked, Valid, Next(Invalid)),
        (PredecessorRevoked, Completed, Same),
        (PredecessorRevoked, Canceled, Same),
        (PredecessorRevoked, Invalid, Same),
        (PredecessorRevoked, RolledBack, Same),
        (SuccessorRevoked, Valid, Next(Invalid)),
        (SuccessorRevoked, Completed, Same),
        (SuccessorRevoked, RolledBack, Same),
        (SubjectReissued, Valid, Next(Invalid)),
        (SubjectReissued, Completed, Same),
        (SubjectReissued, Canceled, Same),
    ]
};

fn of((event, status, then): Cell) -> Case<Bank> {
    let slug = format!(
        "state/order-{}-{}",
        event.to_string().replace(' ', "-"),
        status.as_str().to_ascii_lowercase()
    );
    let sentence = match then {
        Then::Same if event == Event::PredecessorExpired => {
            format!("An order in `{status}` stays as it is after its predecessor's notAfter.")
        }
        Then::Same => format!("An order in `{status}` stays as it is at the event \"{event}\"."),
        Then::Next(next) => {
            format!("An order in `{status}` becomes `{next}` at the event \"{event}\".")
        }
        Then::Refused(token) => format!(
            "An order in `{status}` stays as it is at the event \"{event}\", which is refused with `{token}`."
        ),
    };
    let mut needs = Vec::new();
    if status == StatusName::RolledBack || event == Event::Rollback {
        needs.push(Need::Rollback);
    }
    if event == Event::PredecessorExpired {
        needs.push(Need::Time);
    }
    if event == Event::SubjectReissued {
        needs.push(Need::Full);
    }
    let shows: &[&str] =
        if event == Event::PredecessorExpired { &["STA-01"] } else { &["STA-01", "STA-02"] };
    case(slug, sentence)
        .shows(shows)
        .needs(&needs)
        .run(move |bank: Bank| happens(bank, event, status, then))
}

async fn happens(bank: Bank, event: Event, status: StatusName, then: Then) -> Outcome {
    let (administrator, user) = match event {
        Event::SubjectReissued => {
            let (administrator, user) = bank.contract().await?;
            (Some(administrator), user)
        }
        Event::PredecessorExpired => (None, bank.user_for(12).await?),
        _ => (None, bank.user().await?),
    };
    let staged = bank.staged_for(user, status).await?;
    let answer = match event {
        Event::SubjectReissued => {
            let administrator = administrator.ok_or_else(|| Stop::blocked("no administrator"))?;
            let by = bank.log_on(&administrator).await?;
            bank.reissue(&by, &staged.person, "keyLost").await?;
            None
        }
        Event::PredecessorExpired => {
            bank.wait_until(seconds_after(staged.person.pair.not_after(), 2)).await;
            None
        }
        Event::PredecessorRevoked => {
            bank.revoke_itself(&staged.person.pair, "unspecified").await?;
            None
        }
        Event::SuccessorRevoked => {
            bank.revoke_itself(&staged.pair, "unspecified").await?;
            None
        }
        Event::Cancel | Event::Confirm | Event::FirstUse | Event::Rollback => {
            Some(request(&bank, &staged, event).await?)
        }
    };
    if let Some(answer) = answer {
        match then {
            Then::Refused(token) => drop(answer.refused(token)?),
            Then::Same | Then::Next(_) if answer.is_good() => {}
            Then::Same | Then::Next(_) => return Err(answer.not("success")),
        }
    }
    let expected = if let Then::Next(next) = then { next } else { status };
    let order = bank.stands(&staged.placed, expected).await?;
    match (then, status) {
        // What is final stays in all its members, its receipt included.
        (
            Then::Same | Then::Refused(_),
            StatusName::Canceled | StatusName::Invalid | StatusName::RolledBack,
        ) => same_order(&staged.order, &order),
        (Then::Same, StatusName::Completed) if event != Event::Confirm => {
            ensure(right(&order)?.is_none(), "no right to roll back any more", "`rollback`")
        }
        (Then::Next(_), _) => bank.receipt(&order).map(drop),
        _ => Ok(()),
    }
}

async fn request(bank: &Bank, staged: &Staged, event: Event) -> Outcome<Answer> {
    match event {
        Event::Cancel => {
            let logon = bank.log_on_by(&staged.current(), None).await?;
            bank.try_cancel(&staged.placed, &logon).await
        }
        Event::Confirm => bank.try_confirm(&staged.confirm()?, &staged.pair, json!({})).await,
        Event::Rollback => {
            let recovery = bank.recover(&staged.person.pair, None).await?;
            bank.try_roll_back(&staged.order, &recovery).await
        }
        _ => bank.try_log_on_for(&staged.pair, None, "renewal").await,
    }
}

/// How long a bank has for what it does by itself after its CA is back.
const SETTLES: Duration = Duration::from_secs(3);

fn in_processing() -> Vec<Case<Bank>> {
    let late = |name: &str, sentence: &str, token: Option<Token>, event: Event| {
        case(format!("state/order-{name}-processing"), sentence)
            .shows(&["STA-01", "CAN-06", "DUR-11"])
            .needs(if event == Event::SubjectReissued {
                &[Need::Control, Need::Ca, Need::Full]
            } else {
                &[Need::Control, Need::Ca]
            })
            .within(120)
            .run(move |bank: Bank| async move {
                let (administrator, user) = if event == Event::SubjectReissued {
                    bank.contract().await?
                } else {
                    let user = bank.user().await?;
                    (user.clone(), user)
                };
                let by = if event == Event::SubjectReissued {
                    Some(bank.log_on(&administrator).await?)
                } else {
                    None
                };
                let person = user.clone();
                let placed = bank.while_ca_down(&user, |bank, logon, placed| async move {
                    match event {
                        Event::Cancel => bank.try_cancel(&placed, &logon).await?.status(200)?,
                        Event::PredecessorRevoked => {
                            bank.revoke_itself(&person.pair, "unspecified").await?
                        }
                        _ => {
                            let by = by.ok_or_else(|| Stop::blocked("no administrator"))?;
                            bank.reissue(&by, &person, "keyLost").await?;
                        }
                    }
                    Ok::<Placed, Stop>(placed)
                });
                let placed = placed.await?;
                let status =
                    if event == Event::Cancel { StatusName::Canceled } else { StatusName::Invalid };
                bank.stands(&placed, status).await?;
                if let Some(token) = token {
                    bank.invalid_for(&placed, token).await?;
                }
                tokio::time::sleep(SETTLES).await;
                bank.stands(&placed, status).await.map(drop)
            })
    };
    vec![
        late(
            "cancel",
            "An order in `processing` is canceled, and no late certificate changes that.",
            None,
            Event::Cancel,
        ),
        late(
            "predecessor-revoked",
            "An order in `processing` whose predecessor is revoked is `invalid`, and no late certificate changes that.",
            Some(Token::CertificateRevoked),
            Event::PredecessorRevoked,
        ),
        late(
            "subject-reissued",
            "An order in `processing` whose subject is reissued is `invalid`, and no late certificate changes that.",
            Some(Token::OrderInvalid),
            Event::SubjectReissued,
        ),
        case(
            "state/order-issued-processing",
            "An order in `processing` becomes `valid` once the CA is back, and is confirmed.",
        )
        .shows(&["STA-01", "ORD-12"])
        .needs(&[Need::Control, Need::Ca])
        .within(120)
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            let placed =
                bank.while_ca_down(&person, |_, _, placed| async move { Ok(placed) }).await?;
            let placed = bank.until_valid(placed).await?;
            let found = bank
                .post(
                    Operation::FindOrder,
                    &bank.directory().await?.find_order.clone(),
                    &placed.by_key(),
                    json!({}),
                )
                .await?;
            found.status(200).prepares("findOrder")?;
            bank.confirm(&placed).await.map(drop)
        }),
    ]
}
