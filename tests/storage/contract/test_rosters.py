from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from parley.domain.contacts import Contact, RosterChange, RosterEdit
from parley.domain.errors import LimitReached, NotFound
from parley.domain.subscriptions import SubscriptionState
from parley.storage.memory.people import REMOVALS_KEPT as MEMORY_KEEPS
from parley.storage.sqlite.rosters import REMOVALS_KEPT

from ..people import ALICE, BOB, CAROL, AnyStorage, two_people
from .machines import MEMORY, SQLITE, StorageMachine

LIMIT = 3
states = st.builds(SubscriptionState, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
addresses = st.sampled_from([f"c{number}@example.org" for number in range(6)])
contacts = st.builds(
    Contact,
    addresses,
    st.sampled_from(["", "Carla", "名"]),
    st.lists(st.sampled_from(["Friends", 'a"b', ""]), max_size=2).map(tuple),
    states,
    st.booleans(),
    st.binary(max_size=3),
)


async def test_versions_grow_with_each_change(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    assert (await storage.rosters.load(alice)).version == 0
    assert await storage.rosters.put(alice, Contact(BOB, "Bob"), 10) == 1
    assert await storage.rosters.put(alice, Contact(CAROL), 10) == 2
    assert await storage.rosters.remove(alice, BOB) == 3
    assert await storage.rosters.remove(alice, BOB) == 3
    assert await storage.rosters.changes(alice, 0) == [
        RosterChange(2, CAROL, Contact(CAROL)),
        RosterChange(3, BOB, None),
    ]
    assert await storage.rosters.changes(alice, 3) == []
    assert await storage.rosters.changes(alice, 4) is None
    assert await storage.rosters.changes(alice, -1) is None
    assert await storage.rosters.put(alice, Contact(BOB, "Bob again"), 10) == 4
    assert await storage.rosters.changes(alice, 2) == [RosterChange(4, BOB, Contact(BOB, "Bob again"))]
    assert (await storage.rosters.load(bob)).version == 0
    assert await storage.rosters.remove(bob, ALICE) == 0


async def test_a_full_roster_still_changes(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await storage.rosters.put(alice, Contact(BOB), 1)
    with pytest.raises(LimitReached) as refused:
        await storage.rosters.put(alice, Contact(CAROL), 1)
    assert refused.value.code == "roster-full"
    assert await storage.rosters.put(alice, Contact(BOB, "Bob"), 1) == 2
    assert list((await storage.rosters.load(alice)).contacts) == [BOB]


async def test_requests_of_strangers_have_a_limit_of_their_own(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    request = Contact(CAROL, is_listed=False, state=SubscriptionState(pending_in=True), request=b"<presence/>")
    await storage.rosters.put(alice, request, 1)
    await storage.rosters.put(alice, Contact(BOB), 1)
    with pytest.raises(LimitReached):
        await storage.rosters.put(alice, Contact("d@example.org", is_listed=False), 1)
    with pytest.raises(LimitReached):
        await storage.rosters.put(alice, Contact(CAROL), 1)
    assert (await storage.rosters.load(alice)).contacts == {BOB: Contact(BOB), CAROL: request}


async def test_old_removals_are_forgotten(storage: AnyStorage) -> None:
    assert REMOVALS_KEPT == MEMORY_KEEPS == 1000
    alice, _ = await two_people(storage)
    for number in range(1001):
        await storage.rosters.put(alice, Contact(f"c{number}@example.org"), 10)
        await storage.rosters.remove(alice, f"c{number}@example.org")
    assert await storage.rosters.changes(alice, 1) is None
    changes = await storage.rosters.changes(alice, 2)
    assert changes is not None
    assert len(changes) == 1000
    assert changes[0] == RosterChange(4, "c1@example.org", None)


async def test_who_was_never_listed_is_in_no_change(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    request = Contact(CAROL, is_listed=False, state=SubscriptionState(pending_in=True), request=b"<presence/>")
    await storage.rosters.put(alice, request, 10)
    assert await storage.rosters.changes(alice, 0) == []
    await storage.rosters.remove(alice, CAROL)
    assert await storage.rosters.changes(alice, 0) == []
    await storage.rosters.put(alice, Contact(CAROL), 10)
    assert await storage.rosters.put(alice, request, 10) == 4
    assert await storage.rosters.changes(alice, 3) == [RosterChange(4, CAROL, None)]
    await storage.rosters.remove(alice, CAROL)
    assert await storage.rosters.changes(alice, 3) == [RosterChange(4, CAROL, None)]
    await storage.rosters.put(alice, Contact(CAROL), 10)
    assert await storage.rosters.changes(alice, 3) == [RosterChange(6, CAROL, Contact(CAROL))]


async def test_watchers(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await storage.rosters.put(alice, Contact(CAROL), 10)
    await storage.rosters.put(bob, Contact(CAROL, is_listed=False), 10)
    assert await storage.rosters.watchers(CAROL) == [alice, bob]
    assert await storage.rosters.watchers("") == []


async def test_rosters_of_two_change_together(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await storage.rosters.put(bob, Contact(CAROL), 10)
    both = [RosterEdit(alice, BOB, Contact(BOB)), RosterEdit(bob, ALICE, Contact(ALICE, is_listed=False))]
    assert await storage.rosters.edit(both, 10) == [1, 2]
    assert await storage.rosters.edit([RosterEdit(alice, BOB, None), RosterEdit(bob, CAROL, None)], 10) == [2, 3]
    assert await storage.rosters.edit([RosterEdit(alice, BOB, None)], 10) == [2]
    assert await storage.rosters.edit([], 10) == []
    assert await storage.rosters.changes(alice, 0) == [RosterChange(2, BOB, None)]
    assert (await storage.rosters.load(bob)).contacts == {ALICE: Contact(ALICE, is_listed=False)}


async def test_of_an_edit_that_fails_at_its_end_nothing_is_done(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    await storage.rosters.put(alice, Contact(CAROL), 1)
    await storage.rosters.put(bob, Contact(CAROL), 1)
    before = [await storage.rosters.load(each) for each in (alice, bob)]
    with pytest.raises(LimitReached):
        await storage.rosters.edit([RosterEdit(alice, CAROL, None), RosterEdit(bob, ALICE, Contact(ALICE))], 1)
    with pytest.raises(NotFound):
        await storage.rosters.edit([RosterEdit(alice, CAROL, None), RosterEdit(99, ALICE, Contact(ALICE))], 1)
    assert [await storage.rosters.load(each) for each in (alice, bob)] == before
    assert await storage.rosters.changes(alice, 1) == []


class RosterMachine(StorageMachine):
    """Against a dictionary: a copy kept up to date by `changes` alone is always what is listed of the roster."""

    def __init__(self) -> None:
        super().__init__()
        self.account_id = 0
        self.version = 0
        self.contacts: dict[str, Contact] = {}
        self.ever_listed: set[str] = set()
        self.copy: dict[str, Contact] = {}
        self.copy_version = 0

    @initialize()
    def add_person(self) -> None:
        self.account_id = self.run(self.storage.accounts.add(ALICE, [], 1)).id

    @rule(contact=contacts)
    def put(self, contact: Contact) -> None:
        known = self.contacts.get(contact.address)
        alike = sum(other.is_listed == contact.is_listed for other in self.contacts.values())
        is_new = known is None or known.is_listed != contact.is_listed
        try:
            version = self.run(self.storage.rosters.put(self.account_id, contact, LIMIT))
        except LimitReached:
            assert is_new
            assert alike >= LIMIT
            return
        assert not is_new or alike < LIMIT
        self.version += 1
        assert version == self.version
        self.contacts[contact.address] = contact
        if contact.is_listed:
            self.ever_listed.add(contact.address)

    @rule(address=addresses)
    def remove(self, address: str) -> None:
        self.version += self.contacts.pop(address, None) is not None
        assert self.run(self.storage.rosters.remove(self.account_id, address)) == self.version

    @rule()
    def catch_up(self) -> None:
        changes = self.run(self.storage.rosters.changes(self.account_id, self.copy_version))
        assert changes is not None
        assert [change.version for change in changes] == sorted({change.version for change in changes})
        for change in changes:
            if change.contact is None:
                assert change.address in self.ever_listed
                self.copy.pop(change.address, None)
            else:
                assert change.contact.address == change.address
                self.copy[change.address] = change.contact
        self.copy_version = self.version
        assert self.copy == {address: known for address, known in self.contacts.items() if known.is_listed}

    @invariant()
    def loads(self) -> None:
        roster = self.run(self.storage.rosters.load(self.account_id))
        assert (roster.version, roster.contacts) == (self.version, self.contacts)


class MemoryMachine(RosterMachine):
    kind = "memory"


class SqliteMachine(RosterMachine):
    kind = "sqlite"


TestMemoryRosters = MemoryMachine.TestCase
TestMemoryRosters.settings = MEMORY
TestSqliteRosters = SqliteMachine.TestCase
TestSqliteRosters.settings = SQLITE
