from __future__ import annotations

from dataclasses import replace

import pytest

from parley.domain.accounts import Account
from parley.domain.contacts import Contact
from parley.domain.errors import Conflict, NotFound
from parley.domain.messages import ArchiveQuery, Direction
from parley.domain.pubsub.nodes import Node, NodeConfig, PubsubService

from ..people import (
    ALICE,
    BOB,
    CAROL,
    AnyStorage,
    append,
    between,
    credential,
    entry,
    message,
    two_people,
    upload,
)


async def test_an_added_account_is_found(storage: AnyStorage) -> None:
    added = await storage.accounts.add(ALICE, [credential("SHA-512"), credential("SHA-1")], 7)
    assert added == Account(added.id, ALICE, 7)
    assert await storage.accounts.find(ALICE) == added
    assert await storage.accounts.find(BOB) is None
    assert await storage.accounts.credentials(ALICE) == [credential("SHA-1"), credential("SHA-512")]
    assert await storage.accounts.credentials(BOB) == []


async def test_the_rounds_in_use_are_counted(storage: AnyStorage) -> None:
    assert await storage.accounts.iterations() == {}
    old, new = replace(credential(), iterations=4096), replace(credential(), iterations=32768)
    alice = await storage.accounts.add(ALICE, [old], 7)
    await storage.accounts.add(BOB, [old], 7)
    carol = await storage.accounts.add(CAROL, [new, replace(new, mechanism="SHA-1")], 7)
    assert await storage.accounts.iterations() == {4096: 2, 32768: 2}
    await storage.accounts.set_credentials(alice.id, [new])
    await storage.accounts.remove(carol.id)
    assert await storage.accounts.iterations() == {4096: 1, 32768: 1}


async def test_an_address_is_taken_once(storage: AnyStorage) -> None:
    await storage.accounts.add(ALICE, [credential(salt=b"first")], 7)
    with pytest.raises(Conflict) as refused:
        await storage.accounts.add(ALICE, [credential(salt=b"second")], 8)
    assert refused.value.code == "account-exists"
    assert await storage.accounts.credentials(ALICE) == [credential(salt=b"first")]


@pytest.mark.parametrize("doubled", [ALICE, CAROL])
async def test_many_are_added_all_or_none(storage: AnyStorage, doubled: str) -> None:
    await storage.accounts.add(ALICE, [], 7)
    with pytest.raises(Conflict, match=doubled):
        await storage.accounts.add_many([(BOB, []), (CAROL, []), (doubled, [])], 8)
    assert [account.address for account in await storage.accounts.all()] == [ALICE]


async def test_accounts_are_listed_by_address_and_domain(storage: AnyStorage) -> None:
    await storage.accounts.add_many([(CAROL, []), ("zoe@other.org", []), (ALICE, [])], 1)
    assert [account.address for account in await storage.accounts.all()] == [ALICE, CAROL, "zoe@other.org"]
    assert [account.address for account in await storage.accounts.all("example.org")] == [ALICE, CAROL]
    assert await storage.accounts.all("nowhere.org") == []


async def test_a_new_password_replaces_all_mechanisms(storage: AnyStorage) -> None:
    account = await storage.accounts.add(ALICE, [credential("SHA-1"), credential("SHA-256")], 7)
    await storage.accounts.set_credentials(account.id, [credential("SHA-512", b"new")])
    assert await storage.accounts.credentials(ALICE) == [credential("SHA-512", b"new")]


async def test_suspending_and_resuming(storage: AnyStorage) -> None:
    account = await storage.accounts.add(ALICE, [], 7)
    await storage.accounts.set_suspended(account.id, True)
    assert await storage.accounts.find(ALICE) == Account(account.id, ALICE, 7, is_suspended=True)
    await storage.accounts.set_suspended(account.id, False)
    assert await storage.accounts.find(ALICE) == account


async def test_changes_of_an_unknown_account_are_refused(storage: AnyStorage) -> None:
    for change in (
        storage.accounts.set_credentials(99, [credential()]),
        storage.accounts.set_suspended(99, True),
        storage.devices.seen(99, "phone", "", "", 1),
        storage.devices.set_credential(99, "phone", credential(), "", 1),
        storage.rosters.put(99, Contact(BOB), 10),
        storage.nodes.create(Node(PubsubService("z@example.org", 99), "urn:x", NodeConfig()), 10),
        storage.uploads.add(upload("u", 99), 1000, 9),
    ):
        with pytest.raises(NotFound) as refused:
            await change
        assert refused.value.code == "account-not-found"


async def test_removing_takes_everything_along(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    shared, own = between(alice, bob), message(entry(alice, CAROL))
    await append(storage, shared, own)
    await storage.devices.set_credential(alice, "phone", credential(), "Phone", 1)
    await storage.rosters.put(alice, Contact(BOB), 10)
    await storage.rosters.put(bob, Contact(ALICE), 10)
    await storage.nodes.create(Node(PubsubService(ALICE, alice), "urn:x", NodeConfig()), 10)
    await storage.uploads.add(upload("u1", alice), 1000, 9)

    await storage.accounts.remove(alice)

    assert await storage.accounts.find(ALICE) is None
    assert [account.address for account in await storage.accounts.all()] == [BOB]
    assert await storage.accounts.credentials(ALICE) == []
    assert await storage.devices.all(alice) == []
    assert await storage.devices.credential(ALICE, "phone") is None
    assert (await storage.rosters.load(alice)).contacts == {}
    assert await storage.rosters.watchers(BOB) == []
    assert await storage.rosters.watchers(ALICE) == [bob]
    assert await storage.nodes.nodes(PubsubService(ALICE, alice)) == []
    assert await storage.uploads.find("u1") is None
    assert (await storage.messages.page(ArchiveQuery(alice))).total == 0
    kept = await storage.messages.page(ArchiveQuery(bob))
    assert [stored.id for stored in kept.messages] == [shared.id]


async def test_an_id_is_never_given_out_again(storage: AnyStorage) -> None:
    first = await storage.accounts.add(ALICE, [], 1)
    await storage.accounts.remove(first.id)
    second = await storage.accounts.add(ALICE, [], 2)
    assert second.id > first.id
    assert (await storage.messages.page(ArchiveQuery(second.id))).total == 0


async def test_removing_twice_or_nobody_is_fine(storage: AnyStorage) -> None:
    account = await storage.accounts.add(ALICE, [], 1)
    await storage.accounts.remove(account.id)
    await storage.accounts.remove(account.id)
    await storage.accounts.remove(12345)
    assert await storage.accounts.all() == []


async def test_a_large_mailbox_goes_completely(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await append(storage, *[between(alice, bob, at=number) for number in range(1201)])
    await storage.accounts.remove(alice)
    await storage.accounts.remove(bob)
    carol = await storage.accounts.add(CAROL, [], 1)
    kept = message(entry(carol.id, ALICE, Direction.IN))
    await append(storage, kept)
    assert (await storage.messages.page(ArchiveQuery(carol.id))).total == 1
    assert await storage.messages.sweep_delivered(10_000) == 0
