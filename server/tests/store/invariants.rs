//! The invariants of a bank, asserted by SQL over a whole database.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::Value;

use crate::bank::Bank;

/// Each query lists what breaks the rule before it.
const RULES: &[(&str, &str)] = &[
    (
        "a subject has at most one current certificate",
        "SELECT hex(subject) FROM certificate WHERE state = 'current'
         GROUP BY subject HAVING count(*) > 1",
    ),
    (
        "a subject has at most one unconfirmed certificate that is not revoked",
        "SELECT hex(subject) FROM certificate WHERE state = 'unconfirmed'
         GROUP BY subject HAVING count(*) > 1",
    ),
    (
        "a subject has at most one open order",
        "SELECT hex(subject) FROM orders WHERE state IN ('processing', 'valid')
         GROUP BY subject HAVING count(*) > 1",
    ),
    (
        "an order was placed within its predecessor's validity",
        "SELECT hex(o.id) FROM orders AS o JOIN certificate AS p ON p.id = o.replaces
         WHERE o.created > p.not_after OR o.created < p.not_before",
    ),
    (
        "an open order's predecessor is neither revoked nor superseded",
        "SELECT hex(o.id) FROM orders AS o JOIN certificate AS p ON p.id = o.replaces
         WHERE o.state IN ('processing', 'valid')
           AND p.state IN ('revoked', 'superseded', 'unconfirmed')",
    ),
    (
        "a certificate has the key, the subject and the issue of its order",
        "SELECT c.cert_id FROM certificate AS c JOIN orders AS o ON o.id = c.from_order
         WHERE c.key <> o.key OR c.subject <> o.subject OR c.stored < o.created",
    ),
    (
        "an order yields at most one certificate",
        "SELECT hex(from_order) FROM certificate WHERE from_order IS NOT NULL
         GROUP BY from_order HAVING count(*) > 1",
    ),
    (
        "serials are unique for an issuer",
        "SELECT hex(serial) FROM certificate GROUP BY issuer, serial HAVING count(*) > 1",
    ),
    (
        "a key is in one order or one imported certificate only",
        "SELECT hex(key) FROM
            (SELECT key FROM orders UNION ALL
             SELECT key FROM certificate WHERE from_order IS NULL)
         GROUP BY key HAVING count(*) > 1",
    ),
    (
        "an order in processing has no certificate",
        "SELECT hex(o.id) FROM orders AS o JOIN certificate AS c ON c.from_order = o.id
         WHERE o.state = 'processing'",
    ),
    (
        "an order in valid has its certificate, unconfirmed",
        "SELECT hex(o.id) FROM orders AS o LEFT JOIN certificate AS c ON c.from_order = o.id
         WHERE o.state = 'valid' AND coalesce(c.state, '') <> 'unconfirmed'",
    ),
    (
        "a completed order has its certificate, confirmed",
        "SELECT hex(o.id) FROM orders AS o LEFT JOIN certificate AS c ON c.from_order = o.id
         WHERE o.state = 'completed' AND coalesce(c.state, 'unconfirmed') = 'unconfirmed'",
    ),
    (
        "the certificate of an order that ended otherwise does not count",
        "SELECT hex(o.id) FROM orders AS o JOIN certificate AS c ON c.from_order = o.id
         WHERE o.state IN ('canceled', 'invalid', 'rolledBack')
           AND c.state <> 'revoked'",
    ),
    (
        "a completed renewal's predecessor does not count",
        "SELECT hex(o.id) FROM orders AS o JOIN certificate AS p ON p.id = o.replaces
         WHERE o.state = 'completed' AND p.state NOT IN ('superseded', 'revoked')",
    ),
    (
        "a superseded certificate has a completed order that replaced it, or an import came after it",
        "SELECT p.cert_id FROM certificate AS p WHERE p.state = 'superseded' AND NOT EXISTS
            (SELECT 1 FROM orders WHERE replaces = p.id AND state = 'completed') AND NOT EXISTS
            (SELECT 1 FROM certificate AS i
             WHERE i.subject = p.subject AND i.from_order IS NULL AND i.id > p.id)",
    ),
    (
        "the right to roll back exists only while the successor is current and the predecessor valid",
        "SELECT hex(o.id) FROM orders AS o JOIN certificate AS c ON c.from_order = o.id
         JOIN certificate AS p ON p.id = o.replaces
         WHERE o.rollback = 'until'
           AND (c.state <> 'current' OR p.state <> 'superseded' OR o.rollback_until > p.not_after
             OR EXISTS (SELECT 1 FROM orders WHERE replaces = c.id))",
    ),
    (
        "a revoked certificate is on the list",
        "SELECT c.cert_id FROM certificate AS c WHERE c.state = 'revoked' AND NOT EXISTS
            (SELECT 1 FROM revocation AS r WHERE r.issuer = c.issuer AND r.serial = c.serial)",
    ),
    (
        "a certificate on the list does not count",
        "SELECT c.cert_id FROM certificate AS c
         JOIN revocation AS r ON r.issuer = c.issuer AND r.serial = c.serial
         WHERE c.state <> 'revoked'",
    ),
    (
        "a session is of a certificate that may have one",
        "SELECT hex(n.id) FROM session AS n JOIN certificate AS c ON c.id = n.certificate
         WHERE n.ended IS NULL AND NOT
            (n.purpose = 'renewal' AND c.state = 'current'
             OR n.purpose = 'recovery' AND c.state IN ('superseded', 'current'))",
    ),
    (
        "a reissue and its order agree",
        "SELECT hex(r.id) FROM reissue AS r LEFT JOIN orders AS o ON o.reissue = r.id
         WHERE NOT CASE r.state
            WHEN 'pending' THEN o.id IS NULL
            WHEN 'redeemed' THEN coalesce(o.state IN ('processing', 'valid'), 0)
            WHEN 'completed' THEN coalesce(o.state = 'completed', 0)
            WHEN 'failed' THEN coalesce(o.state = 'invalid', 0)
            ELSE o.id IS NULL OR o.state = 'invalid' END",
    ),
];

/// Asserts every rule, and that the audit tells the same story.
pub fn check(bank: &Bank) {
    let sql = bank.sql();
    for (rule, query) in RULES {
        let mut statement = sql.prepare(query).expect("a query");
        let broken: Vec<String> = statement
            .query_map([], |row| row.get(0))
            .expect("rows")
            .collect::<Result<_, _>>()
            .expect("rows");
        assert!(broken.is_empty(), "broken: {rule}: {broken:?}");
    }
    check_audit(&sql);
}

/// Every object's state follows from the audit alone.
fn check_audit(sql: &Connection) {
    let mut told: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut statement =
        sql.prepare("SELECT record FROM audit ORDER BY chain, sequence").expect("a query");
    let mut rows = statement.query([]).expect("rows");
    while let Some(row) = rows.next().expect("a row") {
        let record: Vec<u8> = row.get(0).expect("bytes");
        let record: Value = serde_json::from_slice(&record).expect("JSON");
        for change in record["changes"].as_array().expect("changes") {
            let word = |name: &str| change[name].as_str().expect("a word").to_owned();
            told.insert((word("object"), word("id")), word("state"));
        }
    }
    told.retain(|(object, _), _| {
        ["order", "certificate", "session", "reissue"].contains(&object.as_str())
    });
    let states = states(sql);
    // Sessions are forgotten once they are long over; nothing else ever is.
    told.retain(|key, _| key.0 != "session" || states.contains_key(key));
    assert_eq!(told, states, "the audit (left) and the tables (right) differ");
}

fn states(sql: &Connection) -> BTreeMap<(String, String), String> {
    let mut states = BTreeMap::new();
    let queries = [
        ("order", "SELECT id, state FROM orders"),
        ("certificate", "SELECT CAST(cert_id AS BLOB), state FROM certificate"),
        ("session", "SELECT id, coalesce(ended, 'active') FROM session"),
        ("reissue", "SELECT id, state FROM reissue"),
    ];
    for (object, query) in queries {
        let mut statement = sql.prepare(query).expect("a query");
        let mut rows = statement.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            let id: Vec<u8> = row.get(0).expect("an id");
            let id = if object == "certificate" {
                String::from_utf8(id).expect("a certID")
            } else {
                koshin_protocol::base64url::encode(&id)
            };
            states.insert((object.to_owned(), id), row.get(1).expect("a state"));
        }
    }
    states
}
