//! A new bank in a folder: configuration, CA, database, and TLS for this machine where asked for.
//!
//! ```text
//! FOLDER/koshin-server.toml
//! FOLDER/data/ca/…          root, issuing CA and receipt key
//! FOLDER/data/koshin.db
//! FOLDER/tls/…              only for a bank on this machine alone
//! FOLDER/root.pem           what clients are configured with
//! ```

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use koshin_protocol::time::Time;

use crate::ca::{self, Embedded, FileError, NewAuthority, Passphrase, TlsCertificateError};
use crate::config::{Config, ConfigError, Origin};
use crate::store::StoreError;
use crate::store::sqlite::Sqlite;

/// The name of the configuration file in a bank's folder.
pub const CONFIG_FILE: &str = "koshin-server.toml";

/// What a new bank is made of.
#[derive(Debug)]
pub struct NewBank<'a> {
    /// The bank's name, as it stands in its CA's certificates.
    pub organization: &'a str,
    /// What clients call it.
    pub origin: &'a Origin,
    /// Where it listens.
    pub listen: SocketAddr,
    /// How it speaks there.
    pub transport: NewTransport<'a>,
    /// Where metrics and health are served, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// A shipped policy, or a file.
    pub policy: &'a str,
    /// Whether it is a test environment.
    pub testing: bool,
    /// The file with the passphrase that encrypts the CA's keys, if there is one.
    pub passphrase: Option<&'a Path>,
    /// From when on its CA is valid.
    pub now: Time,
}

/// How a new bank speaks.
#[derive(Debug, Clone, Copy)]
pub enum NewTransport<'a> {
    /// TLS with these files.
    Tls {
        /// Certificate and chain in PEM.
        certificate: &'a Path,
        /// Private key in PEM.
        key: &'a Path,
    },
    /// TLS for `localhost`, by a certificate of the new CA.
    LoopbackTls,
    /// HTTP in clear on a loopback address.
    Plain,
}

/// Why there is no new bank.
#[derive(Debug, thiserror::Error)]
pub enum NewBankError {
    /// The folder has something in it.
    #[error("{} exists and is not empty; a bank is never overwritten", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A path cannot stand in the configuration.
    #[error("{}: a path in the configuration must be UTF-8", .0.display())]
    Path(PathBuf),
    /// The passphrase or the CA's files cannot be used.
    #[error(transparent)]
    Authority(#[from] FileError),
    /// The CA cannot be made.
    #[error(transparent)]
    NewAuthority(#[from] ca::InitError),
    /// The TLS certificate cannot be made.
    #[error(transparent)]
    Tls(#[from] TlsCertificateError),
    /// What was asked for makes no configuration.
    #[error("the configuration would not be usable: {0}")]
    Config(#[from] ConfigError),
    /// The database cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NewBank<'_> {
    /// Makes the bank in `folder`, which does not exist or is empty: it appears whole or not at
    /// all. The answer is its configuration.
    pub fn create(&self, folder: &Path) -> Result<Config, NewBankError> {
        let occupied = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(folder)(error)),
        };
        if occupied {
            return Err(NewBankError::Exists(folder.to_owned()));
        }
        let text = self.config()?;
        let config_file = folder.join(CONFIG_FILE);
        let config = Config::parse(&config_file, &text)?;
        let scratch = scratch(folder)?;
        let made = self.fill(&scratch, &text).and_then(|()| {
            sync(&scratch)?;
            fs::rename(&scratch, folder).map_err(failed(folder))?;
            sync(above(folder))
        });
        if made.is_err() {
            // Nobody saw it, and nothing in it was used.
            drop(fs::remove_dir_all(&scratch));
        }
        made.map(|()| config)
    }

    fn fill(&self, folder: &Path, text: &str) -> Result<(), NewBankError> {
        write(&folder.join(CONFIG_FILE), text.as_bytes(), 0o644)?;
        let data = folder.join("data");
        make_folder(&data)?;
        let passphrase = self.passphrase.map(Passphrase::read).transpose()?;
        let authority = data.join("ca");
        NewAuthority {
            organization: self.organization,
            origin: self.origin,
            now: self.now,
            passphrase: passphrase.as_ref(),
        }
        .create(&authority)?;
        let root = fs::read(authority.join("root.pem")).map_err(failed(&authority))?;
        write(&folder.join("root.pem"), &root, 0o644)?;
        if let NewTransport::LoopbackTls = self.transport {
            let embedded = Embedded::load(&authority, passphrase.as_ref(), self.origin)?;
            let made = embedded.loopback_tls(self.now)?;
            let tls = folder.join("tls");
            make_folder(&tls)?;
            write(&tls.join("chain.pem"), made.chain.as_bytes(), 0o644)?;
            write(&tls.join("key.pem"), made.key.as_bytes(), 0o600)?;
            sync(&tls)?;
        }
        // Its end takes the log into the file.
        drop(Sqlite::open(data.join("koshin.db"))?);
        sync(&data)
    }

    /// The configuration file, with what else it may say.
    fn config(&self) -> Result<String, NewBankError> {
        let mut text = String::from(
            "# The configuration of a Koshin bank. Check it with `koshin-server check-config`.\n\
             # Relative paths start at this file's folder.\n\n",
        );
        let mut line = |line: std::fmt::Arguments<'_>| {
            text.write_fmt(line).and_then(|()| text.write_char('\n')).expect("a String grows");
        };
        line(format_args!(
            "# What clients call the bank. Signed requests name it; no header changes it."
        ));
        line(format_args!("publicOrigin = {}", quoted(self.origin.as_str())));
        line(format_args!("listen = {}", quoted(&self.listen.to_string())));
        line(format_args!(
            "# The folder of the database and the CA: back it up, and let nobody else read it."
        ));
        line(format_args!("data = \"data\""));
        line(format_args!(
            "# \"seed\", another policy that comes with the program, or a file such as \"policy.toml\"."
        ));
        line(format_args!("policy = {}", quoted(self.policy)));
        line(format_args!(
            "# A test environment: allows `provision` and [mischief]. Never for real customers."
        ));
        line(format_args!("testing = {}", self.testing));
        match self.transport {
            NewTransport::Plain => {
                line(format_args!(
                    "# HTTP in clear, on a loopback address only: behind a proxy that ends TLS."
                ));
                line(format_args!("plainHttp = true"));
            }
            NewTransport::LoopbackTls => {
                line(format_args!(
                    "\n# For this machine alone. Others need a certificate of a public CA."
                ));
                line(format_args!("[tls]\ncertificate = \"tls/chain.pem\"\nkey = \"tls/key.pem\""));
            }
            NewTransport::Tls { certificate, key } => {
                line(format_args!("\n# Read again when they change, and at SIGHUP."));
                line(format_args!("[tls]\ncertificate = {}", path(certificate)?));
                line(format_args!("key = {}", path(key)?));
            }
        }
        if let Some(passphrase) = self.passphrase {
            line(format_args!("\n[ca]\npassphraseFile = {}", path(passphrase)?));
        }
        match self.metrics {
            Some(metrics) => {
                line(format_args!(
                    "\n# /metrics, /healthz and /readyz: for the bank's own monitoring alone."
                ));
                line(format_args!("[metrics]\nlisten = {}", quoted(&metrics.to_string())));
            }
            None => line(format_args!(
                "\n# [metrics]\n# listen = \"127.0.0.1:9464\"  # /metrics, /healthz, /readyz"
            )),
        }
        line(format_args!("\n[log]\nformat = \"text\"  # or \"json\"\nfilter = \"info\""));
        line(format_args!(
            "\n# [limits]\n# connections = 4096\n# requestsPerAddress = 200  # a second; 0 behind a proxy that hides addresses\n# requestsPerCertificate = 50\n# contractPage = 200  # subjects on one page of a contract, 400 at most"
        ));
        Ok(text)
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn path(path: &Path) -> Result<String, NewBankError> {
    let absolute = std::path::absolute(path).map_err(failed(path))?;
    let text = absolute.to_str().ok_or_else(|| NewBankError::Path(path.to_owned()))?;
    Ok(quoted(text))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> NewBankError + '_ {
    |error| NewBankError::File { path: path.to_owned(), error }
}

/// A new folder beside `folder`, that is renamed to it in the end.
fn scratch(folder: &Path) -> Result<PathBuf, NewBankError> {
    let above = above(folder);
    fs::create_dir_all(above).map_err(failed(above))?;
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let scratch = above.join(name);
    make_folder(&scratch)?;
    Ok(scratch)
}

fn above(folder: &Path) -> &Path {
    folder.parent().filter(|above| *above != Path::new("")).unwrap_or(Path::new("."))
}

fn make_folder(path: &Path) -> Result<(), NewBankError> {
    DirBuilder::new().mode(0o700).create(path).map_err(failed(path))
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), NewBankError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .map_err(failed(path))
}

fn sync(folder: &Path) -> Result<(), NewBankError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}
