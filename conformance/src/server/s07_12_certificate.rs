//! SPEC.md 7.12: the certificate of an order.

use http::header::{ACCEPT, CONTENT_TYPE};
use koshin_protocol::operation::Operation;
use koshin_protocol::order::StatusName;
use koshin_protocol::problem::Token;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

use super::answer::Answer;
use super::draft::By;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = forms();
    cases.extend(readers());
    cases.extend(states());
    cases
}

async fn asked(bank: &Bank, accept: Option<&str>) -> Outcome<(Answer, Vec<Vec<u8>>)> {
    let staged = bank.staged(StatusName::Valid).await?;
    let issued = staged.placed.issued()?;
    let by = staged.placed.by_key();
    let mut draft = bank.draft(Operation::Read, &issued.certificate, &by, &Value::Null);
    if let Some(accept) = accept {
        draft = draft.with(ACCEPT, accept);
    }
    let chain = issued.chain.iter().map(<[u8]>::to_vec).collect();
    Ok((bank.deliver(draft).await?, chain))
}

fn forms() -> Vec<Case<Bank>> {
    const PEM: &str = "application/pem-certificate-chain";
    const DER: &str = "application/pkix-cert";
    [
        ("no-accept", None, false),
        ("any", Some("*/*"), false),
        ("pem", Some(PEM), false),
        ("der", Some(DER), true),
        (
            "der-preferred",
            Some("application/pem-certificate-chain;q=0.5, application/pkix-cert"),
            true,
        ),
        (
            "pem-preferred",
            Some("application/pkix-cert;q=0.5, application/pem-certificate-chain"),
            false,
        ),
        ("der-before-any", Some("application/pkix-cert, */*;q=0.1"), true),
    ]
    .into_iter()
    .map(|(name, accept, is_der)| {
        let form = if is_der { "the DER of the certificate alone" } else { "the chain in PEM" };
        let said = accept
            .map_or("Without `Accept`".to_owned(), |accept| format!("With `Accept: {accept}`"));
        case(format!("download/{name}"), format!("{said} a read of the certificate gives {form}."))
            .shows(&["CER-01", "HTP-23"])
            .run(move |bank: Bank| async move {
                let (answer, chain) = asked(&bank, accept).await?;
                answer.status(200)?;
                let expected = if is_der { DER } else { PEM };
                ensure(answer.media_type() == expected, expected, answer.media_type())?;
                if is_der {
                    return ensure(
                        answer.body == chain[0],
                        "the certificate, octet for octet",
                        answer.summary(),
                    );
                }
                let read: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(&answer.body).collect();
                let read = read.map_err(|error| Stop::fail("PEM", error))?;
                let same = read.iter().map(AsRef::as_ref).eq(chain.iter().map(Vec::as_slice));
                ensure(
                    same,
                    format_args!("the {} certificates of `chain`", chain.len()),
                    read.len(),
                )
            })
    })
    .collect()
}

fn readers() -> Vec<Case<Bank>> {
    ["session", "key", "certificate", "predecessor", "administrator", "superseded"]
        .into_iter()
        .map(|who| {
            let sentence = match who {
                "session" => "The session of its subject reads the certificate.",
                "key" => "The key of the order reads the certificate.",
                "certificate" => "The certificate reads itself, unconfirmed and current.",
                "predecessor" => "The predecessor by `x5c` does not read its successor.",
                "administrator" => "An administrator of the contract reads a user's certificate.",
                _ => "A superseded certificate by `x5c` does not read its successor.",
            };
            case(format!("download/by-{who}"), sentence).shows(&["CER-01", "AUT-05"]).run(
                move |bank: Bank| async move {
                    let (administrator, user) = bank.contract().await?;
                    let logon = bank.log_on(&user).await?;
                    let placed = bank.order(&logon).await?;
                    let url = placed.issued()?.certificate.clone();
                    let itself = By::Certificate(placed.pair()?);
                    let old = By::Certificate(user.pair.clone());
                    bank.read(&url, &placed.by_key())
                        .await?
                        .status(200)
                        .prepares("a read by the key")?;
                    match who {
                        "session" => bank.read(&url, &logon.by()).await?.status(200),
                        "key" => {
                            bank.confirm(&placed).await?;
                            bank.read(&url, &placed.by_key()).await?.status(200)
                        }
                        "administrator" => {
                            let above = bank.log_on(&administrator).await?;
                            bank.read(&url, &above.by()).await?.status(200)
                        }
                        "certificate" => {
                            bank.read(&url, &itself).await?.status(200)?;
                            bank.stands(&placed, StatusName::Valid).await?;
                            bank.confirm(&placed).await?;
                            bank.read(&url, &itself).await?.status(200)
                        }
                        "predecessor" => {
                            bank.read(&url, &old).await?.refused(Token::NotFound).map(drop)
                        }
                        _ => {
                            bank.confirm(&placed).await?;
                            bank.read(&url, &old)
                                .await?
                                .refused_with(&[Token::NotFound, Token::CertificateSuperseded])
                                .map(drop)
                        }
                    }
                },
            )
        })
        .collect()
}

fn states() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = [
        (StatusName::Canceled, Token::OrderCanceled, "canceled"),
        (StatusName::Invalid, Token::OrderInvalid, "invalid"),
        (StatusName::RolledBack, Token::OrderRolledBack, "rolled-back"),
    ]
    .into_iter()
    .map(|(status, token, name)| {
        let needs: &[Need] = if status == StatusName::RolledBack { &[Need::Rollback] } else { &[] };
        case(
            format!("download/{name}"),
            format!("The certificate of an order in `{status}` is refused with `{token}`."),
        )
        .shows(&["CER-03"])
        .needs(needs)
        .run(move |bank: Bank| async move {
            let staged = bank.staged(status).await?;
            let url = &staged.placed.issued()?.certificate;
            bank.read(url, &staged.placed.by_key()).await?.refused(token)?;
            let logon = bank.log_on(&staged.person).await?;
            bank.read(url, &logon.by()).await?.refused(token).map(drop)
        })
    })
    .collect();
    cases.push(
        case(
            "download/not-by-get",
            "A `GET` of the certificate is refused: it is read by whoever signs.",
        )
        .shows(&["HTP-24", "CER-01"])
        .run(|bank: Bank| async move {
            let staged = bank.staged(StatusName::Valid).await?;
            let url = &staged.placed.issued()?.certificate;
            bank.get(url).await?.refused(Token::MethodNotAllowed)?;
            let answer = bank.read(url, &staged.placed.by_key()).await?;
            answer.status(200).prepares("a read by the key")?;
            ensure(answer.header(&CONTENT_TYPE).is_some(), "a Content-Type", "none")
        }),
    );
    cases
}
