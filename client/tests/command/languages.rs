//! Japanese and English, by the locale or `--lang`.

use crate::bank::Bank;
use crate::customer::finish;

/// Whether a text has Japanese letters.
fn is_japanese(text: &str) -> bool {
    text.chars().any(|letter| ('ぁ'..='ヿ').contains(&letter) || ('一'..='龯').contains(&letter))
}

#[test]
fn everything_is_said_in_the_language_of_the_locale_or_the_one_asked_for() {
    let bank = Bank::open();
    let user = bank.user();
    for (arguments, code) in [
        (&["status"][..], 0),
        (&["list"], 0),
        (&["renew"], 2),
        (&["renew", "--yes"], 11),
        (&["cancel"], 11),
        (&["resume", "--yes"], 11),
        (&["rollback", "--yes"], 11),
        (&["export", "x.p12"], 2),
        (&["import", "key.pem"], 11),
        (&["enroll", "--yes"], 2),
        (&["status", "-i", "nobody"], 2),
    ] {
        let mut command = user.command(arguments);
        command.env("LANG", "ja_JP.UTF-8");
        let ja = finish(command);
        let asked = user.run(&[arguments, &["--lang", "ja"]].concat());
        let en = user.run(arguments);
        assert_eq!((ja.code, asked.code, en.code), (code, code, code), "{ja:?} {en:?}");
        let ja = ja.out + &ja.err;
        assert!(is_japanese(&ja), "{ja}");
        assert_eq!(ja, asked.out + &asked.err);
        assert!(!is_japanese(&(en.out + &en.err)), "{arguments:?}");
    }
}

#[test]
fn the_banks_refusal_comes_in_the_users_language() {
    let bank = Bank::open();
    let user = bank.user();
    let ran = user.run(&["renew", "--yes", "--json", "--lang", "ja"]);
    let error = ran.last();
    assert!(is_japanese(error["problem"]["title"].as_str().unwrap()), "{error}");
    assert!(is_japanese(error["message"].as_str().unwrap()), "{error}");
    let early = bank.customer("user", 200).with_pin(&["renew", "--yes", "--lang", "ja"]);
    early.failed(10, "まだ更新可能期間ではありません");
    let done = user.with_pin(&["renew", "--yes", "--lang", "ja"]).done();
    assert!(done.out.contains("電子証明書の更新が完了しました。"), "{done:?}");
}
