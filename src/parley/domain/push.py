"""Push registrations (XEP-0357): which service wakes which device when something waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

MAX_REFUSALS: Final = 5
"""After so many refusals in a row a registration rests, until its device registers again."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One device's wish to be woken.

    `service` is the address of the push service, `node` what the device is there, `options` the XML of the form that
    goes with each notification. `resource` is the device that registered. Times are microseconds since the epoch, 0 for
    never. `refusals` counts what the service refused since it last took a notification, `last_error` says why.
    """

    service: str
    node: str
    options: bytes
    resource: str
    created_at: int
    last_ok_at: int = 0
    last_error: str = ""
    refusals: int = 0

    @property
    def is_resting(self) -> bool:
        """Whether the service refused so often that it is not asked any more."""
        return self.refusals >= MAX_REFUSALS

    def taken(self, now: int) -> Registration:
        """The service took a notification."""
        return replace(self, last_ok_at=now, last_error="", refusals=0)

    def failed(self, reason: str, *, is_refusal: bool) -> Registration:
        """The service could not be reached, or refused."""
        return replace(self, last_error=reason, refusals=self.refusals + is_refusal)


class PushStore(Protocol):
    """Registrations of accounts. Methods raise StorageUnavailable; see `domain/ports.py`."""

    async def put(self, account_id: int, registration: Registration, limit: int) -> None:
        """Add a registration, or replace the one with its service and node.

        Raises LimitReached("too-many-registrations"), NotFound("account-not-found").
        """
        ...

    async def note(self, account_id: int, registration: Registration) -> None:
        """Keep what became of a notification (`last_ok_at`, `last_error`, `refusals`); nothing for one that is gone."""
        ...

    async def remove(self, account_id: int, service: str, node: str | None = None) -> int:
        """Forget the registrations with a service, or the one with that node; returns how many there were."""
        ...

    async def all(self, account_id: int) -> Sequence[Registration]:
        """An account's registrations, the oldest first."""
        ...
