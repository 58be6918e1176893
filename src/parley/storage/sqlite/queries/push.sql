-- name: count
SELECT count(*) FROM push_registration WHERE account_id = :account AND NOT (service = :service AND node = :node);

-- name: put
INSERT OR REPLACE INTO push_registration
    (account_id, service, node, options, resource, created_at, last_ok_at, last_error, refusals)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: note
UPDATE push_registration SET last_ok_at = ?, last_error = ?, refusals = ?
WHERE account_id = ? AND service = ? AND node = ? AND created_at = ?;

-- name: remove
DELETE FROM push_registration WHERE account_id = ? AND service = ?;

-- name: remove_node
DELETE FROM push_registration WHERE account_id = ? AND service = ? AND node = ?;

-- name: all
SELECT service, node, options, resource, created_at, last_ok_at, last_error, refusals
FROM push_registration WHERE account_id = ? ORDER BY created_at, service, node;
