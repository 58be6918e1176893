"""A whole XMPP edge on memory storage, in virtual time, and wires that a test holds in its hands."""

from __future__ import annotations

import asyncio
import base64
import itertools
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from parley.base.clock import VirtualClock
from parley.base.config.loading import parse
from parley.base.ids import Uuid7
from parley.base.supervise import Supervisor
from parley.domain.ports import Journal
from parley.domain.uploads import Slot
from parley.edges.xmpp.clients.connection import Connection
from parley.edges.xmpp.extensions import load
from parley.edges.xmpp.host import Host, Stores
from parley.edges.xmpp.server import XmppServer, build_host
from parley.identity.directory import Directory
from parley.identity.sign_in import SignIn, credentials_for
from parley.identity.tokens import Tokens
from parley.ops.metrics import Metrics
from parley.storage.memory.store import MemoryStorage

PASSWORD = "secret"
HEADER = (
    "<stream:stream to='example.org' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)


class Credentials:
    """Stands for a certificate: no test here does TLS."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_end_point = b"end point"


class Slots:
    async def request(self, account_id: int, filename: str, content_type: str, size_bytes: int) -> Slot:
        raise AssertionError("no test here uploads")


class FakeWire:
    """What the server sent collects in `out`."""

    def __init__(self, kind: str = "tls", peer: str = "192.0.2.1") -> None:
        self.kind = kind
        self.peer = peer
        self.channel_bindings: Mapping[str, bytes] = {"tls-server-end-point": b"end point"} if kind == "tls" else {}
        self.out: list[bytes] = []
        self.is_reading = True
        self.is_closed = False
        self.unsent_bytes = 0
        self.receiver: Connection | None = None
        self.before_write: Callable[[], None] | None = None

    def send(self, items: Sequence[bytes]) -> None:
        self.out += items

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    async def start_tls(self, context: ssl.SSLContext, timeout_s: float) -> None:
        self.kind = "tls"
        self.channel_bindings = {"tls-server-end-point": b"end point"}

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self._gone)

    def _gone(self) -> None:
        if self.receiver is not None:
            self.receiver.disconnected()

    def take(self) -> str:
        """What was sent since the last call."""
        if self.out and self.before_write is not None:
            self.before_write()
        text = b"".join(self.out).decode()
        self.out.clear()
        return text


class Edge:
    """The edge under test."""

    def __init__(
        self, host: Host, server: XmppServer, storage: MemoryStorage, clock: VirtualClock, tokens: Tokens
    ) -> None:
        self.host = host
        self.tokens = tokens
        self.server = server
        self.storage = storage
        self.clock = clock

    def open(self, kind: str = "tls", peer: str = "192.0.2.1") -> FakeWire:
        """A new connection."""
        wire = FakeWire(kind, peer)
        wire.before_write = self.host.journal.flush
        connection = self.server.listener(kind).receiver(peer)
        if connection is None:
            wire.is_closed = True
            return wire
        wire.receiver = connection
        connection.connected(wire)
        return wire

    async def say(self, wire: FakeWire, data: str | bytes) -> str:
        """Send and return the answer."""
        if not wire.is_closed and wire.receiver is not None:
            wire.receiver.received(data.encode() if isinstance(data, str) else data)
        return await self.settle(wire)

    async def settle(self, wire: FakeWire) -> str:
        """Let everything that can happen now happen."""
        for _ in range(50):
            await asyncio.sleep(0)
        return wire.take()

    async def sign_in(self, wire: FakeWire, user: str = "alice", resource: str = "r", *, header: str = HEADER) -> str:
        """PLAIN, then bind; returns the answer to the binding."""
        await self.say(wire, header)
        token = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        auth = f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>"
        await self.ask(wire, auth, "<success")
        await self.say(wire, header)
        bind = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind>"
        return await self.say(wire, f"<iq type='set' id='b'>{bind}</iq>")

    async def ask(self, wire: FakeWire, data: str, wanted: str) -> str:
        """Send and wait for an answer that needs a thread (a password's hash)."""
        text = await self.say(wire, data)
        async with asyncio.timeout(10):
            while wanted not in text:
                await asyncio.sleep(0.001)
                text += await self.settle(wire)
        return text

    def tick(self, duration_s: float) -> None:
        """Let time pass, then do what is due."""
        self.clock.advance(duration_s)
        self.host.sessions.tick(self.clock.monotonic())


@asynccontextmanager
async def an_edge(
    *, storage: MemoryStorage | None = None, journal: Journal | None = None, **sections: Mapping[str, object]
) -> AsyncIterator[Edge]:
    """An edge for `example.org` with alice, bob and carol, or with who is in the storage of an earlier one."""
    clock = VirtualClock()
    document = {
        "domains": ["example.org"],
        "tls": {"certificate": "c", "private_key": "k"},
        "login": {"scram_iterations": 4096},
        **sections,
    }
    settings = parse(document, Path("/nonexistent"))
    is_new = storage is None
    storage = storage or MemoryStorage()
    async with Supervisor(clock) as supervisor, storage:
        for name in ("alice", "bob", "carol") if is_new else ():
            await storage.accounts.add(f"{name}@example.org", credentials_for(PASSWORD, 4096, bytes), clock.now_us())
        numbers = itertools.count(1)
        tokens = Tokens(
            storage.tokens, settings.login, b"k" * 32, clock.now_us, lambda size: next(numbers).to_bytes(size, "big")
        )
        sign_in = SignIn(
            storage.accounts, storage.devices, tokens, settings.login, secret=b"k" * 32, monotonic=clock.monotonic
        )
        stores = Stores(
            storage.devices,
            storage.rosters,
            storage.messages,
            storage.conversations,
            storage.nodes,
            Directory(storage.accounts),
            Slots(),
            storage.blocks,
            storage.personal,
            storage.rooms,
            storage.preferences,
            storage.inbox,
            storage.push,
            storage.push_targets,
        )
        host = build_host(
            settings,
            clock,
            supervisor,
            Metrics(),
            stores=stores,
            extensions=load(),
            new_id=Uuid7(clock).text,
            rules={},
            journal=journal,
        )
        server = XmppServer(host, sign_in, Credentials())  # type: ignore[arg-type]
        await host.journal.restore()
        yield Edge(host, server, storage, clock, tokens)
