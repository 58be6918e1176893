-- Times are microseconds since the epoch, sizes are bytes.

CREATE TABLE account (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    -- NULL while the account is being removed: nobody finds it any more, its mailbox is deleted in pieces.
    address      TEXT UNIQUE,
    created_at   INTEGER NOT NULL,
    is_suspended INTEGER NOT NULL DEFAULT 0 CHECK (is_suspended IN (0, 1))
) STRICT;

CREATE TABLE credential (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    mechanism  TEXT NOT NULL,
    salt       BLOB NOT NULL,
    iterations INTEGER NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    PRIMARY KEY (account_id, mechanism)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    account_id   INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    resource     TEXT NOT NULL,
    name         TEXT NOT NULL,
    first_seen   INTEGER NOT NULL,
    last_seen    INTEGER NOT NULL,
    last_address TEXT NOT NULL,
    PRIMARY KEY (account_id, resource)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_credential (
    account_id INTEGER NOT NULL,
    resource   TEXT NOT NULL,
    mechanism  TEXT NOT NULL,
    salt       BLOB NOT NULL,
    iterations INTEGER NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    PRIMARY KEY (account_id, resource),
    FOREIGN KEY (account_id, resource) REFERENCES device ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- One row per account that ever had a contact. `forgotten` is the newest version whose removal is not known any more.
CREATE TABLE roster (
    account_id INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    version    INTEGER NOT NULL,
    forgotten  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- `groups` is a JSON array of texts, `state` the bits to 1, from 2, pending out 4, pending in 8, approved 16.
CREATE TABLE contact (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    address    TEXT NOT NULL,
    name       TEXT NOT NULL,
    groups     TEXT NOT NULL,
    state      INTEGER NOT NULL,
    is_listed  INTEGER NOT NULL CHECK (is_listed IN (0, 1)),
    request    BLOB NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (account_id, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_by_address ON contact (address);
CREATE INDEX contact_by_version ON contact (account_id, version);

CREATE TABLE contact_removed (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    version    INTEGER NOT NULL,
    address    TEXT NOT NULL,
    PRIMARY KEY (account_id, version),
    UNIQUE (account_id, address)
) STRICT, WITHOUT ROWID;

-- Addresses of senders, recipients and peers, each once: a message names six, and rows without texts are a quarter
-- smaller and cheaper to write.
CREATE TABLE address (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- `seq` is the order of the log. `holders` counts the mailbox entries of the message.
-- `confidentiality` is 0 managed, 1 sealed+archive, 2 sealed.
CREATE TABLE message (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    received_at     INTEGER NOT NULL,
    sender          INTEGER NOT NULL,
    recipient       INTEGER NOT NULL,
    confidentiality INTEGER NOT NULL CHECK (confidentiality BETWEEN 0 AND 2),
    holders         INTEGER NOT NULL,
    dedup_key       BLOB CHECK (length(dedup_key) = 16),
    content         BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_by_dedup_key ON message (dedup_key) WHERE dedup_key IS NOT NULL;
CREATE INDEX message_without_holder ON message (seq) WHERE holders = 0;

-- `direction` is 0 in, 1 out. `received_at` repeats the message's, so that counting by time needs no other table.
CREATE TABLE mailbox (
    account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    peer        INTEGER NOT NULL,
    direction   INTEGER NOT NULL CHECK (direction IN (0, 1)),
    is_archived INTEGER NOT NULL CHECK (is_archived IN (0, 1)),
    is_mailed   INTEGER NOT NULL CHECK (is_mailed IN (0, 1)),
    received_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;
-- Its last columns are there so that counting reads the index alone.
CREATE INDEX mailbox_by_peer ON mailbox (account_id, peer, seq, received_at, is_archived) WHERE is_archived = 1;
CREATE INDEX mailbox_unarchived ON mailbox (account_id, seq) WHERE is_archived = 0;

-- Whatever deletes an entry, the cascade from an account included, also lets go of its message.
CREATE TRIGGER mailbox_entry_deleted AFTER DELETE ON mailbox BEGIN
    DELETE FROM message WHERE seq = OLD.seq AND holders <= 1;
    UPDATE message SET holders = holders - 1 WHERE seq = OLD.seq;
END;

-- Up to where an account's incoming messages have been delivered.
CREATE TABLE delivery_cursor (
    account_id INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    seq        INTEGER NOT NULL
) STRICT;

-- `first` sorts before `second`: a conversation has one row whoever began it.
CREATE TABLE conversation (
    first           TEXT NOT NULL,
    second          TEXT NOT NULL,
    confidentiality INTEGER NOT NULL CHECK (confidentiality BETWEEN 0 AND 2),
    PRIMARY KEY (first, second)
) STRICT, WITHOUT ROWID;

-- `config` is a JSON object.
CREATE TABLE node (
    id         INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    name       TEXT NOT NULL,
    config     TEXT NOT NULL,
    UNIQUE (account_id, name)
) STRICT;

-- `position` is the order of publication: an item that is replaced moves to the end.
CREATE TABLE node_item (
    position     INTEGER PRIMARY KEY AUTOINCREMENT,
    node_id      INTEGER NOT NULL REFERENCES node ON DELETE CASCADE,
    id           TEXT NOT NULL,
    publisher    TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    payload      BLOB NOT NULL,
    UNIQUE (node_id, id)
) STRICT;
CREATE INDEX node_item_by_position ON node_item (node_id, position);

CREATE TABLE upload (
    id           TEXT PRIMARY KEY,
    account_id   INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    put_digest   BLOB NOT NULL,
    get_digest   BLOB NOT NULL,
    filename     TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size_bytes   INTEGER NOT NULL,
    offset_bytes INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('open', 'complete')),
    digest       BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_by_account ON upload (account_id, size_bytes);
CREATE INDEX upload_by_expiry ON upload (expires_at);
CREATE INDEX upload_by_digest ON upload (digest) WHERE state = 'complete';
CREATE INDEX upload_by_state ON upload (state);
