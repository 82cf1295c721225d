//! Whether an order costs more where there are many certificates.

use std::path::Path;

use rusqlite::Connection;

use crate::client::{Address, Client};
use crate::figures::{Rounds, each};
use crate::process::Bank;
use crate::subjects::OldCa;
use crate::{Done, Effort};

/// Orders of one round.
const ORDERS: usize = 64;

/// Prints what newOrder costs a bank with a small store and one with a large store.
pub(crate) async fn measure(effort: Effort) -> Done {
    let (rounds, certificates) = (effort.of(3, 15), effort.of(20_000, 1_000_000));
    let mut banks = [Side::new(0)?, Side::new(certificates)?];
    let mut old_ca = OldCa::new()?;
    let mut ratio = Rounds::default();
    for _ in 0..rounds {
        let mut costs = [0.0; 2];
        for (side, cost) in banks.iter_mut().zip(&mut costs) {
            *cost = side.round(&mut old_ca).await?;
        }
        ratio.push(costs[1] / costs[0]);
    }
    println!("store: newOrder at a store of few and of {certificates} more certificates");
    banks[0].cpu.print("CPU of newOrder, small store", "us");
    banks[1].cpu.print("CPU of newOrder, large store", "us");
    ratio.print("large to small", "");
    Ok(())
}

struct Side {
    bank: Bank,
    address: Address,
    cpu: Rounds,
}

impl Side {
    fn new(certificates: u32) -> Done<Self> {
        let bank = Bank::prepared(|database| fill(database, certificates))?;
        let address = Address::of(&bank)?;
        Ok(Self { bank, address, cpu: Rounds::default() })
    }

    /// The CPU time of one order, in microseconds: the logons before are not counted.
    async fn round(&mut self, old_ca: &mut OldCa) -> Done<f64> {
        let subjects = old_ca.issue(ORDERS)?;
        self.bank.import(&subjects)?;
        let mut client = Client::connect(&self.address).await?;
        let mut sessions = Vec::new();
        for subject in &subjects {
            sessions.push(client.log_on(subject).await?);
        }
        let before = self.bank.cpu()?;
        for (subject, session) in subjects.iter().zip(&sessions) {
            client.order(subject, session).await?;
        }
        let cost = each(self.bank.cpu_since(before)?, ORDERS);
        self.cpu.push(cost);
        Ok(cost)
    }
}

/// Rows as an import would leave them, at random places of every index; certificates of random
/// bytes, since nobody logs on with them.
const ROWS: &str = "
    CREATE TEMP TABLE number AS
        WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?1)
        SELECT n, randomblob(16) AS subject, randomblob(32) AS key FROM counted WHERE ?1 > 0;
    CREATE TEMP TABLE owner AS
        SELECT n, randomblob(16) AS contract FROM number WHERE n % 8 = 0 OR n = 1;
    CREATE UNIQUE INDEX temp.owner_by_number ON owner (n);
    INSERT INTO contract (id, name, created) SELECT contract, hex(contract), 0 FROM owner ORDER BY 1;
    INSERT INTO subject (id, contract, name, name_der, role, created)
        SELECT subject, (SELECT contract FROM owner WHERE owner.n = max(1, number.n / 8 * 8)),
               'CN=' || hex(subject), subject, 'user', 0
        FROM number ORDER BY 1;
    INSERT INTO taken_key (thumbprint, taken) SELECT key, 0 FROM number ORDER BY 1;
    INSERT INTO certificate (cert_id, issuer, serial, fingerprint, key, subject, not_before,
                             not_after, state, stored, der)
        SELECT lower(hex(randomblob(20))) || '.' || hex(subject), x'00', subject, randomblob(32), key,
               subject, unixepoch() - 86400, unixepoch() + 31536000 + abs(random()) % 31536000,
               'current', 0, randomblob(500)
        FROM number;
    DROP TABLE owner;
    DROP TABLE number;";

fn fill(database: &Path, certificates: u32) -> Done {
    let connection = Connection::open(database)?;
    // The bank does not run yet, and whoever loses this file to a crash begins anew.
    connection.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -400000;
         PRAGMA foreign_keys = OFF; BEGIN;",
    )?;
    let indexes: Vec<(String, String)> = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (name, _) in &indexes {
        connection.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    connection.execute_batch(&ROWS.replace("?1", &certificates.to_string()))?;
    for (_, sql) in &indexes {
        connection.execute_batch(sql)?;
    }
    connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE);")?;
    Ok(())
}
