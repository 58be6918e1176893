"""External components (XEP-0114): programs that serve a domain of their own through this server.

Components         the ports, and all components that the settings name
Component          one of them, connected or not: where stanzas for its domain go
ComponentConnection  a stream, and the origin of what the component says
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, Self

from parley.base import log as logs
from parley.base.errors import ConfigError
from parley.base.net.binding import bind
from parley.base.net.stream import StreamDriver
from parley.edges.xmpp.origin import Origin
from parley.protocols.xmpp.components import (
    ComponentStream,
    Established,
    Event,
    Refused,
    StanzaReceived,
    StreamEnded,
)
from parley.protocols.xmpp.element import Element, restamp
from parley.protocols.xmpp.errors import (
    JIDError,
    StanzaCondition,
    StanzaError,
    StreamCondition,
    error_reply,
    may_be_answered,
)
from parley.protocols.xmpp.framing import FramingLimits
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.base.config import ListenAddress
    from parley.base.net.wire import Wire
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

_BACKLOG: Final = 16
_SPARE: Final = 8
"""Connections that may be negotiating, beside one of each component."""


class Component:
    """Where stanzas for a component's domain go: the `Abroad` of that domain."""

    def __init__(self, host: Host, domain: str) -> None:
        self._host = host
        self.domain = domain
        self.connection: ComponentConnection | None = None

    def send(self, stanza: bytes, sender: JID, to: JID) -> None:
        """Hand a stanza to the component. Raises StanzaError (remote-server-timeout) when it is not there."""
        connection = self.connection
        if connection is None:
            # It is configured, so it will come back.
            raise StanzaError(StanzaCondition.REMOTE_SERVER_TIMEOUT, "this service is not connected now")
        connection.send(stanza)


class ComponentConnection(Origin):
    """A `Receiver` of one wire, and who the component's stanzas come from."""

    def __init__(self, components: Components) -> None:
        super().__init__(components.host, None)
        limits = self.host.settings.limits
        framing = FramingLimits(
            max_stanza_bytes=limits.max_stanza_bytes,
            max_depth=limits.max_depth,
            max_attributes=limits.max_attributes,
            max_children=limits.max_children,
        )
        self._components = components
        self._stream = ComponentStream(components.secrets, secrets.token_urlsafe(18), framing, self._admits)
        self._wire: Wire | None = None
        self._pauses: set[str] = set()
        self._deadline: asyncio.Task[None] | None = None

    @property
    def domain(self) -> str:
        """The component's domain, "" before it named itself."""
        return self._stream.domain

    # The wire.

    def connected(self, wire: Wire) -> None:
        """See `Receiver.connected`."""
        self._wire = wire
        self._deadline = self.host.supervisor.spawn("component handshake", self._expect())

    async def _expect(self) -> None:
        await self.host.clock.sleep(self.host.settings.limits.handshake_timeout_s)
        self._handle(self._stream.fail(StreamCondition.CONNECTION_TIMEOUT))

    def received(self, data: bytes) -> None:
        """See `Receiver.received`."""
        try:
            self._handle(self._stream.receive(data))
        except Exception as error:
            # The edge to a peer: a defect that its bytes met ends its stream, not the server.
            log.defect("component stream failed", error, component=self.domain)
            self._handle(self._stream.fail(StreamCondition.INTERNAL_SERVER_ERROR))

    def disconnected(self) -> None:
        """See `Receiver.disconnected`."""
        self._wire = None
        self._over()

    def send(self, stanza: bytes) -> None:
        """Send a stanza; a component that reads too slowly is cut."""
        self._stream.send(stanza)
        self._flush()
        if self._wire is not None and self._wire.unsent_bytes > self.host.settings.limits.max_unsent_bytes:
            log.warning("a component reads too slowly", component=self.domain)
            self._wire.abort()

    def shut_down(self) -> None:
        """End the stream because the server stops."""
        self._handle(self._stream.fail(StreamCondition.SYSTEM_SHUTDOWN))

    def _admits(self, domain: str) -> bool:
        return self._components.by_domain[domain].connection is None

    def _handle(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, StanzaReceived):
                self._receive(event.element)
            elif isinstance(event, Established):
                self._components.by_domain[event.domain].connection = self
                self._stop_waiting()
                log.info("component connected", component=event.domain)
            elif isinstance(event, Refused):
                self.host.metrics.refused("component-not-authorized")
                log.warning("a component does not know its secret", component=event.domain)
            elif isinstance(event, StreamEnded):
                condition = event.condition.value if event.condition else ""
                log.info("component stream ended", component=self.domain, condition=condition, text=event.text)
                self._over()
        self._flush()
        if self._stream.is_closed and self._wire is not None:
            self._wire.close()

    def _receive(self, element: Element) -> None:
        self.host.metrics.stanza_in(element.name)
        try:
            is_own = JID.parse(element.from_ or "").domain == self.domain
        except JIDError:
            is_own = False
        if not is_own:
            # RFC 6120 §4.9.3.9: it speaks for its own domain and nobody else.
            self._handle(self._stream.fail(StreamCondition.INVALID_FROM))
        elif element.to is None:
            self.reply_error(element, StanzaError(StanzaCondition.BAD_REQUEST, "a component says whom it means"))
        else:
            self.take(element, 0)

    def _over(self) -> None:
        self._stop_waiting()
        self._components.ended(self)

    def _stop_waiting(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline is not asyncio.current_task():
            deadline.cancel()

    def _flush(self) -> None:
        items = self._stream.output()
        if items and self._wire is not None:
            self._wire.send(items)

    # Origin.

    @property
    def is_ended(self) -> bool:
        """What a component said before it went is done still."""
        return False

    def sender(self, element: Element) -> JID:
        """The stanza's `from`, which is in the component's domain."""
        return JID.parse(element.from_ or self.domain)

    def stamped(self, element: Element, *, to: str | None, from_: str | None = None) -> bytes:
        """See `Origin.stamped`."""
        return restamp(element, from_=from_ or str(self.sender(element)), to=to)

    def answer(self, stanza: bytes) -> None:
        """Send to the component."""
        self.send(stanza)

    def reply_error(self, element: Element, error: StanzaError) -> None:
        """Answer a stanza of the component with an error, if it may be answered."""
        if may_be_answered(element):
            self.host.metrics.refused(error.code)
            self.send(error_reply(element, error))

    def handled(self, token: int) -> None:
        """Nothing is counted on this stream."""

    def hold(self, reason: str) -> None:
        """See `Origin.hold`."""
        self._pauses.add(reason)
        if self._wire is not None:
            self._wire.pause_reading()

    def go_on(self, reason: str) -> None:
        """See `Origin.go_on`."""
        self._pauses.discard(reason)
        if not self._pauses and self._wire is not None:
            self._wire.resume_reading()

    def done(self) -> None:
        """Nothing waits for it."""

    def __str__(self) -> str:
        return self.domain


class Components:
    """Listens for components. An async context manager: entered, its ports are open and stanzas find their way."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.secrets = {component.name: component.secret for component in host.settings.components}
        self.by_domain = {domain: Component(host, domain) for domain in self.secrets}
        self._connections: set[ComponentConnection] = set()
        self._servers: list[asyncio.Server] = []
        # Also those that are away have a place: what is for them comes back as it should.
        host.components = MappingProxyType(self.by_domain)

    async def __aenter__(self) -> Self:
        """Open the ports; raises ConfigError."""
        for address in self.host.settings.xmpp.component:
            await self._listen(address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and end every stream."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.shut_down()

    async def _listen(self, address: ListenAddress) -> None:
        loop = asyncio.get_running_loop()
        try:
            for bound in bind(address.host, address.port, _BACKLOG):
                server = await loop.create_server(
                    lambda: StreamDriver(self.receiver, None), sock=bound, backlog=_BACKLOG
                )
                self._servers.append(server)
        except OSError as error:
            raise ConfigError("xmpp.component", f"cannot listen at {address}: {error.strerror or error}") from error

    def receiver(self, peer: str) -> ComponentConnection | None:
        """A receiver for a new connection, or None when there are too many."""
        if self.host.is_draining or len(self._connections) >= len(self.secrets) + _SPARE:
            self.host.metrics.refused("too-many-connections")
            log.warning("connection of a component refused", pii={"peer": peer})
            return None
        connection = ComponentConnection(self)
        self._connections.add(connection)
        return connection

    def ended(self, connection: ComponentConnection) -> None:
        """The connection is over: another one may take its place."""
        self._connections.discard(connection)
        component = self.by_domain.get(connection.domain)
        if component is not None and component.connection is connection:
            component.connection = None
