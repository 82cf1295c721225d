//! SPEC.md 10.2 and 10.3: the cells of certificates and sessions that can be reached from outside; and what is shown of
//! certificates by time (10.5).

use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::order::StatusName;
use koshin_protocol::problem::Token;
use koshin_protocol::reissue;
use koshin_protocol::subject::Role;
use serde_json::json;

use super::deed::Logon;
use super::key::{Key, Pair};
use super::person::{DAY, Person, seconds_after};
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Stop, ensure};

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = revoked();
    cases.extend(expired());
    cases.push(shown_expired());
    cases.push(one_current());
    cases.extend(sessions());
    cases
}

fn revoked() -> Vec<Case<Bank>> {
    [
        CertificateState::Unconfirmed,
        CertificateState::Current,
        CertificateState::Superseded,
        CertificateState::Revoked,
        CertificateState::Expired,
    ]
    .into_iter()
    .map(|state| {
        case(
            format!("state/certificate-revoked-{state}"),
            format!("A certificate that is `{state}` is `revoked` after its revocation."),
        )
        .shows(&["STA-04", "REV-01"])
        .needs(&[Need::Full])
        .run(move |bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let by = bank.log_on(&administrator).await?;
            let (pair, before) = certificate(&bank, user, state).await?;
            if before {
                bank.shows(&by, &pair, state).await?;
            }
            bank.revoke_by(&by, &pair, false).await?;
            bank.refused_logon(&pair, Token::CertificateRevoked).await?;
            if before {
                return bank.shows(&by, &pair, CertificateState::Revoked).await;
            }
            shows_if_at_all(&bank, &by, &pair, CertificateState::Revoked).await
        })
    })
    .collect()
}

/// A certificate in this state, and whether the contract must show it.
async fn certificate(bank: &Bank, user: Person, state: CertificateState) -> Outcome<(Pair, bool)> {
    Ok(match state {
        CertificateState::Unconfirmed => {
            (bank.staged_for(user, StatusName::Valid).await?.pair, true)
        }
        CertificateState::Current => (user.pair, true),
        CertificateState::Superseded => {
            (bank.staged_for(user, StatusName::Completed).await?.person.pair, true)
        }
        CertificateState::Revoked => {
            bank.revoke_itself(&user.pair, "unspecified").await?;
            (user.pair, true)
        }
        CertificateState::Expired => {
            let expired = bank
                .wanted(Role::User)
                .await?
                .of("together")
                .until(seconds_after(bank.now(), -DAY));
            (bank.person(expired).await?.pair, false)
        }
    })
}

fn expired() -> Vec<Case<Bank>> {
    [
        (
            "current",
            StatusName::Canceled,
            Token::CertificateExpired,
            "A current certificate is refused as expired after its notAfter.",
        ),
        (
            "superseded",
            StatusName::Completed,
            Token::CertificateSuperseded,
            "A superseded certificate stays superseded after its notAfter.",
        ),
        (
            "revoked",
            StatusName::Invalid,
            Token::CertificateRevoked,
            "A revoked certificate stays revoked after its notAfter.",
        ),
    ]
    .into_iter()
    .map(|(name, status, token, sentence)| {
        case(format!("state/certificate-expired-{name}"), sentence)
            .shows(&["STA-04", "AUT-08"])
            .needs(&[Need::Time])
            .run(move |bank: Bank| async move {
                let person = bank.user_for(12).await?;
                let staged = bank.staged_for(person, status).await?;
                if name == "revoked" {
                    bank.revoke_itself(&staged.person.pair, "unspecified").await?;
                }
                bank.wait_until(seconds_after(staged.person.pair.not_after(), 2)).await;
                bank.refused_logon(&staged.person.pair, token).await.map(drop)
            })
    })
    .collect()
}

fn shown_expired() -> Case<Bank> {
    case(
        "state/certificate-shown-expired",
        "A current certificate is shown as `expired` after its notAfter, if it is shown.",
    )
    .shows(&["STA-10"])
    .run(|bank: Bank| async move {
        let (administrator, user) = bank.contract().await?;
        let by = bank.log_on(&administrator).await?;
        bank.shows(&by, &user.pair, CertificateState::Current).await?;
        let (pair, _) = certificate(&bank, user, CertificateState::Expired).await?;
        shows_if_at_all(&bank, &by, &pair, CertificateState::Expired).await
    })
}

/// A contract may leave out what is past its notAfter.
async fn shows_if_at_all(bank: &Bank, by: &Logon, pair: &Pair, state: CertificateState) -> Outcome {
    match bank.shown(by, &pair.cert_id()).await? {
        None => Ok(()),
        Some(_) => bank.shows(by, pair, state).await,
    }
}

fn one_current() -> Case<Bank> {
    case("state/one-current", "Through orders, cancels, confirms and rollbacks a subject has one current certificate, and one unconfirmed at most.")
        .shows(&["STA-05", "STA-08"])
        .needs(&[Need::Full, Need::Rollback])
        .run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let by = bank.log_on(&administrator).await?;
            let logon = bank.log_on(&user).await?;
            count(&bank, &by, &user, 0).await?;
            let first = bank.order(&logon).await?;
            count(&bank, &by, &user, 1).await?;
            bank.try_order(&logon, &Key::new()).await?.refused(Token::OrderExists)?;
            bank.cancel(&first, &logon).await?;
            count(&bank, &by, &user, 0).await?;
            let second = bank.order(&logon).await?;
            count(&bank, &by, &user, 1).await?;
            let renewed = bank.confirm(&second).await?;
            count(&bank, &by, &user, 0).await?;
            let recovery = bank.recover(&user.pair, None).await?;
            bank.try_roll_back(&renewed.completed, &recovery).await?.status(200)?;
            count(&bank, &by, &user, 0).await?;
            let third = bank.order(&bank.log_on(&user).await?).await?;
            count(&bank, &by, &user, 1).await?;
            bank.log_on_by(&third.pair()?, None).await?;
            count(&bank, &by, &user, 0).await
        })
}

/// One certificate is current, and so many are unconfirmed.
async fn count(bank: &Bank, by: &Logon, person: &Person, unconfirmed: usize) -> Outcome {
    let contract = bank.read_contract(by).await?;
    let subject = contract.subjects.iter().find(|entry| entry.id.as_str() == person.subject);
    let subject = subject.ok_or_else(|| Stop::fail("the subject in its contract", "not there"))?;
    let of = |state| subject.certificates.iter().filter(|entry| entry.state == state).count();
    let found = (of(CertificateState::Current), of(CertificateState::Unconfirmed));
    ensure(
        found == (1, unconfirmed),
        format_args!("1 current and {unconfirmed} unconfirmed"),
        format_args!("{} and {}", found.0, found.1),
    )
}

/// What ends a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Logoff,
    NewLogon,
    OrderCompleted,
    Revoked,
    ReissueCreated,
    ReissueRedeemed,
    RolledBack,
}

fn sessions() -> Vec<Case<Bank>> {
    [
        (End::Logoff, "logoff", "its logoff"),
        (End::NewLogon, "new-logon", "a new logon of its certificate"),
        (End::OrderCompleted, "order-completed", "the completion of its certificate's order"),
        (End::Revoked, "certificate-revoked", "the revocation of its certificate"),
        (End::ReissueCreated, "subject-reissued", "a reissue of its subject"),
        (End::ReissueRedeemed, "reissue-redeemed", "the redemption of a reissue of its subject"),
        (End::RolledBack, "rolled-back", "the rollback of its certificate's order"),
    ]
    .into_iter()
    .map(|(end, name, said)| {
        let needs: &[Need] =
            if end == End::RolledBack { &[Need::Rollback, Need::Full] } else { &[Need::Full] };
        case(
            format!("state/session-{name}"),
            format!("A session ends at {said}, and nothing that it signs is done any more."),
        )
        .shows(&["STA-06", "SES-32", "AUT-02"])
        .needs(needs)
        .run(move |bank: Bank| ends(bank, end))
    })
    .collect()
}

async fn ends(bank: Bank, end: End) -> Outcome {
    let made = bank.reissued(reissue::StatusName::Pending).await?;
    let (by, user) = (&made.by, &made.person);
    let mut logon = bank.log_on(user).await?;
    ensure(bank.is_active(&logon).await?, "the session active before", "ended")?;
    match end {
        End::Logoff => bank.try_log_off(&logon).await?.status(204)?,
        End::NewLogon => drop(bank.log_on(user).await?),
        End::OrderCompleted => {
            let placed = bank.order(&logon).await?;
            ensure(
                bank.is_active(&logon).await?,
                "the session active with an open order",
                "ended",
            )?;
            bank.confirm(&placed).await?;
        }
        End::Revoked => bank.revoke_itself(&user.pair, "unspecified").await?,
        End::ReissueCreated => drop(bank.reissue(by, user, "keyLost").await?),
        End::ReissueRedeemed => drop(bank.enroll(&made.ticket, user).await?),
        End::RolledBack => {
            let placed = bank.order(&logon).await?;
            logon = bank.log_on_by(&placed.pair()?, None).await?;
            ensure(bank.is_active(&logon).await?, "the successor's session active", "ended")?;
            let recovery = bank.recover(&user.pair, None).await?;
            bank.try_roll_back(&placed.order, &recovery).await?.status(200)?;
        }
    }
    bank.read(&logon.url, &logon.by()).await?.refused(Token::SessionEnded)?;
    bank.try_log_off(&logon).await?.refused(Token::SessionEnded)?;
    bank.read(&logon.contract()?, &logon.by()).await?.refused(Token::SessionEnded)?;
    let key = Key::new();
    bank.try_order(&logon, &key).await?.refused(Token::SessionEnded)?;
    bank.try_find(&key).await?.refused(Token::OrderUnknown)?;
    let full = bank.full().await?;
    let pin = json!({ "old": "1111", "new": "2222" });
    bank.post(koshin_protocol::operation::Operation::Pin, &full.pin, &logon.by(), pin)
        .await?
        .refused(Token::SessionEnded)
        .map(drop)
}
