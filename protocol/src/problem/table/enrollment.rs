//! Rows about reissue, enrollment and renewal information.

use super::{
    Choice::{self, Always, ByRole},
    Row, SOFTWARE_EN, SOFTWARE_JA, Text,
};
use crate::{
    problem::Token,
    remedy::{Action, By},
};

const REISSUE: Choice =
    ByRole { user: Action::ReissueByAdministrator, administrator: Action::ReissueAtBranch };

pub(super) const ROWS: [Row; 10] = [
    Row {
        token: Token::SubjectUnknown,
        name: "subjectUnknown",
        status: 404,
        remedy: Always(Action::Correct),
        by: Some(By::Administrator),
        client: "reads the contract again",
        en: Text {
            title: "The user is not known",
            what: "Your contract has no such user. Nothing was changed.",
            next: Some("Choose a user of your contract."),
        },
        ja: Text {
            title: "該当する利用者が登録されておりません",
            what: "指定された利用者は、この契約法人に登録されておりません。お手続きの状態は変わっておりません。",
            next: Some("契約法人の利用者をご確認のうえ、もう一度選択してください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::SubjectMismatch,
        name: "subjectMismatch",
        status: 409,
        remedy: Always(Action::Correct),
        by: Some(By::Administrator),
        client: "lets the administrator choose again",
        en: Text {
            title: "The user's name does not match",
            what: "The name in the request is not the registered name of this user. To prevent a mix-up, nothing was changed.",
            next: Some("Check which user is meant and choose again."),
        },
        ja: Text {
            title: "利用者の名義が一致しません",
            what: "指定された名義が、利用者の登録内容と一致しません。取り違えを防ぐため、お手続きを受け付けておりません。",
            next: Some("対象の利用者をご確認のうえ、もう一度選択してください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::ReissueNotAllowed,
        name: "reissueNotAllowed",
        status: 403,
        remedy: Always(Action::ReissueAtBranch),
        client: "tells so",
        en: Text {
            title: "This certificate cannot be reissued here",
            what: "Certificates of administrators, your own included, are reissued by the bank only. Nothing was changed.",
            next: None,
        },
        ja: Text {
            title: "この再発行（初期化）は行えません",
            what: "管理者の電子証明書（ご自身のものを含みます）の再発行（初期化）は、契約法人では行えません。お手続きの状態は変わっておりません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::ReissueConflict,
        name: "reissueConflict",
        status: 409,
        remedy: Always(Action::Correct),
        client: "makes a new code and id",
        en: Text {
            title: "There is another reissue of this id",
            what: "A reissue with the same id but another content is registered already. Nothing was changed.",
            next: SOFTWARE_EN,
        },
        ja: Text {
            title: "同じ番号の再発行（初期化）があります",
            what: "同じ番号で、内容の異なる再発行（初期化）がすでに登録されております。お手続きの状態は変わっておりません。",
            next: SOFTWARE_JA,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::ReissueClosed,
        name: "reissueClosed",
        status: 409,
        remedy: Always(Action::Stop),
        client: "reads the reissue and shows its status",
        en: Text {
            title: "The reissue has ended",
            what: "This reissue was completed, canceled or replaced, or it expired. It can no longer be changed.",
            next: Some("If one is needed, reissue anew."),
        },
        ja: Text {
            title: "この再発行（初期化）は終了しております",
            what: "この再発行（初期化）は、完了、取消し、または期限切れなどにより終了しているため、変更できません。",
            next: Some("必要な場合は、あらためて再発行（初期化）を行ってください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::EnrollmentRefused,
        name: "enrollmentRefused",
        status: 403,
        remedy: Always(Action::Correct),
        by: Some(By::User),
        client: "asks for the ticket again",
        en: Text {
            title: "The enrollment code is not accepted",
            what: "The bank could not verify the enrollment code. Nothing was changed.",
            next: Some("Compare it with what you were given and enter it again."),
        },
        ja: Text {
            title: "取得用ワンタイムコードを確認できません",
            what: "入力された取得用ワンタイムコードを確認できませんでした。お手続きの状態は変わっておりません。",
            next: Some("お受け取りになった内容をご確認のうえ、もう一度入力してください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::EnrollmentUsed,
        name: "enrollmentUsed",
        status: 409,
        remedy: REISSUE,
        client: "tries the other keys it has, else tells who reissues",
        en: Text {
            title: "The enrollment code is used up",
            what: "The enrollment code was used already, with another key.",
            next: None,
        },
        ja: Text {
            title: "取得用ワンタイムコードは使用済みです",
            what: "この取得用ワンタイムコードは、すでに別の鍵で使用されております。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::EnrollmentExpired,
        name: "enrollmentExpired",
        status: 403,
        remedy: REISSUE,
        client: "tells who reissues",
        en: Text {
            title: "The enrollment code has expired",
            what: "The period for using this enrollment code has ended.",
            next: None,
        },
        ja: Text {
            title: "取得用ワンタイムコードの有効期限が切れています",
            what: "この取得用ワンタイムコードは、有効期限が切れております。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::EnrollmentCanceled,
        name: "enrollmentCanceled",
        status: 403,
        remedy: REISSUE,
        client: "asks for the newest ticket, else tells who reissues",
        en: Text {
            title: "The enrollment code is no longer valid",
            what: "This reissue was canceled, or a newer enrollment code was made. If you have a newer code, use that one; if not, do as follows.",
            next: None,
        },
        ja: Text {
            title: "取得用ワンタイムコードは無効となりました",
            what: "再発行（初期化）が取り消されたか、新しい取得用ワンタイムコードが作成されたため、この取得用ワンタイムコードは無効となりました。新しい取得用ワンタイムコードをお持ちの場合は、そちらをご利用ください。お持ちでない場合は、次のとおりお願いいたします。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::NotRenewable,
        name: "notRenewable",
        status: 410,
        remedy: Always(Action::Logon),
        client: "logs on, which says which",
        en: Text {
            title: "This certificate is not up for renewal",
            what: "There is no renewal information for this certificate.",
            next: Some("Log on to see why."),
        },
        ja: Text {
            title: "この電子証明書は更新の対象ではありません",
            what: "この電子証明書には、更新のご案内がありません。",
            next: Some("ログオンのうえ、状況をご確認ください。"),
        },
        ..Row::PLAIN
    },
];
