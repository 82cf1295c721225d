//! Rows about the form of a request and the bank's health.

use super::{Carries, Choice::Always, Row, SOFTWARE_EN, SOFTWARE_JA, Text};
use crate::{problem::Token, remedy::Action};

pub(super) const ROWS: [Row; 15] = [
    Row {
        token: Token::Malformed,
        name: "malformed",
        status: 400,
        remedy: Always(Action::Correct),
        client: "reports a fault of the client; does not repeat",
        en: Text {
            title: "The request is not well-formed",
            what: "The request does not have the form that the protocol demands. Nothing was changed.",
            next: SOFTWARE_EN,
        },
        ja: Text {
            title: "要求の形式に誤りがあります",
            what: "ご利用のソフトウェアから送信された要求の形式に誤りがあるため、受け付けできませんでした。お手続きの状態は変わっておりません。",
            next: SOFTWARE_JA,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::UnsupportedMediaType,
        name: "unsupportedMediaType",
        status: 415,
        remedy: Always(Action::Correct),
        client: "as `malformed`",
        en: Text {
            title: "The content type is not supported",
            what: "The bank takes signed requests only as application/jose+json. Nothing was changed.",
            next: SOFTWARE_EN,
        },
        ja: Text {
            title: "要求のデータ形式に対応しておりません",
            what: "送信された要求のデータ形式（Content-Type）には対応しておりません。お手続きの状態は変わっておりません。",
            next: SOFTWARE_JA,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::PayloadTooLarge,
        name: "payloadTooLarge",
        status: 413,
        remedy: Always(Action::Correct),
        client: "as `malformed`",
        en: Text {
            title: "The request is too large",
            what: "The request is larger than 65,536 bytes. Nothing was changed.",
            next: SOFTWARE_EN,
        },
        ja: Text {
            title: "要求のデータが大きすぎます",
            what: "送信された要求が上限（65,536バイト）を超えているため、受け付けできませんでした。お手続きの状態は変わっておりません。",
            next: SOFTWARE_JA,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::MethodNotAllowed,
        name: "methodNotAllowed",
        status: 405,
        remedy: Always(Action::Correct),
        client: "as `malformed`",
        en: Text {
            title: "The HTTP method is not allowed here",
            what: "This resource does not take the HTTP method of the request. Nothing was changed.",
            next: SOFTWARE_EN,
        },
        ja: Text {
            title: "この方法による要求は受け付けできません",
            what: "送信された要求のHTTPメソッドは、この宛先ではご利用いただけません。お手続きの状態は変わっておりません。",
            next: SOFTWARE_JA,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::NotFound,
        name: "notFound",
        status: 404,
        remedy: Always(Action::Stop),
        client: "forgets the URL; logs on again if it came from a session",
        en: Text {
            title: "Not found",
            what: "What the request asks for does not exist, or this certificate may not see it.",
            next: None,
        },
        ja: Text {
            title: "指定された情報が見つかりません",
            what: "指定された情報は、存在しないか、この電子証明書ではご覧いただけません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::Misdirected,
        name: "misdirected",
        status: 421,
        remedy: Always(Action::Correct),
        client: "checks the directory's URL and the proxy; does not repeat",
        en: Text {
            title: "The request was sent to another host",
            what: "The request names a host that is not this bank's. Nothing was changed.",
            next: Some("Check the bank's address in the settings of your software."),
        },
        ja: Text {
            title: "要求の宛先が当行のものではありません",
            what: "当行の宛先ではないホスト名が指定されたため、受け付けできませんでした。お手続きの状態は変わっておりません。",
            next: Some("ソフトウェアに設定された接続先をご確認ください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::BadNonce,
        name: "badNonce",
        status: 400,
        remedy: Always(Action::Retry),
        client: "signs again with the fresh nonce of this answer, at most 5 times (12.5)",
        en: Text {
            title: "The request was used already or is too old",
            what: "The request's one-time number was used already or is older than five minutes. Nothing was changed.",
            next: Some("Your software repeats the request by itself."),
        },
        ja: Text {
            title: "要求が使用済みか、時間が経過しています",
            what: "同じ要求がすでに送信されたか、送信までに時間がかかったため、受け付けできませんでした。お手続きの状態は変わっておりません。",
            next: Some("ソフトウェアが自動的に再送信いたしますので、そのままお待ちください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::BadSignature,
        name: "badSignature",
        status: 401,
        remedy: Always(Action::Correct),
        client: "checks that key and certificate belong together; does not repeat",
        en: Text {
            title: "The signature cannot be verified",
            what: "The request's signature was not made by the key that the request names. Nothing was changed.",
            next: Some("Check that certificate and key belong together."),
        },
        ja: Text {
            title: "電子署名を確認できません",
            what: "要求の電子署名を確認できませんでした。お手続きの状態は変わっておりません。",
            next: Some("電子証明書と鍵の組み合わせが正しいか、格納先をご確認ください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::BadSignatureAlgorithm,
        name: "badSignatureAlgorithm",
        status: 400,
        remedy: Always(Action::Correct),
        carries: Carries::Algorithms,
        client: "uses an algorithm of `algorithms` that fits, else stops",
        en: Text {
            title: "The signature algorithm is not accepted",
            what: "The bank does not accept this signature algorithm for this key.[ It accepts {algorithms}.]",
            next: SOFTWARE_EN,
        },
        ja: Text {
            title: "この署名方式はご利用いただけません",
            what: "要求の署名方式は、この鍵ではご利用いただけません。[ご利用いただける署名方式は{algorithms}です。]",
            next: SOFTWARE_JA,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::BadPublicKey,
        name: "badPublicKey",
        status: 400,
        remedy: Always(Action::Correct),
        carries: Carries::KeyTypes,
        client: "as `malformed`",
        en: Text {
            title: "The key is not accepted",
            what: "The bank does not accept this public key.[ It accepts keys of type {keyTypes}.]",
            next: SOFTWARE_EN,
        },
        ja: Text {
            title: "この鍵はご利用いただけません",
            what: "送信された公開鍵は、ご利用いただけません。[ご利用いただける鍵の種類は{keyTypes}です。]",
            next: SOFTWARE_JA,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::TypeMismatch,
        name: "typeMismatch",
        status: 400,
        remedy: Always(Action::Correct),
        client: "suspects a proxy that rewrites URLs; does not repeat",
        en: Text {
            title: "The request is for another operation",
            what: "The request was signed for another operation than the one it was sent to. Nothing was changed.",
            next: SOFTWARE_EN,
        },
        ja: Text {
            title: "要求の種類が一致しません",
            what: "署名された要求の種類が、送信先のお手続きと一致しません。お手続きの状態は変わっておりません。",
            next: SOFTWARE_JA,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::UrlMismatch,
        name: "urlMismatch",
        status: 400,
        remedy: Always(Action::Correct),
        client: "as `typeMismatch`",
        en: Text {
            title: "The request is for another address",
            what: "The request was signed for another address than the one it was sent to. Nothing was changed.",
            next: Some("Check the settings of any proxy between your software and the bank."),
        },
        ja: Text {
            title: "要求の宛先が一致しません",
            what: "署名された要求の宛先が、実際の送信先と一致しません。お手続きの状態は変わっておりません。",
            next: Some("プロキシなど、通信経路の設定をご確認ください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::RateLimited,
        name: "rateLimited",
        status: 429,
        remedy: Always(Action::Wait),
        client: "waits as 5.11 says",
        en: Text {
            title: "Too many requests",
            what: "Too many requests were made in a short time. Nothing was changed.",
            next: None,
        },
        ja: Text {
            title: "短時間に多数の要求がありました",
            what: "短時間に多数の要求があったため、ただいま受け付けできません。お手続きの状態は変わっておりません。",
            next: None,
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::ServerInternal,
        name: "serverInternal",
        status: 500,
        remedy: Always(Action::Retry),
        client: "repeats what 5.10 allows, with growing pauses; else logs on again first",
        en: Text {
            title: "The bank could not process the request",
            what: "A fault on the bank's side prevented it from processing the request. The procedure can be resumed from where it was.",
            next: Some("Try again in a while."),
        },
        ja: Text {
            title: "当行のシステムで処理できませんでした",
            what: "当行のシステムの不具合により、処理を完了できませんでした。お手続きは途中から再開いただけます。",
            next: Some("しばらくしてから、もう一度お試しください。"),
        },
        ..Row::PLAIN
    },
    Row {
        token: Token::Unavailable,
        name: "unavailable",
        status: 503,
        remedy: Always(Action::Wait),
        client: "waits as 5.11 says",
        en: Text {
            title: "The service is not available now",
            what: "The bank takes no requests at present. The procedure can be resumed from where it was.",
            next: None,
        },
        ja: Text {
            title: "ただいまサービスを休止しております",
            what: "システムの都合により、ただいまお手続きを受け付けておりません。お手続きは途中から再開いただけます。",
            next: None,
        },
        ..Row::PLAIN
    },
];
