//! Rows about orders: renewal, cancel, confirm and rollback.

use super::{Carries, Choice::Always, Row, SOFTWARE_EN, SOFTWARE_JA, Text};
use crate::{
    problem::Token,
    remedy::{Action, By},
};

pub(super) const ROWS: [Row; 20] = [
    Row {
        token: Token::TooEarly,
        name: "tooEarly",
        status: 403,
        remedy: Always(Action::Wait),
        client: "waits until `notBefore`",
        en: Text {
            title: "It is too early to renew",
            what: "The certificate's renewal window has not opened. The certificate stays usable.",
            next: None,
        },
        ja: Text {
            title: "まだ更新可能期間ではありません",
            what: "この電子証明書は更新可能期間前のため、まだ更新いただけません。現在の電子証明書は、そのままご利用いただけます。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::OrderExists,
        name: "orderExists",
        status: 409,
        remedy: Always(Action::ResumeOrder),
        carries: Carries::OpenOrder,
        client: "resumes it if it has its key, else 12.6",
        en: Text {
            title: "A renewal is already in progress",
            what: "A renewal of this certificate with another key is already in progress. A second one was not begun.",
            next: None,
        },
        ja: Text {
            title: "更新手続きをすでに受け付けております",
            what: "この電子証明書の更新手続きは、別の鍵ですでに受け付けております。二重には受け付けておりません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::ReplacesMismatch,
        name: "replacesMismatch",
        status: 403,
        remedy: Always(Action::Correct),
        client: "logs on with the certificate to be replaced",
        en: Text {
            title: "Another certificate than the one logged on with",
            what: "Only the certificate that logged on can be renewed. Nothing was changed.",
            next: Some("Log on with the certificate that you want to renew."),
        },
        ja: Text {
            title: "更新対象の電子証明書が異なります",
            what: "更新いただけるのは、ログオンに使用した電子証明書のみです。お手続きの状態は変わっておりません。",
            next: Some("更新する電子証明書でログオンのうえ、あらためてお手続きください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::BadCsr,
        name: "badCSR",
        status: 400,
        remedy: Always(Action::Correct),
        carries: Carries::CsrFault,
        client: "makes a new key and CSR once, else stops",
        en: Text {
            title: "The certificate signing request is not acceptable",
            what: "The certificate signing request (CSR) was refused.[ The reason: {reason}.] Nothing was changed.",
            next: SOFTWARE_EN,
        },
        ja: Text {
            title: "証明書発行要求に誤りがあります",
            what: "証明書発行要求（CSR）を受け付けできませんでした。[理由：{reason}。]お手続きの状態は変わっておりません。",
            next: SOFTWARE_JA,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::KeyReused,
        name: "keyReused",
        status: 409,
        remedy: Always(Action::Correct),
        client: "makes a new key and a new order",
        en: Text {
            title: "The key was used before",
            what: "No new certificate is issued for a key that belongs to a certificate already. Nothing was changed.",
            next: Some("Try again with a new key."),
        },
        ja: Text {
            title: "この鍵はすでに使用されています",
            what: "すでに電子証明書に使用された鍵では、新しい電子証明書を発行できません。お手続きの状態は変わっておりません。",
            next: Some("新しい鍵を作成し、あらためてお手続きください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::KeyStoreUnsupported,
        name: "keyStoreUnsupported",
        status: 400,
        remedy: Always(Action::Correct),
        by: Some(By::User),
        carries: Carries::KeyStores,
        client: "lets the user choose from `keyStores`",
        en: Text {
            title: "The key store is not accepted",
            what: "The bank does not accept the chosen key store. Nothing was changed.[ It accepts {keyStores}.]",
            next: Some("Choose another key store."),
        },
        ja: Text {
            title: "この格納先はご利用いただけません",
            what: "指定された格納先には、電子証明書を格納いただけません。お手続きの状態は変わっておりません。[ご利用いただける格納先は{keyStores}です。]",
            next: Some("別の格納先を選択してください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::IssueFailed,
        name: "issueFailed",
        status: 500,
        remedy: Always(Action::Retry),
        client: "places a new order with a new key, with growing pauses",
        en: Text {
            title: "The certificate could not be issued",
            what: "The certification authority could not issue the certificate, and this procedure has ended. A certificate that you have been using stays usable until it expires.",
            next: Some("Begin the procedure anew."),
        },
        ja: Text {
            title: "電子証明書を発行できませんでした",
            what: "認証局で電子証明書を発行できなかったため、このお手続きは終了しました。現在ご利用中の電子証明書は、有効期限まで引き続きご利用いただけます。",
            next: Some("あらためて、はじめからお手続きください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::OrderUnknown,
        name: "orderUnknown",
        status: 404,
        remedy: Always(Action::Logon),
        client: "logs on with the pair it has; keeps the key",
        en: Text {
            title: "No renewal has this key",
            what: "The bank has not received any order for this key.",
            next: None,
        },
        ja: Text {
            title: "該当する更新手続きがありません",
            what: "この鍵による更新手続きは、受け付けておりません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::OrderProcessing,
        name: "orderProcessing",
        status: 409,
        remedy: Always(Action::Wait),
        client: "polls as 5.11 says",
        en: Text {
            title: "The certificate is being issued",
            what: "The order was received, and the certificate is being issued.",
            next: Some("See [from {notBefore} on|in a while] whether it has been issued."),
        },
        ja: Text {
            title: "電子証明書を発行しております",
            what: "お手続きは受け付けており、ただいま電子証明書を発行しております。",
            next: Some("[{notBefore}以降に|しばらくしてから]、発行の状況をご確認ください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::OrderCompleted,
        name: "orderCompleted",
        status: 409,
        remedy: Always(Action::UseSuccessor),
        client: "goes forward with the new pair",
        en: Text {
            title: "The renewal is completed",
            what: "This renewal is completed already, and can no longer be canceled.",
            next: None,
        },
        ja: Text {
            title: "更新手続きは完了しております",
            what: "この更新手続きはすでに完了しているため、中止できません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::OrderCanceled,
        name: "orderCanceled",
        status: 409,
        remedy: Always(Action::UsePredecessor),
        carries: Carries::Predecessor,
        client: "uses the old pair; a new order needs a new key",
        en: Text {
            title: "The renewal was canceled",
            what: "This renewal was canceled. Its new certificate is not valid.",
            next: None,
        },
        ja: Text {
            title: "更新手続きは中止されています",
            what: "この更新手続きは中止されているため、新しい電子証明書はご利用いただけません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::OrderInvalid,
        name: "orderInvalid",
        status: 409,
        remedy: Always(Action::Logon),
        client: "logs on with the old pair and decides anew",
        en: Text {
            title: "The order has become invalid",
            what: "This order became invalid, for example because a certificate was revoked or reissued. Its new certificate is not valid.",
            next: None,
        },
        ja: Text {
            title: "このお手続きは無効となりました",
            what: "電子証明書の失効や再発行（初期化）などにより、このお手続きは無効となりました。新しい電子証明書はご利用いただけません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::OrderRolledBack,
        name: "orderRolledBack",
        status: 409,
        remedy: Always(Action::UsePredecessor),
        carries: Carries::Predecessor,
        client: "uses the old pair",
        en: Text {
            title: "The renewal was taken back",
            what: "This renewal was taken back, and the certificate from before it is valid again.",
            next: None,
        },
        ja: Text {
            title: "更新前の電子証明書に戻されています",
            what: "この更新手続きは取り消され、更新前の電子証明書に戻されております。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::OrderNotCompleted,
        name: "orderNotCompleted",
        status: 409,
        remedy: Always(Action::ResumeOrder),
        client: "cancels or confirms instead",
        en: Text {
            title: "The renewal is not completed",
            what: "This renewal is not completed yet. The certificate from before it is still valid.",
            next: None,
        },
        ja: Text {
            title: "更新手続きが完了しておりません",
            what: "この更新手続きはまだ完了しておりません。更新前の電子証明書は、引き続き有効です。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::KeyMismatch,
        name: "keyMismatch",
        status: 409,
        remedy: Always(Action::ResumeOrder),
        carries: Carries::Key,
        client: "reads the order again; leaves what is not its own",
        en: Text {
            title: "The order has another key",
            what: "The key is not the one of this order. Another computer or another software may be renewing this certificate. Nothing was changed.",
            next: None,
        },
        ja: Text {
            title: "鍵がお手続きと一致しません",
            what: "指定された鍵は、このお手続きの鍵ではありません。別の端末またはソフトウェアで更新手続きが行われている可能性があります。お手続きの状態は変わっておりません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::PredecessorExpired,
        name: "predecessorExpired",
        status: 409,
        remedy: Always(Action::ResumeOrder),
        client: "goes forward: confirms the new pair",
        en: Text {
            title: "The renewal can no longer be canceled",
            what: "The certificate from before the renewal has expired, so that canceling would leave none.",
            next: None,
        },
        ja: Text {
            title: "更新手続きを中止できません",
            what: "更新前の電子証明書の有効期限が切れているため、この更新手続きは中止できません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::RollbackEnded,
        name: "rollbackEnded",
        status: 409,
        remedy: Always(Action::UseSuccessor),
        client: "uses the new pair",
        en: Text {
            title: "The renewal can no longer be taken back",
            what: "The period for taking the renewal back has ended, or the new certificate is already in use.",
            next: None,
        },
        ja: Text {
            title: "更新前の電子証明書には戻せません",
            what: "更新前の電子証明書に戻せる期間が終了したか、すでに新しい電子証明書をご利用いただいております。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::RollbackDisabled,
        name: "rollbackDisabled",
        status: 403,
        remedy: Always(Action::UseSuccessor),
        client: "uses the new pair",
        en: Text {
            title: "The bank does not take renewals back",
            what: "This bank does not offer to take a completed renewal back.",
            next: None,
        },
        ja: Text {
            title: "更新前の電子証明書に戻すお取り扱いはしておりません",
            what: "当行では、完了した更新手続きを取り消し、更新前の電子証明書に戻すお取り扱いはしておりません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::NotSuperseded,
        name: "notSuperseded",
        status: 409,
        remedy: Always(Action::Logon),
        client: "logs on with purpose `renewal`",
        en: Text {
            title: "The certificate has not been renewed",
            what: "A logon for recovery is only for a certificate that was renewed already.",
            next: Some("Log on as usual with this certificate."),
        },
        ja: Text {
            title: "この電子証明書は更新されておりません",
            what: "更新前の電子証明書に戻すためのログオンは、更新済みの電子証明書でのみ行えます。",
            next: Some("この電子証明書で、通常どおりログオンしてください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::DeferralRefused,
        name: "deferralRefused",
        status: 409,
        remedy: Always(Action::Stop),
        with_members: Some(Action::ResumeOrder),
        carries: Carries::Order,
        client: "resumes the order, or goes on",
        en: Text {
            title: "There is no renewal to defer",
            what: "There is no notice of renewal that could be deferred to the next logon: a renewal is in progress already, or its window has not opened.",
            next: Some("Until the window opens there is nothing to do."),
        },
        ja: Text {
            title: "次回ログイン時への延期はできません",
            what: "次回ログイン時に延期できる更新のお知らせがありません。更新手続きをすでに受け付けているか、更新可能期間前です。",
            next: Some("更新可能期間になるまで、お手続きの必要はございません。"),
        },
        ..Row::PLAIN
    },
];
