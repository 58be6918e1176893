"""What operators ask: `/health/live`, `/health/ready`, `/metrics`."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from parley.edges.http.errors import Refusal
from parley.edges.http.exchange import Exchange
from parley.ops.health import Health
from parley.ops.metrics import CONTENT_TYPE, Metrics
from parley.protocols.http.forwarding import Network, is_among

LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))

_NO_STORE = ("cache-control", "no-store")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class Operations:
    """Answers operators and their machines.

    Args:
        health: what is ready.
        metrics: the figures.
        metrics_allow: who may read the figures.
    """

    def __init__(self, health: Health, metrics: Metrics, metrics_allow: Sequence[Network] = LOOPBACK) -> None:
        self._health = health
        self._metrics = metrics
        self.metrics_allow = metrics_allow

    async def live(self, exchange: Exchange) -> None:
        """200 as long as requests are answered at all."""
        await exchange.reply_json(200, {"status": "live"}, (_NO_STORE,))

    async def ready(self, exchange: Exchange) -> None:
        """200 when everything is ready, else 503 with what is not."""
        problems = await self._health.problems()
        if problems:
            await exchange.reply_json(503, {"status": "not-ready", "problems": problems}, (_NO_STORE,))
        else:
            await exchange.reply_json(200, {"status": "ready"}, (_NO_STORE,))

    async def figures(self, exchange: Exchange) -> None:
        """The figures as Prometheus text, for allowed addresses."""
        if not self._may_read(exchange):
            raise Refusal(403, "forbidden")
        await exchange.reply(200, (("content-type", CONTENT_TYPE), _NO_STORE), self._metrics.render())

    def _may_read(self, exchange: Exchange) -> bool:
        # Behind a proxy on this machine every request comes from loopback: one that was forwarded is a stranger's.
        if any(exchange.header(name) is not None for name in _FORWARDED):
            return False
        return is_among(exchange.client, self.metrics_allow)
