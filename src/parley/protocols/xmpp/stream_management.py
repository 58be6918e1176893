"""Stream management (XEP-0198): who has handled what, without any I/O.

Inbound, a stanza counts as handled only when it is (for a message: when it is committed), and the count only grows over
a gapless run from the start, so what is acknowledged is never more than what would survive a crash. Outbound, what was
sent waits in order until the peer acknowledges it, to be sent again on resumption.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.errors import HandledCountTooHigh, LocalProtocolError, PayloadError, StanzaCondition
from parley.protocols.xmpp.namespaces import NS_SM, NS_STANZAS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parley.protocols.xmpp.element import Element

P = TypeVar("P")

_MODULUS: Final = 2**32
_H_DIGITS: Final = 10
_MAX_QUESTIONS: Final = 1000


class StreamManagement(Generic[P]):
    """The state of one managed session; it outlives its streams.

    Args:
        max_unacked: how many stanzas may wait for the peer's acknowledgement.

    When a stream is resumed, the peer sends again what `h` did not cover, and those stanzas are counted again. So
    `<resumed/>` is sent only when `in_flight` is 0: ask by `request` and wait for `handled` to give the count.
    """

    __slots__ = ("_acked", "_finished", "_handled", "_max_unacked", "_questions", "_received", "_unacked")

    def __init__(self, max_unacked: int) -> None:
        self._max_unacked = max_unacked
        self._received = 0
        self._handled = 0
        self._finished: set[int] = set()  # handled, but something before it is not
        self._questions: deque[int] = deque()  # how many stanzas had come in before each open <r/>
        self._acked = 0
        self._unacked: deque[P] = deque()

    @classmethod
    def restored(cls, max_unacked: int, *, handled: int, acked: int, unacked: Iterable[P]) -> Self:
        """A session as it was: `handled` stanzas of the peer, `acked` of ours, and those that wait to be."""
        session = cls(max_unacked)
        session._received = session._handled = handled
        session._acked = acked % _MODULUS
        session._unacked.extend(unacked)
        return session

    # Towards us.

    def received(self) -> int:
        """Count a stanza that came in; returns the token, never 0, to give to `handled`."""
        self._received += 1
        return self._received

    def handled(self, token: int) -> list[int]:
        """A stanza is done with.

        Returns:
            the values of `h` to send in `<a/>` now, one for each open request that nothing is in front of any more.

        Raises:
            LocalProtocolError: no such stanza is in flight.
        """
        if not self._handled < token <= self._received or token in self._finished:
            raise LocalProtocolError(f"stanza {token} is not in flight")
        if token != self._handled + 1:
            self._finished.add(token)
            return []
        self._handled = token
        while self._finished and self._handled + 1 in self._finished:
            self._handled += 1
            self._finished.remove(self._handled)
        answers = []
        while self._questions and self._questions[0] <= self._handled:
            self._questions.popleft()
            answers.append(self.h)
        return answers

    def request(self) -> int | None:
        """The peer asked by `<r/>`: the `h` to answer now, or None when `handled` will tell later.

        Each is answered (XEP-0198 §4), but for a flood of them without a stanza in between, which is not remembered.
        """
        if self._handled == self._received:
            return self.h
        if len(self._questions) < _MAX_QUESTIONS or self._questions[-1] != self._received:
            self._questions.append(self._received)
        return None

    def forget_requests(self) -> None:
        """The stream is gone: who asked on it does not wait any more."""
        self._questions.clear()

    @property
    def handled_count(self) -> int:
        """How many stanzas of the peer are handled."""
        return self._handled

    @property
    def acked_count(self) -> int:
        """How many stanzas the peer has acknowledged, modulo 2^32."""
        return self._acked

    @property
    def h(self) -> int:
        """How many stanzas of the peer are handled, modulo 2^32 (XEP-0198 §4)."""
        return self._handled % _MODULUS

    @property
    def in_flight(self) -> int:
        """How many stanzas of the peer came in and are not counted in `h` yet."""
        return self._received - self._handled

    # Towards the peer.

    def sent(self, payload: P) -> bool:
        """Remember a stanza that is being sent; False, and nothing remembered, when too many wait already."""
        if len(self._unacked) >= self._max_unacked:
            return False
        self._unacked.append(payload)
        return True

    def acked(self, h: int) -> list[P]:
        """The peer has handled `h` stanzas (modulo 2^32); returns those that it had not acknowledged before, in order.

        Raises:
            HandledCountTooHigh: it cannot have handled so many.
        """
        new = (h - self._acked) % _MODULUS
        if new > len(self._unacked):
            raise HandledCountTooHigh(h, self.sent_count)
        self._acked = h
        return [self._unacked.popleft() for _ in range(new)]

    def unacked(self) -> list[P]:
        """What was sent and not acknowledged, in order; to be sent again when the session is resumed."""
        return list(self._unacked)

    @property
    def outstanding(self) -> int:
        """How many stanzas wait for an acknowledgement."""
        return len(self._unacked)

    @property
    def sent_count(self) -> int:
        """How many stanzas were sent, modulo 2^32."""
        return (self._acked + len(self._unacked)) % _MODULUS


def parse_h(element: Element) -> int:
    """The `h` of `<a/>` or `<resume/>`; raises PayloadError."""
    text = element.attrs.get("h", "")
    if not (text.isascii() and text.isdigit() and len(text) <= _H_DIGITS and int(text) < _MODULUS):
        raise PayloadError("h is not a count")
    return int(text)


def is_resume_asked(element: Element) -> bool:
    """Whether `<enable/>` asks for a session that can be resumed (XEP-0198 §3)."""
    return element.attrs.get("resume") in {"true", "1"}


def enabled(sm_id: str | None = None, *, max_s: int | None = None, location: str | None = None) -> bytes:
    """`<enabled/>`; with `sm_id` the session can be resumed for `max_s` seconds, preferably at `location`."""
    return xml(
        "enabled",
        {
            "xmlns": NS_SM,
            "id": sm_id,
            "resume": "true" if sm_id else None,
            "max": None if max_s is None else str(max_s),
            "location": location,
        },
    )


def resumed(sm_id: str, h: int) -> bytes:
    """`<resumed/>` for the session that the peer called `sm_id`."""
    return xml("resumed", {"xmlns": NS_SM, "previd": sm_id, "h": str(h)})


def failed(condition: StanzaCondition, h: int | None = None) -> bytes:
    """`<failed/>`; `h` tells how far a session that is gone had come (XEP-0198 §5)."""
    attrs = {"xmlns": NS_SM, "h": None if h is None else str(h)}
    return xml("failed", attrs, xml(condition.value, {"xmlns": NS_STANZAS}))


def acknowledgement(h: int) -> bytes:
    """`<a/>`."""
    return xml("a", {"xmlns": NS_SM, "h": str(h)})


REQUEST: Final = xml("r", {"xmlns": NS_SM})
"""`<r/>`."""
