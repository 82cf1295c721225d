//! A policy from its TOML file.

use jiff::tz::TimeZone;
use koshin_protocol::algorithm::{Algorithm, KeyType};
use koshin_protocol::directory::ProfileName;
use koshin_protocol::environment::{EnvironmentRule, EnvironmentText};
use koshin_protocol::key_store::KeyStoreName;
use koshin_protocol::page_url::PageUrl;
use koshin_protocol::pin::PinRule;
use koshin_protocol::time::Period;

use super::{
    Argon2idCost, PinRules, Policy, Predecessor, ReissueLife, Renewal, SessionLife, Term, Validity,
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
    "website",
    "termsOfService",
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
        .choice(&[("core", ProfileName::Core), ("full", ProfileName::Full)])?;
    let time_zone = time_zone(&mut top)?;
    let key_types =
        named(top.required("keyTypes", KEY_TYPES)?, KEY_TYPES, KeyType::P256, &KEYS_OF_CUSTOMERS)?;
    let algorithms =
        named(top.required("algorithms", ALGORITHMS)?, ALGORITHMS, Algorithm::Es256, &SIGNATURES)?;
    let key_stores = several(top.required("keyStores", KEY_STORES)?, KEY_STORES, |entry| {
        entry.parsed(KEY_STORES, |text| {
            text.parse::<KeyStoreName>().ok().filter(|name| !name.as_str().is_empty())
        })
    })?;
    let explanation_url = page(&mut top, "explanationURL")?;
    let website = page(&mut top, "website")?;
    let terms_of_service = page(&mut top, "termsOfService")?;
    let renewal = renewal(&mut top)?;
    let certificate = certificate(&mut top)?;
    let (rollback, confirm_within) = order(&mut top, profile)?;
    let predecessor = predecessor(&mut top, rollback)?;
    let pin = pin(&mut top, profile)?;
    let session = session(&mut top)?;
    let reissue = reissue(&mut top)?;
    let crl_life =
        top.required_section("crl", &["life"])?.required("life", PERIOD)?.period("PT1H"..="P7D")?;
    let environments = environments(&mut top)?;
    Ok(Policy {
        profile,
        time_zone,
        key_types,
        algorithms,
        key_stores,
        environments,
        explanation_url,
        website,
        terms_of_service,
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

/// A list of one or more different values.
fn several<T: PartialEq>(
    entry: Entry<'_>,
    allowed: &str,
    read: impl Fn(&Entry<'_>) -> Read<T>,
) -> Read<Vec<T>> {
    let refused = entry.refused(allowed);
    let mut values = Vec::new();
    for element in entry.list(allowed)? {
        let value = read(&element)?;
        if values.contains(&value) {
            return Err(refused);
        }
        values.push(value);
    }
    if values.is_empty() { Err(refused) } else { Ok(values) }
}

/// Several of `choices`, `needed` among them: everybody has that one (SPEC.md annex D).
fn named<T: Copy + PartialEq>(
    entry: Entry<'_>,
    allowed: &str,
    needed: T,
    choices: &[(&str, T)],
) -> Read<Vec<T>> {
    let refused = entry.refused(allowed);
    let values = several(entry, allowed, |element| element.choice(choices))?;
    if values.contains(&needed) { Ok(values) } else { Err(refused) }
}

const KEY_TYPES: &str = "different ones of \"P-256\", \"P-384\", \"Ed25519\", and \"P-256\" always";

const ALGORITHMS: &str =
    "different ones of \"ES256\", \"ES384\", \"EdDSA\", \"RS256\", \"PS256\", and \"ES256\" always";

/// RSA keys may sign requests until they are replaced, but no new certificate has one.
const KEYS_OF_CUSTOMERS: [(&str, KeyType); 3] =
    [("P-256", KeyType::P256), ("P-384", KeyType::P384), ("Ed25519", KeyType::Ed25519)];

const SIGNATURES: [(&str, Algorithm); 5] = [
    ("ES256", Algorithm::Es256),
    ("ES384", Algorithm::Es384),
    ("EdDSA", Algorithm::EdDsa),
    ("RS256", Algorithm::Rs256),
    ("PS256", Algorithm::Ps256),
];

const KEY_STORES: &str =
    "one or more different names, like \"file\", \"pkcs12\", \"pkcs11\", \"nss\", \"os\"";

fn page(top: &mut Table<'_>, key: &str) -> Read<Option<PageUrl>> {
    let entry = top.optional(key);
    entry.map(|entry| entry.parsed("an https URL", |text| text.parse().ok())).transpose()
}

fn renewal(top: &mut Table<'_>) -> Read<Renewal> {
    let mut window = top.required_section("window", &["days", "suggestedShare", "notices"])?;
    let window_days = window.required("days", "1 to 366 days")?.integer(1..=366, "days")?;
    let suggested_share = match window.optional("suggestedShare") {
        Some(entry) => entry.integer(1..=100, "per cent of the window")?,
        None => 50,
    };
    let entry = window.required("notices", NOTICES)?;
    let refused = entry.refused(NOTICES);
    let days = entry.list(NOTICES)?;
    let days = days
        .iter()
        .map(|day| day.integer(1..=366, "days before expiry"))
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
        Some(entry) => entry.period("PT0S"..="PT24H")?,
        None => Period::from_seconds(60),
    };
    Ok(Validity { term, backdate })
}

fn order(top: &mut Table<'_>, profile: ProfileName) -> Read<(Option<Period>, Period)> {
    let mut order = top.required_section("order", &["rollback", "confirmWithin"])?;
    let confirm_within = match order.optional("confirmWithin") {
        Some(entry) => entry.period("PT1H"..="P30D")?,
        None => Period::from_seconds(24 * 3600),
    };
    let entry = order.required("rollback", "\"off\", or an ISO 8601 duration like \"P7D\"")?;
    let rollback = if entry.is("off") {
        None
    } else if profile == ProfileName::Core {
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

fn pin(top: &mut Table<'_>, profile: ProfileName) -> Read<Option<PinRules>> {
    const KEYS: &[&str] = &["required", "minLength", "maxLength", "memoryKiB", "passes", "lanes"];
    let entry = match (top.optional("pin"), profile) {
        (Some(entry), ProfileName::Full) => entry,
        (None, ProfileName::Full) => {
            return Err(top.missing("pin", "a table [pin], because profile \"full\" has PINs"));
        }
        (Some(entry), ProfileName::Core) => {
            return Err(entry.refused("nothing, because profile \"core\" has no PIN"));
        }
        (None, ProfileName::Core) => return Ok(None),
    };
    let mut pin = entry.table(KEYS)?;
    let required = pin.required("required", "true or false")?.boolean()?;
    let least = length(&mut pin, "minLength", 4)?;
    let most = length(&mut pin, "maxLength", least)?;
    let rule =
        PinRule::new(least, most, required).expect("the least length is not above the greatest");
    let cost = Argon2idCost {
        // OWASP's second choice: 19 MiB, two passes, one lane.
        lanes: or(pin.optional("lanes"), 1, |entry| entry.integer(1..=8, "lanes"))?,
        passes: or(pin.optional("passes"), 2, |entry| entry.integer(1..=16, "passes"))?,
        memory_kib: or(pin.optional("memoryKiB"), 19_456, |entry| {
            entry.integer(64..=1_048_576, "KiB")
        })?,
    };
    Ok(Some(PinRules { rule, cost }))
}

fn length(pin: &mut Table<'_>, key: &str, least: u16) -> Read<u16> {
    let length =
        pin.required(key, "4 to 64 characters")?.integer(least.into()..=64, "characters")?;
    Ok(u16::try_from(length).expect("at most 64"))
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
    let days = reissue.required("days", "1 to 90 days")?.integer(1..=90, "days")?;
    let code = reissue.optional("code").map(|entry| entry.period("PT1H"..="P90D")).transpose()?;
    Ok(ReissueLife { code, days })
}

fn environments(top: &mut Table<'_>) -> Read<Vec<EnvironmentRule>> {
    let Some(entry) = top.optional("environment") else { return Ok(Vec::new()) };
    let tables = entry.list("tables [[environment]]")?;
    tables.into_iter().map(environment).collect()
}

fn environment(entry: Entry<'_>) -> Read<EnvironmentRule> {
    let mut table = entry.table(&["os", "osVersion", "software", "softwareVersion"])?;
    let os = label(&table.required("os", LABEL)?)?;
    let os_version = table.optional("osVersion").map(|entry| version(&entry)).transpose()?;
    let software = table.optional("software").map(|entry| label(&entry)).transpose()?;
    let entry = table.optional("softwareVersion");
    if let (Some(entry), None) = (&entry, &software) {
        return Err(entry.refused("nothing without software"));
    }
    let software_version = entry.map(|entry| version(&entry)).transpose()?;
    Ok(EnvironmentRule { os, os_version, software, software_version })
}

const LABEL: &str = "a string of 1 to 64 characters without control characters";

fn label(entry: &Entry<'_>) -> Read<EnvironmentText> {
    entry.parsed(LABEL, |text| text.parse().ok())
}

fn version(entry: &Entry<'_>) -> Read<EnvironmentText> {
    entry.parsed("a version in dotted decimals, like \"10.0\"", |text| {
        // What cannot be compared with itself is no version.
        text.parse().ok().filter(|version: &EnvironmentText| version.is_at_least(version))
    })
}
