-- `position` keeps the order in which an account blocked.
CREATE TABLE block (
    position   INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    address    TEXT NOT NULL,
    UNIQUE (account_id, address)
) STRICT;

-- What was said about an address outlives the account that said it. `message_ids` is a JSON array of texts.
CREATE TABLE report (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id      INTEGER REFERENCES account ON DELETE SET NULL,
    reported_at     INTEGER NOT NULL,
    address         TEXT NOT NULL,
    reason          TEXT NOT NULL,
    text            TEXT NOT NULL,
    message_ids     TEXT NOT NULL,
    may_tell_origin INTEGER NOT NULL CHECK (may_tell_origin IN (0, 1)),
    may_tell_others INTEGER NOT NULL CHECK (may_tell_others IN (0, 1))
) STRICT;
CREATE INDEX report_of_account ON report (account_id, id);

CREATE TABLE private_element (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    content    BLOB NOT NULL,
    PRIMARY KEY (account_id, namespace, name)
) STRICT;

-- `photo_hash` is the SHA-1 of the card's picture in hexadecimal, empty without one.
CREATE TABLE card (
    account_id INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    content    BLOB NOT NULL,
    photo_hash TEXT NOT NULL
) STRICT;

-- When the last device of an account left, and what it said.
CREATE TABLE departure (
    account_id INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    left_at    INTEGER NOT NULL,
    status     TEXT NOT NULL
) STRICT;
