//! Customers of the played bank, with certificates made to measure.

use der::pem::LineEnding;
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::{CLIENT_AUTH, Certificate, KeyUsages, Kind, Name, Profile};
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::pin::Pin;
use koshin_protocol::sign::{Es256Key, Signer};
use koshin_protocol::subject::Role;
use koshin_protocol::time::Time;
use koshin_server::bank::Bank;
use koshin_server::provision::{self, Answer, Issuer, Request};
use koshin_server::store::change::{
    Actor, Import, ImportOutcome, NewContract, NewSubject, PinCheck,
};
use koshin_server::store::id::{ContractId, SubjectId};
use zeroize::Zeroizing;

use super::bank::PlayedBank;
use super::forge::{self, Leaf};
use crate::case::{Outcome, Stop};

/// The PIN of every customer that has one: a text that stands nowhere by chance.
pub(crate) const PIN: &str = "q7#Zk!48xW2v";

/// Certificates of customers began to be valid so many days ago.
const SINCE_DAYS: i64 = 380;

/// What a customer is to be like.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// What its key signs with.
    pub(crate) alg: Algorithm,
    /// In how many seconds of the bank's clock its certificate ends.
    pub(crate) ends_in: i64,
    /// Whether another CA issued it.
    pub(crate) foreign: bool,
    /// Whether it has a PIN.
    pub(crate) pin: bool,
    /// Its name, if it is an unusual one.
    pub(crate) name: Option<Name>,
}

impl Default for Wish {
    fn default() -> Self {
        Self { alg: Algorithm::Es256, ends_in: 20 * 86_400, foreign: false, pin: true, name: None }
    }
}

/// A customer with its current certificate.
#[derive(Clone)]
pub(crate) struct Customer {
    /// Its id.
    pub(crate) subject: SubjectId,
    /// Its certificate.
    pub(crate) certificate: Certificate,
    /// Certificate and key, as the client gets them.
    pub(crate) pem: Zeroizing<String>,
    /// Whether it has [`PIN`].
    pub(crate) has_pin: bool,
}

/// Makes a customer.
pub(crate) async fn make(played: &PlayedBank, wish: &Wish) -> Outcome<Customer> {
    let bank = played.bank();
    let has_pin = wish.pin && bank.policy.pin.is_some();
    let now = played.now().unix();
    let not_before = Time::from_unix(now - SINCE_DAYS * 86_400).map_err(Stop::blocked)?;
    let not_after = Time::from_unix(now + wish.ends_in).map_err(Stop::blocked)?;
    if let Some(name) = &wish.name {
        return named(&bank, name, (not_before, not_after), has_pin).await;
    }
    let request = Request {
        role: Role::User,
        contract: None,
        issuer: if wish.foreign { Issuer::Foreign } else { Issuer::Bank },
        alg: wish.alg,
        not_before,
        not_after,
        pin: has_pin.then(|| PIN.to_owned()),
    };
    let made = match provision::provision(&bank, &request).await.map_err(Stop::blocked)? {
        Answer::Made(made) => made,
        Answer::Cannot { cannot } => return Err(Stop::Blocked(cannot)),
    };
    let (_, der) = der::pem::decode_vec(made.certificate.as_bytes()).map_err(Stop::blocked)?;
    Ok(Customer {
        subject: made.subject.parse().map_err(|_| Stop::blocked("the subject's id"))?,
        certificate: Certificate::from_der(&der).map_err(Stop::blocked)?,
        pem: Zeroizing::new(format!("{}{}", made.certificate, made.key.as_str())),
        has_pin,
    })
}

/// One whose certificate has the name in the DER that is given, while the bank has it as SPEC.md 4.7 has the text encoded.
async fn named(
    bank: &Bank,
    name: &Name,
    (not_before, not_after): (Time, Time),
    has_pin: bool,
) -> Outcome<Customer> {
    let key = new_key()?;
    let leaf = Leaf { not_before, not_after, ..Leaf::of(name, key.public_key(), bank.clock.now()) };
    let certificate = forge::by_the_bank(bank, &leaf)?;
    let (contract, subject) = (ContractId::random(), SubjectId::random());
    let now = bank.clock.now();
    let store = &bank.store;
    let new = NewContract { id: contract, name: contract.to_string() };
    store.add_contract(new, Actor::Bank, now).await.map_err(faulty)?;
    let recorded = name.as_str().parse().map_err(Stop::blocked)?;
    let new =
        NewSubject { id: subject, contract, name: recorded, role: Role::User, pin_hash: None };
    store.add_subject(new, Actor::Bank, now).await.map_err(faulty)?;
    let import = Import { certificate: certificate.clone(), contract, subject, role: Role::User };
    let outcome = store.import_certificates(vec![import], false, Actor::Bank, now).await;
    if !matches!(outcome.as_deref(), Ok([ImportOutcome::Imported { .. }])) {
        return Err(Stop::blocked(format_args!("the certificate is not taken in: {outcome:?}")));
    }
    if has_pin && let Some(pins) = &bank.pins {
        let hash = pins.hash(Pin::new(PIN.to_owned())).await.map_err(Stop::blocked)?;
        let hash = hash.as_phc().to_owned();
        store
            .set_pin_hash(subject, hash, PinCheck::NotAsked, Actor::Bank, now)
            .await
            .map_err(faulty)?;
    }
    let pem = der::pem::encode_string("CERTIFICATE", LineEnding::LF, certificate.der());
    let pem = pem.map_err(Stop::blocked)?;
    let pem = Zeroizing::new(format!("{pem}{}", key.to_pkcs8_pem().as_str()));
    Ok(Customer { subject, certificate, pem, has_pin })
}

/// A new P-256 key.
pub(crate) fn new_key() -> Outcome<Es256Key> {
    let mut random = Zeroizing::new([0; 48]);
    getrandom::fill(random.as_mut()).map_err(Stop::blocked)?;
    Ok(Es256Key::from_random(&random))
}

/// A fault of the played bank's store, which is none of the client's.
pub(crate) fn faulty(error: impl std::fmt::Debug) -> Stop {
    Stop::blocked(format_args!("the played bank: {error:?}"))
}

/// A certificate for a client by `issuer`, with that key.
pub(crate) fn leaf_profile<'a>(
    leaf: &'a Leaf<'a>,
    issuer: &'a Certificate,
    serial: &'a [u8],
) -> Profile<'a> {
    Profile {
        serial,
        issuer: issuer.subject(),
        not_before: leaf.not_before,
        not_after: leaf.not_after,
        subject: leaf.subject,
        key: leaf.key,
        kind: Kind::Leaf,
        key_usages: KeyUsages::DIGITAL_SIGNATURE,
        extended_key_usages: leaf.usages,
        authority_key_id: issuer.subject_key_id(),
        crl: &[],
    }
}

/// What a client's certificate is for.
pub(crate) const FOR_CLIENTS: &[der::asn1::ObjectIdentifier] = &[CLIENT_AUTH];

/// A key that belongs to nobody.
pub(crate) fn nobodys_key() -> Outcome<PublicKey> {
    Ok(new_key()?.public_key().clone())
}
