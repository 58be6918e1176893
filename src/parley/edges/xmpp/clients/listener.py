"""What one kind of port offers its clients, and whom it lets in."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.base.net.peers import network_of
from parley.edges.xmpp.clients.authentication import mechanisms
from parley.edges.xmpp.clients.connection import Connection
from parley.edges.xmpp.clients.registering import offers
from parley.protocols.xmpp.c2s import StreamConfig
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.fast import offered
from parley.protocols.xmpp.framing import FramingLimits

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.identity.sign_in import SignIn
    from parley.protocols.xmpp.element import Element

log = logs.get(__name__)

Nonza = Callable[["Host", "Session", "Element"], None]


@dataclass(slots=True)
class Doorkeeper:
    """Counts connections and refuses those over the limits, all kinds of ports together."""

    host: Host
    by_peer: Counter[str] = field(default_factory=Counter)
    handshakes: Counter[str] = field(default_factory=Counter)

    def admits(self, peer: str) -> bool:
        """Whether one more connection from `peer` is welcome."""
        limits = self.host.settings.limits
        if len(self.host.sessions.connections) + self.handshakes.total() >= limits.max_connections:
            self.host.metrics.refused("too-many-connections")
            log.warning("connection refused", reason="too-many-connections")
            return False
        network = network_of(peer)
        if self.by_peer[network] + self.handshakes[network] >= limits.max_connections_per_address:
            self.host.metrics.refused("too-many-connections-from-address")
            log.warning("connection refused", reason="too-many-connections-from-address", pii={"peer": peer})
            return False
        return True

    def enter(self, peer: str) -> bool:
        """See `Door.enter`."""
        if self.host.is_draining or not self.admits(peer):
            return False
        self.handshakes[network_of(peer)] += 1
        return True

    def leave(self, peer: str) -> None:
        """See `Door.leave`."""
        network = network_of(peer)
        self.handshakes[network] -= 1
        if self.handshakes[network] <= 0:
            del self.handshakes[network]


class Listener:
    """One kind of port: `tcp`, `tls` or `websocket`."""

    def __init__(
        self,
        host: Host,
        kind: str,
        sign_in: SignIn,
        doorkeeper: Doorkeeper,
        *,
        tls_context: ssl.SSLContext,
        nonzas: Mapping[tuple[str, str], Nonza],
    ) -> None:
        self._host = host
        self._doorkeeper = doorkeeper
        self.kind = kind
        self.sign_in = sign_in
        self.tls_context = tls_context
        self.nonzas = nonzas
        self.configure()

    def configure(self) -> None:
        """Take the limits of the settings in force, for streams to come."""
        limits, kind = self._host.settings.limits, self.kind
        self._offers: dict[tuple[str, ...], bytes] = {}
        framing = FramingLimits(
            max_stanza_bytes=limits.max_stanza_bytes,
            max_depth=limits.max_depth,
            max_attributes=limits.max_attributes,
            max_children=limits.max_children,
        )
        self.config = StreamConfig(
            domains=frozenset(self._host.domains),
            primary_domain=self._host.domains[0],
            is_framed=kind == "websocket",
            is_tls_offered=kind == "tcp",
            is_tls_required=kind == "tcp" and self._host.settings.xmpp.require_tls,
            mechanisms=partial(mechanisms, hashes=self._host.settings.login.hashes),
            features=self._features,
            token_mechanisms=self._token_mechanisms,
            inside=self._inside,
            # A web server in front does TLS; the way to it without TLS is closed where TLS is required.
            is_private=kind == "websocket" and self._host.settings.xmpp.require_tls,
            limits=replace(framing, max_stanza_bytes=limits.max_stanza_bytes_unauthenticated),
            authenticated_limits=framing,
            registration=offers(self._host.settings),
        )

    def receiver(self, peer: str) -> Connection | None:
        """A receiver for a new connection, or None when it is refused."""
        if self._host.is_draining or not self._doorkeeper.admits(peer):
            return None
        connection = Connection(self._host, self)
        self._host.sessions.connections.add(connection)
        connection.counted_peer = network_of(peer)
        self._doorkeeper.by_peer[connection.counted_peer] += 1
        return connection

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""
        self._host.sessions.connections.discard(connection)
        counts = self._doorkeeper.by_peer
        counts[connection.counted_peer] -= 1
        if counts[connection.counted_peer] <= 0:
            del counts[connection.counted_peer]

    def _token_mechanisms(self, channel_bindings: Mapping[str, bytes]) -> tuple[str, ...]:
        return offered(channel_bindings) if self.sign_in.tokens.are_given else ()

    def _inside(self, channel_bindings: Mapping[str, bytes]) -> bytes:
        names = tuple(channel_bindings)
        if names not in self._offers:
            self._offers[names] = self._offer(channel_bindings)
        return self._offers[names]

    def _offer(self, channel_bindings: Mapping[str, bytes]) -> bytes:
        host = self._host
        inline = [each.inline_features(host, channel_bindings) for each in host.extensions if each.inline_features]
        offers = [each.authentication_features(host) for each in host.extensions if each.authentication_features]
        return xml("inline", None, *inline) + b"".join(offers)

    def _features(self, is_authenticated: bool) -> bytes:
        offers = (extension.stream_features for extension in self._host.extensions)
        return b"".join(offer(self._host, is_authenticated) for offer in offers if offer is not None)
