//! What a command works with: the identities, the language, the output, one thread.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use koshin_client::consent::Consent;
use koshin_client::environment;
use koshin_client::files::Real;
use koshin_client::identity::{Identity, Settings};
use koshin_client::keystore::{FileStore, KeyStore, Pkcs12Store};
use koshin_client::progress::Event;
use koshin_client::{Client, Error};
use koshin_protocol::algorithm::KeyType;

use super::Global;
use super::failure::Failure;
use super::home::{Home, IdentityName};
use super::language::Tongue;
use super::output::Output;
use super::say::Say;
use super::secret::KeyPassphrase;

/// What a command works with.
pub(crate) struct Context {
    /// The command's name.
    command: String,
    pub(crate) home: Home,
    pub(crate) output: Arc<Output>,
}

/// How a client of the command is set up.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    pub(crate) patience: Option<Duration>,
    pub(crate) key_type: Option<KeyType>,
}

impl Context {
    pub(crate) fn new(command: &str, global: &Global) -> Result<Self, (Arc<Output>, Failure)> {
        let output = Arc::new(Output::new(global.json, Tongue::new(global.lang)));
        match Home::new(global.home.clone(), global.identity.clone()) {
            Ok(home) => Ok(Self { command: command.to_owned(), home, output }),
            Err(failure) => Err((output, failure)),
        }
    }

    pub(crate) fn command(&self) -> &str {
        &self.command
    }

    /// Says how the command failed.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        self.output.fail(failure, &self.command)
    }

    /// Runs asynchronous work on this thread, the only one.
    pub(crate) fn block_on<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let done = runtime.map_err(Failure::fault)?.block_on(work);
        self.output.rest();
        done
    }

    /// The identity that is meant, opened and locked.
    pub(crate) fn open(&self, keys: &KeyPassphrase) -> Result<Identity, Failure> {
        let name = self.home.chosen()?;
        self.open_named(&name, keys)
    }

    /// The identity of this name, opened and locked.
    pub(crate) fn open_named(
        &self,
        name: &IdentityName,
        keys: &KeyPassphrase,
    ) -> Result<Identity, Failure> {
        let folder = self.home.path(name);
        self.output.is_about(name, self.home.option(name), &folder);
        let settings = Settings::read(&Real, &folder).map_err(Error::from)?;
        let keys: Arc<dyn KeyStore> = match settings.key_store.as_str() {
            "file" => {
                let current = fs::read(folder.join("current/key.pem")).unwrap_or_default();
                let is_encrypted = current.starts_with(b"-----BEGIN ENCRYPTED");
                match keys.find(&self.output, is_encrypted)? {
                    Some(passphrase) => Arc::new(FileStore::encrypted(passphrase)),
                    None => Arc::new(FileStore::plain()),
                }
            }
            "pkcs12" => match keys.find(&self.output, true)? {
                Some(passphrase) => Arc::new(Pkcs12Store::new(passphrase)),
                None => return Err(Failure::usage(Say::KeyPassphraseNeeded)),
            },
            other => {
                return Err(Failure::act(Say::NoSuchKeyStore {
                    path: folder.join("identity.toml"),
                    found: other.to_owned(),
                }));
            }
        };
        let identity = Identity::open(Arc::new(Real), keys, &folder).map_err(Error::from)?;
        Ok(identity.on_callers_thread())
    }

    /// A client of an identity, which reports to the output.
    pub(crate) async fn client(
        &self,
        identity: Identity,
        consent: impl Consent + 'static,
        wish: Wish,
    ) -> Result<Client, Failure> {
        let environment = environment::detect("koshin", env!("CARGO_PKG_VERSION"));
        let output = Arc::clone(&self.output);
        let mut builder = Client::builder(identity)
            .consent(consent)
            .environment(environment.map_err(Failure::fault)?)
            .progress(move |event: &Event| output.event(event))
            .language(self.output.tongue().language().as_str());
        if let Some(patience) = wish.patience {
            builder = builder.patience(patience);
        }
        if let Some(key_type) = wish.key_type {
            builder = builder.key_type(key_type);
        }
        Ok(builder.build().await?)
    }
}
