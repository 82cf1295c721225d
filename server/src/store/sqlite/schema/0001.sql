-- Times are seconds since 1970-01-01T00:00:00Z. Ids are 16 bytes, fingerprints and thumbprints 32.
-- Nothing here says that a time has passed: whoever looks compares it with the clock.

CREATE TABLE contract (
    id        BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name      TEXT NOT NULL,
    disabled  INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE subject (
    id            BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    contract      BLOB NOT NULL REFERENCES contract (id),
    -- The text of SPEC.md 4.7: the same for equal names, whatever their DER.
    name          TEXT NOT NULL,
    -- The DER that its certificates have.
    name_der      BLOB NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('administrator', 'user')),
    disabled      INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    pin_hash      TEXT,
    pin_attempts  INTEGER NOT NULL DEFAULT 0 CHECK (pin_attempts BETWEEN 0 AND 5),
    -- When the PIN was last set, after the subject was added.
    pin_set       INTEGER,
    created       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX subject_name_is_unique ON subject (name);
CREATE INDEX subject_of_contract ON subject (contract, name);
-- What is out of the ordinary, for the export of the audit's heads.
CREATE INDEX contract_is_disabled ON contract (id) WHERE disabled = 1;
CREATE INDEX subject_is_disabled ON subject (id) WHERE disabled = 1;
CREATE INDEX subject_is_locked ON subject (id) WHERE pin_attempts = 5;
CREATE INDEX subject_by_pin_set ON subject (pin_set) WHERE pin_set IS NOT NULL;

-- Every key that an order or a certificate ever had. A key is taken once, for ever.
CREATE TABLE taken_key (
    thumbprint  BLOB NOT NULL PRIMARY KEY CHECK (length(thumbprint) = 32),
    taken       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE certificate (
    id            INTEGER PRIMARY KEY,
    cert_id       TEXT NOT NULL,
    issuer        BLOB NOT NULL,
    serial        BLOB NOT NULL,
    fingerprint   BLOB NOT NULL CHECK (length(fingerprint) = 32),
    key           BLOB NOT NULL REFERENCES taken_key (thumbprint),
    subject       BLOB NOT NULL REFERENCES subject (id),
    from_order    BLOB REFERENCES orders (id),
    not_before    INTEGER NOT NULL,
    not_after     INTEGER NOT NULL,
    state         TEXT NOT NULL
                  CHECK (state IN ('unconfirmed', 'current', 'superseded', 'revoked')),
    deferrals     INTEGER NOT NULL DEFAULT 0,
    deferred_at   INTEGER,
    stored        INTEGER NOT NULL,
    der           BLOB NOT NULL,
    CHECK (state <> 'unconfirmed' OR from_order IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX cert_id_is_unique ON certificate (cert_id);
CREATE UNIQUE INDEX serial_is_unique_per_issuer ON certificate (issuer, serial);
CREATE UNIQUE INDEX fingerprint_is_unique ON certificate (fingerprint);
CREATE UNIQUE INDEX key_is_in_one_certificate ON certificate (key);
CREATE UNIQUE INDEX order_has_one_certificate ON certificate (from_order) WHERE from_order IS NOT NULL;
CREATE UNIQUE INDEX subject_has_one_current ON certificate (subject) WHERE state = 'current';
CREATE UNIQUE INDEX subject_has_one_unconfirmed ON certificate (subject) WHERE state = 'unconfirmed';
CREATE INDEX certificate_of_subject ON certificate (subject, not_before);
CREATE INDEX certificate_to_list ON certificate (issuer, not_after) WHERE state = 'superseded';

CREATE TABLE orders (
    id               BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    subject          BLOB NOT NULL REFERENCES subject (id),
    replaces         INTEGER REFERENCES certificate (id),
    reissue          BLOB REFERENCES reissue (id),
    key              BLOB NOT NULL REFERENCES taken_key (thumbprint),
    key_store        TEXT NOT NULL,
    environment      TEXT,
    csr              BLOB NOT NULL,
    created          INTEGER NOT NULL,
    -- When it entered the state that it is in.
    entered          INTEGER NOT NULL,
    state            TEXT NOT NULL CHECK (state IN
                     ('processing', 'valid', 'completed', 'canceled', 'invalid', 'rolledBack')),
    -- Of completed.
    rollback         TEXT CHECK (rollback IN ('until', 'ended', 'disabled')),
    rollback_until   INTEGER,
    -- Of invalid.
    cause            TEXT CHECK (cause IN
                     ('issueFailed', 'predecessorRevoked', 'successorRevoked', 'subjectReissued')),
    failure          TEXT,
    -- What a slow CA was asked to sign.
    reserved_serial  BLOB,
    reserved_tbs     BLOB,
    lease            INTEGER NOT NULL DEFAULT 0,
    CHECK ((replaces IS NULL) <> (reissue IS NULL)),
    CHECK ((state = 'completed') = (rollback IS NOT NULL)),
    CHECK ((rollback IS 'until') = (rollback_until IS NOT NULL)),
    CHECK ((state = 'invalid') = (cause IS NOT NULL)),
    CHECK ((reserved_serial IS NULL) = (reserved_tbs IS NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX key_has_one_order ON orders (key);
CREATE UNIQUE INDEX certificate_has_one_open_order ON orders (replaces)
    WHERE replaces IS NOT NULL AND state IN ('processing', 'valid');
CREATE UNIQUE INDEX certificate_is_replaced_once ON orders (replaces)
    WHERE replaces IS NOT NULL AND state = 'completed';
CREATE UNIQUE INDEX subject_has_one_open_order ON orders (subject)
    WHERE state IN ('processing', 'valid');
CREATE UNIQUE INDEX reissue_has_one_order ON orders (reissue) WHERE reissue IS NOT NULL;
CREATE UNIQUE INDEX serial_is_reserved_once ON orders (reserved_serial)
    WHERE reserved_serial IS NOT NULL;
CREATE INDEX order_of_predecessor ON orders (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX order_to_issue ON orders (lease) WHERE state = 'processing';
CREATE INDEX order_to_roll_back ON orders (subject) WHERE rollback = 'until';

CREATE TABLE session (
    id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    certificate  INTEGER NOT NULL REFERENCES certificate (id),
    subject      BLOB NOT NULL REFERENCES subject (id),
    purpose      TEXT NOT NULL CHECK (purpose IN ('renewal', 'recovery')),
    environment  TEXT NOT NULL,
    created      INTEGER NOT NULL,
    last_use     INTEGER NOT NULL,
    idle         INTEGER NOT NULL,
    expires      INTEGER NOT NULL,
    deferred     INTEGER NOT NULL DEFAULT 0 CHECK (deferred IN (0, 1)),
    ended        TEXT
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX certificate_has_one_session ON session (certificate) WHERE ended IS NULL;
CREATE INDEX session_of_subject ON session (subject) WHERE ended IS NULL;
CREATE INDEX session_to_forget ON session (expires);

CREATE TABLE reissue (
    id              BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    subject         BLOB NOT NULL REFERENCES subject (id),
    reason          TEXT NOT NULL CHECK (reason IN ('keyCompromise', 'deviceLost', 'keyLost',
                    'affiliationChanged', 'cessationOfOperation', 'unspecified')),
    enrollment_key  TEXT NOT NULL,
    created         INTEGER NOT NULL,
    expires         INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN
                    ('pending', 'redeemed', 'completed', 'failed', 'canceled', 'voided'))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX subject_has_one_open_reissue ON reissue (subject)
    WHERE state IN ('pending', 'redeemed');

CREATE TABLE reissue_request (
    id        BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    subject   BLOB NOT NULL REFERENCES subject (id),
    reason    TEXT NOT NULL,
    form      TEXT NOT NULL,
    maker     TEXT NOT NULL REFERENCES operator (name),
    created   INTEGER NOT NULL,
    checker   TEXT REFERENCES operator (name),
    approved  INTEGER,
    reissue   BLOB REFERENCES reissue (id),
    CHECK (checker <> maker),
    CHECK ((checker IS NULL) = (approved IS NULL) AND (checker IS NULL) = (reissue IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX request_to_approve ON reissue_request (created) WHERE checker IS NULL;

CREATE TABLE operator (
    name             TEXT NOT NULL PRIMARY KEY,
    credential_hash  TEXT NOT NULL,
    created          INTEGER NOT NULL,
    disabled         INTEGER
) STRICT, WITHOUT ROWID;

-- Everything that a CRL lists: certificates of the registry, certificates that came too late and were
-- never stored, and what a restored database knows from the newest CRL only.
CREATE TABLE revocation (
    issuer      BLOB NOT NULL,
    serial      BLOB NOT NULL,
    revoked     INTEGER NOT NULL,
    cause       TEXT NOT NULL,
    crl_reason  INTEGER,
    not_after   INTEGER,
    -- The number of the first CRL that can list it: dates do not tell, since clocks are set.
    listed_from INTEGER NOT NULL,
    PRIMARY KEY (issuer, serial)
) STRICT, WITHOUT ROWID;

CREATE TABLE crl (
    issuer     BLOB NOT NULL PRIMARY KEY,
    next       INTEGER NOT NULL,
    number     INTEGER,
    published  INTEGER,
    -- Empty after a restore: the number is known, and the next CRL is made anew.
    der        BLOB,
    CHECK ((number IS NULL) = (published IS NULL) AND (number IS NULL) = (der IS NULL))
) STRICT, WITHOUT ROWID;

-- The bank's own chain has the empty name, a contract's chain the contract's id.
CREATE TABLE audit (
    chain     BLOB NOT NULL CHECK (length(chain) IN (0, 16)),
    sequence  INTEGER NOT NULL CHECK (sequence > 0),
    record    BLOB NOT NULL,
    hash      BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (chain, sequence)
) STRICT, WITHOUT ROWID;
