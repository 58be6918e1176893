-- Which installation a device is: the digest of the id that it gives itself, empty when it gives none.
ALTER TABLE device ADD COLUMN software TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN client BLOB NOT NULL DEFAULT X'';

-- What tokens are computed from, together with the server's secret. `resource` is the one device that may use it, ''
-- when that is free; `count` the highest number that came with a use.
CREATE TABLE token (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    client     BLOB NOT NULL,
    nonce      BLOB NOT NULL,
    mechanism  TEXT NOT NULL,
    resource   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    count      INTEGER NOT NULL DEFAULT 0,
    is_used    INTEGER NOT NULL DEFAULT 0 CHECK (is_used IN (0, 1)),
    PRIMARY KEY (account_id, client, nonce)
) STRICT, WITHOUT ROWID;
