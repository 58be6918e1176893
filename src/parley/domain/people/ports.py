"""The doors of this package; what `domain/ports.py` says of all of them holds here too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from parley.domain.people.blocking import Complaint, Report
from parley.domain.people.personal import Card, Departure, PrivateElement


class BlockStore(Protocol):
    """Who blocks whom, and reports about the blocked."""

    async def blocked(self, account_id: int) -> list[str]:
        """The addresses that an account blocks, in the order in which it did."""
        ...

    async def block(
        self,
        account_id: int,
        addresses: Sequence[str],
        complaints: Sequence[Complaint],
        now: int,
        *,
        limit: int,
        reports_kept: int,
    ) -> None:
        """Block addresses and record what is said about them, all or nothing. What is blocked already stays.

        Of the account's own reports the `reports_kept` newest stay. Raises LimitReached("too-many-blocked") when more
        than `limit` addresses were to be blocked.
        """
        ...

    async def unblock(self, account_id: int, addresses: Sequence[str] | None) -> list[str]:
        """Block these addresses no longer (None: any); returns those that were blocked, in their order."""
        ...

    async def reports(self, limit: int, before: int | None = None) -> list[Report]:
        """The newest reports first; with `before`, those with lower ids."""
        ...

    async def dismiss(self, report_id: int) -> bool:
        """Forget a report; False if there was none."""
        ...


class PersonalStore(Protocol):
    """Private elements, cards and departures."""

    async def private(self, account_id: int, namespace: str, name: str) -> bytes | None:
        """One private element."""
        ...

    async def all_private(self, account_id: int) -> list[PrivateElement]:
        """All private elements of an account, by namespace and name."""
        ...

    async def put_private(
        self, account_id: int, elements: Sequence[PrivateElement], *, max_elements: int, max_bytes: int
    ) -> None:
        """Add or replace elements, all or none; one without content is forgotten.

        Raises LimitReached("private-storage-full") when there were to be more than `max_elements`, or more than
        `max_bytes` of contents.
        """
        ...

    async def card(self, account_id: int) -> Card | None:
        """The card of an account."""
        ...

    async def put_card(self, account_id: int, card: Card) -> None:
        """Replace the card."""
        ...

    async def departed(self, account_id: int, departure: Departure) -> None:
        """The last device of the account left."""
        ...

    async def departure(self, account_id: int) -> Departure | None:
        """When that was, if it ever was."""
        ...
