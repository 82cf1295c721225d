//! SPEC.md 7.20 and 7.21: revocation by administrators, and the CRL as a resource.

use http::{HeaderMap, Method};
use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::order::StatusName;
use koshin_protocol::problem::Token;
use koshin_protocol::subject::Role;
use serde_json::json;

use super::deed::Logon;
use super::key::Pair;
use super::person::{DAY, Person, seconds_after};
use super::refusal::alike;
use super::s07_20_revocation::draft;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = by_administrators();
    cases.extend(with_orders());
    cases.extend(crls());
    cases
}

/// An administrator's session and a user of the contract.
async fn contract(bank: &Bank) -> Outcome<(Logon, Person)> {
    let (administrator, user) = bank.contract().await?;
    Ok((bank.log_on(&administrator).await?, user))
}

fn only(pairs: &[&Pair]) -> Vec<String> {
    let mut ids: Vec<String> = pairs.iter().map(|pair| pair.cert_id().to_string()).collect();
    ids.sort();
    ids
}

fn by_administrators() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case(
            "revoke/by-administrator",
            "An administrator revokes a user's certificate, and only that.",
        )
        .shows(&["REV-01", "REV-06"])
        .run(|bank: Bank| async move {
            let (by, user) = contract(&bank).await?;
            let staged = bank.staged_for(user, StatusName::Completed).await?;
            let revoked = bank.revoke_by(&by, &staged.person.pair, false).await?;
            ensure(
                revoked == only(&[&staged.person.pair]),
                "the superseded certificate",
                format_args!("{revoked:?}"),
            )?;
            bank.refused_logon(&staged.person.pair, Token::CertificateRevoked).await?;
            bank.log_on_by(&staged.pair, None).await.map(drop)
        }),
        case(
            "revoke/with-successors",
            "With `includeSuccessors` every descendant is revoked, too, and listed.",
        )
        .shows(&["REV-06"])
        .run(|bank: Bank| async move {
            let (by, user) = contract(&bank).await?;
            let staged = bank.staged_for(user, StatusName::Completed).await?;
            let revoked = bank.revoke_by(&by, &staged.person.pair, true).await?;
            ensure(
                revoked == only(&[&staged.person.pair, &staged.pair]),
                "both certificates",
                format_args!("{revoked:?}"),
            )?;
            bank.refused_logon(&staged.person.pair, Token::CertificateRevoked).await?;
            bank.refused_logon(&staged.pair, Token::CertificateRevoked).await?;
            let again = bank.revoke_by(&by, &staged.person.pair, true).await?;
            ensure(again == revoked, "the same again", format_args!("{again:?}"))
        }),
        case("revoke/only-descendants", "With `includeSuccessors` the predecessor stays.")
            .shows(&["REV-06"])
            .run(|bank: Bank| async move {
                let (by, user) = contract(&bank).await?;
                let staged = bank.staged_for(user, StatusName::Completed).await?;
                let revoked = bank.revoke_by(&by, &staged.pair, true).await?;
                ensure(
                    revoked == only(&[&staged.pair]),
                    "the successor",
                    format_args!("{revoked:?}"),
                )?;
                bank.shows(&by, &staged.person.pair, CertificateState::Superseded).await
            }),
        case("revoke/by-administrator-expired", "An administrator revokes an expired certificate.")
            .shows(&["REV-01", "STA-04"])
            .run(|bank: Bank| async move {
                let (by, _) = contract(&bank).await?;
                let expired = bank
                    .wanted(Role::User)
                    .await?
                    .of("together")
                    .until(seconds_after(bank.now(), -DAY));
                let person = bank.person(expired).await?;
                bank.refused_logon(&person.pair, Token::CertificateExpired).await?;
                bank.revoke_by(&by, &person.pair, false).await?;
                bank.refused_logon(&person.pair, Token::CertificateRevoked).await.map(drop)
            }),
        case(
            "revoke/foreign",
            "A certificate of another contract is not found, and looks like one that is not.",
        )
        .shows(&["REV-03", "AUT-06"])
        .run(|bank: Bank| async move {
            let (by, user) = contract(&bank).await?;
            let stranger = bank.user().await?;
            let foreign = bank.deliver(draft(&bank, &by.by(), &stranger.pair).await?).await?;
            foreign.refused(Token::NotFound)?;
            let wrong = draft(&bank, &by.by(), &stranger.pair).await?;
            let wrong = wrong.edit_payload(|payload| {
                let text = payload["certID"].as_str().unwrap_or_default();
                let authority = text.split('.').next().unwrap_or_default();
                payload["certID"] = json!(format!("{authority}.AQIDBAUGBwgJCgsMDQ4PEA"));
            });
            let absent = bank.deliver(wrong).await?;
            absent.refused(Token::NotFound)?;
            alike(&absent, &foreign)?;
            bank.log_on(&stranger).await?;
            bank.deliver(draft(&bank, &by.by(), &user.pair).await?)
                .await?
                .status(200)
                .prepares("the same of a user of the contract")
        }),
        case(
            "revoke/administrators",
            "An administrator revokes neither its own certificate so nor another administrator's.",
        )
        .shows(&["REV-04"])
        .run(|bank: Bank| async move {
            let (by, user) = contract(&bank).await?;
            let other = bank.person(bank.wanted(Role::Administrator).await?.of("together")).await?;
            for pair in [&by.pair, &other.pair] {
                bank.deliver(draft(&bank, &by.by(), pair).await?)
                    .await?
                    .refused(Token::NotAuthorized)?;
            }
            bank.log_on(&other).await?;
            ensure(bank.is_active(&by).await?, "the session active", "ended")?;
            bank.deliver(draft(&bank, &by.by(), &user.pair).await?)
                .await?
                .status(200)
                .prepares("the same of a user")
        }),
    ];
    for case in &mut cases {
        case.about.needs.push(Need::Full);
    }
    cases
}

fn with_orders() -> Vec<Case<Bank>> {
    [("plain", false), ("successors", true)]
        .into_iter()
        .map(|(name, successors)| {
            let said = if successors { "with" } else { "without" };
            case(format!("revoke/predecessor-{name}"), format!("The revocation of a predecessor {said} `includeSuccessors` ends its open order and revokes the unconfirmed certificate."))
                .shows(&["REV-05", "DUR-11"])
                .needs(&[Need::Full])
                .run(move |bank: Bank| async move {
                    let (by, user) = contract(&bank).await?;
                    let staged = bank.staged_for(user, StatusName::Valid).await?;
                    let revoked = bank.revoke_by(&by, &staged.person.pair, successors).await?;
                    ensure(revoked.contains(&staged.person.pair.cert_id().to_string()), "the predecessor revoked", format_args!("{revoked:?}"))?;
                    bank.invalid_for(&staged.placed, Token::CertificateRevoked).await?;
                    bank.refused_logon(&staged.pair, Token::CertificateRevoked).await?;
                    let url = staged.confirm()?;
                    bank.try_confirm(&url, &staged.pair, json!({})).await?.refused(Token::OrderInvalid)?;
                    bank.shows(&by, &staged.pair, CertificateState::Revoked).await
                })
        })
        .collect()
}

fn crls() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case(
            "crl-resource/get",
            "Each CRL is got without a signature, as `application/pkix-crl`, and without a nonce.",
        )
        .shows(&["CRL-10", "HTP-23", "NON-01"])
        .run(|bank: Bank| async move {
            for url in bank.directory().await?.crl() {
                let answer = bank.get(url).await?;
                answer.status(200)?;
                ensure(
                    answer.media_type() == "application/pkix-crl",
                    "application/pkix-crl",
                    answer.media_type(),
                )?;
                ensure(answer.body.first() == Some(&0x30), "DER", answer.summary())?;
                ensure(answer.nonce().is_none(), "no Replay-Nonce", "one")?;
            }
            Ok(())
        }),
        case("crl-resource/post", "A CRL is not posted to.").shows(&["HTP-24"]).run(
            |bank: Bank| async move {
                let directory = bank.directory().await?;
                let url =
                    directory.crl().first().ok_or_else(|| Stop::Skipped("no CRL".to_owned()))?;
                bank.get(url).await?.status(200).prepares("GET of the CRL")?;
                bank.ask(Method::POST, url, HeaderMap::new())
                    .await?
                    .refused(Token::MethodNotAllowed)
                    .map(drop)
            },
        ),
    ];
    for case in &mut cases {
        case.about.needs.push(Need::Crl);
    }
    cases
}
