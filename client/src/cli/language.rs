//! The language of texts: as asked for, else as the system's is.

use std::env;
use std::fs;
use std::path::Path;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::tz::TimeZone;
use koshin_protocol::problem::Language;
use koshin_protocol::time::Time;

use super::say::{Say, en, ja};

/// `ja` or `en`.
pub(crate) fn parser() -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(Language::ALL.map(Language::as_str)).map(|word| {
        let mut all = Language::ALL.into_iter();
        all.find(|language| language.as_str() == word).expect("one of the possible values")
    })
}

/// How somebody is spoken to: a language, and the zone of times.
#[derive(Clone, Debug)]
pub(crate) struct Tongue {
    language: Language,
    zone: TimeZone,
}

impl Tongue {
    /// Of the language asked for, else of the system's; with the system's zone.
    pub(crate) fn new(language: Option<Language>) -> Self {
        let language = language.unwrap_or_else(|| {
            sys_locale::get_locale().map_or(Language::En, |locale| Language::negotiate(&locale))
        });
        Self { language, zone: zone().unwrap_or(TimeZone::UTC) }
    }

    /// English, with times in UTC.
    pub(crate) fn english() -> Self {
        Self { language: Language::En, zone: TimeZone::UTC }
    }

    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// The text in this language.
    pub(crate) fn say(&self, say: &Say) -> String {
        match self.language {
            Language::En => en::text(say, self),
            Language::Ja => ja::text(say, self),
        }
    }

    /// A time as the reader's clock shows it.
    pub(crate) fn time(&self, time: Time) -> String {
        let format = match self.language {
            Language::En => "%Y-%m-%d %H:%M:%S %Z",
            Language::Ja => "%Y年%m月%d日 %H時%M分%S秒（%Z）",
        };
        time.timestamp().to_zoned(self.zone.clone()).strftime(format).to_string()
    }
}

/// The system's zone: `TZ`, else what `/etc/localtime` links to.
fn zone() -> Option<TimeZone> {
    if let Ok(name) = env::var("TZ") {
        return TimeZone::get(name.trim_start_matches(':')).ok();
    }
    let target = fs::read_link("/etc/localtime").ok()?;
    TimeZone::get(zone_name(&target)?).ok()
}

/// `Asia/Tokyo` of `/usr/share/zoneinfo/Asia/Tokyo`.
fn zone_name(target: &Path) -> Option<&str> {
    let (_, name) = target.to_str()?.split_once("zoneinfo/")?;
    Some(name.trim_start_matches("posix/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_is_what_the_link_leads_to() {
        for (target, name) in [
            ("/usr/share/zoneinfo/Asia/Tokyo", Some("Asia/Tokyo")),
            ("../usr/share/zoneinfo/posix/UTC", Some("UTC")),
            ("/etc/other", None),
        ] {
            assert_eq!(zone_name(Path::new(target)), name, "{target}");
        }
    }

    #[test]
    fn times_are_shown_in_the_readers_zone_and_language() {
        let time = "2007-03-02T23:59:59Z".parse().expect("a time");
        let zone = TimeZone::get("Asia/Tokyo").expect("bundled");
        let show = |language| Tongue { language, zone: zone.clone() }.time(time);
        assert_eq!(show(Language::Ja), "2007年03月03日 08時59分59秒（JST）");
        assert_eq!(show(Language::En), "2007-03-03 08:59:59 JST");
    }
}
