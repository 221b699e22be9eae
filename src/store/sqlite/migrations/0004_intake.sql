-- What each delivery writes, as tables in the order of their coming with a small index beside them: a row among others in
-- a tree of whole rows costs twice the pages, and every page that is touched is written to disk before the answer.
CREATE TABLE delivery_in_order (
    source      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) STRICT;
INSERT INTO delivery_in_order SELECT source, id, digest, received_at FROM delivery ORDER BY received_at;
DROP TABLE delivery;
ALTER TABLE delivery_in_order RENAME TO delivery;
CREATE INDEX delivery_age ON delivery (received_at);

CREATE TABLE heard_in_order (
    comment  TEXT    NOT NULL PRIMARY KEY,
    digest   TEXT    NOT NULL,
    author   INTEGER NOT NULL,
    heard_at INTEGER NOT NULL
) STRICT;
INSERT INTO heard_in_order SELECT comment, digest, author, heard_at FROM heard ORDER BY heard_at;
DROP TABLE heard;
ALTER TABLE heard_in_order RENAME TO heard;
CREATE INDEX heard_age ON heard (heard_at);
