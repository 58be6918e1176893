"""Several servers in one process: real connections on loopback, a name system that the test writes, virtual time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.edges.xmpp.harness import Client, Harness, is_same, pretty
from tests.support.certificates import Authority

from parley.base.config import ListenAddress
from parley.base.net.resolver import NoSuchServiceError, Target
from parley.base.net.server_tls import ServerTls
from parley.edges.xmpp.federation.federation import Federation
from parley.edges.xmpp.federation.outbox import QueueOutbox
from parley.edges.xmpp.federation.ports import Direction, Kind, Permission, Refusal

_TIME_S = 10.0


class Names:
    """A resolver that knows what it is told; everything is at 127.0.0.1."""

    def __init__(self) -> None:
        self.targets: dict[str, list[Target]] = {}
        self.asked: list[str] = []

    async def servers(self, domain: str) -> Sequence[Target]:
        self.asked.append(domain)
        if not self.targets.get(domain):
            raise NoSuchServiceError(f"{domain} does not exist")
        return self.targets[domain]

    async def addresses(self, host: str) -> Sequence[str]:
        return ["127.0.0.1"]


class Rules:
    """A policy that says yes until it is told otherwise."""

    def __init__(self) -> None:
        self.permission: Permission | Refusal = Permission()
        self.incoming_permission: Permission | Refusal | None = None
        self.verdict: Refusal | float = 0.0
        self.certificates: Refusal | None = None
        self.seen: list[tuple[str, Direction, Kind]] = []

    def outgoing(self, domain: str) -> Permission | Refusal:
        return self.permission

    def incoming(self, domain: str) -> Permission | Refusal:
        return self.permission if self.incoming_permission is None else self.incoming_permission

    def stanza(self, domain: str, direction: Direction, kind: Kind, size_bytes: int) -> Refusal | float:
        self.seen.append((domain, direction, kind))
        return self.verdict

    def certificate(self, domain: str, chain: Sequence[bytes]) -> Refusal | None:
        return self.certificates

    def authorities(self) -> Sequence[bytes]:
        return ()


class Server(Harness):
    """One server for one domain, with its federation."""

    def __init__(
        self,
        domain: str,
        names: Names,
        authority: Authority,
        files: tuple[Path, Path],
        *,
        is_direct: bool = False,
        federation: dict[str, Any] | None = None,
        **sections: Any,
    ) -> None:
        from parley.base.config.federation import FederationSettings
        from parley.base.config.sections import XmppSettings

        self.port = free_port()
        here = (ListenAddress("127.0.0.1", self.port),)
        listening = XmppSettings(s2s_tls=here) if is_direct else XmppSettings(s2s=here)
        super().__init__(
            domains=(domain,), xmpp=listening, federation=FederationSettings(**(federation or {})), **sections
        )
        self.domain = domain
        self.names = names
        self.policy = Rules()
        self.target = Target("localhost", self.port, is_direct)

        async def is_time_believed() -> bool:
            return True

        outbox = QueueOutbox(
            self.storage.outgoing, self.clock, self.supervisor, lambda: self.settings.federation, is_time_believed
        )
        self.federation = Federation(
            self.host,
            self.policy,
            outbox,
            resolver=names,
            tls=ServerTls(*files, authority.ca_file),
            secret=b"secret of " + domain.encode(),
        )

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.names.targets[self.domain] = [self.target]
        await self.federation.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.federation.__aexit__(kind, error, trace)
        await super().__aexit__(kind, error, trace)

    @property
    def streams(self) -> list[str]:
        """The open streams, by who opened them."""
        return sorted(connection.direction for connection in self.federation.connections() if connection.is_open)

    async def delivered(self) -> None:
        """Wait until nothing waits for a partner any more."""
        async with asyncio.timeout(_TIME_S):
            while await self.storage.outgoing.totals():
                # The ticks ask for acknowledgements.
                self.tick(0.01)
                await asyncio.sleep(0.005)

    def tick(self, duration_s: float) -> None:
        """Let time pass, then do what is due."""
        self.clock.advance(duration_s)
        self.federation.tick(self.clock.monotonic())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until(is_so: Callable[[], object]) -> None:
    """Wait for something that will be so; the time limit is for a test that fails."""
    async with asyncio.timeout(_TIME_S):
        while not is_so():
            await asyncio.sleep(0.005)


async def got(client: Client, *stanzas: str) -> None:
    """These come, in this order and nothing else, whenever they do."""
    await until(lambda: len(client.connection.sent) >= len(stanzas))
    await client._harness.settle()
    client.expect(*stanzas)


async def one(client: Client, wanted: str) -> str:
    """The next stanza that says this; those before it are dropped."""
    sent = client.connection.sent

    def is_there() -> bool:
        while sent and wanted not in sent[0].decode():
            del sent[0]
        return bool(sent)

    await until(is_there)
    return sent.pop(0).decode()


@asynccontextmanager
async def two_servers(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[Server, Server]]:
    """`alpha.example` with alice, `beta.example` with bob; `options` are those of both servers."""
    names, authority = Names(), Authority(tmp_path)
    async with AsyncExitStack() as stack:
        servers = []
        for domain, user in (("alpha.example", "alice"), ("beta.example", "bob")):
            server = Server(domain, names, authority, authority.sign(domain), **options)
            await stack.enter_async_context(server)
            await server.add(f"{user}@{domain}")
            servers.append(server)
        yield servers[0], servers[1]


__all__ = ["Authority", "Names", "Server", "free_port", "got", "is_same", "one", "pretty", "two_servers", "until"]
