-- Who was given a voice in a moderated room, or lost it, and is to find it so again: `role` is 1 visitor, 2 participant.
CREATE TABLE room_voice (
    room_id INTEGER NOT NULL REFERENCES room ON DELETE CASCADE,
    address TEXT NOT NULL,
    role    INTEGER NOT NULL CHECK (role IN (1, 2)),
    PRIMARY KEY (room_id, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX room_voice_by_address ON room_voice (address);
