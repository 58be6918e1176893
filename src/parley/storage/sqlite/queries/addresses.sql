-- name: find
SELECT id FROM address WHERE text = ?;

-- name: add
INSERT INTO address (text) VALUES (?);

-- name: data_version
PRAGMA data_version;

-- name: unused
SELECT id FROM address
EXCEPT SELECT sender FROM message
EXCEPT SELECT recipient FROM message
EXCEPT SELECT peer FROM mailbox;

-- name: delete
DELETE FROM address WHERE id = ?;
