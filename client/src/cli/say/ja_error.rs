//! 日本語: errors of the library. The bank's own words come in the language asked for and stand as they are.

use koshin_client::Error;
use koshin_client::error::{Declined, NoAnswer};
use koshin_client::files::FileError;
use koshin_client::identity::{IdentityError, Mismatch};
use koshin_client::import::ImportError;
use koshin_client::keystore::KeyStoreError;
use koshin_client::transport::{Distrust, TransportError};

use crate::cli::language::Tongue;

/// The words for an error.
pub(crate) fn text(error: &Error, tongue: &Tongue) -> String {
    let time = |at| tongue.time(at);
    match error {
        Error::Refused(refusal) => refusal.to_string(),
        Error::NoAnswer { asked, cause, .. } => {
            format!("銀行から正しい応答がありません（{asked}）: {}", no_answer(cause))
        }
        Error::Untrusted(why) => {
            let (what, remedy) = distrust(why);
            format!("接続先が銀行であることを確認できません。何も送信していません: {what}。{remedy}")
        }
        Error::Directory(detail) => format!("銀行のディレクトリを利用できません: {detail}"),
        Error::ForeignUrl { base, url } => format!(
            "銀行が {base} の外のURL（{url}）を示しました。何も送信していません"
        ),
        Error::NotOffered { what } => format!("この銀行では利用できません: {what}"),
        Error::Algorithm(algorithm) => {
            format!("銀行は署名アルゴリズム {algorithm} を受け付けません")
        }
        Error::Sign(cause) => format!("署名できません: {cause}"),
        Error::ComeBack(wait) => {
            format!("銀行が込み合っています。{}秒後にもう一度お試しください", wait.as_secs())
        }
        Error::StillProcessing { .. } => {
            "電子証明書はまだ発行されていません。後で再開してください".to_owned()
        }
        Error::OtherSubject => "銀行の応答が別の名義のものです".to_owned(),
        Error::OtherOrder => "銀行の応答が別の更新のものです".to_owned(),
        Error::Receipt(cause) => format!("更新結果の証明を信頼できません: {cause}"),
        Error::NotLonger { found } => format!(
            "新しい電子証明書の有効期限（{}）が更新前より後ではありません。切り替えていません",
            time(*found)
        ),
        Error::TooEarly { opens } => {
            format!("まだ更新可能期間ではありません。{}から更新できます", time(*opens))
        }
        Error::ForeignOrder { created, abandoned, .. } => format!(
            "別のソフトウェアが {} にこの電子証明書の更新を始めています。完了を待つか、--start-over でやり直してください（{}以降は放棄されたものとみなします）",
            time(*created),
            time(*abandoned)
        ),
        Error::RenewedElsewhere { .. } => {
            "この電子証明書は別の場所で更新済みです。そちらの新しい電子証明書を使用してください"
                .to_owned()
        }
        Error::OrderEnded { status, problem } => match problem {
            Some(problem) => format!("更新は終了しました（{}）: {problem}", status.as_str()),
            None => format!("更新は終了しました（{}）", status.as_str()),
        },
        Error::NoPair => "電子証明書がありません。取り込むか、取得用紙で取得してください".to_owned(),
        Error::NoSuchPair(name) => format!("電子証明書 {name} はここにありません"),
        Error::Nothing { what } => format!("対象となる手続きがありません: {what}"),
        Error::Declined(declined) => match declined {
            Declined::MakeKey => "新しい鍵の作成に同意がありません。何も変更していません",
            Declined::Install => {
                "新しい電子証明書への切り替えに同意がありません。古い電子証明書を引き続き使用できます。再開（resume）か取消（cancel）をしてください"
            }
            Declined::Enroll => "取得用紙の内容に同意がありません。何も送信していません",
        }
        .to_owned(),
        Error::Ticket(cause) => format!("取得用紙を読み取れません: {cause}"),
        Error::OtherBank { ticket, configured } => {
            format!("取得用紙の銀行（{ticket}）が設定の銀行（{configured}）と違います")
        }
        Error::Identity(cause) => identity(cause, tongue),
        Error::Https(cause) => format!("HTTPSを利用できません: {cause}"),
        Error::Invalid(detail) => format!("利用できない値です: {detail}"),
    }
}

fn no_answer(cause: &NoAnswer) -> String {
    match cause {
        NoAnswer::Transport(TransportError::NotConnected(detail)) => {
            format!("接続できません: {detail}")
        }
        NoAnswer::Transport(TransportError::Untrusted(why)) => distrust(why).0,
        NoAnswer::Transport(TransportError::Timeout) => "時間内に応答がありません".to_owned(),
        NoAnswer::Transport(TransportError::CutShort(detail)) => {
            format!("接続が途中で切れました: {detail}")
        }
        NoAnswer::Transport(TransportError::TooLong { limit }) => {
            format!("応答が{limit}バイトを超えています")
        }
        NoAnswer::Json(cause) => format!("読み取れません: {cause}"),
        NoAnswer::Header(name) => format!("ヘッダー `{name}` がないか、読み取れません"),
        NoAnswer::Status(status) => format!("HTTPステータス {status}、説明なし"),
        NoAnswer::Certificate => "読み取れない電子証明書です".to_owned(),
    }
}

/// Why whoever answers is not taken for the bank, and what to do about it.
pub(crate) fn distrust(why: &Distrust) -> (String, &'static str) {
    match why {
        Distrust::Issuer => (
            "信頼できる発行者の証明書（TLS）ではありません".to_owned(),
            "銀行が専用のルート証明書を使っている場合は、銀行から受け取って --tls-trust で指定してください\
             （identity.toml の tls-trust）。通信を読み取るプロキシがあるときも同じ状態になります",
        ),
        Distrust::Name => (
            "別のホストの証明書（TLS）です".to_owned(),
            "銀行のディレクトリのURLを確認してください",
        ),
        Distrust::Expired => (
            "証明書（TLS）の有効期限が切れています".to_owned(),
            "端末の時計を確認し、正しければ銀行にお問い合わせください",
        ),
        Distrust::NotYetValid => {
            ("証明書（TLS）がまだ有効ではありません".to_owned(), "端末の時計を合わせてください")
        }
        Distrust::Pin => (
            "固定された鍵の証明書（TLS）ではありません".to_owned(),
            "現在のピンを銀行に確認してください（identity.toml の tls-pins）",
        ),
        Distrust::Certificate(detail) => {
            (format!("証明書（TLS）を信頼できません: {detail}"), "銀行にお問い合わせください")
        }
    }
}

fn identity(error: &IdentityError, tongue: &Tongue) -> String {
    match error {
        IdentityError::File(error) => file(error),
        IdentityError::KeyStore(error) => key_store(error),
        IdentityError::Journal(error) => format!("手続きの記録を読み取れません: {error}"),
        IdentityError::Locked { folder } => {
            format!("別のプロセスが {} を使用中です。終わるまでお待ちください", folder.display())
        }
        IdentityError::Exists { folder } => format!("{} は既にあります", folder.display()),
        IdentityError::Settings { path, detail } => format!("{}: {detail}", path.display()),
        IdentityError::OtherKeyStore { settings, given } => {
            format!("格納先は `{settings}` です（指定: `{given}`）")
        }
        IdentityError::Damaged { path, detail } => {
            format!("{} が壊れています: {detail}", path.display())
        }
        IdentityError::Mismatch(mismatch) => format!(
            "新しい電子証明書に切り替えていません: {}",
            match mismatch {
                Mismatch::Empty => "電子証明書が届いていません".to_owned(),
                Mismatch::Key => "別の鍵の電子証明書です".to_owned(),
                Mismatch::Subject { expected, found } => {
                    format!("名義が違います（{expected} のはずが {found}）")
                }
                Mismatch::NotYetValid { not_before } => {
                    format!("{}からでないと有効になりません", tongue.time(*not_before))
                }
                Mismatch::Expired { not_after } => {
                    format!("有効期限（{}）が過ぎています", tongue.time(*not_after))
                }
                Mismatch::Chain { detail } => {
                    format!("設定されたルートにつながりません: {detail}")
                }
            }
        ),
        IdentityError::Sign(cause) => format!("新しい鍵で署名できません: {cause}"),
        IdentityError::Export(cause) => format!("PKCS#12ファイルを作成できません: {cause}"),
        IdentityError::NoSuchPair { certificate } => {
            format!("電子証明書 {certificate} かその鍵がここにありません")
        }
    }
}

fn file(error: &FileError) -> String {
    format!("{}: {}（{}）", error.path.display(), error.source, error.doing)
}

fn key_store(error: &KeyStoreError) -> String {
    match error {
        KeyStoreError::File(error) => file(error),
        KeyStoreError::Permissions { path, mode } => {
            let path = path.display();
            format!(
                "秘密鍵 {path} が他の人にも読めます（{mode:03o}）。`chmod 600 {path}` で閉じてください"
            )
        }
        KeyStoreError::PassphraseMissing { path } => {
            format!("{} は暗号化されています。パスフレーズを渡してください", path.display())
        }
        KeyStoreError::PassphraseWrong { path } => {
            format!("パスフレーズが違います: {}", path.display())
        }
        KeyStoreError::Key { path, source } => format!("{}: {source}", path.display()),
        KeyStoreError::Damaged { path, detail } => {
            format!("{} が壊れています: {detail}", path.display())
        }
        KeyStoreError::CannotExport { kind } => {
            format!("格納先 `{kind}` から秘密鍵は取り出せません")
        }
        KeyStoreError::CannotImport { kind } => {
            format!("格納先 `{kind}` には外部の秘密鍵を入れられません")
        }
    }
}

/// The words for files that cannot be imported.
pub(crate) fn import(error: &ImportError, tongue: &Tongue) -> String {
    match error {
        ImportError::Pem(cause) => format!("PEMファイルが壊れています: {cause}"),
        ImportError::Key(cause) => format!("秘密鍵を使用できません: {cause}"),
        ImportError::Unknown(detail) => format!(
            "PEM、電子証明書、PKCS#8秘密鍵、PKCS#12ファイルのどれでもありません: {detail}"
        ),
        ImportError::Certificate(detail) => format!("電子証明書を読み取れません: {detail}"),
        ImportError::PassphraseMissing => {
            "秘密鍵が暗号化されています。--passphrase-file ファイル か --passphrase-fd 番号 でパスフレーズを渡してください".to_owned()
        }
        ImportError::PassphraseWrong => {
            "パスフレーズが違います（--passphrase-file ファイル か --passphrase-fd 番号）".to_owned()
        }
        ImportError::EncryptionUnsupported => {
            "この暗号化方式には対応していません。`openssl pkcs12 -legacy -in ファイル -nodes -out ALL.pem` で書き直してから取り込んでください".to_owned()
        }
        ImportError::NoKey => "秘密鍵がありません。秘密鍵のファイルも指定してください".to_owned(),
        ImportError::NoCertificate => {
            "電子証明書がありません。電子証明書のファイルも指定してください".to_owned()
        }
        ImportError::KeyMismatch { subject } => {
            format!("秘密鍵が {subject} の電子証明書のものではありません")
        }
        ImportError::Expired { subject, not_after } => format!(
            "{subject} の電子証明書は {} に有効期限が切れています。再発行が必要です",
            tongue.time(*not_after)
        ),
    }
}
