"""What the bank remembers, in SQLite: one transaction for each transition, durable before an answer is sent (DUR-01)."""

import hashlib
import json
import sqlite3
import threading
from contextlib import contextmanager

from wire import clock

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS contract (id TEXT PRIMARY KEY, label TEXT UNIQUE, name TEXT NOT NULL, place TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS subject (
    id TEXT PRIMARY KEY, contract TEXT NOT NULL REFERENCES contract, role TEXT NOT NULL, name TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS certificate (
    number INTEGER PRIMARY KEY AUTOINCREMENT, cert_id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL REFERENCES subject,
    der BLOB NOT NULL UNIQUE, key TEXT NOT NULL, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,
    state TEXT NOT NULL, revoked_at INTEGER, reason TEXT, predecessor TEXT, successor TEXT, key_store TEXT,
    serial TEXT NOT NULL, ours INTEGER NOT NULL, deferrals INTEGER NOT NULL DEFAULT 0, deferred_at INTEGER
);
CREATE INDEX IF NOT EXISTS certificate_subject ON certificate (subject);
CREATE INDEX IF NOT EXISTS certificate_key ON certificate (key);
CREATE UNIQUE INDEX IF NOT EXISTS one_current ON certificate (subject) WHERE state = 'current';
CREATE UNIQUE INDEX IF NOT EXISTS one_unconfirmed ON certificate (subject) WHERE state = 'unconfirmed';
CREATE TABLE IF NOT EXISTS session (
    id TEXT PRIMARY KEY, cert_id TEXT NOT NULL, begun INTEGER NOT NULL, used INTEGER NOT NULL,
    ended TEXT, deferred INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS session_certificate ON session (cert_id) WHERE ended IS NULL;
CREATE TABLE IF NOT EXISTS renewal (
    id TEXT PRIMARY KEY, subject TEXT NOT NULL REFERENCES subject, replaces TEXT NOT NULL, key_store TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE, csr BLOB NOT NULL, created INTEGER NOT NULL, status TEXT NOT NULL, cert_id TEXT,
    chain TEXT, error TEXT, changed INTEGER NOT NULL, receipt TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open ON renewal (subject) WHERE status IN ('processing', 'valid');
CREATE TABLE IF NOT EXISTS serial (number TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS crl (number INTEGER PRIMARY KEY AUTOINCREMENT, revoked INTEGER NOT NULL, made INTEGER NOT NULL, der BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS record (
    contract TEXT NOT NULL, number INTEGER NOT NULL, content TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (contract, number)
);
"""


class Store:
    """The database in the bank's folder. All threads share one connection, one at a time; other processes wait for each other."""

    def __init__(self, path):
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(SCHEMA)

    @contextmanager
    def transaction(self):
        """Commits at the end; an exception, such as a refusal, undoes everything (CHK-03)."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._db)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


class Transaction:
    """Reads and changes within one transaction."""

    def __init__(self, db):
        self._db = db

    def one(self, query, *values):
        return self._db.execute(query, values).fetchone()

    def all(self, query, *values):
        return self._db.execute(query, values).fetchall()

    def run(self, query, *values):
        return self._db.execute(query, values)

    def insert(self, table, **row):
        names = ", ".join(row)
        self._db.execute("INSERT INTO %s (%s) VALUES (%s)" % (table, names, ", ".join("?" * len(row))), tuple(row.values()))

    def setting(self, name, default=None):
        row = self.one("SELECT value FROM setting WHERE name = ?", name)
        return json.loads(row["value"]) if row else default

    def set_setting(self, name, value):
        self.run("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, json.dumps(value))

    def record(self, subject, actor, **what):
        """A record of the contract's chain, with the change that it tells of (AUD-01, AUD-02)."""
        contract = self.one("SELECT contract FROM subject WHERE id = ?", subject)["contract"]
        last = self.one("SELECT number, hash FROM record WHERE contract = ? ORDER BY number DESC", contract)
        number, before = (last["number"] + 1, last["hash"]) if last else (0, "")
        content = json.dumps({"time": clock.write_time(clock.now()), "actor": actor, "subject": subject, **what})
        made = _hash(before, content)
        self.insert("record", contract=contract, number=number, content=content, hash=made)

    def broken_records(self):
        """Contracts whose chain of records does not hold (AUD-03, without an exported head)."""
        broken, before = [], {}
        for row in self.all("SELECT * FROM record ORDER BY contract, number"):
            number, last = before.get(row["contract"], (0, ""))
            if row["number"] != number or row["hash"] != _hash(last, row["content"]):
                broken.append(row["contract"])
            before[row["contract"]] = (row["number"] + 1, row["hash"])
        return broken


def _hash(before, content):
    return hashlib.sha256((before + "\n" + content).encode("utf-8")).hexdigest()
