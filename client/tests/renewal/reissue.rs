//! The code of a reissue: made here, handed over once, and never sent; the ticket that carries it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use koshin_client::consent::{AskEnrollment, AskKey, AskPin, Choice, Consent};
use koshin_client::error::{Declined, Error};
use koshin_client::{Client, Later};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::notice::Notice;
use koshin_protocol::pin::Pin;

use crate::scene::{Bank, renewed, wire};
use crate::session::payloads;

// [REI-33]
#[tokio::test]
async fn a_reissue_whose_answer_was_lost_is_asked_for_again_with_the_same_id_and_key() {
    let bank = Bank::open().await;
    let (admin, (made, _)) = (bank.administrator().await, bank.known_user().await);
    let wire = wire();
    let seen = payloads(&wire, "new-reissue");
    wire.lose("new-reissue", 1);
    let ticket = bank.ticket(&admin.by(wire).await, &made.subject).await;
    {
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0], seen[1]);
    }
    renewed(bank.person("again", None).client().await.enroll(&ticket).await);
}

/// The code of a ticket without its check symbol, which a ticket's text may have percent-encoded.
fn code(ticket: &koshin_protocol::ticket::Ticket) -> String {
    ticket.code.to_compact()[..26].to_owned()
}

// [REI-31] [REI-32]
#[tokio::test]
async fn a_code_is_new_each_time_and_neither_sent_nor_kept() {
    let bank = Bank::open().await;
    let (admin, (made, _)) = (bank.administrator().await, bank.known_user().await);
    let wire = wire();
    let seen = payloads(&wire, "");
    let client = admin.by(wire).await;
    let mut codes = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let ticket = bank.ticket(&client, &made.subject).await;
        let code = code(&ticket);
        let sent = format!("{:?}", seen.lock().unwrap());
        assert!(sent.contains("enrollmentKey") && !sent.contains(&code), "sent");
        codes.insert(code);
    }
    assert_eq!(codes.len(), 4);
    drop(client);
    for file in files(&admin.folder) {
        let content = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert!(codes.iter().all(|code| !content.contains(code)), "{}", file.display());
    }
    let events = format!("{:?}", admin.events.lock().unwrap());
    assert!(codes.iter().all(|code| !events.contains(code)), "told");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !path.is_symlink());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Somebody who looks at the ticket and does not like it.
#[derive(Debug, Default)]
struct Doubtful {
    shown: Arc<Mutex<Vec<AskEnrollment>>>,
}

impl Consent for Doubtful {
    fn pin<'a>(&'a self, _: &'a AskPin) -> Later<'a, Option<Pin>> {
        Box::pin(async { None })
    }

    fn notice<'a>(&'a self, _: &'a Notice) -> Later<'a, Choice> {
        Box::pin(async { Choice::Renew })
    }

    fn make_key<'a>(&'a self, _: &'a AskKey) -> Later<'a, bool> {
        Box::pin(async { true })
    }

    fn install<'a>(&'a self, _: &'a Certificate) -> Later<'a, bool> {
        Box::pin(async { true })
    }

    fn enroll<'a>(&'a self, ask: &'a AskEnrollment) -> Later<'a, bool> {
        self.shown.lock().unwrap().push(ask.clone());
        Box::pin(async { false })
    }
}

// [COD-12]
#[tokio::test]
async fn a_tickets_bank_and_name_are_shown_and_accepted_before_anything_is_sent() {
    let bank = Bank::open().await;
    let (admin, (made, _)) = (bank.administrator().await, bank.known_user().await);
    let ticket = bank.ticket(&admin.client().await, &made.subject).await;
    let (again, wire, doubtful) = (bank.person("again", None), wire(), Doubtful::default());
    let shown = Arc::clone(&doubtful.shown);
    let client = Client::builder(again.identity()).consent(doubtful).transport(wire.clone());
    let error = client.build().await.unwrap().enroll(&ticket).await.unwrap_err();
    assert!(matches!(error, Error::Declined(Declined::Enroll)), "{error:?}");
    let shown = shown.lock().unwrap();
    assert_eq!((&shown[0].directory, &shown[0].name), (&ticket.directory, &ticket.name));
    assert!(wire.sent().is_empty());
    assert!(again.identity().resume().unwrap().is_empty(), "no key is made");
}
