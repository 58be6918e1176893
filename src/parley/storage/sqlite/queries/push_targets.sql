-- name: count
SELECT count(*) FROM push_target WHERE NOT (owner = :owner AND service = :service AND kind = :kind AND device = :device);

-- name: count_of
SELECT count(*) FROM push_target WHERE owner = :owner AND NOT (service = :service AND kind = :kind AND device = :device);

-- name: put
INSERT OR REPLACE INTO push_target (service, node, owner, kind, device, token, secret, created_at, woken_at, wakes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: find
SELECT service, node, owner, kind, device, token, secret, created_at, woken_at, wakes FROM push_target WHERE node = ?;

-- name: of
SELECT service, node, owner, kind, device, token, secret, created_at, woken_at, wakes FROM push_target
WHERE owner = ? ORDER BY service, kind, device;

-- name: woken
UPDATE push_target SET woken_at = ?, wakes = wakes + 1 WHERE node = ?;

-- name: remove
DELETE FROM push_target WHERE node = ?;

-- name: forget
DELETE FROM push_target WHERE owner = ?;
