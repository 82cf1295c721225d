//! Which cases are run.

use crate::case::About;
use crate::requirements::Level;

/// Which cases are run: those that one of each kind of given words fits.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Selection {
    /// Only cases whose slug fits; `*` stands for any text. May be repeated.
    #[arg(long = "case", value_name = "GLOB")]
    pub slugs: Vec<String>,
    /// Only cases of this section of SPEC.md; `7` takes in `7.8`. May be repeated.
    #[arg(long = "section", value_name = "NUMBER")]
    pub sections: Vec<String>,
    /// Only cases that show this requirement. May be repeated.
    #[arg(long = "requirement", value_name = "ID")]
    pub requirements: Vec<String>,
    /// Only cases of requirements of this level. May be repeated.
    #[arg(long = "level", value_name = "LEVEL", value_enum, ignore_case = true)]
    pub levels: Vec<Level>,
}

impl Selection {
    /// Whether the case is one of them.
    pub fn has(&self, about: &About) -> bool {
        let slug = any(&self.slugs, |glob| fits(glob, &about.slug));
        let section = any(&self.sections, |wanted| {
            about.section == *wanted
                || about
                    .section
                    .strip_prefix(wanted.as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
        });
        let requirement = any(&self.requirements, |wanted| {
            about.requirements.iter().any(|id| id.eq_ignore_ascii_case(wanted))
        });
        let level = any(&self.levels, |level| about.level == *level);
        slug && section && requirement && level
    }
}

fn any<T>(wanted: &[T], fits: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(fits)
}

/// Whether a slug fits a pattern in which `*` stands for any text.
pub fn fits(pattern: &str, slug: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == slug,
        Some((head, rest)) => slug.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len())
                .filter(|&at| tail.is_char_boundary(at))
                .any(|at| fits(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Side;

    fn about() -> About {
        About {
            slug: "order/same-key".to_owned(),
            side: Side::Server,
            section: "7.8".to_owned(),
            requirements: vec!["ORD-02".to_owned()],
            level: Level::Must,
            sentence: String::new(),
            needs: Vec::new(),
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, expected) in [
            ("order/*", true),
            ("*key", true),
            ("o*e*y", true),
            ("order", false),
            ("*x", false),
            ("order/same-key", true),
        ] {
            assert_eq!(fits(pattern, "order/same-key"), expected, "{pattern}");
        }
    }

    #[test]
    fn each_kind_of_word_narrows_and_words_of_one_kind_widen() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let all = Selection::default();
        assert!(all.has(&about()));
        let narrow = Selection {
            sections: words(&["4", "7"]),
            requirements: words(&["ord-02"]),
            ..all.clone()
        };
        assert!(narrow.has(&about()));
        assert!(!Selection { slugs: words(&["cancel/*"]), ..narrow }.has(&about()));
        assert!(!Selection { sections: words(&["7.80"]), ..all.clone() }.has(&about()));
        assert!(!Selection { levels: vec![Level::Should], ..all }.has(&about()));
    }
}
