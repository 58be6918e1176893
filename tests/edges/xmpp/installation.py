"""An installation that signs in by the newer profile (XEP-0388), on the edge of `wires.py`."""

from __future__ import annotations

import base64
import hashlib
import hmac

from lxml import etree
from tests.edges.xmpp.wires import PASSWORD, Edge, FakeWire
from tests.protocols.xmpp.scram_client import ScramClient

SASL2 = "urn:xmpp:sasl:2"
FAST = "urn:xmpp:fast:0"
BIND2 = "urn:xmpp:bind:0"
SM = "urn:xmpp:sm:3"
END_POINT = b"end point"


def header(user: str = "alice") -> str:
    return (
        f"<stream:stream to='example.org' from='{user}@example.org' version='1.0' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams'>"
    )


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def parse(text: str) -> list[etree._Element]:
    """First-level elements of what a server said, header or not."""
    text = text.replace("</stream:stream>", "")
    if not text.startswith("<?xml"):
        text = header() + text
    return list(etree.fromstring((text + "</stream:stream>").encode()))


def bind(inside: str = "", tag: str = "") -> str:
    return f"<bind xmlns='{BIND2}'>{f'<tag>{tag}</tag>' if tag else ''}{inside}</bind>"


def proof(token: str, user: str = "alice", binding: bytes = b"") -> bytes:
    return user.encode() + b"\0" + hmac.digest(token.encode(), b"Initiator" + binding, hashlib.sha256)


class Installation:
    """One client program: it keeps its id and its token over connections."""

    def __init__(self, edge: Edge, agent: str = "phone-1", user: str = "alice") -> None:
        self.edge = edge
        self.agent = agent
        self.user = user
        self.token = ""
        self.wire: FakeWire
        self.features: etree._Element
        self.success: etree._Element | None = None

    async def open(self, kind: str = "tls", head: str = "") -> etree._Element:
        self.wire = self.edge.open(kind)
        answer = await self.edge.say(self.wire, head or header(self.user))
        self.features = parse(answer)[-1]
        return self.features

    def request(self, mechanism: str, initial: bytes | None, inside: str = "") -> str:
        response = "" if initial is None else f"<initial-response>{b64(initial)}</initial-response>"
        agent = f"<user-agent id='{self.agent}'><software>Talk</software><device>Alice's phone</device></user-agent>"
        return f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>{response}{agent}{inside}</authenticate>"

    async def say(self, data: str) -> list[etree._Element]:
        return parse(await self.edge.say(self.wire, data))

    async def plain(self, inside: str = "", password: str = PASSWORD) -> list[etree._Element]:
        """PLAIN; waits for the outcome, which takes a thread."""
        request = self.request("PLAIN", f"\0{self.user}\0{password}".encode(), inside)
        answer = await self.edge.say(self.wire, request)
        for _ in range(2000):
            if any(end in answer for end in ("</stream:features>", "</failure>", "</continue>", "</stream:stream>")):
                break
            answer += await self.edge.ask(self.wire, "", "")
        return self._taken(parse(answer))

    async def scram(
        self, inside: str = "", mechanism: str = "SCRAM-SHA-256", password: str = PASSWORD
    ) -> list[etree._Element]:
        name = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}[mechanism[:13].rstrip("-")]
        binding = ("tls-server-end-point", END_POINT) if mechanism.endswith("-PLUS") else None
        client = ScramClient(name, self.user, password, binding=binding)
        (challenge,) = await self.say(self.request(mechanism, client.first(), inside))
        assert challenge.tag == f"{{{SASL2}}}challenge", etree.tostring(challenge)
        self.challenge = base64.b64decode(challenge.text or "")
        final = client.final(self.challenge)
        answer = await self.say(f"<response xmlns='{SASL2}'>{b64(final)}</response>")
        data = answer[0].findtext(f"{{{SASL2}}}additional-data") if answer else None
        if data is not None and not answer[0].tag.endswith("}failure"):
            assert client.accepts(base64.b64decode(data))
        return self._taken(answer)

    async def fast(
        self, inside: str = "", mechanism: str = "HT-SHA-256-NONE", attributes: str = "", binding: bytes = b""
    ) -> list[etree._Element]:
        """Sign in with the token."""
        said = proof(self.token, self.user, binding)
        answer = await self.say(self.request(mechanism, said, f"<fast xmlns='{FAST}' {attributes}/>{inside}"))
        data = answer[0].findtext(f"{{{SASL2}}}additional-data")
        if data is not None:
            expected = hmac.digest(self.token.encode(), b"Responder" + binding, hashlib.sha256)
            assert base64.b64decode(data) == expected
        return self._taken(answer)

    def _taken(self, answer: list[etree._Element]) -> list[etree._Element]:
        self.success = None
        if answer and answer[0].tag == f"{{{SASL2}}}success":
            self.success = answer[0]
            given = answer[0].find(f"{{{FAST}}}token")
            if given is not None:
                self.token = given.get("token", "")
        return answer

    @property
    def identifier(self) -> str:
        assert self.success is not None
        return self.success.findtext(f"{{{SASL2}}}authorization-identifier") or ""

    def failure(self, answer: list[etree._Element]) -> str:
        """The condition of the failure that was answered."""
        assert answer[0].tag == f"{{{SASL2}}}failure", etree.tostring(answer[0])
        return str(answer[0][0].tag).rpartition("}")[2]
