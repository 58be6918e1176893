"""What a client's stream is told to offer, and what it tells its caller; see `protocols/xmpp/c2s.py`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.errors import SASLCondition, StreamCondition
    from parley.protocols.xmpp.framing import FramingLimits
    from parley.protocols.xmpp.sasl2 import Authenticate


class StreamState(Enum):
    """Where the negotiation stands."""

    OPENING = "opening"
    NEGOTIATING = "negotiating"
    AUTHENTICATING = "authenticating"
    CONTINUING = "continuing"
    ESTABLISHED = "established"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TlsRequested:
    """The client may go on with TLS: send what `output()` holds, then start the handshake."""


@dataclass(frozen=True, slots=True)
class AuthRequested:
    """SASL began. `initial` is None when the client sent no initial response (b"" when it sent an empty one)."""

    mechanism: str
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class AuthenticateRequested:
    """SASL began by the newer profile (XEP-0388 §2.4), with all that is wanted beside it."""

    request: Authenticate


@dataclass(frozen=True, slots=True)
class AuthResponded:
    """The client's answer to a challenge."""

    data: bytes


@dataclass(frozen=True, slots=True)
class TaskChosen:
    """The client begins the task that it was told to do before it is let in (XEP-0388 §2.7.3)."""

    name: str


@dataclass(frozen=True, slots=True)
class TaskAnswered:
    """The client's part of the task in progress: a `<task-data/>`."""

    element: Element


@dataclass(frozen=True, slots=True)
class AuthAborted:
    """A try to sign in ended before anybody was asked about it: given up or malformed. The failure has been sent."""

    condition: SASLCondition


@dataclass(frozen=True, slots=True)
class BindRequested:
    """Resource binding (RFC 6120 §7); `resource` is "" when the server is to choose."""

    id: str
    resource: str


@dataclass(frozen=True, slots=True)
class RegistrationRequested:
    """Before signing in, an iq about opening an account (XEP-0077, XEP-0445); answered by `registration_answered`."""

    element: Element


@dataclass(frozen=True, slots=True)
class StanzaReceived:
    """A message, presence or iq on an established stream."""

    element: Element


@dataclass(frozen=True, slots=True)
class NonzaReceived:
    """Another element: stream management and the like, from the end of authentication on."""

    element: Element


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The stream is over. With `is_clean` the client closed it itself; otherwise `condition` was sent to it."""

    is_clean: bool
    condition: StreamCondition | None = None
    text: str = ""


Event = (
    TlsRequested
    | AuthRequested
    | AuthenticateRequested
    | AuthResponded
    | TaskChosen
    | TaskAnswered
    | AuthAborted
    | BindRequested
    | RegistrationRequested
    | StanzaReceived
    | NonzaReceived
    | StreamEnded
)


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What a listener offers.

    `primary_domain` stands in the header of a stream that ends before the client has named a domain.
    `features` returns the XML of further stream features: for False those before authentication, for True those after.
    `mechanisms` are the SASL mechanisms to offer for the names of the channel bindings at hand.
    `token_mechanisms` are those that take a token and stand in no list of the others (XEP-0484); `inside` is what the
    offer of the newer profile of SASL (XEP-0388) has behind its mechanisms, both for the channel bindings at hand.
    `registration` is the XML of the features that offer to open an account (XEP-0077), b"" where nobody may.
    `is_private` says that TLS is there although the stream does not see it, as behind a web server.
    """

    domains: frozenset[str]
    primary_domain: str
    is_framed: bool
    is_tls_offered: bool
    is_tls_required: bool
    mechanisms: Callable[[Mapping[str, bytes], bool], tuple[str, ...]]
    features: Callable[[bool], bytes]
    limits: FramingLimits
    authenticated_limits: FramingLimits
    token_mechanisms: Callable[[Mapping[str, bytes]], tuple[str, ...]] = lambda _bindings: ()
    inside: Callable[[Mapping[str, bytes]], bytes] = lambda _bindings: b""
    is_private: bool = False
    registration: bytes = b""


def is_supported_version(version: str) -> bool:
    """Whether a stream header's version is 1.0 or newer (RFC 6120 §4.7.5)."""
    major, dot, minor = version.partition(".")
    return bool(dot) and all(part.isascii() and part.isdecimal() for part in (major, minor)) and int(major) >= 1
