-- Devices that the push service of this server wakes (XEP-0357). Times are microseconds since the epoch, 0 for never.
CREATE TABLE push_target (
    node       TEXT PRIMARY KEY,
    service    TEXT NOT NULL,
    owner      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    device     TEXT NOT NULL,
    token      TEXT NOT NULL,
    secret     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    woken_at   INTEGER NOT NULL,
    wakes      INTEGER NOT NULL,
    UNIQUE (owner, service, kind, device)
) STRICT, WITHOUT ROWID;
