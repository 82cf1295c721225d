//! The client's own design, and some that are broken on purpose, to show that the simulation finds them out.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use koshin_client::bank::{Access as BankAccess, Bank};
use koshin_client::error::Error;
use koshin_client::files::durable::{self, Entry};
use koshin_client::files::{Access, Files, NewFile};
use koshin_client::identity::{Identity, Pair};
use koshin_client::keystore::{FileStore, PrivateKey};
use koshin_client::progress::Quiet;
use koshin_client::{Client, Outcome as ClientOutcome, Renewal, environment, pem};
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::csr::Csr;
use koshin_protocol::order::Status;
use koshin_protocol::pin::Pin;
use koshin_protocol::session::{NewSession, Purpose};
use koshin_protocol::sign::Signer;

use crate::bank::{PIN, TEMPLATE};
use crate::disk::Disk;
use crate::files::{BrokenFiles, NoSync, SyncAgain};
use crate::machine::{Deed, End, FOLDER, Machine};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// A way to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Design {
    /// The library.
    Koshin,
    /// The library, on files that are never synced.
    NoSync,
    /// The library, on files whose failed syncs are repeated and believed.
    SyncAgain,
    /// Generations and syncs, but `current` is switched first and the certificate checked then.
    SwitchBeforeCheck,
    /// One folder, whose key and certificate are overwritten.
    InPlace,
}

/// How an attempt came out, in a word that the same seed gives again.
pub(crate) enum Outcome {
    /// There is nothing left to do here.
    Over(End, &'static str),
    /// Something else.
    Other(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over(end, word) => write!(f, "{word}, {end:?}"),
            Self::Other(word) => f.write_str(word),
        }
    }
}

impl Design {
    pub(crate) async fn attempt(self, machine: &Machine, deed: Deed) -> Outcome {
        let disk = machine.disk.clone();
        match self {
            Self::Koshin => library(machine, deed, Arc::new(disk)).await,
            Self::NoSync => {
                library(machine, deed, Arc::new(BrokenFiles { files: disk, syncs: NoSync })).await
            }
            Self::SyncAgain => {
                library(machine, deed, Arc::new(BrokenFiles { files: disk, syncs: SyncAgain }))
                    .await
            }
            Self::SwitchBeforeCheck => other(switch_before_check(machine).await),
            Self::InPlace => other(in_place(machine).await),
        }
    }
}

async fn library(machine: &Machine, deed: Deed, files: Arc<dyn Files>) -> Outcome {
    let keys = Arc::new(FileStore::plain());
    let identity = match Identity::open(files, keys, Path::new(FOLDER)) {
        Ok(identity) => identity,
        Err(error) => return Outcome::Other(word(&error)),
    };
    let client = Client::builder(identity)
        .transport(machine.network())
        .clock(machine.watch())
        .consent(machine.user())
        .patience(Duration::from_mins(2));
    let client = match client.build().await {
        Ok(client) => client,
        Err(error) => return Outcome::Other(word(&error)),
    };
    let renew = |wish| client.renew(wish);
    let outcome = match deed {
        Deed::Renew => renew(Renewal::default()).await,
        Deed::StartOver => renew(Renewal { start_over: true, ..Renewal::default() }).await,
        Deed::Final => renew(Renewal { is_final: true, ..Renewal::default() }).await,
        Deed::Resume => client.resume().await,
        Deed::Cancel => client.cancel().await,
        Deed::RollBack => client.rollback().await,
    };
    match outcome {
        Ok(ClientOutcome::Renewed(_)) => Outcome::Over(End::Renewed, "renewed"),
        Ok(other) => Outcome::Other(word(&other)),
        Err(Error::TooEarly { .. }) => Outcome::Over(End::Renewed, "too early"),
        Err(Error::RenewedElsewhere { .. }) => Outcome::Over(End::Elsewhere, "elsewhere"),
        Err(Error::Refused(refusal)) => {
            let token = refusal.problem.token().map(|token| token.as_str().to_owned());
            Outcome::Other(format!("refused: {}", token.unwrap_or_default()))
        }
        Err(error) => Outcome::Other(word(&error)),
    }
}

/// The name of a variant, whose fields the seed does not decide.
fn word(what: &impl fmt::Debug) -> String {
    let text = format!("{what:?}");
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '(').unwrap_or(text.len());
    text[..end].to_owned()
}

fn other(done: Fallible<()>) -> Outcome {
    match done {
        Ok(()) => Outcome::Other("done".to_owned()),
        Err(error) => Outcome::Other(error.to_string().chars().take(30).collect()),
    }
}

/// The bank, for designs that are not the library's.
fn bank(machine: &Machine) -> Bank {
    let access = BankAccess {
        transport: Arc::new(machine.network()),
        clock: Arc::new(machine.watch()),
        progress: Arc::new(Quiet),
        language: "en".to_owned(),
        patience: Duration::from_mins(2),
        signs_here: true,
    };
    Bank::new(TEMPLATE.directory.clone(), access)
}

/// Orders with the pair in a folder, and gives the certificate that the bank, or whoever stands between, hands out.
async fn order(
    bank: &Bank,
    pair: Pair,
    key: Arc<dyn Signer>,
) -> Fallible<(koshin_client::order::Order<koshin_client::order::ByKey>, Certificate)> {
    let csr = Csr::make(pair.certificate.subject(), &*key)?;
    let environment = environment::detect("broken", "1")?;
    let logon =
        NewSession { pin: Some(Pin::new(PIN.to_owned())), environment, purpose: Purpose::Renewal };
    let session = bank.log_on(&pair, &logon).await?;
    let order = session.order("file".parse()?, &csr).await?.by_key(&key)?;
    let Status::Valid { issued, .. } = &order.document().status else {
        return Err("not issued yet".into());
    };
    let certificate = Certificate::from_der(issued.chain.first())?;
    Ok((order, certificate))
}

fn read_pair(disk: &Disk, folder: &Path) -> Fallible<Pair> {
    let key =
        PrivateKey::from_pkcs8_der(&pem::sections(&disk.read(&folder.join("key.pem"))?)?[0].der)?;
    let certificate = pem::sections(&disk.read(&folder.join("certificate.pem"))?)?;
    let certificate = Certificate::from_der(&certificate[0].der)?;
    Ok(Pair { generation: 1, certificate, issuers: Vec::new(), signer: Arc::new(key) })
}

fn is_old(certificate: &Certificate) -> bool {
    pem::write("CERTIFICATE", certificate.der()).trim() == TEMPLATE.customer.certificate.trim()
}

async fn switch_before_check(machine: &Machine) -> Fallible<()> {
    let (disk, root) = (&machine.disk, Path::new(FOLDER));
    let (one, two) = (root.join("generations/1"), root.join("generations/2"));
    if disk.list(&two).is_err() {
        durable::make_folder(disk, &root.join("generations"), "2")?;
    }
    let key = if let Ok(content) = disk.read(&two.join("key.pem")) {
        PrivateKey::from_pkcs8_der(&pem::sections(&content)?[0].der)?
    } else {
        let key = PrivateKey::generate(KeyType::P256)?;
        put(disk, &two, "key.pem", &pem::write("PRIVATE KEY", key.pkcs8_der()))?;
        key
    };
    let key: Arc<dyn Signer> = Arc::new(key);
    let (mut order, certificate) =
        order(&bank(machine), read_pair(disk, &one)?, Arc::clone(&key)).await?;
    put(disk, &two, "certificate.pem", &pem::write("CERTIFICATE", certificate.der()))?;
    durable::switch(disk, root, "current", Path::new("generations/2"))?;
    if certificate.key() != key.public_key() {
        durable::switch(disk, root, "current", Path::new("generations/1"))?;
        return Err("a foreign certificate".into());
    }
    Ok(order.confirm(&certificate, false).await?)
}

async fn in_place(machine: &Machine) -> Fallible<()> {
    let (disk, folder) = (&machine.disk, Path::new(FOLDER).join("generations/1"));
    let pair = read_pair(disk, &folder)?;
    if !is_old(&pair.certificate) {
        return Ok(());
    }
    let key = PrivateKey::generate(KeyType::P256)?;
    let text = pem::write("PRIVATE KEY", key.pkcs8_der());
    let (mut order, certificate) = order(&bank(machine), pair, Arc::new(key)).await?;
    overwrite(disk, &folder.join("key.pem"), &text)?;
    let text = pem::write("CERTIFICATE", certificate.der());
    overwrite(disk, &folder.join("certificate.pem"), &text)?;
    Ok(order.confirm(&certificate, false).await?)
}

fn put(disk: &Disk, folder: &Path, name: &str, content: &str) -> Fallible<()> {
    let entry = Entry { name, content: content.as_bytes(), access: Access::Private };
    Ok(durable::put(disk, folder, &[entry])?)
}

fn overwrite(disk: &Disk, path: &Path, content: &str) -> Fallible<()> {
    disk.remove_file(path)?;
    let mut file: Box<dyn NewFile> = disk.create(path, Access::Private)?;
    file.write(content.as_bytes())?;
    file.sync()?;
    Ok(disk.sync_folder(path.parent().unwrap())?)
}
