-- name: put
INSERT INTO outgoing (local, remote, put_at, stanza) VALUES (?, ?, ?, ?);

-- name: take
SELECT id, local, remote, put_at, stanza FROM outgoing
WHERE remote = :remote AND local = :local AND id > :after ORDER BY id LIMIT :limit;

-- name: remove
DELETE FROM outgoing WHERE id = ?;

-- name: older
SELECT id, local, remote, put_at, stanza FROM outgoing WHERE put_at < :before ORDER BY put_at, id LIMIT :limit;

-- name: totals
SELECT local, remote, count(*), sum(length(stanza)) FROM outgoing GROUP BY remote, local;
