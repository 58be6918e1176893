-- name: add
INSERT INTO upload (id, account_id, put_digest, get_digest, filename, content_type, size_bytes, offset_bytes, state,
    digest, created_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: find
SELECT id, account_id, put_digest, get_digest, filename, content_type, size_bytes, offset_bytes, state, digest,
    created_at, expires_at
FROM upload WHERE id = ?;

-- name: advance
UPDATE upload SET offset_bytes = ?, expires_at = ? WHERE id = ? AND state = 'open';

-- name: complete
UPDATE upload SET state = 'complete', digest = ?, expires_at = ?, offset_bytes = size_bytes WHERE id = ?;

-- name: remove
DELETE FROM upload WHERE id = ?;

-- name: used_bytes
SELECT coalesce(sum(size_bytes), 0) FROM upload WHERE account_id = ?;

-- name: open
SELECT count(*) FROM upload WHERE account_id = ? AND state = 'open';

-- name: expired
SELECT id, account_id, put_digest, get_digest, filename, content_type, size_bytes, offset_bytes, state, digest,
    created_at, expires_at
FROM upload WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?;

-- name: references
SELECT count(*) FROM upload WHERE digest = ? AND state = 'complete';

-- name: count
SELECT count(*) FROM upload WHERE state = ?;
