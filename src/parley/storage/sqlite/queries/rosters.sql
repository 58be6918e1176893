-- name: version
SELECT version, forgotten FROM roster WHERE account_id = ?;

-- name: raise_version
INSERT INTO roster (account_id, version) VALUES (?, 1)
ON CONFLICT (account_id) DO UPDATE SET version = version + 1
RETURNING version;

-- name: contacts
SELECT address, name, groups, state, is_listed, request, version FROM contact WHERE account_id = ? ORDER BY address;

-- name: is_listed
SELECT is_listed FROM contact WHERE account_id = ? AND address = ?;

-- name: count
SELECT count(*) FROM contact WHERE account_id = ? AND is_listed = ?;

-- name: put
INSERT INTO contact (account_id, address, name, groups, state, is_listed, request, version)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, address) DO UPDATE SET
    name = excluded.name,
    groups = excluded.groups,
    state = excluded.state,
    is_listed = excluded.is_listed,
    request = excluded.request,
    version = excluded.version;

-- name: delete
DELETE FROM contact WHERE account_id = ? AND address = ?;

-- name: remember_removal
INSERT INTO contact_removed (account_id, version, address) VALUES (?, ?, ?);

-- name: forget_removal
DELETE FROM contact_removed WHERE account_id = ? AND address = ?;

-- name: surplus_removal
SELECT version FROM contact_removed WHERE account_id = ? ORDER BY version DESC LIMIT 1 OFFSET ?;

-- name: forget_removals
DELETE FROM contact_removed WHERE account_id = ? AND version <= ?;

-- name: set_forgotten
UPDATE roster SET forgotten = ? WHERE account_id = ?;

-- name: changed
SELECT address, name, groups, state, is_listed, request, version FROM contact
WHERE account_id = ? AND version > ? AND is_listed ORDER BY version;

-- name: removed
SELECT version, address FROM contact_removed WHERE account_id = ? AND version > ? ORDER BY version;

-- name: watchers
SELECT c.account_id FROM contact AS c JOIN account AS a ON a.id = c.account_id
WHERE c.address = ? AND a.address IS NOT NULL ORDER BY c.account_id;
