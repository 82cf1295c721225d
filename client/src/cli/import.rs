//! `import`

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use koshin_client::consent::Unattended;
use koshin_client::files::Real;
use koshin_client::identity::{Identity, Pair, Settings};
use koshin_client::import::{self, ImportError, Imported};
use koshin_client::keystore::{FileStore, KeyStore, Pkcs12Store};
use koshin_client::pem;
use koshin_client::transport::{HttpsError, Pin};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use serde_json::json;

use super::consent;
use super::context::{Context, Wish};
use super::failure::Failure;
use super::home::IdentityName;
use super::say::Say;
use super::secret::{self, FilePassphrase, KeyPassphrase};

const LONG: &str = "\
Takes in the key and the certificate that you have: PEM or DER files, or a PKCS#12 file (.p12, .pfx)
as OpenSSL, browsers and banks write them. The files stay as they are; the copies are koshin's own.

The first import sets an identity up, and needs to know the bank: the URL of its directory, and the
roots that its certificates are checked against, both from the bank.

Examples:
  koshin import tanaka.p12 --directory https://bank.example/directory --trust roots.pem
  koshin import key.pem certificate.pem --identity hanako \\
      --directory https://bank.example/directory --trust roots.pem";

/// Take in the key and the certificate that you have
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Import {
    /// PKCS#12 file, or files with the key and the certificate in PEM or DER
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: FilePassphrase,
    #[command(flatten)]
    bank: NewIdentity,
    #[command(flatten)]
    keys: KeyPassphrase,
    /// Do not ask the bank when the renewal opens
    #[arg(long)]
    offline: bool,
}

/// What a new identity is set up with.
#[derive(Debug, Args)]
#[command(next_help_heading = "New identity")]
pub(crate) struct NewIdentity {
    /// The URL of the bank's directory
    #[arg(long, value_name = "URL", env = "KOSHIN_DIRECTORY", hide_env_values = true)]
    pub(crate) directory: Option<Url>,
    /// PEM file with the roots of the bank's certificates
    #[arg(long, value_name = "FILE", env = "KOSHIN_TRUST", hide_env_values = true)]
    trust: Option<PathBuf>,
    /// PEM file with the roots for the connection (TLS), in place of the system's
    #[arg(long, value_name = "FILE")]
    tls_trust: Option<PathBuf>,
    /// SHA-256 of a public key in base64url that the bank's TLS chain must have one of
    #[arg(long, value_name = "PIN", value_parser = pin)]
    tls_pin: Vec<String>,
    /// Where keys are kept (格納先) [default: file]
    #[arg(long, value_name = "KIND", value_parser = ["file", "pkcs12"])]
    key_store: Option<String>,
    /// Encrypt keys in the store `file` under a passphrase
    #[arg(long)]
    encrypt: bool,
}

impl Import {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let imported = self.read(context)?;
        let name = context.home.chosen_or_new()?;
        let identity = self.bank.open_or_create(context, &name, None, &self.keys)?;
        let certificate = imported.chain[0].clone();
        let is_there = fits(&identity, &name, &certificate)?;
        let pair = match is_there {
            // An import that was killed may have left it without the link.
            Some(pair) => identity.switch_to(&CertId::of(&pair.certificate))?,
            None => identity.import(imported, now())?,
        };
        context.block_on(self.tell(context, identity, pair))
    }

    fn read(&self, context: &Context) -> Result<Imported, Failure> {
        let read = |path: &PathBuf| fs::read(path).map_err(|error| Failure::input(path, error));
        let contents = self.files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
        let given = self.passphrase.given()?;
        let mut read = import::read(&contents, given.as_ref(), now());
        while context.output.is_attended() && given.is_none() {
            match read {
                Err(ImportError::PassphraseMissing) => {}
                Err(ImportError::PassphraseWrong) => {
                    context.output.note(&Say::PassphraseWasWrong);
                }
                other => return Ok(other?),
            }
            let typed = secret::typed(&context.output, &Say::AskFilePassphrase)?;
            if typed.is_empty() {
                return Err(ImportError::PassphraseMissing.into());
            }
            let typed = String::clone(&typed).into();
            read = import::read(&contents, Some(&typed), now());
        }
        Ok(read?)
    }

    async fn tell(&self, context: &Context, identity: Identity, pair: Pair) -> Result<(), Failure> {
        let folder = identity.folder().join("current");
        let client = context.client(identity, Unattended::default(), Wish::default()).await?;
        let window = if self.offline { None } else { Some(client.window().await) };
        let (opens, why_unknown) = match window {
            Some(Ok(window)) => (Some(window.start()), None),
            // It is imported, whether the bank can be asked or not.
            Some(Err(error)) => (None, Some(context.output.tongue().error(&error))),
            None => (None, None),
        };
        let subject = pair.certificate.subject().to_string();
        let (not_after, now) = (pair.certificate.not_after(), now());
        let value = json!({
            "certID": CertId::of(&pair.certificate),
            "subject": subject,
            "notAfter": not_after,
            "generation": pair.generation,
            "opens": opens,
        });
        let is_open = opens.map(|opens| opens <= now);
        // Where the bank cannot be asked, a renewal would fail the same way.
        let next = if why_unknown.is_some() { "doctor" } else { "renew" };
        let command = context.output.command(next);
        let say =
            Say::Imported { subject, not_after, opens, is_open, why_unknown, folder, command };
        context.output.result(context.command(), "imported", value, &say);
        Ok(())
    }
}

/// Whether a certificate may go into an identity; the pair, if it is there already.
fn fits(
    identity: &Identity,
    name: &IdentityName,
    certificate: &Certificate,
) -> Result<Option<Pair>, Failure> {
    let Some(current) = identity.current()? else { return Ok(None) };
    let (ours, found) = (current.certificate.subject(), certificate.subject());
    if ours != found {
        let (ours, found) = (ours.to_string(), found.to_string());
        return Err(Failure::usage(Say::OtherSubject { name: name.to_string(), ours, found }));
    }
    if current.certificate == *certificate {
        return Ok(Some(current));
    }
    if certificate.not_after() < current.certificate.not_after() {
        let (ours, found) = (current.certificate.not_after(), certificate.not_after());
        return Err(Failure::usage(Say::OlderThanCurrent { name: name.to_string(), ours, found }));
    }
    Ok(None)
}

impl NewIdentity {
    /// The identity of this name; set up if there is none, with a directory that was accepted where none was named.
    pub(crate) fn open_or_create(
        &self,
        context: &Context,
        name: &IdentityName,
        accepted: Option<Url>,
        keys: &KeyPassphrase,
    ) -> Result<Identity, Failure> {
        let roots = self.trust.as_deref().map(roots).transpose()?;
        if context.home.names()?.contains(name) {
            let folder = context.home.path(name);
            let settings = Settings::read(&Real, &folder)?;
            self.agrees_with(&settings, name, &folder)?;
            self.put_tls(settings, &folder)?;
            let identity = context.open_named(name, keys)?;
            if let Some(roots) = roots {
                identity.put_anchors(&roots)?;
            }
            return Ok(identity);
        }
        let Some(directory) = self.directory.clone().or(accepted) else {
            return Err(Failure::usage(Say::DirectoryNeeded));
        };
        let Some(roots) = roots else { return Err(Failure::usage(Say::TrustNeeded)) };
        let tls_roots = self.tls_trust.as_deref().map(self::roots).transpose()?;
        let key_store = self.key_store(context);
        let keys: Arc<dyn KeyStore> = match key_store.as_str() {
            "pkcs12" => Arc::new(Pkcs12Store::new(keys.choose(&context.output)?)),
            _ if self.encrypt => Arc::new(FileStore::encrypted(keys.choose(&context.output)?)),
            _ => match keys.given()? {
                Some(passphrase) => Arc::new(FileStore::encrypted(passphrase)),
                None => Arc::new(FileStore::plain()),
            },
        };
        let settings = Settings {
            name: name.to_string(),
            directory,
            key_store,
            trust: "trust.pem".into(),
            tls_trust: tls_roots.is_some().then(|| "tls-trust.pem".into()),
            tls_pins: self.tls_pin.clone(),
        };
        context.home.make()?;
        let folder = context.home.path(name);
        let identity = Identity::create(Arc::new(Real), keys, &folder, settings)?;
        identity.put_anchors(&roots)?;
        if let Some(roots) = tls_roots {
            identity.put_tls_anchors(&roots)?;
        }
        context.output.is_about(name, context.home.option(name), &folder);
        Ok(identity.on_callers_thread())
    }

    /// What was given for the connection counts from now on, also for an identity that exists.
    fn put_tls(&self, mut settings: Settings, folder: &Path) -> Result<(), Failure> {
        if !self.tls_pin.is_empty() && self.tls_pin != settings.tls_pins {
            settings.tls_pins.clone_from(&self.tls_pin);
            settings.put(&Real, folder)?;
        }
        if let Some(path) = &self.tls_trust {
            settings.put_tls_anchors(&Real, folder, &roots(path)?)?;
        }
        Ok(())
    }

    /// What was given for an identity that exists is what it has.
    fn agrees_with(
        &self,
        settings: &Settings,
        name: &IdentityName,
        folder: &Path,
    ) -> Result<(), Failure> {
        if let Some(directory) = &self.directory
            && *directory != settings.directory
        {
            return Err(Failure::usage(Say::OtherDirectory {
                name: name.to_string(),
                ours: settings.directory.to_string(),
                given: directory.to_string(),
                file: folder.join("identity.toml"),
            }));
        }
        if let Some(given) = &self.key_store
            && *given != settings.key_store
        {
            return Err(Failure::usage(Say::OtherKeyStore {
                name: name.to_string(),
                ours: settings.key_store.clone(),
            }));
        }
        Ok(())
    }

    /// The kind that was given, else the one that is chosen at the terminal, else `file`.
    fn key_store(&self, context: &Context) -> String {
        let kind = match &self.key_store {
            Some(given) => given.as_str(),
            None if self.encrypt || !context.output.is_attended() => "file",
            None => loop {
                match consent::answer(&context.output, &Say::AskKeyStore).as_deref() {
                    Some("" | "1" | "file") | None => break "file",
                    Some("2" | "pkcs12") => break "pkcs12",
                    Some(_) => context.output.note(&Say::AnswerOneOrTwo),
                }
            },
        };
        kind.to_owned()
    }
}

/// A pin as it stands in the settings, if it is one.
fn pin(text: &str) -> Result<String, HttpsError> {
    text.parse::<Pin>().map(|_| text.to_owned())
}

/// The certificates of a PEM file; at least one.
fn roots(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let content = fs::read(path).map_err(|error| Failure::input(path, error))?;
    let sections = pem::sections(&content).map_err(|error| Failure::input(path, error))?;
    let certificates = sections
        .iter()
        .filter(|section| section.label == "CERTIFICATE")
        .map(|section| Certificate::from_der(&section.der))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::input(path, error))?;
    if certificates.is_empty() {
        return Err(Failure::usage(Say::NoRoots { path: path.to_owned() }));
    }
    Ok(certificates)
}

/// This machine's time.
pub(crate) fn now() -> Time {
    Time::from_timestamp(Timestamp::now()).unwrap_or(Time::MAX)
}
