//! The invariants, looked at from outside: what is on the machines' disks, and what the bank's registry says of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use koshin_client::files::Files;
use koshin_client::keystore::PrivateKey;
use koshin_client::pem;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::sign::Signer;
use rusqlite::{Connection, OpenFlags};

use crate::disk::Disk;
use crate::machine::{End, FOLDER, Machine};

/// What must never be.
#[derive(Clone, Debug)]
pub(crate) enum Broken {
    /// A pair of the customer's is lost.
    Loss(String),
    /// The bank's registry contradicts itself.
    Registry(String),
    /// It does not come to an end, or to a wrong one.
    End(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(what) => write!(f, "lost: {what}"),
            Self::Registry(what) => write!(f, "the registry: {what}"),
            Self::End(what) => write!(f, "the end: {what}"),
        }
    }
}

impl Broken {
    pub(crate) fn is_loss(&self) -> bool {
        matches!(self, Self::Loss(_))
    }
}

/// The bank's registry, as it is on its disk.
pub(crate) struct Registry(Connection);

/// What each query lists must not be (DESIGN's invariants 1, 3, 4 and 5).
const RULES: &[(&str, &str)] = &[
    (
        "a subject has at most one current certificate",
        "SELECT hex(subject) FROM certificate WHERE state = 'current' GROUP BY subject HAVING count(*) > 1",
    ),
    (
        "a subject has at most one unconfirmed certificate",
        "SELECT hex(subject) FROM certificate WHERE state = 'unconfirmed' GROUP BY subject HAVING count(*) > 1",
    ),
    (
        "a subject has at most one open order",
        "SELECT hex(subject) FROM orders WHERE state IN ('processing', 'valid')
         GROUP BY subject HAVING count(*) > 1",
    ),
    (
        "an order yields at most one certificate",
        "SELECT hex(from_order) FROM certificate WHERE from_order IS NOT NULL
         GROUP BY from_order HAVING count(*) > 1",
    ),
    (
        "serials are unique",
        "SELECT hex(serial) FROM certificate GROUP BY issuer, serial HAVING count(*) > 1",
    ),
    (
        "an order in valid has its certificate, unconfirmed",
        "SELECT hex(o.id) FROM orders AS o LEFT JOIN certificate AS c ON c.from_order = o.id
         WHERE o.state = 'valid' AND coalesce(c.state, '') <> 'unconfirmed'",
    ),
    (
        "a completed order has its certificate, confirmed, and its predecessor does not count",
        "SELECT hex(o.id) FROM orders AS o LEFT JOIN certificate AS c ON c.from_order = o.id
         LEFT JOIN certificate AS p ON p.id = o.replaces
         WHERE o.state = 'completed' AND (coalesce(c.state, 'unconfirmed') = 'unconfirmed'
            OR p.state NOT IN ('superseded', 'revoked'))",
    ),
    (
        "the certificate of an order that was undone does not count",
        "SELECT hex(o.id) FROM orders AS o JOIN certificate AS c ON c.from_order = o.id
         WHERE o.state IN ('canceled', 'invalid', 'rolledBack') AND c.state <> 'revoked'",
    ),
    (
        "a certificate is replaced once",
        "SELECT hex(replaces) FROM orders WHERE state = 'completed' GROUP BY replaces HAVING count(*) > 1",
    ),
];

impl Registry {
    pub(crate) fn open(path: &Path) -> Self {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        Self(connection.unwrap())
    }

    fn texts(&self, query: &str) -> Vec<String> {
        let mut statement = self.0.prepare_cached(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn check(&self) -> Result<(), Broken> {
        for (rule, query) in RULES {
            let broken = self.texts(query);
            if !broken.is_empty() {
                return Err(Broken::Registry(format!("{rule}: {broken:?}")));
            }
        }
        Ok(())
    }

    /// The states of all certificates, by their DER.
    fn certificates(&self) -> BTreeMap<Vec<u8>, String> {
        let mut statement = self.0.prepare_cached("SELECT der, state FROM certificate").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// The keys of open orders.
    fn ordered(&self) -> Vec<Vec<u8>> {
        let query = "SELECT key FROM orders WHERE state IN ('processing', 'valid')";
        let mut statement = self.0.prepare_cached(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
}

/// What is on a disk.
struct Kept {
    /// The certificate of `current`.
    current: Vec<u8>,
    /// The certificates of all whole pairs.
    pairs: Vec<Vec<u8>>,
    keys: Vec<Thumbprint>,
}

/// What the files that were seen so far hold, since the same ones are looked at again and again.
#[derive(Default)]
pub(crate) struct Reader {
    keys: BTreeMap<Vec<u8>, Option<Thumbprint>>,
    certificates: BTreeMap<Vec<u8>, Option<(Vec<u8>, Thumbprint)>>,
}

impl Reader {
    fn look(&mut self, disk: &Disk) -> Result<Kept, String> {
        let root = Path::new(FOLDER);
        let target = disk.read_link(&root.join("current"));
        let target = target.map_err(|error| format!("`current` is gone: {error}"))?;
        let (mut pairs, mut keys) = (Vec::new(), Vec::new());
        let generations = root.join("generations");
        let names = disk.list(&generations).map_err(|error| error.to_string())?;
        for name in names {
            let folder = generations.join(name);
            keys.extend(self.key(disk, &folder));
            pairs.extend(self.pair(disk, &folder).ok());
        }
        let current = self.pair(disk, &root.join(target))?;
        Ok(Kept { current, pairs, keys })
    }

    fn key(&mut self, disk: &Disk, folder: &Path) -> Option<Thumbprint> {
        let content = disk.read(&folder.join("key.pem")).ok()?;
        *self.keys.entry(content).or_insert_with_key(|content| {
            let sections = pem::sections(content).ok()?;
            let key = PrivateKey::from_pkcs8_der(&sections.first()?.der).ok()?;
            Some(key.public_key().thumbprint())
        })
    }

    /// The certificate of the pair in a folder, if it is one.
    fn pair(&mut self, disk: &Disk, folder: &Path) -> Result<Vec<u8>, String> {
        let key = self.key(disk, folder).ok_or("a key is gone or torn")?;
        let content = disk.read(&folder.join("certificate.pem")).unwrap_or_default();
        let certificate = self.certificates.entry(content).or_insert_with_key(|content| {
            let der = pem::sections(content).ok()?.first()?.der.to_vec();
            let certificate = Certificate::from_der(&der).ok()?;
            Some((der, certificate.key().thumbprint()))
        });
        let (der, certified) = certificate.as_ref().ok_or("a certificate is gone or torn")?;
        if *certified == key {
            Ok(der.clone())
        } else {
            Err("key and certificate do not belong together".to_owned())
        }
    }
}

/// What there would be if all programs were killed now, and if the power went now.
pub(crate) fn check(
    machines: &[Arc<Machine>],
    registry: &Registry,
    reader: &mut Reader,
    seed: u64,
) -> Result<(), Broken> {
    registry.check()?;
    for power in [None, Some(0), Some(seed)] {
        let disks = machines.iter().map(|machine| {
            let disk = machine.disk.copy();
            if let Some(seed) = power {
                disk.lose_power(seed);
            }
            (machine.name, disk)
        });
        let disks = disks.collect::<Vec<_>>();
        on_disks(&disks, registry, reader).map_err(|loss| {
            let when =
                power.map_or("killed now".to_owned(), |seed| format!("power lost now ({seed})"));
            Broken::Loss(format!("{when}: {loss}"))
        })?;
    }
    Ok(())
}

fn on_disks(
    disks: &[(&str, Disk)],
    registry: &Registry,
    reader: &mut Reader,
) -> Result<(), String> {
    let certificates = registry.certificates();
    let is = |der: &Vec<u8>, states: &[&str]| {
        certificates.get(der).is_some_and(|state| states.contains(&state.as_str()))
    };
    let mut all = Vec::new();
    for (name, disk) in disks {
        let kept = reader.look(disk);
        all.push((name, kept.map_err(|loss| format!("{name}: {loss} in `current`"))?));
    }
    // A logon with an unconfirmed one confirms it.
    let usable = |kept: &Kept| kept.pairs.iter().any(|der| is(der, &["current", "unconfirmed"]));
    let somewhere = all.iter().any(|(_, kept)| usable(kept));
    for (name, kept) in &all {
        let told = somewhere && kept.pairs.iter().any(|der| is(der, &["superseded"]));
        if !usable(kept) && !told {
            let states = kept.pairs.iter().map(|der| certificates.get(der)).collect::<Vec<_>>();
            return Err(format!("{name}: no pair that the bank takes: {states:?}"));
        }
    }
    for ordered in registry.ordered() {
        let mut keys = all.iter().flat_map(|(_, kept)| &kept.keys);
        if !keys.any(|key| key.as_bytes()[..] == ordered[..]) {
            return Err("the key of an open order is nowhere".to_owned());
        }
    }
    Ok(())
}

/// When nothing goes wrong any more and every machine came to its end: one of them has the pair that counts.
pub(crate) fn check_end(
    machines: &[Arc<Machine>],
    registry: &Registry,
    reader: &mut Reader,
) -> Result<(), Broken> {
    let wrong = |what: String| Err(Broken::End(what));
    if !registry.ordered().is_empty() {
        return wrong("an order is left open".to_owned());
    }
    let certificates = registry.certificates();
    let mut counting = 0;
    for machine in machines {
        let kept = reader.look(&machine.disk.copy()).map_err(Broken::Loss)?;
        let counts = certificates.get(&kept.current).is_some_and(|state| state == "current");
        match machine.end() {
            Some(End::Renewed) if counts => counting += 1,
            Some(End::Elsewhere) if !counts => {}
            end => return wrong(format!("{}: {end:?}, counts: {counts}", machine.name)),
        }
    }
    if counting == 1 {
        Ok(())
    } else {
        wrong(format!("{counting} machines have the pair that counts"))
    }
}
