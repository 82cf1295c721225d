//! One life after another, each with a fault at another call.

use std::fmt;
use std::fs;
use std::sync::Arc;

use koshin_client::files::Real;
use koshin_client::identity::{Identity, Settings};
use koshin_client::import;
use koshin_client::keystore::FileStore;

use crate::bank::{Bank, in_days, now};
use crate::customer::Customer;
use crate::design::{Design, identity};
use crate::disk::{Cut, Disk};
use crate::judge;
use crate::recording::{self, Call};

/// A design at a bank, on a disk of its own or not.
pub struct Campaign {
    design: Design,
    bank: Bank,
    disk: Option<Disk>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    pub points: usize,
    /// Points at which the fault came: the process was not done before.
    pub met: usize,
    pub lost: Vec<String>,
}

impl Campaign {
    pub fn new(design: Design, disk: Option<Disk>) -> Self {
        Self { design, bank: Bank::open(), disk }
    }

    /// Every system call of a renewal that nothing happens to.
    pub fn calls(&self) -> Vec<Call> {
        let customer = self.customer();
        let (ended, trace) = self.design.recorded(&customer);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        recording::calls(&trace, &identity(&customer))
    }

    /// Lives through a renewal once for each call and each way in which the power goes.
    pub fn run(&self, calls: &[&Call], fault: &str, cuts: &[Option<Cut>]) -> Report {
        let mut report = Report::default();
        for call in calls {
            for cut in cuts {
                report.points += 1;
                match self.point(call, fault, *cut) {
                    Ok(is_met) => report.met += usize::from(is_met),
                    Err(loss) => {
                        report.met += 1;
                        let Call { name, number, text, .. } = call;
                        let power =
                            cut.map_or(String::new(), |cut| format!(", power lost {cut:?}"));
                        report
                            .lost
                            .push(format!("{fault} at {name} {number}{power}: {loss}\n    {text}"));
                    }
                }
            }
        }
        report
    }

    /// Whether the fault came. What is lost is the error.
    fn point(&self, call: &Call, fault: &str, cut: Option<Cut>) -> Result<bool, String> {
        let customer = self.customer();
        let first = judge::first(&customer);
        let ended = self.design.disturbed(&customer, call, fault);
        if let (Some(disk), Some(cut)) = (&self.disk, cut) {
            disk.cut(cut);
        }
        let judged = judge::survives(&ended)
            .and_then(|()| judge::usable(&self.bank, &customer))
            .and_then(|_| judge::comes_to_its_end(self.design, &self.bank, &customer, &first));
        judged.map_err(|loss| {
            format!("{loss}; it had ended with {:?}: {}", ended.code, ended.said)
        })?;
        Ok(ended.is_met)
    }

    /// Somebody with a pair as `koshin import` leaves it, all of it durable.
    fn customer(&self) -> Customer {
        let made = self.bank.makes("user", in_days(20));
        let place = self.disk.as_ref().map_or_else(std::env::temp_dir, Disk::path);
        let customer = Customer {
            folder: tempfile::tempdir_in(place).unwrap(),
            ..Customer::new(&self.bank, None)
        };
        let files = [made.certificate.as_bytes(), made.key.as_bytes()];
        fs::write(customer.path("certificate.pem"), files[0]).unwrap();
        fs::create_dir(customer.path("home")).unwrap();
        let settings = Settings {
            name: "default".to_owned(),
            directory: self.bank.running.directory_url().clone(),
            key_store: "file".to_owned(),
            trust: "trust.pem".into(),
            // Without one the program reads all roots of the machine, at every start.
            tls_trust: Some("trust.pem".into()),
            tls_pins: Vec::new(),
        };
        let (folder, keys) = (identity(&customer), Arc::new(FileStore::plain()));
        let identity = Identity::create(Arc::new(Real), keys, &folder, settings).unwrap();
        fs::copy(self.bank.roots(), folder.join("trust.pem")).unwrap();
        identity.import(import::read(&files, None, now()).unwrap(), now()).unwrap();
        if let Some(disk) = &self.disk {
            disk.settle();
        }
        customer
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} points, {} met, {} lost", self.points, self.met, self.lost.len())
    }
}
