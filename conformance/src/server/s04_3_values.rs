//! SPEC.md 4.3 to 4.8: times, URLs, certIDs, names, identifiers.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, Method};
use koshin_protocol::base64url;
use koshin_protocol::directory::Directory;
use koshin_protocol::session::Access;
use koshin_protocol::subject::Role;
use koshin_protocol::url::{Base, Url};
use serde_json::Value;

use super::{Bank, case};
use crate::case::{Case, Outcome, Stop, ensure};

/// The cases of these sections.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case("time/form", "Every time in an answer is `YYYY-MM-DDThh:mm:ssZ`.")
            .shows(&["ENC-30"])
            .run(times),
        case(
            "url/below-the-base",
            "Directory, session, contract and order name only URLs below the base.",
        )
        .shows(&["URL-01"])
        .run(below_the_base),
        case(
            "url/names-random",
            "Sessions, orders and contracts have names of at least 128 bits that do not repeat.",
        )
        .shows(&["URL-06"])
        .run(random_names),
        case(
            "cert-id/issued-here",
            "A certificate of the bank's CA is named by its AKI and serial.",
        )
        .shows(&["ENC-40"])
        .run(|bank: Bank| async move {
            let user = bank.user().await?;
            named(&bank, &user).await
        }),
        case(
            "cert-id/imported",
            "A certificate of another CA is named by its AKI, or by its issuer's name, and serial.",
        )
        .shows(&["ENC-40"])
        .run(|bank: Bank| async move {
            let wanted = bank.wanted(Role::User).await?.foreign();
            let user = bank.person(wanted).await?;
            named(&bank, &user).await
        }),
        case(
            "name/of-the-certificate",
            "The subject's name is the RFC 4514 string of 4.7 of the certificate's subject.",
        )
        .shows(&["NAM-01"])
        .run(|bank: Bank| async move {
            let user = bank.user().await?;
            let logon = bank.log_on(&user).await?;
            let said = logon.session.subject.name.as_str();
            ensure(said == user.pair.name().as_str(), user.pair.name().as_str(), said)?;
            let contract = bank.read_contract(&logon).await?;
            let names: Vec<&str> = contract.subjects.iter().map(|one| one.name.as_str()).collect();
            ensure(names == [said], format_args!("the contract shows {said}"), format!("{names:?}"))
        }),
    ];
    for (name, header, value) in [
        ("x-forwarded-host", "x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "x-forwarded-proto", "http"),
        ("forwarded", "forwarded", "host=evil.example;proto=http"),
        ("x-original-url", "x-original-url", "/elsewhere"),
    ] {
        cases.push(
            case(
                format!("url/spoofed-{name}"),
                format!("The directory's URLs do not follow the header `{header}`."),
            )
            .shows(&["URL-05"])
            .run(move |bank: Bank| async move {
                let plain = bank.directory().await?;
                let mut headers = HeaderMap::new();
                let value = value.parse().map_err(|_| Stop::blocked("a header of the suite"))?;
                headers.insert(HeaderName::from_static(header), value);
                let answer = bank.ask(Method::GET, &bank.target.directory_url, headers).await?;
                let spoofed: Directory = answer.object(200)?;
                ensure(spoofed == *plain, "the same directory", answer.summary())
            }),
        );
    }
    cases
}

/// The members that are times.
const TIMES: [&str; 10] = [
    "notBefore",
    "notAfter",
    "expires",
    "created",
    "start",
    "end",
    "serverTime",
    "rollbackUntil",
    "deferredAt",
    "time",
];

async fn times(bank: Bank) -> Outcome {
    let user = bank.user().await?;
    let payload = bank.logon_payload(None, "renewal").await?;
    let session = bank.try_log_on(&user.pair, payload).await?;
    let logon = bank.logged_on(&user.pair, &session)?;
    let contract = bank.read(&logon.contract()?, &logon.by()).await?;
    let placed = bank.order(&logon).await?;
    let order = bank.read(placed.url(), &placed.by_key()).await?;
    let info = bank.try_renewal_info(user.pair.cert_id().as_str()).await?;
    let refused = bank.try_find(&super::key::Key::new()).await?;
    let mut seen = 0;
    for answer in [session, contract, order, info, refused] {
        check_times(&answer.value(), &mut seen)?;
    }
    ensure(seen >= 10, "at least ten times in these answers", seen)
}

fn check_times(value: &Value, seen: &mut usize) -> Outcome {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if let (true, Some(text)) = (TIMES.contains(&name.as_str()), member.as_str()) {
                    *seen += 1;
                    let form: String =
                        text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
                    let expected = format!("`{name}` in the form of 4.3");
                    ensure(form == "0000-00-00T00:00:00Z", expected, text)?;
                } else {
                    check_times(member, seen)?;
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| check_times(item, seen)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

async fn below_the_base(bank: Bank) -> Outcome {
    let base = Base::of(&bank.target.directory_url);
    let directory = bank.get(&bank.target.directory_url).await?;
    directory.object::<Directory>(200)?;
    let mut directory = directory.value();
    for for_people in ["website", "termsOfService"] {
        if let Some(meta) = directory["meta"].as_object_mut() {
            meta.remove(for_people);
        }
    }
    let user = bank.user().await?;
    let logon = bank.log_on(&user).await?;
    let placed = bank.order(&logon).await?;
    let session = bank.read(&logon.url, &logon.by()).await?;
    let contract = bank.read(&logon.contract()?, &logon.by()).await?;
    let order = bank.read(placed.url(), &placed.by_key()).await?;
    let mut seen = 0;
    for value in [directory, session.value(), contract.value(), order.value()] {
        check_urls(&value, &base, &mut seen)?;
    }
    for location in [&logon.url, placed.url()] {
        ensure(base.contains(location), format_args!("a URL below {}", base.as_str()), location)?;
    }
    ensure(seen >= 12, "at least twelve URLs in these answers", seen)
}

fn check_urls(value: &Value, base: &Base, seen: &mut usize) -> Outcome {
    match value {
        Value::Object(members) => members.values().try_for_each(|one| check_urls(one, base, seen)),
        Value::Array(items) => items.iter().try_for_each(|one| check_urls(one, base, seen)),
        Value::String(text) if text.starts_with("http") => {
            *seen += 1;
            let url = Url::parse(text).map_err(|_| Stop::fail("a url of 4.4", text))?;
            ensure(base.contains(&url), format_args!("a URL below {}", base.as_str()), text)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

async fn random_names(bank: Bank) -> Outcome {
    let mut urls: [Vec<Url>; 3] = Default::default();
    for _ in 0..4 {
        let user = bank.user().await?;
        let logon = bank.log_on(&user).await?;
        let placed = bank.order(&logon).await?;
        if let Access::Renewal { contract } = &logon.session.access {
            urls[2].push(contract.clone());
        }
        urls[1].push(placed.url().clone());
        urls[0].push(logon.url);
    }
    for (what, urls) in ["session", "order", "contract"].into_iter().zip(urls) {
        let names: BTreeSet<&str> = urls.iter().filter_map(|url| name_in(url)).collect();
        ensure(
            names.len() == urls.len(),
            format_args!(
                "each {what} with a segment of 22 b64url characters or more that no other has"
            ),
            format!("{urls:?}"),
        )?;
    }
    Ok(())
}

/// The segment of a URL that names a thing: b64url of at least 128 bits.
fn name_in(url: &Url) -> Option<&str> {
    url.path()
        .split('/')
        .find(|segment| base64url::decode(segment).is_ok_and(|octets| octets.len() >= 16))
}

async fn named(bank: &Bank, user: &super::person::Person) -> Outcome {
    let logon = bank.log_on(user).await?;
    let (expected, said) = (user.pair.cert_id(), &logon.session.certificate.cert_id);
    ensure(*said == expected, &expected, said)?;
    bank.try_renewal_info(expected.as_str()).await?.status(200)
}
