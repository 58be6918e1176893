"""Agreements and the outgoing queue in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from parley.domain.partners.agreements import Action, Agreement, Change
from parley.domain.partners.ports import Edit, Queued, QueuedStanza, QueueTotal
from parley.storage.memory.state import Tables


class MemoryPartners:
    """Agreements with their history."""

    def __init__(self) -> None:
        self._agreements: dict[str, Agreement] = {}
        self._changes: list[Change] = []

    async def all(self) -> list[Agreement]:
        """All of them, revoked ones too, by domain."""
        return [self._agreements[domain] for domain in sorted(self._agreements)]

    async def edit(self, domain: str, edit: Edit, *, action: Action, by: str, now: int) -> Agreement:
        """Change the domain's agreement and note who did it."""
        made = edit(self._agreements.get(domain))
        self._agreements[domain] = made
        self._changes.append(Change(len(self._changes) + 1, now, by, action, made))
        return made

    async def history(self, domain: str | None, limit: int) -> list[Change]:
        """The newest changes first."""
        found = [change for change in self._changes if domain in (None, change.agreement.domain)]
        return found[::-1][:limit]


class MemoryOutgoing:
    """Stanzas that wait for partners."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, local: str, remote: str, stanza: bytes, now: int, done: Queued) -> None:
        """Queue a stanza; `done` is called in the loop's next turn."""
        asyncio.get_running_loop().call_soon(done, self._tables.queue(local, remote, now, stanza))

    async def take(self, local: str, remote: str, after: int, limit: int) -> list[QueuedStanza]:
        """What waits between two domains behind the number `after`, in order."""
        waiting = self._tables.outgoing.values()
        return [each for each in waiting if (each.local, each.remote) == (local, remote) and each.id > after][:limit]

    async def remove(self, ids: Sequence[int]) -> None:
        """Forget them."""
        for each in ids:
            self._tables.outgoing.pop(each, None)

    async def older(self, before: int, limit: int) -> list[QueuedStanza]:
        """What was queued before that time, the oldest first."""
        found = [each for each in self._tables.outgoing.values() if each.put_at < before]
        return sorted(found, key=lambda each: (each.put_at, each.id))[:limit]

    async def totals(self) -> list[QueueTotal]:
        """How much waits, by pair of domains."""
        sizes: dict[tuple[str, str], list[int]] = {}
        for each in self._tables.outgoing.values():
            sizes.setdefault((each.local, each.remote), []).append(len(each.stanza))
        return [QueueTotal(*pair, len(each), sum(each)) for pair, each in sizes.items()]
