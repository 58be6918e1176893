"""What one account makes others hear: presence and published items go to all contacts, so a stanza becomes very many.

`limits.bytes_per_s` bounds what comes in; this bounds what comes of it. Who is over it waits, and so do the stanzas
behind: the client is read more slowly, and nothing is lost.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from parley.base.throttle import TokenBucket

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host

_KEPT: Final = 20_000


class Spreading:
    """Counts by account, all its devices together."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._buckets: OrderedDict[int, TokenBucket] = OrderedDict()

    async def pace(self, account_id: int, stanzas: int) -> None:
        """So many stanzas went to others on behalf of an account: return when more of it may follow."""
        bucket = self._buckets.get(account_id)
        if bucket is None:
            limits, clock = self._host.settings.limits, self._host.clock
            bucket = self._buckets[account_id] = TokenBucket(limits.spread_per_s, limits.spread_burst, clock.monotonic)
            while len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(account_id)
        wait_s = bucket.take(stanzas)
        if wait_s > 0:
            await self._host.clock.sleep(wait_s)
