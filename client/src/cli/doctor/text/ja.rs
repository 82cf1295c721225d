//! 日本語: Japanese.

use super::{Words, bad, good};
use crate::cli::doctor::finding::Finding;
use crate::cli::language::Tongue;
use crate::cli::say::ja_error;

#[expect(clippy::too_many_lines, reason = "one list of texts, which is read as a list")]
pub(super) fn words(finding: &Finding, tongue: &Tongue, option: &str) -> Words {
    let at = |time| tongue.time(time);
    match finding {
        Finding::Home { folder, identities } => {
            good(format!("{}に{identities}件あります", folder.display()))
        }
        Finding::NoIdentities { folder } => bad(
            format!("{}に登録がありません", folder.display()),
            "`koshin import` で電子証明書を取り込むか、`koshin enroll` で取得してください",
        ),
        Finding::HomeUnreadable { folder, detail } => bad(
            format!("{}を読めません: {detail}", folder.display()),
            "この利用者に権限を与えるか、--home で別のフォルダーを指定してください",
        ),
        Finding::HomeWritable { .. } => good("ファイルの作成・保存・削除ができます"),
        Finding::HomeNotWritable { folder, detail } => bad(
            format!("{}にファイルを作れません: {detail}", folder.display()),
            "空き容量を確保するか、書き込み権限を与えてください。このままでは更新を開始できません",
        ),
        Finding::HomeOpen { folder, mode } => bad(
            format!("他の利用者が{}に書き込めます（{mode:03o}）", folder.display()),
            format!("`chmod go-w {}` で閉じてください", folder.display()),
        ),
        Finding::Space { mebibytes, .. } => good(format!("空き容量は{mebibytes} MiBです")),
        Finding::SpaceLow { folder, mebibytes } => bad(
            format!("{}のディスクに空きがありません（{mebibytes} MiB）", folder.display()),
            "空き容量を確保してください。このままでは更新を開始できません",
        ),
        Finding::SpaceUnknown { folder, detail } => bad(
            format!("{}の空き容量を確認できません: {detail}", folder.display()),
            "ディスクの空き容量を確認してください",
        ),
        Finding::Proxy { variables } => good(format!("プロキシを使用します: {variables}")),
        Finding::NoProxy => good("プロキシは設定されていません"),

        Finding::Settings { directory } => good(format!("銀行の宛先は{directory}です")),
        Finding::SettingsBad { detail } => {
            bad(format!("開くことができません: {detail}"), "示されたファイルを直してください")
        }
        Finding::Unlocked => good("ほかのプログラムは使用していません"),
        Finding::Locked => bad(
            "ほかのプログラムが使用中です",
            "終わるまでお待ちください。終わらない場合は、ファイル lock を開いているプログラムを確認してください",
        ),
        Finding::FolderClosed => good("フォルダーは所有者だけが開けます"),
        Finding::FolderOpen { folder, mode } => bad(
            format!("他の利用者が{}を開けます（{mode:03o}）", folder.display()),
            format!("`chmod 700 {}` で閉じてください", folder.display()),
        ),
        Finding::KeysClosed { count } => good(format!("{count}個の秘密鍵は所有者だけが読めます")),
        Finding::KeyOpen { path, mode } => bad(
            format!("他の利用者が秘密鍵{}を読めます（{mode:03o}）", path.display()),
            format!(
                "`chmod 600 {}` で閉じてください。読まれたおそれがあれば `koshin revoke{option}` で失効させてください",
                path.display()
            ),
        ),
        Finding::Trust { count, until } => {
            good(format!("銀行のルート証明書は{count}件、{}まで有効です", at(*until)))
        }
        Finding::TrustBad { detail } => bad(
            format!("銀行のルート証明書を使えません: {detail}"),
            "identity.toml の trust が示すファイルに、銀行のルート証明書（PEM）を置いてください",
        ),
        Finding::TrustExpired { path, until } => bad(
            format!("{}のルート証明書は{}に期限が切れました", path.display(), at(*until)),
            "銀行から新しいルート証明書を受け取り、置き換えてください",
        ),
        Finding::TlsSystem => good("接続先はシステムのルート証明書で確認します"),
        Finding::Tls { count } => good(format!("接続先は専用のルート証明書{count}件で確認します")),
        Finding::TlsBad { detail } => bad(
            format!("接続先を確認するルート証明書を使えません: {detail}"),
            "identity.toml の tls-trust か、システムの証明書（ca-certificates）を直してください",
        ),
        Finding::Pins { count } => good(format!("銀行のサーバーの鍵が{count}件固定されています")),
        Finding::PinBad { pin } => bad(
            format!("identity.toml の「{pin}」はピンではありません"),
            "ピンは公開鍵（SPKI）のSHA-256をbase64urlで表した43文字です",
        ),
        Finding::Pair { generation, subject } => {
            good(format!("鍵と電子証明書（{generation}）は一致しています: {subject}"))
        }
        Finding::NoPair => bad(
            "使用中の電子証明書がありません",
            "`koshin import` で取り込むか、`koshin enroll` で取得してください",
        ),
        Finding::PairBroken { generation, detail } => bad(
            format!("使用中の鍵と電子証明書（{generation}）が壊れています: {detail}"),
            format!(
                "`koshin resume{option}` が使えるものに切り替えるか、電子証明書を取り直します。できない場合は\
                 控えを取り込むか、管理者に再発行を依頼してください"
            ),
        ),
        Finding::KeyClosed { detail } => bad(
            format!("鍵を使えません: {detail}"),
            "--key-passphrase-file でパスフレーズを渡すか、ファイルの権限を閉じてください",
        ),
        Finding::Valid { until, days } => {
            good(format!("電子証明書の有効期限は{}です（あと{days}日）", at(*until)))
        }
        Finding::InWindow { until, days } => bad(
            format!("電子証明書を更新できます。有効期限は{}です（あと{days}日）", at(*until)),
            format!("`koshin renew{option}` で更新するか、`koshin agent` に任せてください"),
        ),
        Finding::Expired { until } => bad(
            format!("電子証明書の有効期限が切れました（{}）", at(*until)),
            "再発行を受けてください。利用者は管理者に（`koshin admin reissue`）、管理者は取引店にご依頼ください",
        ),
        Finding::NotYetValid { from } => bad(
            format!("電子証明書は{}から有効です", at(*from)),
            "この端末の時計を合わせてください",
        ),
        Finding::Finished => good("中断した処理はありません"),
        Finding::Unfinished { generation, begun } => bad(
            format!("{}に開始した処理が終わっていません（{generation}）", at(*begun)),
            format!(
                "`koshin resume{option}` で再開するか、`koshin cancel{option}` で取り消してください。電子証明書は\
                 壊れていません"
            ),
        ),
        Finding::JournalBad { detail } => bad(
            detail.clone(),
            "フォルダーはそのままにして、koshinを更新してください。手で直す前に控えを取ってください",
        ),
        Finding::LastAttemptFailed { reason, again } => bad(
            format!("前回の自動更新は失敗しました: {reason}"),
            format!(
                "{}以降に再び試みます。すぐに試みるには `koshin agent --once --again`",
                at(*again)
            ),
        ),

        Finding::Reached { url } => good(format!("{url}に接続でき、相手を確認しました")),
        Finding::NotReached { url, detail } => bad(
            format!("{url}に接続できません: {detail}"),
            "ネットワーク、ファイアウォール、プロキシの設定を確認し、後でもう一度お試しください",
        ),
        Finding::TlsRefused { url, why } => {
            let (what, remedy) = ja_error::distrust(why);
            bad(format!("{url}が銀行であることを確認できません: {what}"), remedy)
        }
        Finding::HttpStatus { url, status } => bad(
            format!("{url}がHTTP {status}を返しました"),
            "identity.toml の宛先を確認し、正しければ後でもう一度お試しください",
        ),
        Finding::Directory { profile } => {
            good(format!("銀行はこの版のプロトコルに対応しています（{profile}）"))
        }
        Finding::DirectoryBad { detail } => bad(
            format!("銀行のディレクトリーを使えません: {detail}"),
            "identity.toml の宛先を確認し、koshinを更新してください",
        ),
        Finding::Clock { seconds } => {
            good(format!("端末の時計と銀行の時計の差は{}秒です", seconds.abs()))
        }
        Finding::ClockWrong { seconds } => {
            let side = if *seconds > 0 { "進んで" } else { "遅れて" };
            bad(
                format!("端末の時計が銀行の時計より{}秒{side}います", seconds.abs()),
                "時計を合わせ、NTPで保ってください（`timedatectl set-ntp true`）",
            )
        }
        Finding::NoDate => bad("銀行の応答に時刻がありません", "銀行にお知らせください"),
        Finding::Environment { os, version } => good(format!("推奨環境です: {os} {version}")),
        Finding::EnvironmentRefused { ours, wanted } => bad(
            format!("推奨環境ではありません: {ours}"),
            format!("次の環境に更新してください: {wanted}"),
        ),
        Finding::KeyStore { kind } => good(format!("格納先{kind}は銀行が認めています")),
        Finding::KeyStoreRefused { kind, offered } => bad(
            format!("格納先{kind}は銀行が認めていません"),
            format!("次の格納先で登録し直してください: {offered}"),
        ),
        Finding::Algorithm { algorithm } => {
            good(format!("署名方式{algorithm}は銀行が認めています"))
        }
        Finding::AlgorithmRefused { algorithm, offered } => bad(
            format!("現在の鍵の署名方式{algorithm}は銀行が認めていません"),
            format!("銀行が認める方式は{offered}です。再発行を受けてください"),
        ),
        Finding::Issuers { count } => {
            good(format!("銀行の発行者{count}件は設定済みのルートにつながります"))
        }
        Finding::IssuersUntrusted { issuer, detail } => bad(
            format!("銀行の発行者「{issuer}」が設定済みのルートにつながりません: {detail}"),
            "銀行から現在のルート証明書を受け取り、trust の示すファイルに置いてください",
        ),
        Finding::Known { opens, closes } => good(format!(
            "銀行はこの電子証明書を現在のものとしています。推奨の更新期間は{}から{}までです",
            at(*opens),
            at(*closes)
        )),
        Finding::NotRenewable => bad(
            "銀行はこの電子証明書を現在のものとしていません（未確認、更新済み、失効、期限切れのいずれか）",
            format!("`koshin resume{option}` または `koshin renew{option}` で確認してください"),
        ),
        Finding::Unknown => bad(
            "銀行はこの電子証明書を知りません",
            "identity.toml の宛先が発行した銀行のものか確認してください",
        ),
        Finding::RenewalInfoBad { detail } => bad(
            format!("銀行の推奨更新期間を確認できません: {detail}"),
            "後でもう一度お試しください。それまでは電子証明書の期間によります",
        ),
    }
}
