CREATE TABLE conversation (
    name     TEXT PRIMARY KEY,
    person   TEXT NOT NULL,
    contact  TEXT NOT NULL,
    begun_by TEXT NOT NULL,
    thread   TEXT NOT NULL,
    started  REAL NOT NULL,
    last     REAL NOT NULL,
    ended    REAL,
    tries    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE turn (
    conversation TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
    number       INTEGER NOT NULL,
    at           REAL NOT NULL,
    side         TEXT NOT NULL,
    id           TEXT NOT NULL,
    text         TEXT NOT NULL,
    form         TEXT NOT NULL,
    corrected    REAL,
    failed       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation, number)
) STRICT, WITHOUT ROWID;
