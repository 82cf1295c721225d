//! Designs that are broken on purpose. Each is a life of this very program, started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use koshin_client::consent::Unattended;
use koshin_client::environment;
use koshin_client::files::durable::{self, Entry};
use koshin_client::files::{Access, Files, Real};
use koshin_client::identity::{Identity, Pair};
use koshin_client::keystore::{FileStore, PrivateKey};
use koshin_client::{Client, Renewal, pem, trust};
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::csr::Csr;
use koshin_protocol::order::Status;
use koshin_protocol::pin::Pin;
use koshin_protocol::session::{NewSession, Purpose};
use koshin_protocol::sign::Signer;

use crate::broken_files::{BrokenFiles, NoSync};
use crate::design::Design;

type Failure = Box<dyn std::error::Error>;

const DESIGN: &str = "KOSHIN_FAULTS_DESIGN";
const IDENTITY: &str = "KOSHIN_FAULTS_IDENTITY";

/// Makes a command a life of such a design.
pub fn ask_for(design: Design, command: &mut Command, identity: &Path) {
    command.env(DESIGN, format!("{design:?}")).env(IDENTITY, identity);
}

/// The design of which this process is a life.
pub fn asked_for() -> Option<Design> {
    let word = std::env::var(DESIGN).ok()?;
    [Design::NoSync, Design::SwitchBeforeCheck].into_iter().find(|d| format!("{d:?}") == word)
}

/// The life.
pub fn live(design: Design) -> ExitCode {
    let folder = PathBuf::from(std::env::var_os(IDENTITY).unwrap());
    let pin = std::env::var("KOSHIN_PIN").ok().map(Pin::new);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lived = runtime.block_on(async {
        match design {
            Design::SwitchBeforeCheck => switch_before_check(&folder, pin).await,
            Design::Koshin | Design::NoSync => {
                let files = BrokenFiles { files: Real, syncs: NoSync };
                let renewal = Renewal { is_decided: true, ..Renewal::default() };
                client(Arc::new(files), &folder, pin).await?.renew(renewal).await?;
                Ok(())
            }
        }
    });
    match lived {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn client(files: Arc<dyn Files>, folder: &Path, pin: Option<Pin>) -> Result<Client, Failure> {
    let identity = Identity::open(files, Arc::new(FileStore::plain()), folder)?;
    let identity = identity.on_callers_thread();
    Ok(Client::builder(identity).consent(Unattended::new(pin)).build().await?)
}

/// Everything is durable at its time; but `current` is switched as soon as there is a key, and whether there is a pair is
/// looked at in the end.
async fn switch_before_check(folder: &Path, pin: Option<Pin>) -> Result<(), Failure> {
    let (files, generations) = (&Real, folder.join("generations"));
    let (old, new) = (generations.join("1"), generations.join("2"));
    if !new.exists() {
        durable::make_folder(files, &generations, "2")?;
    }
    if !new.join("key.pem").exists() {
        let key = PrivateKey::generate(KeyType::P256)?;
        put(&new, "key.pem", &pem::write("PRIVATE KEY", key.pkcs8_der()))?;
    }
    let key = key(&new)?;
    durable::switch(files, folder, "current", Path::new("generations/2"))?;
    let client = client(Arc::new(Real), folder, pin.clone()).await?;
    let certificate = Certificate::from_der(&section(&old.join("certificate.pem"))?)?;
    let subject = certificate.subject().clone();
    let signer: Arc<dyn Signer> = Arc::new(self::key(&old)?);
    let pair = Pair { generation: 1, certificate, issuers: Vec::new(), signer };
    let environment = environment::detect("broken", "1")?;
    let request = NewSession { pin, environment, purpose: Purpose::Renewal };
    let session = client.bank().log_on(&pair, &request).await?;
    let order = session.order("file".parse()?, &Csr::make(&subject, &key)?).await?;
    let signer: Arc<dyn Signer> = Arc::new(key);
    let mut order = order.by_key(&signer)?;
    order.issued().await?;
    let Status::Valid { issued, .. } = &order.document().status else {
        return Err("the order is not issued".into());
    };
    let chain = trust::certificates(&issued.chain).ok_or("no certificates")?;
    put(&new, "certificate.pem", &pem::write("CERTIFICATE", chain[0].der()))?;
    if chain[0].key() != signer.public_key() {
        durable::switch(files, folder, "current", Path::new("generations/1"))?;
        return Err("a foreign certificate".into());
    }
    Ok(order.confirm(&chain[0], false).await?)
}

fn key(folder: &Path) -> Result<PrivateKey, Failure> {
    Ok(PrivateKey::from_pkcs8_der(&section(&folder.join("key.pem"))?)?)
}

fn section(path: &Path) -> Result<Vec<u8>, Failure> {
    let sections = pem::sections(&fs::read(path)?)?;
    Ok(sections.first().ok_or("an empty file")?.der.to_vec())
}

fn put(folder: &Path, name: &str, content: &str) -> Result<(), Failure> {
    let entry = Entry { name, content: content.as_bytes(), access: Access::Private };
    Ok(durable::put(&Real, folder, &[entry])?)
}
