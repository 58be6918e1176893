-- name: find
SELECT t.account_id, t.client, t.nonce, t.mechanism, t.resource, t.created_at, t.expires_at, t.count, t.is_used
FROM account AS a JOIN token AS t ON t.account_id = a.id
WHERE a.address = ? AND t.client = ? ORDER BY t.is_used, t.created_at DESC;

-- name: forget_unused
DELETE FROM token WHERE account_id = :account AND client = :client AND is_used = 0;

-- name: add
INSERT INTO token (account_id, client, nonce, mechanism, resource, created_at, expires_at, count, is_used)
SELECT :account, :client, :nonce, :mechanism, :resource, :created_at, :expires_at, :count, :is_used
WHERE EXISTS (SELECT 1 FROM device WHERE account_id = :account AND client = :client);

-- name: use
UPDATE token SET is_used = 1, count = coalesce(:count, count)
WHERE account_id = :account AND client = :client AND nonce = :nonce AND (:count IS NULL OR count < :count);

-- name: forget_older
DELETE FROM token
WHERE account_id = :account AND client = :client AND nonce <> :nonce AND (is_used = 1 OR expires_at < :expires_at);

-- name: forget
DELETE FROM token WHERE account_id = ? AND client = ?;

-- name: forget_all
DELETE FROM token WHERE account_id = ?;

-- name: forget_of_device
DELETE FROM token WHERE account_id = :account AND client IN (
    SELECT client FROM device WHERE account_id = :account AND resource = :resource
);

-- name: forget_of_no_device
DELETE FROM token WHERE account_id = :account AND client NOT IN (
    SELECT client FROM device WHERE account_id = :account
);
