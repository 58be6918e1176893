"""Signing in with a token in one step: the HT mechanisms (draft-schmaus-kitten-sasl-ht-08) and XEP-0484's elements.

initiator-message = authcid NUL HMAC(token, "Initiator" || channel binding)
responder-message = HMAC(token, "Responder" || channel binding)
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.errors import SASLCondition, SASLError
from parley.protocols.xmpp.namespaces import NS_FAST

if TYPE_CHECKING:
    from lxml.etree import _Element

HASH: Final = "sha256"
HASH_BYTES: Final = 32
BINDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "HT-SHA-256-EXPR": "tls-exporter",
        "HT-SHA-256-UNIQ": "tls-unique",
        "HT-SHA-256-ENDP": "tls-server-end-point",
        "HT-SHA-256-NONE": "",
    }
)
"""The channel binding of each mechanism, "" for none; the strongest first."""

_MAX_AUTHCID_BYTES: Final = 3071  # RFC 7622 §3.1: no address is longer
_MAX_COUNT_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Initiation:
    """The client's only message."""

    authcid: str
    proof: bytes


@dataclass(frozen=True, slots=True)
class FastRequest:
    """`<fast/>` (XEP-0484 §3.4, §3.6): a number that grows with each use of the token, and whether it is the last."""

    count: int | None
    is_invalidating: bool


def offered(channel_bindings: Mapping[str, bytes]) -> tuple[str, ...]:
    """The mechanisms for a connection with these channel bindings."""
    return tuple(name for name, binding in BINDINGS.items() if not binding or binding in channel_bindings)


def binding_data(mechanism: str, channel_bindings: Mapping[str, bytes]) -> bytes:
    """What goes into the proof; raises KeyError for a mechanism that was not offered."""
    binding = BINDINGS[mechanism]
    return channel_bindings[binding] if binding else b""


def parse_initiation(data: bytes) -> Initiation:
    """Read the client's message.

    Raises:
        SASLError: malformed-request.
    """
    authcid, nul, proof = data.partition(b"\0")
    if not nul or not authcid or len(authcid) > _MAX_AUTHCID_BYTES or len(proof) != HASH_BYTES:
        raise SASLError(SASLCondition.MALFORMED_REQUEST, "a name and a hash are needed")
    try:
        return Initiation(authcid.decode(), proof)
    except UnicodeDecodeError as error:
        raise SASLError(SASLCondition.MALFORMED_REQUEST, "the name must be UTF-8") from error


def initiator_proof(token: str, binding: bytes) -> bytes:
    """What proves that the client has the token."""
    return hmac.digest(token.encode(), b"Initiator" + binding, HASH)


def responder_proof(token: str, binding: bytes) -> bytes:
    """What proves that the server has it."""
    return hmac.digest(token.encode(), b"Responder" + binding, HASH)


def parse_fast(element: _Element) -> FastRequest:
    """Read `<fast/>`.

    Raises:
        SASLError: malformed-request, for a count that is no positive integer.
    """
    text = element.get("count")
    count = None
    if text is not None:
        is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_COUNT_DIGITS
        count = int(text) if is_number else 0
        if count < 1:
            raise SASLError(SASLCondition.MALFORMED_REQUEST, "count is not a positive integer")
    return FastRequest(count, element.get("invalidate") in {"true", "1"})


def feature(mechanisms: Iterable[str]) -> bytes:
    """The inline feature. Without `tls-0rtt`: nothing is taken from TLS early data here."""
    return xml("fast", {"xmlns": NS_FAST}, *(xml("mechanism", None, name) for name in mechanisms))


def token_element(token: str, expires_at: int) -> bytes:
    """`<token/>`; `expires_at` in microseconds since the epoch."""
    return xml("token", {"xmlns": NS_FAST, "token": token, "expiry": format_datetime(expires_at)})
