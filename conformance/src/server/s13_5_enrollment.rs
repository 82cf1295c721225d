//! SPEC.md 7.19, 13.1 and 13.5: enrollment. What does not use a code up is in `s13_5_defects`.

use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::order::{Kind, Order, Status, StatusName};
use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use koshin_protocol::revocation::Reason;
use koshin_protocol::subject::Role;
use koshin_protocol::ticket;
use koshin_protocol::time::Time;

use super::deed::{Placed, Ticket, remedy};
use super::key::Key;
use super::person::{DAY, Person, seconds_after};
use super::s07_17_unlock::{lock, with_pin};
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};
use crate::control::Request;

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = enrolled();
    cases.extend(again());
    cases.extend(used());
    cases.extend(administrators());
    for case in &mut cases {
        case.about.needs.push(Need::Full);
    }
    cases
}

/// The ticket that the branch gives for a subject, by `--control`.
pub(super) async fn from_the_branch(
    bank: &Bank,
    person: &Person,
    reason: Reason,
) -> Outcome<Ticket> {
    from_the_branch_until(bank, person, reason, None).await
}

/// The same, to be redeemed until then.
pub(super) async fn from_the_branch_until(
    bank: &Bank,
    person: &Person,
    reason: Reason,
    expires: Option<Time>,
) -> Outcome<Ticket> {
    let subject = person.subject.clone();
    let answer = bank.control(Request::Reissue { subject, reason, expires }).await?;
    let text = answer.ticket.ok_or_else(|| Stop::blocked("control: reissue gave no ticket"))?;
    let ticket: ticket::Ticket =
        text.parse().map_err(|error| Stop::blocked(format_args!("control: {error}")))?;
    Ok(Ticket { id: ticket.reissue, code: ticket.code })
}

fn enrolled() -> Vec<Case<Bank>> {
    vec![
        case("enrollment/accepted", "A newEnrollment is answered 201, an order of kind `enrollment`, and `Location`.").shows(&["ENR-10", "ORD-24"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let key = Key::new();
            let draft = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &key).await?;
            let answer = bank.deliver(draft).await?;
            let order: Order = answer.object(201)?;
            ensure(order.kind == Kind::Enrollment, "the kind `enrollment`", format_args!("{:?}", order.kind))?;
            ensure(answer.location()? == order.url, &order.url, answer.location()?)?;
            ensure(order.key == key.thumbprint() && order.subject.as_str() == made.person.subject, "the key and subject", answer.summary())?;
            let placed = bank.until_valid(Placed { order, key }).await?;
            let Status::Valid { cancel, .. } = &placed.order.status else { return Err(Stop::blocked("an order in `valid`")) };
            ensure(cancel.is_none(), "no `cancel`", "one")?;
            bank.reissue_stands(&made, reissue::StatusName::Redeemed).await
        }),
        case("enrollment/confirmed", "The confirm of an enrollment gives a current certificate, revokes every other one, and begins no right to roll back.").shows(&["ENR-15", "STA-05"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let placed = bank.enroll(&made.ticket, &made.person).await?;
            let pair = placed.pair()?;
            bank.log_on(&made.person).await.prepares("the old certificate before")?;
            let renewed = bank.confirm(&placed).await?;
            let Status::Completed { rollback, .. } = &renewed.completed.status else { return Err(Stop::blocked("completed")) };
            ensure(rollback.is_none(), "no `rollback`", "one")?;
            bank.refused_logon(&made.person.pair, Token::CertificateRevoked).await?;
            let logon = bank.log_on_by(&pair, None).await?;
            ensure(logon.session.subject.id.as_str() == made.person.subject, "the same subject", &logon.session.subject.id)?;
            bank.shows(&logon, &pair, CertificateState::Current).await?;
            bank.reissue_stands(&made, reissue::StatusName::Completed).await
        }),
        case("enrollment/confirmed-by-logon", "The logon of the enrolled certificate completes the enrollment.").shows(&["SES-03", "ENR-15"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Redeemed).await?;
            let placed = made.placed.clone().ok_or_else(|| Stop::blocked("no order"))?;
            bank.log_on_by(&placed.pair()?, None).await?;
            bank.stands(&placed, StatusName::Completed).await?;
            bank.reissue_stands(&made, reissue::StatusName::Completed).await?;
            bank.refused_logon(&made.person.pair, Token::CertificateRevoked).await.map(drop)
        }),
        case("enrollment/old-certificate-until-then", "Until the enrollment is confirmed the old certificate logs on.").shows(&["REI-10"]).run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Redeemed).await?;
            let logon = bank.log_on(&made.person).await?;
            bank.shows(&logon, &made.person.pair, CertificateState::Current).await
        }),
        case("enrollment/expired-certificate", "A subject whose only certificate has expired enrolls, and that one is revoked then.").shows(&["ENR-15", "ENR-16"]).run(|bank: Bank| async move {
            let (administrator, _) = bank.contract().await?;
            let by = bank.log_on(&administrator).await?;
            let expired = bank.wanted(Role::User).await?.of("together").until(seconds_after(bank.now(), -DAY));
            let person = bank.person(expired).await?;
            let (ticket, _, _) = bank.reissue(&by, &person, "unspecified").await?;
            let placed = bank.enroll(&ticket, &person).await?;
            bank.confirm(&placed).await?;
            bank.refused_logon(&person.pair, Token::CertificateRevoked).await?;
            bank.log_on_by(&placed.pair()?, None).await.map(drop)
        }),
        case("enrollment/revoked-certificate", "A subject whose only certificate is revoked enrolls.").shows(&["ENR-16", "REV-08"]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let by = bank.log_on(&administrator).await?;
            bank.revoke_itself(&user.pair, "keyCompromise").await?;
            let (ticket, _, _) = bank.reissue(&by, &user, "keyCompromise").await?;
            let placed = bank.enroll(&ticket, &user).await?;
            bank.confirm(&placed).await?;
            bank.refused_logon(&user.pair, Token::CertificateRevoked).await?;
            bank.log_on_by(&placed.pair()?, None).await.map(drop)
        }),
    ]
}

fn again() -> Vec<Case<Bank>> {
    use reissue::StatusName as Name;
    [
        (Name::Redeemed, StatusName::Valid, "valid"),
        (Name::Completed, StatusName::Completed, "completed"),
        (Name::Failed, StatusName::Invalid, "failed"),
        (Name::Canceled, StatusName::Invalid, "canceled"),
        (Name::Voided, StatusName::Invalid, "voided"),
    ]
    .into_iter()
    .map(|(status, order, name)| {
        case(format!("enrollment/again-{name}"), format!("The key that redeemed a reissue gets its order in `{order}` again where the reissue is `{}`.", status.as_str()))
            .shows(&["ENR-11", "STA-07"])
            .run(move |bank: Bank| async move {
                let made = bank.reissued(status).await?;
                let placed = made.placed.as_ref().ok_or_else(|| Stop::blocked("no order"))?;
                let draft = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &placed.key).await?;
                let answer = bank.deliver(draft).await?;
                let again: Order = answer.object(200)?;
                ensure(again.url == placed.order.url && answer.location()? == again.url, placed.url(), &again.url)?;
                ensure(again.status.name() == order, order, again.status.name())?;
                bank.reissue_stands(&made, status).await
            })
    })
    .collect()
}

fn used() -> Vec<Case<Bank>> {
    use reissue::StatusName as Name;
    let mut cases: Vec<Case<Bank>> = [
        (Name::Redeemed, Token::EnrollmentUsed),
        (Name::Completed, Token::EnrollmentUsed),
        (Name::Failed, Token::EnrollmentUsed),
        (Name::Canceled, Token::EnrollmentCanceled),
        (Name::Voided, Token::EnrollmentCanceled),
    ]
    .into_iter()
    .map(|(status, token)| {
        let name = status.as_str();
        case(format!("enrollment/new-key-{name}"), format!("The right code with a new key is refused with `{token}` where the reissue is `{name}`."))
            .shows(&["ENR-13", "ERR-02"])
            .run(move |bank: Bank| async move {
                let made = bank.reissued(status).await?;
                let draft = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new()).await?;
                remedy(&bank.deliver(draft).await?.refused(token)?, "reissueByAdministrator")?;
                bank.reissue_stands(&made, status).await
            })
    })
    .collect();
    cases.push(
        case(
            "enrollment/two-keys-at-once",
            "Of several keys with the right code at the same time exactly one redeems it.",
        )
        .shows(&["ENR-12", "DUR-10"])
        .run(|bank: Bank| async move {
            let made = bank.reissued(reissue::StatusName::Pending).await?;
            let mut redeeming = tokio::task::JoinSet::new();
            for _ in 0..6 {
                let draft = bank
                    .enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new())
                    .await?;
                let bank = bank.clone();
                redeeming.spawn(async move { bank.deliver(draft).await });
            }
            let mut redeemed = 0;
            while let Some(done) = redeeming.join_next().await {
                let answer =
                    done.map_err(|error| Stop::blocked(format_args!("a request: {error}")))??;
                if answer.status.as_u16() == 201 {
                    redeemed += 1;
                } else {
                    answer.refused(Token::EnrollmentUsed)?;
                }
            }
            ensure(redeemed == 1, "one order", redeemed)
        }),
    );
    cases.push(case("enrollment/one-key-at-once", "Of several newEnrollments with one key at the same time one is answered 201 and the others 200.").shows(&["ENR-11", "ENR-12"]).run(|bank: Bank| async move {
        let made = bank.reissued(reissue::StatusName::Pending).await?;
        let draft = bank.enrollment_draft(&made.ticket, made.person.pair.name(), &Key::new()).await?;
        let one = || bank.deliver(draft.clone());
        let (a, b, c) = tokio::join!(one(), one(), one());
        let answers = [a?, b?, c?];
        let mut statuses = answers.each_ref().map(|answer| answer.status.as_u16());
        statuses.sort_unstable();
        ensure(statuses == [200, 200, 201], "200, 200 and 201", format_args!("{statuses:?}"))?;
        let url = answers[0].location()?;
        for answer in &answers {
            ensure(answer.location()? == url, &url, answer.location()?)?;
        }
        Ok(())
    }));
    cases
}

fn administrators() -> Vec<Case<Bank>> {
    vec![
        case(
            "enrollment/administrator",
            "An administrator whom the branch reissued enrolls, and is one again.",
        )
        .shows(&["REI-30", "ENR-10"])
        .needs(&[Need::Control])
        .run(|bank: Bank| async move {
            let person = bank.administrator().await?;
            let ticket = from_the_branch(&bank, &person, Reason::DeviceLost).await?;
            bank.refused_logon(&person.pair, Token::CertificateRevoked).await?;
            let placed = bank.enroll(&ticket, &person).await?;
            bank.confirm(&placed).await?;
            let logon = bank.log_on_by(&placed.pair()?, None).await?;
            ensure(logon.session.subject.role == Role::Administrator, "an administrator", "a user")
        }),
        case(
            "enrollment/administrator-used",
            "An administrator whose code was used is sent to the branch.",
        )
        .shows(&["ERR-02", "ENR-13"])
        .needs(&[Need::Control])
        .run(|bank: Bank| async move {
            let person = bank.administrator().await?;
            let ticket = from_the_branch(&bank, &person, Reason::KeyLost).await?;
            bank.enroll(&ticket, &person).await?;
            let draft = bank.enrollment_draft(&ticket, person.pair.name(), &Key::new()).await?;
            remedy(&bank.deliver(draft).await?.refused(Token::EnrollmentUsed)?, "reissueAtBranch")
        }),
        case(
            "enrollment/locked-by-others",
            "A PIN that somebody else locked is unlocked by the administrator, and the code works.",
        )
        .shows(&["UNL-01", "PIN-05"])
        .needs(&[Need::Pin])
        .run(|bank: Bank| async move {
            let (by, user) = with_pin(&bank).await?;
            let made = bank.reissued_by(by, user, reissue::StatusName::Pending).await?;
            lock(&bank, &made.person).await?;
            bank.try_unlock(&made.by, &made.person.subject)
                .await?
                .status(204)
                .prepares("unlock")?;
            let placed = bank.enroll(&made.ticket, &made.person).await?;
            bank.confirm(&placed).await.map(drop)
        }),
    ]
}
