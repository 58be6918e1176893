"""Where scenes with another server are played: both servers, a name system, a private authority, in one network.

Everything is started once and serves all scenes; each takes people of its own. Both servers reach each other through a
relay, which can break their connections.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from tests.support.certificates import Authority
from tests.support.dns import NameServer
from tests.support.partner import PASSWORD, S2S_PORT, ServedDomain
from tests.support.server import ParleyServer, Person
from tests.support.slix import SlixClient

ALPHA, BETA = "alpha.example", "beta.example"
EXPIRED, MISNAMED, UNSIGNED, VOUCHED = (f"{name}.example" for name in ("expired", "misnamed", "unsigned", "vouched"))
_PEOPLE = 20
_ALPHA_PORT, _ALPHA_RELAY, _BETA_RELAY = 15369, 15371, 15372
_AT_ONCE = 65536


class PartnerServer(Protocol):
    """Another server, as `Prosody` and `Ejabberd` run one."""

    program: str
    c2s_port: int

    def start(self) -> None: ...

    def stop(self, sent: signal.Signals = ...) -> None: ...

    def log_tail(self, lines: int = ...) -> str: ...


class Relay:
    """Carries connections to a port on this machine; an async context manager."""

    def __init__(self, port: int, to_port: int) -> None:
        self._port, self._to_port = port, to_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.carried = 0
        """How many connections there were."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection, as a router does that forgot them: both ends get a reset, and what is on its way is
        lost."""
        for writer in self._writers:
            end = writer.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self._writers.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.carried += 1
        try:
            there = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, there[1]}
        await asyncio.gather(self._copy(reader, there[1]), self._copy(there[0], writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(_AT_ONCE):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            self._writers.discard(writer)


class Parley(ParleyServer):
    """Our server with a certificate of the stage's authority."""

    def __init__(self, files: tuple[Path, Path], ca_file: Path) -> None:
        super().__init__(
            {
                "xmpp": [f's2s = ["127.0.0.1:{_ALPHA_PORT}"]'],
                "federation": [
                    f'ca_file = "{ca_file}"',
                    'nameservers = ["127.0.0.53:53"]',
                    "retry_min_s = 1",
                    "retry_max_s = 2",
                ],
                "services": ['push = "push"'],
                "log": ['level = "trace"'],
            },
            domain=ALPHA,
            people=_PEOPLE,
        )
        self._files = files

    def set_up(self) -> None:
        super().set_up()
        for path, name in zip(self._files, ("fullchain.pem", "key.pem"), strict=True):
            (self.config.parent / "certs" / name).write_bytes(path.read_bytes())


@dataclass
class Stage:
    """Both servers, and who is on them."""

    parley: Parley
    partner: PartnerServer
    to_alpha: Relay
    to_beta: Relay
    _numbers: Any = field(default_factory=itertools.count)

    def alice(self) -> Person:
        """Somebody of ours whom no scene had yet."""
        return self.parley.person()

    def bob(self, domain: str = BETA) -> Person:
        """Somebody of the partner's; of its first domain one whom no scene had yet."""
        number = next(self._numbers) if domain == BETA else 0
        return Person(f"bob{number}@{domain}", PASSWORD)

    def pair(self, domain: str = BETA) -> tuple[SlixClient, SlixClient]:
        """A client of each side."""
        return client(self.alice()), client(self.bob(domain))

    def cut(self) -> None:
        """Break every connection between the servers."""
        self.to_alpha.cut()
        self.to_beta.cut()

    def agree(self, command: str, *arguments: str) -> None:
        """`parley partner …`; the server then asks again for certificates that it refused."""
        self.parley.run("partner", command, *arguments, "--config", str(self.parley.config))

    @asynccontextmanager
    async def signed_in(self, *clients: SlixClient) -> AsyncIterator[None]:
        try:
            for each in clients:
                await self.sign_in(each)
            yield
        finally:
            for each in clients:
                await each.leave()

    async def sign_in(self, who: SlixClient) -> None:
        at: Any = self.parley
        if who.boundjid.domain != ALPHA:
            at = self.partner
            at.tls_port = 0
        await who.sign_in(at)


def client(person: Person, resource: str = "one") -> SlixClient:
    return SlixClient(person, resource, transport="plain")


@asynccontextmanager
async def stage(
    folder: Path, partner: Callable[[Path, Sequence[ServedDomain], Path], PartnerServer]
) -> AsyncIterator[Stage]:
    """Start everything, and end it."""
    authority = Authority(folder)
    theirs = partner(folder, _domains(folder, authority), authority.ca_file)
    services = [f"{label}.{domain}" for domain in (ALPHA, BETA) for label in ("conference", "upload")]
    services.append(f"push.{ALPHA}")
    ours = authority.sign(ALPHA, *(name for name in services if name.endswith(ALPHA)))
    records = {f"host.{domain}": ["A 127.0.0.1"] for domain in (ALPHA, BETA)}
    for domain in (ALPHA, BETA, EXPIRED, MISNAMED, UNSIGNED, VOUCHED, *services):
        is_ours = domain.endswith(ALPHA)
        port, host = (_ALPHA_RELAY, ALPHA) if is_ours else (_BETA_RELAY, BETA)
        records[f"_xmpp-server._tcp.{domain}"] = [f"SRV 0 5 {port} host.{host}."]
    with NameServer(records), Parley(ours, authority.ca_file) as parley, _running(theirs):
        async with Relay(_ALPHA_RELAY, _ALPHA_PORT) as to_alpha, Relay(_BETA_RELAY, S2S_PORT) as to_beta:
            yield Stage(parley, theirs, to_alpha, to_beta)


@contextmanager
def _running(partner: PartnerServer) -> Any:
    try:
        partner.start()
        yield
    finally:
        partner.stop(signal.SIGKILL)


def _domains(folder: Path, authority: Authority) -> list[ServedDomain]:
    """What the partner serves: one domain as it should be, and for each thing that may be wrong one."""
    (folder / "other").mkdir()
    other = Authority(folder / "other")
    people = [f"bob{number}" for number in range(_PEOPLE)]
    certificate = authority.sign(BETA, f"conference.{BETA}", f"upload.{BETA}")
    return [
        ServedDomain(BETA, certificate, people, has_services=True),
        ServedDomain(EXPIRED, authority.sign(EXPIRED, from_days=-10, to_days=-1), people[:1]),
        ServedDomain(MISNAMED, authority.sign("gamma.example"), people[:1]),
        ServedDomain(UNSIGNED, other.sign(UNSIGNED), people[:1]),
        ServedDomain(VOUCHED, other.sign(VOUCHED), people[:1], is_dialback=True),
    ]
