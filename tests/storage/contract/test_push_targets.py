from __future__ import annotations

from dataclasses import replace

import pytest

from parley.domain.errors import LimitReached
from parley.domain.push_targets import PushTarget, digest

from ..people import AnyStorage

PHONE = PushTarget("push.example.org", "n1", "alice@example.org", "fcm", "phone", "t1", digest("s1"), 10)
TABLET = replace(PHONE, node="n2", device="tablet")
BOBS = replace(PHONE, node="n3", owner="bob@example.net")


async def test_a_device_is_found_by_its_node_and_by_its_owner(storage: AnyStorage) -> None:
    targets = storage.push_targets
    for target in (TABLET, PHONE, BOBS):
        await targets.put(target, 10, 10)
    assert await targets.find("n1") == PHONE
    assert await targets.find("n9") is None
    assert list(await targets.of(PHONE.owner)) == [PHONE, TABLET]
    assert list(await targets.of("carol@example.org")) == []


async def test_a_device_that_registers_again_takes_the_place_of_what_it_was(storage: AnyStorage) -> None:
    targets = storage.push_targets
    await targets.put(PHONE, 1, 1)
    again = replace(PHONE, token="t2", secret=digest("s2"))
    await targets.put(again, 1, 1)
    assert await targets.find("n1") == again
    other_node = replace(PHONE, node="n4")
    await targets.put(other_node, 1, 1)
    assert await targets.find("n1") is None
    assert list(await targets.of(PHONE.owner)) == [other_node]


async def test_there_are_at_most_so_many_of_one_person_and_of_all(storage: AnyStorage) -> None:
    targets = storage.push_targets
    await targets.put(PHONE, 10, 1)
    for target, limit, limit_each in ((TABLET, 10, 1), (BOBS, 1, 10)):
        with pytest.raises(LimitReached) as refused:
            await targets.put(target, limit, limit_each)
        assert refused.value.code == "too-many-targets"
        assert await targets.find(target.node) is None
    # Elsewhere is another device.
    await targets.put(replace(PHONE, service="push.example.com", node="n5"), 10, 2)
    assert len(await targets.of(PHONE.owner)) == 2


async def test_notifications_are_counted(storage: AnyStorage) -> None:
    targets = storage.push_targets
    await targets.put(PHONE, 10, 10)
    await targets.woken("n1", 50)
    await targets.woken("n1", 70)
    await targets.woken("n9", 70)
    assert await targets.find("n1") == replace(PHONE, woken_at=70, wakes=2)


async def test_devices_are_forgotten_one_by_one_or_with_their_owner(storage: AnyStorage) -> None:
    targets = storage.push_targets
    for target in (TABLET, PHONE, BOBS):
        await targets.put(target, 10, 10)
    assert await targets.remove("n1")
    assert not await targets.remove("n1")
    assert await targets.forget(PHONE.owner) == 1
    assert list(await targets.of(PHONE.owner)) == []
    assert await targets.find("n3") == BOBS


def test_a_secret_is_known_by_its_digest() -> None:
    assert PHONE.is_secret("s1")
    assert not PHONE.is_secret("s2")
    assert not PHONE.is_secret("")
