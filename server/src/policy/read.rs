//! A policy from its TOML file.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use koshin_protocol::time::Period;

use super::{
    Algorithm, Argon2idCost, Environment, KeyType, PinRules, Policy, Predecessor, Profile,
    ReissueLife, Renewal, SessionLife, Term, Validity,
};
use crate::settings::{Entry, SettingsError, Table};

type Read<T> = Result<T, SettingsError>;

const KEYS: &[&str] = &[
    "profile",
    "timeZone",
    "keyTypes",
    "algorithms",
    "keyStores",
    "explanationURL",
    "window",
    "certificate",
    "predecessor",
    "order",
    "pin",
    "session",
    "reissue",
    "crl",
    "environment",
];

pub(super) fn policy(file: &str, text: &str) -> Read<Policy> {
    let mut top = Table::parse(file, text, KEYS)?;
    let profile = top
        .required("profile", "\"core\", \"full\"")?
        .choice(&[("core", Profile::Core), ("full", Profile::Full)])?;
    let time_zone = time_zone(&mut top)?;
    let key_types = names(&mut top, "keyTypes", KEY_TYPES, |_| true)?;
    let algorithms =
        names(&mut top, "algorithms", ALGORITHMS, |all| all.contains(&Algorithm::Es256))?;
    let key_stores = key_stores(&mut top)?;
    let explanation_url = top.optional("explanationURL").map(|entry| https(&entry)).transpose()?;
    let renewal = renewal(&mut top)?;
    let certificate = certificate(&mut top)?;
    let (rollback, confirm_within) = order(&mut top, profile)?;
    let predecessor = predecessor(&mut top, rollback)?;
    let pin = pin(&mut top, profile)?;
    let session = session(&mut top)?;
    let reissue = reissue(&mut top)?;
    let crl_life = top
        .required_section("crl", &["life"])?
        .required("life", PERIOD)?
        .period("PT1H"..="P90D")?;
    let environments = environments(&mut top)?;
    Ok(Policy {
        profile,
        time_zone,
        key_types,
        algorithms,
        key_stores,
        environments,
        explanation_url,
        renewal,
        certificate,
        predecessor,
        rollback,
        confirm_within,
        pin,
        session,
        reissue,
        crl_life,
    })
}

const PERIOD: &str = "an ISO 8601 duration like \"PT10M\" or \"P7D\"";

fn time_zone(top: &mut Table<'_>) -> Read<TimeZone> {
    const ALLOWED: &str = "a name of the IANA time zone database, like \"Asia/Tokyo\" or \"UTC\"";
    top.required("timeZone", ALLOWED)?.parsed(ALLOWED, |name| {
        TimeZone::get(name).ok().filter(|zone| zone.iana_name().is_some() && !zone.is_unknown())
    })
}

const KEY_TYPES: &[(&str, KeyType)] =
    &[("P-256", KeyType::P256), ("P-384", KeyType::P384), ("Ed25519", KeyType::Ed25519)];

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("ES256", Algorithm::Es256),
    ("ES384", Algorithm::Es384),
    ("EdDSA", Algorithm::EdDsa),
    ("RS256", Algorithm::Rs256),
    ("PS256", Algorithm::Ps256),
];

/// A list of one or more different names out of `choices`.
fn names<T: Copy + PartialEq>(
    top: &mut Table<'_>,
    key: &str,
    choices: &[(&str, T)],
    complete: fn(&[T]) -> bool,
) -> Read<Vec<T>> {
    let all: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let allowed =
        format!("one or more of {}, \"{}\" among them, none twice", all.join(", "), choices[0].0);
    let entry = top.required(key, &allowed)?;
    let refused = entry.refused(&allowed);
    let mut read = Vec::new();
    for element in entry.list(&allowed)? {
        let value = element.choice(choices)?;
        if read.contains(&value) {
            return Err(refused);
        }
        read.push(value);
    }
    if read.is_empty() || !complete(&read) { Err(refused) } else { Ok(read) }
}

fn key_stores(top: &mut Table<'_>) -> Read<Vec<String>> {
    const ALLOWED: &str = "one or more different names of 1 to 32 lower-case letters, digits and hyphens, like \"file\", \
        \"pkcs12\", \"pkcs11\", \"nss\", \"os\"";
    let entry = top.required("keyStores", ALLOWED)?;
    let refused = entry.refused(ALLOWED);
    let mut seen = BTreeSet::new();
    let mut stores = Vec::new();
    for element in entry.list(ALLOWED)? {
        let name = element.parsed(ALLOWED, |text| is_name(text).then(|| text.to_owned()))?;
        if !seen.insert(name.clone()) {
            return Err(refused);
        }
        stores.push(name);
    }
    if stores.is_empty() { Err(refused) } else { Ok(stores) }
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn https(entry: &Entry<'_>) -> Read<String> {
    entry.parsed("an https URL", |text| {
        let rest = text.strip_prefix("https://")?;
        let clean = text.bytes().all(|byte| byte.is_ascii_graphic());
        (clean && !rest.is_empty() && !rest.starts_with('/')).then(|| text.to_owned())
    })
}

fn renewal(top: &mut Table<'_>) -> Read<Renewal> {
    let mut window = top.required_section("window", &["days", "suggestedShare", "notices"])?;
    let window_days = window.required("days", "1 to 180 days")?.integer(1..=180, "days")?;
    let suggested_share = match window.optional("suggestedShare") {
        Some(entry) => entry.integer(1..=100, "per cent of the window")?,
        None => 50,
    };
    let entry = window.required("notices", NOTICES)?;
    let refused = entry.refused(NOTICES);
    let days = entry.list(NOTICES)?;
    let days = days
        .iter()
        .map(|day| day.integer(1..=365, "days before expiry"))
        .collect::<Read<Vec<_>>>()?;
    if days.is_empty() || !days.is_sorted_by(|earlier, later| earlier > later) {
        return Err(refused);
    }
    Ok(Renewal { window_days, suggested_share, notice_days: days })
}

const NOTICES: &str =
    "one or more numbers of days before expiry, longest first, like [45, 30, 14, 7]";

fn certificate(top: &mut Table<'_>) -> Read<Validity> {
    let mut certificate = top.required_section("certificate", &["years", "days", "backdate"])?;
    let term = match (certificate.optional("years"), certificate.optional("days")) {
        (Some(years), None) => Term::Years(years.integer(1..=10, "years")?),
        (None, Some(days)) => Term::Days(days.integer(1..=3660, "days")?),
        (Some(_), Some(days)) => {
            return Err(days.refused("either certificate.years or certificate.days, not both"));
        }
        (None, None) => certificate
            .required("years", "1 to 10 years, or certificate.days")?
            .integer(1..=10, "years")
            .map(Term::Years)?,
    };
    let backdate = match certificate.optional("backdate") {
        Some(entry) => entry.period("PT0S"..="PT1H")?,
        None => Period::from_seconds(60),
    };
    Ok(Validity { term, backdate })
}

fn order(top: &mut Table<'_>, profile: Profile) -> Read<(Option<Period>, Period)> {
    let mut order = top.required_section("order", &["rollback", "confirmWithin"])?;
    let confirm_within = match order.optional("confirmWithin") {
        Some(entry) => entry.period("PT1H"..="P30D")?,
        None => Period::from_seconds(24 * 3600),
    };
    let entry = order.required("rollback", "\"off\", or an ISO 8601 duration like \"P7D\"")?;
    let rollback = if entry.is("off") {
        None
    } else if profile == Profile::Core {
        return Err(entry.refused("\"off\", because profile \"core\" has no rollback"));
    } else {
        Some(entry.period("PT1M"..="P90D")?)
    };
    Ok((rollback, confirm_within))
}

fn predecessor(top: &mut Table<'_>, rollback: Option<Period>) -> Read<Predecessor> {
    let mut predecessor = top.required_section("predecessor", &["then", "grace"])?;
    let then =
        predecessor.required("then", "\"supersede\", \"grace\", \"untilExpiry\"")?.choice(&[
            ("supersede", Then::Supersede),
            ("grace", Then::Grace),
            ("untilExpiry", Then::UntilExpiry),
        ])?;
    let grace = predecessor.optional("grace");
    match (then, grace) {
        (Then::Supersede, None) => Ok(Predecessor::Supersede),
        (Then::UntilExpiry, None) => Ok(Predecessor::UntilExpiry),
        (Then::Supersede | Then::UntilExpiry, Some(grace)) => {
            Err(grace.refused("nothing, unless predecessor.then is \"grace\""))
        }
        (Then::Grace, grace) => {
            let grace = match grace {
                Some(grace) => grace,
                None => predecessor.required("grace", PERIOD)?,
            };
            let length = grace.period("PT1H"..="P90D")?;
            if rollback.is_some_and(|rollback| rollback.total_seconds() > length.total_seconds()) {
                return Err(grace.refused("a duration not shorter than order.rollback"));
            }
            Ok(Predecessor::Grace(length))
        }
    }
}

#[derive(Clone, Copy)]
enum Then {
    Supersede,
    Grace,
    UntilExpiry,
}

fn pin(top: &mut Table<'_>, profile: Profile) -> Read<Option<PinRules>> {
    const KEYS: &[&str] =
        &["required", "minLength", "maxLength", "attempts", "memoryKiB", "passes", "lanes"];
    let Some(entry) = top.optional("pin") else { return Ok(None) };
    if profile == Profile::Core {
        return Err(entry.refused("nothing, because profile \"core\" has no PIN"));
    }
    let mut pin = entry.table(KEYS)?;
    let required = pin.required("required", "true or false")?.boolean()?;
    let least = pin.required("minLength", "4 to 64 characters")?.integer(4..=64, "characters")?;
    let most =
        pin.required("maxLength", "4 to 64 characters")?.integer(least..=64, "characters")?;
    let attempts = match pin.optional("attempts") {
        Some(entry) => entry.integer(1..=10, "wrong PINs in a row")?,
        None => 5,
    };
    let cost = Argon2idCost {
        // OWASP's second choice: 19 MiB, two passes, one lane.
        lanes: or(pin.optional("lanes"), 1, |entry| entry.integer(1..=8, "lanes"))?,
        passes: or(pin.optional("passes"), 2, |entry| entry.integer(1..=16, "passes"))?,
        memory_kib: or(pin.optional("memoryKiB"), 19_456, |entry| {
            entry.integer(64..=1_048_576, "KiB")
        })?,
    };
    Ok(Some(PinRules { required, length: least..=most, attempts, cost }))
}

fn or<T>(entry: Option<Entry<'_>>, default: T, read: impl FnOnce(Entry<'_>) -> Read<T>) -> Read<T> {
    entry.map_or(Ok(default), read)
}

fn session(top: &mut Table<'_>) -> Read<SessionLife> {
    let mut session = top.required_section("session", &["idle", "absolute"])?;
    let idle = session.required("idle", PERIOD)?.period("PT1M"..="PT24H")?;
    let entry = session.required("absolute", PERIOD)?;
    let absolute = entry.period("PT1M"..="PT24H")?;
    if absolute.total_seconds() < idle.total_seconds() {
        return Err(entry.refused("a duration not shorter than session.idle"));
    }
    Ok(SessionLife { idle, absolute })
}

fn reissue(top: &mut Table<'_>) -> Read<ReissueLife> {
    let mut reissue = top.required_section("reissue", &["days", "code"])?;
    let days = reissue.required("days", "1 to 365 days")?.integer(1..=365, "days")?;
    let code = reissue.optional("code").map(|entry| entry.period("PT1H"..="P365D")).transpose()?;
    Ok(ReissueLife { code, days })
}

fn environments(top: &mut Table<'_>) -> Read<Vec<Environment>> {
    let Some(entry) = top.optional("environment") else { return Ok(Vec::new()) };
    let tables = entry.list("tables [[environment]]")?;
    tables.into_iter().map(environment).collect()
}

fn environment(entry: Entry<'_>) -> Read<Environment> {
    let mut table = entry.table(&["os", "osVersion", "software", "softwareVersion"])?;
    let os = label(&table.required("os", LABEL)?)?;
    let os_version = table.optional("osVersion").map(|entry| version(&entry)).transpose()?;
    let software = table.optional("software").map(|entry| label(&entry)).transpose()?;
    let entry = table.optional("softwareVersion");
    if let (Some(entry), None) = (&entry, &software) {
        return Err(entry.refused("nothing without software"));
    }
    let software_version = entry.map(|entry| version(&entry)).transpose()?;
    Ok(Environment { os, os_version, software, software_version })
}

const LABEL: &str = "a string of 1 to 64 characters without control characters";

fn label(entry: &Entry<'_>) -> Read<String> {
    entry.parsed(LABEL, |text| {
        let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned())
    })
}

fn version(entry: &Entry<'_>) -> Read<String> {
    entry.parsed("a version in dotted decimals, like \"10.0\"", |text| {
        let decimal = |part: &str| {
            (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        (text.len() <= 64 && text.split('.').all(decimal)).then(|| text.to_owned())
    })
}
