CREATE TABLE notice (
    person  TEXT NOT NULL,
    contact TEXT NOT NULL,
    kept    TEXT NOT NULL,
    at      REAL NOT NULL,
    PRIMARY KEY (person, contact)
) STRICT, WITHOUT ROWID;
