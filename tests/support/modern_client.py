"""A client that signs in by the newer SASL profile (XEP-0388), with Bind 2, tokens and channel binding.

As `raw_client.py` it shares no code with the server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Self

from cryptography import x509
from lxml import etree
from tests.support.raw_client import SM, RawClient

SASL2 = "urn:xmpp:sasl:2"
FAST = "urn:xmpp:fast:0"
BIND2 = "urn:xmpp:bind:0"
TOKEN_MECHANISM = "HT-SHA-256-ENDP"
SCRAM = "SCRAM-SHA-256-PLUS"


class ModernClient:
    """An installation: it keeps its id, its token and its session's id over connections, which `connection` is one of.

    Args:
        port: of direct TLS.
        name: of the account.
        agent: the id of the installation.
    """

    def __init__(self, port: int, name: str, agent: str, domain: str = "localhost") -> None:
        self._port = port
        self.name = name
        self.agent = agent
        self.domain = domain
        self.token = self.jid = self.sm_id = ""
        self.connection: RawClient
        self.round_trips = 0

    async def sign_in(self, password: str, inside: str = "") -> etree._Element:
        """SCRAM with channel binding, a session and a token, all in one; returns the outcome."""
        await self._connect()
        binding = "p=tls-server-end-point,,"
        bare = f"n={self.name},r={secrets.token_hex(12)}"
        wanted = f"<request-token xmlns='{FAST}' mechanism='{TOKEN_MECHANISM}'/>{self._session()}{inside}"
        await self._ask(self._request(SCRAM, binding.encode() + bare.encode(), wanted))
        challenge = await self.connection.recv()
        if not challenge.tag.endswith("}challenge"):
            return challenge
        server_first = base64.b64decode(challenge.text or "").decode()
        self._check_offer(server_first)
        final, signature = self._final(bare, binding.encode(), server_first, password)
        await self._ask(f"<response xmlns='{SASL2}'>{_b64(final)}</response>")
        outcome = await self._outcome()
        if outcome.tag == f"{{{SASL2}}}success":
            assert _data(outcome) == b"v=" + base64.b64encode(signature)
        return outcome

    async def come_again(self, h: int | None = None, attributes: str = "") -> etree._Element:
        """Sign in with the token, and with `h` resume the session; returns the outcome."""
        await self._connect()
        binding = self._end_point()
        proof = hmac.digest(self.token.encode(), b"Initiator" + binding, "sha256")
        resume = "" if h is None else f"<resume xmlns='{SM}' previd='{self.sm_id}' h='{h}'/>"
        inside = f"<fast xmlns='{FAST}' {attributes}/>{resume}{self._session()}"
        await self._ask(self._request(TOKEN_MECHANISM, self.name.encode() + b"\0" + proof, inside))
        outcome = await self._outcome()
        if outcome.tag == f"{{{SASL2}}}success":
            assert _data(outcome) == hmac.digest(self.token.encode(), b"Responder" + binding, "sha256")
        return outcome

    async def _connect(self) -> Self:
        self.round_trips = 0
        self.connection = RawClient("127.0.0.1", self._port, self.domain)
        self.connection.account = f"{self.name}@{self.domain}"
        await self.connection.connect(direct_tls=True)
        return self

    async def _ask(self, text: str) -> None:
        self.round_trips += 1
        self.connection.send(text)

    async def _outcome(self) -> etree._Element:
        outcome = await self.connection.recv()
        if outcome.tag == f"{{{SASL2}}}success":
            self.jid = self.connection.jid = outcome.findtext(f"{{{SASL2}}}authorization-identifier") or ""
            enabled = outcome.find(f".//{{{SM}}}enabled")
            self.sm_id = self.sm_id if enabled is None else enabled.get("id", "")
            given = outcome.find(f"{{{FAST}}}token")
            self.token = self.token if given is None else given.get("token", "")
            features = await self.connection.recv()
            assert features.tag.endswith("}features"), features.tag
        return outcome

    def _session(self) -> str:
        enable = f"<enable xmlns='{SM}' resume='true'/><enable xmlns='urn:xmpp:carbons:2'/>"
        return f"<bind xmlns='{BIND2}'><tag>Test</tag>{enable}</bind>"

    def _request(self, mechanism: str, initial: bytes, inside: str) -> str:
        agent = f"<user-agent id='{self.agent}'><software>Test</software><device>{self.agent}</device></user-agent>"
        return (
            f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>"
            f"<initial-response>{_b64(initial)}</initial-response>{agent}{inside}</authenticate>"
        )

    def _check_offer(self, server_first: str) -> None:
        """XEP-0474: nobody changed what was offered."""
        features = self.connection.features
        mechanisms = features.iterfind(f"{{{SASL2}}}authentication/{{{SASL2}}}mechanism")
        offered = sorted(each.text or "" for each in mechanisms)
        bindings = sorted(each.get("type", "") for each in features.iterfind("{urn:xmpp:sasl-cb:0}*/*"))
        said = "\x1e".join(offered) + "\x1f" + "\x1e".join(bindings)
        assert _fields(server_first)["h"] == _b64(hashlib.sha256(said.encode()).digest())

    def _final(self, bare: str, gs2: bytes, server_first: str, password: str) -> tuple[bytes, bytes]:
        fields = _fields(server_first)
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c={_b64(gs2 + self._end_point())},r={fields['r']}"
        message = f"{bare},{server_first},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return f"{without_proof},p={_b64(proof)}".encode(), server_signature

    def _end_point(self) -> bytes:
        """RFC 5929 §4: the hash of the server's certificate, by the hash of its signature."""
        der = self.connection.certificate
        algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
        return hashlib.new("sha256" if algorithm is None else algorithm.name, der).digest()


def _data(outcome: etree._Element) -> bytes:
    return base64.b64decode(outcome.findtext(f"{{{SASL2}}}additional-data") or "")


def _fields(server_first: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in server_first.split(","))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
