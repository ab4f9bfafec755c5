-- `entry` is the canonical text that is hashed. about, contact and salt are NULL when nobody is named or all is erased;
-- `sealed` is what was said, encrypted with the key of the number `key`; both are NULL when nothing was, or it is erased.
CREATE TABLE record (
    seq          INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    conversation INTEGER,
    about        TEXT,
    contact      TEXT,
    salt         TEXT,
    entry        TEXT NOT NULL,
    link         TEXT NOT NULL,
    key          TEXT,
    sealed       BLOB
) STRICT;

CREATE INDEX record_conversation ON record (conversation, seq) WHERE conversation IS NOT NULL;
-- Those that name the two: one record of each conversation.
CREATE INDEX record_named ON record (conversation) WHERE conversation IS NOT NULL AND about IS NOT NULL;
CREATE INDEX record_about ON record (about, seq) WHERE about IS NOT NULL;
CREATE INDEX record_contact ON record (contact, seq) WHERE contact IS NOT NULL;

-- Whose records outlive retention and erasure.
CREATE TABLE hold (
    party  TEXT PRIMARY KEY,
    since  INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;

-- One row: the last record that was removed, and its link.
CREATE TABLE start (
    seq  INTEGER NOT NULL,
    link TEXT NOT NULL
) STRICT;

INSERT INTO start VALUES (0, '0000000000000000000000000000000000000000000000000000000000000000');
