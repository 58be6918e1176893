"""The message log against a plain list, for any sequence of calls."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from parley.domain.errors import NotFound
from parley.domain.messages import Appended, ArchiveQuery, Direction, MailboxEntry, NewMessage

from ..people import ALICE, BOB, CAROL, append, message
from .archive_model import Archived, expected_page, summary
from .machines import MEMORY, SQLITE, StorageMachine

PEOPLE = (ALICE, BOB, CAROL)
UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"
people = st.sampled_from(range(3))
times = st.integers(0, 9)


@dataclass
class Held:
    """What the model keeps of a message: who holds it still."""

    seq: int
    new: NewMessage
    entries: dict[int, MailboxEntry] = field(default_factory=dict)


class MessageLogMachine(StorageMachine):
    def __init__(self) -> None:
        super().__init__()
        self.log: list[Held] = []
        self.cursors = {0: 0, 1: 0, 2: 0}
        self.accounts: list[int] = []

    @initialize()
    def add_people(self) -> None:
        added = self.run(self.storage.accounts.add_many([(address, []) for address in PEOPLE], 1))
        self.accounts = [account.id for account in added]

    @rule(
        batch=st.lists(
            st.tuples(people, people, times, st.booleans(), st.booleans(), st.none() | st.integers(0, 3)),
            min_size=1,
            max_size=5,
        )
    )
    def append_batch(self, batch: list[tuple[int, int, int, bool, bool, int | None]]) -> None:
        new = [self._new(*one) for one in batch]
        results = self.run(append(self.storage, *new))
        for made, result in zip(new, results, strict=True):
            self._check_appended(made, result)

    @rule(person=people, place=st.integers(0, 30))
    def delivered(self, person: int, place: int) -> None:
        seq = self.log[place % len(self.log)].seq if self.log else 0

        async def call() -> None:
            self.storage.messages.delivered(self.accounts[person], seq)

        self.run(call())
        self.cursors[person] = max(self.cursors[person], seq)

    @rule(person=st.none() | people, before=times)
    def purge(self, person: int | None, before: int) -> None:
        account_id = None if person is None else self.accounts[person]
        count = self.run(self.storage.messages.purge(account_id, before))
        gone = 0
        for held in self.log:
            for owner in list(held.entries):
                if account_id in (None, owner) and held.new.received_at < before:
                    del held.entries[owner]
                    gone += 1
        self._drop_unheld()
        assert count == gone

    @rule()
    def sweep(self) -> None:
        self.run(self.storage.flush())
        count = self.run(self.storage.messages.sweep_delivered(10_000))
        gone = 0
        for held in self.log:
            for owner, entry in list(held.entries.items()):
                is_waiting = entry.is_mailed and entry.direction is Direction.IN and held.seq > self._cursor(owner)
                if not entry.is_archived and not is_waiting:
                    del held.entries[owner]
                    gone += 1
        self._drop_unheld()
        assert count == gone

    @rule(
        person=people,
        peer=st.none() | st.sampled_from((*PEOPLE, "nobody@example.org")),
        start=st.none() | times,
        end=st.none() | times,
        after=st.none() | st.integers(0, 30),
        before=st.none() | st.integers(0, 30),
        ids=st.lists(st.integers(0, 30), max_size=4),
        is_backward=st.booleans(),
        limit=st.integers(0, 6),
    )
    def page(
        self,
        person: int,
        peer: str | None,
        start: int | None,
        end: int | None,
        after: int | None,
        before: int | None,
        ids: list[int],
        is_backward: bool,
        limit: int,
    ) -> None:
        query = ArchiveQuery(
            self.accounts[person],
            peer,
            start,
            end,
            None if after is None else self._some_id(after),
            None if before is None else self._some_id(before),
            tuple(self._some_id(place) for place in ids),
            is_backward,
            limit,
        )
        expected = expected_page(self._archive(query.account_id), query)
        reading = self.storage.messages.page(query)
        if expected is None:
            with pytest.raises(NotFound):
                self.run(reading)
        else:
            assert summary(self.run(reading)) == expected

    @rule(person=people, after=st.integers(0, 30), limit=st.integers(1, 5))
    def pending(self, person: int, after: int, limit: int) -> None:
        owner = self.accounts[person]
        start = max(after, self.cursors[person])
        waiting = [
            held.seq
            for held in self.log
            if owner in held.entries
            and held.entries[owner].is_mailed
            and held.entries[owner].direction is Direction.IN
            and held.seq > start
        ]
        found = self.run(self.storage.messages.pending(owner, after, limit))
        assert [stored.seq for stored in found] == waiting[:limit]

    @invariant()
    def bounds(self) -> None:
        for owner in self.accounts:
            archive = self._archive(owner)
            bounds = self.run(self.storage.messages.bounds(owner))
            found = None if bounds is None else (bounds[0].id, bounds[1].id)
            assert found == ((archive[0].id, archive[-1].id) if archive else None)

    def _new(
        self, sender: int, recipient: int, at: int, is_archived: bool, is_mailed: bool, key: int | None
    ) -> NewMessage:
        entries = [
            MailboxEntry(self.accounts[sender], PEOPLE[recipient], Direction.OUT, is_archived, is_mailed=False),
            MailboxEntry(self.accounts[recipient], PEOPLE[sender], Direction.IN, is_archived, is_mailed),
        ]
        # A note to oneself is in the mailbox once.
        kept = entries[:1] if sender == recipient else entries
        dedup_key = None if key is None else bytes([key]) * 16
        return message(*kept, at=at, dedup_key=dedup_key, sender=PEOPLE[sender], recipient=PEOPLE[recipient])

    def _check_appended(self, new: NewMessage, result: Appended) -> None:
        twin = next(
            (held for held in self.log if new.dedup_key is not None and held.new.dedup_key == new.dedup_key), None
        )
        if twin is not None:
            assert result == Appended(twin.seq, twin.new.id, is_duplicate=True)
            return
        assert (result.id, result.is_duplicate) == (new.id, False)
        assert all(result.seq > held.seq for held in self.log)
        self.log.append(Held(result.seq, new, {entry.account_id: entry for entry in new.entries}))

    def _drop_unheld(self) -> None:
        self.log = [held for held in self.log if held.entries]

    def _cursor(self, owner: int) -> int:
        return self.cursors[self.accounts.index(owner)]

    def _some_id(self, place: int) -> str:
        return self.log[place].new.id if place < len(self.log) else UNKNOWN_ID

    def _archive(self, owner: int) -> list[Archived]:
        return [
            Archived(held.seq, held.new.id, held.new.received_at, held.entries[owner].peer)
            for held in self.log
            if owner in held.entries and held.entries[owner].is_archived
        ]


class MemoryMachine(MessageLogMachine):
    kind = "memory"


class SqliteMachine(MessageLogMachine):
    kind = "sqlite"


TestMemoryMessageLog = MemoryMachine.TestCase
TestMemoryMessageLog.settings = MEMORY
TestSqliteMessageLog = SqliteMachine.TestCase
TestSqliteMessageLog.settings = SQLITE
