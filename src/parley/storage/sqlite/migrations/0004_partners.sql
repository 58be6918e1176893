-- Times are microseconds since the epoch. `terms` is the agreement, a JSON object; see `domain/partners/documents.py`.
CREATE TABLE partner (
    domain TEXT PRIMARY KEY,
    terms  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Never deleted from: who changed which agreement, when, and what it was from then on.
CREATE TABLE partner_change (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    domain TEXT NOT NULL,
    at     INTEGER NOT NULL,
    by     TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('added', 'changed', 'revoked')),
    terms  TEXT NOT NULL
) STRICT;
CREATE INDEX partner_change_by_domain ON partner_change (domain, id);

-- What waits for partners' servers. A message is here beside its row of the log, which may go before it leaves.
CREATE TABLE outgoing (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    local  TEXT NOT NULL,
    remote TEXT NOT NULL,
    put_at INTEGER NOT NULL,
    stanza BLOB NOT NULL
) STRICT;
CREATE INDEX outgoing_by_pair ON outgoing (remote, local, id);
CREATE INDEX outgoing_by_time ON outgoing (put_at);
