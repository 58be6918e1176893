"""Stream management of one server connection (XEP-0198): what was handled and what arrived, and how a stream that broke
goes on on another connection.

What the end that opened a stream does to resume it, and the other to let it:

    opened it    broken ──dial──▶ <resume/> ──<resumed/>──▶ what was not acknowledged is sent again, then the rest
                                     └──<failed/>──▶ <enable/>, everything that was not acknowledged is sent again
    was called   broken ──<resume/>──▶ what came in is handled to its end ──▶ <resumed/>

Where the partner has none, a ping (XEP-0199) behind stanzas asks in its place whether they arrived: it is answered when
they were handled (RFC 6120 §10.1), on whichever stream. A partner that never answers is believed to have everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import PayloadError, StanzaCondition, StreamCondition, StreamError
from parley.protocols.xmpp.namespaces import NS_PING, NS_SM
from parley.protocols.xmpp.stream_management import (
    REQUEST,
    StreamManagement,
    acknowledgement,
    enabled,
    failed,
    is_resume_asked,
    parse_h,
    resumed,
)

if TYPE_CHECKING:
    from parley.edges.xmpp.federation.connection import Parcel, ServerConnection
    from parley.edges.xmpp.federation.links import Link
    from parley.edges.xmpp.federation.ports import Pair
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.jid import JID

MAX_UNACKED: Final = 10_000
_REQUEST_AFTER: Final = 20
_REMEMBERED_S: Final = 3600.0
"""For how long the count of a stream that cannot be resumed any more is told."""


class Management:
    """The counts of one connection; they outlive it when its stream can be resumed.

    Args:
        connection: whose.
        ready: called, as the end that opened the stream, when stanzas may go out.
    """

    def __init__(self, connection: ServerConnection, ready: Callable[[], None]) -> None:
        self._connection = connection
        self._ready = ready
        self.sm: StreamManagement[Parcel] | None = None
        self.id = ""
        """What the stream is called when it is to be resumed, "" when it cannot be."""
        self.resume_s = 0.0
        """For how long it can be."""
        self.until = 0.0
        """Until when, once its connection broke, monotonic seconds."""
        self.is_counting = False
        """The partner counts what it sends, and sends again what was not handled when the stream broke."""
        self._probe: tuple[str, int] | None = None
        """The open ping and how many stanzas were sent before it."""
        self._is_probing = False
        self._is_request_open = False
        self.owed_since: float | None = None
        """Since when something that was sent is not acknowledged, monotonic seconds."""
        self.resuming: Management | None = None
        """The one of a stream that broke, whose place this one is to take."""
        self._when_settled: Callable[[], None] | None = None

    @property
    def outstanding(self) -> int:
        """How many stanzas that were sent are not acknowledged."""
        return 0 if self.sm is None else self.sm.outstanding

    @property
    def has_room(self) -> bool:
        """Whether one more may be sent."""
        return self.outstanding < MAX_UNACKED

    @property
    def must_answer(self) -> bool:
        """Whether the partner owes an answer to a request."""
        return self.sm is not None and self._is_request_open and not self._may_be_silent

    @property
    def _may_be_silent(self) -> bool:
        """Whether it may be a partner that does not answer pings at all."""
        link = self._link
        return self._is_probing and (link is None or not link.answers_pings)

    # As the end that opened the stream.

    def start(self, broken: Management | None) -> None:
        """Count what is sent from now on; go on with a stream that broke where there is one."""
        self.resuming = broken
        if broken is None:
            self._enable()
        else:
            # What the partner sent on that stream is to be counted to its end before it is told how much that was.
            broken.when_settled(self._resume)

    def start_without(self) -> None:
        """The partner has no stream management."""
        self.sm = self.sm or StreamManagement(MAX_UNACKED)
        self._is_probing = True

    def _enable(self) -> None:
        is_wanted = self._connection.host.settings.federation.resume_s > 0
        self._send(xml("enable", {"xmlns": NS_SM, "resume": "true" if is_wanted else None}))
        # Stanzas wait until it is answered: what goes out before cannot be resumed when the connection breaks then.
        self.sm = StreamManagement(MAX_UNACKED)

    def _resume(self) -> None:
        broken = self.resuming
        if broken is None or broken.sm is None or self._connection.is_lost:
            return
        self._send(xml("resume", {"xmlns": NS_SM, "previd": broken.id, "h": str(broken.sm.h)}))

    def _resumed(self, element: Element) -> None:
        broken, self.resuming = self.resuming, None
        if broken is None or broken.sm is None:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, "nothing was to be resumed")
        self._go_on(broken, parse_h(element))
        self._ready()

    def _not_resumed(self, element: Element) -> None:
        broken, self.resuming = self.resuming, None
        if broken is not None and broken.sm is not None:
            if "h" in element.attrs:
                # §5: the count of a stream that is gone tells all the same what arrived.
                self._delivered(broken.sm.acked(parse_h(element)))
            link = self._link
            if link is not None:
                link.give_up_stream()
        self._enable()

    # As the end that was called.

    def _enabled_by_partner(self, element: Element) -> None:
        connection = self._connection
        self.sm = StreamManagement(MAX_UNACKED)
        self.is_counting = True
        link = self._link
        resume_s = connection.host.settings.federation.resume_s
        # A stream of several domains would need all their proofs again.
        if is_resume_asked(element) and resume_s > 0 and len(connection.stream.remotes) == 1:
            self.id, self.resume_s = connection.federation.resumable.add(connection.between, self), float(resume_s)
            self._send(enabled(self.id, max_s=resume_s))
        else:
            self._send(enabled())
        if link is not None:
            # The partner goes on without the stream that broke.
            link.give_up_stream()
            link.use(connection)

    def _resume_asked(self, element: Element) -> None:
        broken = self._connection.federation.resumable.find(element.attrs.get("previd", ""), self._connection.between)
        h = parse_h(element)
        if broken is None or broken.sm is None:
            self._send(failed(StanzaCondition.ITEM_NOT_FOUND))
            return
        if not broken.id or (broken.until and self._connection.host.clock.monotonic() > broken.until):
            # Its time is over: it is of use for its count alone.
            self._send(failed(StanzaCondition.ITEM_NOT_FOUND, broken.sm.h))
            return
        self.resuming = broken
        # §5: a stream that is thought to be there still is not.
        broken.end_for_another()
        broken.when_settled(lambda: self._let_resume(h))

    def _let_resume(self, h: int) -> None:
        connection, broken = self._connection, self.resuming
        self.resuming = None
        if connection.is_lost or broken is None or broken.sm is None:
            return
        try:
            self._delivered(broken.sm.acked(h))
        except StreamError as error:
            connection.fail(error.condition, error.text, error.application)
            return
        self._send(resumed(broken.id, broken.sm.h))
        connection.federation.resumable.replace(broken.id, self)
        self._go_on(broken, h)
        link = self._link
        if link is not None:
            link.use(connection)

    # When the connection is over.

    @property
    def is_ours(self) -> bool:
        """Whether it is for us to resume the stream."""
        return self._connection.direction == "out"

    def end_for_another(self) -> None:
        """The stream goes on elsewhere: this connection is over, if it is not yet."""
        self._connection.give_way()

    def over(self, now: float) -> None:
        """The connection is over: from now on the time counts in which the stream can be resumed."""
        self.until = now + self.resume_s
        self._forget_probe()

    def end(self) -> list[Parcel]:
        """The stream is not resumed; returns what was not acknowledged and is to be sent on another one, in order."""
        if self.id and self._connection.is_ended_in_order:
            self._connection.federation.resumable.remove(self.id)
        self.id = ""
        if self.sm is None:
            return []
        # The counts stay for who asks for them, the stanzas do not.
        return [parcel for parcel in self.sm.acked(self.sm.sent_count) if not parcel.is_given_up]

    # Both.

    def _go_on(self, broken: Management, h: int) -> None:
        """Take the place of a stream that broke, and send again what the partner does not have."""
        sm = broken.sm
        if sm is None:
            return
        self._delivered(sm.acked(h))
        again = [parcel for parcel in sm.unacked() if not parcel.is_given_up]
        self.sm = StreamManagement.restored(MAX_UNACKED, handled=sm.handled_count, acked=sm.acked_count, unacked=again)
        self.is_counting = True
        self.id, self.resume_s = broken.id, broken.resume_s
        broken.id, broken.sm = "", None
        link = self._link
        if link is not None:
            link.stream_goes_on()
        for parcel in again:
            self._send(parcel.stanza)
        if again:
            self.owed_since = self._connection.host.clock.monotonic()
            self.request()

    def when_settled(self, callback: Callable[[], None]) -> None:
        """Call when all that came in is handled: at once, or later."""
        if self.sm is None or self.sm.in_flight == 0:
            callback()
        else:
            self._when_settled = callback

    def received(self) -> int:
        """A stanza came in; its token for `handled`, 0 where nothing is counted."""
        return self.sm.received() if self.sm is not None and self.is_counting else 0

    def handled(self, token: int) -> None:
        """A stanza that came in needs nothing more."""
        if self.sm is None or not token:
            return
        for h in self.sm.handled(token):
            self._send(acknowledgement(h))
        if self._when_settled is not None and self.sm.in_flight == 0:
            callback, self._when_settled = self._when_settled, None
            callback()

    def sent(self, parcel: Parcel, now: float) -> None:
        """A stanza goes out."""
        if self.sm is None:
            # Nobody will say that it arrived.
            self._delivered((parcel,))
            return
        self.sm.sent(parcel)
        if self.owed_since is None:
            self.owed_since = now

    def after_sending(self) -> None:
        """Ask, where it is time to."""
        if self.sm is not None and self.sm.outstanding % _REQUEST_AFTER == 0:
            self.request()

    def request(self) -> None:
        """Ask what arrived, unless the partner was asked already."""
        if not self._is_request_open:
            self._is_request_open = True
            self._send(self._new_probe() if self._is_probing else REQUEST)

    # Pings, in place of stream management.

    def _new_probe(self) -> bytes:
        connection = self._connection
        pair, name = connection.between, connection.host.new_id()
        self._probe = (name, 0 if self.sm is None else self.sm.sent_count)
        connection.federation.probes[name] = self
        attrs = {"type": "get", "id": name, "from": pair.local, "to": pair.remote}
        return xml("iq", attrs, xml("ping", {"xmlns": NS_PING}))

    def _forget_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            self._connection.federation.probes.pop(probe[0], None)

    def is_answer(self, sender: JID, to: JID) -> bool:
        """Whether something that has the ping's id answers it."""
        pair = self._connection.between
        return (str(to), str(sender)) == (pair.local, pair.remote)

    def answered(self) -> None:
        """The ping was answered: what was sent before it has arrived."""
        probe, link = self._probe, self._link
        self._forget_probe()
        self._is_request_open, self.owed_since = False, None
        if link is not None:
            link.answers_pings = True
        if probe is None or self.sm is None:
            return
        self._delivered(self.sm.acked(probe[1]))
        if self.sm.outstanding:
            self.owed_since = self._connection.host.clock.monotonic()

    def believe(self, now: float, timeout_s: float) -> None:
        """Take what was sent for delivered when a partner that never answered a ping had its time."""
        is_late = self.owed_since is not None and now - self.owed_since > timeout_s
        if is_late and self._may_be_silent and self.sm is not None:
            self._forget_probe()
            self._is_probing, self._is_request_open, self.owed_since = False, False, None
            sm, self.sm = self.sm, None
            self._delivered(sm.unacked())

    def acknowledge(self) -> None:
        """Say what was handled: nobody resumes the stream, and it need not come again on another one."""
        if self.sm is not None and self.is_counting and self._connection.is_open:
            self._send(acknowledgement(self.sm.h))

    def take(self, element: Element) -> None:
        """An element of stream management came in; raises StreamError."""
        try:
            self._take(element)
        except PayloadError as error:
            raise StreamError(StreamCondition.BAD_FORMAT, str(error)) from error

    def _take(self, element: Element) -> None:
        name, sm, is_ours = element.name, self.sm, self.is_ours
        if name == "enable" and sm is None and self.resuming is None and not is_ours:
            self._enabled_by_partner(element)
        elif name == "enabled" and sm is not None and is_ours and not self.is_counting and not self._is_probing:
            self.is_counting = True
            self._may_be_resumed(element)
            self._ready()
        elif name == "resume" and sm is None and self.resuming is None and not is_ours:
            self._resume_asked(element)
        elif name == "resumed" and self.resuming is not None and is_ours:
            self._resumed(element)
        elif name == "failed" and self.resuming is not None and is_ours:
            self._not_resumed(element)
        elif name == "failed" and sm is not None and not self.is_counting and not self._is_probing:
            self.start_without()
            self._ready()
        elif name == "r" and sm is not None:
            h = sm.request()
            if h is not None:
                self._send(acknowledgement(h))
        elif name == "a" and sm is not None and not self._is_probing:
            self._is_request_open, self.owed_since = False, None
            self._delivered(sm.acked(parse_h(element)))
            if sm.outstanding:
                self.owed_since = self._connection.heard_at
        else:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"{name} is not expected")

    def _may_be_resumed(self, element: Element) -> None:
        # Some say that they resume, and name nothing that could be.
        most_s, asked = self._connection.host.settings.federation.resume_s, element.attrs.get("max", "")
        if is_resume_asked(element) and element.id and most_s > 0:
            self.id = element.id
            self.resume_s = float(min(most_s, int(asked)) if asked.isascii() and asked.isdecimal() else most_s)

    @property
    def _link(self) -> Link | None:
        """Whose stanzas go out here, or may."""
        connection = self._connection
        return connection.federation.links.find(connection.between) if connection.carries_ours else None

    def _delivered(self, parcels: Iterable[Parcel]) -> None:
        self._connection.federation.settled(parcel.seq for parcel in parcels)

    def _send(self, data: bytes) -> None:
        self._connection.send(data)


class Resumable:
    """Streams that partners opened and may resume, by what they are called; also those whose time is over, for a while,
    since their counts spare what would come twice.

    Args:
        new_id: returns a name that nobody guesses.
        most: how many are remembered.
    """

    def __init__(self, new_id: Callable[[], str], most: Callable[[], int]) -> None:
        self._new_id = new_id
        self._most = most
        self._streams: dict[str, tuple[Pair, Management]] = {}

    def add(self, pair: Pair, stream: Management) -> str:
        """Remember a stream; returns what it is called."""
        while len(self._streams) >= self._most():
            del self._streams[next(iter(self._streams))]
        name = self._new_id()
        self._streams[name] = (pair, stream)
        return name

    def find(self, name: str, pair: Pair) -> Management | None:
        """The stream of a pair that is called so."""
        known = self._streams.get(name)
        return known[1] if known is not None and known[0] == pair else None

    def replace(self, name: str, stream: Management) -> None:
        """The stream goes on elsewhere."""
        if name in self._streams:
            self._streams[name] = (self._streams[name][0], stream)

    def remove(self, name: str) -> None:
        """The stream has ended in order."""
        self._streams.pop(name, None)

    def expire(self, now: float) -> None:
        """Forget those whose time was over long ago."""
        for name, (_, stream) in list(self._streams.items()):
            if stream.until and now > stream.until + _REMEMBERED_S:
                del self._streams[name]
