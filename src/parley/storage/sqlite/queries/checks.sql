-- name: counts
SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM message), (SELECT count(*) FROM mailbox);

-- name: a_mailbox_entry_has_no_message
SELECT 1 FROM mailbox WHERE seq NOT IN (SELECT seq FROM message) LIMIT 1;

-- name: a_message_miscounts_its_holders
SELECT 1 FROM message AS m
LEFT JOIN (SELECT seq, count(*) AS holders FROM mailbox GROUP BY seq) AS b ON b.seq = m.seq
WHERE m.holders <> coalesce(b.holders, 0) LIMIT 1;

-- name: a_message_lies_outside_the_times_of_its_block
SELECT 1 FROM message AS m
LEFT JOIN message_block AS b ON b.block = m.seq / 1024
WHERE b.block IS NULL OR m.received_at NOT BETWEEN b.first_at AND b.last_at LIMIT 1;

-- name: a_message_names_an_unknown_address
SELECT 1 FROM message
WHERE sender NOT IN (SELECT id FROM address) OR recipient NOT IN (SELECT id FROM address) LIMIT 1;

-- name: a_mailbox_entry_names_an_unknown_peer
SELECT 1 FROM mailbox WHERE peer NOT IN (SELECT id FROM address) LIMIT 1;
