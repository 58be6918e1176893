"""The XMPP edge without sockets: sessions on connections that record, stores in memory, a clock that stands still.

    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
        phone.expect("<iq type='result' id='1' to='alice@example.org/phone'/>")

Names without a domain are in `example.org`. In what is expected, an attribute or a text `*` stands for anything.
"""

from __future__ import annotations

import asyncio
import itertools
from types import TracebackType
from typing import Any, Self

from lxml import etree

from parley.app.administration import Administrators
from parley.app.live import LiveServer
from parley.app.operations import Operations
from parley.base.clock import VirtualClock
from parley.base.config import Settings, TlsSettings
from parley.base.supervise import Supervisor
from parley.domain.accounts import Account, Credential
from parley.domain.contacts import Contact
from parley.domain.subscriptions import SubscriptionState
from parley.domain.uploads import Slot
from parley.edges.xmpp.clients.session import Session
from parley.edges.xmpp.extensions import load
from parley.edges.xmpp.host import Host, Stores
from parley.edges.xmpp.server import build_host
from parley.identity.directory import Directory
from parley.identity.sign_in import credentials_for
from parley.ops.metrics import Metrics
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import StreamCondition
from parley.protocols.xmpp.jid import JID
from parley.storage.memory import MemoryStorage

DOMAIN = "example.org"
_QUIET_TURNS = 10


def address(name: str) -> str:
    """`alice/phone` as `alice@example.org/phone`."""
    local, slash, resource = name.partition("/")
    return f"{local if '@' in local else f'{local}@{DOMAIN}'}{slash}{resource}"


class RecordingConnection:
    """Stands for a connection: keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.failure: tuple[StreamCondition, str] | None = None
        self.pauses: set[str] = set()
        self.unsent_bytes = 0

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def fail(self, condition: StreamCondition, text: str = "") -> None:
        self.failure = (condition, text)

    def pause(self, reason: str) -> None:
        self.pauses.add(reason)

    def unpause(self, reason: str) -> None:
        self.pauses.discard(reason)

    def acknowledgement_due(self, outstanding: int) -> None:
        """Nobody asks."""

    def acknowledgement_came(self) -> None:
        """Nobody asked."""


class FakeSlots:
    """Promises slots, or raises what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str, str, int]] = []
        self.slot = Slot("https://example.org/put", "https://example.org/get")
        self.error: Exception | None = None

    async def request(self, account_id: int, filename: str, content_type: str, size_bytes: int) -> Slot:
        self.asked.append((account_id, filename, content_type, size_bytes))
        if self.error is not None:
            raise self.error
        return self.slot


class NoContents:
    """Stands for the files of uploads."""

    async def drop_unreferenced(self) -> int:
        return 0


async def hashed(password: str, iterations: int) -> tuple[Credential, ...]:
    """Credentials, made without a thread."""
    return credentials_for(password, iterations, lambda size: b"s" * size)


class Client:
    """One session, seen from the client."""

    def __init__(self, harness: Harness, session: Session, connection: RecordingConnection) -> None:
        self._harness = harness
        self.session = session
        self.connection = connection

    async def send(self, *stanzas: str) -> None:
        """Send stanzas at once and wait until nothing happens any more."""
        for stanza in stanzas:
            self.session.receive(Element.from_bytes(stanza.encode()))
        await self._harness.settle()

    def take(self) -> list[str]:
        """What came since the last call."""
        taken, self.connection.sent[:] = [data.decode() for data in self.connection.sent], []
        return taken

    def expect(self, *stanzas: str) -> None:
        """These came since the last call, in this order, and nothing else."""
        taken = self.take()
        same = len(taken) == len(stanzas) and all(map(is_same, taken, stanzas))
        assert same, "\n".join(["came:", *map(pretty, taken), "expected:", *map(pretty, stanzas)])

    async def ask(self, stanza: str, *expected: str) -> None:
        """Send one stanza; just what is expected comes, whatever came before it."""
        self.take()
        await self.send(stanza)
        self.expect(*expected)

    async def available(self, content: str = "") -> None:
        """Send presence and drop what comes."""
        await self.send(f"<presence>{content}</presence>")
        self.take()


class Harness:
    """An XMPP edge; `sections` replace sections of the settings."""

    def __init__(self, **sections: Any) -> None:
        self.settings = Settings(**{"domains": (DOMAIN,), "tls": TlsSettings(), **sections})
        self.clock = VirtualClock()
        self.storage = MemoryStorage()
        self.slots = FakeSlots()
        self.metrics = Metrics()
        self.supervisor = Supervisor(self.clock)
        self._numbers = itertools.count(1)
        self.host: Host = build_host(
            self.settings,
            self.clock,
            self.supervisor,
            self.metrics,
            stores=Stores(
                devices=self.storage.devices,
                rosters=self.storage.rosters,
                messages=self.storage.messages,
                conversations=self.storage.conversations,
                nodes=self.storage.nodes,
                directory=Directory(self.storage.accounts),
                slots=self.slots,
                blocks=self.storage.blocks,
                personal=self.storage.personal,
                rooms=self.storage.rooms,
                preferences=self.storage.preferences,
                inbox=self.storage.inbox,
                push=self.storage.push,
                push_targets=self.storage.push_targets,
            ),
            extensions=load(self.settings),
            new_id=lambda: f"00000000-0000-7000-8000-{next(self._numbers):012x}",
            rules={},
        )

        live = LiveServer(self.host, self.host.stores.directory, NoContents())  # type: ignore[arg-type]
        operations = Operations(self.storage, self.clock, self.settings.domains, live)
        self.host.administration = Administrators(
            operations, self.storage, lambda: self.host.settings, self.clock, hashed
        )

    async def __aenter__(self) -> Self:
        await self.supervisor.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.supervisor.__aexit__(kind, error, trace)
        if kind is None:
            assert self.supervisor.failures == 0, "background work failed"

    async def add(self, *names: str) -> Account:
        """Create accounts; returns the last one."""
        for name in names:
            account = await self.storage.accounts.add(address(name), [], self.clock.now_us())
        return account

    async def befriend(self, a: str, b: str, *, groups: tuple[str, ...] = ()) -> None:
        """Let two accounts see each other's presence; to both, the other one is in `groups`."""
        for one, other in ((a, b), (b, a)):
            account = await self.storage.accounts.find(address(one))
            assert account is not None
            contact = Contact(address(other), groups=groups, state=SubscriptionState(to=True, from_=True))
            await self.storage.rosters.put(account.id, contact, 1000)
            self.host.rosters.forget(account.id)

    async def connect(self, name: str, *, presence: str | None = None) -> Client:
        """Bind a resource; with `presence`, its content, the client is available."""
        jid = JID.parse(address(name))
        account = await self.host.stores.directory.find(str(jid.bare))
        assert account is not None, f"there is no account {jid.bare}"
        await self.host.blocking.get(account.id)
        connection = RecordingConnection()
        session = Session(self.host, account, jid, connection)  # type: ignore[arg-type]
        self.host.sessions.opened(session)
        client = Client(self, session, connection)
        if presence is not None:
            await client.available(presence)
        return client

    async def settle(self) -> None:
        """Run the loop until nothing happens any more."""
        quiet, seen = 0, (-1, -1)
        while quiet < _QUIET_TURNS:
            await asyncio.sleep(0)
            sent = sum(len(s.connection.sent) for s in self.host.router if s.connection is not None)  # type: ignore[attr-defined]
            now = (self.supervisor.running, sent)
            quiet = quiet + 1 if now == seen else 0
            seen = now


def parse(stanza: str) -> Any:
    """A stanza as a tree, in the namespace of client streams."""
    return etree.fromstring(f"<x xmlns='jabber:client'>{stanza}</x>")[0]


def is_same(actual: str, expected: str) -> bool:
    """Whether two stanzas say the same; `*` in `expected` stands for anything."""
    return _is_same(parse(actual), parse(expected))


def _is_same(actual: Any, expected: Any) -> bool:
    return (
        actual.tag == expected.tag
        and set(actual.attrib) == set(expected.attrib)
        and all(_fits(actual.attrib[key], value) for key, value in expected.attrib.items())
        and _fits((actual.text or "").strip(), (expected.text or "").strip())
        and (actual.tail or "").strip() == (expected.tail or "").strip()
        and len(actual) == len(expected)
        and all(map(_is_same, actual, expected))
    )


def _fits(actual: str, expected: str) -> bool:
    return expected in ("*", actual)


def pretty(stanza: str) -> str:
    """A stanza for people to read."""
    tree = parse(stanza)
    etree.indent(tree)
    return etree.tostring(tree, encoding="unicode")
