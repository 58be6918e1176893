"""Tokens of installations: given to devices, rotated, used, revoked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parley.domain.errors import LimitReached, NotFound
from parley.domain.tokens import Token

from ..people import ALICE, BOB, AnyStorage, credential, two_people

PHONE, TABLET = b"phone" * 6, b"tablet" * 5


def token(account: int, client: bytes = PHONE, nonce: bytes = b"1", *, created_at: int = 10) -> Token:
    return Token(account, client, nonce, "HT-SHA-256-NONE", "", created_at, created_at + 100)


async def with_devices(storage: AnyStorage) -> int:
    alice, _ = await two_people(storage)
    await storage.devices.seen(alice, "phone", "", "", 1, client=PHONE)
    await storage.devices.seen(alice, "tablet", "", "", 2, client=TABLET)
    return alice


async def test_a_token_is_kept_for_its_installation(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    assert await storage.tokens.issue(token(alice))
    assert await storage.tokens.find(ALICE, PHONE) == [token(alice)]
    assert await storage.tokens.find(ALICE, TABLET) == []
    assert await storage.tokens.find(BOB, PHONE) == []
    assert await storage.tokens.find("nobody@example.org", PHONE) == []


async def test_no_token_without_a_device_that_can_be_revoked(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await storage.devices.seen(alice, "phone", "", "", 1)
    assert not await storage.tokens.issue(token(alice))
    assert not await storage.tokens.issue(token(99))
    assert await storage.tokens.find(ALICE, PHONE) == []


async def test_a_new_token_replaces_one_that_was_never_used(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    await storage.tokens.issue(token(alice, nonce=b"1"))
    await storage.tokens.issue(token(alice, nonce=b"2", created_at=20))
    await storage.tokens.issue(token(alice, TABLET))
    assert await storage.tokens.find(ALICE, PHONE) == [token(alice, nonce=b"2", created_at=20)]
    assert not await storage.tokens.use(token(alice, nonce=b"1"), None)
    assert len(await storage.tokens.find(ALICE, TABLET)) == 1


async def test_the_used_token_lives_until_the_new_one_is_used(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    old, new = token(alice, nonce=b"1"), token(alice, nonce=b"2", created_at=20)
    await storage.tokens.issue(old)
    assert await storage.tokens.use(old, None)
    await storage.tokens.issue(new)
    assert await storage.tokens.find(ALICE, PHONE) == [new, replace(old, is_used=True)]
    assert await storage.tokens.use(old, None)
    assert len(await storage.tokens.find(ALICE, PHONE)) == 2
    assert await storage.tokens.use(new, None)
    assert await storage.tokens.find(ALICE, PHONE) == [replace(new, is_used=True)]
    assert not await storage.tokens.use(old, None)


async def test_a_new_token_that_would_end_first_does_not_outlive_a_use_of_the_old_one(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    old, new = token(alice, nonce=b"1"), replace(token(alice, nonce=b"2", created_at=20), expires_at=30)
    await storage.tokens.issue(old)
    await storage.tokens.use(old, None)
    await storage.tokens.issue(new)
    await storage.tokens.use(old, None)
    assert await storage.tokens.find(ALICE, PHONE) == [replace(old, is_used=True)]


async def test_a_count_only_grows(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    await storage.tokens.issue(token(alice))
    assert await storage.tokens.use(token(alice), 5)
    assert not await storage.tokens.use(token(alice), 5)
    assert not await storage.tokens.use(token(alice), 4)
    assert await storage.tokens.use(token(alice), None)
    assert await storage.tokens.use(token(alice), 6)
    (kept,) = await storage.tokens.find(ALICE, PHONE)
    assert kept.count == 6


async def test_tokens_go_with_their_device(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    await storage.tokens.issue(token(alice))
    await storage.tokens.issue(token(alice, TABLET))
    assert [device.has_token for device in await storage.devices.all(alice)] == [True, True]
    await storage.devices.revoke(alice, "phone")
    assert await storage.tokens.find(ALICE, PHONE) == []
    assert not await storage.tokens.use(token(alice), None)
    assert len(await storage.tokens.find(ALICE, TABLET)) == 1
    await storage.devices.revoke_all(alice)
    assert await storage.tokens.find(ALICE, TABLET) == []


async def test_tokens_of_devices_that_are_forgotten_go_too(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    await storage.tokens.issue(token(alice))
    await storage.devices.seen(alice, "desk", "", "", 3, keep=2)
    assert await storage.tokens.find(ALICE, PHONE) == []


async def test_a_new_password_ends_all_tokens(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    await storage.tokens.issue(token(alice))
    await storage.accounts.set_credentials(alice, [credential()])
    assert await storage.tokens.find(ALICE, PHONE) == []
    assert len(await storage.devices.all(alice)) == 2


async def test_forgetting_and_removal(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    await storage.tokens.issue(token(alice))
    await storage.tokens.issue(token(alice, TABLET))
    await storage.tokens.forget(alice, PHONE)
    assert await storage.tokens.find(ALICE, PHONE) == []
    await storage.accounts.remove(alice)
    assert await storage.tokens.find(ALICE, TABLET) == []
    assert not await storage.tokens.use(token(alice, TABLET), None)


async def test_what_a_device_says_of_itself(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await storage.devices.seen(alice, "r", "Phone", "", 1, software="Talk", client=PHONE)
    await storage.devices.seen(alice, "r", "", "", 2)
    (device,) = await storage.devices.all(alice)
    assert (device.name, device.software, device.client) == ("Phone", "Talk", PHONE)
    assert not device.has_token


async def test_one_device_too_many_is_refused_where_that_is_wanted(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    with pytest.raises(LimitReached, match="too-many-devices"):
        await storage.devices.seen(alice, "desk", "", "", 3, keep=2, is_refusing=True)
    await storage.devices.seen(alice, "phone", "", "", 3, keep=2, is_refusing=True)
    assert [device.resource for device in await storage.devices.all(alice)] == ["phone", "tablet"]


async def test_a_missing_credential_is_added_and_one_that_is_there_stays(storage: AnyStorage) -> None:
    account = await storage.accounts.add("carol@example.org", [credential()], 1)
    mechanism = "SHA-512" if credential().mechanism != "SHA-512" else "SHA-1"
    assert await storage.accounts.add_credential(account.id, replace(credential(salt=b"n"), mechanism=mechanism))
    assert not await storage.accounts.add_credential(account.id, credential(salt=b"other"))
    kept = {each.mechanism: each.salt for each in await storage.accounts.credentials("carol@example.org")}
    assert kept == {credential().mechanism: credential().salt, mechanism: b"n"}
    with pytest.raises(NotFound):
        await storage.accounts.add_credential(99, credential())


async def test_an_installation_is_one_device_wherever_it_binds(storage: AnyStorage) -> None:
    alice = await with_devices(storage)
    await storage.tokens.issue(token(alice))
    await storage.devices.seen(alice, "phone/2", "", "", 9, client=PHONE, keep=2, is_refusing=True)
    assert [(device.resource, device.first_seen) for device in await storage.devices.all(alice)] == [
        ("phone/2", 1),
        ("tablet", 2),
    ]
    assert len(await storage.tokens.find(ALICE, PHONE)) == 1
    await storage.devices.set_credential(alice, "tablet", credential(), "", 10)
    await storage.devices.seen(alice, "tablet/2", "", "", 11, client=TABLET)
    assert {device.resource for device in await storage.devices.all(alice)} == {"phone/2", "tablet", "tablet/2"}
