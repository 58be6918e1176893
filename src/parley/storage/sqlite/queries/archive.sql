-- name: displayed
INSERT INTO displayed (account_id, peer, seq)
SELECT :account, :peer, found.seq FROM (
    SELECT b.seq FROM (
        SELECT seq FROM mailbox INDEXED BY mailbox_by_peer
        WHERE account_id = :account AND peer = :peer AND is_archived = 1 AND direction = 0
            AND seq > coalesce((SELECT seq FROM displayed WHERE account_id = :account AND peer = :peer), 0)
            AND seq < :before
        ORDER BY seq DESC LIMIT :looked_back
    ) AS b
    CROSS JOIN message AS m ON m.seq = b.seq
    WHERE :target IN (m.client_id, m.origin_id)
    LIMIT 1
) AS found
WHERE EXISTS (SELECT 1 FROM account WHERE id = :account)
ON CONFLICT (account_id, peer) DO UPDATE SET seq = max(seq, excluded.seq);

-- name: retracted
SELECT m.seq, m.content FROM (
    SELECT seq FROM mailbox INDEXED BY mailbox_by_peer
    WHERE account_id = :account AND peer = :peer AND is_archived = 1 AND direction = :direction AND seq < :before
    ORDER BY seq DESC LIMIT :looked_back
) AS b
CROSS JOIN message AS m ON m.seq = b.seq
WHERE :target IN (m.client_id, m.origin_id)
LIMIT 1;

-- name: replace_content
UPDATE message SET content = ? WHERE seq = ?;

-- name: preferences
SELECT standard, always, never FROM archive_preference WHERE account_id = ?;

-- name: choose
INSERT INTO archive_preference (account_id, standard, always, never) VALUES (?, ?, ?, ?)
ON CONFLICT (account_id) DO UPDATE SET
    standard = excluded.standard, always = excluded.always, never = excluded.never;

-- name: conversations
WITH RECURSIVE peers (peer) AS (
    SELECT min(peer) FROM mailbox INDEXED BY mailbox_by_peer WHERE account_id = :account AND is_archived = 1
    UNION ALL
    -- A hop from each peer to the next one: as many steps as there are conversations, whatever lies in them.
    SELECT (
        SELECT min(b.peer) FROM mailbox AS b INDEXED BY mailbox_by_peer
        WHERE b.account_id = :account AND b.is_archived = 1 AND b.peer > peers.peer
    )
    FROM peers WHERE peers.peer IS NOT NULL
)
SELECT
    peers.peer,
    a.text,
    (
        SELECT b.seq FROM mailbox AS b INDEXED BY mailbox_by_peer
        WHERE b.account_id = :account AND b.peer = peers.peer AND b.is_archived = 1 AND b.has_content = 1
        ORDER BY b.seq DESC LIMIT 1
    ),
    coalesce((SELECT d.seq FROM displayed AS d WHERE d.account_id = :account AND d.peer = peers.peer), 0)
FROM peers CROSS JOIN address AS a ON a.id = peers.peer;

-- name: last_sent
SELECT seq FROM (
    SELECT seq, direction, has_content FROM mailbox INDEXED BY mailbox_by_peer
    WHERE account_id = :account AND peer = :peer AND is_archived = 1 AND seq > :after
    ORDER BY seq DESC LIMIT :looked_back
)
WHERE direction = 1 AND has_content = 1 LIMIT 1;

-- name: unread
SELECT count(*) FROM (
    SELECT direction, has_content FROM mailbox INDEXED BY mailbox_by_peer
    WHERE account_id = :account AND peer = :peer AND is_archived = 1 AND seq > :after
    ORDER BY seq DESC LIMIT :looked_back
)
WHERE direction = 0 AND has_content = 1;

-- name: last_of_peer
SELECT m.id FROM mailbox AS b INDEXED BY mailbox_by_peer
CROSS JOIN message AS m ON m.seq = b.seq
WHERE b.account_id = :account AND b.peer = :peer AND b.is_archived = 1
ORDER BY b.seq DESC LIMIT 1;

-- name: seq_of
SELECT seq FROM message WHERE id = ?;
