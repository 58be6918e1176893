"""Private elements, cards and departures in memory."""

from __future__ import annotations

from collections.abc import Sequence

from parley.domain.errors import LimitReached
from parley.domain.people.personal import Card, Departure, PrivateElement
from parley.storage.memory.state import AccountTable, Tables


class MemoryPersonal:
    """Private elements, cards and departures."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def private(self, account_id: int, namespace: str, name: str) -> bytes | None:
        """One private element."""
        table = self._table(account_id)
        return None if table is None else table.private.get((namespace, name))

    async def all_private(self, account_id: int) -> list[PrivateElement]:
        """All private elements of an account, by namespace and name."""
        table = self._table(account_id)
        return (
            [] if table is None else [PrivateElement(*key, content) for key, content in sorted(table.private.items())]
        )

    async def put_private(
        self, account_id: int, elements: Sequence[PrivateElement], *, max_elements: int, max_bytes: int
    ) -> None:
        """Add or replace elements; see the port."""
        if not elements:
            return
        table = self._tables.account(account_id)
        merged = dict(table.private)
        for each in elements:
            merged[each.namespace, each.name] = each.content
        merged = {key: content for key, content in merged.items() if content}
        if len(merged) > max_elements or sum(map(len, merged.values())) > max_bytes:
            raise LimitReached("private-storage-full")
        table.private = merged

    async def card(self, account_id: int) -> Card | None:
        """The card of an account."""
        table = self._table(account_id)
        return None if table is None else table.card

    async def put_card(self, account_id: int, card: Card) -> None:
        """Replace the card."""
        self._tables.account(account_id).card = card

    async def departed(self, account_id: int, departure: Departure) -> None:
        """The last device of the account left."""
        self._tables.account(account_id).departure = departure

    async def departure(self, account_id: int) -> Departure | None:
        """When that was, if it ever was."""
        table = self._table(account_id)
        return None if table is None else table.departure

    def _table(self, account_id: int) -> AccountTable | None:
        return self._tables.accounts.get(account_id)
