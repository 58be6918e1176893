"""What a client's stream tells its caller; see `protocols/xmpp/c2s.py`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.errors import StreamCondition
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


@dataclass(frozen=True, slots=True)
class BindRequested:
    """Resource binding (RFC 6120 §7); `resource` is "" when the server is to choose."""

    id: str
    resource: str


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
    | StanzaReceived
    | NonzaReceived
    | StreamEnded
)
