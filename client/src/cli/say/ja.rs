//! 日本語: Japanese, in the words of SPEC.md, annex C.

use koshin_client::progress::Why;
use koshin_protocol::certificate_entry::CertificateState;
use koshin_protocol::contract::PinState;
use koshin_protocol::subject::Role;

use super::Say;
use crate::cli::language::Tongue;
use crate::cli::open_work::Work;

/// The words for something to say.
#[expect(clippy::too_many_lines, reason = "one list of texts, which is read as a list")]
pub(crate) fn text(say: &Say, tongue: &Tongue) -> String {
    let time = |at| tongue.time(at);
    match say {
        Say::AskPin { lengths: None } => "利用者暗証番号: ".to_owned(),
        Say::AskPin { lengths: Some((least, most)) } => {
            format!("利用者暗証番号（{least}～{most}文字、画面には表示されません）: ")
        }
        Say::PinWasWrong { left } => {
            format!("利用者暗証番号が違います。あと{left}回間違えるとロックされます。")
        }
        Say::NoSuchPin => "利用者暗証番号の文字数が違います。送信していません。".to_owned(),
        Say::Notice { expires, closes, deferrals } => {
            let deferred = match deferrals {
                0 => String::new(),
                times => format!("  これまでに{times}回、次回ログイン時に延期されています。\n"),
            };
            format!(
                "\n電子証明書更新のお知らせ\n\
                 電子証明書の有効期限が近づいています。電子証明書を更新してください。\n\
                 \x20 電子証明書の有効期限: {}\n{deferred}\
                 \x20 {}を過ぎるとログオンできなくなりますので、ご注意ください。",
                time(*expires),
                time(*closes),
            )
        }
        Say::AskRenewOrDefer => {
            "  1  電子証明書を更新する\n  2  次回ログイン時に更新する\n番号を選んでください [1]: ".to_owned()
        }
        Say::AskMakeKey { expires, key_store } => format!(
            "\n電子証明書更新実行\n\
             電子証明書の更新を開始します。途中で中断しても電子証明書は破損しません。\n\
             \x20 更新前の電子証明書の有効期限: {}\n\
             \x20 格納先: {key_store}\n\
             新しい鍵を作成して更新を実行しますか？（y: 実行、n: キャンセル）[y/n] ",
            time(*expires)
        ),
        Say::AskInstall { subject, until } => format!(
            "\n新しい電子証明書を取得し、内容を確認しました。\n\
             \x20 名義: {subject}\n\
             \x20 有効期限: {}\n\
             この電子証明書に切り替えますか？ [y/n] ",
            time(*until)
        ),
        Say::AskEnroll { directory, name } => format!(
            "取得用紙の内容\n\
             \x20 銀行: {directory}\n\
             \x20 名義: {name}\n\
             お取引の銀行とご自身の名義に間違いありませんか？ [y/n] "
        ),
        Say::AskTicket => "取得用紙の文字列（koshin-ticket:...、画面には表示されません）: ".to_owned(),
        Say::AskRollback => "更新を取り消すと新しい電子証明書は失効し、更新前の電子証明書が再び有効になります。\n更新を取り消しますか？ [y/n] ".to_owned(),
        Say::AskLogOn { until } => format!(
            "直前の更新は{}まで取り消せます。新しい電子証明書でログオンすると取り消せなくなります。\nログオンしますか？ [y/n] ",
            time(*until)
        ),
        Say::AskRevoke => "失効した電子証明書は二度と使用できません。新しい電子証明書には再発行が必要です。\n失効させますか？ [y/n] ".to_owned(),
        Say::AskReissue { name, reason } => format!(
            "{}\n\x20 利用者: {name}\n\x20 理由: {reason}\n再発行（初期化）しますか？ [y/n] ",
            if reason.revokes_at_once() {
                "利用者の電子証明書は直ちに失効し、手続き中の更新は終了します。取得用紙を作成します。"
            } else {
                "手続き中の更新は終了します。取得用紙を作成します。利用者の電子証明書は取得後に失効します。"
            }
        ),
        Say::AskKeyStore => "格納先を選んでください（必須）。\n\
             \x20 1  file: PEMファイル（アクセス権で保護）\n\
             \x20 2  pkcs12: PKCS#12ファイル（パスフレーズで保護）\n\
             番号を選んでください [1]: "
            .to_owned(),
        Say::AskKeyPassphrase => "格納先のパスフレーズ: ".to_owned(),
        Say::AskNewKeyPassphrase => "格納先の新しいパスフレーズ: ".to_owned(),
        Say::AskFilePassphrase => "ファイルのパスフレーズ: ".to_owned(),
        Say::AskNewFilePassphrase => "ファイルの新しいパスフレーズ: ".to_owned(),
        Say::AskAgain => "もう一度入力してください: ".to_owned(),
        Say::AnswerYesOrNo => "y（はい）か n（いいえ）で答えてください。".to_owned(),
        Say::AnswerOneOrTwo => "1 か 2 で答えてください。".to_owned(),
        Say::PassphraseWasWrong => "パスフレーズが違います。".to_owned(),
        Say::EmptyPassphrase => "空にはできません。".to_owned(),
        Say::TypedDifferently => "入力が一致しません。もう一度入力してください。".to_owned(),

        Say::PleaseWait => "そのままお待ちください".to_owned(),
        Say::LoggedOn { name, until } => {
            format!("ログオンしました: {name}（有効期限 {}）", time(*until))
        }
        Say::ClockDiffers { seconds } => {
            let (amount, direction) =
                (seconds.unsigned_abs(), if *seconds > 0 { "進んで" } else { "遅れて" });
            format!(
                "このパソコンの時計は銀行の時計より{amount}秒{direction}います。時刻を合わせてください。\
                 手続きは銀行の時刻で行います。"
            )
        }
        Say::Resuming => "以前に始めた手続きを再開します。".to_owned(),
        Say::KeyMade { key_store } => format!("新しい鍵を格納しました（{key_store}）。"),
        Say::Ordered => "更新を受け付けました。".to_owned(),
        Say::Processing { seconds } => {
            format!("電子証明書取得中です。{seconds}秒後にもう一度確認します。")
        }
        Say::Waiting { why, seconds } => {
            let why = match why {
                Why::NoAnswer => "銀行から応答がありません",
                Why::AskedToWait => "銀行から待つように求められました",
                Why::CouldNot => "銀行が今は処理できません",
            };
            format!("{why}。{seconds}秒後にもう一度試します。")
        }
        Say::Received { until } => {
            format!("新しい電子証明書を格納しました（有効期限 {}）。", time(*until))
        }
        Say::Installed => "新しい電子証明書に切り替えました。".to_owned(),
        Say::Confirmed => "更新完了を銀行が確認しました。".to_owned(),
        Say::Switched => "銀行で現在有効な電子証明書に切り替えました。".to_owned(),

        Say::Imported { subject, not_after, opens, is_open, why_unknown, folder, command } => {
            let mut lines = vec![format!("電子証明書を取り込みました: {subject}\n  有効期限: {}", time(*not_after))];
            if let Some(opens) = opens {
                lines.push(format!("  更新可能期間の開始: {}", time(*opens)));
            }
            if let Some(why) = why_unknown {
                lines.push(format!("  更新可能期間は確認できませんでした: {why}"));
            }
            lines.push(format!("  格納先: {}", folder.display()));
            lines.push(match is_open {
                Some(false) => format!("それまで手続きは不要です。開始後に実行してください: {command}"),
                Some(true) | None => format!("次の操作: {command}"),
            });
            lines.join("\n")
        }
        Say::RenewedNow { subject, until, is_renewal, folder, key, rollback, export } => {
            let mut lines = vec![format!(
                "{}\n  名義: {subject}\n  有効期限: {}\n  ファイル: {}（certificate.pem、{key}）",
                if *is_renewal {
                    "電子証明書の更新が完了しました。"
                } else {
                    "電子証明書の取得が完了しました。"
                },
                time(*until),
                folder.display(),
            )];
            if *is_renewal {
                lines.push("今後は新しい電子証明書を使用してください。古い電子証明書は有効期限まで一覧に表示されますが、使用できません。".to_owned());
            }
            if let Some((until, command)) = rollback {
                lines.push(format!(
                    "更新の取り消し（{}まで、新しい電子証明書でログオンする前に限ります）: {command}",
                    time(*until)
                ));
            }
            lines.push(format!("ブラウザなど他のソフトウェアで使う場合: {export}"));
            lines.join("\n")
        }
        Say::DeferredUntilLater { deferrals, next } => format!(
            "次回ログイン時に更新することにしました（これまで{deferrals}回）。電子証明書の更新は行われていません。\n\
             有効期限を過ぎると更新できなくなります。更新するとき: {next}"
        ),
        Say::CanceledNow { next } => format!(
            "更新を取り消しました。古い電子証明書を引き続き使用してください。もう一度更新するとき: {next}"
        ),
        Say::RolledBackNow => {
            "更新前の電子証明書に戻しました。新しい電子証明書は失効しました。".to_owned()
        }

        Say::Checked { ok, warn: 0, fail: 0 } => format!("\n問題はありません（{ok}項目）。"),
        Say::Checked { ok, warn, fail } => {
            format!("\n正常{ok}件、確認が必要{warn}件、対処が必要{fail}件。")
        }
        Say::Looked { identities, is_well: true } => {
            format!("{identities}件を確認しました。問題はありません。")
        }
        Say::Looked { identities, is_well: false } => {
            format!("{identities}件を確認しました。問題があります。上の行か `koshin doctor` をご覧ください。")
        }
        Say::Exported { file, subject, has_clear_key } => {
            let mut lines = vec![format!("書き出しました: {}\n  名義: {subject}", file.display())];
            if *has_clear_key {
                lines.push("秘密鍵は暗号化されていません。他のソフトウェアに取り込んだ後は削除してください。".to_owned());
            }
            lines.join("\n")
        }
        Say::Revoked { certificates, is_own } => {
            let mut lines = vec![format!("失効しました: {}", certificates.join("、"))];
            if *is_own {
                lines.push("契約法人の管理者（管理者の方は取引店）に再発行を依頼し、取得用紙で取得してください: koshin enroll".to_owned());
            }
            lines.join("\n")
        }
        Say::Reissued { name, expires, ticket, qr, file } => {
            let mut lines = vec![format!("{name} は {} まで電子証明書を取得できます。", time(*expires))];
            if let Some(ticket) = ticket {
                lines.push("取得用紙（表示は今回限り）。暗証番号と同じように渡してください:".to_owned());
                lines.push(format!("\n{ticket}\n"));
            }
            lines.extend(qr.clone());
            if let Some(file) = file {
                lines.push(format!("取得用紙を {} に書き出しました。暗証番号と同じように渡してください。", file.display()));
            }
            lines.push("次の操作（利用者）: koshin enroll".to_owned());
            lines.join("\n")
        }
        Say::ReissueCanceled { name, status } => {
            format!("{name} の再発行を取り消しました（{status}）。取得用紙は使用できません。")
        }
        Say::Unlocked { name } => format!("{name} の利用者暗証番号のロックを解除しました。"),

        Say::Lines(lines) => {
            lines.iter().map(|line| tongue.say(line)).collect::<Vec<_>>().join("\n")
        }
        Say::Identity { name, directory } => format!("{name}  （{directory}）"),
        Say::IdentityFailed { name, why } => format!("{name}\n  確認できません: {why}"),
        Say::NoCertificateYet => "  電子証明書はまだありません".to_owned(),
        Say::Certificate { subject, cert_id, until, is_current: true } => {
            format!("* {subject}\n    有効期限 {}、使用中  {cert_id}", time(*until))
        }
        Say::Certificate { subject, cert_id, until, is_current: false } => {
            format!("  {subject}\n    有効期限 {}、使用しません  {cert_id}", time(*until))
        }
        Say::Open { work } => {
            let begun = work.begun.map_or_else(String::new, |at| format!("（開始 {}）", time(at)));
            let what = match work.what {
                Work::Key => "新しい鍵があります。更新の状況を確認する必要があります",
                Work::Renewal => "更新の手続き中です",
                Work::Enrollment => "取得の手続き中です",
                Work::Cancel => "更新の中止が完了していません",
                Work::Rollback => "更新の取り消しが完了していません",
            };
            format!("  {what}{begun}")
        }
        Say::WindowUnknown { why } => format!("  更新可能期間は確認できませんでした: {why}"),
        Say::ToBeginWith => "  お持ちの電子証明書を取り込むか、取得用紙で取得してください".to_owned(),
        Say::ExpiredNow => "  有効期限が過ぎています。契約法人の管理者（管理者の方は取引店）に再発行を依頼し、取得用紙で取得してください".to_owned(),
        Say::OpensLater { opens } => format!("  更新可能期間の開始: {}。それまで手続きは不要です", time(*opens)),
        Say::OpenNow { days } => format!("  更新できます（残り{days}日）"),
        Say::DaysLeft { days } => format!("  残り{days}日"),
        Say::Contract { id, name } => format!("契約法人 {id}  {name}"),
        Say::ContractSubject { id, name, role, pin, deferrals, has_order, has_reissue } => {
            let role = match role {
                Role::Administrator => "管理者",
                Role::User => "利用者",
            };
            let pin = match pin {
                PinState::None => "なし",
                PinState::Set => "あり",
                PinState::Locked => "ロック中",
            };
            let mut parts = vec![format!("  {id}  {role}  {name}  暗証番号: {pin}")];
            if *deferrals > 0 {
                parts.push(format!("延期{deferrals}回"));
            }
            parts.extend(has_order.then(|| "更新の手続き中".to_owned()));
            parts.extend(has_reissue.then(|| "取得用紙あり".to_owned()));
            parts.join("  ")
        }
        Say::ContractCertificate { cert_id, state, until } => {
            let state = match state {
                CertificateState::Unconfirmed => "確認待ち",
                CertificateState::Current => "現在有効",
                CertificateState::Superseded => "更新済み",
                CertificateState::Revoked => "失効",
                CertificateState::Expired => "期限切れ",
            };
            format!("    {cert_id}  {state}、有効期限 {}", time(*until))
        }

        Say::Next { command, is_administrators: false } => format!("次の操作: {command}"),
        Say::Next { command, is_administrators: true } => {
            format!("次の操作（契約法人の管理者）: {command}")
        }
        Say::AtDirectory { text, url } => format!("{text}\n銀行のディレクトリ: {url}"),
        Say::File { path, detail } => format!("{}: {detail}", path.display()),
        Say::NoHome => "ホームディレクトリがありません。--home でフォルダーを指定してください".to_owned(),
        Say::NoIdentity { home } => format!(
            "{} に電子証明書の設定がありません。次のどちらかで設定してください:\n  \
             koshin import ファイル... --directory URL --trust ルート.pem   お持ちの電子証明書を取り込む\n  \
             koshin enroll --trust ルート.pem                               取得用紙で取得する",
            home.display()
        ),
        Say::NoSuchIdentity { name, names } => {
            format!("{name} という設定はありません。あるもの: {names}")
        }
        Say::ManyIdentities { names } => {
            format!("設定が複数あります（{names}）。--identity 名前 で選んでください")
        }
        Say::ConsentNeeded => "同意を確認できる人がいません。--yes であらかじめ同意するか、--json を付けずに端末で実行してください".to_owned(),
        Say::LogonEndsRollback { until } => format!(
            "直前の更新は{}まで取り消せますが、新しい電子証明書でログオンすると取り消せなくなります。それでもログオンするには --yes を付けてください",
            time(*until)
        ),
        Say::KeyPassphraseNeeded => "格納先のパスフレーズが必要です。--key-passphrase-file ファイル か --key-passphrase-fd 番号 で渡してください".to_owned(),
        Say::OthersCanRead { path } => {
            let path = path.display();
            format!("{path} は所有者以外にも読めます。`chmod 600 {path}` で閉じてください")
        }
        Say::NoSuchKeyStore { path, found } => format!(
            "{}: 格納先 `{found}` はありません。`file` か `pkcs12` を指定してください",
            path.display()
        ),
        Say::DirectoryNeeded => "新しい設定には銀行のディレクトリのURLが必要です。--directory URL で指定してください".to_owned(),
        Say::TrustNeeded => "新しい設定には銀行の電子証明書のルートが必要です。銀行が公開するPEMファイルを --trust ファイル で指定してください".to_owned(),
        Say::NoRoots { path } => format!(
            "{}: 証明書がありません。銀行のルート証明書をPEM形式で指定してください",
            path.display()
        ),
        Say::OtherSubject { name, ours, found } => format!(
            "設定 {name} の名義は {ours} ですが、この電子証明書の名義は {found} です。--identity 名前 で別の設定にしてください"
        ),
        Say::OlderThanCurrent { name, ours, found } => format!(
            "設定 {name} には有効期限が {} の電子証明書がありますが、これは {} までです。何も変更していません",
            time(*ours),
            time(*found)
        ),
        Say::OtherDirectory { name, ours, given, file } => format!(
            "設定 {name} の銀行は {ours} です（指定: {given}）。--identity 名前 で別の設定にするか、{} の `directory` を直してください",
            file.display()
        ),
        Say::NotAgreed => "同意がありません。何も変更していません".to_owned(),
        Say::TicketNeeded => "取得用紙が必要です。ファイル、-（標準入力）か KOSHIN_TICKET で渡してください".to_owned(),
        Say::FilePassphraseNeeded => "PKCS#12ファイルにはパスフレーズが必要です。--passphrase-file ファイル か --passphrase-fd 番号 で渡してください".to_owned(),
        Say::CertificatesAreInPem => "秘密鍵を含まない場合はPEM形式です。--format を外すか .pem のファイル名にしてください".to_owned(),
        Say::NoSuchUser { wanted, users } => format!("{wanted} という利用者はいません。契約法人の利用者:\n  {users}"),
        Say::NoReissue { name } => format!("{name} の再発行の手続きはありません"),
        Say::OtherKeyStore { name, ours } => format!(
            "設定 {name} の格納先は `{ours}` です。別の格納先を使うには --identity 名前 で別の設定にしてください"
        ),
    }
}
