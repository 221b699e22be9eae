-- Times are milliseconds since 1970 (UTC). Booleans are 0 and 1.

-- Verified deliveries: what makes a redelivery a duplicate.
CREATE TABLE delivery (
    source      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_age ON delivery (received_at);

-- The text under which a hook announced a comment.
CREATE TABLE heard (
    comment  TEXT    NOT NULL PRIMARY KEY,
    digest   TEXT    NOT NULL,
    author   INTEGER NOT NULL,
    heard_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX heard_age ON heard (heard_at);

-- `head` marks the one job of each (lane, key) whose turn it is: a lease looks at heads alone,
-- however many jobs wait behind them. While a job is leased, run_at is the end of its lease.
CREATE TABLE job (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    lane        INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    forge       TEXT    NOT NULL,
    work        TEXT    NOT NULL,
    run_at      INTEGER NOT NULL,
    ordered_at  INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    dedupe      TEXT,
    attempts    INTEGER NOT NULL DEFAULT 0,
    lease_token TEXT,
    lease_until INTEGER,
    last_error  TEXT,
    head        INTEGER NOT NULL DEFAULT 0 CHECK (head IN (0, 1)),
    dead        INTEGER NOT NULL DEFAULT 0 CHECK (dead IN (0, 1)),
    CHECK (NOT (head AND dead)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL))
) STRICT;
CREATE UNIQUE INDEX job_head ON job (lane, key) WHERE head;
CREATE INDEX job_turn ON job (lane, key, ordered_at, id) WHERE NOT dead;
CREATE INDEX job_due ON job (lane, run_at, id, forge) WHERE head;
CREATE INDEX job_wake ON job (run_at, forge) WHERE NOT dead;
CREATE INDEX job_leased ON job (lane, key) WHERE lease_until IS NOT NULL;
CREATE INDEX job_dead ON job (id) WHERE dead;
CREATE INDEX job_mark ON job (dedupe) WHERE dedupe IS NOT NULL;

-- Until when the jobs of a forge rest.
CREATE TABLE pause (
    forge TEXT    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What can be searched of a deployment. Everything here is computed from its chain at each write.
CREATE TABLE deployment (
    id           TEXT    NOT NULL PRIMARY KEY,
    forge        TEXT    NOT NULL,
    project      INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    age          INTEGER NOT NULL,
    run          INTEGER NOT NULL,
    conversation TEXT,
    status       TEXT    NOT NULL,
    final        INTEGER NOT NULL CHECK (final IN (0, 1)),
    superseded   INTEGER NOT NULL CHECK (superseded IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX deployment_age ON deployment (forge, project, age, number);
CREATE INDEX deployment_number ON deployment (forge, project, number);
CREATE INDEX deployment_run ON deployment (forge, project, run);
CREATE INDEX deployment_status ON deployment (forge, project, status, age, number);
CREATE INDEX deployment_conversation ON deployment (conversation, age, number);
CREATE INDEX deployment_open ON deployment (forge, project) WHERE NOT final;

-- The hash chains. Rows are only ever added.
CREATE TABLE ledger (
    deployment TEXT    NOT NULL REFERENCES deployment (id),
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    format     INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    hash       TEXT    NOT NULL,
    PRIMARY KEY (deployment, seq)
) STRICT, WITHOUT ROWID;

-- Numbers that we gave to deployments whose forge has none of its own: 1, 2, 3 in each project.
CREATE TABLE number (
    deployment TEXT    NOT NULL PRIMARY KEY,
    forge      TEXT    NOT NULL,
    project    INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    UNIQUE (forge, project, number)
) STRICT, WITHOUT ROWID;

-- Deliveries that we asked a forge to send again: each once.
CREATE TABLE asked_again (
    source   TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    asked_at INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX asked_again_age ON asked_again (asked_at);

-- Commands that were carried out, by nature's key (`source` is a comment or a press). Kept as long as the
-- deployments.
CREATE TABLE command (
    source       TEXT    NOT NULL,
    line         INTEGER NOT NULL,
    conversation TEXT    NOT NULL,
    author       INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    outcome      TEXT    NOT NULL,
    named        INTEGER NOT NULL CHECK (named IN (0, 1)),
    PRIMARY KEY (source, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX command_author ON command (conversation, author, at) WHERE NOT named;

-- What is kept of a conversation; `shown` is JSON: [[deployment, time], …].
CREATE TABLE room (
    conversation TEXT    NOT NULL PRIMARY KEY,
    card         INTEGER,
    card_at      INTEGER,
    card_digest  TEXT,
    shown        TEXT    NOT NULL,
    read_until   INTEGER,
    hinted       INTEGER NOT NULL CHECK (hinted IN (0, 1))
) STRICT, WITHOUT ROWID;

-- Names and the numbers they were first resolved to.
CREATE TABLE pin (
    forge  TEXT    NOT NULL,
    kind   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (forge, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE project (
    forge     TEXT    NOT NULL,
    id        INTEGER NOT NULL,
    path      TEXT    NOT NULL,
    active_at INTEGER,
    looked_at INTEGER,
    PRIMARY KEY (forge, id)
) STRICT, WITHOUT ROWID;

-- One row, written to find out whether writing works.
CREATE TABLE probe (writes INTEGER NOT NULL) STRICT;
INSERT INTO probe (writes) VALUES (0);
