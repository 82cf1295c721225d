//! SPEC.md 5.1 and 5.2: HTTPS and media types.

use std::time::Duration;

use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request};
use hyper::body::Bytes;
use koshin_protocol::problem::Token;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::good::Good;
use super::refusal::refuses;
use super::{Bank, case, kebab};
use crate::case::{Case, Outcome, Prepares as _, Stop, ensure};
use crate::http::RawConnection;

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case("https/in-clear", "The port of HTTPS does not serve the directory in clear.")
            .shows(&["HTP-01"])
            .run(in_clear),
        case("https/tls-1-1", "A client that speaks TLS 1.1 at most gets no connection.")
            .shows(&["HTP-01"])
            .run(tls_1_1),
        case("https/http-1-1", "The directory is served by HTTP/1.1.").shows(&["HTP-06"]).run(
            |bank: Bank| async move {
                bank.directory().await?;
                let (path, authority) = place(&bank);
                let answer =
                    raw(&bank, &format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n\r\n"))
                        .await?;
                ensure(answer.status == Some(200), "200 over HTTP/1.1", answer.summary())
            },
        ),
        case("https/http-2", "The directory is served by HTTP/2.").shows(&["HTP-07"]).run(
            |bank: Bank| async move {
                bank.directory().await?;
                let answer = by_http2(&bank, None)
                    .await
                    .map_err(|why| Stop::fail("an answer over HTTP/2", why))?;
                ensure(answer == 200, "200 over HTTP/2", answer)
            },
        ),
        case(
            "https/authority-foreign",
            "An HTTP/2 request with another `:authority` is misdirected.",
        )
        .shows(&["HTP-03"])
        .run(|bank: Bank| async move {
            bank.directory().await?;
            let Ok(200) = by_http2(&bank, None).await else {
                return Err(Stop::Skipped("this bank does not offer HTTP/2".to_owned()));
            };
            let answer = by_http2(&bank, Some("evil.example"))
                .await
                .map_err(|why| Stop::fail("421 over HTTP/2", why))?;
            ensure(answer == 421, "421", answer)
        }),
    ];
    cases.extend(hosts());
    cases.extend(framing());
    cases.extend(methods());
    cases.extend(paths());
    cases.extend(media_types());
    cases
}

fn place(bank: &Bank) -> (&str, &str) {
    (bank.target.directory_url.path(), bank.target.directory_url.authority())
}

/// How long silence is waited for after an answer.
const QUIET: Duration = Duration::from_millis(700);

async fn raw(bank: &Bank, text: &str) -> Outcome<crate::http::RawAnswer> {
    let failed = |error: &dyn std::fmt::Display| Stop::fail("a connection", error);
    let mut connection =
        RawConnection::open(bank.target.http.connector()).await.map_err(|error| failed(&error))?;
    connection.write(text.as_bytes()).await;
    let answer = connection.read(QUIET).await;
    bank.note(text, &answer.text);
    Ok(answer)
}

async fn by_http2(bank: &Bank, authority: Option<&str>) -> Result<u16, String> {
    let (path, own) = place(bank);
    let uri = format!("https://{}{path}", authority.unwrap_or(own));
    let request = Request::get(uri).body(Bytes::new()).map_err(|error| error.to_string())?;
    let answer =
        bank.target.http.send_by_http2(request).await.map_err(|error| error.to_string())?;
    Ok(answer.status.as_u16())
}

async fn in_clear(bank: Bank) -> Outcome {
    if !bank.target.http.connector().is_tls() {
        return Err(Stop::Skipped(
            "this bank is tested in clear, on a loopback address".to_owned(),
        ));
    }
    bank.directory().await?;
    let (path, authority) = place(&bank);
    let mut stream = bank.target.http.connector().tcp().await.map_err(Stop::blocked)?;
    let text = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    if stream.write_all(text.as_bytes()).await.is_ok() {
        drop(tokio::time::timeout(QUIET, stream.read_to_end(&mut answer)).await);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    ensure(!answer.starts_with("HTTP/1.1 2"), "no directory in clear", answer)
}

async fn tls_1_1(bank: Bank) -> Outcome {
    if !bank.target.http.connector().is_tls() {
        return Err(Stop::Skipped(
            "this bank is tested in clear, on a loopback address".to_owned(),
        ));
    }
    bank.directory().await?;
    let mut stream = bank.target.http.connector().tcp().await.map_err(Stop::blocked)?;
    // ClientHello of TLS 1.1 with ECDHE_ECDSA and ECDHE_RSA suites of that version, and SNI left out.
    let mut hello = vec![0x03, 0x02];
    hello.extend([0x5a; 32]);
    hello.push(0);
    let suites = [0xc0, 0x0a, 0xc0, 0x14, 0xc0, 0x09, 0xc0, 0x13, 0x00, 0x2f, 0x00, 0x35];
    hello.extend([0, 12]);
    hello.extend(suites);
    hello.extend([1, 0]);
    // supported_groups: P-256; ec_point_formats: uncompressed.
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0];
    hello.extend([0, 14]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).unwrap_or(0);
    let mut record = vec![0x16, 0x03, 0x01, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    let mut answer = vec![0; 64];
    let count = match stream.write_all(&record).await {
        Ok(()) => tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await,
        Err(_) => Ok(Ok(0)),
    };
    match count {
        // A handshake record: ServerHello.
        Ok(Ok(count)) if count > 0 && answer[0] == 0x16 => {
            Err(Stop::fail("an alert, or the connection closed", "a ServerHello"))
        }
        Ok(_) => Ok(()),
        Err(_) => Err(Stop::fail("an alert, or the connection closed", "silence")),
    }
}

fn hosts() -> Vec<Case<Bank>> {
    [("other-host", "evil.example"), ("other-port", ":1"), ("below", "www.")]
        .into_iter()
        .map(|(name, change)| {
            case(
                format!("host/{name}"),
                "A request with another `Host` than the bank's is misdirected.",
            )
            .shows(&["HTP-03"])
            .run(move |bank: Bank| async move {
                bank.directory().await?;
                let (_, own) = place(&bank);
                let host = own.rsplit_once(':').map_or(own, |(host, _)| host);
                let other = match name {
                    "other-port" => format!("{host}{change}"),
                    "below" => format!("{change}{own}"),
                    _ => change.to_owned(),
                };
                let mut headers = HeaderMap::new();
                headers
                    .insert(HOST, other.parse().map_err(|_| Stop::blocked("a host of the suite"))?);
                let answer = bank.ask(Method::GET, &bank.target.directory_url, headers).await?;
                answer.refused(Token::Misdirected).map(drop)
            })
        })
        .collect()
}

fn framing() -> Vec<Case<Bank>> {
    type Text = fn(&str, &str, &str) -> String;
    const WRONG: [(&str, &str, Text); 4] = [
        ("two-hosts", "two `Host` headers", |path, host, _| {
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n")
        }),
        ("two-different-hosts", "two different `Host` headers", |path, host, _| {
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n")
        }),
        ("length-and-chunked", "both `Content-Length` and `Transfer-Encoding`", |_, host, post| {
            format!(
                "POST {post} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/jose+json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            )
        }),
        ("chunked-and-length", "both `Transfer-Encoding` and `Content-Length`", |_, host, post| {
            format!(
                "POST {post} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/jose+json\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
            )
        }),
    ];
    WRONG
        .into_iter()
        .map(|(name, said, text)| {
            case(
                format!("framing/{name}"),
                format!("A request with {said} is answered 400, or the connection is closed."),
            )
            .shows(&["HTP-05"])
            .run(move |bank: Bank| async move {
                let post = bank.directory().await?.new_session.path().to_owned();
                let (path, host) = place(&bank);
                let good =
                    raw(&bank, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await?;
                ensure(good.status == Some(200), "200", good.summary())
                    .prepares("the same request without the defect")?;
                let answer = raw(&bank, &text(path, host, &post)).await?;
                let refused =
                    answer.status == Some(400) || (answer.status.is_none() && answer.closed);
                ensure(
                    refused && answer.answers() <= 1,
                    "400, or the connection closed",
                    answer.summary(),
                )
            })
        })
        .collect()
}

/// Resources whose URL is in the directory, with a method that they do not have and one that they have.
const METHODS: [(&str, &str, Method, &str); 9] = [
    ("directory", "post", Method::POST, "GET"),
    ("directory", "put", Method::PUT, "GET"),
    ("newNonce", "post", Method::POST, "HEAD"),
    ("newNonce", "delete", Method::DELETE, "GET"),
    ("newSession", "get", Method::GET, "POST"),
    ("newOrder", "put", Method::PUT, "POST"),
    ("findOrder", "get", Method::GET, "POST"),
    ("revokeCert", "delete", Method::DELETE, "POST"),
    ("newSession", "options", Method::OPTIONS, "POST"),
];

fn methods() -> Vec<Case<Bank>> {
    let mut cases: Vec<Case<Bank>> = METHODS
        .into_iter()
        .map(|(resource, name, method, allowed)| {
            case(
                format!("method/{}-{name}", kebab(resource)),
                format!("{method} of {resource} is refused, and `Allow` has {allowed}."),
            )
            .shows(&["HTP-08"])
            .run(move |bank: Bank| {
                let method = method.clone();
                async move {
                    let directory = bank.directory().await?;
                    let url = match resource {
                        "newNonce" => directory.new_nonce.clone(),
                        "newSession" => directory.new_session.clone(),
                        "newOrder" => directory.new_order.clone(),
                        "findOrder" => directory.find_order.clone(),
                        "revokeCert" => directory.revoke_cert.clone(),
                        _ => bank.target.directory_url.clone(),
                    };
                    not_allowed(&bank, method, &url, allowed).await
                }
            })
        })
        .collect();
    for what in ["session", "order", "contract", "cancel", "confirm", "logoff", "certificate"] {
        cases.push(
            case(
                format!("method/{what}-get"),
                format!("GET of the {what} of somebody is refused, and `Allow` has POST."),
            )
            .shows(&["HTP-08"])
            .run(move |bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                let placed = bank.order(&logon).await?;
                let url = match what {
                    "session" => logon.url.clone(),
                    "order" => placed.url().clone(),
                    "contract" => logon.contract()?,
                    "cancel" => placed.cancel()?.clone(),
                    "confirm" => placed.issued()?.confirm.clone(),
                    "certificate" => placed.issued()?.certificate.clone(),
                    _ => logon.session.logoff.clone(),
                };
                not_allowed(&bank, Method::GET, &url, "POST").await
            }),
        );
    }
    cases
}

async fn not_allowed(
    bank: &Bank,
    method: Method,
    url: &koshin_protocol::url::Url,
    allowed: &str,
) -> Outcome {
    let answer = bank.ask(method, url, HeaderMap::new()).await?;
    answer.refused(Token::MethodNotAllowed)?;
    let allow = answer.header(&ALLOW).unwrap_or_default().to_owned();
    let has = allow.split(',').any(|method| method.trim() == allowed);
    ensure(has, format_args!("`Allow` with {allowed}"), allow)
}

fn paths() -> Vec<Case<Bank>> {
    type Change = fn(&str, &str) -> String;
    const WRONG: [(&str, &str, Change); 7] = [
        ("unknown", "that is no resource", |base, _| format!("{base}no-such-resource")),
        ("slash-after", "with a further slash", |_, path| format!("{path}/")),
        ("slash-twice", "with a slash twice", |base, path| {
            format!("{base}/{}", &path[base.len()..])
        }),
        ("capital", "in another case", |base, path| {
            format!("{base}{}", path[base.len()..].to_uppercase())
        }),
        ("percent-encoded", "in percent-encoding", |base, path| {
            let name = &path[base.len()..];
            format!("{base}%{:02X}{}", name.as_bytes()[0], &name[1..])
        }),
        ("dot-segments", "with dot segments", |base, path| {
            format!("{base}x/../{}", &path[base.len()..])
        }),
        ("root", "above the base", |_, _| "/".to_owned()),
    ];
    WRONG
        .into_iter()
        .map(|(name, said, change)| {
            case(format!("path/{name}"), format!("A path {said} is not found."))
                .shows(&["HTP-09"])
                .run(move |bank: Bank| async move {
                    bank.directory().await?;
                    let (path, _) = place(&bank);
                    let base = &path[..=path.rfind('/').unwrap_or(0)];
                    if base == "/" && name == "root" {
                        return Err(Stop::Skipped("this bank's base is the root".to_owned()));
                    }
                    let headers = bank.with_host(HeaderMap::new());
                    let answer =
                        bank.send(Method::GET, &change(base, path), headers, Vec::new()).await?;
                    answer.refused(Token::NotFound).map(drop)
                })
        })
        .collect()
}

fn media_types() -> Vec<Case<Bank>> {
    let wrong = [
        ("json", "application/json"),
        ("jose", "application/jose"),
        ("text", "text/plain"),
        ("form", "application/x-www-form-urlencoded"),
        ("prefix", "application/jose+jsonx"),
    ];
    let mut cases: Vec<Case<Bank>> = wrong
        .into_iter()
        .map(|(name, media_type)| {
            let sentence = format!("A signed request of media type {media_type} is refused.");
            refuses(
                Good::Logon,
                Token::UnsupportedMediaType,
                format!("media-type/{name}"),
                sentence,
                &["HTP-21"],
                move |draft| draft.with(CONTENT_TYPE, media_type),
            )
        })
        .collect();
    cases.push(refuses(
        Good::Logon,
        Token::UnsupportedMediaType,
        "media-type/none",
        "A signed request without a media type is refused.",
        &["HTP-21"],
        |draft| draft.without_header(&CONTENT_TYPE),
    ));
    for encoding in ["gzip", "deflate", "br"] {
        let sentence = format!("A request with `Content-Encoding: {encoding}` is refused.");
        cases.push(refuses(
            Good::Logon,
            Token::UnsupportedMediaType,
            format!("content-encoding/{encoding}"),
            sentence,
            &["HTP-22"],
            move |draft| draft.with(CONTENT_ENCODING, encoding),
        ));
    }
    for (slug, sentence, shows, name, value) in [
        (
            "media-type/parameters",
            "Parameters of the media type are ignored.",
            "HTP-21",
            CONTENT_TYPE,
            "application/jose+json; charset=utf-8",
        ),
        (
            "media-type/capitals",
            "The media type is compared without regard to case.",
            "HTP-21",
            CONTENT_TYPE,
            "Application/JOSE+JSON",
        ),
        (
            "content-encoding/identity",
            "`Content-Encoding: identity` is accepted.",
            "HTP-22",
            CONTENT_ENCODING,
            "identity",
        ),
    ] {
        cases.push(case(slug, sentence).shows(&[shows]).run(move |bank: Bank| {
            let name = name.clone();
            async move {
                let draft = bank.good(Good::Logon).await?;
                bank.deliver(draft.with(name, value)).await?.status(201)
            }
        }));
    }
    cases.push(
        case("media-type/answers", "Each resource is answered with its media type.")
            .shows(&["HTP-23"])
            .run(answers),
    );
    cases.push(
        case("media-type/problems", "Refusals of every kind are problem documents.")
            .shows(&["HTP-24"])
            .run(|bank: Bank| async move {
                let directory = bank.directory().await?;
                let nothing = HeaderMap::new;
                bank.ask(Method::GET, &directory.new_session, nothing()).await?.problem()?;
                bank.try_renewal_info("AAAA.AAAA").await?.problem()?;
                bank.try_renewal_info("odd").await?.problem()?;
                let headers = bank.with_host(nothing());
                bank.send(Method::GET, "/no-such-path", headers, Vec::new()).await?.problem()?;
                let draft = bank.good(Good::Logon).await?;
                bank.deliver(draft.clone().without_header(&CONTENT_TYPE)).await?.problem()?;
                bank.deliver(draft.clone().set("alg", "none")).await?.problem()?;
                bank.deliver(draft.edit_body(Vec::clear)).await?.problem().map(drop)
            }),
    );
    cases
}

async fn answers(bank: Bank) -> Outcome {
    let user = bank.user().await?;
    let logon = bank.log_on(&user).await?;
    let placed = bank.order(&logon).await?;
    let directory = bank.directory().await?;
    let certificate = bank.read(&placed.issued()?.certificate, &placed.by_key()).await?;
    let mut answers = vec![
        ("the directory", bank.get(&bank.target.directory_url).await?, "application/json"),
        (
            "renewalInfo",
            bank.try_renewal_info(user.pair.cert_id().as_str()).await?,
            "application/json",
        ),
        ("the session", bank.read(&logon.url, &logon.by()).await?, "application/json"),
        ("the contract", bank.read(&logon.contract()?, &logon.by()).await?, "application/json"),
        ("the order", bank.read(placed.url(), &placed.by_key()).await?, "application/json"),
        ("the certificate", certificate, "application/pem-certificate-chain"),
    ];
    for crl in directory.crl() {
        answers.push(("the CRL", bank.get(crl).await?, "application/pkix-crl"));
    }
    for (what, answer, media_type) in answers {
        answer.status(200)?;
        ensure(
            answer.media_type() == media_type,
            format_args!("{what} as {media_type}"),
            answer.media_type(),
        )?;
    }
    Ok(())
}
