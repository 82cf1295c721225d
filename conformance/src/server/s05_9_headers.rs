//! SPEC.md 5.9 to 5.11: headers, idempotence, Retry-After.

use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, LINK, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Method};
use koshin_protocol::order::{Order, StatusName};
use koshin_protocol::problem::Token;
use tokio::task::JoinSet;

use super::answer::Answer;
use super::bank::date;
use super::good::Good;
use super::key::Key;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Prepares as _, Stop, ensure};
use crate::control::Request;

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case("headers/date", "Every response has a `Date` of the bank's clock.").shows(&["HDR-01"]).run(|bank: Bank| async move {
            for (what, answer) in Box::pin(sample(&bank)).await? {
                let date = date(&answer).ok_or_else(|| Stop::fail(format_args!("`Date` with {what}"), answer.summary()))?;
                let apart = date.seconds_since(bank.now()).abs();
                ensure(apart <= 5, format_args!("the present in `Date` of {what}"), date)?;
            }
            Ok(())
        }),
        case("headers/no-store", "Every response with a nonce is not to be stored.").shows(&["HDR-02"]).run(|bank: Bank| async move {
            for (what, answer) in Box::pin(sample(&bank)).await?.into_iter().filter(|(_, answer)| answer.nonce().is_some()) {
                let cache = answer.header(&CACHE_CONTROL).unwrap_or_default();
                ensure(cache.contains("no-store"), format_args!("`Cache-Control: no-store` with {what}"), cache)?;
            }
            Ok(())
        }),
        case("headers/link-index", "Every response to a signed request links the directory.").shows(&["HDR-03"]).run(|bank: Bank| async move {
            let url = bank.target.directory_url.as_str().to_owned();
            for (what, answer) in Box::pin(sample(&bank)).await?.into_iter().filter(|(what, _)| what.starts_with("signed")) {
                let links: Vec<&str> = answer.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).collect();
                let there = links.iter().any(|link| {
                    let link: String = link.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
                    link.contains(&format!("<{url}>;rel=index"))
                });
                ensure(there, format_args!("`Link: <{url}>;rel=\"index\"` with {what}"), format!("{links:?}"))?;
            }
            Ok(())
        }),
        case("headers/location", "newSession, newOrder and findOrder are answered with `Location`.").shows(&["HDR-04"]).run(|bank: Bank| async move {
            let person = bank.user().await?;
            let answer = bank.try_log_on_for(&person.pair, None, "renewal").await?;
            let logon = bank.logged_on(&person.pair, &answer)?;
            let key = Key::new();
            let first = bank.try_order(&logon, &key).await?;
            let order: Order = first.object(201)?;
            for (what, answer) in [
                ("newOrder, 201", first),
                ("newOrder, 200", bank.try_order(&logon, &key).await?),
                ("findOrder, 200", bank.try_find(&key).await?),
            ] {
                let location = answer.location()?;
                ensure(location == order.url, format_args!("`Location: {}` with {what}", order.url), location)?;
            }
            Ok(())
        }),
        case("headers/content-language", "Every problem document says its language.").shows(&["HDR-06"]).run(|bank: Bank| async move {
            for (what, answer) in Box::pin(sample(&bank)).await?.into_iter().filter(|(_, answer)| answer.media_type() == "application/problem+json") {
                ensure(answer.header(&CONTENT_LANGUAGE).is_some(), format_args!("`Content-Language` with {what}"), "none")?;
            }
            Ok(())
        }),
        case("headers/www-authenticate", "Every 401 has `WWW-Authenticate: Koshin`.").shows(&["HDR-10"]).run(|bank: Bank| async move {
            let draft = bank.good(Good::Logon).await?.edit_signature(|octets| octets[0] ^= 1);
            let answer = bank.deliver(draft).await?;
            answer.refused(Token::BadSignature)?;
            let said = answer.header(&WWW_AUTHENTICATE).unwrap_or_default();
            ensure(said.starts_with("Koshin"), "`WWW-Authenticate: Koshin`", said)
        }),
        case("headers/max-age", "renewalInfo and CRLs say for how long they may be kept.").shows(&["HDR-08"]).run(|bank: Bank| async move {
            let user = bank.user().await?;
            let mut answers = vec![bank.try_renewal_info(user.pair.cert_id().as_str()).await?];
            for crl in bank.directory().await?.crl() {
                answers.push(bank.get(crl).await?);
            }
            for answer in answers {
                answer.status(200)?;
                let cache = answer.header(&CACHE_CONTROL).unwrap_or_default();
                ensure(cache.contains("max-age="), "`Cache-Control` with `max-age`", cache)?;
            }
            Ok(())
        }),
        case("order/same-key-at-once", "Of several newOrders with one key at the same time one is answered 201 and the others 200, with the same order.").shows(&["IDM-03"]).run(same_key_at_once),
        case("retry-after/renewal-info", "renewalInfo has `Retry-After`.").shows(&["RTA-01"]).run(|bank: Bank| async move {
            let user = bank.user().await?;
            let answer = bank.try_renewal_info(user.pair.cert_id().as_str()).await?;
            answer.status(200)?;
            waits(&answer)
        }),
        case("retry-after/processing", "An order in `processing`, and what is refused for it, have `Retry-After`; with the CA back it becomes `valid`.")
            .shows(&["RTA-01", "ORD-12"])
            .needs(&[Need::Control, Need::Ca])
            .within(120)
            .run(|bank: Bank| async move {
                let logon = bank.log_on(&bank.user().await?).await?;
                bank.control(Request::CaDown).await?;
                let outcome = processing(&bank, &logon).await;
                bank.control(Request::CaUp).await?;
                let placed = outcome?;
                let valid = bank.until_valid(placed).await?;
                bank.confirm(&valid).await.map(drop)
            }),
    ];
    for (name, accept, language) in [
        ("ja", "ja", "ja"),
        ("en", "en", "en"),
        ("ja-first", "ja-JP, en;q=0.5", "ja"),
        ("en-first", "en-US, ja;q=0.5", "en"),
        ("quality", "en;q=0.3, ja;q=0.9", "ja"),
    ] {
        cases.push(
            case(
                format!("language/{name}"),
                format!("`Accept-Language: {accept}` is answered in {language}."),
            )
            .shows(&["HDR-05"])
            .run(move |bank: Bank| async move {
                let draft =
                    bank.good(Good::Logon).await?.payload("{}").with(ACCEPT_LANGUAGE, accept);
                let answer = bank.deliver(draft).await?;
                let problem = answer.refused(Token::Malformed)?;
                let said = answer.header(&CONTENT_LANGUAGE).unwrap_or_default();
                ensure(
                    said.starts_with(language),
                    format_args!("`Content-Language: {language}`"),
                    said,
                )?;
                let japanese =
                    problem.title.chars().any(|c| ('\u{3040}'..='\u{9fff}').contains(&c));
                ensure(
                    japanese == (language == "ja"),
                    format_args!("a title in {language}"),
                    problem.title,
                )
            }),
        );
    }
    cases
}

async fn processing(bank: &Bank, logon: &super::deed::Logon) -> Outcome<super::deed::Placed> {
    let key = Key::new();
    let answer = bank.try_order(logon, &key).await?;
    let order: Order = answer.object(201)?;
    ensure(
        order.status.name() == StatusName::Processing,
        "an order in `processing`",
        order.status.name(),
    )?;
    waits(&answer)?;
    let placed = super::deed::Placed { order, key };
    let read = bank.read(placed.url(), &placed.by_key()).await?;
    read.status(200)?;
    waits(&read)?;
    Ok(placed)
}

/// It says how long to wait, in either form.
fn waits(answer: &Answer) -> Outcome {
    let text = answer.header(&RETRY_AFTER).unwrap_or_default();
    let fits = text.parse::<u32>().is_ok() || httpdate::parse_http_date(text).is_ok();
    ensure(fits, "`Retry-After`", format_args!("{text:?} with {}", answer.summary()))
}

/// Responses of every kind.
async fn sample(bank: &Bank) -> Outcome<Vec<(&'static str, Answer)>> {
    let directory = bank.directory().await?;
    let person = bank.user().await?;
    let logon = bank.log_on(&person).await?;
    let placed = bank.order(&logon).await?;
    let draft = bank.good(Good::Logon).await?;
    let nothing = HeaderMap::new;
    let spoiled =
        |draft: &super::draft::Draft| draft.clone().edit_signature(|octets| octets[0] ^= 1);
    let headers = bank.with_host(nothing());
    Ok(vec![
        ("the directory", bank.get(&bank.target.directory_url).await?),
        ("newNonce", bank.ask(Method::HEAD, &directory.new_nonce, nothing()).await?),
        ("renewalInfo", bank.try_renewal_info(person.pair.cert_id().as_str()).await?),
        ("signed: a session", bank.read(&logon.url, &logon.by()).await?),
        ("signed: a contract", bank.read(&logon.contract()?, &logon.by()).await?),
        ("signed: an order", bank.read(placed.url(), &placed.by_key()).await?),
        (
            "signed: a certificate",
            bank.read(&placed.issued()?.certificate, &placed.by_key()).await?,
        ),
        ("signed: a logon", bank.deliver(draft.clone()).await?),
        ("signed: a malformed payload", bank.deliver(draft.clone().payload("{}")).await?),
        ("signed: a wrong signature", bank.deliver(spoiled(&draft)).await?),
        (
            "signed: a wrong nonce",
            bank.deliver(draft.clone().set("nonce", "AAAAAAAAAAAAAAAAAAAAAA")).await?,
        ),
        ("signed: a wrong alg", bank.deliver(draft.clone().set("alg", "none")).await?),
        ("signed: another key's order", bank.try_find(&Key::new()).await?),
        ("signed: a logoff", bank.try_log_off(&logon).await?),
        ("a wrong method", bank.ask(Method::PUT, &directory.new_order, nothing()).await?),
        ("a wrong path", bank.send(Method::GET, "/no-such-path", headers, Vec::new()).await?),
    ])
}

async fn same_key_at_once(bank: Bank) -> Outcome {
    let logon = bank.log_on(&bank.user().await?).await?;
    let draft = bank.order_draft(&logon, &Key::new()).await?;
    let mut sending = JoinSet::new();
    for _ in 0..8 {
        let (bank, draft) = (bank.clone(), draft.clone());
        sending.spawn(async move { bank.deliver(draft).await });
    }
    let mut created = 0;
    let mut urls = std::collections::BTreeSet::new();
    while let Some(answer) = sending.join_next().await {
        let answer = answer.map_err(Stop::blocked)??;
        let status = answer.status.as_u16();
        created += usize::from(status == 201);
        let order: Order = answer.object(if status == 201 { 201 } else { 200 })?;
        urls.insert(order.url);
    }
    ensure(
        created == 1 && urls.len() == 1,
        "one 201, the others 200, one order",
        format_args!("{created} times 201, {} orders", urls.len()),
    )?;
    let session = bank.read_session(&logon).await.prepares("the session")?;
    ensure(
        session.order == urls.pop_first(),
        "that order in the session",
        format!("{:?}", session.order),
    )
}
