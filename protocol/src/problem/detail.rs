//! Composing `detail`: what happened, until when, who does what next.

use jiff::tz::{Offset, TimeZone};

use super::{
    Extra, Language,
    table::{Choice, Row},
    text::render,
};
use crate::{environment::EnvironmentRule, remedy::Remedy, time::Time};

/// The text of `detail`; times are written in `zone`.
pub(super) fn detail(
    row: &Row,
    language: Language,
    zone: &TimeZone,
    remedy: &Remedy,
    extra: &Extra,
) -> String {
    let text = row.text(language);
    let value = |name: &str| value(name, language, zone, remedy, extra);
    let own_next = text.next.filter(|_| row.remedy == Choice::Always(remedy.action));
    let next = own_next.unwrap_or_else(|| remedy.action.sentence(language));
    let between = match language {
        Language::En => " ",
        Language::Ja => "",
    };
    [render(text.what, value), render(next, value)].join(between)
}

fn value(
    name: &str,
    language: Language,
    zone: &TimeZone,
    remedy: &Remedy,
    extra: &Extra,
) -> Option<String> {
    if name == "notBefore" {
        return remedy.not_before.map(|time| written(time, zone, language));
    }
    // A name that this problem does not carry is no value; the table's test keeps the rest in step.
    match (name, extra) {
        ("algorithms", Extra::Algorithms(all)) => list(all, language),
        ("keyTypes", Extra::KeyTypes(all)) => list(all, language),
        ("keyStores", Extra::KeyStores(all)) => list(all, language),
        ("environments", Extra::Environments(all)) => {
            let all: Vec<String> = all.iter().map(|rule| environment(rule, language)).collect();
            list(&all, language)
        }
        ("attemptsLeft", Extra::AttemptsLeft(left)) if *left > 0 => Some(left.to_string()),
        ("reason", Extra::CsrFault(fault)) => Some(fault.phrase(language).to_owned()),
        _ => None,
    }
}

fn list(items: &[impl ToString], language: Language) -> Option<String> {
    let separator = match language {
        Language::En => ", ",
        Language::Ja => "、",
    };
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    (!items.is_empty()).then(|| items.join(separator))
}

fn environment(rule: &EnvironmentRule, language: Language) -> String {
    let least = |name: &str, version: Option<String>| match (version, language) {
        (None, Language::En | Language::Ja) => name.to_owned(),
        (Some(version), Language::En) => format!("{name} {version} or later"),
        (Some(version), Language::Ja) => format!("{name} {version}以降"),
    };
    let os = least(rule.os.as_str(), rule.os_version.as_ref().map(ToString::to_string));
    let version = rule.software_version.as_ref().map(ToString::to_string);
    match (&rule.software, language) {
        (None, Language::En | Language::Ja) => os,
        (Some(software), Language::En) => {
            format!("{} on {os}", least(software.as_str(), version))
        }
        (Some(software), Language::Ja) => {
            format!("{os}の{}", least(software.as_str(), version))
        }
    }
}

/// Date and time as people of the language write it, with the zone's offset.
fn written(time: Time, zone: &TimeZone, language: Language) -> String {
    let zoned = time.timestamp().to_zoned(zone.clone());
    let on_the_minute = zoned.second() == 0;
    let format = match (language, on_the_minute) {
        (Language::En, true) => "%-d %B %Y, %H:%M",
        (Language::En, false) => "%-d %B %Y, %H:%M:%S",
        (Language::Ja, true) => "%Y年%-m月%-d日%-H時%M分",
        (Language::Ja, false) => "%Y年%-m月%-d日%-H時%M分%S秒",
    };
    let written = zoned.strftime(format).to_string();
    match language {
        Language::En => format!("{written} {}", zone_name(zoned.offset(), language)),
        Language::Ja => format!("{written}（{}）", zone_name(zoned.offset(), language)),
    }
}

fn zone_name(offset: Offset, language: Language) -> String {
    const HOUR: i32 = 3600;
    let seconds = offset.seconds();
    match (seconds, language) {
        (0, Language::En) => "UTC".to_owned(),
        (0, Language::Ja) => "協定世界時".to_owned(),
        (32_400, Language::En) => "Japan time".to_owned(),
        (32_400, Language::Ja) => "日本時間".to_owned(),
        (_, Language::En | Language::Ja) => {
            let sign = if seconds < 0 { '-' } else { '+' };
            let (hours, minutes) = (seconds.abs() / HOUR, seconds.abs() % HOUR / 60);
            format!("UTC{sign}{hours:02}:{minutes:02}")
        }
    }
}
