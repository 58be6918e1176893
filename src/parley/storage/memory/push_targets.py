"""Push targets in memory."""

from __future__ import annotations

from dataclasses import replace

from parley.domain.errors import LimitReached
from parley.domain.push_targets import PushTarget


class MemoryPushTargets:
    """Push targets; see the port."""

    def __init__(self) -> None:
        self._targets: dict[str, PushTarget] = {}

    async def put(self, target: PushTarget, limit: int, limit_each: int) -> None:
        """Add or replace."""
        others = {node: known for node, known in self._targets.items() if _place(known) != _place(target)}
        own = [known for known in others.values() if known.owner == target.owner]
        if len(others) >= limit or len(own) >= limit_each:
            raise LimitReached("too-many-targets")
        self._targets = {**others, target.node: target}

    async def find(self, node: str) -> PushTarget | None:
        """The target of a node."""
        return self._targets.get(node)

    async def of(self, owner: str) -> list[PushTarget]:
        """The targets of a bare address."""
        return sorted((known for known in self._targets.values() if known.owner == owner), key=_place)

    async def woken(self, node: str, now: int) -> None:
        """Count a notification."""
        known = self._targets.get(node)
        if known is not None:
            self._targets[node] = replace(known, woken_at=now, wakes=known.wakes + 1)

    async def remove(self, node: str) -> bool:
        """Forget a target."""
        return self._targets.pop(node, None) is not None

    async def forget(self, owner: str) -> int:
        """Forget the targets of a bare address."""
        gone = [known.node for known in await self.of(owner)]
        for node in gone:
            del self._targets[node]
        return len(gone)


def _place(target: PushTarget) -> tuple[str, str, str, str]:
    return (target.owner, target.service, target.kind, target.device)
