"""The XMPP edge as a whole: put together, listening, draining."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from parley.base import log as logs
from parley.base.errors import ConfigError
from parley.base.net.accepting import TlsServer
from parley.base.net.binding import bind
from parley.base.net.stream import StreamDriver
from parley.base.net.websocket import Receive, Scope, Send, WebSocketDriver
from parley.domain.archive.preferences import Archiving, Keep
from parley.domain.conversations import Conversations
from parley.domain.pipeline import Pipeline, Rule, Stage
from parley.edges.xmpp.clients.listener import Doorkeeper, Listener, Nonza
from parley.edges.xmpp.clients.session_journal import SessionJournal
from parley.edges.xmpp.clients.sessions import Sessions
from parley.edges.xmpp.delivery.keeping import Keeping
from parley.edges.xmpp.delivery.mail import Mail
from parley.edges.xmpp.delivery.messages import Messages
from parley.edges.xmpp.delivery.push import Push
from parley.edges.xmpp.extension import Extension
from parley.edges.xmpp.host import Host, Stores
from parley.edges.xmpp.people.acquaintances import Acquaintances
from parley.edges.xmpp.people.blocking import Blocking
from parley.edges.xmpp.people.presences import Presences
from parley.edges.xmpp.people.rosters import Rosters
from parley.edges.xmpp.post import Post
from parley.edges.xmpp.queries import Queries
from parley.edges.xmpp.requests import Requests
from parley.edges.xmpp.rooms.service import restore_rooms
from parley.edges.xmpp.router import Router
from parley.edges.xmpp.services import Services
from parley.ops.push_log import PushLog

if TYPE_CHECKING:
    from parley.base.clock import Clock
    from parley.base.config import ListenAddress, Settings
    from parley.base.net.tls import TlsCredentials
    from parley.base.supervise import Supervisor
    from parley.domain.ports import Journal
    from parley.identity.sign_in import SignIn
    from parley.ops.metrics import Metrics

log = logs.get(__name__)

_BACKLOG: Final = 1024
_DRAIN_POLL_S: Final = 0.02


def build_host(
    settings: Settings,
    clock: Clock,
    supervisor: Supervisor,
    metrics: Metrics,
    *,
    stores: Stores,
    extensions: Sequence[Extension],
    new_id: Callable[[], str],
    rules: dict[Stage, Sequence[Rule]],
    journal: Journal | None = None,
) -> Host:
    """Put the parts of the edge together."""
    host = Host()
    host.settings = settings
    host.clock = clock
    host.started_at = clock.monotonic()
    host.supervisor = supervisor
    host.metrics = metrics
    host.stores = stores
    host.extensions = tuple(extensions)
    host.new_id = new_id
    host.router = Router(settings.domains, _services(settings, extensions))
    host.sessions = Sessions(host)
    host.journal = SessionJournal(host, journal)
    host.rosters = Rosters(host)
    host.blocking = Blocking(host)
    is_fixed = settings.archive.preferences == "fixed"
    host.archiving = Archiving(None if is_fixed else stores.preferences, Keep(settings.archive.default))
    host.keeping = Keeping(host.archiving, host.rosters)
    host.acquaintances = Acquaintances(host)
    host.mail = Mail(host)
    host.messages = Messages(host)
    host.presences = Presences(host)
    host.queries = Queries()
    host.services = Services(host)
    host.post = Post(host)
    host.push = Push(host)
    host.push_sender = PushLog(metrics)
    host.requests = Requests(host)
    is_lowering_refused = settings.policy.unsealed_in_sealed == "refuse"
    host.conversations = Conversations(stores.conversations, is_lowering_refused=is_lowering_refused)
    policies: list[Rule] = [*rules.get(Stage.POLICY, ())]
    if is_lowering_refused:
        policies.append(host.conversations.check)
    host.pipeline = Pipeline(
        stores.messages,
        new_id,
        clock.now_us,
        keep_archive=settings.archive.enabled,
        rules={**rules, Stage.POLICY: policies},
        raises=host.conversations.raises,
        followers=(host.conversations.committed, host.acquaintances.committed, host.messages.route, host.push.notify),
    )
    return host


def _services(settings: Settings, extensions: Sequence[Extension]) -> dict[str, str]:
    """The services that are switched on: keys by the label of their subdomain."""
    labels = {
        "rooms": settings.services.rooms,
        "pubsub": settings.services.pubsub,
        "upload": settings.services.upload,
        "push": settings.services.push,
    }
    declared = [service.name for extension in extensions for service in extension.services]
    return {labels[name]: name for name in declared if labels[name]}


class XmppServer:
    """Listens for clients over TCP and direct TLS, and serves the WebSockets that the HTTP edge hands over."""

    def __init__(self, host: Host, sign_in: SignIn, credentials: TlsCredentials) -> None:
        nonzas: dict[tuple[str, str], Nonza] = {}
        for extension in host.extensions:
            nonzas.update(extension.nonzas)
        doorkeeper = Doorkeeper(host)

        def listener(kind: str) -> Listener:
            return Listener(host, kind, sign_in, doorkeeper, tls_context=credentials.context, nonzas=nonzas)

        self._host = host
        self._credentials = credentials
        self._doorkeeper = doorkeeper
        self._listeners = {kind: listener(kind) for kind in ("tcp", "tls", "websocket")}
        self._servers: list[asyncio.Server | TlsServer] = []

    async def __aenter__(self) -> Self:
        """Open the ports.

        Raises:
            ConfigError: an address cannot be listened at.
        """
        settings = self._host.settings.xmpp
        count = await self._host.journal.restore()
        if count:
            log.info("sessions of the last run may be resumed", count=count)
        await restore_rooms(self._host)
        for address in settings.c2s:
            await self._listen("xmpp.c2s", address, self._listeners["tcp"], is_tls=False)
        for address in settings.c2s_tls:
            await self._listen("xmpp.c2s_tls", address, self._listeners["tls"], is_tls=True)
        self._host.supervisor.service("sessions", self._host.sessions.run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and end every stream."""
        await self.drain()
        self._host.journal.close()

    async def _listen(self, setting: str, address: ListenAddress, listener: Listener, *, is_tls: bool) -> None:
        loop = asyncio.get_running_loop()
        try:
            sockets = bind(address.host, address.port, _BACKLOG)
            if is_tls:
                self._servers.append(self._shaking_hands(sockets, listener))
                return
            for bound in sockets:
                server = await loop.create_server(
                    lambda: StreamDriver(listener.receiver, self._credentials, self._host.journal.flush),
                    sock=bound,
                    backlog=_BACKLOG,
                )
                self._servers.append(server)
        except OSError as error:
            raise ConfigError(setting, f"cannot listen at {address}: {error.strerror or error}") from error

    def _shaking_hands(self, sockets: Sequence[socket.socket], listener: Listener) -> TlsServer:
        host = self._host
        return TlsServer(
            sockets,
            self._credentials,
            listener.receiver,
            door=self._doorkeeper,
            timeout_s=lambda: host.settings.limits.handshake_timeout_s,
            spawn=host.supervisor.spawn,
            before_write=host.journal.flush,
        )

    def listener(self, kind: str) -> Listener:
        """What is offered to connections of a kind: `tcp`, `tls` or `websocket`."""
        return self._listeners[kind]

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket that asked for the subprotocol `xmpp`: an ASGI application."""
        before_write = self._host.journal.flush
        await WebSocketDriver(scope, receive, send, "xmpp", before_write).run(self._listeners["websocket"].receiver)

    def reload(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._host.settings = settings
        for listener in self._listeners.values():
            listener.configure()

    async def drain(self) -> None:
        """Refuse new connections and end those there are; returns when they are closed or the time is up."""
        self._host.is_draining = True
        for server in self._servers:
            server.close()
        self._servers.clear()
        connections, timeout_s = self._host.sessions.connections, self._host.settings.limits.drain_timeout_s
        for connection in list(connections):
            connection.pause("drain")
        # What came in is acknowledged before the end, so that clients need not send it again.
        await self._until(lambda: not self._host.sessions.is_working, timeout_s / 2)
        for connection in list(connections):
            connection.shut_down()
        await self._until(lambda: not connections, timeout_s / 2)
        for connection in list(connections):
            connection.abort()

    async def _until(self, is_so: Callable[[], bool], timeout_s: float) -> None:
        deadline = self._host.clock.monotonic() + timeout_s
        while not is_so() and self._host.clock.monotonic() < deadline:
            await self._host.clock.sleep(_DRAIN_POLL_S)
