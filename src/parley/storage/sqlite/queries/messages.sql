-- name: last_seq
SELECT seq FROM sqlite_sequence WHERE name = 'message';

-- name: add
INSERT INTO message (
    seq, id, received_at, sender, recipient, confidentiality, holders, dedup_key, content, client_id, origin_id
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (dedup_key) WHERE dedup_key IS NOT NULL DO NOTHING;

-- name: add_entry
INSERT INTO mailbox (account_id, seq, peer, direction, is_archived, is_mailed, received_at, has_content)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: find_duplicate
SELECT seq, id FROM message WHERE dedup_key = ?;

-- name: account_exists
SELECT 1 FROM account WHERE id = ?;

-- name: move_cursor
INSERT INTO delivery_cursor (account_id, seq)
SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM account WHERE id = ?1)
ON CONFLICT (account_id) DO UPDATE SET seq = max(seq, excluded.seq);

-- name: find_archived
SELECT b.seq FROM message AS m CROSS JOIN mailbox AS b
WHERE m.id = :id AND b.account_id = :account AND b.seq = m.seq AND b.is_archived = 1;

-- name: page_forward
SELECT b.seq, m.id, b.received_at, s.text, r.text, p.text, b.direction, m.confidentiality, m.content, b.is_archived
FROM mailbox AS b
CROSS JOIN message AS m ON m.seq = b.seq
CROSS JOIN address AS s ON s.id = m.sender
CROSS JOIN address AS r ON r.id = m.recipient
CROSS JOIN address AS p ON p.id = b.peer
WHERE b.account_id = :account AND b.is_archived = 1 AND b.seq > :after AND b.seq < :before
    AND b.received_at BETWEEN :start AND :end
ORDER BY b.seq LIMIT :limit OFFSET :skipped;

-- name: page_backward
SELECT b.seq, m.id, b.received_at, s.text, r.text, p.text, b.direction, m.confidentiality, m.content, b.is_archived
FROM mailbox AS b
CROSS JOIN message AS m ON m.seq = b.seq
CROSS JOIN address AS s ON s.id = m.sender
CROSS JOIN address AS r ON r.id = m.recipient
CROSS JOIN address AS p ON p.id = b.peer
WHERE b.account_id = :account AND b.is_archived = 1 AND b.seq > :after AND b.seq < :before
    AND b.received_at BETWEEN :start AND :end
ORDER BY b.seq DESC LIMIT :limit;

-- name: page_forward_by_peer
SELECT b.seq, m.id, b.received_at, s.text, r.text, p.text, b.direction, m.confidentiality, m.content, b.is_archived
FROM mailbox AS b INDEXED BY mailbox_by_peer
CROSS JOIN message AS m ON m.seq = b.seq
CROSS JOIN address AS s ON s.id = m.sender
CROSS JOIN address AS r ON r.id = m.recipient
CROSS JOIN address AS p ON p.id = b.peer
WHERE b.account_id = :account AND b.peer = (SELECT id FROM address WHERE text = :peer)
    AND b.is_archived = 1 AND b.seq > :after AND b.seq < :before
    AND b.received_at BETWEEN :start AND :end
    AND (:device = '' OR :device IN (s.text, r.text))
ORDER BY b.seq LIMIT :limit OFFSET :skipped;

-- name: page_backward_by_peer
SELECT b.seq, m.id, b.received_at, s.text, r.text, p.text, b.direction, m.confidentiality, m.content, b.is_archived
FROM mailbox AS b INDEXED BY mailbox_by_peer
CROSS JOIN message AS m ON m.seq = b.seq
CROSS JOIN address AS s ON s.id = m.sender
CROSS JOIN address AS r ON r.id = m.recipient
CROSS JOIN address AS p ON p.id = b.peer
WHERE b.account_id = :account AND b.peer = (SELECT id FROM address WHERE text = :peer)
    AND b.is_archived = 1 AND b.seq > :after AND b.seq < :before
    AND b.received_at BETWEEN :start AND :end
    AND (:device = '' OR :device IN (s.text, r.text))
ORDER BY b.seq DESC LIMIT :limit;

-- name: count
SELECT count(*), count(*) FILTER (WHERE seq < :first) FROM (
    SELECT seq FROM mailbox
    WHERE account_id = :account AND is_archived = 1 AND seq > :after AND seq < :before
        AND received_at BETWEEN :start AND :end
    LIMIT :counted
);

-- name: count_by_peer
SELECT count(*), count(*) FILTER (WHERE seq < :first) FROM (
    SELECT seq FROM mailbox INDEXED BY mailbox_by_peer
    WHERE account_id = :account AND peer = (SELECT id FROM address WHERE text = :peer)
        AND is_archived = 1 AND seq > :after AND seq < :before
        AND received_at BETWEEN :start AND :end
    LIMIT :counted
);

-- name: count_by_device
SELECT count(*), count(*) FILTER (WHERE seq < :first) FROM (
    SELECT b.seq FROM mailbox AS b INDEXED BY mailbox_by_peer
    CROSS JOIN message AS m ON m.seq = b.seq
    WHERE b.account_id = :account AND b.peer = (SELECT id FROM address WHERE text = :peer)
        AND b.is_archived = 1 AND b.seq > :after AND b.seq < :before
        AND b.received_at BETWEEN :start AND :end
        AND (SELECT id FROM address WHERE text = :device) IN (m.sender, m.recipient)
    LIMIT :counted
);

-- name: note_times
INSERT INTO message_block (block, first_at, last_at) VALUES (?, ?, ?)
ON CONFLICT (block) DO UPDATE SET
    first_at = min(first_at, excluded.first_at),
    last_at = max(last_at, excluded.last_at);

-- name: first_block_since
SELECT block FROM message_block WHERE last_at >= ? ORDER BY block LIMIT 1;

-- name: last_block_until
SELECT block FROM message_block WHERE first_at <= ? ORDER BY block DESC LIMIT 1;

-- name: delete_empty_blocks
DELETE FROM message_block
WHERE block < (SELECT coalesce(min(seq), 9223372036854775807) / 1024 FROM message);

-- name: entry
SELECT b.seq, m.id, b.received_at, s.text, r.text, p.text, b.direction, m.confidentiality, m.content, b.is_archived
FROM mailbox AS b
CROSS JOIN message AS m ON m.seq = b.seq
CROSS JOIN address AS s ON s.id = m.sender
CROSS JOIN address AS r ON r.id = m.recipient
CROSS JOIN address AS p ON p.id = b.peer
WHERE b.account_id = :account AND b.seq = :seq;

-- name: sent_since
SELECT s.text, m.content FROM message AS m CROSS JOIN address AS s ON s.id = m.sender
WHERE m.seq > ? ORDER BY m.seq LIMIT ?;

-- name: pending
SELECT b.seq, m.id, b.received_at, s.text, r.text, p.text, b.direction, m.confidentiality, m.content, b.is_archived
FROM mailbox AS b
CROSS JOIN message AS m ON m.seq = b.seq
CROSS JOIN address AS s ON s.id = m.sender
CROSS JOIN address AS r ON r.id = m.recipient
CROSS JOIN address AS p ON p.id = b.peer
WHERE b.account_id = :account AND b.direction = 0 AND b.is_mailed = 1
    AND b.seq > max(:after, coalesce((SELECT seq FROM delivery_cursor WHERE account_id = :account), 0))
ORDER BY b.seq LIMIT :limit;

-- name: has_written
SELECT 1 FROM (
    SELECT direction FROM mailbox INDEXED BY mailbox_by_peer
    WHERE account_id = :account AND peer = (SELECT id FROM address WHERE text = :peer) AND is_archived = 1
    ORDER BY seq DESC LIMIT :looked_back
) WHERE direction = 1 LIMIT 1;

-- name: old_entries
SELECT b.account_id, b.seq FROM account AS a
CROSS JOIN mailbox AS b ON b.account_id = a.id
WHERE a.id >= :account AND b.seq > CASE WHEN a.id = :account THEN :seq ELSE -1 END AND b.seq < :end
    AND b.received_at < :before
ORDER BY a.id, b.seq LIMIT :limit;

-- name: old_entries_of_account
SELECT account_id, seq FROM mailbox
WHERE account_id = :account AND seq > :seq AND seq < :end AND received_at < :before
ORDER BY seq LIMIT :limit;

-- name: entries_of_account
SELECT account_id, seq FROM mailbox WHERE account_id = :account ORDER BY seq LIMIT :limit;

-- name: delete_entry
DELETE FROM mailbox WHERE account_id = ? AND seq = ?;

-- name: delivered_entries
SELECT b.account_id, b.seq FROM mailbox AS b INDEXED BY mailbox_unarchived
LEFT JOIN delivery_cursor AS c ON c.account_id = b.account_id
WHERE b.is_archived = 0 AND b.received_at < :before
    AND (b.is_mailed = 0 OR b.direction = 1 OR b.seq <= c.seq)
ORDER BY b.account_id, b.seq LIMIT :limit;

-- name: unheld_messages
SELECT seq FROM message INDEXED BY message_without_holder
WHERE holders = 0 AND received_at < :before ORDER BY seq LIMIT :limit;

-- name: delete_message
DELETE FROM message WHERE seq = ?;

-- name: first
SELECT seq FROM mailbox WHERE account_id = ? AND is_archived = 1 ORDER BY seq LIMIT 1;

-- name: last
SELECT seq FROM mailbox WHERE account_id = ? AND is_archived = 1 ORDER BY seq DESC LIMIT 1;
