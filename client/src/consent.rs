//! Asking the person: the PIN, renew or defer, and the two consents (SPEC.md CLI-15, NTC-12, COD-12).
//!
//! A program with its own windows implements [`Consent`]; [`Unattended`] answers for nobody.

use std::fmt;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::notice::Notice;
use koshin_protocol::pin::{Pin, PinRule};
use koshin_protocol::subject::SubjectName;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;

use crate::Later;

/// Whoever answers for the user. Every answer may take as long as it takes; dropping a question leaves a state that can be
/// resumed.
pub trait Consent: Send + Sync + fmt::Debug {
    /// The PIN (利用者暗証番号); `None`: the user has none, or does not want to give it. It is never stored.
    fn pin<'a>(&'a self, ask: &'a AskPin) -> Later<'a, Option<Pin>>;

    /// Whether to renew now or at a later logon. Asked only while the bank lets the user defer.
    fn notice<'a>(&'a self, notice: &'a Notice) -> Later<'a, Choice>;

    /// The first consent: whether a new key may be made and the renewal ordered.
    fn make_key<'a>(&'a self, ask: &'a AskKey) -> Later<'a, bool>;

    /// The second consent: whether to switch to the new certificate. Refused, everything stays as it is, and the renewal
    /// may be resumed or canceled.
    fn install<'a>(&'a self, certificate: &'a Certificate) -> Later<'a, bool>;

    /// Whether to enroll at the bank, and under the name, that a ticket shows.
    fn enroll<'a>(&'a self, ask: &'a AskEnrollment) -> Later<'a, bool>;
}

/// What is known when a PIN is asked for.
#[derive(Clone, Debug)]
pub struct AskPin {
    /// The bank's rule, where it has one.
    pub rule: Option<PinRule>,
    /// The PIN before was wrong, and so many wrong ones are left until the lock.
    pub attempts_left: Option<u32>,
}

/// Renew, or be reminded at the next logon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Now.
    Renew,
    /// 次回ログイン時に更新する.
    Defer,
}

/// What is about to be ordered.
#[derive(Clone, Debug)]
pub struct AskKey {
    /// The certificate to be replaced.
    pub replaces: CertId,
    /// Its last second.
    pub expires: Time,
    /// Where the new key will be kept (格納先).
    pub key_store: String,
}

/// What a ticket says, without its code.
#[derive(Clone, Debug)]
pub struct AskEnrollment {
    /// The bank's directory.
    pub directory: Url,
    /// The name that the certificate will have.
    pub name: SubjectName,
}

/// Answers where nobody is present: consents were given in advance, nothing is deferred, and the PIN is the one given here.
#[derive(Debug, Default)]
pub struct Unattended {
    pin: Option<Pin>,
}

impl Unattended {
    /// With the PIN, if the subject has one.
    pub fn new(pin: Option<Pin>) -> Self {
        Self { pin }
    }
}

impl Consent for Unattended {
    fn pin<'a>(&'a self, _: &'a AskPin) -> Later<'a, Option<Pin>> {
        Box::pin(async { self.pin.clone() })
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

    fn enroll<'a>(&'a self, _: &'a AskEnrollment) -> Later<'a, bool> {
        Box::pin(async { true })
    }
}
