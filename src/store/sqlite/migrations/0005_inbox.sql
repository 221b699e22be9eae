-- Deliveries as they came, in the order of their coming; `post` is JSON: the rows that each becomes when it is sorted.
CREATE TABLE inbox (
    id   INTEGER NOT NULL PRIMARY KEY,
    post TEXT    NOT NULL
) STRICT;
