"""A client that costs little: it signs in, answers stream management, and counts what comes.

Until stream management is on it looks for texts in the bytes; from then on expat counts elements by their names.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import hmac
import re
import secrets
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self
from xml.parsers import expat

from tests.support.server import Person

STREAMS = "http://etherx.jabber.org/streams"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
SM = "urn:xmpp:sm:3"
TIMEOUT_S = 120.0
AT_ONCE = 20
_STANZAS = frozenset({"message", "presence", "iq"})
_HEADER = (
    f"<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='{STREAMS}'>"
)


class RefusedError(Exception):
    """The server said no, or went away."""


class Client(asyncio.Protocol):
    """One connection.

    Attributes:
        counts: first-level elements that came since stream management was enabled, by name.
        on_message: called at the end of each message.
    """

    def __init__(self, person: Person) -> None:
        self.person = person
        self.jid = ""
        self.counts: Counter[str] = Counter()
        self.on_message: Callable[[], None] | None = None
        self._handled = 0
        self._text = b""
        self._parser: expat.XMLParserType | None = None
        self._depth = 0
        self._is_lost = False
        self._is_ended = False
        self._wanted = ("", 0)
        self._waiter: asyncio.Future[None] | None = None
        self._requests = 0

    async def connect(self, port: int, *, has_tls: bool = False) -> Self:
        loop = asyncio.get_running_loop()
        context = any_certificate() if has_tls else None
        name = "localhost" if has_tls else None
        self._transport, _ = await loop.create_connection(
            lambda: self, "127.0.0.1", port, ssl=context, server_hostname=name
        )
        return self

    # What asyncio tells.

    def data_received(self, data: bytes) -> None:
        if self._parser is not None:
            self._parser.Parse(data, False)
            return
        self._text += data
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._wake()

    # Signing in.

    async def log_in(self, *, resource: str, mechanism: str = "") -> None:
        """Sign in and bind; without a mechanism, by PLAIN where it is offered."""
        features = await self._open()
        if mechanism == "" and b">PLAIN<" in features:
            await self._plain()
        else:
            await self._scram()
        await self._open()
        self.send(
            f"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            f"<resource>{resource}</resource></bind></iq>"
        )
        found = await self.until(rb"<jid>([^<]+)</jid>.*</iq>")
        self.jid = found[1].decode()

    async def start(self) -> None:
        """Stream management, carbons, available: a client as they are today."""
        self.send(f"<enable xmlns='{SM}' resume='true'/>")
        await self.until(rb"<enabled[^>]*>(?:</enabled>)?")
        self._count()
        await self.iq("set", "<enable xmlns='urn:xmpp:carbons:2'/>")
        self.send("<presence/>")
        await self.came("presence", 1)

    async def _open(self) -> bytes:
        self._text = b""
        self.send(_HEADER)
        return (await self.until(rb"^.*</stream:features>"))[0]

    async def _plain(self) -> None:
        said = f"\0{self.person.name}\0{self.person.password}".encode()
        self.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{_b64(said)}</auth>")
        await self._succeeded()

    async def _scram(self) -> None:
        nonce = secrets.token_hex(12)
        bare = f"n={self.person.name},r={nonce}"
        self.send(f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'>{_b64(b'n,,' + bare.encode())}</auth>")
        challenge = await self.until(rb"<challenge[^>]*>([^<]*)</challenge>|<failure.*</failure>")
        server_first = base64.b64decode(challenge[1] or b"").decode()
        fields = dict(part.split("=", 1) for part in server_first.split(",") if part)
        if not fields:
            raise RefusedError(challenge[0].decode())
        client_key = _client_key(self.person.password, fields["s"], int(fields["i"]))
        without_proof = f"c={_b64(b'n,,')},r={fields['r']}"
        signed = f"{bare},{server_first},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        self.send(f"<response xmlns='{SASL}'>{_b64(f'{without_proof},p={_b64(proof)}'.encode())}</response>")
        await self._succeeded()

    async def _succeeded(self) -> None:
        outcome = await self.until(rb"<success[^>]*(?:/>|>[^<]*</success>)|<failure.*</failure>")
        if outcome[0].startswith(b"<failure"):
            raise RefusedError(outcome[0].decode())

    # Talking.

    def send(self, data: str) -> None:
        self._transport.write(data.encode())

    async def iq(self, kind: str, payload: str, to: str = "") -> None:
        """Send a request and wait for its answer, or for any other one."""
        self._requests += 1
        address = f" to='{to}'" if to else ""
        expected = self.counts["iq"] + 1
        self.send(f"<iq type='{kind}' id='q{self._requests}'{address}>{payload}</iq>")
        await self.came("iq", expected)

    async def came(self, name: str, count: int) -> None:
        """Wait until so many elements of that name have come in all."""
        self._wanted = (name, count)
        async with asyncio.timeout(TIMEOUT_S):
            while self.counts[name] < count:
                await self._wait()

    async def until(self, pattern: bytes) -> re.Match[bytes]:
        """Wait until the pattern is in what came, and drop that."""
        compiled = re.compile(pattern, re.DOTALL)
        async with asyncio.timeout(TIMEOUT_S):
            while (found := compiled.search(self._text)) is None:
                await self._wait()
        self._text = self._text[found.end() :]
        return found

    async def close(self) -> None:
        """End the stream as a polite client does, and wait for the server's end."""
        self.send("</stream:stream>")
        async with asyncio.timeout(TIMEOUT_S):
            while not (self._is_lost or self._is_ended or b"</stream:stream>" in self._text):
                await self._wait()
        self._transport.close()

    def cut(self) -> None:
        """Break the connection."""
        self._transport.abort()

    # Counting.

    def _count(self) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._started
        parser.EndElementHandler = self._ended
        self._parser = parser
        parser.Parse(_HEADER.encode() + self._text, False)
        self._text = b""

    def _started(self, _name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1

    def _ended(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._is_ended = True
            self._wake()
        if self._depth != 1:
            return
        self.counts[name] += 1
        if name in _STANZAS:
            self._handled += 1
            if name == "message" and self.on_message is not None:
                self.on_message()
        elif name == "r":
            self.send(f"<a xmlns='{SM}' h='{self._handled}'/>")
        wanted, count = self._wanted
        if name == wanted and self.counts[name] >= count:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        if self._is_lost:
            raise RefusedError(f"{self.person.name}: the server ended the connection: {self._text[-300:]!r}")
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


async def signed_in(
    port: int, person: Person, resource: str = "bench", *, has_tls: bool = False, mechanism: str = ""
) -> Client:
    """A client with stream management and carbons, available."""
    client = await Client(person).connect(port, has_tls=has_tls)
    await client.log_in(resource=resource, mechanism=mechanism)
    await client.start()
    return client


async def all_signed_in(
    port: int, people: Sequence[Person], resource: str = "bench", *, has_tls: bool = False
) -> list[Client]:
    """A client for each, some of them at a time."""
    found: list[Client] = []
    for start in range(0, len(people), AT_ONCE):
        some = people[start : start + AT_ONCE]
        found += await asyncio.gather(*(signed_in(port, person, resource, has_tls=has_tls) for person in some))
    return found


@functools.cache
def any_certificate() -> ssl.SSLContext:
    """TLS as of today, to servers whose certificates nobody signed."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@functools.cache
def _client_key(password: str, salt: str, iterations: int) -> bytes:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), iterations)
    return hmac.digest(salted, b"Client Key", "sha256")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
