"""The doors of this package; what `domain/ports.py` says of all of them holds here too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from parley.domain.errors import StorageUnavailable
from parley.domain.partners.agreements import Action, Agreement, Change

Edit = Callable[[Agreement | None], Agreement]
"""Makes an agreement of the one there is (None: none); what it raises undoes everything. Runs on another thread."""

Queued = Callable[["int | StorageUnavailable"], None]
"""Is told the number of what was queued, committed and synced, or why it was not."""


@dataclass(frozen=True, slots=True)
class QueuedStanza:
    """What waits for a partner. `id` grows in the order in which things were queued; `put_at` in microseconds."""

    id: int
    local: str
    remote: str
    put_at: int
    stanza: bytes


@dataclass(frozen=True, slots=True)
class QueueTotal:
    """How much waits between a domain of ours and one of a partner."""

    local: str
    remote: str
    count: int
    size_bytes: int


class PartnerStore(Protocol):
    """Agreements, each with its history."""

    async def all(self) -> list[Agreement]:
        """All of them, revoked ones too, by domain."""
        ...

    async def edit(self, domain: str, edit: Edit, *, action: Action, by: str, now: int) -> Agreement:
        """Change the domain's agreement and note who did it, both or neither; returns what it is now."""
        ...

    async def history(self, domain: str | None, limit: int) -> list[Change]:
        """The newest changes first (None: of all domains)."""
        ...


class OutgoingQueue(Protocol):
    """Stanzas that wait for partners. Messages also get here with the log: see `NewMessage.outgoing`."""

    def put(self, local: str, remote: str, stanza: bytes, now: int, done: Queued) -> None:
        """Queue a stanza. Never blocks; `done` is called on the event loop, in the order of the calls."""
        ...

    async def take(self, local: str, remote: str, after: int, limit: int) -> list[QueuedStanza]:
        """What waits between two domains behind the number `after`, in order."""
        ...

    async def remove(self, ids: Sequence[int]) -> None:
        """Forget them; those that are not there are fine."""
        ...

    async def older(self, before: int, limit: int) -> list[QueuedStanza]:
        """What was queued before that time, the oldest first."""
        ...

    async def totals(self) -> list[QueueTotal]:
        """How much waits, by pair of domains."""
        ...
