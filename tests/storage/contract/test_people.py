"""Blocks, reports, private elements, cards and departures."""

from __future__ import annotations

import pytest

from parley.domain.errors import LimitReached, NotFound
from parley.domain.people.blocking import Complaint, Report
from parley.domain.people.personal import Card, Departure, PrivateElement

from ..people import ALICE, BOB, AnyStorage, two_people

NOBODYS_ID = 99
SPAM = Complaint("spam.example", "urn:xmpp:reporting:spam", "ü & <", ("1", "2"), may_tell_origin=True)


async def block(storage: AnyStorage, account_id: int, *addresses: str, limit: int = 10) -> None:
    await storage.blocks.block(account_id, addresses, (), 1, limit=limit, reports_kept=10)


async def complain(storage: AnyStorage, account_id: int, *complaints: Complaint, now: int = 1, kept: int = 10) -> None:
    addresses = [complaint.address for complaint in complaints]
    await storage.blocks.block(account_id, addresses, complaints, now, limit=10, reports_kept=kept)


async def test_blocked_addresses_keep_their_order(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await block(storage, alice, "z@x", "a@x")
    await block(storage, alice, "m@x", "a@x")
    assert await storage.blocks.blocked(alice) == ["z@x", "a@x", "m@x"]
    assert await storage.blocks.blocked(bob) == []
    assert await storage.blocks.unblock(alice, ["m@x", "z@x", "unknown@x"]) == ["z@x", "m@x"]
    assert await storage.blocks.blocked(alice) == ["a@x"]
    await block(storage, alice, "z@x")
    assert await storage.blocks.unblock(alice, None) == ["a@x", "z@x"]
    assert await storage.blocks.blocked(alice) == []
    assert await storage.blocks.unblock(NOBODYS_ID, None) == []


async def test_who_blocks_too_many_blocks_none_of_them(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await block(storage, alice, "a@x", "b@x", limit=3)
    with pytest.raises(LimitReached, match="too-many-blocked"):
        await block(storage, alice, "c@x", "d@x", limit=3)
    assert await storage.blocks.blocked(alice) == ["a@x", "b@x"]
    # What is there already is fine, whatever the limit has become.
    await block(storage, alice, "a@x", limit=1)
    with pytest.raises(LimitReached):
        await storage.blocks.block(alice, ["e@x"], [SPAM], 1, limit=1, reports_kept=10)
    assert await storage.blocks.reports(10) == []


async def test_nobody_blocks_without_an_account(storage: AnyStorage) -> None:
    with pytest.raises(NotFound):
        await block(storage, NOBODYS_ID, "a@x")


async def test_reports_newest_first(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    other = Complaint("a@x", "urn:xmpp:reporting:abuse", may_tell_others=True)
    await complain(storage, alice, SPAM, other, now=5)
    await complain(storage, bob, SPAM, now=6)
    reports = await storage.blocks.reports(10)
    assert reports == [
        Report(reports[0].id, BOB, 6, SPAM),
        Report(reports[1].id, ALICE, 5, other),
        Report(reports[2].id, ALICE, 5, SPAM),
    ]
    assert await storage.blocks.reports(1) == reports[:1]
    assert await storage.blocks.reports(10, before=reports[0].id) == reports[1:]
    assert await storage.blocks.dismiss(reports[1].id) is True
    assert await storage.blocks.dismiss(reports[1].id) is False
    assert await storage.blocks.reports(10) == [reports[0], reports[2]]


async def test_of_one_account_the_newest_reports_stay(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await complain(storage, bob, SPAM, now=1)
    for now in range(2, 6):
        await complain(storage, alice, SPAM, now=now, kept=2)
    assert [(each.reporter, each.reported_at) for each in await storage.blocks.reports(10)] == [
        (ALICE, 5),
        (ALICE, 4),
        (BOB, 1),
    ]


async def test_a_report_outlives_its_reporter(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await complain(storage, alice, SPAM)
    await storage.accounts.remove(alice)
    (report,) = await storage.blocks.reports(10)
    assert (report.reporter, report.complaint) == ("", SPAM)
    assert await storage.blocks.blocked(alice) == []


async def put(storage: AnyStorage, account_id: int, *elements: PrivateElement) -> None:
    await storage.personal.put_private(account_id, elements, max_elements=2, max_bytes=20)


async def test_private_elements(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    first, second = PrivateElement("urn:a", "x", b"<x/>"), PrivateElement("urn:a", "y", b"<y/>")
    await put(storage, alice, second, first)
    assert await storage.personal.all_private(alice) == [first, second]
    assert await storage.personal.private(alice, "urn:a", "x") == b"<x/>"
    assert await storage.personal.private(alice, "urn:b", "x") is None
    assert await storage.personal.private(bob, "urn:a", "x") is None
    await put(storage, alice, PrivateElement("urn:a", "x", b"<x>1</x>"), PrivateElement("urn:a", "y", b""))
    assert await storage.personal.all_private(alice) == [PrivateElement("urn:a", "x", b"<x>1</x>")]
    with pytest.raises(NotFound):
        await put(storage, NOBODYS_ID, first)


async def test_private_storage_has_room_for_so_much(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await put(storage, alice, PrivateElement("urn:a", "x", b"1"), PrivateElement("urn:a", "y", b"2"))
    for surplus in (PrivateElement("urn:a", "z", b"3"), PrivateElement("urn:a", "y", b"2" * 20)):
        with pytest.raises(LimitReached, match="private-storage-full"):
            await put(storage, alice, PrivateElement("urn:a", "x", b"changed"), surplus)
    assert [each.content for each in await storage.personal.all_private(alice)] == [b"1", b"2"]


async def test_cards_and_departures(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    assert await storage.personal.card(alice) is None
    assert await storage.personal.departure(alice) is None
    await storage.personal.put_card(alice, Card(b"<vCard/>"))
    await storage.personal.put_card(alice, Card(b"<vCard>1</vCard>", "ab"))
    await storage.personal.departed(alice, Departure(5, "bye"))
    await storage.personal.departed(alice, Departure(6))
    assert await storage.personal.card(alice) == Card(b"<vCard>1</vCard>", "ab")
    assert await storage.personal.departure(alice) == Departure(6)
    assert await storage.personal.card(bob) is None
    for change in (storage.personal.put_card(NOBODYS_ID, Card(b"")), storage.personal.departed(99, Departure(1))):
        with pytest.raises(NotFound):
            await change


async def test_all_goes_with_the_account(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await block(storage, alice, "a@x")
    await put(storage, alice, PrivateElement("urn:a", "x", b"1"))
    await storage.personal.put_card(alice, Card(b"<vCard/>"))
    await storage.personal.departed(alice, Departure(5))
    await storage.accounts.remove(alice)
    assert await storage.blocks.blocked(alice) == []
    assert await storage.personal.all_private(alice) == []
    assert await storage.personal.card(alice) is None
    assert await storage.personal.departure(alice) is None
