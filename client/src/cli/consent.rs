//! Asking the person at the terminal, in the order of the bank's own procedure (電子証明書更新手続き), or nobody.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use koshin_client::Later;
use koshin_client::consent::{AskEnrollment, AskKey, AskPin, Choice, Consent};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::notice::Notice;
use koshin_protocol::pin::{Pin, PinRule};

use super::failure::Failure;
use super::output::Output;
use super::say::Say;
use super::secret::{self, PinSource};

/// Consents given in advance.
#[derive(Debug, Default, Args)]
pub(crate) struct Agreed {
    /// Consent in advance to the new key and to the new certificate, and defer nothing
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Answers for the user: by what was given in advance, else by asking.
pub(crate) struct Person {
    output: Arc<Output>,
    is_agreed: bool,
    has_accepted_ticket: bool,
    /// The PIN that was given in advance, or typed in, as long as the program runs.
    pin: Mutex<Option<Pin>>,
}

impl Person {
    /// Somebody whose consents may be needed; refused where nobody is there to give them.
    pub(crate) fn new(
        output: &Arc<Output>,
        agreed: &Agreed,
        pin: &PinSource,
    ) -> Result<Self, Failure> {
        possible(output, agreed)?;
        Self::with_pin_only(output, pin).map(|person| Self { is_agreed: agreed.yes, ..person })
    }

    /// Somebody who is asked for the PIN alone.
    pub(crate) fn with_pin_only(output: &Arc<Output>, pin: &PinSource) -> Result<Self, Failure> {
        let pin = Mutex::new(pin.find()?);
        let output = Arc::clone(output);
        Ok(Self { output, is_agreed: false, has_accepted_ticket: false, pin })
    }

    /// The same, after the ticket was shown and accepted.
    pub(crate) fn with_accepted_ticket(self) -> Self {
        Self { has_accepted_ticket: true, ..self }
    }

    fn ask_pin(&self, ask: &AskPin) -> Option<Pin> {
        let given = self.pin.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if given.is_some() && (ask.attempts_left.is_none() || !self.output.is_attended()) {
            return given;
        }
        if !self.output.is_attended() {
            return None;
        }
        if let Some(left) = ask.attempts_left {
            self.output.note(&Say::PinWasWrong { left });
        }
        let lengths = ask.rule.map(|rule| (rule.min_length(), rule.max_length()));
        let is_needed = ask.rule.is_some_and(PinRule::required);
        loop {
            let typed = secret::typed(&self.output, &Say::AskPin { lengths }).ok()?;
            if typed.is_empty() && !is_needed {
                return None;
            }
            let pin = Pin::new(String::clone(&typed));
            // What the bank's rule cannot admit would only count as a wrong one.
            if ask.rule.is_none_or(|rule| rule.admits(&pin)) {
                *self.pin.lock().unwrap_or_else(PoisonError::into_inner) = Some(pin.clone());
                return Some(pin);
            }
            if typed.is_empty() {
                return None;
            }
            self.output.note(&Say::NoSuchPin);
        }
    }

    fn ask_notice(&self, notice: &Notice) -> Choice {
        if self.is_agreed || !self.output.is_attended() {
            return Choice::Renew;
        }
        let deferrals = notice.deferred.map_or(0, |deferred| deferred.count.get());
        let (expires, closes) = (notice.expires, notice.window.end());
        self.output.note(&Say::Notice { expires, closes, deferrals });
        loop {
            match answer(&self.output, &Say::AskRenewOrDefer).as_deref() {
                // Where the terminal is gone, no consent to the new key follows, and nothing is changed.
                Some("" | "1") | None => return Choice::Renew,
                Some("2") => return Choice::Defer,
                Some(_) => self.output.note(&Say::AnswerOneOrTwo),
            }
        }
    }

    fn agrees(&self, question: &Say) -> bool {
        self.is_agreed || yes_or_no(&self.output, question)
    }
}

/// Refused where consent was not given in advance and nobody is there to give it.
pub(crate) fn possible(output: &Output, agreed: &Agreed) -> Result<(), Failure> {
    if agreed.yes || output.is_attended() {
        Ok(())
    } else {
        Err(Failure::usage(Say::ConsentNeeded))
    }
}

/// Asks whether to go on, unless that was said in advance.
pub(crate) fn sure(output: &Output, agreed: &Agreed, question: &Say) -> Result<(), Failure> {
    possible(output, agreed)?;
    if agreed.yes || yes_or_no(output, question) {
        Ok(())
    } else {
        Err(Failure::act(Say::NotAgreed))
    }
}

/// Asks until the answer is yes or no; no answer is no.
pub(crate) fn yes_or_no(output: &Output, question: &Say) -> bool {
    if !output.is_attended() {
        return false;
    }
    loop {
        match answer(output, question).as_deref() {
            Some("y" | "yes" | "はい") => return true,
            Some("n" | "no" | "いいえ" | "") | None => return false,
            Some(_) => output.note(&Say::AnswerYesOrNo),
        }
    }
}

/// Asks for a line; `None`: there is none to be had.
pub(crate) fn answer(output: &Output, question: &Say) -> Option<String> {
    output.rest();
    let mut err = io::stderr();
    write!(err, "{}", output.tongue().say(question)).and_then(|()| err.flush()).ok()?;
    let mut line = String::new();
    match io::stdin().read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(half_width(line.trim()).to_lowercase()),
    }
}

/// A Japanese input method that is on types `ｙ` and `１`.
fn half_width(text: &str) -> String {
    const OFFSET: u32 = 0xFF01 - 0x21;
    let half = |character| match character {
        '！'..='～' => char::from_u32(u32::from(character) - OFFSET).unwrap_or(character),
        other => other,
    };
    text.chars().map(half).collect()
}

impl Consent for Person {
    fn pin<'a>(&'a self, ask: &'a AskPin) -> Later<'a, Option<Pin>> {
        Box::pin(async { self.ask_pin(ask) })
    }

    fn notice<'a>(&'a self, notice: &'a Notice) -> Later<'a, Choice> {
        Box::pin(async { self.ask_notice(notice) })
    }

    fn make_key<'a>(&'a self, ask: &'a AskKey) -> Later<'a, bool> {
        let (expires, key_store) = (ask.expires, ask.key_store.clone());
        Box::pin(async move { self.agrees(&Say::AskMakeKey { expires, key_store }) })
    }

    fn install<'a>(&'a self, certificate: &'a Certificate) -> Later<'a, bool> {
        let (subject, until) = (certificate.subject().to_string(), certificate.not_after());
        Box::pin(async move { self.agrees(&Say::AskInstall { subject, until }) })
    }

    fn enroll<'a>(&'a self, ask: &'a AskEnrollment) -> Later<'a, bool> {
        let (directory, name) = (ask.directory.to_string(), ask.name.to_string());
        Box::pin(async move {
            self.has_accepted_ticket || self.agrees(&Say::AskEnroll { directory, name })
        })
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("is_agreed", &self.is_agreed).finish_non_exhaustive()
    }
}
