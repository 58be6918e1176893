"""Push registrations in memory."""

from __future__ import annotations

from dataclasses import replace

from parley.domain.errors import LimitReached
from parley.domain.push import Registration
from parley.storage.memory.state import Tables


class MemoryPush:
    """Push registrations; see the port."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def _of(self, account_id: int) -> dict[tuple[str, str], Registration]:
        table = self._tables.accounts.get(account_id)
        return {} if table is None else table.push

    async def put(self, account_id: int, registration: Registration, limit: int) -> None:
        """Add or replace."""
        known, place = self._tables.account(account_id).push, (registration.service, registration.node)
        if len(known.keys() - {place}) >= limit:
            raise LimitReached("too-many-registrations")
        known[place] = registration

    async def note(self, account_id: int, registration: Registration) -> None:
        """Keep what became of a notification."""
        known, place = self._of(account_id), (registration.service, registration.node)
        before = known.get(place)
        if before is not None and before.created_at == registration.created_at:
            noted = registration
            known[place] = replace(
                before, last_ok_at=noted.last_ok_at, last_error=noted.last_error, refusals=noted.refusals
            )

    async def remove(self, account_id: int, service: str, node: str | None = None) -> int:
        """Forget."""
        known = self._of(account_id)
        gone = [place for place in known if place[0] == service and node in (None, place[1])]
        for place in gone:
            del known[place]
        return len(gone)

    async def all(self, account_id: int) -> list[Registration]:
        """An account's registrations, the oldest first."""
        return sorted(self._of(account_id).values(), key=lambda row: (row.created_at, row.service, row.node))
