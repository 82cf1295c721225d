//! SPEC.md 7.4 to 7.7: sessions, logoff, the contract.

use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::order::StatusName;
use koshin_protocol::problem::Token;
use koshin_protocol::session::Session;
use koshin_protocol::subject::Role;

use super::draft::By;
use super::{Bank, case};
use crate::case::{Case, Need, Prepares as _, Stop, ensure};

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = logons();
    cases.extend(contracts());
    cases
}

fn logons() -> Vec<Case<Bank>> {
    vec![
        case("session/logon", "A logon is answered 201, the session of that certificate, and `Location`.").shows(&["SES-01"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
            let logon = bank.logged_on(&person.pair, &answer)?;
            let session = &logon.session;
            ensure(session.certificate.cert_id == person.pair.cert_id(), person.pair.cert_id(), &session.certificate.cert_id)?;
            ensure(session.certificate.not_after == person.pair.not_after(), person.pair.not_after(), session.certificate.not_after)?;
            ensure(session.certificate.state == CertificateState::Current, "current", session.certificate.state.as_str())?;
            ensure(session.subject.id.as_str() == person.subject, &person.subject, session.subject.id.as_str())?;
            ensure(session.subject.role == Role::User, "user", session.subject.role.as_str())?;
            ensure(bank.read_session(&logon).await?.certificate == session.certificate, "the same when it is read", "another")
        }),
        case("session/has-the-open-order", "A session names the open order, and no longer when there is none.").shows(&["SES-02"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            ensure(logon.session.order.is_none(), "no `order`", "one")?;
            let placed = bank.order(&logon).await?;
            let again = bank.log_on(&person).await?;
            ensure(again.session.order.as_ref() == Some(placed.url()), placed.url(), format!("{:?}", again.session.order))?;
            bank.cancel(&placed, &again).await?;
            ensure(bank.read_session(&again).await?.order.is_none(), "no `order` after the cancel", "one")
        }),
        case("session/confirms", "A logon of an unconfirmed certificate completes its order.").shows(&["SES-03", "CFM-04"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            let placed = bank.order(&logon).await?;
            let pair = placed.pair()?;
            let answer = bank.try_log_on_for(&pair, None, "renewal").await?;
            let session: Session = answer.object(201)?;
            ensure(session.certificate.state == CertificateState::Current, "current", session.certificate.state.as_str())?;
            ensure(session.order.is_none(), "no open order", "one")?;
            let order = bank.read_order(placed.url(), &placed.by_key()).await?;
            ensure(order.status.name() == StatusName::Completed, "completed", order.status.name())?;
            bank.try_log_on_for(&person.pair, None, "renewal").await?.refused(Token::CertificateSuperseded)?;
            bank.read(&logon.url, &logon.by()).await?.refused(Token::SessionEnded).map(drop)
        }),
        case("session/refused-confirms-nothing", "A logon of an unconfirmed certificate that is refused does not complete its order.").shows(&["SES-03", "CHK-03"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            let placed = bank.order(&logon).await?;
            let right = bank.logon_draft(&placed.pair()?).await?;
            let wrong = right.clone().edit_payload(|payload| payload["further"] = 1.into());
            bank.deliver(wrong).await?.refused(Token::Malformed)?;
            let order = bank.read_order(placed.url(), &placed.by_key()).await?;
            ensure(order.status.name() == StatusName::Valid, "valid", order.status.name())?;
            bank.deliver(right).await?.status(201).prepares("the same logon without the defect")
        }),
        case("recovery/current", "A recovery logon of a certificate that is current is refused.").shows(&["SES-04"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            bank.log_on(&person).await?;
            bank.try_log_on_for(&person.pair, None, "recovery").await?.refused(Token::NotSuperseded).map(drop)
        }),
        case("recovery/unconfirmed", "A recovery logon of a certificate that is unconfirmed is refused and does not confirm it.").shows(&["SES-04", "SES-03"]).run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let placed = bank.order(&logon).await?;
            bank.try_log_on_for(&placed.pair()?, None, "recovery").await?.refused(Token::NotSuperseded)?;
            let order = bank.read_order(placed.url(), &placed.by_key()).await?;
            ensure(order.status.name() == StatusName::Valid, "valid", order.status.name())
        }),
        case("recovery/without-rollback", "A recovery logon at a bank without rollback is refused.").shows(&["SES-05"]).run(|bank: Bank| async move {
            if bank.directory().await?.meta.rollback_within.is_some() {
                return Err(Stop::Skipped("this bank has a rollback".to_owned()));
            }
            let person = bank.user().await?;
            bank.renew(&person).await?;
            bank.try_log_on_for(&person.pair, None, "recovery").await?.refused(Token::RollbackDisabled).map(drop)
        }),
        case("recovery/ended", "A recovery logon after a confirm with `final` is refused.").shows(&["SES-06"]).needs(&[Need::Rollback]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let renewed = bank.renew(&person).await?;
            bank.recover(&person.pair, None).await?;
            let url = &renewed.placed.issued()?.confirm;
            let answer = bank.try_confirm(url, &renewed.pair, serde_json::json!({ "final": true })).await?;
            answer.status(200).prepares("confirm with `final`")?;
            bank.try_log_on_for(&person.pair, None, "recovery").await?.refused(Token::RollbackEnded).map(drop)
        }),
        case("recovery/session", "A recovery session names the rollback, and neither contract nor notice.").shows(&["SES-01", "ENC-19"]).needs(&[Need::Rollback]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            bank.renew(&person).await?;
            let answer = bank.try_log_on_for(&person.pair, None, "recovery").await?;
            let session: Session = answer.object(201)?;
            ensure(session.certificate.state == CertificateState::Superseded, "superseded", session.certificate.state.as_str())?;
            ensure(session.notice.is_none(), "no notice", "one")
        }),
        case("superseded/successor-of-successor", "After two renewals the oldest certificate is told the current one.").shows(&["SES-07"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let first = bank.renew(&person).await?;
            // The new certificate's window is far away: what is current is the first successor.
            let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
            answer.refused(Token::CertificateSuperseded)?;
            let said = answer.value()["successor"].as_str().unwrap_or_default().to_owned();
            ensure(said == first.pair.cert_id().as_str(), first.pair.cert_id(), said)
        }),
        case("session/logoff", "A logoff is answered 204 and ends the session.").shows(&["SES-15"]).run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            ensure(bank.is_active(&logon).await?, "the session active", "ended").prepares("the session before")?;
            bank.try_log_off(&logon).await?.empty(204)?;
            bank.read(&logon.url, &logon.by()).await?.refused(Token::SessionEnded)?;
            bank.try_log_off(&logon).await?.refused(Token::SessionEnded).map(drop)
        }),
    ]
}

fn contracts() -> Vec<Case<Bank>> {
    vec![
        case("contract/user-sees-itself", "A user sees its own subject only.").shows(&["CTR-01"]).run(|bank: Bank| async move {
            let (_, user) = bank.contract().await?;
            let contract = bank.read_contract(&bank.log_on(&user).await?).await?;
            let ids: Vec<&str> = contract.subjects.iter().map(|one| one.id.as_str()).collect();
            ensure(ids == [user.subject.as_str()], &user.subject, format!("{ids:?}"))
        }),
        case("contract/administrator-sees-everybody", "An administrator sees every subject of the contract, and no other.").shows(&["CTR-02"]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let stranger = bank.user().await?;
            let contract = bank.read_contract(&bank.log_on(&administrator).await?).await?;
            let mut ids: Vec<&str> = contract.subjects.iter().map(|one| one.id.as_str()).collect();
            ids.sort_unstable();
            let mut expected = [administrator.subject.as_str(), user.subject.as_str()];
            expected.sort_unstable();
            ensure(ids == expected, format!("{expected:?}"), format!("{ids:?}"))?;
            ensure(!ids.contains(&stranger.subject.as_str()), "no subject of another contract", &stranger.subject)
        }),
        case("contract/lists-certificates", "The contract lists every certificate within its validity, newest first, with its state.").shows(&["CTR-03"]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let renewed = bank.renew(&user).await?;
            let contract = bank.read_contract(&bank.log_on(&administrator).await?).await?;
            let entry = contract.subjects.iter().find(|one| one.id.as_str() == user.subject).ok_or_else(|| Stop::fail("the user in the contract", "not there"))?;
            let listed: Vec<(String, &str)> = entry.certificates.iter().map(|one| (one.cert_id.to_string(), one.state.as_str())).collect();
            let expected = [(renewed.pair.cert_id().to_string(), "current"), (user.pair.cert_id().to_string(), "superseded")];
            ensure(listed == expected, format!("{expected:?}"), format!("{listed:?}"))
        }),
        case("contract/shows-order", "The contract shows an open order and an unconfirmed certificate.").shows(&["CTR-03", "ENC-19"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let logon = bank.log_on(&person).await?;
            let placed = bank.order(&logon).await?;
            let contract = bank.read_contract(&logon).await?;
            let entry = contract.subjects.first().ok_or_else(|| Stop::fail("the user", "nobody"))?;
            ensure(entry.order.as_ref() == Some(placed.url()), placed.url(), format!("{:?}", entry.order))?;
            let states: Vec<&str> = entry.certificates.iter().map(|one| one.state.as_str()).collect();
            ensure(states == ["unconfirmed", "current"], "unconfirmed, then current", format!("{states:?}"))
        }),
        case("contract/reissue-to-administrators", "An open reissue is shown to administrators only.").shows(&["CTR-04"]).needs(&[Need::Full]).run(|bank: Bank| async move {
            let (administrator, user) = bank.contract().await?;
            let logon = bank.log_on(&administrator).await?;
            let (_, _, url) = bank.reissue(&logon, &user, "keyLost").await?;
            let of = |contract: &koshin_protocol::contract::Contract| contract.subjects.iter().find(|one| one.id.as_str() == user.subject).and_then(|one| one.reissue.clone());
            let shown = of(&bank.read_contract(&logon).await?);
            ensure(shown.as_ref() == Some(&url), &url, format!("{shown:?}"))?;
            let own = bank.log_on(&user).await?;
            let shown = of(&bank.read_contract(&own).await?);
            ensure(shown.is_none(), "no `reissue` to the user", format!("{shown:?}"))?;
            bank.read(&url, &own.by()).await?.refused_with(&[Token::NotAuthorized, Token::NotFound]).map(drop)
        }),
        case("contract/not-by-key", "A contract is not read by a bare key or a certificate.").shows(&["JWS-03"]).run(|bank: Bank| async move {
            let logon = bank.log_on(&bank.user().await?).await?;
            let url = logon.contract()?;
            bank.read(&url, &logon.by()).await?.status(200).prepares("the same read by the session")?;
            bank.read(&url, &By::Key(logon.pair.key.clone())).await?.refused(Token::Malformed)?;
            bank.read(&url, &By::Certificate(logon.pair.clone())).await?.refused(Token::Malformed).map(drop)
        }),
    ]
}
