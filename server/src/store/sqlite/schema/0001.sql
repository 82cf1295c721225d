-- Times are seconds since 1970-01-01T00:00:00Z. What a decision about a subject needs stands in `state`, which no SQL looks
-- into: a version byte and postcard. What must be unique in the whole bank is unique here.

-- The one row of what the bank itself keeps.
CREATE TABLE bank (
    only           INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    -- What ids are made with: whoever has it can tell a subject's row from the id of its order.
    id_key         BLOB NOT NULL CHECK (length(id_key) = 16),
    -- The next number of a row that is given.
    next           INTEGER NOT NULL CHECK (next > 0),
    staff          BLOB NOT NULL,
    staff_version  INTEGER NOT NULL
) STRICT;

CREATE TABLE contract (
    id        BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version   INTEGER NOT NULL CHECK (version > 0),
    name      TEXT NOT NULL,
    disabled  INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    created   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE subject (
    number    INTEGER NOT NULL PRIMARY KEY,
    version   INTEGER NOT NULL CHECK (version > 0),
    contract  BLOB NOT NULL REFERENCES contract (id),
    state     BLOB NOT NULL
) STRICT;

CREATE INDEX subject_of_contract ON subject (contract);

-- Everything that finds a subject and that nobody else may have: keys, certificates, reissues, its id, its name.
CREATE TABLE name (
    name     BLOB NOT NULL PRIMARY KEY,
    subject  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Rows below are added and never changed, in the order of their numbers.

CREATE TABLE chapter (
    number   INTEGER NOT NULL PRIMARY KEY,
    subject  INTEGER NOT NULL,
    state    BLOB NOT NULL
) STRICT;

CREATE TABLE certificate (
    number   INTEGER NOT NULL PRIMARY KEY,
    subject  INTEGER NOT NULL,
    der      BLOB NOT NULL,
    csr      BLOB
) STRICT;

-- That a certificate was superseded, and until when it may be restored; or, with no `since`, that it is so no longer. The
-- last row of a certificate counts.
CREATE TABLE superseded (
    number      INTEGER NOT NULL PRIMARY KEY,
    issuer      BLOB NOT NULL,
    serial      BLOB NOT NULL,
    not_after   INTEGER NOT NULL,
    since       INTEGER,
    restorable  INTEGER
) STRICT;

CREATE TABLE audit (
    sequence  INTEGER NOT NULL PRIMARY KEY CHECK (sequence > 0),
    record    BLOB NOT NULL,
    hash      BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- Everything that a CRL lists: certificates of the registry, certificates that came too late and were never stored, and
-- what a restored database knows from the newest CRL only.
CREATE TABLE revocation (
    issuer      BLOB NOT NULL,
    serial      BLOB NOT NULL,
    revoked     INTEGER NOT NULL,
    cause       TEXT NOT NULL,
    crl_reason  INTEGER,
    not_after   INTEGER,
    PRIMARY KEY (issuer, serial)
) STRICT, WITHOUT ROWID;

-- Subjects with an order that a slow CA has yet to issue.
CREATE TABLE waiting (
    subject  INTEGER NOT NULL PRIMARY KEY,
    placed   BLOB NOT NULL CHECK (length(placed) = 16)
) STRICT;

-- What makers requested of checkers.
CREATE TABLE request (
    id        BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    created   INTEGER NOT NULL,
    approved  INTEGER NOT NULL CHECK (approved IN (0, 1)),
    state     BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX request_to_approve ON request (created) WHERE approved = 0;

CREATE TABLE crl (
    issuer     BLOB NOT NULL PRIMARY KEY,
    next       INTEGER NOT NULL,
    number     INTEGER,
    published  INTEGER,
    der        BLOB,
    CHECK ((number IS NULL) = (published IS NULL) AND (number IS NULL) = (der IS NULL))
) STRICT, WITHOUT ROWID;

-- Has a row in a backup, which is not to be served from before it was restored.
CREATE TABLE backup (
    only  INTEGER NOT NULL PRIMARY KEY CHECK (only = 1)
) STRICT;
