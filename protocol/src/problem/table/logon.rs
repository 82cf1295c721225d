//! Rows about sessions, certificates, environment and PIN.

use super::{
    Carries,
    Choice::{Always, ByRole},
    Row, Text,
};
use crate::{
    problem::Token,
    remedy::{Action, By},
};

const REISSUE: super::Choice =
    ByRole { user: Action::ReissueByAdministrator, administrator: Action::ReissueAtBranch };

pub(super) const ROWS: [Row; 14] = [
    Row {
        token: Token::SessionEnded,
        name: "sessionEnded",
        status: 401,
        remedy: Always(Action::Logon),
        client: "logs on again, then decides anew (12.4)",
        en: Text {
            title: "The session has ended",
            what: "The session was idle for too long, or the same certificate logged on anew. Nothing of the procedure is lost.",
            next: None,
        },
        ja: Text {
            title: "ログオンが終了しています",
            what: "一定時間操作がなかったか、同じ電子証明書で新たにログオンされたため、このログオンは終了しました。お手続きの内容は失われておりません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::SessionPurpose,
        name: "sessionPurpose",
        status: 403,
        remedy: Always(Action::Logon),
        client: "logs on with the other purpose",
        en: Text {
            title: "The session was opened for another purpose",
            what: "A session for recovery only takes a renewal back; every other session does not. Nothing was changed.",
            next: Some("Log on again for what you want to do."),
        },
        ja: Text {
            title: "このログオンでは行えないお手続きです",
            what: "更新前の電子証明書に戻すためのログオンと、通常のログオンとでは、行えるお手続きが異なります。お手続きの状態は変わっておりません。",
            next: Some("お手続きに応じて、あらためてログオンしてください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::NotAuthorized,
        name: "notAuthorized",
        status: 403,
        remedy: Always(Action::Stop),
        by: Some(By::Administrator),
        client: "stops and shows it",
        en: Text {
            title: "You are not authorized to do this",
            what: "Your role does not permit this operation. Nothing was changed.",
            next: Some(
                "If it is needed, ask an administrator of your contract or your branch of the bank.",
            ),
        },
        ja: Text {
            title: "このお手続きを行う権限がありません",
            what: "このお手続きは、お客さまの権限では行えません。お手続きの状態は変わっておりません。",
            next: Some("お手続きが必要な場合は、契約法人の管理者またはお取引店にご相談ください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::CertificateUnknown,
        name: "certificateUnknown",
        status: 403,
        remedy: Always(Action::Stop),
        by: Some(By::Branch),
        client: "tries its other pairs (12.8), else stops",
        en: Text {
            title: "The certificate is not registered",
            what: "The bank has no record of this certificate.",
            next: Some(
                "Choose another certificate if you have one; otherwise ask your branch of the bank.",
            ),
        },
        ja: Text {
            title: "この電子証明書は登録されておりません",
            what: "選択された電子証明書は、当行に登録されておりません。",
            next: Some(
                "別の電子証明書をお持ちの場合は、そちらを選択してください。ご不明な点は、お取引店にお問い合わせください。",
            ),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::CertificateNotYetValid,
        name: "certificateNotYetValid",
        status: 403,
        remedy: Always(Action::Wait),
        client: "compares clocks; waits until notBefore",
        en: Text {
            title: "The certificate is not valid yet",
            what: "The certificate's period of validity has not begun.",
            next: None,
        },
        ja: Text {
            title: "電子証明書の有効期間前です",
            what: "この電子証明書は、まだ有効期間が始まっておりません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::CertificateExpired,
        name: "certificateExpired",
        status: 403,
        remedy: REISSUE,
        client: "tries its other pairs and `findOrder` (12.8), else tells who reissues",
        en: Text {
            title: "The certificate has expired",
            what: "The certificate has expired, so that it can neither be used nor renewed.",
            next: None,
        },
        ja: Text {
            title: "電子証明書の有効期限が切れています",
            what: "この電子証明書は有効期限が切れているため、ご利用および更新ができません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::CertificateRevoked,
        name: "certificateRevoked",
        status: 403,
        remedy: REISSUE,
        with_members: Some(Action::UsePredecessor),
        carries: Carries::Predecessor,
        client: "switches to the predecessor, or tries its other pairs, else tells who reissues",
        en: Text {
            title: "The certificate is revoked",
            what: "The certificate was revoked, so that it can no longer be used.",
            next: None,
        },
        ja: Text {
            title: "電子証明書が失効しています",
            what: "この電子証明書は失効しているため、ご利用いただけません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::CertificateSuperseded,
        name: "certificateSuperseded",
        status: 403,
        remedy: Always(Action::UseSuccessor),
        carries: Carries::Successor,
        client: "uses the pair of `successor` if it has it, else tells that the certificate was renewed elsewhere",
        en: Text {
            title: "The certificate has been renewed",
            what: "The certificate was renewed already, so that it can no longer be used.",
            next: None,
        },
        ja: Text {
            title: "更新済みの電子証明書です",
            what: "この電子証明書はすでに更新されているため、ご利用いただけません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::SubjectDisabled,
        name: "subjectDisabled",
        status: 403,
        remedy: Always(Action::Stop),
        by: Some(By::Branch),
        client: "stops",
        en: Text {
            title: "The use of this service is suspended",
            what: "The bank has suspended your use of this service.",
            next: Some("Ask your branch of the bank."),
        },
        ja: Text {
            title: "ご利用を停止しております",
            what: "お客さまによる本サービスのご利用は、停止されております。",
            next: Some("お取引店にお問い合わせください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::EnvironmentUnsupported,
        name: "environmentUnsupported",
        status: 403,
        remedy: Always(Action::UpdateEnvironment),
        carries: Carries::Environments,
        client: "shows the list",
        en: Text {
            title: "The environment is not supported",
            what: "The bank does not support renewal in this environment. Nothing was changed.[ It supports {environments}.]",
            next: None,
        },
        ja: Text {
            title: "ご利用の環境には対応しておりません",
            what: "ご利用の環境（OS・ソフトウェア）は、電子証明書のお手続きに対応しておりません。お手続きの状態は変わっておりません。[推奨環境は{environments}です。]",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::PinRequired,
        name: "pinRequired",
        status: 401,
        remedy: Always(Action::Correct),
        by: Some(By::User),
        client: "asks the user",
        en: Text {
            title: "The PIN is required",
            what: "This operation needs the PIN.",
            next: Some("Enter the PIN."),
        },
        ja: Text {
            title: "利用者暗証番号の入力が必要です",
            what: "このお手続きには、利用者暗証番号の入力が必要です。",
            next: Some("利用者暗証番号を入力してください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::PinWrong,
        name: "pinWrong",
        status: 403,
        remedy: Always(Action::Correct),
        by: Some(By::User),
        carries: Carries::AttemptsLeft,
        client: "asks the user, showing `attemptsLeft`; never repeats the same PIN",
        en: Text {
            title: "The PIN is wrong",
            what: "The PIN is wrong.[ The number of wrong PINs in a row that are left before it is locked: {attemptsLeft}.]",
            next: Some("Enter the right PIN."),
        },
        ja: Text {
            title: "利用者暗証番号が正しくありません",
            what: "入力された利用者暗証番号が正しくありません。[あと{attemptsLeft}回続けて誤ると、ロックされます。]",
            next: Some("正しい利用者暗証番号を入力してください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::PinLocked,
        name: "pinLocked",
        status: 403,
        remedy: ByRole {
            user: Action::UnlockByAdministrator,
            administrator: Action::UnlockAtBranch,
        },
        client: "tells who unlocks",
        en: Text {
            title: "The PIN is locked",
            what: "The PIN was entered wrongly too many times in a row and is locked. Nothing of the procedure is lost.",
            next: None,
        },
        ja: Text {
            title: "利用者暗証番号がロックされています",
            what: "利用者暗証番号の入力誤りが続いたため、ロックされています。お手続きの内容は失われておりません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::PinUnacceptable,
        name: "pinUnacceptable",
        status: 400,
        remedy: Always(Action::Correct),
        by: Some(By::User),
        client: "asks the user for another",
        en: Text {
            title: "The new PIN is not acceptable",
            what: "The new PIN does not satisfy the bank's rules. The PIN was not changed.",
            next: Some("Enter another new PIN."),
        },
        ja: Text {
            title: "この利用者暗証番号は設定できません",
            what: "新しい利用者暗証番号が、当行の定める条件を満たしておりません。利用者暗証番号は変更されておりません。",
            next: Some("条件に合う新しい利用者暗証番号を入力してください。"),
        },
        ..Row::PLAIN
    },
];
