-- The earliest and the latest time in each run of 1,024 log positions, so that a search by time skips the others.
-- Clocks jump, so times need not rise with positions. What has been deleted still counts: it only costs a look.
CREATE TABLE message_block (
    block    INTEGER PRIMARY KEY,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL
) STRICT;

INSERT INTO message_block (block, first_at, last_at)
SELECT seq / 1024, min(received_at), max(received_at) FROM message GROUP BY seq / 1024;
