-- name: seen
INSERT INTO device (account_id, resource, name, first_seen, last_seen, last_address, software, client)
VALUES (:account, :resource, :name,
    coalesce((SELECT min(first_seen) FROM device WHERE account_id = :account AND client = :client AND client <> X''), :now),
    :now, :address, :software, :client)
ON CONFLICT (account_id, resource) DO UPDATE SET
    name = CASE WHEN excluded.name = '' THEN name ELSE excluded.name END,
    last_seen = excluded.last_seen,
    last_address = excluded.last_address,
    software = CASE WHEN excluded.software = '' THEN software ELSE excluded.software END,
    client = CASE WHEN excluded.client = X'' THEN client ELSE excluded.client END;

-- name: is_one_too_many
SELECT count(*) >= :keep AND NOT coalesce(max(resource = :resource OR (client = :client AND client <> X'')), 0)
FROM device WHERE account_id = :account;

-- name: forget_earlier_places
DELETE FROM device
WHERE account_id = :account AND client = :client AND client <> X'' AND resource <> :resource AND NOT EXISTS (
    SELECT 1 FROM device_credential AS c WHERE c.account_id = device.account_id AND c.resource = device.resource
);

-- name: forget
DELETE FROM device WHERE account_id = :account AND resource IN (
    SELECT resource FROM device WHERE account_id = :account ORDER BY last_seen DESC, resource LIMIT -1 OFFSET :keep
);

-- name: all
SELECT d.account_id, d.resource, d.name, d.first_seen, d.last_seen, d.last_address, c.resource IS NOT NULL,
    EXISTS (SELECT 1 FROM token AS t WHERE t.account_id = d.account_id AND t.client = d.client), d.software, d.client
FROM device AS d
LEFT JOIN device_credential AS c ON c.account_id = d.account_id AND c.resource = d.resource
WHERE d.account_id = ? ORDER BY d.last_seen DESC, d.resource;

-- name: enrol
INSERT INTO device (account_id, resource, name, first_seen, last_seen, last_address)
VALUES (:account, :resource, :name, :now, :now, '')
ON CONFLICT (account_id, resource) DO UPDATE SET
    name = CASE WHEN excluded.name = '' THEN name ELSE excluded.name END;

-- name: set_credential
INSERT INTO device_credential (account_id, resource, mechanism, salt, iterations, stored_key, server_key)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, resource) DO UPDATE SET
    mechanism = excluded.mechanism,
    salt = excluded.salt,
    iterations = excluded.iterations,
    stored_key = excluded.stored_key,
    server_key = excluded.server_key;

-- name: credential
SELECT c.mechanism, c.salt, c.iterations, c.stored_key, c.server_key
FROM account AS a JOIN device_credential AS c ON c.account_id = a.id
WHERE a.address = ? AND c.resource = ?;

-- name: delete
DELETE FROM device WHERE account_id = ? AND resource = ?;

-- name: resources
SELECT resource FROM device WHERE account_id = ? ORDER BY resource;

-- name: delete_all
DELETE FROM device WHERE account_id = ?;
