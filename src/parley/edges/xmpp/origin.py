"""Where stanzas come from: a client's session, a partner's server stream, a component.

Stanzas of one origin are handled in the order in which they came (RFC 6120 §10.1). Messages that go to the log overtake
nothing and wait for nobody: many are on their way to the disk at once, and the log keeps their order. Anything else
waits until they are there, so that a query sees what was sent before it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Collection
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import DomainError
from parley.edges.xmpp.refusals import stanza_error
from parley.protocols.xmpp.errors import RemoteProtocolError, StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.jid import JID

log = logs.get(__name__)

_NONE: Final[deque[bytes]] = deque(maxlen=0)


class Origin(ABC):
    """Takes stanzas of one peer one after the other. `owner` is who of ours speaks here, None for strangers."""

    is_partner = False
    """Whether it is another server, whose people may be strangers to those here."""
    assisted: Element | None = None
    """A message whose sender's server did what the message asked it for; the message itself has its turn again."""

    def __init__(self, host: Host, owner: Account | None) -> None:
        self.host = host
        self.owner = owner
        limits = host.settings.limits
        # Read on at a quarter: not at every stanza anew.
        self._backlog_high, self._backlog_low = limits.max_queued_stanzas, limits.max_queued_stanzas // 4
        self._in_flight_high, self._in_flight_low = limits.max_uncommitted, limits.max_uncommitted // 4
        self._in_flight = 0
        self._is_busy = False
        self._backlog: deque[tuple[Element, int]] = deque()
        self._repeats = _NONE

    # What kinds of origins differ in.

    @property
    @abstractmethod
    def is_ended(self) -> bool:
        """Whether it is over for good: what it said last is not handled any more."""

    @abstractmethod
    def sender(self, element: Element) -> JID:
        """The full address of who sent a stanza."""

    @abstractmethod
    def stamped(self, element: Element, *, to: str | None, from_: str | None = None) -> bytes:
        """A stanza of this origin as it goes on; `from_` is the sender's full address when not given."""

    @abstractmethod
    def answer(self, stanza: bytes) -> None:
        """Send to who is asking here what answers one of their stanzas; it is complete, with `from` and `to`."""

    @abstractmethod
    def reply_error(self, element: Element, error: StanzaError) -> None:
        """Answer a stanza with an error, if it may be answered."""

    @abstractmethod
    def handled(self, token: int) -> None:
        """The stanza with this token needs nothing more: it may be acknowledged."""

    @abstractmethod
    def hold(self, reason: str) -> None:
        """Read no further until `go_on` with the same reason."""

    @abstractmethod
    def go_on(self, reason: str) -> None:
        """Read on, when nothing else holds it."""

    def admits(self, element: Element) -> bool:
        """Whether the stanza may be handled; who says no has dealt with it."""
        return True

    @abstractmethod
    def done(self) -> None:
        """Something that the peer sent has been handled."""

    # The order of stanzas.

    def take(self, element: Element, token: int) -> None:
        """Handle a stanza when its turn has come."""
        if self._is_busy or self._backlog:
            self._backlog.append((element, token))
            if len(self._backlog) == self._backlog_high:
                self.hold("backlog")
        elif not self._process(element, token):
            self._backlog.append((element, token))

    def expect_again(self, content: bytes) -> None:
        """The log has this message already, and the peer does not know it: it will send it again."""
        self._repeats = self._repeats or deque()
        self._repeats.append(content)

    @property
    def expected_again(self) -> Collection[bytes]:
        """The messages that may come although the log has them already."""
        return self._repeats

    def is_again(self, content: bytes) -> bool:
        """Whether this message is the next of those that the log has already; behind another one there are none."""
        if self._repeats and self._repeats[0] == content:
            self._repeats.popleft()
            return True
        self._repeats = _NONE
        return False

    def in_flight(self) -> None:
        """One more message is on its way to the log; the peer is read no further when there are very many."""
        self._in_flight += 1
        if self._in_flight == self._in_flight_high:
            self.hold("log")

    def committed(self, token: int) -> None:
        """A message reached the log, or was refused by it."""
        self.not_in_flight()
        self.handled(token)
        if self._backlog and not self._is_busy:
            self._drain()
        self.done()

    def not_in_flight(self) -> None:
        """A message is not on its way to the log any more."""
        self._in_flight -= 1
        if self._in_flight == self._in_flight_low:
            self.go_on("log")

    @property
    def is_waiting_for_log(self) -> bool:
        """Whether messages from here are on their way to the log."""
        return self._in_flight > 0

    @property
    def is_working(self) -> bool:
        """Whether anything that the peer sent is not done yet."""
        return self._is_busy or self._in_flight > 0 or bool(self._backlog)

    def run(self, work: Awaitable[None], element: Element, token: int) -> None:
        """Handle a stanza that needs to wait for something; those behind it wait too."""
        self._is_busy = True
        self.host.supervisor.spawn("stanza", self._run(work, element, token))

    async def _run(self, work: Awaitable[None], element: Element, token: int) -> None:
        try:
            await work
        except StanzaError as error:
            self.reply_error(element, error)
        except (DomainError, RemoteProtocolError) as error:
            self.reply_error(element, stanza_error(error))
        except Exception as error:
            # The edge of a task that nobody waits for: a defect ends neither the peer's stream nor the server.
            self._failed(element, error)
        finally:
            self._is_busy = False
            self.handled(token)
            self._drain()
            self.done()

    def _drain(self) -> None:
        while self._backlog and not self._is_busy:
            element, token = self._backlog.popleft()
            if not self._process(element, token):
                self._backlog.appendleft((element, token))
                break
        if len(self._backlog) <= self._backlog_low:
            self.go_on("backlog")

    def _process(self, element: Element, token: int) -> bool:
        """Handle a stanza now; False when it must wait for messages on their way to the log."""
        host = self.host
        if self.is_ended:
            return True
        try:
            if not self.admits(element):
                return True
            if element.name == "message":
                return host.messages.receive(self, element, token)
            if self._in_flight:
                return False
            if element.name == "iq":
                host.requests.receive(self, element, token)
            else:
                host.presences.receive(self, element, token)
        except StanzaError as error:
            self.reply_error(element, error)
            self.handled(token)
        except (DomainError, RemoteProtocolError) as error:
            self.reply_error(element, stanza_error(error))
            self.handled(token)
        except Exception as error:
            # The edge to a peer: a defect that its stanza met is answered, and the stream goes on.
            self._failed(element, error)
            self.handled(token)
        return True

    def _failed(self, element: Element, error: Exception) -> None:
        log.defect("stanza failed", error, kind=element.name, pii={"jid": str(self)})
        self.reply_error(element, StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR))
