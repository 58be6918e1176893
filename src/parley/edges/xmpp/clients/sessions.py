"""All sessions over time: opened, lost and waiting to be resumed (XEP-0198 §5), asked for signs of life, ended."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.protocols.xmpp.errors import StreamCondition

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.connection import Connection
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

_TICK_S: Final = 1.0
_ENDED_KEPT: Final = 10_000


class Sessions:
    """Keeps track of sessions and connections, and does what is due every second."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._resumable: dict[str, Session] = {}
        self._detached: dict[Session, None] = {}
        self._leaving: dict[Session, float] = {}
        """Those whose clients have said their last, and when they end at the latest."""
        self._ended: OrderedDict[tuple[int, str], int] = OrderedDict()
        self.connections: set[Connection] = set()

    def opened(self, session: Session) -> None:
        """A resource was bound."""
        self._host.router.add(session)
        self._host.metrics.session_opened()

    def leaving(self, session: Session) -> None:
        """The session takes nothing any more and cannot be resumed; what its client said is still being done."""
        self._leaving[session] = self._host.clock.monotonic() + self._host.settings.limits.ping_timeout_s
        if self._resumable.pop(session.sm_id, None) is not None and session.sm is not None:
            self._ended[session.account.id, session.sm_id] = session.sm.h
            while len(self._ended) > _ENDED_KEPT:
                self._ended.popitem(last=False)
        self._detached.pop(session, None)
        self._host.router.remove(session)
        self._host.journal.ended(session)

    def closed(self, session: Session) -> None:
        """The session is over."""
        del self._leaving[session]
        self._host.metrics.session_closed()

    @property
    def is_working(self) -> bool:
        """Whether anything that a client sent is not done yet."""
        return any(session.is_working for session in (*self._host.router, *self._leaving))

    def handled_late(self, session: Session) -> None:
        """A stanza of a session that nobody can resume was handled: whoever asks is told so."""
        place = (session.account.id, session.sm_id)
        if place in self._ended and session.sm is not None:
            self._ended[place] = session.sm.h

    def make_resumable(self, session: Session) -> str:
        """Give the session an id by which it can be resumed."""
        session.sm_id = secrets.token_urlsafe(18)
        self._resumable[session.sm_id] = session
        self._host.journal.opened(session)
        return session.sm_id

    def restored(self, session: Session) -> None:
        """A session of an earlier process was made anew: it waits to be resumed."""
        self.opened(session)
        self._resumable[session.sm_id] = session
        session.detached_at = self._host.clock.monotonic()
        self._detached[session] = None

    def resumable(self, sm_id: str, account_id: int) -> Session | None:
        """The session with that id, if it is the account's."""
        session = self._resumable.get(sm_id)
        return session if session is not None and session.account.id == account_id else None

    def ended_at(self, sm_id: str, account_id: int) -> int | None:
        """How many stanzas of the client a session had handled that is over; None when that is not known any more."""
        return self._ended.get((account_id, sm_id))

    def reattached(self, session: Session) -> None:
        """The session was resumed."""
        self._detached.pop(session, None)

    def connection_lost(self, session: Session) -> None:
        """The session's connection broke: it waits to be resumed, or is over."""
        session.connection = None
        # XEP-0352 §5: a stream begins active; what waited is part of what is to be resumed.
        session.wake()
        if session.sm_id and not session.is_leaving and self._host.settings.limits.sm_resume_timeout_s > 0:
            session.detached_at = self._host.clock.monotonic()
            self._detached[session] = None
        else:
            session.finish()

    async def run(self) -> None:
        """Do what is due, every second, for ever."""
        while True:
            await self._host.clock.sleep(_TICK_S)
            self.tick(self._host.clock.monotonic())

    def tick(self, now: float) -> None:
        """Do what is due at `now`, monotonic seconds."""
        limits = self._host.settings.limits
        # Sessions are detached in the order of time, so the first one is the oldest.
        while self._detached:
            session = next(iter(self._detached))
            if session.detached_at + limits.sm_resume_timeout_s > now:
                break
            session.end()
        for session in [session for session, end_at in self._leaving.items() if end_at <= now]:
            log.warning("a session ended before what it had sent was done", pii={"jid": session.jid})
            session.end()
        for connection in list(self.connections):
            connection.request_acknowledgement()
            if connection.session is None:
                if now - connection.opened_at > limits.handshake_timeout_s:
                    connection.fail(StreamCondition.CONNECTION_TIMEOUT, "no resource was bound in time")
            elif connection.asked_at is not None:
                if now - connection.asked_at > limits.ping_timeout_s:
                    log.info("client is silent", pii={"peer": connection.peer})
                    connection.abort()
            elif now - connection.heard_at > limits.idle_before_ping_s:
                connection.asked_at = now
                connection.ping()
