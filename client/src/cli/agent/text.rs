//! The agent's lines in words.

use koshin_client::error::printable;
use koshin_client::schedule::Source;
use koshin_protocol::problem::Language;

use super::event::{Event, Hook};
use super::memory::Outcome;
use crate::cli::language::Tongue;

/// An event in the reader's language.
pub(super) fn of(event: &Event, tongue: &Tongue) -> String {
    match tongue.language() {
        Language::En => en(event, tongue),
        Language::Ja => ja(event, tongue),
    }
}

fn en(event: &Event, tongue: &Tongue) -> String {
    let at = |time| tongue.time(time);
    match event {
        Event::AgentStarted { identities: 0 } => {
            "watching; there is no identity yet, `koshin import` or `koshin enroll` makes one"
                .into()
        }
        Event::AgentStarted { identities: 1 } => "watching 1 identity".into(),
        Event::AgentStarted { identities } => format!("watching {identities} identities"),
        Event::Appeared => "found a new identity".into(),
        Event::Gone => "the identity is gone; nothing of it is renewed any more".into(),
        Event::Appointed { renew_at, not_after, source, .. } => {
            let by = match source {
                Source::Bank => "in the time that the bank suggests",
                Source::Certificate => "in the first half of the certificate's window",
            };
            format!("will be renewed at {}, {by}; valid until {}", at(*renew_at), at(*not_after))
        }
        Event::Renewing { is_resumed: false } => "the renewal begins".into(),
        Event::Renewing { is_resumed: true } => "what was begun goes on".into(),
        Event::Renewed { not_after, .. } => format!("renewed, valid until {}", at(*not_after)),
        Event::Undone => "what was canceled or rolled back is finished".into(),
        Event::Unfinished { reason, again } => format!("{reason}; next look at {}", at(*again)),
        Event::RenewalFailed { reason, again, times: 1, .. } => {
            format!("not renewed: {reason}; next attempt after {}", at(*again))
        }
        Event::RenewalFailed { reason, again, times, .. } => {
            format!(
                "not renewed, {times} times in a row: {reason}; next attempt after {}",
                at(*again)
            )
        }
        Event::Paused { reason, again, .. } => {
            format!("no attempt before {}, after an earlier one: {reason}", at(*again))
        }
        Event::PinHeld { reason } => format!(
            "the bank refused the PIN, and it is not sent again: {reason}; put the right PIN into its \
             file, or renew once by hand with `koshin renew`"
        ),
        Event::Busy => "another program works with the identity; it will be looked at again".into(),
        Event::NoCertificate => {
            "there is no certificate here yet; `koshin import` or `koshin enroll` brings one".into()
        }
        Event::HookDone { hook: Hook::Before, .. } => "the hook before the renewal is done".into(),
        Event::HookDone { hook: Hook::After, outcome } => match outcome {
            Some(Outcome::Failed) => "the hook after the attempt is done".into(),
            Some(Outcome::Renewed | Outcome::Changed) | None => {
                "the hook after the change of certificate is done".into()
            }
        },
        Event::HookFailed { hook: Hook::Before, reason, again } => format!(
            "the hook before the renewal failed: {reason}; the renewal waits until {}",
            at(*again)
        ),
        Event::HookFailed { hook: Hook::After, reason, again } => format!(
            "the hook after the renewal failed: {reason}; the certificate stays as it is, the hook runs \
             again after {}",
            at(*again)
        ),
        Event::Unusable { reason, .. } => format!("cannot be looked after: {reason}"),
        Event::Reloaded => "the configuration was read anew".into(),
        Event::ConfigUnusable { reason } => {
            format!(
                "the configuration cannot be used, the former one stays in force: {}",
                printable(reason)
            )
        }
        Event::Stopping => "stopping".into(),
    }
}

fn ja(event: &Event, tongue: &Tongue) -> String {
    let at = |time| tongue.time(time);
    match event {
        Event::AgentStarted { identities: 0 } => {
            "監視を開始しました。電子証明書はまだありません。`koshin import` または `koshin enroll` で登録してください。".into()
        }
        Event::AgentStarted { identities } => format!("{identities}件の監視を開始しました。"),
        Event::Appeared => "新しい登録が見つかりました。".into(),
        Event::Gone => "登録がなくなりました。以後は更新しません。".into(),
        Event::Appointed { renew_at, not_after, source, .. } => {
            let by = match source {
                Source::Bank => "銀行の推奨期間内",
                Source::Certificate => "更新可能期間の前半",
            };
            format!("{}に更新します（{by}）。有効期限は{}です。", at(*renew_at), at(*not_after))
        }
        Event::Renewing { is_resumed: false } => "更新を開始します。".into(),
        Event::Renewing { is_resumed: true } => "中断した処理を再開します。".into(),
        Event::Renewed { not_after, .. } => {
            format!("更新しました。有効期限は{}です。", at(*not_after))
        }
        Event::Undone => "取消しまたは復元の処理を完了しました。".into(),
        Event::Unfinished { reason, again } => {
            format!("{reason}（次回の確認は{}です）", at(*again))
        }
        Event::RenewalFailed { reason, again, times, .. } => format!(
            "更新できませんでした（連続{times}回）。{reason}（次回は{}以降に試みます）",
            at(*again)
        ),
        Event::Paused { reason, again, .. } => {
            format!("前回の失敗のため{}までは試みません。{reason}", at(*again))
        }
        Event::PinHeld { reason } => format!(
            "利用者暗証番号が受け付けられなかったため、同じ番号は送信しません。{reason} 正しい番号をファイルに\
             入れるか、`koshin renew` で一度更新してください。"
        ),
        Event::Busy => "ほかのプログラムが使用中です。後で確認します。".into(),
        Event::NoCertificate => {
            "電子証明書がまだありません。`koshin import` または `koshin enroll` で登録してください。".into()
        }
        Event::HookDone { hook: Hook::Before, .. } => "更新前のフックが終わりました。".into(),
        Event::HookDone { hook: Hook::After, .. } => "更新後のフックが終わりました。".into(),
        Event::HookFailed { hook: Hook::Before, reason, again } => {
            format!("更新前のフックが失敗しました。{reason}（更新は{}以降に行います）", at(*again))
        }
        Event::HookFailed { hook: Hook::After, reason, again } => format!(
            "更新後のフックが失敗しました。電子証明書はそのままです。{reason}（{}以降に再実行します）",
            at(*again)
        ),
        Event::Unusable { reason, .. } => format!("扱うことができません。{reason}"),
        Event::Reloaded => "設定を読み直しました。".into(),
        Event::ConfigUnusable { reason } => {
            format!("設定を使えないため、以前の設定を続けます。{}", printable(reason))
        }
        Event::Stopping => "終了します。".into(),
    }
}
