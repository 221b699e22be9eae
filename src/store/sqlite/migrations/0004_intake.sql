-- What each delivery writes, as tables in the order of their coming with a small index beside them: a row among others in
-- a tree of whole rows costs twice the pages, and every page that is touched is written to disk before the answer.
ALTER TABLE delivery RENAME TO delivery_before;
CREATE TABLE delivery (
    source      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) STRICT;
INSERT INTO delivery SELECT source, id, digest, received_at FROM delivery_before ORDER BY received_at;
DROP TABLE delivery_before;
CREATE INDEX delivery_age ON delivery (received_at);

ALTER TABLE heard RENAME TO heard_before;
CREATE TABLE heard (
    comment  TEXT    NOT NULL PRIMARY KEY,
    digest   TEXT    NOT NULL,
    author   INTEGER NOT NULL,
    heard_at INTEGER NOT NULL
) STRICT;
INSERT INTO heard SELECT comment, digest, author, heard_at FROM heard_before ORDER BY heard_at;
DROP TABLE heard_before;
CREATE INDEX heard_age ON heard (heard_at);
