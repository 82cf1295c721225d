//! Making a problem document from its row of the table.

use jiff::tz::TimeZone;

use super::{
    Extra, Kind, Language, Problem, Token,
    detail::detail,
    table::{Carries, Choice, Row},
};
use crate::{
    page_url::PageUrl,
    remedy::{Action, Remedy},
    subject::Role,
    time::Time,
};

/// A problem on its way; [`Builder::build`] chooses the remedy and writes the texts.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    token: Token,
    language: Language,
    zone: TimeZone,
    server_time: Time,
    role: Role,
    not_before: Option<Time>,
    url: Option<PageUrl>,
    instance: Option<String>,
    extra: Extra,
}

impl Builder {
    pub(super) fn new(token: Token, language: Language, server_time: Time) -> Self {
        Self {
            token,
            language,
            zone: TimeZone::UTC,
            server_time,
            role: Role::User,
            not_before: None,
            url: None,
            instance: None,
            extra: Extra::Nothing,
        }
    }

    /// The role of the subject that the refusal is about: what a user asks an administrator for,
    /// an administrator asks the branch for.
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// The earliest time to try again.
    pub fn not_before(mut self, time: Time) -> Self {
        self.not_before = Some(time);
        self
    }

    /// A page for people.
    pub fn url(mut self, url: PageUrl) -> Self {
        self.url = Some(url);
        self
    }

    /// An opaque reference for the bank's support.
    pub fn instance(mut self, reference: impl Into<String>) -> Self {
        self.instance = Some(reference.into());
        self
    }

    /// The zone in which `detail` writes times; UTC if nothing is said.
    pub fn zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// The members that only some problems have; left out where the token's row has no such ones.
    pub fn extra(mut self, extra: Extra) -> Self {
        self.extra = extra;
        self
    }

    /// The problem document.
    pub fn build(self) -> Problem {
        let row = self.token.row();
        let extra = if self.extra.carries() == row.carries { self.extra } else { Extra::Nothing };
        let action = action(row, self.role, &extra);
        let remedy = Remedy {
            action,
            by: action.by().or(row.by),
            not_before: self.not_before,
            url: self.url,
        };
        Problem {
            kind: Kind::Known(self.token),
            title: row.text(self.language).title.to_owned(),
            detail: detail(row, self.language, &self.zone, &remedy, &extra),
            status: row.status,
            server_time: self.server_time,
            remedy,
            instance: self.instance,
            extra,
        }
    }
}

fn action(row: &Row, role: Role, extra: &Extra) -> Action {
    match (row.with_members, extra.carries()) {
        (Some(action), carries) if carries != Carries::Nothing => action,
        (Some(_) | None, _) => match (row.remedy, role) {
            (Choice::Always(action), Role::User | Role::Administrator)
            | (Choice::ByRole { user: action, .. }, Role::User)
            | (Choice::ByRole { administrator: action, .. }, Role::Administrator) => action,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cert_id::CertId, environment::EnvironmentRule, remedy::By};
    use jiff::tz::Offset;

    fn now() -> Time {
        "2026-11-23T00:00:00Z".parse().expect("a time")
    }

    fn in_japan(token: Token, language: Language) -> Builder {
        Problem::builder(token, language, now()).zone(TimeZone::fixed(Offset::constant(9)))
    }

    fn cert_id() -> CertId {
        "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE".parse().expect("RFC 9773's example")
    }

    #[test]
    fn a_refusal_says_what_happened_until_when_and_what_next() {
        let opens: Time = "2027-01-24T15:00:00Z".parse().expect("a time");
        let problem = in_japan(Token::TooEarly, Language::Ja).not_before(opens).build();
        assert_eq!(
            problem.detail,
            "この電子証明書は更新可能期間前のため、まだ更新いただけません。現在の電子証明書は、そのままご利用いただけます。\
             2027年1月25日0時00分（日本時間）以降に、あらためてお手続きください。"
        );
        let problem = in_japan(Token::TooEarly, Language::En).not_before(opens).build();
        assert_eq!(
            problem.detail,
            "The certificate's renewal window has not opened. The certificate stays usable. \
             Try again from 25 January 2027, 00:00 Japan time on."
        );
        assert_eq!(problem.remedy.not_before, Some(opens));
    }

    #[test]
    fn an_administrator_is_sent_to_the_branch_and_a_user_to_the_administrator() {
        let user = in_japan(Token::PinLocked, Language::Ja).role(Role::User).build();
        assert_eq!(user.remedy.action, Action::UnlockByAdministrator);
        assert_eq!(user.remedy.by, Some(By::Administrator));
        let administrator =
            in_japan(Token::PinLocked, Language::Ja).role(Role::Administrator).build();
        assert_eq!(administrator.remedy.action, Action::UnlockAtBranch);
        assert_eq!(administrator.remedy.by, Some(By::Branch));
        assert!(
            administrator
                .detail
                .ends_with("お取引店にて、利用者暗証番号のロック解除をお申し込みください。")
        );
    }

    #[test]
    fn a_revoked_certificate_with_a_current_predecessor_leads_back_to_it() {
        let lost = in_japan(Token::CertificateRevoked, Language::En).build();
        assert_eq!(lost.remedy.action, Action::ReissueByAdministrator);
        let undone = in_japan(Token::CertificateRevoked, Language::En)
            .extra(Extra::Predecessor(cert_id()))
            .build();
        assert_eq!(undone.remedy.action, Action::UsePredecessor);
    }

    #[test]
    fn members_that_do_not_belong_to_the_token_are_left_out() {
        let problem =
            in_japan(Token::Malformed, Language::En).extra(Extra::Successor(cert_id())).build();
        assert_eq!(problem.extra, Extra::Nothing);
    }

    #[test]
    fn details_name_what_the_bank_accepts() {
        let text = |text: &str| text.parse().expect("a text");
        let rule = EnvironmentRule {
            os: text("Windows"),
            os_version: Some(text("10.0")),
            software: None,
            software_version: None,
        };
        let problem = in_japan(Token::EnvironmentUnsupported, Language::Ja)
            .extra(Extra::Environments(vec![rule]))
            .build();
        assert!(problem.detail.contains("推奨環境はWindows 10.0以降です。"), "{}", problem.detail);
        let problem = in_japan(Token::PinWrong, Language::Ja).extra(Extra::AttemptsLeft(4)).build();
        assert!(problem.detail.contains("あと4回続けて誤ると"), "{}", problem.detail);
    }

    #[test]
    fn every_token_makes_whole_sentences_without_any_value() {
        for token in Token::all() {
            for language in Language::ALL {
                let problem = Problem::builder(token, language, now()).build();
                let end = match language {
                    Language::En => '.',
                    Language::Ja => '。',
                };
                assert!(problem.detail.ends_with(end), "{}", problem.detail);
                assert!(!problem.detail.contains(['[', '{', '|']), "{}", problem.detail);
            }
        }
    }
}
