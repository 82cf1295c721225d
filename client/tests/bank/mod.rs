//! A bank in memory, which outlives every crash of its client and watches what the client's disk would still hold.

#![allow(clippy::unwrap_used, reason = "a broken invariant of the harness is a failed test")]

use std::cell::RefCell;
use std::path::Path;

use koshin_client::files::Files;
use koshin_client::identity::Expected;
use koshin_client::keystore::PrivateKey;
use koshin_client::pem;
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::certificate::{Attribute, Certificate, KeyUsages, Kind, Name, Profile};
use koshin_protocol::csr::Csr;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::sign::Signer;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use koshin_protocol::verify::default_verifier;

use super::FOLDER;
use super::disk::Disk;

const NOW: i64 = 1_795_000_000;
const DAY: i64 = 86_400;

/// How the bank delivers certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// As it should.
    Right,
    /// The first fetch gets a certificate of another key.
    ForeignFirst,
}

pub(crate) struct Bank {
    key: PrivateKey,
    root: Certificate,
    subject: Name,
    old_key: Vec<u8>,
    old: Certificate,
    delivery: Delivery,
    state: RefCell<State>,
}

/// How an order came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// Canceled before it was confirmed.
    Canceled,
    /// Rolled back after it was confirmed.
    RolledBack,
}

#[derive(Default)]
struct State {
    issued: Option<Certificate>,
    fetched: usize,
    confirmed: bool,
    undone: Option<Undone>,
    disk: Option<Disk>,
    complaint: Option<String>,
}

fn time(seconds: i64) -> Time {
    Time::from_unix(seconds).unwrap()
}

/// The time of the bank and of everybody else here.
pub(crate) fn now() -> Time {
    time(NOW)
}

fn name(text: &str) -> Name {
    Name::new(&[(Attribute::CommonName, text)]).unwrap()
}

impl Bank {
    pub(crate) fn new(delivery: Delivery) -> Self {
        let key = PrivateKey::generate(KeyType::P256).unwrap();
        let root_name = name("Root");
        let root = Profile {
            serial: &[1],
            issuer: &root_name,
            not_before: time(NOW - 400 * DAY),
            not_after: time(NOW + 4000 * DAY),
            subject: &root_name,
            key: key.public_key(),
            kind: Kind::Authority { path_length: None },
            key_usages: KeyUsages::AUTHORITY,
            extended_key_usages: &[],
            authority_key_id: None,
            crl: &[],
        };
        let root = root.sign(&key).unwrap();
        let subject = name("Taro");
        let old_pair = PrivateKey::generate(KeyType::P256).unwrap();
        let old = issue(&key, &root, &subject, old_pair.public_key(), 2, 20);
        let old_key = old_pair.pkcs8_der().to_vec();
        Self { key, root, subject, old_key, old, delivery, state: RefCell::default() }
    }

    /// The same bank before any order.
    pub(crate) fn again(&self) -> Self {
        Self {
            key: PrivateKey::from_pkcs8_der(self.key.pkcs8_der()).unwrap(),
            root: self.root.clone(),
            subject: self.subject.clone(),
            old_key: self.old_key.clone(),
            old: self.old.clone(),
            delivery: self.delivery,
            state: RefCell::default(),
        }
    }

    /// The client's disk, to be looked at when a request arrives.
    pub(crate) fn watch(&self, disk: &Disk) {
        self.state.borrow_mut().disk = Some(disk.clone());
    }

    pub(crate) fn root(&self) -> &Certificate {
        &self.root
    }

    pub(crate) fn old(&self) -> &Certificate {
        &self.old
    }

    pub(crate) fn old_key(&self) -> &[u8] {
        &self.old_key
    }

    pub(crate) fn subject(&self) -> &Name {
        &self.subject
    }

    pub(crate) fn expected<'a>(&'a self, anchors: &'a [Certificate]) -> Expected<'a> {
        Expected { anchors, now: now(), subject: &self.subject }
    }

    /// newOrder: one key, one order. Complains if the key would not survive a power loss now, or if it is a second key.
    pub(crate) fn order(&self, csr: &[u8]) -> Url {
        let csr = Csr::from_der(csr, default_verifier()).unwrap();
        let issued = self.state.borrow().issued.clone();
        match issued {
            Some(issued) if issued.key() != csr.key() => {
                self.complain("a second key was ordered while the first order was open".to_owned());
            }
            Some(_) => {}
            None => {
                let issued = issue(&self.key, &self.root, &self.subject, csr.key(), 3, 400);
                self.state.borrow_mut().issued = Some(issued);
            }
        }
        self.look("the ordered key", Self::ordered_keys_are_on);
        "https://bank.example/order/AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap()
    }

    /// The certificate of the order, leaf first.
    pub(crate) fn certificate(&self, _order: &Url) -> Vec<Certificate> {
        let mut state = self.state.borrow_mut();
        state.fetched += 1;
        if self.delivery == Delivery::ForeignFirst && state.fetched == 1 {
            let other = PrivateKey::generate(KeyType::P256).unwrap();
            return vec![issue(&self.key, &self.root, &self.subject, other.public_key(), 4, 400)];
        }
        vec![state.issued.clone().expect("an order came before")]
    }

    /// confirm, signed by the new key. From now on the old pair is worth nothing.
    pub(crate) fn confirm(&self, certificate: &Certificate) {
        let issued = self.state.borrow().issued.clone();
        if issued.as_ref() != Some(certificate) {
            self.complain("a foreign certificate confirmed".to_owned());
            return;
        }
        self.state.borrow_mut().confirmed = true;
        self.look("the confirmed pair", Self::usable);
    }

    /// cancel: the new certificate is revoked. The client is back at the old one already.
    pub(crate) fn cancel(&self) {
        self.state.borrow_mut().undone = Some(Undone::Canceled);
        self.look("the pair after a cancel", Self::usable);
    }

    /// rollback: the new certificate is revoked, the old one counts again.
    pub(crate) fn roll_back(&self) {
        self.state.borrow_mut().undone = Some(Undone::RolledBack);
    }

    pub(crate) fn undone(&self) -> Option<Undone> {
        self.state.borrow().undone
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.state.borrow().confirmed
    }

    /// What was seen that must not be.
    pub(crate) fn complaint(&self) -> Result<(), String> {
        self.state.borrow().complaint.clone().map_or(Ok(()), Err)
    }

    /// Follows `current` by itself, and asks whether the bank takes the pair that is there. Right after a rollback `current`
    /// is still the new pair, until the client has heard the answer: then the old one must stand beside it.
    pub(crate) fn usable(&self, disk: &Disk) -> Result<(), String> {
        let folder = Path::new(FOLDER);
        let disk = disk.copy();
        let target = disk.read_link(&folder.join("current"));
        let target = folder.join(target.map_err(|error| format!("current is gone: {error}"))?);
        let certificate = pair(&disk, &target)?;
        let state = self.state.borrow();
        let is_new = state.issued.as_ref() == Some(&certificate);
        let known = match state.undone {
            Some(Undone::Canceled) => certificate == self.old,
            Some(Undone::RolledBack) => {
                is_new && pair(&disk, &folder.join("generations/1"))? == self.old
                    || certificate == self.old
            }
            None if state.confirmed => is_new,
            None => is_new || certificate == self.old,
        };
        if known { Ok(()) } else { Err("the bank does not take the pair of current".to_owned()) }
    }

    /// Whether the key of the order is in some generation.
    pub(crate) fn ordered_keys_are_on(&self, disk: &Disk) -> Result<(), String> {
        let Some(issued) = self.state.borrow().issued.clone() else { return Ok(()) };
        let disk = disk.copy();
        let generations = Path::new(FOLDER).join("generations");
        for name in disk.list(&generations).map_err(|error| error.to_string())? {
            let key = disk.read(&generations.join(name).join("key.pem"));
            let key = key.ok().and_then(|content| read_key(&content));
            if key.is_some_and(|key| key.public_key() == issued.key()) {
                return Ok(());
            }
        }
        Err("the key that the bank has an order for is lost".to_owned())
    }

    /// Looks at what a power loss at this very instant would leave.
    fn look(&self, what: &str, check: fn(&Self, &Disk) -> Result<(), String>) {
        let disk = self.state.borrow().disk.clone();
        let Some(disk) = disk else { return };
        let disk = disk.copy();
        disk.lose_power(0);
        if let Err(loss) = check(self, &disk) {
            self.complain(format!("{what} was not durable when the bank heard of it: {loss}"));
        }
    }

    fn complain(&self, complaint: String) {
        self.state.borrow_mut().complaint.get_or_insert(complaint);
    }
}

fn issue(
    key: &PrivateKey,
    root: &Certificate,
    subject: &Name,
    public: &PublicKey,
    serial: u8,
    days: i64,
) -> Certificate {
    let client_auth = "1.3.6.1.5.5.7.3.2".parse().unwrap();
    let profile = Profile {
        serial: &[serial],
        issuer: root.subject(),
        not_before: time(NOW - DAY),
        not_after: time(NOW + days * DAY),
        subject,
        key: public,
        kind: Kind::Leaf,
        key_usages: KeyUsages::DIGITAL_SIGNATURE,
        extended_key_usages: &[client_auth],
        authority_key_id: root.subject_key_id(),
        crl: &[],
    };
    profile.sign(key).unwrap()
}

/// The certificate of the pair in a folder, if it is one.
fn pair(disk: &Disk, folder: &Path) -> Result<Certificate, String> {
    let key = disk.read(&folder.join("key.pem"));
    let key = key.ok().and_then(|content| read_key(&content));
    let key = key.ok_or("the key of current is gone or torn")?;
    let certificate = disk.read(&folder.join("certificate.pem"));
    let certificate = certificate.ok().and_then(|content| read_certificate(&content));
    let certificate = certificate.ok_or("the certificate of current is gone or torn")?;
    if certificate.key() == key.public_key() {
        Ok(certificate)
    } else {
        Err("key and certificate of current do not belong together".to_owned())
    }
}

fn read_key(content: &[u8]) -> Option<PrivateKey> {
    let sections = pem::sections(content).ok()?;
    PrivateKey::from_pkcs8_der(&sections.first()?.der).ok()
}

fn read_certificate(content: &[u8]) -> Option<Certificate> {
    let sections = pem::sections(content).ok()?;
    Certificate::from_der(&sections.first()?.der).ok()
}
