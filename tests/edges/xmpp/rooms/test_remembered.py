"""What a room remembers is bounded in number and in bytes."""

from __future__ import annotations

from parley.domain.rooms.ports import RoomMessage
from parley.edges.xmpp.rooms.remembered import Remembered


def message(name: str, size_bytes: int = 10) -> RoomMessage:
    return RoomMessage(name, 1, "a@x", "a", b"x" * size_bytes)


def test_the_oldest_go_first_and_what_was_taken_back() -> None:
    remembered = Remembered([message(name) for name in "abcd"], 3)
    assert [one.id for one in remembered] == ["b", "c", "d"]
    remembered.drop("c")
    remembered.add(message("e"))
    assert [one.id for one in remembered] == ["b", "d", "e"]


def test_long_messages_are_few() -> None:
    remembered = Remembered([], 100)
    for name in "abcd":
        remembered.add(message(name, 100_000))
    assert [one.id for one in remembered] == ["c", "d"]
    remembered.drop("c")
    remembered.add(message("e", 150_000))
    assert [one.id for one in remembered] == ["d", "e"]
    remembered.add(message("f", 300_000))
    assert list(remembered) == []
    assert list(Remembered([message("a")], 0)) == []
