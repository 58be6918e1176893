from __future__ import annotations

from dataclasses import replace

import pytest

from parley.domain.errors import Conflict
from parley.domain.messages import Direction
from parley.domain.partners.agreements import Action, Agreement, Change, Rates, StanzaKind

from ..people import AnyStorage

RICH = Agreement(
    "partner.example",
    directions=frozenset({Direction.IN}),
    kinds=frozenset({StanzaKind.MESSAGES, StanzaKind.ROOMS}),
    pins=frozenset({b"p" * 32}),
    authorities=(b"\x30\x82", b"\x00"),
    max_stanza_bytes=20_000,
    rates=Rates(1.5, 2, 3, 4),
    starts_at=5,
    expires_at=6,
    is_for_services=False,
    note="grüße",
)


async def test_agreements_are_kept_as_they_are(storage: AnyStorage) -> None:
    assert await storage.partners.all() == []
    other = Agreement("other.example")
    for agreement in (RICH, other):
        made = await storage.partners.edit(
            agreement.domain, lambda old, new=agreement: new, action=Action.ADDED, by="root", now=7
        )
        assert made == agreement
    assert await storage.partners.all() == [other, RICH]


async def test_every_change_is_noted_with_who_and_when(storage: AnyStorage) -> None:
    async def edit(new: Agreement, action: Action, by: str, now: int) -> None:
        await storage.partners.edit(new.domain, lambda old: new, action=action, by=by, now=now)

    first, revoked = Agreement("a.example"), Agreement("a.example", revoked_at=30)
    await edit(first, Action.ADDED, "alice", 10)
    await edit(RICH, Action.ADDED, "bob", 20)
    await edit(revoked, Action.REVOKED, "carol", 30)
    assert await storage.partners.history("a.example", 10) == [
        Change(3, 30, "carol", Action.REVOKED, revoked),
        Change(1, 10, "alice", Action.ADDED, first),
    ]
    assert [change.id for change in await storage.partners.history(None, 2)] == [3, 2]
    assert await storage.partners.history("nobody.example", 2) == []


async def test_an_edit_sees_what_there_is_and_changes_nothing_when_it_raises(storage: AnyStorage) -> None:
    seen: list[Agreement | None] = []

    def lengthen(old: Agreement | None) -> Agreement:
        seen.append(old)
        if old is not None and old.expires_at is not None:
            raise Conflict("no")
        return Agreement("a.example") if old is None else replace(old, expires_at=9)

    for now in (1, 2):
        await storage.partners.edit("a.example", lengthen, action=Action.CHANGED, by="root", now=now)
    with pytest.raises(Conflict):
        await storage.partners.edit("a.example", lengthen, action=Action.CHANGED, by="root", now=3)
    assert seen == [None, Agreement("a.example"), Agreement("a.example", expires_at=9)]
    assert await storage.partners.all() == [Agreement("a.example", expires_at=9)]
    assert [change.at for change in await storage.partners.history(None, 9)] == [2, 1]
