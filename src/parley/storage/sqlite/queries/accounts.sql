-- name: add
INSERT INTO account (address, created_at) VALUES (?, ?);

-- name: find
SELECT id, address, created_at, is_suspended FROM account WHERE address = ?;

-- name: all
SELECT id, address, created_at, is_suspended FROM account WHERE address IS NOT NULL ORDER BY address;

-- name: credentials
SELECT c.mechanism, c.salt, c.iterations, c.stored_key, c.server_key
FROM account AS a JOIN credential AS c ON c.account_id = a.id
WHERE a.address = ? ORDER BY c.mechanism;

-- name: iterations
SELECT iterations, count(*) FROM credential GROUP BY iterations;

-- name: add_credential
INSERT INTO credential (account_id, mechanism, salt, iterations, stored_key, server_key) VALUES (?, ?, ?, ?, ?, ?);

-- name: add_missing_credential
INSERT INTO credential (account_id, mechanism, salt, iterations, stored_key, server_key) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, mechanism) DO NOTHING;

-- name: delete_credentials
DELETE FROM credential WHERE account_id = ?;

-- name: set_suspended
UPDATE account SET is_suspended = ? WHERE id = ? AND address IS NOT NULL;

-- name: hide
UPDATE account SET address = NULL WHERE id = ?;

-- name: hidden
SELECT id FROM account WHERE address IS NULL ORDER BY id;

-- name: delete
DELETE FROM account WHERE id = ?;

-- name: delete_roster
DELETE FROM roster WHERE account_id = ?;

-- name: delete_contacts
DELETE FROM contact WHERE account_id = ?;

-- name: delete_removed_contacts
DELETE FROM contact_removed WHERE account_id = ?;

-- name: delete_nodes
DELETE FROM node WHERE account_id = ?;

-- name: delete_devices
DELETE FROM device WHERE account_id = ?;

-- name: delete_uploads
DELETE FROM upload WHERE account_id = ?;

-- name: delete_cursor
DELETE FROM delivery_cursor WHERE account_id = ?;

-- name: delete_invitations
DELETE FROM invitation WHERE inviter_id = ?;
