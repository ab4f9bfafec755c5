CREATE TABLE doubt (
    person  TEXT NOT NULL,
    contact TEXT NOT NULL,
    PRIMARY KEY (person, contact)
) STRICT, WITHOUT ROWID;
