-- What a message's author calls it: the stanza's id, and the origin id where that is another one.
ALTER TABLE message ADD COLUMN client_id TEXT;
ALTER TABLE message ADD COLUMN origin_id TEXT;

-- Whether somebody says something, as opposed to a receipt. What is here already says so by the names of its elements.
ALTER TABLE mailbox ADD COLUMN has_content INTEGER NOT NULL DEFAULT 1 CHECK (has_content IN (0, 1));
UPDATE mailbox SET has_content = 0 WHERE seq IN (
    -- "<body" and "<encrypted"
    SELECT seq FROM message WHERE instr(content, x'3C626F6479') = 0 AND instr(content, x'3C656E63727970746564') = 0
);

-- Its last columns are there so that counting, and finding what is unread, reads the index alone.
DROP INDEX mailbox_by_peer;
CREATE INDEX mailbox_by_peer ON mailbox (account_id, peer, seq, received_at, is_archived, direction, has_content)
WHERE is_archived = 1;

-- Up to where the owner of a mailbox has seen what a peer sent, as messages of theirs to that peer say.
CREATE TABLE displayed (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    peer       INTEGER NOT NULL REFERENCES address ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (account_id, peer)
) STRICT, WITHOUT ROWID;
CREATE INDEX displayed_by_peer ON displayed (peer);

-- Nobody has kept count so far: what there is counts as read.
INSERT INTO displayed (account_id, peer, seq)
SELECT account_id, peer, max(seq) FROM mailbox INDEXED BY mailbox_by_peer
WHERE is_archived = 1 AND peer IN (SELECT id FROM address)
GROUP BY account_id, peer;

-- `standard` is always, never or roster; the lists are JSON arrays of addresses.
CREATE TABLE archive_preference (
    account_id INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    standard   TEXT NOT NULL CHECK (standard IN ('always', 'never', 'roster')),
    always     TEXT NOT NULL,
    never      TEXT NOT NULL
) STRICT;

-- How far the index of words has followed the log. The index itself, `text_index`, is there where the settings want one
-- and this SQLite can make it.
CREATE TABLE text_progress (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
) STRICT;

-- What has to leave the index again.
CREATE TABLE text_outdated (
    seq INTEGER PRIMARY KEY
) STRICT;

CREATE TRIGGER message_text_deleted AFTER DELETE ON message
WHEN OLD.confidentiality = 0 AND OLD.seq <= (SELECT seq FROM text_progress)
BEGIN
    INSERT OR IGNORE INTO text_outdated (seq) VALUES (OLD.seq);
END;

CREATE TRIGGER message_text_replaced AFTER UPDATE OF content ON message
WHEN OLD.confidentiality = 0 AND OLD.seq <= (SELECT seq FROM text_progress)
BEGIN
    INSERT OR IGNORE INTO text_outdated (seq) VALUES (OLD.seq);
END;
