"""Archive paging stays cheap: the plans, with many messages in the database, use an index and never sort."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator

import pytest

from parley.domain.archive.inbox import InboxPage, InboxQuery
from parley.domain.messages import ArchiveQuery
from parley.storage.sqlite import database
from parley.storage.sqlite.archive import read_inbox
from parley.storage.sqlite.migrate import migrate
from parley.storage.sqlite.pages import read_page
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.times import bounds_by_time, note_times

MESSAGES = 50_000
PEERS = 50
VALUES = {
    "account": 1,
    "peer": "peer7@example.org",
    "after": 0,
    "before": 2**63 - 1,
    "start": -(2**62),
    "end": 2**62,
    "limit": 51,
    "counted": 5001,
    "device": "",
    "skipped": 0,
    "looked_back": 2000,
    "target": "b7",
    "direction": 0,
    "first": 1,
    "id": b"i" * 16,
    "seq": 7,
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("archive") / "parley.db"
    opened = database.open_writer(path, is_checked=False)
    migrate(opened, path, 1)
    opened.execute("BEGIN")
    opened.execute("INSERT INTO account (address, created_at) VALUES ('alice@example.org', 1)")
    people = [(number + 1, f"peer{number}@example.org") for number in range(PEERS)]
    opened.executemany("INSERT INTO address (id, text) VALUES (?, ?)", people)
    seqs = range(1, MESSAGES + 1)
    messages = [(seq.to_bytes(16, "big"), seq, seq % PEERS + 1, seq % PEERS + 1, b"x" * 50) for seq in seqs]
    opened.executemany(
        "INSERT INTO message (id, received_at, sender, recipient, confidentiality, holders, content)"
        " VALUES (?, ?, ?, ?, 2, 1, ?)",
        messages,
    )
    opened.executemany(
        "INSERT INTO mailbox (account_id, seq, peer, direction, is_archived, is_mailed, received_at)"
        " VALUES (1, ?, ?, 0, 1, 1, ?)",
        [(seq, seq % PEERS + 1, seq) for seq in seqs],
    )
    note_times(opened, [(seq, seq) for seq in seqs])
    opened.execute("COMMIT")
    yield opened
    opened.close()


def _plan(connection: sqlite3.Connection, name: str) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql(name)}", VALUES)]


@pytest.mark.parametrize("name", ["page_forward", "page_backward"])
def test_a_page_of_everything_walks_the_mailbox_in_order(connection: sqlite3.Connection, name: str) -> None:
    plan = _plan(connection, f"messages.{name}")
    assert plan[0] == "SEARCH b USING PRIMARY KEY (account_id=? AND seq>? AND seq<?)"
    assert plan[1:] == [f"SEARCH {table} USING INTEGER PRIMARY KEY (rowid=?)" for table in "msrp"]


@pytest.mark.parametrize("name", ["page_forward_by_peer", "page_backward_by_peer"])
def test_a_page_by_peer_walks_the_peers_index(connection: sqlite3.Connection, name: str) -> None:
    plan = _plan(connection, f"messages.{name}")
    walk = "SEARCH b USING COVERING INDEX mailbox_by_peer (account_id=? AND peer=? AND seq>? AND seq<?)"
    assert plan[0].startswith(walk)
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in plan)


def test_counting_by_peer_reads_the_index_alone(connection: sqlite3.Connection) -> None:
    plan = _plan(connection, "messages.count_by_peer")
    assert "SEARCH mailbox USING COVERING INDEX mailbox_by_peer (account_id=? AND peer=? AND seq>? AND seq<?)" in plan
    assert not any("TEMP B-TREE" in step for step in plan)


@pytest.mark.parametrize(
    ("name", "first_step"),
    [
        ("pending", "SEARCH b USING PRIMARY KEY (account_id=? AND seq>?)"),
        ("sent_since", "SEARCH m USING INTEGER PRIMARY KEY (rowid>?)"),
        ("first", "SEARCH mailbox USING PRIMARY KEY (account_id=?)"),
        ("last", "SEARCH mailbox USING PRIMARY KEY (account_id=?)"),
        ("old_entries_of_account", "SEARCH mailbox USING PRIMARY KEY (account_id=? AND seq>? AND seq<?)"),
        ("old_entries", "SEARCH a USING INTEGER PRIMARY KEY (rowid>?)"),
        ("first_block_since", "SCAN message_block"),
        ("unheld_messages", "SCAN message USING INDEX message_without_holder"),
        ("delivered_entries", "SCAN b USING INDEX mailbox_unarchived"),
    ],
)
def test_other_walks(connection: sqlite3.Connection, name: str, first_step: str) -> None:
    statement = sql(f"messages.{name}")
    values = VALUES if ":" in statement else (1,) * statement.count("?")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]  # type: ignore[arg-type]
    assert plan[0] == first_step
    assert not any("TEMP B-TREE" in step for step in plan)


def test_the_last_page_by_peer_takes_few_steps(connection: sqlite3.Connection) -> None:
    rows: list[tuple[int]] = []
    steps = _steps(
        connection, lambda: rows.extend(connection.execute(sql("messages.page_backward_by_peer"), VALUES).fetchall())
    )
    assert [row[0] for row in rows] == list(range(MESSAGES - PEERS + 7, 0, -PEERS))[:51]
    # 51 rows of some dozens of virtual instructions; a scan of the mailbox would take hundreds of thousands.
    assert steps < 10_000


@pytest.mark.parametrize(
    "query",
    [
        ArchiveQuery(1, counted=10),
        ArchiveQuery(1, counted=10, is_backward=True),
        ArchiveQuery(1, counted=10, after_id=str(uuid.UUID(int=MESSAGES // 2))),
        ArchiveQuery(1, counted=10, peer="peer7@example.org"),
        # By time: the walk begins and ends in the blocks that hold such times.
        ArchiveQuery(1, counted=10, start=MESSAGES - 100),
        ArchiveQuery(1, counted=10, end=100, is_backward=True),
        ArchiveQuery(1, counted=10, start=MESSAGES // 2, end=MESSAGES // 2 + 10),
    ],
    ids=str,
)
def test_a_page_takes_as_long_as_its_messages_not_as_the_archive(
    connection: sqlite3.Connection, query: ArchiveQuery
) -> None:
    # 1,024 messages of a block at either end, at some 25 virtual instructions each; all 50,000 are above a million.
    assert _steps(connection, lambda: read_page(connection, query)) < 100_000


@pytest.mark.parametrize("name", ["displayed", "retracted", "last_sent", "unread", "last_of_peer"])
def test_conversations_are_read_off_the_peers_index_alone(connection: sqlite3.Connection, name: str) -> None:
    plan = _plan(connection, f"archive.{name}")
    walks = [step for step in plan if "mailbox" in step]
    assert walks
    assert all(" COVERING INDEX mailbox_by_peer (account_id=? AND peer=?" in step for step in walks), plan
    assert not any("TEMP B-TREE" in step for step in plan)


def test_conversations_are_found_by_hops_from_peer_to_peer(connection: sqlite3.Connection) -> None:
    found: list[tuple[int, ...]] = []
    values = {"account": 1}
    steps = _steps(
        connection, lambda: found.extend(connection.execute(sql("archive.conversations"), values).fetchall())
    )
    assert [(row[0], row[2]) for row in found] == [
        (peer, max(seq for seq in range(MESSAGES - PEERS + 1, MESSAGES + 1) if seq % PEERS + 1 == peer))
        for peer in range(1, PEERS + 1)
    ]
    # Some dozens of virtual instructions for each of 50 conversations; a walk through their messages takes a million.
    assert steps < 10_000


def test_an_inbox_takes_as_long_as_its_conversations(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO displayed SELECT 1, id, ? FROM address", (MESSAGES - 10,))
    try:
        pages: list[InboxPage] = []
        steps = _steps(connection, lambda: pages.append(read_inbox(connection, InboxQuery(1, "alice@example.org"))))
        assert (pages[0].conversations, pages[0].unread_messages) == (PEERS, 10)
        assert steps < 30_000
    finally:
        connection.execute("DELETE FROM displayed")


def test_what_nobody_has_seen_is_counted_so_far_and_no_further(connection: sqlite3.Connection) -> None:
    values = {**VALUES, "peer": 8, "after": 0, "looked_back": 100}
    assert connection.execute(sql("archive.unread"), values).fetchone() == (100,)
    assert _steps(connection, lambda: connection.execute(sql("archive.unread"), values).fetchone()) < 3_000


def test_a_marker_for_nothing_looks_at_the_latest_alone(connection: sqlite3.Connection) -> None:
    values = {**VALUES, "peer": 8, "looked_back": 100}
    assert _steps(connection, lambda: connection.execute(sql("archive.displayed"), values)) < 5_000


def test_old_messages_are_found_without_a_look_at_the_others(connection: sqlite3.Connection) -> None:
    _, end = bounds_by_time(connection, None, 99)
    values = {**VALUES, "account": 0, "seq": -1, "end": end, "before": 100}
    found: list[tuple[int, int]] = []
    steps = _steps(connection, lambda: found.extend(connection.execute(sql("messages.old_entries"), values).fetchall()))
    assert found == [(1, seq) for seq in range(1, 52)]
    assert steps < 10_000


def _steps(connection: sqlite3.Connection, work: Callable[[], object]) -> int:
    """Virtual instructions that some work takes, in hundreds."""
    hundreds = 0

    def count() -> int:
        nonlocal hundreds
        hundreds += 1
        return 0

    connection.set_progress_handler(count, 100)
    work()
    connection.set_progress_handler(None, 0)
    return hundreds * 100


def test_the_last_page_is_right(connection: sqlite3.Connection) -> None:
    page = read_page(connection, ArchiveQuery(1, peer="peer7@example.org", is_backward=True, limit=10, counted=None))
    assert (page.total, page.index, page.is_complete) == (MESSAGES // PEERS, MESSAGES // PEERS - 10, False)
    assert [message.seq % PEERS for message in page.messages] == [7] * 10
