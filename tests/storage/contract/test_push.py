from __future__ import annotations

from dataclasses import replace

import pytest

from parley.domain.errors import LimitReached, NotFound
from parley.domain.push import MAX_REFUSALS, Registration

from ..people import AnyStorage, two_people

PHONE = Registration("push.example.net", "phone", b"<x/>", "phone", 10)
OTHER = replace(PHONE, node="other", created_at=20)


async def test_registrations_are_kept_and_replaced(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await storage.push.put(alice, OTHER, 2)
    await storage.push.put(alice, PHONE, 2)
    assert list(await storage.push.all(alice)) == [PHONE, OTHER]
    assert list(await storage.push.all(bob)) == []
    again = replace(PHONE, options=b"<y/>", created_at=30)
    await storage.push.put(alice, again, 2)
    assert list(await storage.push.all(alice)) == [OTHER, again]


async def test_there_are_not_more_than_the_limit_and_none_of_nobody(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await storage.push.put(alice, PHONE, 1)
    with pytest.raises(LimitReached) as refused:
        await storage.push.put(alice, OTHER, 1)
    assert refused.value.code == "too-many-registrations"
    with pytest.raises(NotFound):
        await storage.push.put(99, PHONE, 1)
    assert list(await storage.push.all(99)) == []


async def test_one_or_all_of_a_service_are_removed(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    elsewhere = replace(PHONE, service="push.example.com")
    for registration in (PHONE, OTHER, elsewhere):
        await storage.push.put(alice, registration, 10)
    assert await storage.push.remove(alice, PHONE.service, "nothing") == 0
    assert await storage.push.remove(alice, PHONE.service, PHONE.node) == 1
    assert list(await storage.push.all(alice)) == [elsewhere, OTHER]
    assert await storage.push.remove(alice, PHONE.service) == 1
    assert list(await storage.push.all(alice)) == [elsewhere]


async def test_what_became_of_it_is_noted_for_the_registration_it_is_about(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await storage.push.put(alice, PHONE, 10)
    failed = PHONE.failed("item-not-found", is_refusal=True)
    await storage.push.note(alice, failed)
    assert list(await storage.push.all(alice)) == [failed]
    await storage.push.note(alice, failed.taken(70))
    assert list(await storage.push.all(alice)) == [replace(PHONE, last_ok_at=70)]
    await storage.push.note(alice, replace(failed, created_at=11))
    await storage.push.note(alice, OTHER.taken(80))
    assert list(await storage.push.all(alice)) == [replace(PHONE, last_ok_at=70)]


async def test_a_device_that_is_revoked_is_woken_no_more(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    for name in ("phone", "laptop"):
        await storage.devices.seen(alice, name, "", "", 5)
    laptop = replace(OTHER, resource="laptop")
    await storage.push.put(alice, PHONE, 10)
    await storage.push.put(alice, laptop, 10)
    await storage.devices.revoke(alice, "phone")
    assert list(await storage.push.all(alice)) == [laptop]
    await storage.devices.revoke_all(alice)
    assert list(await storage.push.all(alice)) == []


def test_a_registration_that_is_refused_again_and_again_rests_until_one_is_taken() -> None:
    registration = PHONE
    for _ in range(MAX_REFUSALS):
        assert not registration.is_resting
        registration = registration.failed("item-not-found", is_refusal=True)
    assert registration.is_resting
    assert not registration.taken(5).is_resting
    assert not replace(PHONE, refusals=MAX_REFUSALS - 1).failed("timeout", is_refusal=False).is_resting
