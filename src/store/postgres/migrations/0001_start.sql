-- Times are milliseconds since 1970 (UTC). What is listed in its order sorts by its bytes (COLLATE "C"), as on SQLite.

-- Verified deliveries: what makes a redelivery a duplicate.
CREATE TABLE delivery (
    source      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    received_at BIGINT  NOT NULL,
    PRIMARY KEY (source, id)
);
CREATE INDEX delivery_age ON delivery (received_at);

-- The text under which a hook announced a comment.
CREATE TABLE heard (
    comment  TEXT    NOT NULL PRIMARY KEY,
    digest   TEXT    NOT NULL,
    author   BIGINT  NOT NULL,
    heard_at BIGINT  NOT NULL
);
CREATE INDEX heard_age ON heard (heard_at);

-- `head` marks the one job of each (lane, key) whose turn it is: a lease looks at heads alone,
-- however many jobs wait behind them. While a job is leased, run_at is the end of its lease.
CREATE TABLE job (
    id          BIGINT  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane        BIGINT  NOT NULL,
    key         TEXT    NOT NULL,
    forge       TEXT    NOT NULL,
    work        TEXT    NOT NULL,
    run_at      BIGINT  NOT NULL,
    ordered_at  BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL,
    dedupe      TEXT,
    attempts    BIGINT  NOT NULL DEFAULT 0,
    lease_token TEXT,
    lease_until BIGINT,
    last_error  TEXT,
    head        BOOLEAN NOT NULL DEFAULT FALSE,
    dead        BOOLEAN NOT NULL DEFAULT FALSE,
    CHECK (NOT (head AND dead)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL))
);
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
    until BIGINT  NOT NULL
);

-- What can be searched of a deployment. Everything here is computed from its chain at each write.
CREATE TABLE deployment (
    id           TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    forge        TEXT    NOT NULL,
    project      BIGINT  NOT NULL,
    number       BIGINT  NOT NULL,
    age          BIGINT  NOT NULL,
    run          BIGINT  NOT NULL,
    conversation TEXT    COLLATE "C",
    status       TEXT    NOT NULL,
    final        BOOLEAN NOT NULL,
    superseded   BOOLEAN NOT NULL
);
CREATE INDEX deployment_age ON deployment (forge, project, age, number);
CREATE INDEX deployment_number ON deployment (forge, project, number);
CREATE INDEX deployment_run ON deployment (forge, project, run);
CREATE INDEX deployment_status ON deployment (forge, project, status, age, number);
CREATE INDEX deployment_conversation ON deployment (conversation, age, number);
CREATE INDEX deployment_open ON deployment (forge, project) WHERE NOT final;

-- The hash chains. Rows are only ever added.
CREATE TABLE ledger (
    deployment TEXT    COLLATE "C" NOT NULL REFERENCES deployment (id),
    seq        BIGINT  NOT NULL,
    at         BIGINT  NOT NULL,
    format     BIGINT  NOT NULL,
    body       TEXT    NOT NULL,
    hash       TEXT    NOT NULL,
    PRIMARY KEY (deployment, seq)
);

-- Numbers that we gave to deployments whose forge has none of its own: 1, 2, 3 in each project.
CREATE TABLE number (
    deployment TEXT    NOT NULL PRIMARY KEY,
    forge      TEXT    NOT NULL,
    project    BIGINT  NOT NULL,
    number     BIGINT  NOT NULL,
    UNIQUE (forge, project, number)
);

-- Deliveries that we asked a forge to send again: each once.
CREATE TABLE asked_again (
    source   TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    asked_at BIGINT  NOT NULL,
    PRIMARY KEY (source, id)
);
CREATE INDEX asked_again_age ON asked_again (asked_at);

-- Commands that were carried out, by nature's key (`source` is a comment or a press). Kept as long as the
-- deployments.
CREATE TABLE command (
    source       TEXT    NOT NULL,
    line         BIGINT  NOT NULL,
    conversation TEXT    NOT NULL,
    author       BIGINT  NOT NULL,
    at           BIGINT  NOT NULL,
    outcome      TEXT    NOT NULL,
    named        BOOLEAN NOT NULL,
    PRIMARY KEY (source, line)
);
CREATE INDEX command_author ON command (conversation, author, at) WHERE NOT named;

-- What is kept of a conversation; `shown` is JSON: [[deployment, time], …].
CREATE TABLE room (
    conversation TEXT    NOT NULL PRIMARY KEY,
    card         BIGINT,
    card_at      BIGINT,
    card_digest  TEXT,
    shown        TEXT    NOT NULL,
    read_until   BIGINT,
    hinted       BOOLEAN NOT NULL
);

-- Names and the numbers they were first resolved to.
CREATE TABLE pin (
    forge  TEXT    NOT NULL,
    kind   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    number BIGINT  NOT NULL,
    PRIMARY KEY (forge, kind, name)
);

CREATE TABLE project (
    forge     TEXT    NOT NULL,
    id        BIGINT  NOT NULL,
    path      TEXT    NOT NULL,
    active_at BIGINT,
    looked_at BIGINT,
    PRIMARY KEY (forge, id)
);

-- One row, written to find out whether writing works.
CREATE TABLE probe (writes BIGINT  NOT NULL);
INSERT INTO probe (writes) VALUES (0);
