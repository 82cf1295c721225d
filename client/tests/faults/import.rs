//! `koshin import` under faults: the pair that was there stays until the new one is, and the same command ends it.

use std::fs;
use std::process::Command;

use koshin_client::keystore::PrivateKey;
use koshin_client::pem;
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::certificate::{Attribute, Certificate, KeyUsages, Kind, Name, Profile};
use koshin_protocol::sign::Signer;

use crate::bank::{Bank, in_days};
use crate::campaign::Report;
use crate::customer::Customer;
use crate::design::{self, identity};
use crate::judge;
use crate::recording::{self, Call};

/// What there is before the import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Not even a folder.
    Nothing,
    /// A pair; the imported one lasts longer.
    Pair,
}

/// Imports of one kind.
pub struct Import {
    before: Before,
    bank: Bank,
}

impl Import {
    pub fn new(before: Before) -> Self {
        Self { before, bank: Bank::open() }
    }

    /// Every system call of an import that nothing happens to.
    pub fn calls(&self) -> Vec<Call> {
        let (customer, _) = self.customer();
        let (ended, trace) = design::recorded(&customer, &command(&customer));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        recording::calls(&trace, &identity(&customer))
    }

    /// Imports once for each call.
    pub fn run(&self, calls: &[&Call], fault: &str) -> Report {
        let mut report = Report { points: calls.len(), ..Report::default() };
        for call in calls {
            match self.point(call, fault) {
                Ok(is_met) => report.met += usize::from(is_met),
                Err(loss) => {
                    report.met += 1;
                    let Call { name, number, text, .. } = call;
                    report.lost.push(format!("{fault} at {name} {number}: {loss}\n    {text}"));
                }
            }
        }
        report
    }

    /// Whether the fault came. What is lost is the error.
    fn point(&self, call: &Call, fault: &str) -> Result<bool, String> {
        let (customer, new) = self.customer();
        let old = current(&customer)?;
        let ended = design::disturbed(&customer, &command(&customer), call, fault);
        judge::survives(&ended)?;
        let found = current(&customer)?;
        if found != old && found.as_ref() != Some(&new) {
            return Err("current is neither the old pair nor the new one".to_owned());
        }
        let output = command(&customer).output().unwrap();
        if !output.status.success() || current(&customer)? != Some(new) {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("the same command does not end it: {said}"));
        }
        Ok(ended.is_met)
    }

    /// Somebody, and the certificate that `new.pem` has.
    fn customer(&self) -> (Customer, Certificate) {
        let customer = self.bank.newcomer("user", 20);
        let first = judge::first(&customer);
        if self.before == Before::Nothing {
            let both = ["certificate.pem", "key.pem"].map(|name| customer.path(name));
            let both = both.map(|path| fs::read(path).unwrap()).concat();
            fs::write(customer.path("new.pem"), both).unwrap();
            return (customer, first);
        }
        customer.imports();
        let key = PrivateKey::generate(KeyType::P256).unwrap();
        let new = longer(&first, &key);
        let both =
            [pem::write("CERTIFICATE", new.der()), pem::write("PRIVATE KEY", key.pkcs8_der())];
        fs::write(customer.path("new.pem"), both.map(|section| section.to_string()).concat())
            .unwrap();
        (customer, new)
    }
}

fn command(customer: &Customer) -> Command {
    let roots = customer.roots.to_str().unwrap();
    let bank = ["--directory", &customer.directory, "--trust", roots, "--tls-trust", roots];
    customer.command(&[&["import", "new.pem", "--offline"][..], &bank].concat())
}

/// The certificate in use, if there is one; the error is a link that leads to no pair.
fn current(customer: &Customer) -> Result<Option<Certificate>, String> {
    let link = identity(customer).join("current");
    if fs::symlink_metadata(&link).is_err() {
        return Ok(None);
    }
    judge::pair(&link).map(Some)
}

/// As somebody's renewal on another machine would have it.
fn longer(first: &Certificate, key: &PrivateKey) -> Certificate {
    let issuer = Name::new(&[(Attribute::CommonName, "Somebody")]).unwrap();
    let profile = Profile {
        serial: &[1],
        issuer: &issuer,
        not_before: in_days(-1),
        not_after: in_days(400),
        subject: first.subject(),
        key: key.public_key(),
        kind: Kind::Leaf,
        key_usages: KeyUsages::DIGITAL_SIGNATURE,
        extended_key_usages: &[],
        authority_key_id: None,
        crl: &[],
    };
    profile.sign(key).unwrap()
}
