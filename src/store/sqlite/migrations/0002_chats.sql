-- What is told in chats. Times are milliseconds since 1970 (UTC). Booleans are 0 and 1.

-- What the messages about a deployment are kept under; NULL where it is told in no chat.
ALTER TABLE deployment ADD COLUMN subject TEXT;
CREATE INDEX deployment_subject ON deployment (subject, age, number) WHERE subject IS NOT NULL;
CREATE INDEX deployment_told ON deployment (subject) WHERE NOT final AND subject IS NOT NULL;

-- One message in one channel. `channel` is the configured name, `posted_in` the chat's own id of it. JSON: `shown` is
-- [[generation, time], …], `told` is [[deployment, seq], …], `changes` an object.
CREATE TABLE posting (
    chat      TEXT    NOT NULL,
    channel   TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    posted_in TEXT,
    message   TEXT,
    digest    TEXT,
    stale     INTEGER NOT NULL,
    shown     TEXT    NOT NULL,
    closed    INTEGER NOT NULL CHECK (closed IN (0, 1)),
    told      TEXT    NOT NULL,
    changes   TEXT,
    made_at   INTEGER NOT NULL,
    PRIMARY KEY (subject, chat, channel),
    CHECK ((posted_in IS NULL) = (message IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX posting_message ON posting (chat, posted_in, message);
CREATE INDEX posting_age ON posting (chat, posted_in, made_at, subject, channel);

-- Chat accounts and the forge accounts that they speak for. One link at a time; those that ended are kept.
CREATE TABLE link (
    id        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    chat      TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    forge     TEXT    NOT NULL,
    chat_user TEXT    NOT NULL,
    account   INTEGER NOT NULL,
    username  TEXT    NOT NULL,
    made_by   TEXT    NOT NULL,
    made_at   INTEGER NOT NULL,
    ended_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX link_present ON link (chat, name, forge) WHERE ended_at IS NULL;
