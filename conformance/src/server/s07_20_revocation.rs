//! SPEC.md 7.20: revokeCert.

use koshin_protocol::operation::Operation;
use koshin_protocol::order::StatusName;
use koshin_protocol::problem::Token;
use koshin_protocol::revocation::{Reason, Revocation};
use koshin_protocol::subject::Role;
use serde_json::{Value, json};

use super::deed::remedy;
use super::draft::{By, Draft};
use super::key::{Key, Pair};
use super::person::{DAY, seconds_after};
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = by_itself();
    cases.extend(payloads());
    cases.extend(for_good());
    cases
}

/// A revokeCert that is not sent yet.
pub(super) async fn draft(bank: &Bank, by: &By, pair: &Pair) -> Outcome<Draft> {
    let payload = json!({ "certID": pair.cert_id().as_str(), "reason": "unspecified" });
    let url = &bank.directory().await?.revoke_cert;
    Ok(bank.draft(Operation::RevokeCert, url, by, &payload))
}

fn by_itself() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = Reason::ALL
        .into_iter()
        .map(|reason| {
            let word = reason.as_str();
            case(
                format!("revoke/itself-for-{}", word.to_ascii_lowercase()),
                format!("A certificate revokes itself for `{word}`, and does not log on any more."),
            )
            .shows(&["REV-01", "AUT-09"])
            .run(move |bank: Bank| async move {
                let person = bank.user().await?;
                let logon = bank.log_on(&person).await?;
                let payload = json!({ "certID": person.pair.cert_id().as_str(), "reason": word });
                let answer =
                    bank.try_revoke(&By::Certificate(person.pair.clone()), payload).await?;
                let done: Revocation = answer.object(200)?;
                ensure(
                    done.revoked == [person.pair.cert_id()],
                    person.pair.cert_id(),
                    answer.summary(),
                )?;
                bank.read(&logon.url, &logon.by()).await?.refused(Token::SessionEnded)?;
                remedy(
                    &bank.refused_logon(&person.pair, Token::CertificateRevoked).await?,
                    "reissueByAdministrator",
                )
            })
        })
        .collect();
    cases.extend([
        case(
            "revoke/itself-again",
            "A revocation that is sent again is answered 200 and the same certificate.",
        )
        .shows(&["REV-01"])
        .run(|bank: Bank| async move {
            let person = bank.user().await?;
            let draft = draft(&bank, &By::Certificate(person.pair.clone()), &person.pair).await?;
            let first: Revocation = bank.deliver(draft.clone()).await?.object(200)?;
            let again: Revocation = bank.deliver(draft).await?.object(200)?;
            ensure(
                first == again,
                format_args!("{:?}", first.revoked),
                format_args!("{:?}", again.revoked),
            )
        }),
        case(
            "revoke/itself-unconfirmed",
            "An unconfirmed certificate revokes itself, and the predecessor stays current.",
        )
        .shows(&["REV-01", "STA-01"])
        .run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            bank.deliver(draft(&bank, &By::Certificate(staged.pair.clone()), &staged.pair).await?)
                .await?
                .status(200)?;
            bank.invalid_for(&staged.placed, Token::CertificateRevoked).await?;
            bank.log_on(&staged.person).await.map(drop)
        }),
        case(
            "revoke/another-by-certificate",
            "A certificate revokes no other one, not even of its subject.",
        )
        .shows(&["REV-02"])
        .run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Completed).await?;
            let stranger = bank.user().await?;
            let by = By::Certificate(staged.pair.clone());
            let right = draft(&bank, &by, &staged.pair).await?;
            for other in [&staged.person.pair, &stranger.pair] {
                bank.deliver(draft(&bank, &by, other).await?)
                    .await?
                    .refused(Token::NotAuthorized)?;
            }
            bank.log_on(&stranger).await?;
            bank.deliver(right).await?.status(200).prepares("the revocation of itself")
        }),
        case("revoke/successors-by-certificate", "A certificate revokes no successors.")
            .shows(&["REV-02"])
            .run(|bank: Bank| async move {
                let staged = bank.staged(StatusName::Completed).await?;
                let right =
                    draft(&bank, &By::Certificate(staged.person.pair.clone()), &staged.person.pair)
                        .await?;
                let wrong = right
                    .clone()
                    .edit_payload(|payload| payload["includeSuccessors"] = json!(true));
                bank.refuses_before(wrong, Token::NotAuthorized, right).await?;
                bank.log_on_by(&staged.pair, None).await.map(drop)
            }),
        case("revoke/stolen-certificate", "A certificate without its key revokes nothing.")
            .shows(&["JWS-08", "CHK-02"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let stolen = Pair { key: Key::new(), certificate: person.pair.certificate.clone() };
                bank.deliver(draft(&bank, &By::Certificate(stolen), &person.pair).await?)
                    .await?
                    .refused(Token::BadSignature)?;
                bank.log_on(&person).await?;
                let right =
                    draft(&bank, &By::Certificate(person.pair.clone()), &person.pair).await?;
                bank.deliver(right).await?.status(200).prepares("the same with its key")
            }),
        case("revoke/expired-by-itself", "An expired certificate revokes nothing.")
            .shows(&["AUT-08"])
            .run(|bank: Bank| async move {
                let until = seconds_after(bank.now(), -DAY);
                let person = bank.person(bank.wanted(Role::User).await?.until(until)).await?;
                let answer = bank
                    .deliver(
                        draft(&bank, &By::Certificate(person.pair.clone()), &person.pair).await?,
                    )
                    .await?;
                answer.refused(Token::CertificateExpired).map(drop)
            }),
    ]);
    cases
}

fn payloads() -> Vec<Case<Bank>> {
    let edits: [(&str, &str, fn(&mut Value)); 7] = [
        ("no-cert-id", "without `certID`", |payload| {
            payload.as_object_mut().map(|members| members.remove("certID"));
        }),
        ("cert-id-without-dot", "with a `certID` without its dot", |payload| {
            payload["certID"] = json!("bEDkl2qiYdTeZ9rPlesv6sHUVec")
        }),
        ("no-reason", "without `reason`", |payload| {
            payload.as_object_mut().map(|members| members.remove("reason"));
        }),
        ("reason-number", "with a CRL's number as `reason`", |payload| {
            payload["reason"] = json!(1)
        }),
        ("reason-unknown", "with a `reason` of X.509 that is none here", |payload| {
            payload["reason"] = json!("removeFromCRL")
        }),
        ("successors-as-text", "with `includeSuccessors` as text", |payload| {
            payload["includeSuccessors"] = json!("false")
        }),
        ("unknown-member", "with a member that is not defined", |payload| {
            payload["subject"] = json!("x")
        }),
    ];
    edits
        .into_iter()
        .map(|(name, said, edit)| {
            case(
                format!("revoke/payload-{name}"),
                format!("A revokeCert {said} is refused, and revokes nothing."),
            )
            .shows(&["ENC-15", "CHK-03"])
            .run(move |bank: Bank| async move {
                let person = bank.user().await?;
                let right =
                    draft(&bank, &By::Certificate(person.pair.clone()), &person.pair).await?;
                let wrong = bank.deliver(right.clone().edit_payload(edit)).await?;
                bank.log_on(&person).await.prepares("the certificate after the refusal")?;
                bank.deliver(right).await?.status(200).prepares("the same without the defect")?;
                wrong.refused(Token::Malformed).map(drop)
            })
        })
        .collect()
}

fn for_good() -> Vec<Case<Bank>> {
    vec![
        case("revoke/no-rollback-to-it", "No rollback makes a revoked predecessor current.")
            .shows(&["REV-08", "STA-04"])
            .needs(&[Need::Rollback])
            .run(|bank: Bank| async move {
                let staged = bank.staged(StatusName::Completed).await?;
                bank.recover(&staged.person.pair, None).await?;
                bank.revoke_itself(&staged.person.pair, "keyCompromise").await?;
                bank.try_log_on_for(&staged.person.pair, None, "recovery")
                    .await?
                    .refused(Token::CertificateRevoked)?;
                bank.log_on_by(&staged.pair, None).await.map(drop)
            }),
        case("revoke/no-cancel-to-it", "No cancel makes a revoked predecessor current.")
            .shows(&["REV-08"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let logon = bank.log_on(&person).await?;
                let placed = bank.order(&logon).await?;
                bank.revoke_itself(&person.pair, "keyCompromise").await?;
                bank.try_cancel(&placed, &logon).await?.refused(Token::SessionEnded)?;
                bank.refused_logon(&person.pair, Token::CertificateRevoked).await.map(drop)
            }),
        case("revoke/no-renewal-of-it", "A session from before the revocation orders nothing.")
            .shows(&["ORD-09", "SES-32"])
            .run(|bank: Bank| async move {
                let person = bank.user().await?;
                let logon = bank.log_on(&person).await?;
                bank.revoke_itself(&person.pair, "unspecified").await?;
                let key = Key::new();
                bank.try_order(&logon, &key).await?.refused(Token::SessionEnded)?;
                bank.try_find(&key).await?.refused(Token::OrderUnknown).map(drop)
            }),
        case(
            "revoke/against-confirm",
            "Of a revocation of the predecessor and a confirm at the same time one comes first.",
        )
        .shows(&["STA-03", "REV-05"])
        .run(|bank: Bank| async move {
            for _ in 0..4 {
                let staged = bank.staged(StatusName::Valid).await?;
                let url = staged.confirm()?;
                let revoke =
                    draft(&bank, &By::Certificate(staged.person.pair.clone()), &staged.person.pair)
                        .await?;
                let (revoked, confirmed) = tokio::join!(
                    bank.deliver(revoke),
                    bank.try_confirm(&url, &staged.pair, json!({}))
                );
                revoked?.status(200)?;
                let confirmed = confirmed?;
                bank.refused_logon(&staged.person.pair, Token::CertificateRevoked).await?;
                if confirmed.is_good() {
                    bank.stands(&staged.placed, StatusName::Completed).await?;
                    bank.log_on_by(&staged.pair, None).await?;
                } else {
                    confirmed.refused(Token::OrderInvalid)?;
                    bank.invalid_for(&staged.placed, Token::CertificateRevoked).await?;
                }
            }
            Ok(())
        }),
    ]
}
