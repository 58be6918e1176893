"""Archives of rooms stay cheap: their queries walk one index and never sort."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from parley.storage.sqlite import database
from parley.storage.sqlite.migrate import migrate
from parley.storage.sqlite.sql import sql

MESSAGES = 20_000
ROOMS = 20
VALUES = {
    "room": 7,
    "nick": None,
    "after": 0,
    "before": 2**63 - 1,
    "start": -(2**62),
    "end": 2**62,
    "limit": 51,
    "skipped": 0,
    "counted": 5001,
    "first": 1,
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("rooms") / "parley.db"
    opened = database.open_writer(path, is_checked=False)
    migrate(opened, path, 1)
    opened.execute("BEGIN")
    for number in range(1, ROOMS + 1):
        values = (f"r{number}@c.x", "c.x", "a@x", 1, False, True, "", "{}", b"", "", "", 0, b"")
        opened.execute(sql("rooms.save"), values)
    opened.executemany(
        sql("rooms.add_message"),
        [
            (seq % ROOMS + 1, seq.to_bytes(16, "big"), seq, "a@x", f"n{seq % 7}", True, None, b"x" * 50)
            for seq in range(1, MESSAGES + 1)
        ],
    )
    opened.execute("COMMIT")
    yield opened
    opened.close()


def _plan(connection: sqlite3.Connection, name: str, values: object = VALUES) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql(name)}", values)]  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ["page_forward", "page_backward", "count_messages"])
def test_a_page_reads_the_rooms_index_alone_and_then_its_messages(connection: sqlite3.Connection, name: str) -> None:
    plan = _plan(connection, f"rooms.{name}")
    walk = next(step for step in plan if "room_message_by_room" in step)
    assert "USING COVERING INDEX room_message_by_room (room_id=? AND seq>? AND seq<?)" in walk
    assert not any("TEMP B-TREE" in step for step in plan)
    assert all("rowid=?" in step for step in plan if step.startswith("SEARCH m"))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("listed", ("c.x", "", 10)),
        ("count_listed", ("c.x",)),
        ("count_created_by", ("a@x",)),
        ("history", (7, 0, 20)),
        ("nth_last", (7, 1000)),
        ("find", ("r7@c.x",)),
        ("rooms_naming", ("a@x",)),
        ("first", (7,)),
        ("last", (7,)),
        ("find_duplicate", (7, b"k" * 16)),
    ],
)
def test_nothing_that_is_asked_often_reads_a_whole_table(
    connection: sqlite3.Connection, name: str, values: tuple[object, ...]
) -> None:
    plan = _plan(connection, f"rooms.{name}", values)
    assert not any(step.startswith("SCAN") for step in plan), plan
    if name != "rooms_naming":
        assert not any("TEMP B-TREE" in step for step in plan), plan


def test_a_nickname_is_found_in_the_index(connection: sqlite3.Connection) -> None:
    rows = connection.execute(sql("rooms.page_forward"), {**VALUES, "nick": "n3"}).fetchall()
    assert len(rows) == 51
    assert {row[4] for row in rows} == {"n3"}


@pytest.mark.parametrize("name", ["listed", "listed_before"])
def test_a_page_of_the_list_walks_its_index(connection: sqlite3.Connection, name: str) -> None:
    (step,) = _plan(connection, f"rooms.{name}", ("c.x", "r5@c.x", 10))
    assert step.startswith("SEARCH room USING INDEX room_listed (domain=? AND address")
