-- name: find
SELECT id, address, creator, created_at, is_locked, config, subject, subject_text, subject_nick, subject_at, avatar
FROM room WHERE address = ?;

-- name: id
SELECT id FROM room WHERE address = ?;

-- name: save
INSERT INTO room (
    address, domain, creator, created_at, is_locked, is_listed, name, config,
    subject, subject_text, subject_nick, subject_at, avatar
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (address) DO UPDATE SET
    is_locked = excluded.is_locked, is_listed = excluded.is_listed, name = excluded.name, config = excluded.config,
    subject = excluded.subject, subject_text = excluded.subject_text, subject_nick = excluded.subject_nick,
    subject_at = excluded.subject_at, avatar = excluded.avatar;

-- name: standings
SELECT address, affiliation, nick, reason FROM room_standing WHERE room_id = ?;

-- name: put_standing
INSERT INTO room_standing (room_id, address, affiliation, nick, reason) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (room_id, address) DO UPDATE SET
    affiliation = excluded.affiliation, nick = excluded.nick, reason = excluded.reason;

-- name: drop_standing
DELETE FROM room_standing WHERE room_id = ? AND address = ?;

-- name: drop_standings
DELETE FROM room_standing WHERE room_id = ?;

-- name: voices
SELECT address, role FROM room_voice WHERE room_id = ?;

-- name: put_voice
INSERT INTO room_voice (room_id, address, role) VALUES (?, ?, ?)
ON CONFLICT (room_id, address) DO UPDATE SET role = excluded.role;

-- name: drop_voice
DELETE FROM room_voice WHERE room_id = ? AND address = ?;

-- name: drop_voices
DELETE FROM room_voice WHERE room_id = ?;

-- name: drop_voice_of
DELETE FROM room_voice WHERE address = ?;

-- name: rooms_naming
SELECT r.address FROM room_standing AS s JOIN room AS r ON r.id = s.room_id WHERE s.address = ? ORDER BY r.address;

-- name: drop_person
DELETE FROM room_standing WHERE address = ?;

-- name: set_subject
UPDATE room SET subject = ?, subject_text = ?, subject_nick = ?, subject_at = ? WHERE address = ?;

-- name: drop_occupants
DELETE FROM room_occupant WHERE room_id = ?;

-- name: delete
DELETE FROM room WHERE id = ?;

-- name: give_up
UPDATE room SET address = 'gone/' || id, domain = '', creator = '', is_listed = 0, name = '', avatar = x'' WHERE id = ?;

-- name: given_up
SELECT id FROM room WHERE domain = '' ORDER BY id;

-- name: delete_piece
DELETE FROM room_message WHERE seq IN (
    SELECT seq FROM room_message INDEXED BY room_message_by_room WHERE room_id = ? ORDER BY seq LIMIT ?
);

-- name: count_created_by
SELECT count(*) FROM room WHERE creator = ?;

-- name: count
SELECT count(*) FROM room WHERE domain <> '';

-- name: listed
SELECT address, name, creator, created_at, config FROM room
WHERE is_listed = 1 AND domain = ? AND address > ? ORDER BY address LIMIT ?;

-- name: listed_before
SELECT address, name, creator, created_at, config FROM room
WHERE is_listed = 1 AND domain = ? AND address < ? ORDER BY address DESC LIMIT ?;

-- name: count_listed
SELECT count(*) FROM room WHERE is_listed = 1 AND domain = ?;

-- name: all
SELECT address, name, creator, created_at, config FROM room WHERE domain <> '' ORDER BY address;

-- name: put_occupant
INSERT OR REPLACE INTO room_occupant (room_id, session, nick, role, presence) VALUES (?, ?, ?, ?, ?);

-- name: drop_occupant
DELETE FROM room_occupant WHERE room_id = ? AND session = ?;

-- name: occupants
SELECT r.address, o.session, o.nick, o.role, o.presence
FROM room_occupant AS o JOIN room AS r ON r.id = o.room_id
ORDER BY o.room_id, o.position;

-- name: find_duplicate
SELECT id FROM room_message WHERE room_id = ? AND dedup_key = ?;

-- name: add_message
INSERT INTO room_message (room_id, id, at, sender, nick, in_history, dedup_key, content)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: note_times
INSERT INTO room_message_block (block, first_at, last_at) VALUES (?1 / 1024, ?2, ?2)
ON CONFLICT (block) DO UPDATE SET
    first_at = min(first_at, excluded.first_at),
    last_at = max(last_at, excluded.last_at);

-- name: first_block_since
SELECT block FROM room_message_block WHERE last_at >= ? ORDER BY block LIMIT 1;

-- name: last_block_until
SELECT block FROM room_message_block WHERE first_at <= ? ORDER BY block DESC LIMIT 1;

-- name: delete_empty_blocks
DELETE FROM room_message_block
WHERE block < (SELECT coalesce(min(seq), 9223372036854775807) / 1024 FROM room_message);

-- name: seq_of
SELECT seq FROM room_message WHERE id = ? AND room_id = ?;

-- name: page_forward
SELECT m.seq, m.id, m.at, m.sender, m.nick, m.content, m.in_history
FROM room_message AS b INDEXED BY room_message_by_room
CROSS JOIN room_message AS m ON m.seq = b.seq
WHERE b.room_id = :room AND b.seq > :after AND b.seq < :before
    AND b.at BETWEEN :start AND :end AND (:nick IS NULL OR b.nick = :nick)
ORDER BY b.seq LIMIT :limit OFFSET :skipped;

-- name: page_backward
SELECT m.seq, m.id, m.at, m.sender, m.nick, m.content, m.in_history
FROM room_message AS b INDEXED BY room_message_by_room
CROSS JOIN room_message AS m ON m.seq = b.seq
WHERE b.room_id = :room AND b.seq > :after AND b.seq < :before
    AND b.at BETWEEN :start AND :end AND (:nick IS NULL OR b.nick = :nick)
ORDER BY b.seq DESC LIMIT :limit;

-- name: count_messages
SELECT count(*), count(*) FILTER (WHERE seq < :first) FROM (
    SELECT seq FROM room_message INDEXED BY room_message_by_room
    WHERE room_id = :room AND seq > :after AND seq < :before
        AND at BETWEEN :start AND :end AND (:nick IS NULL OR nick = :nick)
    LIMIT :counted
);

-- name: message
SELECT seq, id, at, sender, nick, content, in_history FROM room_message WHERE seq = ?;

-- name: first
SELECT min(seq) FROM room_message WHERE room_id = ?;

-- name: last
SELECT max(seq) FROM room_message WHERE room_id = ?;

-- name: replace
UPDATE room_message SET content = ?, in_history = 0 WHERE id = ? AND room_id = ?;

-- name: history
SELECT seq, id, at, sender, nick, content, in_history FROM room_message
WHERE room_id = ? AND seq > ? AND in_history = 1 ORDER BY seq DESC LIMIT ?;

-- name: nth_last
SELECT seq FROM room_message INDEXED BY room_message_by_room WHERE room_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?;

-- name: old
SELECT seq FROM room_message WHERE seq > :seq AND seq < :end AND at < :before ORDER BY seq LIMIT :limit;

-- name: delete_message
DELETE FROM room_message WHERE seq = ?;

-- name: add_secret
INSERT OR IGNORE INTO room_secret (id, value) VALUES (1, ?);

-- name: secret
SELECT value FROM room_secret;
