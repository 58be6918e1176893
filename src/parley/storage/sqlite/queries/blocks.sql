-- name: blocked
SELECT address FROM block WHERE account_id = ? ORDER BY position;

-- name: block
INSERT INTO block (account_id, address) VALUES (?, ?) ON CONFLICT DO NOTHING;

-- name: count
SELECT count(*) FROM block WHERE account_id = ?;

-- name: unblock
DELETE FROM block WHERE account_id = ? AND address = ?;

-- name: report
INSERT INTO report
    (account_id, reported_at, address, reason, text, message_ids, may_tell_origin, may_tell_others)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: trim_reports
DELETE FROM report WHERE account_id = :account AND id <= (
    SELECT id FROM report WHERE account_id = :account ORDER BY id DESC LIMIT 1 OFFSET :keep
);

-- name: reports
SELECT r.id, coalesce(a.address, ''), r.reported_at, r.address, r.reason, r.text, r.message_ids,
       r.may_tell_origin, r.may_tell_others
FROM report AS r LEFT JOIN account AS a ON a.id = r.account_id
WHERE r.id < ? ORDER BY r.id DESC LIMIT ?;

-- name: dismiss
DELETE FROM report WHERE id = ?;

-- name: forget
DELETE FROM block WHERE account_id = ?;
