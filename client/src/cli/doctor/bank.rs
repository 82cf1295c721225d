//! The bank, asked what it tells anybody: no logon, nothing signed, each question once.

use http::header::DATE;
use http::{HeaderMap, Method};
use koshin_client::clock::{Clock, SystemClock};
use koshin_client::retry::http_date;
use koshin_client::transport::{Https, Request, Response, Transport, TransportError};
use koshin_client::{environment, window};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{Certificate, verify_path};
use koshin_protocol::chain::Chain;
use koshin_protocol::directory::{Directory, Meta};
use koshin_protocol::environment::{EnvironmentRule, supports};
use koshin_protocol::json;
use koshin_protocol::problem::{Problem, Token};
use koshin_protocol::renewal_info::RenewalInfo;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use koshin_protocol::verify::default_verifier;
use zeroize::Zeroizing;

use super::finding::Finding;
use super::folder::Local;

/// From this difference on a clock is wrong (SPEC.md TIM-03).
const TOLERANCE: i64 = 300;

/// Most bytes of an answer.
const LIMIT: usize = 1 << 20;

/// Asks the bank of an identity; the time there, as far as it said, else this machine's.
pub(crate) async fn check(local: &Local, found: &mut Vec<Finding>) -> Time {
    let now = SystemClock.now();
    let url = &local.settings.directory;
    let Some(roots) = &local.tls_anchors else { return now };
    let pins = local.settings.tls_pins.iter().filter_map(|pin| pin.parse().ok()).collect();
    let https = match Https::new(roots, pins) {
        Ok(https) => https,
        Err(error) => {
            found.push(Finding::TlsBad { detail: error.to_string() });
            return now;
        }
    };
    let answer = match get(&https, url).await {
        Ok(answer) => answer,
        Err(error) => {
            found.push(unreachable(url, &error));
            return now;
        }
    };
    found.push(match answer.status {
        200 => Finding::Reached { url: url.to_string() },
        status => Finding::HttpStatus { url: url.to_string(), status },
    });
    let there = clock(&answer.headers, found).unwrap_or(now);
    if answer.status != 200 {
        return there;
    }
    match json::parse::<Directory>(&answer.body) {
        Ok(directory) => {
            found.push(Finding::Directory { profile: directory.profile.name().as_str() });
            rules(local, &directory.meta, there, found);
            if let Some(current) = &local.current {
                renewal_info(&https, &directory, current, found).await;
            }
        }
        Err(error) => found.push(Finding::DirectoryBad { detail: error.to_string() }),
    }
    there
}

async fn get(https: &Https, url: &Url) -> Result<Response, TransportError> {
    let (method, headers) = (Method::GET, HeaderMap::new());
    let request =
        Request { method, url: url.clone(), headers, body: Zeroizing::default(), limit: LIMIT };
    https.send(request).await
}

fn unreachable(url: &Url, error: &TransportError) -> Finding {
    let url = url.to_string();
    match error {
        TransportError::Untrusted(why) => Finding::TlsRefused { url, why: why.clone() },
        lost => Finding::NotReached { url, detail: lost.to_string() },
    }
}

fn clock(headers: &HeaderMap, found: &mut Vec<Finding>) -> Option<Time> {
    let there = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?));
    let Some(there) = there else {
        found.push(Finding::NoDate);
        return None;
    };
    let seconds = SystemClock.now().seconds_since(there);
    found.push(if seconds.abs() > TOLERANCE {
        Finding::ClockWrong { seconds }
    } else {
        Finding::Clock { seconds }
    });
    Some(there)
}

/// What the bank wants of its clients.
fn rules(local: &Local, meta: &Meta, now: Time, found: &mut Vec<Finding>) {
    if let Ok(ours) = environment::detect("koshin", env!("CARGO_PKG_VERSION")) {
        let (os, version) = (ours.os.as_str().to_owned(), ours.os_version.as_str().to_owned());
        found.push(if supports(&meta.environments, &ours) {
            Finding::Environment { os, version }
        } else {
            let ours = format!("{os} {version}, koshin {}", env!("CARGO_PKG_VERSION"));
            let wanted = meta.environments.iter().map(words).collect::<Vec<_>>().join("; ");
            Finding::EnvironmentRefused { ours, wanted }
        });
    }
    let kind = local.settings.key_store.clone();
    let offered = meta.key_stores.iter().map(ToString::to_string).collect::<Vec<_>>();
    found.push(if offered.contains(&kind) {
        Finding::KeyStore { kind }
    } else {
        Finding::KeyStoreRefused { kind, offered: offered.join(", ") }
    });
    if let Some(algorithm) = local.algorithm {
        let offered = &meta.algorithms;
        found.push(if offered.contains(&algorithm) {
            Finding::Algorithm { algorithm }
        } else {
            let offered = offered.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Finding::AlgorithmRefused { algorithm, offered }
        });
    }
    if let Some(current) = &local.current {
        let own = window::enforced(current, meta);
        let (until, days) = (own.end(), own.end().seconds_since(now) / 86_400);
        if own.contains(now) {
            found.push(Finding::InWindow { until, days });
        }
    }
    if !local.anchors.is_empty() {
        found.push(issuers(&meta.issuers, &local.anchors, now));
    }
}

/// A bank's requirement in words: `linux from 5.10`.
fn words(rule: &EnvironmentRule) -> String {
    let mut words = rule.os.as_str().to_owned();
    let mut add = |word: &str, text: &Option<koshin_protocol::environment::EnvironmentText>| {
        if let Some(text) = text {
            words.push_str(word);
            words.push_str(text.as_str());
        }
    };
    add(" ≥ ", &rule.os_version);
    add(", ", &rule.software);
    add(" ≥ ", &rule.software_version);
    words
}

/// Whether the bank's issuers lead to the roots that are configured for it.
fn issuers(chains: &[Chain], roots: &[Certificate], now: Time) -> Finding {
    for chain in chains {
        let certificates = chain.iter().map(Certificate::from_der).collect::<Result<Vec<_>, _>>();
        let checked = match certificates.as_deref() {
            Ok([first, rest @ ..]) => verify_path(first, rest, roots, now, default_verifier())
                .map_err(|error| (first.subject().to_string(), error.to_string())),
            Ok([]) => Ok(()),
            Err(error) => Err((String::new(), error.to_string())),
        };
        if let Err((issuer, detail)) = checked {
            return Finding::IssuersUntrusted { issuer, detail };
        }
    }
    Finding::Issuers { count: chains.len() }
}

/// Whether the bank takes the certificate for its subject's current one.
async fn renewal_info(
    https: &Https,
    directory: &Directory,
    current: &Certificate,
    found: &mut Vec<Finding>,
) {
    let url = Url::parse(&format!("{}/{}", directory.renewal_info, CertId::of(current)));
    let answer = match url {
        Ok(url) => get(https, &url).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    found.push(match answer {
        Err(detail) => Finding::RenewalInfoBad { detail },
        Ok(answer) if answer.status == 200 => match json::parse::<RenewalInfo>(&answer.body) {
            Ok(info) => {
                let window = info.suggested_window;
                Finding::Known { opens: window.start(), closes: window.end() }
            }
            Err(error) => Finding::RenewalInfoBad { detail: error.to_string() },
        },
        Ok(answer) => match json::parse::<Problem>(&answer.body).map(|problem| problem.token()) {
            Ok(Some(Token::NotRenewable)) => Finding::NotRenewable,
            Ok(Some(Token::NotFound)) => Finding::Unknown,
            _ => Finding::RenewalInfoBad { detail: format!("HTTP status {}", answer.status) },
        },
    });
}
