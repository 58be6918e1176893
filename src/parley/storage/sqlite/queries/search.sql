-- name: has_index
SELECT 1 FROM sqlite_schema WHERE name = 'text_index';

-- name: create
CREATE VIRTUAL TABLE text_index USING fts5 (text, owners, tokenize = 'unicode61 remove_diacritics 2');

-- name: drop
DROP TABLE text_index;

-- name: progress
SELECT seq FROM text_progress;

-- name: set_progress
INSERT INTO text_progress (id, seq) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq;

-- name: forget_progress
DELETE FROM text_progress;

-- name: last
SELECT coalesce(max(seq), 0) FROM message;

-- name: behind
SELECT m.seq, m.content, m.confidentiality, s.text, r.text FROM message AS m
CROSS JOIN address AS s ON s.id = m.sender
CROSS JOIN address AS r ON r.id = m.recipient
WHERE m.seq > ? ORDER BY m.seq LIMIT ?;

-- name: account
SELECT id FROM account WHERE address = ?;

-- name: add
INSERT INTO text_index (rowid, text, owners)
SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM message WHERE seq = ?1 AND content = ?4);

-- name: outdated
SELECT seq FROM text_outdated ORDER BY seq LIMIT ?;

-- name: delete
DELETE FROM text_index WHERE rowid = ?;

-- name: delete_outdated
DELETE FROM text_outdated WHERE seq = ?;

-- name: forget_outdated
DELETE FROM text_outdated;

-- name: merge
INSERT INTO text_index (text_index, rank) VALUES ('merge', ?);

-- name: has_words
SELECT 1 FROM text_index WHERE text_index MATCH :match AND rowid = :seq;

-- name: page_forward
SELECT b.seq, m.id, b.received_at, s.text, r.text, p.text, b.direction, m.confidentiality, m.content, b.is_archived
FROM text_index AS t
CROSS JOIN mailbox AS b ON b.account_id = :account AND b.seq = t.rowid
CROSS JOIN message AS m ON m.seq = b.seq
CROSS JOIN address AS s ON s.id = m.sender
CROSS JOIN address AS r ON r.id = m.recipient
CROSS JOIN address AS p ON p.id = b.peer
WHERE t.text_index MATCH :match AND t.rowid > :after AND t.rowid < :before
    AND b.is_archived = 1 AND b.received_at BETWEEN :start AND :end
    AND (:peer IS NULL OR p.text = :peer) AND (:device = '' OR :device IN (s.text, r.text))
ORDER BY t.rowid LIMIT :limit OFFSET :skipped;

-- name: page_backward
SELECT b.seq, m.id, b.received_at, s.text, r.text, p.text, b.direction, m.confidentiality, m.content, b.is_archived
FROM text_index AS t
CROSS JOIN mailbox AS b ON b.account_id = :account AND b.seq = t.rowid
CROSS JOIN message AS m ON m.seq = b.seq
CROSS JOIN address AS s ON s.id = m.sender
CROSS JOIN address AS r ON r.id = m.recipient
CROSS JOIN address AS p ON p.id = b.peer
WHERE t.text_index MATCH :match AND t.rowid > :after AND t.rowid < :before
    AND b.is_archived = 1 AND b.received_at BETWEEN :start AND :end
    AND (:peer IS NULL OR p.text = :peer) AND (:device = '' OR :device IN (s.text, r.text))
ORDER BY t.rowid DESC LIMIT :limit;

-- name: count
SELECT count(*), count(*) FILTER (WHERE seq < :first) FROM (
    SELECT b.seq FROM text_index AS t
    CROSS JOIN mailbox AS b ON b.account_id = :account AND b.seq = t.rowid
    CROSS JOIN message AS m ON m.seq = b.seq
    WHERE t.text_index MATCH :match AND t.rowid > :after AND t.rowid < :before
        AND b.is_archived = 1 AND b.received_at BETWEEN :start AND :end
        AND (:peer IS NULL OR b.peer = (SELECT id FROM address WHERE text = :peer))
        AND (:device = '' OR (SELECT id FROM address WHERE text = :device) IN (m.sender, m.recipient))
    LIMIT :counted
);
