//! SPEC.md 5.8: limits.

use std::time::{Duration, Instant};

use koshin_protocol::problem::Token;

use super::good::Good;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Stop, ensure};
use crate::http::RawConnection;

/// How long silence is waited for after an answer.
const QUIET: Duration = Duration::from_secs(2);

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    vec![
        case("limit/body-of-65536", "A right request of 65536 bytes is accepted.").shows(&["LIM-02"]).run(|bank: Bank| async move {
            let draft = bank.good(Good::Logon).await?.edit_body(|body| body.resize(65_536, b' '));
            bank.deliver(draft).await?.status(201)
        }),
        case("limit/body-of-65537", "The same request with one byte more is refused, or the connection closed.").shows(&["LIM-01"]).run(|bank: Bank| async move {
            let draft = bank.good(Good::Logon).await?;
            let fits = draft.clone().edit_body(|body| body.resize(65_536, b' '));
            bank.deliver(fits).await?.status(201)?;
            let body = draft.sealed(Some(&bank.new_nonce().await?));
            let mut body = body;
            body.resize(65_537, b' ');
            match bank.send(draft.method.clone(), &draft.path, draft.headers.clone(), body).await {
                Ok(answer) => answer.refused(Token::PayloadTooLarge).map(drop),
                // Closed.
                Err(Stop::Fail { .. }) => Ok(()),
                Err(other) => Err(other),
            }
        }),
        case("limit/announced-gigabyte", "A body of a gigabyte is refused before it is sent.").shows(&["LIM-01"]).run(|bank: Bank| async move {
            let (path, host) = post(&bank).await?;
            let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/jose+json\r\nContent-Length: 1073741824\r\n\r\n{{");
            refused(&bank, &head, 413).await
        }),
        case("limit/chunks-without-end", "A chunked body over the limit is refused, or the connection closed.").shows(&["LIM-01"]).run(|bank: Bank| async move {
            let (path, host) = post(&bank).await?;
            let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/jose+json\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
            refused(&bank, &(head + &chunk.repeat(40)), 413).await
        }),
        case("limit/long-header", "A header section over 32768 bytes is refused, or the connection closed.").shows(&["LIM-04"]).run(|bank: Bank| async move {
            bank.directory().await?;
            let (path, host) = (bank.target.directory_url.path(), bank.target.directory_url.authority());
            let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Long: {}\r\n\r\n", "x".repeat(33_000));
            refused(&bank, &head, 431).await
        }),
        case("limit/many-headers", "A header section of many headers over 32768 bytes is refused, or the connection closed.").shows(&["LIM-04"]).run(|bank: Bank| async move {
            bank.directory().await?;
            let (path, host) = (bank.target.directory_url.path(), bank.target.directory_url.authority());
            let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{}\r\n", "X-Many: 0123456789\r\n".repeat(1700));
            refused(&bank, &head, 431).await
        }),
        case("limit/slow-header", "A connection whose request header does not arrive is ended within a minute.").shows(&["LIM-03"]).needs(&[Need::Long]).within(90).run(|bank: Bank| async move {
            bank.directory().await?;
            let (path, host) = (bank.target.directory_url.path(), bank.target.directory_url.authority());
            ended(&bank, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n")).await
        }),
        case("limit/slow-body", "A connection whose request body does not arrive is ended within a minute.").shows(&["LIM-03"]).needs(&[Need::Long]).within(90).run(|bank: Bank| async move {
            let (path, host) = post(&bank).await?;
            ended(&bank, &format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/jose+json\r\nContent-Length: 100\r\n\r\n{{")).await
        }),
    ]
}

async fn post(bank: &Bank) -> Outcome<(String, String)> {
    let directory = bank.directory().await?;
    Ok((directory.new_session.path().to_owned(), bank.target.directory_url.authority().to_owned()))
}

async fn refused(bank: &Bank, text: &str, status: u16) -> Outcome {
    let connector = bank.target.http.connector();
    let mut connection = RawConnection::open(connector).await.map_err(Stop::blocked)?;
    connection.write(text.as_bytes()).await;
    let answer = connection.read(QUIET).await;
    bank.note(&text[..text.len().min(400)], &answer.text);
    let closed = answer.status.is_none() && answer.closed;
    ensure(
        closed || answer.status == Some(status),
        format_args!("{status}, or the connection closed"),
        answer.summary(),
    )
}

async fn ended(bank: &Bank, text: &str) -> Outcome {
    let connector = bank.target.http.connector();
    let mut connection = RawConnection::open(connector).await.map_err(Stop::blocked)?;
    let began = Instant::now();
    connection.write(text.as_bytes()).await;
    let answer = connection.read(Duration::from_secs(70)).await;
    bank.note(text, &answer.text);
    let seconds = began.elapsed().as_secs();
    ensure(
        answer.closed && seconds <= 62,
        "the connection ended within 60 seconds",
        format_args!("{} after {seconds} s", answer.summary()),
    )
}
