"""Push targets (XEP-0357): the devices that this server's own push service wakes, whichever server asks for it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PushTarget:
    """One app on one device.

    Attributes:
        service: the domain of the push service.
        node: its name there; no two targets have the same.
        owner: the bare address of the person who registered it, of this server or of any other.
        kind: by what it is woken, such as `apns`.
        device: what the app calls the device; a person has one target for each service, kind and device.
        token: what whoever wakes it knows it by.
        secret: the digest of what a server has to show before it may wake the device.
        created_at: when it was registered last, in microseconds since the epoch.
        woken_at: when it was woken last, in microseconds since the epoch; 0 for never.
        wakes: how often it was.
    """

    service: str
    node: str
    owner: str
    kind: str
    device: str
    token: str
    secret: bytes
    created_at: int
    woken_at: int = 0
    wakes: int = 0

    def is_secret(self, secret: str) -> bool:
        """Whether that is the secret of the target."""
        return hmac.compare_digest(digest(secret), self.secret)


def digest(secret: str) -> bytes:
    """What is kept of a secret. It is random and long, so guessing it from this is of no use."""
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class PushSummary:
    """What a server tells of what waits (`urn:xmpp:push:summary`); None and "" for what it does not tell."""

    messages: int | None = None
    subscription_requests: int | None = None
    last_sender: str = ""
    last_body: str = ""


class PushSender(Protocol):
    """What brings a notification to a device."""

    async def send(self, target: PushTarget, summary: PushSummary) -> None:
        """Wake a device.

        Raises NotFound("device-gone"): there is no such device any more, and the target is of no use. Any other
        DomainError: this notification did not arrive.
        """
        ...


class PushTargetStore(Protocol):
    """Push targets. Methods raise StorageUnavailable."""

    async def put(self, target: PushTarget, limit: int, limit_each: int) -> None:
        """Add a target, or replace the one of its owner with its service, kind and device.

        Raises LimitReached("too-many-targets"): there are at most `limit`, of one owner at most `limit_each`.
        """
        ...

    async def find(self, node: str) -> PushTarget | None:
        """The target of a node."""
        ...

    async def of(self, owner: str) -> Sequence[PushTarget]:
        """The targets of a bare address, by service, kind and device."""
        ...

    async def woken(self, node: str, now: int) -> None:
        """Count a notification; nothing for a target that is gone."""
        ...

    async def remove(self, node: str) -> bool:
        """Forget a target; False if there was none."""
        ...

    async def forget(self, owner: str) -> int:
        """Forget the targets of a bare address, which may be somebody else's soon; returns how many there were."""
        ...
