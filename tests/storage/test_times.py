"""Searching by time in a log whose clock jumped."""

from __future__ import annotations

import random
from pathlib import Path

from parley.domain.messages import ArchiveQuery
from parley.storage.sqlite import database
from parley.storage.sqlite.migrate import migrate, migrations
from parley.storage.sqlite.pages import read_page
from parley.storage.sqlite.times import BLOCK, END, bounds_by_time, note_times

MESSAGES = 6 * BLOCK


async def test_whatever_the_clock_did_a_search_by_time_finds_the_same(tmp_path: Path) -> None:
    connection = database.open_writer(tmp_path / "parley.db", is_checked=False)
    chance = random.Random(5)
    # Each block has a clock of its own, some of them far off.
    times = [chance.choice((0, 1, 2, 500)) * 1000 * (seq // BLOCK) + chance.randrange(50) for seq in range(MESSAGES)]
    times[0] = 0
    # The blocks of the first half are filled by the migration, the others while messages come in.
    migrate(connection, tmp_path / "parley.db", 1, migrations()[:1])
    connection.execute("INSERT INTO account (address, created_at) VALUES ('alice@example.org', 1)")
    connection.execute("INSERT INTO address (id, text) VALUES (1, 'bob@example.org')")
    rows = [(seq, seq.to_bytes(16, "big"), at) for seq, at in enumerate(times) if seq]
    add = (
        "INSERT INTO message (seq, id, received_at, sender, recipient, confidentiality, holders, content)"
        " VALUES (?, ?, ?, 1, 1, 2, 1, x'')"
    )
    connection.execute("BEGIN")
    connection.executemany(add, rows[: MESSAGES // 2])
    connection.execute("COMMIT")
    migrate(connection, tmp_path / "parley.db", 2)
    connection.execute("BEGIN")
    for start in range(MESSAGES // 2, MESSAGES, 100):
        connection.executemany(add, rows[start : start + 100])
        note_times(connection, [(seq, at) for seq, _, at in rows[start : start + 100]])
    connection.execute("INSERT INTO mailbox SELECT 1, seq, 1, 0, 1, 1, received_at, 1 FROM message")
    connection.execute("COMMIT")
    for _ in range(200):
        start, end = (chance.choice((None, chance.choice(times) + chance.randrange(-1, 2))) for _ in range(2))
        found = read_page(connection, ArchiveQuery(1, start=start, end=end, limit=MESSAGES, counted=None))
        wanted = [seq for seq, _, at in rows if (start is None or at >= start) and (end is None or at <= end)]
        assert [message.seq for message in found.messages] == wanted
        assert found.total == len(wanted)
    connection.close()


def test_bounds_leave_out_what_cannot_match(tmp_path: Path) -> None:
    connection = database.open_writer(tmp_path / "parley.db", is_checked=False)
    migrate(connection, tmp_path / "parley.db", 1)
    note_times(connection, [(seq, seq) for seq in range(1, 3 * BLOCK)])
    assert bounds_by_time(connection, None, None) == (0, END)
    assert bounds_by_time(connection, BLOCK, 2 * BLOCK - 1) == (BLOCK - 1, 2 * BLOCK)
    assert bounds_by_time(connection, 3 * BLOCK, None) == (END, END)
    assert bounds_by_time(connection, None, 0) == (0, 0)
    connection.close()
