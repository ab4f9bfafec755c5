CREATE TABLE assignment (
    owner        TEXT NOT NULL,
    member_kind  TEXT NOT NULL,
    member_value TEXT NOT NULL,
    level        TEXT NOT NULL,
    origin       TEXT NOT NULL,
    since        REAL,
    until        REAL,
    PRIMARY KEY (owner, member_kind, member_value)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscription (
    person  TEXT NOT NULL,
    contact TEXT NOT NULL,
    state   TEXT NOT NULL,
    PRIMARY KEY (person, contact)
) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
