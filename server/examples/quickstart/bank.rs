//! A bank in a folder, as `koshin-server init` and `serve` make and start it, and one of its operators at work.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use koshin_protocol::pin::Pin;
use koshin_server::clock::{Clock, System};
use koshin_server::config::Origin;
use koshin_server::init::{NewBank, NewTransport};
use koshin_server::operator::{self, Operator};
use koshin_server::start::{self, Running};
use koshin_server::store::Store;
use koshin_server::rule::command::{Import, ImportOutcome, NewContract, PinCheck};
use koshin_server::id::{ContractId, SubjectId};

use crate::Failure;
use crate::customer::Customer;

/// The operator's name.
pub(crate) const OPERATOR: &str = "mori";
/// Where the operator's credential is, in the tour's folder.
pub(crate) const CREDENTIAL: &str = "mori.credential";
/// The contract's name.
pub(crate) const CONTRACT: &str = "Example Trading K.K.";

/// A serving bank with an operator and a contract.
pub(crate) struct Bank {
    pub(crate) running: Running,
    operator: Operator,
    contract: ContractId,
}

impl Bank {
    pub(crate) async fn open(folder: &Path) -> Result<Self, Failure> {
        let listen = free_address()?;
        let origin = format!("https://localhost:{}", listen.port());
        let origin = Origin::parse(&origin).ok_or("this is an origin")?;
        let config = NewBank {
            organization: "Quickstart Bank",
            origin: &origin,
            listen,
            transport: NewTransport::LoopbackTls,
            metrics: None,
            policy: "seed",
            testing: false,
            passphrase: None,
            now: System.now(),
        }
        .create(&folder.join("bank"))?;
        let running = start::start(config).await?;
        let store = &*running.bank().store;
        let operator = first_operator(store, folder).await?;
        let contract = ContractId::random();
        let new = NewContract { id: contract, name: CONTRACT.to_owned() };
        store.add_contract(new, operator.actor(), System.now()).await.map_err(refused)?;
        Ok(Self { running, operator, contract })
    }

    /// Takes a certificate of another CA in, and gives its subject a PIN.
    pub(crate) async fn take_in(&self, customer: &Customer, pin: Pin) -> Result<(), Failure> {
        let bank = self.running.bank();
        let (by, now) = (self.operator.actor(), System.now());
        let import = Import {
            certificate: customer.certificate().clone(),
            contract: self.contract,
            subject: SubjectId::random(),
            role: customer.role(),
        };
        let imported = bank.store.import_certificates(vec![import], false, by.clone(), now).await;
        let subject = match imported.map_err(refused)?.first() {
            Some(ImportOutcome::Imported { subject, .. }) => *subject,
            other => return Err(format!("the bank does not take it in: {other:?}").into()),
        };
        let pins = bank.pins.as_ref().ok_or("the policy has no PINs")?;
        let hash = pins.hash(pin).await?.as_phc().to_owned();
        let set = bank.store.set_pin_hash(subject, hash, PinCheck::NotAsked, by, now).await;
        set.map_err(refused)
    }
}

/// The first operator, whose credential is left in a file of the folder.
async fn first_operator(store: &dyn Store, folder: &Path) -> Result<Operator, Failure> {
    let name = OPERATOR.parse::<operator::OperatorName>()?;
    let credential = operator::add(store, &name, None, System.now()).await?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.join(CREDENTIAL))?
        .write_all(format!("{}\n", credential.expose()).as_bytes())?;
    Ok(Operator::authenticate(store, name, &credential).await?)
}

/// A loopback address with a port that is free now. The bank keeps it in its configuration, since the URLs in what it issues
/// and signs name it.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// What the store says, as an error of the tour.
pub(crate) fn refused(failure: impl std::fmt::Debug) -> Failure {
    format!("the bank's store: {failure:?}").into()
}
