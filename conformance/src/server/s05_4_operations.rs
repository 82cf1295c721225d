//! SPEC.md 5.3 and 5.4: a request is for one operation at one URL.

use koshin_protocol::operation::{Identification, Operation};
use koshin_protocol::order::Status;
use koshin_protocol::problem::Token;
use koshin_protocol::url::Url;
use serde_json::json;

use super::deed::{Logon, Placed};
use super::draft::By;
use super::good::Good;
use super::refusal::refuses;
use super::{Bank, case};
use crate::case::{Case, Outcome, Stop, ensure};

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = urls();
    cases.push(
        case("url/capital-host", "A request whose `url` is the resource's with a host in capital letters is refused with `malformed`.")
            .shows(&["ENC-15"])
            .run(capital_host),
    );
    cases.extend(types());
    for operation in Operation::ALL {
        let name = name(operation);
        cases.push(
            case(
                format!("elsewhere/{name}"),
                format!("A right {name} is refused at the resource of every other operation."),
            )
            .shows(&["JWS-06", "JWS-05"])
            .run(move |bank: Bank| elsewhere(bank, operation)),
        );
        cases.push(
            case(format!("elsewhere/{name}-retyped"), format!("A {name} with the `typ` of another operation, sent there, is refused for its `url`."))
                .shows(&["JWS-05"])
                .run(move |bank: Bank| retyped(bank, operation)),
        );
    }
    cases
}

/// `koshin-new-order+jws` without what all have.
fn name(operation: Operation) -> String {
    let typ = operation.typ();
    typ.trim_start_matches("koshin-").trim_end_matches("+jws").to_owned()
}

fn urls() -> Vec<Case<Bank>> {
    type Change = fn(&str) -> String;
    const OTHER: [(&str, &str, Token, Change); 12] = [
        ("slash-after", "with a further slash", Token::UrlMismatch, |url| format!("{url}/")),
        ("other-origin", "at another origin", Token::UrlMismatch, |url| {
            url.replacen("://", "://evil-", 1)
        }),
        ("other-case", "in capital letters", Token::UrlMismatch, |url| {
            let at = url.rfind('/').unwrap_or(0);
            format!("{}{}", &url[..at], url[at..].to_uppercase())
        }),
        ("percent-encoded", "in percent-encoding", Token::UrlMismatch, |url| {
            let at = url.rfind('/').map_or(0, |at| at + 1);
            format!("{}%{:02X}{}", &url[..at], url.as_bytes()[at], &url[at + 1..])
        }),
        ("prefix", "that is only the beginning", Token::UrlMismatch, |url| {
            url[..url.len() - 1].to_owned()
        }),
        ("query", "with a query", Token::Malformed, |url| format!("{url}?x=1")),
        ("empty-query", "with an empty query", Token::Malformed, |url| format!("{url}?")),
        ("fragment", "with a fragment", Token::Malformed, |url| format!("{url}#x")),
        ("user", "with a user", Token::Malformed, |url| url.replacen("://", "://user@", 1)),
        ("dot-segments", "with dot segments", Token::Malformed, |url| {
            let at = url.rfind('/').unwrap_or(0);
            format!("{}/x/..{}", &url[..at], &url[at..])
        }),
        ("relative", "that is a path", Token::Malformed, |url| {
            let end = url.find("://").map_or(0, |at| at + 3);
            url[end + url[end..].find('/').unwrap_or(0)..].to_owned()
        }),
        ("too-long", "of more than 2048 characters", Token::Malformed, |url| {
            format!("{url}{}", "/x".repeat(1024))
        }),
    ];
    OTHER
        .into_iter()
        .map(|(name, said, token, change)| {
            let sentence = format!(
                "A request whose `url` is the resource's {said} is refused with `{token}`."
            );
            let shows = if token == Token::Malformed { "ENC-15" } else { "JWS-05" };
            refuses(Good::Logon, token, format!("url/{name}"), sentence, &[shows], move |draft| {
                let url = draft.header["url"].as_str().unwrap_or_default().to_owned();
                draft.set("url", change(&url))
            })
        })
        .collect()
}

async fn capital_host(bank: Bank) -> Outcome {
    let authority = bank.target.directory_url.authority().to_owned();
    let host = authority.trim_end_matches(|c: char| c == ':' || c.is_ascii_digit());
    let capital = host.to_uppercase();
    if capital == host {
        return Err(Stop::Skipped("the host of this bank's directory has no letters".to_owned()));
    }
    let host = host.to_owned();
    bank.refuses(
        Good::Logon,
        |draft| {
            let url = draft.header["url"].as_str().unwrap_or_default().to_owned();
            draft.set("url", url.replacen(&host, &capital, 1))
        },
        Token::Malformed,
    )
    .await
    .map(drop)
}

fn types() -> Vec<Case<Bank>> {
    let others = Operation::ALL.into_iter().filter(|&operation| operation != Operation::NewSession);
    let mut typs: Vec<(String, String)> =
        others.map(|operation| (name(operation), operation.typ().to_owned())).collect();
    for (name, typ) in [
        ("binding", "koshin-binding+jws"),
        ("receipt", "koshin-receipt+jws"),
        ("capital", "Koshin-New-Session+jws"),
        ("jose", "JOSE"),
        ("jwt", "JWT"),
        ("media-type", "application/koshin-new-session+jws"),
        ("without-suffix", "koshin-new-session"),
        ("space-after", "koshin-new-session+jws "),
        ("empty", ""),
    ] {
        typs.push((name.to_owned(), typ.to_owned()));
    }
    typs.into_iter()
        .map(|(name, typ)| {
            let sentence = format!("A request to newSession with the `typ` \"{typ}\" is refused.");
            refuses(
                Good::Logon,
                Token::TypeMismatch,
                format!("typ/{name}"),
                sentence,
                &["JWS-06"],
                move |draft| draft.set("typ", typ.clone()),
            )
        })
        .collect()
}

/// Every operation with the resource that it is sent to, where this bank has it.
async fn resources(bank: &Bank, logon: &Logon, placed: &Placed) -> Outcome<Vec<(Operation, Url)>> {
    let directory = bank.directory().await?;
    let issued = placed.issued()?;
    let mut all = vec![
        (Operation::Read, logon.url.clone()),
        (Operation::Read, placed.url().clone()),
        (Operation::Read, issued.certificate.clone()),
        (Operation::Read, logon.contract()?),
        (Operation::NewSession, directory.new_session.clone()),
        (Operation::Logoff, logon.session.logoff.clone()),
        (Operation::NewOrder, directory.new_order.clone()),
        (Operation::FindOrder, directory.find_order.clone()),
        (Operation::Cancel, placed.cancel()?.clone()),
        (Operation::Confirm, issued.confirm.clone()),
        (Operation::RevokeCert, directory.revoke_cert.clone()),
    ];
    // The notice has `defer` before there is an order.
    if let Ok(defer) = logon.defer() {
        all.push((Operation::Defer, defer));
    }
    if let Ok(full) = bank.full().await {
        all.push((Operation::NewReissue, full.new_reissue));
        all.push((Operation::Unlock, full.unlock));
        all.push((Operation::Pin, full.pin));
        all.push((Operation::NewEnrollment, full.new_enrollment));
    }
    Ok(all)
}

/// Resources that only another situation has: of whom they are is not looked at before `typ` and `url`.
async fn ended(bank: &Bank, operation: Operation) -> Outcome<Option<(Operation, Url)>> {
    let url = match operation {
        Operation::Rollback => {
            let renewed = bank.renew(&bank.user().await?).await?;
            match renewed.completed.status {
                Status::Completed { rollback: Some(right), .. } => Some(right.url),
                _ => None,
            }
        }
        Operation::CancelReissue => {
            let (administrator, user) = bank.contract().await?;
            let logon = bank.log_on(&administrator).await?;
            let (_, reissue, _) = bank.reissue(&logon, &user, "keyLost").await?;
            match reissue.status {
                koshin_protocol::reissue::Status::Pending { cancel } => Some(cancel),
                _ => None,
            }
        }
        Operation::Defer => bank.log_on(&bank.user().await?).await?.defer().ok(),
        _ => None,
    };
    Ok(url.map(|url| (operation, url)))
}

/// A situation with an order in `valid`, and the resources of it.
async fn situation(
    bank: &Bank,
    operation: Operation,
) -> Outcome<(Placed, By, Url, Vec<(Operation, Url)>)> {
    let logon = bank.log_on(&bank.user().await?).await?;
    let placed = bank.order(&logon).await?;
    let mut all = resources(bank, &logon, &placed).await?;
    all.extend(ended(bank, operation).await?);
    let own = all.iter().find(|(one, _)| *one == operation).map(|(_, url)| url.clone());
    let url =
        own.ok_or_else(|| Stop::Skipped(format!("no resource of {} is at hand", name(operation))))?;
    let by = match operation.identifications()[0] {
        Identification::Session => logon.by(),
        Identification::Key => placed.by_key(),
        Identification::Certificate => By::Certificate(placed.pair()?),
    };
    Ok((placed, by, url, all))
}

async fn elsewhere(bank: Bank, operation: Operation) -> Outcome {
    let (placed, by, url, all) = situation(&bank, operation).await?;
    let payload = if operation == Operation::Read { json!(null) } else { json!({}) };
    for (other, there) in all.iter().filter(|(_, there)| *there != url) {
        let draft = bank.draft(operation, &url, &by, &payload).to(there);
        let answer = bank.deliver(draft).await?;
        let token = if *other == operation { Token::UrlMismatch } else { Token::TypeMismatch };
        answer.refused(token)?;
    }
    unharmed(&bank, &placed).await
}

async fn retyped(bank: Bank, operation: Operation) -> Outcome {
    let (placed, by, url, all) = situation(&bank, operation).await?;
    let member = by.member().0;
    for (other, there) in all.iter().filter(|(_, there)| *there != url) {
        let fits = other.identifications().iter().any(|one| one.as_str() == member);
        if !fits {
            continue;
        }
        let payload = if *other == Operation::Read { json!(null) } else { json!({}) };
        let draft = bank.draft(*other, &url, &by, &payload).to(there);
        bank.deliver(draft).await?.refused(Token::UrlMismatch)?;
    }
    unharmed(&bank, &placed).await
}

/// The order is as it was, and everything works where it belongs.
async fn unharmed(bank: &Bank, placed: &Placed) -> Outcome {
    let order = bank.read_order(placed.url(), &placed.by_key()).await?;
    ensure(order == placed.order, "the order as it was", order.status.name())?;
    bank.confirm(placed).await.map(drop)
}
