ALTER TABLE assignment ADD COLUMN locked INTEGER NOT NULL DEFAULT 0;

CREATE TABLE publication (
    person TEXT NOT NULL,
    field  TEXT NOT NULL,
    value  TEXT NOT NULL,
    since  REAL NOT NULL,
    PRIMARY KEY (person, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    person  TEXT NOT NULL,
    subject TEXT NOT NULL,
    is_on   INTEGER NOT NULL,
    since   REAL NOT NULL,
    PRIMARY KEY (person, subject)
) STRICT, WITHOUT ROWID;
