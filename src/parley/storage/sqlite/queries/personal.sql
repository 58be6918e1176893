-- name: private
SELECT content FROM private_element WHERE account_id = ? AND namespace = ? AND name = ?;

-- name: all_private
SELECT namespace, name, content FROM private_element WHERE account_id = ? ORDER BY namespace, name;

-- name: put_private
INSERT INTO private_element (account_id, namespace, name, content) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET content = excluded.content;

-- name: delete_private
DELETE FROM private_element WHERE account_id = ? AND namespace = ? AND name = ?;

-- name: private_size
SELECT count(*), coalesce(sum(length(content)), 0) FROM private_element WHERE account_id = ?;

-- name: card
SELECT content, photo_hash FROM card WHERE account_id = ?;

-- name: put_card
INSERT INTO card (account_id, content, photo_hash) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET content = excluded.content, photo_hash = excluded.photo_hash;

-- name: departed
INSERT INTO departure (account_id, left_at, status) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET left_at = excluded.left_at, status = excluded.status;

-- name: departure
SELECT left_at, status FROM departure WHERE account_id = ?;

-- name: forget_private
DELETE FROM private_element WHERE account_id = ?;

-- name: forget_card
DELETE FROM card WHERE account_id = ?;

-- name: forget_departure
DELETE FROM departure WHERE account_id = ?;
