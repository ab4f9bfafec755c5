-- `entry` is the canonical text that is hashed; about, contact and salt are NULL when nobody is named or all is erased.
CREATE TABLE entry (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    about   TEXT,
    contact TEXT,
    salt    TEXT,
    entry   TEXT NOT NULL,
    link    TEXT NOT NULL
) STRICT;

CREATE INDEX entry_about ON entry (about, seq) WHERE about IS NOT NULL;
CREATE INDEX entry_contact ON entry (contact, seq) WHERE contact IS NOT NULL;

-- One row: the last entry that was removed, and its link.
CREATE TABLE start (
    seq  INTEGER NOT NULL,
    link TEXT NOT NULL
) STRICT;

INSERT INTO start VALUES (0, '0000000000000000000000000000000000000000000000000000000000000000');
