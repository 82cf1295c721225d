//! SPEC.md 10.4 and 7.16: every cell of the table of reissues that can be reached from outside.

use koshin_protocol::problem::Token;
use koshin_protocol::reissue::{Reissue, Status, StatusName};
use koshin_protocol::revocation::Reason;
use koshin_protocol::url::Url;

use super::deed::{Reissued, remedy};
use super::key::Key;
use super::person::seconds_after;
use super::s13_5_enrollment::{from_the_branch, from_the_branch_until};
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Stop, ensure};

/// The cases of these sections. Those of "enrollment" are in `s13_5_enrollment`.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = canceled();
    cases.extend(newer());
    cases.extend(by_its_order());
    cases.push(
        case("state/reissue-expired", "After its last second a reissue is `expired`: its code is refused with `enrollmentExpired`, its cancel with `reissueClosed`.")
            .shows(&["ENR-13", "REI-22", "STA-07", "STA-11", "ERR-02"])
            .needs(&[Need::Control, Need::Time])
            .run(expired),
    );
    for case in &mut cases {
        case.about.needs.push(Need::Full);
    }
    cases
}

/// The order of a reissue that was redeemed is invalid for this, its certificate revoked.
async fn order_ended(bank: &Bank, made: &Reissued) -> Outcome {
    let placed = made.placed.as_ref().ok_or_else(|| Stop::blocked("no order"))?;
    bank.invalid_for(placed, Token::EnrollmentCanceled).await?;
    bank.refused_logon(&placed.pair()?, Token::CertificateRevoked).await.map(drop)
}

async fn expired(bank: Bank) -> Outcome {
    let (administrator, person, other) = bank.three().await?;
    let by = bank.log_on(&administrator).await?;
    let made = bank.reissued_by(by, person, StatusName::Pending).await?;
    let expires = seconds_after(bank.now(), 5);
    let ticket = from_the_branch_until(&bank, &made.person, Reason::KeyLost, Some(expires)).await?;
    // The administrator knows the URLs of its own reissue alone; a bank whose URLs do not have the id is asked for no more.
    let of_it = |url: &Url| {
        let text = url.as_str().replace(&made.ticket.id.to_string(), &ticket.id.to_string());
        text.parse::<Url>().map_err(|_| Stop::blocked("a URL of the suite"))
    };
    let (url, cancel) = (of_it(&made.url)?, of_it(&made.cancel)?);
    let is_named = url != made.url && cancel != made.cancel;
    if is_named {
        let open: Reissue = bank.read(&url, &made.by.by()).await?.object(200)?;
        ensure(open.expires == expires, expires, open.expires)?;
    }
    let lasting = from_the_branch(&bank, &other, Reason::KeyLost).await?;
    bank.enroll(&lasting, &other).await?;
    bank.wait_until(seconds_after(expires, 1)).await;
    let draft = bank.enrollment_draft(&ticket, made.person.pair.name(), &Key::new()).await?;
    let refused = bank.deliver(draft).await?.refused(Token::EnrollmentExpired)?;
    remedy(&refused, "reissueByAdministrator")?;
    if is_named {
        bank.try_cancel_reissue(&made.by, &cancel).await?.refused(Token::ReissueClosed)?;
        let ended: Reissue = bank.read(&url, &made.by.by()).await?.object(200)?;
        let status = ended.status.name();
        ensure(status == StatusName::Expired, "a reissue shown as `expired`", status.as_str())?;
    }
    Ok(())
}

fn canceled() -> Vec<Case<Bank>> {
    [
        (StatusName::Pending, None),
        (StatusName::Redeemed, None),
        (StatusName::Canceled, None),
        (StatusName::Completed, Some(Token::ReissueClosed)),
        (StatusName::Failed, Some(Token::ReissueClosed)),
        (StatusName::Voided, Some(Token::ReissueClosed)),
    ]
    .into_iter()
    .map(|(status, token)| {
        let name = status.as_str();
        let sentence = match token {
            Some(token) => format!("The cancel of a reissue in `{name}` is refused with `{token}`, and it stays."),
            None => format!("The cancel of a reissue in `{name}` is answered 200 and the canceled reissue; its order and code are of no use any more."),
        };
        let shows: &[&str] = if token.is_some() { &["REI-22", "STA-07"] } else { &["REI-20", "REI-21", "STA-07"] };
        case(format!("state/reissue-cancel-{name}"), sentence).shows(shows).run(move |bank: Bank| async move {
            let made = bank.reissued(status).await?;
            let answer = bank.try_cancel_reissue(&made.by, &made.cancel).await?;
            if let Some(token) = token {
                remedy(&answer.refused(token)?, "stop")?;
                return bank.reissue_stands(&made, status).await;
            }
            let canceled: Reissue = answer.object(200)?;
            let Status::Canceled { order } = &canceled.status else {
                return Err(Stop::fail("a reissue in `canceled`", canceled.status.name().as_str()));
            };
            ensure(order.is_some() == made.placed.is_some(), "`order` where it was redeemed", format_args!("{order:?}"))?;
            if made.placed.is_some() {
                order_ended(&bank, &made).await?;
            }
            let draft = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new()).await?;
            bank.deliver(draft).await?.refused(Token::EnrollmentCanceled)?;
            bank.log_on(&made.person).await.map(drop)
        })
    })
    .collect()
}

fn newer() -> Vec<Case<Bank>> {
    [
        (StatusName::Pending, StatusName::Voided),
        (StatusName::Redeemed, StatusName::Voided),
        (StatusName::Completed, StatusName::Completed),
        (StatusName::Failed, StatusName::Failed),
        (StatusName::Canceled, StatusName::Canceled),
        (StatusName::Voided, StatusName::Voided),
    ]
    .into_iter()
    .map(|(status, then)| {
        let (name, after) = (status.as_str(), then.as_str());
        case(
            format!("state/reissue-newer-{name}"),
            format!("After a newer reissue of the subject one in `{name}` is `{after}`."),
        )
        .shows(&["REI-07", "REI-21", "STA-08"])
        .run(move |bank: Bank| async move {
            let made = bank.reissued(status).await?;
            let (newer, _, url) = bank.reissue(&made.by, &made.person, "keyLost").await?;
            bank.reissue_stands(&made, then).await?;
            if status == StatusName::Redeemed {
                order_ended(&bank, &made).await?;
            }
            let newer = Reissued { ticket: newer, url, placed: None, ..made };
            bank.reissue_stands(&newer, StatusName::Pending).await?;
            let placed = bank.enroll(&newer.ticket, &newer.person).await?;
            bank.confirm(&placed).await?;
            bank.reissue_stands(&newer, StatusName::Completed).await
        })
    })
    .collect()
}

fn by_its_order() -> Vec<Case<Bank>> {
    vec![
        case(
            "state/reissue-completed",
            "A reissue whose order completes is `completed`, and names its order.",
        )
        .shows(&["STA-07"])
        .run(|bank: Bank| async move {
            let made = bank.reissued(StatusName::Completed).await?;
            let placed = made.placed.clone().ok_or_else(|| Stop::blocked("no order"))?;
            let Status::Completed { order } = bank.read_reissue(&made).await?.status else {
                return Err(Stop::fail("a reissue in `completed`", "another"));
            };
            ensure(order == placed.order.url, placed.url(), order)
        }),
        case(
            "state/reissue-failed",
            "A reissue whose order becomes invalid otherwise is `failed`, and a new one is opened.",
        )
        .shows(&["STA-07", "ORD-23"])
        .run(|bank: Bank| async move {
            let made = bank.reissued(StatusName::Failed).await?;
            let placed = made.placed.as_ref().ok_or_else(|| Stop::blocked("no order"))?;
            bank.invalid_for(placed, Token::CertificateRevoked).await?;
            let (ticket, _, _) = bank.reissue(&made.by, &made.person, "keyLost").await?;
            bank.enroll(&ticket, &made.person).await.map(drop)
        }),
        case(
            "state/reissue-completed-then-revoked",
            "A completed reissue stays so when its certificate is revoked.",
        )
        .shows(&["STA-07"])
        .run(|bank: Bank| async move {
            let made = bank.reissued(StatusName::Completed).await?;
            let placed = made.placed.clone().ok_or_else(|| Stop::blocked("no order"))?;
            bank.revoke_itself(&placed.pair()?, "unspecified").await?;
            bank.reissue_stands(&made, StatusName::Completed).await?;
            bank.stands(&placed, koshin_protocol::order::StatusName::Completed).await.map(drop)
        }),
    ]
}
