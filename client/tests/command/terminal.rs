//! Somebody at a terminal, which is a pseudo-terminal of `script` (bsdutils, which every Debian has).

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use koshin_server::ca::Fault;

use crate::bank::{Bank, PIN};
use crate::customer::Customer;

/// Longer than any answer takes on a slow machine; a test that waits so long fails.
const PATIENCE: Duration = Duration::from_mins(1);

struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<Vec<u8>>>,
    seen: usize,
}

impl Terminal {
    fn run(customer: &Customer, arguments: &str) -> Self {
        let line = format!("{} {arguments}", env!("CARGO_BIN_EXE_koshin"));
        let mut command = Command::new("script");
        command
            .args(["-q", "-e", "-c", &line, "/dev/null"])
            .current_dir(customer.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("KOSHIN_HOME", "home")
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm")
            .env("TZ", "Asia/Tokyo")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let keys = child.stdin.take().unwrap();
        let screen = Arc::<Mutex<Vec<u8>>>::default();
        let (shown, mut out) = (Arc::clone(&screen), child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(length @ 1..) = out.read(&mut bytes) {
                shown.lock().unwrap().extend(&bytes[..length]);
            }
        });
        Self { child, keys, screen, seen: 0 }
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until this is on the screen, below what was waited for before.
    #[track_caller]
    fn shows(&mut self, text: &str) -> &mut Self {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if let Some(at) = screen[self.seen..].find(text) {
                self.seen += at + text.len();
                return self;
            }
            assert!(begun.elapsed() < PATIENCE, "{text:?} is not on the screen: {screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn types(&mut self, line: &str) -> &mut Self {
        self.keys.write_all(format!("{line}\r").as_bytes()).unwrap();
        self.keys.flush().unwrap();
        self
    }

    /// Types a secret as a person does, who first reads the question: the echo goes an instant after it is shown.
    fn types_secret(&mut self, line: &str) -> &mut Self {
        std::thread::sleep(Duration::from_secs(1));
        self.types(line)
    }

    /// Ctrl-C.
    fn interrupts(mut self) {
        self.keys.write_all(b"\x03").unwrap();
        drop(self.keys);
        assert!(!self.child.wait().unwrap().success());
    }

    #[track_caller]
    fn ends(mut self, code: i32) -> String {
        drop(self.keys);
        let status = self.child.wait().unwrap();
        let screen = String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned();
        assert_eq!(status.code(), Some(code), "{screen}");
        screen
    }
}

// [CLI-15] [CLI-96]
#[test]
fn a_renewal_goes_through_the_steps_of_the_banks_own_procedure() {
    let bank = Bank::open();
    let user = bank.user();
    let mut terminal = Terminal::run(&user, "renew --lang ja");
    terminal.shows("利用者暗証番号").types_secret("000000");
    terminal.shows("利用者暗証番号が違います").shows("利用者暗証番号").types_secret(PIN);
    terminal.shows("電子証明書更新のお知らせ").shows("次回ログイン時に更新する").types("3");
    terminal.shows("1 か 2").shows("[1]:").types("1");
    terminal.shows("電子証明書更新実行").shows("格納先: file").shows("[y/n]").types("y");
    // As with the input method on.
    terminal.shows("この電子証明書に切り替えますか").types("ｙ");
    terminal.shows("電子証明書の更新が完了しました。");
    let screen = terminal.ends(0);
    assert!(!screen.contains(PIN) && !screen.contains("000000"), "{screen}");
}

#[test]
fn a_renewal_may_be_deferred_at_the_notice() {
    let bank = Bank::open();
    let user = bank.user();
    let mut terminal = Terminal::run(&user, "renew");
    terminal.shows("PIN (").types_secret(PIN);
    terminal.shows("Your certificate will expire soon").shows("[1]: ").types("2");
    terminal.shows("deferred to a later logon");
    terminal.ends(0);
}

#[test]
fn without_the_second_consent_the_old_certificate_stays_and_the_renewal_is_resumed() {
    let bank = Bank::open();
    let user = bank.user();
    let mut terminal = Terminal::run(&user, "renew");
    terminal.shows("PIN (").types_secret(PIN).shows("[1]: ").types("");
    terminal.shows("Make a new key").types("y").shows("Use it from now on?").types("n");
    terminal.shows("Next: koshin resume");
    terminal.ends(11);
    let mut terminal = Terminal::run(&user, "resume");
    terminal.shows("Use it from now on?").types("y").shows("The renewal is complete.");
    terminal.ends(0);
}

// [CLI-95]
#[test]
fn while_the_certificate_is_being_made_somebody_at_a_terminal_sees_that_it_goes_on() {
    let (bank, issuer) = Bank::open_slow();
    let user = bank.user();
    issuer.set(Fault::Slow { questions: 1 });
    let mut terminal = Terminal::run(&user, "renew --yes");
    terminal.shows("PIN (").types_secret(PIN).shows("The bank has the order.");
    terminal.shows("The bank is making the certificate; asking again in ").shows("Please wait");
    terminal.shows("The renewal is complete.");
    terminal.ends(0);
}

#[test]
fn somebody_at_a_terminal_is_told_why_the_command_waits() {
    let bank = Bank::open();
    let user = bank.user();
    drop(bank);
    let mut terminal = Terminal::run(&user, "renew");
    terminal.shows("The bank does not answer: trying again in ").shows(" s.");
    terminal.interrupts();
}

#[test]
fn a_logon_that_ends_the_right_to_take_a_renewal_back_is_asked_for() {
    let bank = Bank::open();
    let user = bank.user();
    user.with_pin(&["renew", "--yes"]).done();
    let mut terminal = Terminal::run(&user, "status --contract");
    terminal.shows("can be taken back until").shows("[y/n]").types("n");
    terminal.shows("* CN=").shows("nothing to do until then");
    let screen = terminal.ends(0);
    assert!(!screen.contains("Contract "), "{screen}");
    let mut terminal = Terminal::run(&user, "status --contract");
    terminal.shows("Log on? [y/n]").types("y").shows("PIN (").types_secret(PIN);
    terminal.shows("Contract ");
    terminal.ends(0);
    user.with_pin(&["rollback", "--yes"]).failed(11, "Next: koshin status");
}

#[test]
fn an_import_asks_for_what_it_needs() {
    let bank = Bank::open();
    let user = bank.newcomer("user", 20);
    user.imports();
    user.secret("pass", "correct horse");
    user.run(&["export", "mine.p12", "--passphrase-file", "pass"]).done();
    std::fs::remove_dir_all(user.path("home")).unwrap();
    let (directory, roots) = (&user.directory, user.roots.display());
    let line = format!("import mine.p12 --directory {directory} --trust {roots}");
    let mut terminal = Terminal::run(&user, &line);
    terminal.shows("Passphrase of the file").types_secret("wrong").shows("The passphrase is wrong");
    terminal.shows("Passphrase of the file").types_secret("correct horse");
    terminal.shows("Where shall keys be kept?").shows("[1]:").types("2");
    terminal.shows("New passphrase for the key store").types_secret("abc");
    terminal.shows("The same again").types_secret("abd").shows("The two differ");
    terminal.shows("New passphrase for the key store").types_secret("abc");
    terminal.shows("The same again").types_secret("abc").shows("Imported: CN=");
    terminal.ends(0);
    let mut terminal = Terminal::run(&user, "renew --yes");
    terminal
        .shows("Passphrase of the key store")
        .types_secret("abc")
        .shows("PIN (")
        .types_secret(PIN);
    terminal.shows("The renewal is complete.");
    terminal.ends(0);
}

// [COD-12]
#[test]
fn an_enrollment_shows_the_bank_and_the_name_before_anything_is_set_up() {
    let bank = Bank::open();
    let (administrator, _user) = (bank.customer("administrator", 300), bank.user());
    let users = administrator.with_pin(&["admin", "users", "--json"]).done().last();
    let subjects = users["contract"]["subjects"].as_array().unwrap();
    let user = subjects.iter().find(|subject| subject["role"] == "user").unwrap();
    let name = user["name"].as_str().unwrap();
    let mut terminal = Terminal::run(&administrator, &format!("admin reissue '{name}'"));
    terminal.shows("PIN (").types_secret(PIN).shows("Reissue? [y/n]").types("y");
    // The code for cameras, and the text for everybody else.
    terminal.shows("koshin-ticket:1?").shows("\u{2588}");
    let screen = terminal.ends(0);
    let begin = screen.find("koshin-ticket:1?").unwrap();
    let ticket = screen[begin..].split_whitespace().next().unwrap();

    let newcomer = Customer::new(&bank, None);
    let enroll = format!("enroll --trust {}", newcomer.roots.display());
    let mut terminal = Terminal::run(&newcomer, &enroll);
    terminal.shows("not shown").types_secret(ticket).shows(name).shows("[y/n]").types("n");
    terminal.ends(11);
    assert!(!newcomer.path("home").exists());
    let mut terminal = Terminal::run(&newcomer, &enroll);
    terminal.shows("not shown").types_secret(ticket).shows("[y/n]").types("y");
    terminal.shows("[1]:").types("1").shows("PIN (").types_secret(PIN);
    terminal.shows("Use it from now on?").types("y").shows("The enrollment is complete.");
    let screen = terminal.ends(0);
    assert!(!screen.contains("koshin-ticket:1"), "{screen}");
}
