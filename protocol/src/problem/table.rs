//! The error table: one row per token, from which every problem document is made (SPEC.md 11).

mod enrollment;
mod logon;
mod order;
mod request;

use super::{Language, Token};
use crate::remedy::{Action, By};

/// Everything that the protocol fixes about one token.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The token.
    pub token: Token,
    /// The token as the wire writes it.
    pub name: &'static str,
    /// HTTP status of the response.
    pub status: u16,
    /// The next step.
    pub remedy: Choice,
    /// The next step when the members that the row carries are there, if that makes a difference.
    pub with_members: Option<Action>,
    /// Who takes the next step, where the action does not say it already ([`Action::by`]).
    pub by: Option<By>,
    /// The further members of the problem document.
    pub carries: Carries,
    /// What a client does, beyond showing the texts, in the SPEC's words.
    pub client: &'static str,
    /// English texts.
    pub en: Text,
    /// Japanese texts.
    pub ja: Text,
}

impl Row {
    /// The members that most rows share; each row replaces the first ones.
    const PLAIN: Self = Self {
        token: Token::Malformed,
        name: "",
        status: 0,
        remedy: Choice::Always(Action::Stop),
        with_members: None,
        by: None,
        carries: Carries::Nothing,
        client: "",
        en: Text { title: "", what: "", next: None },
        ja: Text { title: "", what: "", next: None },
    };

    /// The texts of one language.
    pub const fn text(&self, language: Language) -> &Text {
        match language {
            Language::Ja => &self.ja,
            Language::En => &self.en,
        }
    }

    /// Every action that a problem with this token may name.
    pub fn actions(&self) -> impl Iterator<Item = Action> {
        let (first, second) = match self.remedy {
            Choice::Always(action) => (action, None),
            Choice::ByRole { user, administrator } => (user, Some(administrator)),
        };
        [Some(first), second, self.with_members].into_iter().flatten()
    }
}

/// How a row chooses its action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Always the same.
    Always(Action),
    /// By the role of the subject that the refusal is about.
    ByRole {
        /// For a user (利用者), and where the role is not known.
        user: Action,
        /// For an administrator (管理者).
        administrator: Action,
    },
}

/// Which further members a problem document has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carries {
    /// None.
    Nothing,
    /// `order` and `key` of the open order that is in the way.
    OpenOrder,
    /// `order`: the order to go on with.
    Order,
    /// `key` of the order that the request is about.
    Key,
    /// `successor`: the certificate that counts instead.
    Successor,
    /// `predecessor`: the certificate that counts again.
    Predecessor,
    /// `algorithms` that the bank takes.
    Algorithms,
    /// `keyTypes` that the bank takes.
    KeyTypes,
    /// `environments` that the bank supports.
    Environments,
    /// `keyStores` that the bank takes.
    KeyStores,
    /// `attemptsLeft` until the PIN is locked.
    AttemptsLeft,
    /// `reason`: what is wrong with the CSR; with `keyTypes` if it is the type of its key.
    CsrFault,
}

impl Carries {
    /// The members' names.
    pub const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Nothing => &[],
            Self::OpenOrder => &["order", "key"],
            Self::Order => &["order"],
            Self::Key => &["key"],
            Self::Successor => &["successor"],
            Self::Predecessor => &["predecessor"],
            Self::Algorithms => &["algorithms"],
            Self::KeyTypes => &["keyTypes"],
            Self::Environments => &["environments"],
            Self::KeyStores => &["keyStores"],
            Self::AttemptsLeft => &["attemptsLeft"],
            Self::CsrFault => &["reason", "keyTypes"],
        }
    }
}

/// Texts of one row in one language; `what` and `next` are templates ([`super::text::render`]).
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// The problem's `title`.
    pub title: &'static str,
    /// What happened, until when: the first part of `detail`.
    pub what: &'static str,
    /// Who does what next, where the sentence of [`Choice::Always`]'s action
    /// ([`Action::sentence`]) does not fit.
    pub next: Option<&'static str>,
}

/// The table, in the order of [`Token`].
pub static TABLE: [Row; Token::COUNT] =
    in_order(&[&request::ROWS, &logon::ROWS, &order::ROWS, &enrollment::ROWS]);

/// Joins the parts; fails to compile where a token is missing or stands in another place.
const fn in_order(parts: &[&[Row]]) -> [Row; Token::COUNT] {
    let mut table = [Row::PLAIN; Token::COUNT];
    let (mut part, mut filled) = (0, 0);
    while part < parts.len() {
        let mut row = 0;
        while row < parts[part].len() {
            table[filled] = parts[part][row];
            assert!(table[filled].token as usize == filled, "a row stands in the wrong place");
            row += 1;
            filled += 1;
        }
        part += 1;
    }
    assert!(filled == Token::COUNT, "a token has no row");
    table
}

/// The next step where only the software's maker can do something.
const SOFTWARE_EN: Option<&str> =
    Some("Ask the provider of your software for a corrected version.");
/// The same in Japanese.
const SOFTWARE_JA: Option<&str> = Some("ソフトウェアの提供元にお問い合わせください。");

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_token_has_one_row_and_every_row_its_own_name() {
        let names: BTreeSet<&str> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), Token::COUNT);
        for row in &TABLE {
            assert_eq!(Token::from_name(row.name), Some(row.token));
            assert_eq!(row.token.row().name, row.name);
            let variant = format!("{:?}", row.token);
            assert!(variant.eq_ignore_ascii_case(row.name), "{variant} is written {}", row.name);
        }
        assert_eq!(Token::from_name("badCsr"), None);
    }

    #[test]
    fn every_status_is_a_refusal() {
        for row in &TABLE {
            assert!((400..=599).contains(&row.status), "{}", row.name);
        }
    }

    #[test]
    fn waiting_and_retrying_are_not_told_by_a_status_that_says_otherwise() {
        for row in TABLE.iter().filter(|row| row.status == 429 || row.status >= 500) {
            assert_eq!(row.actions().next(), Some(Action::by_status(row.status)), "{}", row.name);
        }
    }

    #[test]
    fn every_text_is_there_in_both_languages() {
        for row in &TABLE {
            assert!(!row.client.is_empty(), "{}", row.name);
            assert!(row.en.title.is_ascii() && row.en.what.is_ascii(), "{}", row.name);
            assert!(row.en.what.contains('.') && !row.en.title.ends_with('.'), "{}", row.name);
            assert!(!row.ja.title.ends_with('。') && row.ja.what.contains('。'), "{}", row.name);
            let kana = |c: char| ('\u{3041}'..='\u{3096}').contains(&c);
            assert!(row.ja.title.contains(kana) && row.ja.what.contains(kana), "{}", row.name);
            assert_eq!(row.en.next.is_some(), row.ja.next.is_some(), "{}", row.name);
        }
    }

    /// A row's own next step cannot fit the actions of both roles.
    #[test]
    fn own_next_steps_stand_only_where_the_role_makes_no_difference() {
        for row in TABLE.iter().filter(|row| row.en.next.is_some()) {
            assert!(matches!(row.remedy, Choice::Always(_)), "{}", row.name);
        }
    }

    #[test]
    fn texts_name_only_values_that_the_problem_has() {
        for row in &TABLE {
            for language in Language::ALL {
                let text = row.text(language);
                let next = row.actions().map(|action| action.sentence(language));
                for template in next.chain([text.what]).chain(text.next) {
                    for name in template.split('{').skip(1).map(|rest| rest.split('}').next()) {
                        let name = name.expect("split yields at least one part");
                        let known = name == "notBefore" || row.carries.members().contains(&name);
                        assert!(known, "{}: {name}", row.name);
                    }
                    let bare = super::super::text::render(template, |_| Some(String::new()));
                    assert!(!bare.contains(['[', ']', '{', '}', '|']), "{}: {bare}", row.name);
                }
            }
        }
    }

    /// Without its values a text still is whole sentences.
    #[test]
    fn no_value_stands_outside_of_brackets() {
        for row in &TABLE {
            for language in Language::ALL {
                let text = row.text(language);
                let next = row.actions().map(|action| action.sentence(language));
                for template in next.chain([text.what]).chain(text.next) {
                    let outside = template.split('[').map(|part| part.rsplit(']').next());
                    for part in outside.flatten() {
                        assert!(!part.contains('{'), "{}: {template}", row.name);
                    }
                }
            }
        }
    }
}
