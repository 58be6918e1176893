-- Invitations: `digest` is the SHA-256 of the token, `id` what lists name it by. `address` is empty where any name of
-- the domain may be chosen; `inviter_id` is NULL where no contact comes with it. Times are microseconds since the epoch.

CREATE TABLE invitation (
    id         TEXT PRIMARY KEY,
    digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    domain     TEXT NOT NULL,
    address    TEXT NOT NULL,
    inviter_id INTEGER REFERENCES account ON DELETE CASCADE,
    is_account INTEGER NOT NULL CHECK (is_account IN (0, 1)),
    uses_left  INTEGER NOT NULL CHECK (uses_left >= 0),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invitation_by_inviter ON invitation (inviter_id) WHERE inviter_id IS NOT NULL;
CREATE INDEX invitation_by_address ON invitation (address) WHERE address <> '';
CREATE INDEX invitation_by_expiry ON invitation (expires_at);
