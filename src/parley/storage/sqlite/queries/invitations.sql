-- name: add
INSERT INTO invitation (id, digest, domain, address, inviter_id, is_account, uses_left, created_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: find
SELECT i.id, i.digest, i.domain, i.created_at, i.expires_at, i.address, coalesce(a.address, ''), i.inviter_id,
    i.is_account, i.uses_left
FROM invitation AS i LEFT JOIN account AS a ON a.id = i.inviter_id
WHERE i.digest = ? AND (i.inviter_id IS NULL OR a.address IS NOT NULL);

-- name: all
SELECT i.id, i.digest, i.domain, i.created_at, i.expires_at, i.address, coalesce(a.address, ''), i.inviter_id,
    i.is_account, i.uses_left
FROM invitation AS i LEFT JOIN account AS a ON a.id = i.inviter_id
WHERE i.inviter_id IS NULL OR a.address IS NOT NULL
ORDER BY i.created_at, i.id;

-- name: reserved
SELECT 1 FROM invitation WHERE address = ? AND address <> '' AND uses_left > 0 AND expires_at > ?;

-- name: count_of
SELECT count(*) FROM invitation WHERE inviter_id = ?;

-- name: use
UPDATE invitation SET uses_left = uses_left - 1 WHERE id = ? AND uses_left > 0;

-- name: forget_over
DELETE FROM invitation WHERE expires_at <= ? OR uses_left = 0;

-- name: revoke
DELETE FROM invitation WHERE id = ?;

-- name: has_account
SELECT 1 FROM account WHERE id = ? AND address IS NOT NULL;
