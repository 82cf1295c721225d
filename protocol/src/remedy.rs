//! What to do about a refusal, and who does it (SPEC.md 11).

use std::fmt;

use crate::{page_url::PageUrl, problem::Language, time::Time};

/// A problem's `remedy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The next step.
    pub action: Action,
    /// Who takes it, where that is said.
    pub by: Option<By>,
    /// The earliest time to try again.
    pub not_before: Option<Time>,
    /// A page for people.
    pub url: Option<PageUrl>,
}

/// The next step after a refusal, as the wire's `remedy.action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Send the same request again, with a fresh nonce.
    Retry,
    /// Come back later: at `notBefore`, or as `Retry-After` says.
    Wait,
    /// Log on (again) and decide anew.
    Logon,
    /// Change the request; repeating it as it is cannot succeed.
    Correct,
    /// Go on with the order that is already there.
    ResumeOrder,
    /// Use the renewed certificate: the one that signed no longer counts.
    UseSuccessor,
    /// Use the certificate from before the renewal: it counts again, or still.
    UsePredecessor,
    /// An administrator of the contract unlocks the user's PIN.
    UnlockByAdministrator,
    /// The bank's branch unlocks an administrator's PIN.
    UnlockAtBranch,
    /// An administrator of the contract reissues the user's certificate.
    ReissueByAdministrator,
    /// The bank's branch reissues, in person and on paper.
    ReissueAtBranch,
    /// Use an environment that the bank supports.
    UpdateEnvironment,
    /// There is no next step for software; show the texts to the person.
    Stop,
}

impl Action {
    /// Every action, in the order of the SPEC's table.
    pub const ALL: [Self; 13] = [
        Self::Retry,
        Self::Wait,
        Self::Logon,
        Self::Correct,
        Self::ResumeOrder,
        Self::UseSuccessor,
        Self::UsePredecessor,
        Self::UnlockByAdministrator,
        Self::UnlockAtBranch,
        Self::ReissueByAdministrator,
        Self::ReissueAtBranch,
        Self::UpdateEnvironment,
        Self::Stop,
    ];

    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Wait => "wait",
            Self::Logon => "logon",
            Self::Correct => "correct",
            Self::ResumeOrder => "resumeOrder",
            Self::UseSuccessor => "useSuccessor",
            Self::UsePredecessor => "usePredecessor",
            Self::UnlockByAdministrator => "unlockByAdministrator",
            Self::UnlockAtBranch => "unlockAtBranch",
            Self::ReissueByAdministrator => "reissueByAdministrator",
            Self::ReissueAtBranch => "reissueAtBranch",
            Self::UpdateEnvironment => "updateEnvironment",
            Self::Stop => "stop",
        }
    }

    /// The action of this word, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// What an action that this software does not know amounts to, by the HTTP status it came
    /// with: 429 and 503 wait, other 5xx retry, anything else stops (SPEC.md 11).
    pub const fn by_status(status: u16) -> Self {
        match status {
            429 | 503 => Self::Wait,
            500..=599 => Self::Retry,
            _ => Self::Stop,
        }
    }

    /// Who does it, where the action itself says so.
    pub const fn by(self) -> Option<By> {
        match self {
            Self::UnlockByAdministrator | Self::ReissueByAdministrator => Some(By::Administrator),
            Self::UnlockAtBranch | Self::ReissueAtBranch => Some(By::Branch),
            Self::UpdateEnvironment => Some(By::User),
            Self::Retry
            | Self::Wait
            | Self::Logon
            | Self::Correct
            | Self::ResumeOrder
            | Self::UseSuccessor
            | Self::UsePredecessor
            | Self::Stop => None,
        }
    }

    /// The sentence that tells a person this next step, a template for
    /// [`crate::problem::text::render`].
    pub const fn sentence(self, language: Language) -> &'static str {
        match language {
            Language::En => self.sentence_en(),
            Language::Ja => self.sentence_ja(),
        }
    }

    const fn sentence_en(self) -> &'static str {
        match self {
            Self::Retry => "Try again.",
            Self::Wait => "Try again [from {notBefore} on|in a while].",
            Self::Logon => "Log on again and continue from there.",
            Self::Correct => "Check the entries and try again.",
            Self::ResumeOrder => "Resume the renewal that is already in progress.",
            Self::UseSuccessor => "Use the new certificate from the renewal.",
            Self::UsePredecessor => "Keep using the certificate from before the renewal.",
            Self::UnlockByAdministrator => {
                "Ask an administrator of your contract to unlock the PIN."
            }
            Self::UnlockAtBranch => "Apply to your branch of the bank to have the PIN unlocked.",
            Self::ReissueByAdministrator => {
                "Ask an administrator of your contract to reissue the certificate."
            }
            Self::ReissueAtBranch => {
                "Apply in writing at your branch of the bank to have the certificate reissued."
            }
            Self::UpdateEnvironment => "Continue in a supported environment.",
            Self::Stop => {
                "This procedure cannot continue. If in doubt, ask your branch of the bank."
            }
        }
    }

    const fn sentence_ja(self) -> &'static str {
        match self {
            Self::Retry => "もう一度お試しください。",
            Self::Wait => "[{notBefore}以降に|しばらくしてから]、あらためてお手続きください。",
            Self::Logon => "あらためてログオンのうえ、お手続きを続けてください。",
            Self::Correct => "内容をご確認のうえ、もう一度お試しください。",
            Self::ResumeOrder => "受付済みの更新手続きを再開してください。",
            Self::UseSuccessor => "更新後の新しい電子証明書をご利用ください。",
            Self::UsePredecessor => "更新前の電子証明書を引き続きご利用ください。",
            Self::UnlockByAdministrator => {
                "契約法人の管理者に、利用者暗証番号のロック解除をご依頼ください。"
            }
            Self::UnlockAtBranch => {
                "お取引店にて、利用者暗証番号のロック解除をお申し込みください。"
            }
            Self::ReissueByAdministrator => {
                "契約法人の管理者に、電子証明書の再発行（初期化）をご依頼ください。"
            }
            Self::ReissueAtBranch => {
                "お取引店の窓口にて、書面により電子証明書の再発行（初期化）をお申し込みください。"
            }
            Self::UpdateEnvironment => "推奨環境で、あらためてお手続きください。",
            Self::Stop => {
                "このお手続きは続行できません。ご不明な点は、お取引店にお問い合わせください。"
            }
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Who takes the next step, as the wire's `remedy.by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// An administrator (管理者) of the contract.
    Administrator,
    /// The bank's branch (お取引店), on paper.
    Branch,
    /// The user of the certificate.
    User,
    /// The bank's staff (行員), without the customer.
    Operator,
}

impl By {
    /// Everybody who can be named.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Branch, Self::User, Self::Operator];

    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Branch => "branch",
            Self::User => "user",
            Self::Operator => "operator",
        }
    }

    /// Who this word names, if anybody.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_is_found_by_its_own_word_only() {
        for action in Action::ALL {
            assert_eq!(Action::from_name(action.as_str()), Some(action));
        }
        assert_eq!(Action::from_name("Retry"), None);
        for by in By::ALL {
            assert_eq!(By::from_name(by.as_str()), Some(by));
        }
    }

    #[test]
    fn an_unknown_action_becomes_what_its_status_class_asks_for() {
        assert_eq!(Action::by_status(429), Action::Wait);
        assert_eq!(Action::by_status(503), Action::Wait);
        assert_eq!(Action::by_status(502), Action::Retry);
        assert_eq!(Action::by_status(409), Action::Stop);
        assert_eq!(Action::by_status(302), Action::Stop);
    }
}
