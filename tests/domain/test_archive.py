"""Preferences of archives: what they say, and where they are known from."""

from __future__ import annotations

import asyncio

import pytest

from parley.domain.archive.inbox import InboxQuery, cut
from parley.domain.archive.preferences import Archiving, Keep, Preferences

BOB = "bob@example.org"


def nobody() -> bool:
    raise AssertionError("the roster does not matter")


@pytest.mark.parametrize(
    ("preferences", "device", "is_kept"),
    [
        (Preferences(Keep.ALWAYS), "", True),
        (Preferences(Keep.NEVER), "", False),
        (Preferences(Keep.NEVER, (BOB,)), "desk", True),
        (Preferences(Keep.ALWAYS, (), (BOB,)), "desk", False),
        (Preferences(Keep.NEVER, (f"{BOB}/desk",)), "desk", True),
        (Preferences(Keep.NEVER, (f"{BOB}/desk",)), "phone", False),
        (Preferences(Keep.NEVER, (f"{BOB}/desk",)), "", False),
        # The one that names the device decides, then what is to be kept.
        (Preferences(Keep.NEVER, (BOB,), (f"{BOB}/desk",)), "desk", False),
        (Preferences(Keep.NEVER, (BOB,), (BOB,)), "desk", True),
        (Preferences(Keep.ROSTER, (), (BOB,)), "", False),
    ],
)
def test_what_they_say(preferences: Preferences, device: str, is_kept: bool) -> None:
    assert preferences.keeps(BOB, device, nobody) is is_kept


def test_the_roster_decides_where_they_say_so() -> None:
    assert [Preferences(Keep.ROSTER).keeps(BOB, "", lambda is_in=is_in: is_in) for is_in in (True, False)] == [
        True,
        False,
    ]


def test_only_what_leaves_nothing_out_is_everything() -> None:
    assert Preferences(Keep.ALWAYS, (BOB,)).is_everything
    assert not Preferences(Keep.ALWAYS, (), (BOB,)).is_everything
    assert not Preferences(Keep.ROSTER).is_everything


class Store:
    """Keeps preferences, and answers when it is told to."""

    def __init__(self) -> None:
        self.kept: dict[int, Preferences] = {}
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def get(self, account_id: int) -> Preferences | None:
        self.asked += 1
        found = self.kept.get(account_id)
        await self.may_answer.wait()
        return found

    async def put(self, account_id: int, preferences: Preferences) -> None:
        self.kept[account_id] = preferences


async def test_they_are_asked_for_once() -> None:
    store = Store()
    archiving = Archiving(store, Keep.ROSTER)
    assert archiving.cached(1) is None
    assert [await archiving.get(1) for _ in range(2)] == [Preferences(Keep.ROSTER)] * 2
    assert (store.asked, archiving.cached(1)) == (1, Preferences(Keep.ROSTER))
    await archiving.choose(1, Preferences(Keep.NEVER))
    assert (store.kept, archiving.cached(1)) == ({1: Preferences(Keep.NEVER)}, Preferences(Keep.NEVER))


async def test_what_is_chosen_while_the_store_answers_is_not_forgotten() -> None:
    store = Store()
    archiving = Archiving(store, Keep.ALWAYS)
    store.may_answer.clear()
    reading = asyncio.create_task(archiving.get(1))
    await asyncio.sleep(0)
    await archiving.choose(1, Preferences(Keep.NEVER))
    store.may_answer.set()
    assert await reading == Preferences(Keep.NEVER)
    assert archiving.cached(1) == Preferences(Keep.NEVER)


async def test_where_they_are_fixed_the_default_holds() -> None:
    archiving = Archiving(None, Keep.ALWAYS)
    assert archiving.is_fixed
    assert (archiving.cached(1), await archiving.get(1)) == (Preferences(), Preferences())
    with pytest.raises(RuntimeError):
        await archiving.choose(1, Preferences(Keep.NEVER))


@pytest.mark.parametrize(
    ("query", "after", "before", "page"),
    [
        (InboxQuery(1, "", limit=2), None, None, [9, 7]),
        (InboxQuery(1, "", limit=2), 7, None, [5, 3]),
        (InboxQuery(1, "", limit=2), 6, None, [5, 3]),
        (InboxQuery(1, "", limit=2, is_backward=True), None, None, [3, 1]),
        (InboxQuery(1, "", limit=2, is_backward=True), None, 3, [7, 5]),
        (InboxQuery(1, "", limit=9), 9, 3, [7, 5]),
        (InboxQuery(1, "", limit=2, index=3), None, None, [3, 1]),
        (InboxQuery(1, "", limit=2, index=30), None, None, []),
        (InboxQuery(1, "", limit=9), 1, None, []),
        (InboxQuery(1, "", limit=9), 3, 7, []),
    ],
)
def test_where_a_page_of_conversations_begins_and_ends(
    query: InboxQuery, after: int | None, before: int | None, page: list[int]
) -> None:
    seqs = [9, 7, 5, 3, 1]
    start, end = cut(seqs, query, after, before)
    assert seqs[start:end] == page
