"""The way to XMPP over WebSocket (RFC 7395): who may open one, before the XMPP edge sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from parley.base import log as logs
from parley.base.config.values import origin_of
from parley.edges.http.asgi import Application, Receive, Scope, Send
from parley.edges.http.errors import Refusal, not_found
from parley.ops.metrics import Metrics

SUBPROTOCOL = "xmpp"

PROTECTED: Final = "parley.protected"
"""Key of a scope: whether nobody on a network can read along."""

log = logs.get(__name__)


class WebSocketRoute:
    """Checks a handshake and hands it on.

    Args:
        on_websocket: the XMPP edge; gets the untouched ASGI connection and accepts it with the subprotocol.
        public_url: pages of its origin may connect.
        metrics: counts refusals.
        origins: more origins whose pages may connect; `*` for all.
        is_tls_required: whether those are refused with whom somebody on a network could read along.
    """

    def __init__(
        self,
        on_websocket: Application,
        public_url: str,
        metrics: Metrics,
        origins: Iterable[str] = (),
        *,
        is_tls_required: bool = False,
    ) -> None:
        self._on_websocket = on_websocket
        self._metrics = metrics
        self._own_origin = origin_of(public_url)
        self._is_tls_required = is_tls_required
        self.origins: Collection[str] = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI type `websocket`."""
        refusal = self._check(scope)
        if refusal is None:
            await self._on_websocket(scope, receive, send)
            return
        self._metrics.refused(refusal.code)
        if refusal.code == "tls-required":
            # Browsers do not show why: the operator has to learn it here.
            peer = scope["client"][0] if scope.get("client") else ""
            log.warning("websocket refused", code=refusal.code, reason=refusal.message, pii={"peer": peer})
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": refusal.body()})

    def _check(self, scope: Scope) -> Refusal | None:
        if scope["path"] != "/xmpp":
            return not_found()
        # RFC 7395 §3.9: TLS is the WebSocket's, none can be started later; so whoever has none is not let in at all.
        if self._is_tls_required and not scope.get(PROTECTED, False):
            return Refusal(403, "tls-required")
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_allowed(headers.get(b"origin"), headers.get(b"host", "")):
            return Refusal(403, "origin-refused")
        # RFC 7395 §3.1: the client MUST include `xmpp`.
        return None if SUBPROTOCOL in scope["subprotocols"] else Refusal(400, "subprotocol-required")

    def _is_allowed(self, origin: str | None, host: str) -> bool:
        # Only browsers send an origin, and they never lie about it; other clients are free to connect.
        if origin is None or origin == self._own_origin or "*" in self.origins or origin in self.origins:
            return True
        return origin.partition("://")[2].lower() == host.lower()
