//! Who takes part: the bank, which runs in this process, its two customers, and their machines, each a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use koshin_client::Client;
use koshin_client::consent::Unattended;
use koshin_client::files::Real;
use koshin_client::identity::{Identity, Settings};
use koshin_client::keystore::FileStore;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::pin::Pin;
use koshin_protocol::subject::Role;
use koshin_server::clock::{Clock, System};
use koshin_server::http::Trigger;
use tokio::runtime::Runtime;

use crate::Failure;
use crate::account::Account;
use crate::bank::{Bank, CREDENTIAL, OPERATOR};
use crate::customer::{self, Customer};

/// Both customers' PIN.
pub(crate) const PIN: &str = "481516";

/// The user's machine, and the client's folder on it.
pub(crate) const LAPTOP: &str = "laptop";
/// Another machine of the user's, with a copy of the same pair.
pub(crate) const OLD_PC: &str = "old-pc";
/// What replaces the laptop.
pub(crate) const NEW_LAPTOP: &str = "new-laptop";
/// The administrator's machine.
pub(crate) const ADMINISTRATOR: &str = "administrator";

/// Everybody, and what is told of them.
pub(crate) struct Scene {
    pub(crate) account: Account,
    pub(crate) runtime: Runtime,
    folder: PathBuf,
    bank: Option<Bank>,
    customers: Option<Customers>,
}

struct Customers {
    administrator: Customer,
    user: Customer,
}

impl Scene {
    pub(crate) fn new(folder: &Path) -> Result<Self, Failure> {
        let account = Account::new();
        account.heading("Koshin quickstart: a renewal, a kill -9, and a stolen laptop")?;
        account.heading(&format!("in {}", folder.display()))?;
        Ok(Self {
            account,
            // The bank answers on these threads while this one waits for the client's process.
            runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
            folder: folder.to_owned(),
            bank: None,
            customers: None,
        })
    }

    pub(crate) fn open_the_bank(&mut self) -> Result<(), Failure> {
        let bank = self.runtime.block_on(Bank::open(&self.folder))?;
        self.account.act("A bank opens")?;
        self.account.say(bank.running.directory_url().as_str())?;
        self.account.say(
            "HTTPS and certificates by a CA of its own, SQLite for its memory. Its policy is `seed`: a renewal opens 30 days \
             before the certificate expires.",
        )?;
        self.bank = Some(bank);
        Ok(())
    }

    pub(crate) fn take_the_customers_in(&mut self, brought: Option<&Path>) -> Result<(), Failure> {
        let folder = self.folder.join(customer::FOLDER);
        fs::create_dir(&folder)?;
        match brought {
            Some(brought) => customer::copy(brought, &folder)?,
            None => customer::make(&folder)?,
        }
        let customers = Customers {
            administrator: Customer::read(&folder, Role::Administrator)?,
            user: Customer::read(&folder, Role::User)?,
        };
        self.account.act("Two customers bring certificates of another CA")?;
        fs::create_dir(self.folder.join("identities"))?;
        for customer in [&customers.administrator, &customers.user] {
            let pin = Pin::new(PIN.to_owned());
            self.runtime.block_on(self.bank()?.take_in(customer, pin))?;
            self.account.step(
                customer.called(),
                &format!(
                    "{}, {} key, expires in {} days",
                    customer.role(),
                    customer.key_type(),
                    customer.days_left()
                ),
            )?;
        }
        self.account.say(&format!(
            "The bank's operator takes both in as they are. The user's client has its pair in identities/{LAPTOP}; the same \
             pair is also in identities/{OLD_PC}, a machine that nobody thinks of."
        ))?;
        let machines = [
            (ADMINISTRATOR, &customers.administrator),
            (LAPTOP, &customers.user),
            (OLD_PC, &customers.user),
        ];
        for (machine, customer) in machines {
            self.identity_of(machine)?.import(customer.imported()?, System.now())?;
        }
        self.customers = Some(customers);
        Ok(())
    }

    /// Ends the bank.
    pub(crate) fn close(self) -> Result<(), Failure> {
        if let Some(bank) = self.bank {
            self.runtime.block_on(bank.running.shutdown());
        }
        Ok(self.account.end()?)
    }

    /// Leaves the bank running until somebody ends it.
    pub(crate) fn serve(mut self) -> Result<(), Failure> {
        let bank = self.bank.take().ok_or("the bank is open")?;
        let path = |name: &str| self.folder.join(name).display().to_string();
        let client = |words: &str| {
            let identities = path("identities");
            format!("cargo run --release -p koshin-client -- {words} --home {identities}")
        };
        let server = |words: &str| {
            let config = path("bank/koshin-server.toml");
            format!("cargo run --release -p koshin-server -- {words} --config {config}")
        };
        self.account.act("The bank stays open, until Ctrl-C")?;
        self.account.say(&format!(
            "In another terminal, {} renews with the command koshin, by the PIN {PIN}:",
            self.administrator()?.called()
        ))?;
        self.account.command(&client(&format!("renew --identity {ADMINISTRATOR}")))?;
        self.account.say("The bank's operator looks at the customers, and at the books:")?;
        self.account.command(&server("contract list"))?;
        self.account.command(&server("audit verify"))?;
        self.account.say(&format!(
            "What changes something wants --operator {OPERATOR} --credential-file {}.",
            path(CREDENTIAL)
        ))?;
        self.runtime.block_on(async {
            let (trigger, stop) = Trigger::new();
            trigger.on_signals()?;
            bank.running.until(stop).await;
            Ok(())
        })
    }

    pub(crate) fn bank(&self) -> Result<&Bank, Failure> {
        self.bank.as_ref().ok_or_else(|| "the bank is not open yet".into())
    }

    pub(crate) fn user(&self) -> Result<&Customer, Failure> {
        let customers = self.customers.as_ref().ok_or("there are no customers yet")?;
        Ok(&customers.user)
    }

    pub(crate) fn administrator(&self) -> Result<&Customer, Failure> {
        let customers = self.customers.as_ref().ok_or("there are no customers yet")?;
        Ok(&customers.administrator)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The client's folder on a machine.
    pub(crate) fn machine(&self, name: &str) -> PathBuf {
        self.folder.join("identities").join(name)
    }

    /// The identity of a machine, made if there is none yet.
    pub(crate) fn identity_of(&self, machine: &str) -> Result<Identity, Failure> {
        let (files, keys) = (Arc::new(Real), Arc::new(FileStore::plain()));
        let folder = self.machine(machine);
        if folder.exists() {
            return Ok(Identity::open(files, keys, &folder)?);
        }
        // The bank's root is for its certificates and for TLS here; a real bank has TLS of a public CA.
        let root = PathBuf::from("../../bank/root.pem");
        let settings = Settings {
            name: machine.to_owned(),
            directory: self.bank()?.running.directory_url().clone(),
            key_store: "file".to_owned(),
            trust: root.clone(),
            tls_trust: Some(root),
            tls_pins: Vec::new(),
        };
        Ok(Identity::create(files, keys, &folder, settings)?)
    }

    /// A client on a machine, which speaks a language with the bank.
    pub(crate) fn client_of(&self, machine: &str, language: &str) -> Result<Client, Failure> {
        let client = Client::builder(self.identity_of(machine)?)
            .consent(Unattended::new(Some(Pin::new(PIN.to_owned()))))
            .language(language)
            .build();
        Ok(self.runtime.block_on(client)?)
    }

    /// The certificate that a machine uses.
    pub(crate) fn current_of(&self, machine: &str) -> Result<Certificate, Failure> {
        let pair = self.identity_of(machine)?.current()?.ok_or("there is no pair")?;
        Ok(pair.certificate)
    }
}
