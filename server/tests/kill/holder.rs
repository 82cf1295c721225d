//! Who a certificate belongs to: its pairs, on all its machines, and its PIN.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::{
    Attribute, CLIENT_AUTH, Certificate, KeyUsages, Kind, Name, Profile, key_id,
};
use koshin_protocol::pin::Pin;
use koshin_protocol::sign::{AwsLcKey, Signer};
use koshin_protocol::time::Period;
use koshin_server::pin::Pins;
use koshin_server::policy::Argon2idCost;
use koshin_server::store::Store;
use koshin_server::rule::command::{Actor, Import, NewContract, PinCheck};
use koshin_server::id::{ContractId, SubjectId};
use koshin_server::rule::row::Role;

use crate::bank::{Bank, now};

/// A certificate with its key.
#[derive(Clone)]
pub struct Pair {
    pub key: Arc<AwsLcKey>,
    pub certificate: Certificate,
    pub order: Option<String>,
    /// It is not the current one any more, and nobody tried to make it so again.
    pub dead: bool,
}

pub struct Holder {
    pub subject: SubjectId,
    pub name: Name,
    /// Those that it may be: two, while a change is unanswered.
    pub pins: Vec<Option<String>>,
    /// PINs that were sent since one was accepted, and were refused or lost with a kill.
    pub lost: u32,
    /// In the order in which they came to be known.
    pub pairs: Vec<Pair>,
}

pub fn new_key() -> AwsLcKey {
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let document = document.expect("a key");
    AwsLcKey::from_pkcs8_der(Algorithm::Es256, document.as_ref()).expect("a P-256 key")
}

impl Holder {
    /// Several, whose certificates are imported; every other one has a PIN.
    pub async fn several(bank: &Bank, count: usize) -> Vec<Self> {
        let ca = new_key();
        let store = bank.store();
        let contract =
            NewContract { id: ContractId::random(), name: "株式会社テスト".to_owned() };
        let id = contract.id;
        store.add_contract(contract, Actor::Bank, now()).await.expect("a contract");
        let mut holders = Vec::new();
        for number in 0..count {
            let name = Name::new(&[(Attribute::CommonName, &format!("Customer {number}"))]);
            let name = name.expect("a name");
            let key = Arc::new(new_key());
            let certificate = issue(&ca, number, &name, &key);
            let subject = SubjectId::random();
            let import = Import {
                certificate: certificate.clone(),
                contract: id,
                subject,
                role: Role::User,
            };
            let imported = store.import_certificates(vec![import], false, Actor::Bank, now());
            imported.await.expect("imported");
            let mut pin = None;
            if number % 2 == 0 {
                let cost = Argon2idCost { memory_kib: 64, passes: 1, lanes: 1 };
                let pins = Pins::new(cost, 1, 1).expect("a hasher");
                let hash = pins.hash(Pin::new("1234".to_owned())).await.expect("a hash");
                let hash = hash.as_phc().to_owned();
                store
                    .set_pin_hash(subject, hash, PinCheck::NotAsked, Actor::Bank, now())
                    .await
                    .expect("set");
                pin = Some("1234".to_owned());
            }
            let pair = Pair { key, certificate, order: None, dead: false };
            holders.push(Self { subject, name, pins: vec![pin], lost: 0, pairs: vec![pair] });
        }
        holders
    }

    /// The newest first.
    pub fn candidates(&self) -> Vec<usize> {
        let alive = self.pairs.iter().enumerate().filter(|(_, pair)| !pair.dead);
        alive.map(|(index, _)| index).rev().take(10).collect()
    }

    pub fn of_order(&self, order: &str) -> Option<usize> {
        self.pairs.iter().position(|pair| pair.order.as_deref() == Some(order))
    }

    /// Keeps a new pair, or finds that its certificate is still the same.
    pub fn learn(&mut self, pair: Pair) {
        let known = pair.order.as_deref().and_then(|order| self.of_order(order));
        match known {
            Some(known) => assert_eq!(self.pairs[known].certificate, pair.certificate),
            None => self.pairs.push(pair),
        }
    }

    /// The pair of this order is worth nothing any more.
    pub fn bury(&mut self, order: &str) {
        if let Some(pair) = self.of_order(order) {
            self.pairs[pair].dead = true;
        }
    }

    /// This one is the current one: those before it are superseded.
    pub fn bury_before(&mut self, current: usize) {
        for pair in &mut self.pairs[..current] {
            pair.dead = true;
        }
    }
}

fn issue(ca: &AwsLcKey, number: usize, subject: &Name, key: &AwsLcKey) -> Certificate {
    let id = key_id(ca.public_key());
    Profile {
        serial: &[0x40, u8::try_from(number).expect("few")],
        issuer: &Name::new(&[(Attribute::CommonName, "Former CA")]).expect("a name"),
        not_before: now().checked_sub(Period::from_days(300)).expect("a time"),
        not_after: now().checked_add(Period::from_days(20)).expect("a time"),
        subject,
        key: key.public_key(),
        kind: Kind::Leaf,
        key_usages: KeyUsages::DIGITAL_SIGNATURE,
        extended_key_usages: &[CLIENT_AUTH],
        authority_key_id: Some(&id),
        crl: &[],
    }
    .sign(ca)
    .expect("a certificate")
}
