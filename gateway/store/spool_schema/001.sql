CREATE TABLE entry (
    seq      INTEGER PRIMARY KEY,
    route    TEXT NOT NULL,
    partner  TEXT NOT NULL,
    since    REAL NOT NULL,
    size     INTEGER NOT NULL,
    envelope TEXT NOT NULL
) STRICT;

CREATE INDEX entry_route ON entry (route, seq);
