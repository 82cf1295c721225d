//! The configuration file, `koshin-server.toml`: where the bank listens, what it is called, where
//! its data are, and which policy it follows.
//!
//! ```toml
//! publicOrigin = "https://bank.example"     # what clients call it; requests are compared with nothing else
//! listen = "0.0.0.0:8443"
//! data = "/var/lib/koshin"                  # relative paths start at this file's folder
//! policy = "seed"                           # a shipped policy, or a file: "policy.toml"
//!
//! [tls]
//! certificate = "tls/chain.pem"
//! key = "tls/key.pem"
//!
//! [metrics]
//! listen = "127.0.0.1:9464"
//! ```

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use koshin_protocol::url::Url;
use tracing_subscriber::EnvFilter;

use crate::policy::{Policy, SHIPPED};
use crate::settings::{Entry, SettingsError, Table};

/// Everything the configuration file says. A value that exists is consistent in itself; that files
/// and folders named in it exist is found out by whoever opens them.
#[derive(Debug)]
pub struct Config {
    /// What clients call the bank.
    pub public_origin: Origin,
    /// Where it listens.
    pub listen: SocketAddr,
    /// How it speaks there.
    pub transport: Transport,
    /// The folder of database, CA and audit.
    pub data: PathBuf,
    /// The policy's name or file, as configured.
    pub policy_name: String,
    /// The policy.
    pub policy: Policy,
    /// Where the file with the passphrase of the CA's keys is, if they are encrypted.
    pub ca_passphrase: Option<PathBuf>,
    /// Where metrics and health are served; `None`: nowhere.
    pub metrics: Option<SocketAddr>,
    /// How the log is written.
    pub log: LogSettings,
    /// How much at once.
    pub limits: LimitSettings,
    /// Whether this bank is a test environment: `provision` and mischief are refused elsewhere.
    pub testing: bool,
    /// Faults on purpose; only where `testing`.
    pub mischief: Option<MischiefSettings>,
}

/// How the bank speaks where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// TLS with these files in PEM, read again when they change.
    Tls {
        /// Certificate and chain.
        certificate: PathBuf,
        /// Private key.
        key: PathBuf,
    },
    /// HTTP in clear, on a loopback address: for tests, and behind a proxy on the same machine.
    Plain,
}

/// Scheme, host and port, and nothing else: `https://bank.example`, `https://bank.example:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Reads an origin in its normal form; `http` only for loopback hosts.
    pub fn parse(text: &str) -> Option<Self> {
        let root = Url::parse(&format!("{text}/")).ok()?;
        let (_, authority) = text.split_once("://")?;
        let bare = !authority.contains('/');
        (bare && root.as_str().len() == text.len() + 1).then(|| Self(text.to_owned()))
    }

    /// The origin as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port as a `Host` header names them.
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The same scheme and host at another port: for listeners whose port the system chose.
    pub fn at_port(&self, port: u16) -> Option<Self> {
        let (scheme, authority) = self.0.split_once("://")?;
        let host = match authority.rsplit_once(':') {
            Some((host, old)) if old.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        Self::parse(&format!("{scheme}://{host}:{port}"))
    }

    /// Whether it is `http`.
    pub fn is_plain(&self) -> bool {
        self.0.starts_with("http://")
    }
}

/// How the log is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// One JSON object a line instead of text for people.
    pub json: bool,
    /// Directives such as `info` or `koshin_server=debug,info`.
    pub filter: String,
}

/// How much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// Connections.
    pub connections: usize,
    /// Requests a second of one network address; 0: any number. A proxy in front that hides its
    /// clients' addresses needs 0.
    pub requests_per_address: u32,
    /// Requests a second that one certificate signs; 0: any number.
    pub requests_per_certificate: u32,
    /// PINs being checked, each with the policy's memory and a thread.
    pub pins_at_once: usize,
    /// PINs waiting to be checked.
    pub pins_waiting: usize,
    /// Subjects on one page of a contract: few enough that no page is longer than clients take (SPEC.md 7.7), whatever
    /// names and certificates they have.
    pub contract_page: u32,
}

/// Shares of requests, in per cent and together at most 100, that meet a fault made on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MischiefSettings {
    /// The same seed gives the same sequence of faults.
    pub seed: u32,
    /// A good nonce is answered `badNonce`.
    pub reject_nonce: u32,
    /// The request is carried out and the connection closed without an answer.
    pub drop_response: u32,
    /// The answer is delayed.
    pub delay: u32,
    /// 429.
    pub rate_limited: u32,
    /// 503.
    pub unavailable: u32,
    /// The order stays `processing` for a while.
    pub processing: u32,
    /// Longest delay in seconds.
    pub longest_delay: u32,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file says something that it may not.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

const KEYS: &[&str] = &[
    "publicOrigin",
    "listen",
    "plainHttp",
    "tls",
    "data",
    "policy",
    "ca",
    "metrics",
    "log",
    "limits",
    "testing",
    "mischief",
];

impl Config {
    /// Reads the file at `path`, and the policy it names.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        Self::parse(path, &text)
    }

    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.data.join("koshin.db")
    }

    /// The folder of the CA.
    pub fn authority(&self) -> PathBuf {
        self.data.join("ca")
    }

    /// Reads `text` as the content of the file at `path`, and the policy it names.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut top = Table::parse(&name, text, KEYS)?;
        let (listen, transport) = transport(&mut top, folder)?;
        let public_origin = origin(&mut top, &transport)?;
        let data = path_in(folder, &top.required("data", PATH)?)?;
        let (policy_name, policy) = policy(&mut top, folder)?;
        let ca = top
            .section("ca", &["passphraseFile"])?
            .and_then(|mut ca| ca.optional("passphraseFile"));
        let ca_passphrase = ca.map(|entry| path_in(folder, &entry)).transpose()?;
        let metrics = top.section("metrics", &["listen"])?;
        let metrics = metrics
            .map(|mut metrics| address(&metrics.required("listen", ADDRESS)?))
            .transpose()?;
        let log = log(&mut top)?;
        let limits = limits(&mut top)?;
        let testing = top.optional("testing").map_or(Ok(false), |entry| entry.boolean())?;
        let mischief = mischief(&mut top, testing)?;
        Ok(Self {
            public_origin,
            listen,
            transport,
            data,
            policy_name,
            policy,
            ca_passphrase,
            metrics,
            log,
            limits,
            testing,
            mischief,
        })
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path)
        .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })
}

const PATH: &str = "a path, absolute or from this file's folder";

fn path_in(folder: &Path, entry: &Entry<'_>) -> Result<PathBuf, SettingsError> {
    entry.parsed(PATH, |text| (!text.is_empty()).then(|| folder.join(text)))
}

const ADDRESS: &str = "an IP address and port, like \"127.0.0.1:8443\" or \"[::]:8443\"";

fn address(entry: &Entry<'_>) -> Result<SocketAddr, SettingsError> {
    entry.parsed(ADDRESS, |text| text.parse().ok())
}

fn transport(top: &mut Table<'_>, folder: &Path) -> Result<(SocketAddr, Transport), SettingsError> {
    let listen_entry = top.required("listen", ADDRESS)?;
    let listen = address(&listen_entry)?;
    let plain_entry = top.optional("plainHttp");
    let plain = plain_entry.as_ref().map_or(Ok(false), Entry::boolean)?;
    let tls = top.section("tls", &["certificate", "key"])?;
    let transport = match (plain_entry, plain, tls) {
        (Some(entry), true, Some(_)) => return Err(entry.refused("false, or no table [tls]")),
        (_, true, _) if !listen.ip().is_loopback() => {
            return Err(listen_entry
                .refused("a loopback address, like \"127.0.0.1:8080\", with plainHttp = true"));
        }
        (_, true, _) => Transport::Plain,
        (_, false, Some(mut tls)) => Transport::Tls {
            certificate: path_in(folder, &tls.required("certificate", PATH)?)?,
            key: path_in(folder, &tls.required("key", PATH)?)?,
        },
        (_, false, None) => {
            return Err(top.missing(
                "tls",
                "a table with certificate and key, or plainHttp = true on a loopback address",
            ));
        }
    };
    Ok((listen, transport))
}

fn origin(top: &mut Table<'_>, transport: &Transport) -> Result<Origin, SettingsError> {
    const ALLOWED: &str = "an https origin in lower case without path, slash or default port, like \"https://bank.example\"";
    let entry = top.required("publicOrigin", ALLOWED)?;
    let origin = entry.parsed(ALLOWED, Origin::parse)?;
    match transport {
        Transport::Tls { .. } if origin.is_plain() => Err(entry.refused(ALLOWED)),
        Transport::Tls { .. } | Transport::Plain => Ok(origin),
    }
}

fn policy(top: &mut Table<'_>, folder: &Path) -> Result<(String, Policy), ConfigError> {
    let shipped: Vec<_> = SHIPPED.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let allowed = format!("{}, or a file ending in \".toml\"", shipped.join(", "));
    let entry = top.required("policy", &allowed)?;
    let name = entry.text(&allowed)?.to_owned();
    let policy = match Policy::shipped(&name) {
        Some(policy) => policy,
        None if Path::new(&name).extension().is_some_and(|extension| extension == "toml") => {
            let path = folder.join(&name);
            Policy::parse(&path.display().to_string(), &read(&path)?)?
        }
        None => return Err(entry.refused(&allowed).into()),
    };
    Ok((name, policy))
}

fn log(top: &mut Table<'_>) -> Result<LogSettings, SettingsError> {
    let mut log = LogSettings { json: false, filter: "info".to_owned() };
    if let Some(mut section) = top.section("log", &["format", "filter"])? {
        if let Some(entry) = section.optional("format") {
            log.json = entry.choice(&[("text", false), ("json", true)])?;
        }
        if let Some(entry) = section.optional("filter") {
            log.filter = entry
                .parsed("directives like \"info\" or \"koshin_server=debug,info\"", |text| {
                    EnvFilter::try_new(text).is_ok().then(|| text.to_owned())
                })?;
        }
    }
    Ok(log)
}

fn limits(top: &mut Table<'_>) -> Result<LimitSettings, SettingsError> {
    const KEYS: &[&str] = &[
        "connections",
        "requestsPerAddress",
        "requestsPerCertificate",
        "pinsAtOnce",
        "pinsWaiting",
        "contractPage",
    ];
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut limits = LimitSettings {
        connections: 4096,
        requests_per_address: 200,
        requests_per_certificate: 50,
        // Half of the processors at most: renewals must get on while everybody logs on.
        pins_at_once: (processors / 2).max(1),
        pins_waiting: 64,
        contract_page: 200,
    };
    if let Some(mut section) = top.section("limits", KEYS)? {
        for (key, value) in [
            ("requestsPerAddress", &mut limits.requests_per_address),
            ("requestsPerCertificate", &mut limits.requests_per_certificate),
        ] {
            if let Some(entry) = section.optional(key) {
                *value = entry.integer(0..=1_000_000, "requests a second")?;
            }
        }
        if let Some(entry) = section.optional("contractPage") {
            limits.contract_page = entry.integer(1..=400, "subjects on a page")?;
        }
        let mut set = |key, most, unit, value: &mut usize| -> Result<(), SettingsError> {
            if let Some(entry) = section.optional(key) {
                *value = usize::try_from(entry.integer(1..=most, unit)?).unwrap_or(usize::MAX);
            }
            Ok(())
        };
        set("connections", 1_000_000, "connections", &mut limits.connections)?;
        set("pinsAtOnce", 256, "PINs at once", &mut limits.pins_at_once)?;
        set("pinsWaiting", 10_000, "PINs waiting", &mut limits.pins_waiting)?;
    }
    Ok(limits)
}

fn mischief(top: &mut Table<'_>, testing: bool) -> Result<Option<MischiefSettings>, SettingsError> {
    const KEYS: &[&str] = &[
        "seed",
        "rejectNonce",
        "dropResponse",
        "delay",
        "rateLimited",
        "unavailable",
        "processing",
        "longestDelay",
    ];
    let Some(entry) = top.optional("mischief") else { return Ok(None) };
    let untested = entry.refused("nothing, unless testing = true");
    let too_many = entry.refused("shares that add up to at most 100 per cent");
    if !testing {
        return Err(untested);
    }
    let mut table = entry.table(KEYS)?;
    let seed = table.required("seed", "0 to 4294967295")?.integer(0..=u32::MAX, "")?;
    let mut share = |key| {
        table.optional(key).map_or(Ok(0), |entry| entry.integer(0..=100, "per cent of requests"))
    };
    let mut mischief = MischiefSettings {
        seed,
        reject_nonce: share("rejectNonce")?,
        drop_response: share("dropResponse")?,
        delay: share("delay")?,
        rate_limited: share("rateLimited")?,
        unavailable: share("unavailable")?,
        processing: share("processing")?,
        longest_delay: 5,
    };
    if let Some(entry) = table.optional("longestDelay") {
        mischief.longest_delay = entry.integer(0..=600, "seconds")?;
    }
    let sum = mischief.reject_nonce
        + mischief.drop_response
        + mischief.delay
        + mischief.rate_limited
        + mischief.unavailable
        + mischief.processing;
    if sum > 100 { Err(too_many) } else { Ok(Some(mischief)) }
}

#[cfg(test)]
mod tests;
