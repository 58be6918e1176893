"""A small XMPP client that says exactly what a test tells it to: raw bytes out, elements in.

It shares no code with the server: SCRAM is done by hand, XML is read by lxml's pull parser.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import secrets
import ssl
from collections.abc import Callable
from typing import Self

from lxml import etree

STREAMS = "http://etherx.jabber.org/streams"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
SM = "urn:xmpp:sm:3"


class StreamClosedError(Exception):
    """The server ended the stream or the connection."""


class RawClient:
    """One connection. `recv` returns first-level elements in order."""

    def __init__(self, host: str, port: int, domain: str = "localhost") -> None:
        self._address = (host, port)
        self.domain = domain
        self.jid = ""
        self.account = ""
        """Who the stream's header says it is from."""
        self.sm_id = ""
        self._numbers = itertools.count(1)
        self._elements: asyncio.Queue[etree._Element | None] = asyncio.Queue()
        self.handled = 0
        """Stanzas received since stream management was enabled."""

    async def connect(self, *, direct_tls: bool = False) -> Self:
        context = _any_certificate() if direct_tls else None
        self._reader, self._writer = await asyncio.open_connection(*self._address, ssl=context)
        self._pump: asyncio.Task[None] | None = None
        await self.open()
        return self

    async def open(self) -> etree._Element:
        """Open a stream and return its features."""
        if self._pump is not None:
            self._pump.cancel()
        self._parser = etree.XMLPullParser(events=("start", "end"), resolve_entities=False)
        self._depth = 0
        self._pump = asyncio.get_running_loop().create_task(self._read())
        from_ = f" from='{self.account}'" if self.account else ""
        self.send(
            f"<?xml version='1.0'?><stream:stream to='{self.domain}'{from_} "
            f"version='1.0' xmlns='jabber:client' xmlns:stream='{STREAMS}'>"
        )
        self.features = await self.recv()
        return self.features

    async def start_tls(self) -> None:
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        answer = await self.recv()
        assert answer.tag.endswith("}proceed"), answer.tag
        assert self._pump is not None
        self._pump.cancel()
        await self._writer.start_tls(_any_certificate())
        self._pump = None
        await self.open()

    async def login(self, user: str, password: str, mechanism: str = "SCRAM-SHA-1") -> None:
        """SCRAM without channel binding (RFC 5802), then a new stream."""
        name = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}[mechanism]
        nonce = secrets.token_hex(12)
        bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        self.send(f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{_b64(b'n,,' + bare.encode())}</auth>")
        challenge = await self.recv()
        if not challenge.tag.endswith("}challenge"):
            raise PermissionError(challenge[0].tag if len(challenge) else challenge.tag)
        server_first = base64.b64decode(challenge.text or "").decode()
        fields = dict(part.split("=", 1) for part in server_first.split(","))
        salted = hashlib.pbkdf2_hmac(name, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", name)
        without_proof = f"c={_b64(b'n,,')},r={fields['r']}"
        message = f"{bare},{server_first},{without_proof}".encode()
        signature = hmac.digest(hashlib.new(name, client_key).digest(), message, name)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self.send(f"<response xmlns='{SASL}'>{_b64(f'{without_proof},p={_b64(proof)}'.encode())}</response>")
        outcome = await self.recv()
        if not outcome.tag.endswith("}success"):
            raise PermissionError(outcome[0].tag)
        await self.open()

    async def bind(self, resource: str = "") -> str:
        inner = f"<resource>{resource}</resource>" if resource else ""
        result = await self.iq("set", f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{inner}</bind>")
        if result.get("type") != "result":
            raise PermissionError(etree.tostring(result).decode())
        self.jid = result[0][0].text or ""
        return self.jid

    async def enable_sm(self, *, resume: bool = False) -> None:
        asked = " resume='true'" if resume else ""
        self.send(f"<enable xmlns='{SM}'{asked}/>")
        answer = await self.recv_until(lambda element: element.tag == f"{{{SM}}}enabled")
        self.sm_id = answer.get("id", "")
        self.handled = 0

    async def resume(self, sm_id: str, h: int) -> etree._Element:
        self.send(f"<resume xmlns='{SM}' previd='{sm_id}' h='{h}'/>")
        return await self.recv_until(lambda element: element.tag.startswith(f"{{{SM}}}"))

    async def session(self, user: str, password: str, resource: str = "", *, priority: int = 0) -> Self:
        """Sign in, bind and become available."""
        await self.login(user, password)
        await self.bind(resource)
        self.send(f"<presence><priority>{priority}</priority></presence>")
        await self.recv_until(lambda element: element.tag.endswith("}presence") and element.get("from") == self.jid)
        return self

    async def iq(self, kind: str, payload: str, to: str = "") -> etree._Element:
        """Send a request and return its answer; other stanzas that come before are dropped."""
        number = f"r{next(self._numbers)}"
        address = f" to='{to}'" if to else ""
        self.send(f"<iq type='{kind}' id='{number}'{address}>{payload}</iq>")
        return await self.recv_until(lambda element: element.tag.endswith("}iq") and element.get("id") == number)

    def send(self, data: str | bytes) -> None:
        self._writer.write(data.encode() if isinstance(data, str) else data)

    async def recv(self, timeout_s: float = 30.0) -> etree._Element:
        """The next element; raises StreamClosedError or TimeoutError."""
        async with asyncio.timeout(timeout_s):
            element = await self._elements.get()
        if element is None:
            self._elements.put_nowait(None)
            raise StreamClosedError
        return element

    async def recv_until(self, is_wanted: Callable[[etree._Element], bool], timeout_s: float = 30.0) -> etree._Element:
        async with asyncio.timeout(timeout_s):
            while True:
                element = await self.recv(timeout_s)
                if is_wanted(element):
                    return element

    def waiting(self) -> list[etree._Element]:
        """What has come in already."""
        found = []
        while not self._elements.empty():
            element = self._elements.get_nowait()
            if element is not None:
                found.append(element)
        return found

    def cut(self) -> None:
        """Break the connection without a word."""
        self._writer.transport.abort()

    @property
    def local_port(self) -> int:
        port: int = self._writer.get_extra_info("sockname")[1]
        return port

    @property
    def certificate(self) -> bytes:
        """The server's certificate (DER)."""
        der: bytes = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return der

    async def close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        self._writer.close()

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65536):
                self._parser.feed(data)
                for event, element in self._parser.read_events():
                    if event == "start":
                        self._depth += 1
                        continue
                    self._depth -= 1
                    if self._depth == 1:
                        if element.tag.rpartition("}")[2] in ("message", "presence", "iq"):
                            self.handled += 1
                        self._elements.put_nowait(element)
                    elif self._depth == 0:
                        break
        except (OSError, etree.XMLSyntaxError):
            pass
        self._elements.put_nowait(None)


def _any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
