"""Who may write to an upload now: one request at a time, and how a newer one takes over from a dead one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from parley.edges.http.errors import Refusal


class Holds:
    """Exclusive holds by name.

    Args:
        patience_s: how long a request that takes over waits for the earlier one to let go, in seconds.
    """

    def __init__(self, patience_s: float = 5.0) -> None:
        self._patience_s = patience_s
        self._holders: dict[str, _Holder] = {}

    def is_held(self, name: str) -> bool:
        """Tell whether somebody holds `name`."""
        return name in self._holders

    @asynccontextmanager
    async def hold(self, name: str, interrupt: Callable[[], None], takes_over: bool) -> AsyncIterator[None]:
        """Hold `name` for the length of the context.

        Args:
            name: the upload's id.
            interrupt: called when a later request wants to take over; must make the context end soon.
            takes_over: interrupt an earlier holder and wait for it. A phone that changes networks leaves a connection
                behind that the server takes for alive for a while; the next request of the same client says it is dead.

        Raises:
            Refusal: 423 when it is held and stays held.
        """
        holder = self._holders.get(name)
        if holder is not None and takes_over:
            await self._evict(holder)
        if name in self._holders:
            raise Refusal(423, "upload-busy", ("retry-after", "1"))
        mine = self._holders[name] = _Holder(interrupt)
        try:
            yield
        finally:
            del self._holders[name]
            mine.is_released.set()

    async def _evict(self, holder: _Holder) -> None:
        holder.interrupt()
        try:
            async with asyncio.timeout(self._patience_s):
                await holder.is_released.wait()
        except TimeoutError:
            return


class _Holder:
    __slots__ = ("interrupt", "is_released")

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self.interrupt = interrupt
        self.is_released = asyncio.Event()
