//! What must hold after a fault.

use std::fs;
use std::path::Path;

use koshin_client::keystore::PrivateKey;
use koshin_client::pem;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::sign::Signer;
use koshin_protocol::state::certificate::{Use, Validity};
use koshin_server::store::Shown;
use koshin_server::store::row::Holder;

use crate::bank::{Bank, now};
use crate::customer::Customer;
use crate::design::{Design, Ended, identity};

/// The exit code of a panic.
const PANIC: i32 = 101;

/// The certificate that a customer came with.
pub fn first(customer: &Customer) -> Certificate {
    let content = fs::read(customer.path("certificate.pem")).unwrap();
    Certificate::from_der(&pem::sections(&content).unwrap()[0].der).unwrap()
}

/// A fault that a process lives through makes no bug of it.
pub fn survives(ended: &Ended) -> Result<(), String> {
    if ended.code == Some(PANIC) { Err("it panicked".to_owned()) } else { Ok(()) }
}

/// Follows `current` by itself, and asks whether the bank takes the pair that is there.
pub fn usable(bank: &Bank, customer: &Customer) -> Result<Certificate, String> {
    let folder = identity(customer);
    let target = fs::read_link(folder.join("current"));
    let target = folder.join(target.map_err(|error| format!("the link of current: {error}"))?);
    let certificate = pair(&target)?;
    let holder = holder(bank, &certificate).ok_or("the bank does not know the pair of current")?;
    let validity = Validity::at(now(), certificate.not_before(), certificate.not_after());
    match holder.certificate.state.admits(Use::Logon, validity) {
        Ok(()) => Ok(certificate),
        Err(token) => Err(format!("the bank refuses the pair of current: {token}")),
    }
}

/// Goes on as a user would: takes up what is there, or begins again. Ends with the new pair, the only one of one order.
pub fn comes_to_its_end(
    design: Design,
    bank: &Bank,
    customer: &Customer,
    first: &Certificate,
) -> Result<(), String> {
    let is_renewed = || holder(bank, first).is_some_and(|holder| holder.successor.is_some());
    let mut said = String::new();
    for word in ["resume", "renew", "resume", "renew"] {
        if word == "renew" && is_renewed() {
            break;
        }
        let ended = design.live(customer, word);
        said = format!("{word} ended with {:?}: {}", ended.code, ended.said);
        if ended.code == Some(PANIC) {
            return Err(said);
        }
        usable(bank, customer).map_err(|loss| format!("{loss}, after {said}"))?;
        if ended.code == Some(0) {
            break;
        }
    }
    let current = usable(bank, customer)?;
    let holder = holder(bank, &current).ok_or("the new certificate is unknown")?;
    if !holder.certificate.state.is_current() || current == *first || holder.order.is_some() {
        return Err(format!("it did not come to its end: {said}"));
    }
    let certificates = certificates(bank, &holder);
    if certificates != 2 {
        return Err(format!("{certificates} certificates for one renewal"));
    }
    Ok(())
}

fn holder(bank: &Bank, certificate: &Certificate) -> Option<Holder> {
    let store = &bank.running.bank().store;
    bank.runtime.block_on(store.certificate(&CertId::of(certificate))).unwrap()
}

fn certificates(bank: &Bank, holder: &Holder) -> usize {
    let (bank, runtime, subject) = (bank.running.bank(), &bank.runtime, &holder.subject);
    let (shown, now) = (Shown::One(subject.id), bank.clock.now());
    let contract = runtime.block_on(bank.store.contract(subject.contract, shown, now));
    contract.unwrap().unwrap().subjects[0].certificates.len()
}

/// The certificate of the pair in a folder, if it is one.
pub fn pair(folder: &Path) -> Result<Certificate, String> {
    let key = first_section(&folder.join("key.pem"));
    let key = key.and_then(|der| PrivateKey::from_pkcs8_der(&der).ok());
    let key = key.ok_or("the key of current is gone or torn")?;
    let certificate = first_section(&folder.join("certificate.pem"));
    let certificate = certificate.and_then(|der| Certificate::from_der(&der).ok());
    let certificate = certificate.ok_or("the certificate of current is gone or torn")?;
    if certificate.key() == key.public_key() {
        Ok(certificate)
    } else {
        Err("key and certificate of current do not belong together".to_owned())
    }
}

fn first_section(path: &Path) -> Option<Vec<u8>> {
    let content = fs::read(path).ok()?;
    Some(pem::sections(&content).ok()?.first()?.der.to_vec())
}
