"""Where other servers connect, and how many may."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.base.errors import ConfigError
from parley.base.net.accepting import TlsServer
from parley.base.net.binding import bind
from parley.base.net.peers import network_of
from parley.base.net.stream import StreamDriver
from parley.edges.xmpp.federation.incoming import IncomingConnection

if TYPE_CHECKING:
    from parley.base.config import ListenAddress
    from parley.edges.xmpp.federation.connection import ServerConnection
    from parley.edges.xmpp.federation.federation import Federation

log = logs.get(__name__)

_BACKLOG: Final = 256


class ServerListener:
    """The ports of `xmpp.s2s` and `xmpp.s2s_tls`. It is the door of its connections: see `Door`."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._servers: list[asyncio.Server | TlsServer] = []
        self._by_peer: Counter[str] = Counter()
        self._shaking: Counter[str] = Counter()

    async def open(self) -> None:
        """Listen.

        Raises:
            ConfigError: an address cannot be listened at.
        """
        settings = self._federation.host.settings.xmpp
        for address in settings.s2s:
            await self._listen("xmpp.s2s", address, is_tls=False)
        for address in settings.s2s_tls:
            await self._listen("xmpp.s2s_tls", address, is_tls=True)

    async def _listen(self, setting: str, address: ListenAddress, *, is_tls: bool) -> None:
        host = self._federation.host
        loop = asyncio.get_running_loop()
        try:
            sockets = bind(address.host, address.port, _BACKLOG)
            if is_tls:
                server = TlsServer(
                    sockets,
                    None,
                    self.receiver,
                    door=self,
                    timeout_s=lambda: host.settings.limits.handshake_timeout_s,
                    spawn=host.supervisor.spawn,
                    context=self._context,
                    failed=self._federation.handshake_failed,
                )
                self._servers.append(server)
                return
            for bound in sockets:
                self._servers.append(
                    await loop.create_server(lambda: StreamDriver(self.receiver, None), sock=bound, backlog=_BACKLOG)
                )
        except OSError as error:
            raise ConfigError(setting, f"cannot listen at {address}: {error.strerror or error}") from error

    def _context(self, peer: str) -> ssl.SSLContext:
        return self._federation.accepting_context(peer)

    def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    def receiver(self, peer: str) -> IncomingConnection | None:
        """A receiver for a new connection, or None when it is refused."""
        if self._federation.host.is_draining or not self._admits(peer):
            return None
        connection = IncomingConnection(self._federation)
        connection.counted_peer = network_of(peer)
        self._by_peer[connection.counted_peer] += 1
        self._federation.opened(connection)
        return connection

    def closed(self, connection: ServerConnection) -> None:
        """A connection is gone; one that we opened was not counted."""
        if isinstance(connection, IncomingConnection):
            _subtract(self._by_peer, connection.counted_peer)

    def enter(self, peer: str) -> bool:
        """See `Door.enter`."""
        if self._federation.host.is_draining or not self._admits(peer):
            return False
        self._shaking[network_of(peer)] += 1
        return True

    def leave(self, peer: str) -> None:
        """See `Door.leave`."""
        _subtract(self._shaking, network_of(peer))

    def _admits(self, peer: str) -> bool:
        limits, network = self._federation.host.settings.federation, network_of(peer)
        reason = ""
        if self._by_peer.total() + self._shaking.total() >= limits.max_connections:
            reason = "too-many-servers"
        elif self._by_peer[network] + self._shaking[network] >= limits.max_connections_per_address:
            reason = "too-many-servers-from-address"
        if reason:
            self._federation.host.metrics.refused(reason)
            log.warning("connection of a server refused", reason=reason, pii={"peer": peer})
        return not reason


def _subtract(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if counts[name] <= 0:
        del counts[name]
