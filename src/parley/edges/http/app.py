"""The routes, and what becomes of errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from parley.base import log as logs
from parley.domain.errors import NotFound, StorageFull, StorageUnavailable
from parley.edges.http.asgi import Receive, Scope, Send
from parley.edges.http.discovery import Discovery
from parley.edges.http.downloads import DownloadRoutes
from parley.edges.http.errors import (
    RETRY_AFTER_S,
    Disconnected,
    Interrupted,
    Refusal,
    Stalled,
    method_not_allowed,
    not_found,
)
from parley.edges.http.exchange import Exchange
from parley.edges.http.operations import Operations
from parley.edges.http.uploads import UploadRoutes
from parley.edges.http.webapp import WebApp
from parley.edges.http.websocket import WebSocketRoute
from parley.ops.metrics import Metrics
from parley.protocols.http.errors import HeaderError

# First parts of paths that are never an address inside the web app.
_RESERVED = frozenset({".well-known", "api", "blob", "health", "metrics", "oidc", "scim", "sip", "upload", "xmpp"})

# The first kind that fits answers.
_ANSWERS: dict[type[Exception], tuple[int, str, *tuple[tuple[str, str], ...]]] = {
    HeaderError: (400, "header-malformed"),
    NotFound: (404, "not-found"),
    StorageFull: (507, "storage-full"),
    StorageUnavailable: (503, "storage-unavailable", ("retry-after", "5")),
    Stalled: (408, "body-timeout", ("connection", "close")),
    Interrupted: (423, "upload-busy", ("retry-after", "1")),
}

_Route = Callable[[Exchange], Awaitable[None]]

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Routes:
    """What answers where."""

    webapp: WebApp
    websocket: WebSocketRoute
    discovery: Discovery
    uploads: UploadRoutes
    downloads: DownloadRoutes
    operations: Operations


class App:
    """The ASGI application.

    Args:
        routes: what answers.
        metrics: counts refusals.
        timeout_s: what one piece of a body may take to cross the network, in seconds.
        min_bytes_per_s: how fast the body of a request has to come; 0 for no matter.
    """

    def __init__(self, routes: Routes, metrics: Metrics, timeout_s: float = 60.0, min_bytes_per_s: int = 0) -> None:
        self._routes = routes
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._min_bytes_per_s = min_bytes_per_s
        self._fixed: dict[str, _Route] = {
            "/.well-known/host-meta": routes.discovery.host_meta,
            "/.well-known/host-meta.json": routes.discovery.host_meta_json,
            "/health/live": routes.operations.live,
            "/health/ready": routes.operations.ready,
            "/metrics": routes.operations.figures,
            "/xmpp": _upgrade_required,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        if scope["type"] == "websocket":
            await self._routes.websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(Exchange(scope, receive, send, self._timeout_s, self._min_bytes_per_s))

    async def _serve(self, exchange: Exchange) -> None:
        try:
            await self._route(exchange)
        except Disconnected:
            return
        except asyncio.CancelledError:
            # The server cuts off what has not ended in time. Nothing waits for this task, so that it may end with an
            # answer; without one the client would be told of a failure.
            if exchange.is_answered:
                raise
            self._metrics.refused("cut-off")
            await exchange.refuse(Refusal(503, "cut-off", ("retry-after", RETRY_AFTER_S), ("connection", "close")))
        except Exception as error:
            # The edge: no request ends the server, no traceback reaches a peer.
            await self._refuse(exchange, error)

    async def _route(self, exchange: Exchange) -> None:
        first, *parts = exchange.path.removeprefix("/").split("/")
        fixed = self._fixed.get(exchange.path)
        if fixed is not None:
            if exchange.method not in ("GET", "HEAD"):
                raise method_not_allowed("GET", "HEAD")
            await fixed(exchange)
        elif first == "upload":
            await self._routes.uploads(exchange, parts)
        elif first == "blob":
            await self._routes.downloads(exchange, parts)
        elif first in _RESERVED:
            raise not_found()
        else:
            await self._routes.webapp(exchange)

    async def _refuse(self, exchange: Exchange, error: Exception) -> None:
        refusal = _refusal_of(error)
        self._metrics.refused(refusal.code)
        if refusal.code == "internal":
            # The path may hold a capability and stays out of the log.
            log.defect("request failed", error, method=exchange.method)
        elif refusal.status >= 500:
            log.warning("request refused", code=refusal.code, reason=str(error))
        if exchange.is_answered:
            # Too late to say so: the server cuts the connection of a reply that ends early.
            raise refusal from error
        await exchange.refuse(refusal)


def _refusal_of(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    for kind, (status, code, *headers) in _ANSWERS.items():
        if isinstance(error, kind):
            return Refusal(status, code, *headers)
    return Refusal(500, "internal")


async def _upgrade_required(exchange: Exchange) -> None:
    # RFC 9110 §15.5.22: `Upgrade` MUST say to what.
    raise Refusal(426, "upgrade-required", ("upgrade", "websocket"), ("connection", "upgrade"))
