//! The languages of problem texts, and which one a request asks for (SPEC.md 11, RFC 9110 12.5.4).

/// A language that problem texts are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// Japanese.
    Ja,
    /// English, also for whoever asks for neither.
    #[default]
    En,
}

/// Ranges of one header that are looked at; whatever follows is ignored, so that a long header
/// costs nothing.
const MAX_RANGES: usize = 32;

impl Language {
    /// Both languages.
    pub const ALL: [Self; 2] = [Self::Ja, Self::En];

    /// The primary language subtag, as in `Content-Language`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ja => "ja",
            Self::En => "en",
        }
    }

    /// The language that an `Accept-Language` value prefers.
    ///
    /// `ja-JP` counts as `ja`; of equal qualities the one named first wins; `*` stands for every
    /// language that is not named; what cannot be parsed is ignored, and without any acceptable
    /// language it is English, since a refusal in some language is better than none.
    pub fn negotiate(accept_language: &str) -> Self {
        let mut best: Option<(Quality, usize, Self)> = None;
        for language in Self::ALL {
            let Some((quality, position)) = language.rank(accept_language) else { continue };
            let better = best.is_none_or(|(best_quality, best_position, _)| {
                quality > best_quality || (quality == best_quality && position < best_position)
            });
            if better {
                best = Some((quality, position, language));
            }
        }
        best.map_or_else(Self::default, |(_, _, language)| language)
    }

    /// Quality and position of the range that decides about this language; `None`: not acceptable.
    fn rank(self, accept_language: &str) -> Option<(Quality, usize)> {
        let mut named: Option<(Quality, usize)> = None;
        let mut wildcard: Option<(Quality, usize)> = None;
        for (position, element) in accept_language.split(',').take(MAX_RANGES).enumerate() {
            let Some((range, quality)) = element_of(element) else { continue };
            let primary = range.split('-').next().unwrap_or(range);
            let slot = if range == "*" {
                &mut wildcard
            } else if primary.eq_ignore_ascii_case(self.as_str()) {
                &mut named
            } else {
                continue;
            };
            if slot.is_none_or(|(former, _)| quality > former) {
                *slot = Some((quality, position));
            }
        }
        named.or(wildcard).filter(|(quality, _)| quality.0 > 0)
    }
}

/// A weight in thousandths, 0 to 1000 (RFC 9110 12.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Quality(u16);

fn element_of(element: &str) -> Option<(&str, Quality)> {
    let mut parts = element.split(';').map(|part| part.trim_matches([' ', '\t']));
    let range = parts.next()?;
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '*';
    if range.is_empty() || !range.chars().all(valid) {
        return None;
    }
    let quality = match parts.next() {
        None => Quality(1000),
        Some(weight) => quality_of(weight.strip_prefix("q=").or(weight.strip_prefix("Q="))?)?,
    };
    parts.next().is_none().then_some((range, quality))
}

/// `0`, `1`, or up to three decimals of either; `1.5` and the like are refused.
fn quality_of(text: &str) -> Option<Quality> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(Quality(thousandths)),
        "1" if thousandths == 0 => Some(Quality(1000)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_highest_quality_wins() {
        for (header, expected) in [
            ("", Language::En),
            ("ja", Language::Ja),
            ("ja-JP", Language::Ja),
            ("JA-jp", Language::Ja),
            ("en, ja;q=0.9", Language::En),
            ("en;q=0.8, ja;q=0.9", Language::Ja),
            ("en;q=0.85,ja;q=0.9, fr", Language::Ja),
            ("ja ; q=0.5 , en;q=0.49", Language::Ja),
            ("fr, de", Language::En),
            ("fr, ja;q=0.1", Language::Ja),
            ("jav, jam", Language::En),
        ] {
            assert_eq!(Language::negotiate(header), expected, "{header:?}");
        }
    }

    #[test]
    fn of_equal_qualities_the_first_named_wins() {
        assert_eq!(Language::negotiate("ja, en"), Language::Ja);
        assert_eq!(Language::negotiate("en, ja"), Language::En);
    }

    #[test]
    fn a_wildcard_stands_for_what_is_not_named() {
        assert_eq!(Language::negotiate("en;q=0.1, *"), Language::Ja);
        assert_eq!(Language::negotiate("ja;q=0.1, *;q=0.5"), Language::En);
        assert_eq!(Language::negotiate("ja;q=0, *"), Language::En);
    }

    #[test]
    fn quality_zero_is_not_acceptable() {
        assert_eq!(Language::negotiate("ja;q=0, en;q=0.001"), Language::En);
        assert_eq!(Language::negotiate("en;q=0, ja;q=0.001"), Language::Ja);
        assert_eq!(Language::negotiate("en;q=0, ja;q=0"), Language::En);
    }

    #[test]
    fn what_cannot_be_parsed_is_ignored() {
        for header in ["ja;q=1.1", "ja;q=0.1234", "ja;q=", "ja;level=1", "ja;q=-1", "日本語", ";"]
        {
            assert_eq!(Language::negotiate(header), Language::En, "{header:?}");
        }
        assert_eq!(Language::negotiate("en;q=x, , ja;q=0.2"), Language::Ja);
    }

    #[test]
    fn ranges_beyond_the_limit_are_not_looked_at() {
        let header = format!("{}ja", "fr,".repeat(MAX_RANGES));
        assert_eq!(Language::negotiate(&header), Language::En);
    }

    proptest! {
        #[test]
        fn any_header_has_a_language(header in ".*") {
            Language::negotiate(&header);
        }
    }
}
