//! The renewal: until the client is killed, what is left then, and how another process takes it up.

use std::fs;
use std::path::{Path, PathBuf};

use koshin_client::files::Real;
use koshin_client::journal::Journal;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::state::order;
use serde_json::Value;

use crate::Failure;
use crate::bank::refused;
use crate::client::Action;
use crate::process::Process;
use crate::scene::{LAPTOP, OLD_PC, PIN, Scene};

/// A renewal in the middle of which the client died.
pub(crate) struct Killed {
    /// The order's URL, as the client told it.
    order: String,
    /// The folder of the new key.
    generation: PathBuf,
}

impl Scene {
    /// Renews step by step, and kills the client when the bank has issued and the client has nothing yet.
    pub(crate) fn renew_until_killed(&mut self) -> Result<Killed, Failure> {
        let mut client = Process::start(&self.machine(LAPTOP), Action::Renew)?;
        self.account.act(&format!(
            "{} renews, in a process of its own (pid {})",
            self.user()?.called(),
            client.id()
        ))?;
        let mut generation = None;
        while let Some(said) = client.next()? {
            if said["event"] == "keyMade" {
                generation = Some(self.machine(LAPTOP).join(generation_of(&said)));
            }
            let answer = self.tell(&said)?;
            if said["event"] == "ordered" {
                let order = text(&said, "order").to_owned();
                client.kill()?;
                self.account.step(
                    "kill -9",
                    "right here: the bank has issued the certificate, and the client has not seen it.",
                )?;
                return Ok(Killed { order, generation: generation.ok_or("the order has a key")? });
            }
            client.answer(answer)?;
        }
        Err("the client ended before it had an order".into())
    }

    /// Looks at the files alone, and asks the bank.
    pub(crate) fn look_at_what_is_left(&mut self, killed: &Killed) -> Result<(), Failure> {
        self.account.act("What the kill left behind")?;
        let current = fs::read_link(self.machine(LAPTOP).join("current"))?;
        let old = self.user()?.certificate();
        if self.current_of(LAPTOP)? != *old {
            return Err("the old certificate is not the current one any more".into());
        }
        let client = self.client_of(OLD_PC, "en")?;
        self.runtime.block_on(async { client.log_on().await?.log_off().await })?;
        self.account.step(
            "current",
            &format!(
                "points to {}, the old pair, which the bank still accepts.",
                current.display()
            ),
        )?;
        let journal =
            Journal::read(&Real, &killed.generation)?.ok_or("the journal is not there")?;
        let order =
            self.runtime.block_on(self.bank()?.running.bank().store.order_by_key(journal.key));
        let order = order.map_err(refused)?.ok_or("the bank has no order of this key")?;
        if !matches!(order.state, order::Order::Valid(_)) {
            return Err(format!("the order is not issued: {:?}", order.state).into());
        }
        self.account.step(
            "beside it",
            &format!(
                "the new key, on disk before the bank heard of it: generations/{} with {}.",
                name(&killed.generation),
                list(&killed.generation)?
            ),
        )?;
        Ok(self.account.step("the bank", "has one order, of that key, with one certificate.")?)
    }

    /// Another process, which knows nothing but the folder. The answer is the new certificate.
    pub(crate) fn resume(&mut self, killed: &Killed) -> Result<Certificate, Failure> {
        let mut client = Process::start(&self.machine(LAPTOP), Action::Resume)?;
        self.account.act(&format!("The client starts again (pid {})", client.id()))?;
        let mut confirmed = None;
        while let Some(said) = client.next()? {
            if said["event"] == "confirmed" {
                confirmed = Some(text(&said, "order").to_owned());
            }
            let answer = self.tell(&said)?;
            client.answer(answer)?;
        }
        let status = client.end()?;
        if !status.success() || confirmed.as_ref() != Some(&killed.order) {
            return Err(format!("the client ended with {status}, confirmed: {confirmed:?}").into());
        }
        self.current_of(LAPTOP)
    }

    /// Says what the client says, and what the user answers to a question.
    fn tell(&self, said: &Value) -> Result<&'static str, Failure> {
        let step = |word: &str, what: &str| self.account.step(word, what);
        match text(said, "event") {
            "pin?" => return Ok(PIN),
            "now?" => {
                step("choice", "Renew now, or at the next logon? Now.")?;
                return Ok("yes");
            }
            "makeKey?" => {
                step("consent 1", "A new key, kept in a file? Yes.")?;
                return Ok("yes");
            }
            "install?" => {
                step("consent 2", "Use the new certificate from now on? Yes.")?;
                return Ok("yes");
            }
            "loggedOn" => step("logon", "by the old certificate and the PIN: accepted.")?,
            "notice" => step(
                "notice",
                &format!(
                    "the certificate expires at {}; it may be renewed since {}.",
                    text(said, "expires"),
                    text(said, "opens")
                ),
            )?,
            "keyMade" => step(
                "key",
                &format!(
                    "made, and durable in {} before anything is sent.",
                    generation_of(said).display()
                ),
            )?,
            "ordered" => step("order", text(said, "order"))?,
            "resuming" => step(
                "resume",
                &format!(
                    "{}, whose journal has the order: no second one, and no PIN, since the new key speaks for itself.",
                    generation_of(said).display()
                ),
            )?,
            "received" => step(
                "receive",
                &format!(
                    "the certificate, valid until {}; its key, name, dates and path to the bank's root are right.",
                    text(said, "notAfter")
                ),
            )?,
            "installed" => step("switch", "`current` points to the new pair, by one rename.")?,
            "confirmed" => step(
                "confirm",
                &format!(
                    "by the new key: from now on it counts, and the old one does not. It may be taken back until {}.",
                    text(said, "rollbackUntil")
                ),
            )?,
            "waiting" => step("wait", text(said, "reason"))?,
            other => step(other, "")?,
        }
        Ok("")
    }
}

fn text<'a>(said: &'a Value, member: &str) -> &'a str {
    said[member].as_str().unwrap_or_default()
}

/// The folder of a generation in an identity's.
fn generation_of(said: &Value) -> PathBuf {
    Path::new("generations").join(said["generation"].to_string())
}

fn name(generation: &Path) -> String {
    generation.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files in a folder.
fn list(folder: &Path) -> Result<String, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.join(", "))
}
