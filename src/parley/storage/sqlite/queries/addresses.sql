-- name: find
SELECT id FROM address WHERE text = ?;

-- name: add
INSERT INTO address (text) VALUES (?);

-- name: data_version
PRAGMA data_version;

-- name: all
SELECT id FROM address;

-- name: in_messages
SELECT sender FROM message WHERE seq >= ?1 AND seq < ?2
UNION SELECT recipient FROM message WHERE seq >= ?1 AND seq < ?2;

-- name: in_mailboxes
SELECT DISTINCT peer FROM mailbox WHERE account_id >= ?1 AND account_id < ?2;

-- name: extent
SELECT
    (SELECT coalesce(min(seq), 0) FROM message),
    (SELECT coalesce(max(seq), 0) FROM message),
    (SELECT coalesce(max(id), 0) FROM account);

-- name: delete
DELETE FROM address WHERE id = ?;
