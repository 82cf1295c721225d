//! A store in a folder of its own, with a CA for it and a clock that tests move.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Sequence};
use koshin_protocol::algorithm::{Algorithm, X509Algorithm};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{
    Attribute, Certificate, KeyUsages, Kind, Name, Profile, key_id,
};
use koshin_protocol::jwk::{PublicKey, Thumbprint};
use koshin_protocol::sign::{Es256Key, Signer};
use koshin_protocol::state::order::Finality;
use koshin_protocol::time::{Period, Time};
use koshin_server::ca::{Authority, Crl, Entry, Reason as CrlReason};
use koshin_server::config::Origin;
use koshin_server::rule::command::{
    Actor, Confirm, Enroll, Import, ImportOutcome, LogOn, LoggedOn, NewContract, NewReissue,
    PinCheck, PlaceOrder, Placed, Revoke, Signed, Undo,
};
use koshin_server::id::{ContractId, Fingerprint, OrderId, ReissueId, SessionId, SubjectId};
use koshin_server::rule::row::{OrderRow, Purpose, Reason, ReissueRow, Role};
use koshin_server::store::crl::RevocationRow;
use koshin_server::store::sqlite::Sqlite;
use koshin_server::registry::{Failure, Registry};
use koshin_server::rule::refused::Refused;
use tempfile::TempDir;

/// 2026-01-01T00:00:00Z
pub const START: i64 = 1_767_225_600;
pub const DAY: i64 = 86_400;
pub const ROLLBACK: Period = Period::from_days(7);

pub fn at(seconds: i64) -> Time {
    Time::from_unix(seconds).expect("a time")
}

/// The `n`th key of the tests: the same in every run.
pub fn key(n: u64) -> PublicKey {
    signer(n).public_key().clone()
}

fn random() -> [u8; 8] {
    *OrderId::random().as_bytes().first_chunk().expect("16 bytes")
}

fn signer(n: u64) -> Es256Key {
    let mut scalar = [1; 32];
    scalar[24..].copy_from_slice(&n.to_be_bytes());
    Es256Key::from_scalar(&scalar).expect("a scalar")
}

pub fn thumbprint(n: u64) -> Thumbprint {
    key(n).thumbprint()
}

pub fn name(text: &str) -> Name {
    Name::new(&[(Attribute::CommonName, text)]).expect("a name")
}

/// Signs certificates as a CA does.
pub struct Ca {
    signer: Es256Key,
    name: Name,
    /// Apart from every other CA of the tests, in whatever process.
    base: [u8; 8],
    serial: AtomicU64,
}

#[derive(Sequence)]
struct SignedList<'a> {
    tbs: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

impl Ca {
    pub fn new() -> Self {
        Self {
            signer: signer(u64::MAX),
            name: name("Test CA"),
            base: random(),
            serial: AtomicU64::new(1),
        }
    }

    /// Its own certificate.
    pub fn certificate(&self) -> Certificate {
        let profile = Profile {
            serial: &[1],
            issuer: &self.name,
            not_before: at(START - 3650 * DAY),
            not_after: at(START + 3650 * DAY),
            subject: &self.name,
            key: self.signer.public_key(),
            kind: Kind::Authority { path_length: None },
            key_usages: KeyUsages::AUTHORITY,
            extended_key_usages: &[],
            authority_key_id: None,
            crl: &[],
        };
        profile.sign(&self.signer).expect("a certificate")
    }

    /// A CRL in DER.
    pub fn crl(&self, number: u64, now: Time, revoked: &[RevocationRow]) -> Vec<u8> {
        let own = self.certificate();
        let origin = Origin::parse("https://bank.example").expect("an origin");
        let authority = Authority::new(own.clone(), vec![own], Algorithm::Es256, &origin);
        let authority = authority.expect("an authority");
        let entries = revoked.iter().map(|row| Entry {
            serial: &row.serial,
            revoked_at: row.revoked_at,
            reason: row.crl_reason.and_then(CrlReason::from_code),
        });
        let list = Crl::new(&authority, number, now, Period::from_days(7), entries);
        let list = list.expect("a list");
        let signature = self.signer.sign(list.tbs()).expect("signed");
        let signature = p256::ecdsa::Signature::from_slice(&signature).expect("r and s").to_der();
        let algorithm = X509Algorithm::EcdsaSha256.to_der();
        SignedList {
            tbs: AnyRef::from_der(list.tbs()).expect("DER"),
            algorithm: AnyRef::from_der(&algorithm).expect("DER"),
            signature: BitStringRef::from_bytes(signature.as_bytes()).expect("a bit string"),
        }
        .to_der()
        .expect("DER")
    }

    /// The first part of its certificates' certIDs.
    pub fn id(&self) -> Vec<u8> {
        key_id(self.signer.public_key()).to_vec()
    }

    pub fn sign(&self, subject: &Name, n: u64, validity: (i64, i64)) -> Certificate {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        self.sign_with(subject, n, validity, serial)
    }

    pub fn sign_with(
        &self,
        subject: &Name,
        n: u64,
        (not_before, not_after): (i64, i64),
        serial: u64,
    ) -> Certificate {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.base);
        bytes[0] = 0x40;
        bytes[8..].copy_from_slice(&serial.to_be_bytes());
        let id = self.id();
        let profile = Profile {
            serial: &bytes,
            issuer: &self.name,
            not_before: at(not_before),
            not_after: at(not_after),
            subject,
            key: &key(n),
            kind: Kind::Leaf,
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: &[],
            authority_key_id: Some(&id),
            crl: &[],
        };
        profile.sign(&self.signer).expect("a certificate")
    }
}

/// A store, its CA and its clock.
pub struct Bank {
    folder: PathBuf,
    /// Removed with the bank, unless the folder is somebody else's.
    _temporary: Option<TempDir>,
    pub store: Arc<Registry>,
    pub sqlite: Arc<Sqlite>,
    pub ca: Ca,
    clock: AtomicI64,
    keys: AtomicU64,
    pub contract: ContractId,
}

/// A subject with its current certificate.
#[derive(Clone)]
pub struct Person {
    pub subject: SubjectId,
    pub name: Name,
    pub certificate: Certificate,
}

impl Person {
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.certificate)
    }

    pub fn cert_id(&self) -> CertId {
        CertId::of(&self.certificate)
    }
}

pub fn fingerprint(certificate: &Certificate) -> Fingerprint {
    Fingerprint::from_bytes(certificate.fingerprint())
}

pub fn refused<T: std::fmt::Debug>(answer: Result<T, Failure>) -> Refused {
    match answer {
        Err(Failure::Refused(refused)) => *refused,
        other => panic!("not refused: {other:?}"),
    }
}

/// The token's word of a refusal.
pub fn token<T: std::fmt::Debug>(answer: Result<T, Failure>) -> &'static str {
    refused(answer).token().map_or("operator", |token| token.as_str())
}

impl Bank {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_owned();
        Self::with(path, Some(folder)).await
    }

    /// A bank in a folder that stays, with what is in it.
    pub async fn at(folder: &Path) -> Self {
        Self::with(folder.to_owned(), None).await
    }

    async fn with(folder: PathBuf, temporary: Option<TempDir>) -> Self {
        let sqlite = Arc::new(Sqlite::open(folder.join("koshin.db")).expect("a store"));
        let store = Arc::new(Registry::new(Arc::clone(&sqlite) as _));
        let bank = Self {
            folder,
            _temporary: temporary,
            store,
            sqlite,
            ca: Ca::new(),
            clock: AtomicI64::new(START),
            keys: AtomicU64::new(1),
            contract: ContractId::from_bytes([1; 16]),
        };
        let new = NewContract { id: bank.contract, name: "株式会社テスト".to_owned() };
        bank.store.add_contract(new, Actor::Bank, bank.now()).await.expect("a contract");
        bank
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A key that no other process has.
    pub fn fresh_key() -> u64 {
        u64::from_be_bytes(random())
    }

    pub fn now(&self) -> Time {
        at(self.clock.load(Ordering::Relaxed))
    }

    pub fn set(&self, seconds: i64) {
        self.clock.store(seconds, Ordering::Relaxed);
    }

    pub fn wait(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn new_key(&self) -> u64 {
        self.keys.fetch_add(1, Ordering::Relaxed)
    }

    /// Imports a subject with a certificate that is valid for 20 more days.
    pub async fn person(&self, text: &str, role: Role) -> Person {
        self.person_of(self.contract, text, role).await
    }

    pub async fn person_of(&self, contract: ContractId, text: &str, role: Role) -> Person {
        let name = name(text);
        let now = self.now().unix();
        let validity = (now - 345 * DAY, now + 20 * DAY);
        let certificate = self.ca.sign(&name, Self::fresh_key(), validity);
        let subject = SubjectId::random();
        let import = Import { certificate: certificate.clone(), contract, subject, role };
        let outcomes =
            self.store.import_certificates(vec![import], false, Actor::Bank, self.now()).await;
        assert_eq!(
            outcomes.expect("imported"),
            [ImportOutcome::Imported { subject, subject_created: true }]
        );
        Person { subject, name, certificate }
    }

    pub async fn user(&self) -> Person {
        self.person("Tanaka Hanako", Role::User).await
    }

    pub async fn log_on(&self, certificate: &Certificate) -> Result<LoggedOn, Failure> {
        self.log_on_for(certificate, Purpose::Renewal).await
    }

    pub async fn log_on_for(
        &self,
        certificate: &Certificate,
        purpose: Purpose,
    ) -> Result<LoggedOn, Failure> {
        let log_on = LogOn {
            fingerprint: fingerprint(certificate),
            purpose,
            environment: "{}".to_owned(),
            pin: PinCheck::NotAsked,
            idle: Period::from_seconds(600),
            absolute: Period::from_seconds(3600),
            rollback_within: Some(ROLLBACK),
        };
        self.store.log_on(log_on, self.now()).await
    }

    pub async fn session(&self, certificate: &Certificate) -> SessionId {
        self.log_on(certificate).await.expect("logged on").session.id
    }

    /// The successor that the CA would give now.
    pub fn successor(&self, person: &Person, n: u64) -> Certificate {
        let not_after = person.certificate.not_after().unix() + 365 * DAY;
        self.ca.sign(&person.name, n, (self.now().unix() - 3600, not_after))
    }

    pub fn order(&self, person: &Person, session: SessionId, n: u64, issue: bool) -> PlaceOrder {
        PlaceOrder {
            session,
            replaces: person.cert_id(),
            key_store: "file".to_owned(),
            csr: vec![0x30],
            key: thumbprint(n),
            window_opens: at(START - 30 * DAY),
            issued: issue.then(|| Signed { certificate: self.successor(person, n) }),
        }
    }

    /// Places an order with a key, issued at once.
    pub async fn place(
        &self,
        person: &Person,
        session: SessionId,
        n: u64,
    ) -> Result<Placed, Failure> {
        self.store.place_order(self.order(person, session, n, true), self.now()).await
    }

    /// Places an order with a key, left in `processing`.
    pub async fn place_slow(
        &self,
        person: &Person,
        session: SessionId,
        n: u64,
    ) -> Result<Placed, Failure> {
        self.store.place_order(self.order(person, session, n, false), self.now()).await
    }

    pub fn confirm_of(order: OrderId, certificate: &Certificate) -> Confirm {
        Confirm {
            order,
            fingerprint: fingerprint(certificate),
            finality: Finality::Revertible,
            rollback_within: Some(ROLLBACK),
        }
    }

    pub async fn confirm(
        &self,
        order: OrderId,
        certificate: &Certificate,
    ) -> Result<OrderRow, Failure> {
        self.store.confirm_order(Self::confirm_of(order, certificate), self.now()).await
    }

    pub async fn cancel(
        &self,
        session: SessionId,
        order: OrderId,
        n: u64,
    ) -> Result<OrderRow, Failure> {
        let undo = Undo { session, order, key: thumbprint(n) };
        self.store.cancel_order(undo, self.now()).await
    }

    pub async fn roll_back(
        &self,
        session: SessionId,
        order: OrderId,
        n: u64,
    ) -> Result<OrderRow, Failure> {
        let undo = Undo { session, order, key: thumbprint(n) };
        self.store.roll_back(undo, self.now()).await
    }

    /// A whole renewal; the answer is the person with the new certificate, and the order.
    pub async fn renew(&self, person: &Person) -> (Person, OrderId) {
        let session = self.session(&person.certificate).await;
        let n = self.new_key();
        let placed = self.place(person, session, n).await.expect("placed");
        let certificate = certificate_of(&placed.order);
        self.confirm(placed.order.id, &certificate).await.expect("confirmed");
        (Person { certificate, ..person.clone() }, placed.order.id)
    }

    pub fn reissue_of(&self, person: &Person, reason: Reason) -> NewReissue {
        NewReissue {
            id: ReissueId::random(),
            subject: person.subject,
            subject_name: person.name.as_str().to_owned(),
            reason,
            enrollment_key: "{}".to_owned(),
            expires: at(self.now().unix() + 14 * DAY),
        }
    }

    pub async fn reissue(&self, person: &Person, reason: Reason) -> ReissueRow {
        let new = self.reissue_of(person, reason);
        self.store.open_reissue(new, Actor::Bank, self.now()).await.expect("a reissue").0
    }

    pub fn enrollment(&self, person: &Person, reissue: ReissueId, n: u64) -> Enroll {
        let now = self.now().unix();
        let certificate = self.ca.sign(&person.name, n, (now - 3600, now + 365 * DAY));
        Enroll {
            reissue,
            key_store: "file".to_owned(),
            environment: "{}".to_owned(),
            csr: vec![0x30],
            key: thumbprint(n),
            pin: PinCheck::NotAsked,
            issued: Some(Signed { certificate }),
        }
    }

    pub async fn revoke(&self, certificate: &Certificate) -> Vec<CertId> {
        let revoke = Revoke {
            certificate: CertId::of(certificate),
            reason: Reason::KeyCompromise,
            include_successors: false,
        };
        self.store.revoke(revoke, Actor::Bank, self.now()).await.expect("revoked")
    }

    /// A second connection, for SQL that the store does not offer.
    pub fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.sqlite.path()).expect("a connection")
    }

    /// The registry's word for a certificate.
    pub fn state_of(&self, certificate: &Certificate) -> String {
        let found = crate::stored::at_once(self.store.certificate(&CertId::of(certificate)));
        found.expect("read").expect("a certificate").certificate.state.as_str().to_owned()
    }
}

/// The certificate that an order yielded.
pub fn certificate_of(order: &OrderRow) -> Certificate {
    let der = order.der.as_ref().expect("the order has a certificate");
    Certificate::from_der(der).expect("a certificate")
}

/// A session of a new administrator.
pub async fn administrator(bank: &Bank) -> Actor {
    let person = bank.person("Kanri Sha", Role::Administrator).await;
    Actor::Session(bank.session(&person.certificate).await)
}
