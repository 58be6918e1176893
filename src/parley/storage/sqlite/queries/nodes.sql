-- name: all
SELECT account_id, name, config FROM node WHERE account_id = ? ORDER BY name;

-- name: find
SELECT id, config FROM node WHERE account_id = ? AND name = ?;

-- name: by_id
SELECT account_id, name, config FROM node WHERE id = ?;

-- name: naming
SELECT id FROM node WHERE instr(config, json_quote(?)) > 0;

-- name: count
SELECT count(*) FROM node WHERE account_id = ?;

-- name: create
INSERT INTO node (account_id, name, config) VALUES (?, ?, ?);

-- name: configure
UPDATE node SET config = ? WHERE id = ?;

-- name: delete
DELETE FROM node WHERE account_id = ? AND name = ?;

-- name: add_item
INSERT INTO node_item (node_id, id, publisher, published_at, payload) VALUES (?, ?, ?, ?, ?);

-- name: delete_item
DELETE FROM node_item WHERE node_id = ? AND id = ?;

-- name: trim
DELETE FROM node_item WHERE node_id = :node AND position <= (
    SELECT position FROM node_item WHERE node_id = :node ORDER BY position DESC LIMIT 1 OFFSET :keep
);

-- name: newest_items
SELECT id, publisher, published_at, payload FROM node_item
WHERE node_id = ? ORDER BY position DESC LIMIT ?;

-- name: item
SELECT position, id, publisher, published_at, payload FROM node_item WHERE node_id = ? AND id = ?;

-- name: purge
DELETE FROM node_item WHERE node_id = ?;
