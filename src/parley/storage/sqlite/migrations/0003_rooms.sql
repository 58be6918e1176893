-- `config` is a JSON object; `name` and `is_listed` (public, and not locked) repeat what lists of rooms need of it.
CREATE TABLE room (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    address    TEXT NOT NULL UNIQUE,
    domain     TEXT NOT NULL,
    creator    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    is_locked  INTEGER NOT NULL CHECK (is_locked IN (0, 1)),
    is_listed  INTEGER NOT NULL CHECK (is_listed IN (0, 1)),
    name       TEXT NOT NULL,
    config     TEXT NOT NULL,
    subject    BLOB NOT NULL,
    subject_text TEXT NOT NULL,
    subject_nick TEXT NOT NULL,
    subject_at INTEGER NOT NULL,
    avatar     BLOB NOT NULL
) STRICT;
CREATE INDEX room_by_creator ON room (creator);
CREATE INDEX room_listed ON room (domain, address, name) WHERE is_listed = 1;

-- `affiliation` is 0 outcast, 2 member, 3 admin, 4 owner.
CREATE TABLE room_standing (
    room_id     INTEGER NOT NULL REFERENCES room ON DELETE CASCADE,
    address     TEXT NOT NULL,
    affiliation INTEGER NOT NULL CHECK (affiliation IN (0, 2, 3, 4)),
    nick        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (room_id, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX room_standing_by_address ON room_standing (address);

-- The clients inside. `role` is 1 visitor, 2 participant, 3 moderator; `position` the order in which they spoke last.
CREATE TABLE room_occupant (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id  INTEGER NOT NULL REFERENCES room ON DELETE CASCADE,
    session  TEXT NOT NULL,
    nick     TEXT NOT NULL,
    role     INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),
    presence BLOB NOT NULL,
    UNIQUE (room_id, session)
) STRICT;

-- `seq` is the order of all rooms' messages. `sender` is the real bare address, empty for the room itself.
CREATE TABLE room_message (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id    INTEGER NOT NULL REFERENCES room ON DELETE CASCADE,
    id         BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    at         INTEGER NOT NULL,
    sender     TEXT NOT NULL,
    nick       TEXT NOT NULL,
    in_history INTEGER NOT NULL CHECK (in_history IN (0, 1)),
    dedup_key  BLOB CHECK (length(dedup_key) = 16),
    content    BLOB NOT NULL
) STRICT;
-- Its last columns are there so that filtering and counting read the index alone.
CREATE INDEX room_message_by_room ON room_message (room_id, seq, at, nick);
CREATE UNIQUE INDEX room_message_by_dedup_key ON room_message (room_id, dedup_key) WHERE dedup_key IS NOT NULL;

-- As message_block: the earliest and the latest time in each run of 1,024 messages of rooms.
CREATE TABLE room_message_block (
    block    INTEGER PRIMARY KEY,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL
) STRICT;

-- One row: what the identifiers of occupants are made with.
CREATE TABLE room_secret (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    value BLOB NOT NULL
) STRICT;
