//! A desktop program asks its user with prompts of its own; here, at a terminal.
//!
//! ```text
//! cargo run --example desktop -- IDENTITY-FOLDER
//! ```

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;

use koshin_client::consent::{AskEnrollment, AskKey, AskPin, Choice, Consent};
use koshin_client::environment;
use koshin_client::files::Real;
use koshin_client::identity::Identity;
use koshin_client::keystore::FileStore;
use koshin_client::progress::Event;
use koshin_client::{Class, Client, Error, Later, Outcome, Renewal};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::notice::Notice;
use koshin_protocol::pin::Pin;

/// A real program opens its windows here, and completes the futures when they are answered.
#[derive(Debug)]
struct Prompts;

impl Consent for Prompts {
    fn pin<'a>(&'a self, ask: &'a AskPin) -> Later<'a, Option<Pin>> {
        let left = ask.attempts_left.map(|left| format!(" ({left} left)")).unwrap_or_default();
        answer(format!("PIN{left}: "), |text| (!text.is_empty()).then(|| Pin::new(text)))
    }

    fn notice<'a>(&'a self, notice: &'a Notice) -> Later<'a, Choice> {
        let question = format!("The certificate expires at {}. Renew now? [y/n] ", notice.expires);
        answer(question, |text| if text == "y" { Choice::Renew } else { Choice::Defer })
    }

    fn make_key<'a>(&'a self, ask: &'a AskKey) -> Later<'a, bool> {
        answer(format!("Make a new key in `{}`? [y/n] ", ask.key_store), |text| text == "y")
    }

    fn install<'a>(&'a self, certificate: &'a Certificate) -> Later<'a, bool> {
        let until = certificate.not_after();
        answer(format!("Use the new certificate, valid until {until}? [y/n] "), |text| text == "y")
    }

    fn enroll<'a>(&'a self, ask: &'a AskEnrollment) -> Later<'a, bool> {
        answer(format!("Enroll {} at {}? [y/n] ", ask.name, ask.directory), |text| text == "y")
    }
}

/// Asks on a thread that may block.
fn answer<T: Send + 'static>(
    question: String,
    read: impl Fn(String) -> T + Send + 'static,
) -> Later<'static, T> {
    Box::pin(async move {
        let asked = tokio::task::spawn_blocking(move || {
            print!("{question}");
            io::stdout().flush().ok();
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).ok();
            line.trim().to_owned()
        });
        // No answer is "no".
        let text = asked.await.unwrap_or_default();
        read(text)
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: desktop IDENTITY-FOLDER");
        return ExitCode::from(2);
    };
    match renew(&folder).await {
        Ok(Outcome::Renewed(new)) => println!("Done: valid until {}.", new.certificate.not_after()),
        Ok(Outcome::Deferred { .. }) => println!("You will be asked again at the next logon."),
        Ok(Outcome::Canceled | Outcome::RolledBack) => println!("The old certificate stays."),
        Err(error) => {
            eprintln!("{error}");
            if error.class() == Class::Reissue {
                eprintln!("Ask your administrator, or your branch, for a reissue.");
            }
            return ExitCode::from(error.class().exit_code());
        }
    }
    ExitCode::SUCCESS
}

async fn renew(folder: &str) -> Result<Outcome, Error> {
    let keys = Arc::new(FileStore::plain());
    let identity = Identity::open(Arc::new(Real), keys, folder.as_ref())?;
    let environment = environment::detect("desktop-example", "1.0")
        .map_err(|error| Error::Invalid(error.to_string()))?;
    let client = Client::builder(identity)
        .consent(Prompts)
        .environment(environment)
        .progress(|event: &Event| {
            if let Event::Processing { seconds, .. } = event {
                println!("Please wait, the bank is issuing the certificate ({seconds} s) ...");
            }
        })
        .language(std::env::var("LANG").unwrap_or_default().get(..2).unwrap_or("en"))
        .build()
        .await?;
    client.renew(Renewal::default()).await
}
