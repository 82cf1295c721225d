//! `init`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use koshin_server::clock::{Clock, System};
use koshin_server::config::Origin;
use koshin_server::init::{CONFIG_FILE, NewBank, NewTransport};
use serde_json::json;

use super::failure::Failure;
use super::output::Output;

const LONG: &str = "\
Makes a new bank in FOLDER: a commented configuration, a CA (root, issuing CA, receipt key) and an
empty database. FOLDER must not exist or be empty; it appears whole or not at all.

The root's key, FOLDER/data/ca/root.key, is needed again only for another issuing CA: take it off
the machine. FOLDER/root.pem is what clients are configured with.

Examples:
  koshin-server init bank --origin https://bank.example --listen 0.0.0.0:8443 \\
      --tls-certificate /etc/tls/chain.pem --tls-key /etc/tls/key.pem
  koshin-server init demonstration --tls-for-loopback --testing";

/// Make a new bank in a folder
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Init {
    /// Where the bank is to be
    folder: PathBuf,
    /// What clients call the bank [default with --tls-for-loopback: https://localhost:PORT]
    #[arg(long, value_name = "URL", required_unless_present = "tls_for_loopback")]
    origin: Option<String>,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// TLS certificate and chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// TLS private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// TLS for this machine alone, by a certificate of the new CA for localhost
    #[arg(long, conflicts_with_all = ["tls_certificate", "plain_http"])]
    tls_for_loopback: bool,
    /// No TLS: behind a proxy on this machine that ends it
    #[arg(long, conflicts_with = "tls_certificate")]
    plain_http: bool,
    /// The bank's name in its CA's certificates
    #[arg(long, value_name = "NAME", default_value = "Koshin Bank")]
    organization: String,
    /// A policy that comes with the program, or a file ending in .toml
    #[arg(long, value_name = "POLICY", default_value = "seed")]
    policy: String,
    /// File whose first line encrypts the CA's keys; readable by its owner alone
    #[arg(long, value_name = "FILE")]
    ca_passphrase_file: Option<PathBuf>,
    /// Address and port for metrics and health
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// A test environment: allows `provision` and mischief
    #[arg(long)]
    testing: bool,
}

impl Init {
    pub(crate) fn run(&self, output: Output) -> Result<(), Failure> {
        let origin = self.origin()?;
        let made = NewBank {
            organization: &self.organization,
            origin: &origin,
            listen: self.listen,
            transport: self.transport()?,
            metrics: self.metrics,
            policy: &self.policy,
            testing: self.testing,
            passphrase: self.ca_passphrase_file.as_deref(),
            now: System.now(),
        };
        made.create(&self.folder)?;
        let config = self.folder.join(CONFIG_FILE);
        let root = self.folder.join("root.pem");
        let (config, root) = (config.display(), root.display());
        let value = json!({
            "config": config.to_string(),
            "root": root.to_string(),
            "publicOrigin": origin.as_str(),
            "testing": self.testing,
        });
        output.say(
            &value,
            format_args!(
                "made a bank in {}\n\nnext:\n  \
                 koshin-server operator add NAME --config {config}\n  \
                 koshin-server serve --config {config}\n\
                 clients trust {root}; take {} off this machine",
                self.folder.display(),
                self.folder.join("data/ca/root.key").display(),
            ),
        )
    }

    fn origin(&self) -> Result<Origin, Failure> {
        let text = match &self.origin {
            Some(text) => text.clone(),
            // The port is not known yet; `serve` takes it over.
            None if self.listen.port() == 0 => "https://localhost".to_owned(),
            None => format!("https://localhost:{}", self.listen.port()),
        };
        Origin::parse(&text).ok_or_else(|| {
            Failure::usage(format!(
                "{text:?} is no origin: expected https, a host in lower case and no path, such as https://bank.example"
            ))
        })
    }

    fn transport(&self) -> Result<NewTransport<'_>, Failure> {
        match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => Ok(NewTransport::Tls { certificate, key }),
            _ if self.plain_http => Ok(NewTransport::Plain),
            _ if self.tls_for_loopback => Ok(NewTransport::LoopbackTls),
            _ => Err(Failure::usage(
                "TLS needs --tls-certificate and --tls-key, or --tls-for-loopback; or else --plain-http",
            )),
        }
    }
}
