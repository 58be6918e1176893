"""Requests from occupant to occupant (XEP-0045 §17.4), to oneself (XEP-0410), and private messages that come back.

Neither learns the other's real address: the request goes on under an id of ours, by which the answer finds back.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.domain.rooms.errors import RoomRefused, Why
from parley.edges.xmpp.rooms.rendering import in_room
from parley.protocols.xmpp.element import Element, restamp
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_CLIENT, NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_VCARD

if TYPE_CHECKING:
    from parley.domain.rooms.events import Occupant
    from parley.edges.xmpp.extension import Inbound
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.rooms.live import LiveRoom

_MOST_OPEN: Final = 10_000
_DISCO: Final = frozenset({NS_DISCO_INFO, NS_DISCO_ITEMS})


@dataclass(frozen=True, slots=True)
class _Open:
    """A request on its way: who is asked, by whom, under what id the asker knows it, and whom they asked."""

    live: LiveRoom
    asked: str
    asker: str
    id: str
    nick: str


class Passing:
    """The requests that wait for an occupant's answer; the oldest are given up when there are too many."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._numbers = itertools.count(1)
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._whispers: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        """Who sent a private message, by the room, who got it, and its id."""

    async def request(self, live: LiveRoom | None, stanza: Inbound) -> bytes | None:
        """Pass a request on, or answer one that an occupant sends to themselves. Raises StanzaError, RoomRefused."""
        payload, session = stanza.element.children[0], str(stanza.sender)
        asker = None if live is None else live.room.inside(session)
        if live is None or asker is None:
            # §6.6 for service discovery; XEP-0410 §3.2 for the rest.
            if payload.namespace in _DISCO:
                raise StanzaError(StanzaCondition.BAD_REQUEST, "you are not in the room")
            raise RoomRefused(Why.NOT_INSIDE, "you are not in the room")
        target = live.room.occupants.get(stanza.to.resource)
        if target is None:
            raise RoomRefused(Why.NO_SUCH_OCCUPANT, "nobody of that name is here")
        if target is asker and payload.namespace == NS_PING:
            # XEP-0410 §3.3: who is inside is told so at once.
            return b""
        live.check_rate(session)
        # A vCard is the account's, whichever client is here: its bare address is asked.
        is_card = payload.namespace == NS_VCARD and stanza.element.type == "get"
        to = JID.parse(target.address if is_card else target.session)
        if is_card and self._host.router.is_account(to) and stanza.origin is not None:
            sender = live.jid.with_resource(asker.nick)
            return await self._host.requests.relayed(stanza.origin, stanza.element, sender, to)
        self._pass_on(live, stanza, asker, to)
        return None

    def _pass_on(self, live: LiveRoom, stanza: Inbound, asker: Occupant, to: JID) -> None:
        if self._host.router.is_account(to) and self._host.router.find(to) is None:
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        number = f"r{next(self._numbers)}"
        self._open[number] = _Open(live, str(to), str(stanza.sender), stanza.element.id or "", stanza.to.resource)
        while len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
        passed = restamp(stanza.element, from_=in_room(live.jid, asker.nick), to=str(to), id=number)
        self._host.post.send(passed, to)

    def answered(self, stanza: Inbound) -> None:
        """Take an answer back to who asked; one that nobody waits for is dropped."""
        waiting = self._open.get(stanza.element.id or "")
        if waiting is None or waiting.asked != str(stanza.sender) or stanza.to.bare != waiting.live.jid:
            return
        del self._open[stanza.element.id or ""]
        # Under the name that the occupant has by now.
        answering = waiting.live.room.inside(waiting.asked)
        from_ = in_room(waiting.live.jid, waiting.nick if answering is None else answering.nick)
        answer = restamp(_anonymous(stanza.element), from_=from_, to=waiting.asker, id=waiting.id)
        self._host.post.send(answer, JID.parse(waiting.asker))

    def whispered(self, live: LiveRoom, stanza: Inbound, target: Occupant) -> None:
        """A private message goes to somebody who may send it back. Of several clients one may, and another keep it."""
        if stanza.element.id and len(target.sessions) == 1:
            self._whispers[live.room.address, target.session, stanza.element.id] = str(stanza.sender)
            while len(self._whispers) > _MOST_OPEN:
                self._whispers.popitem(last=False)

    def bounced(self, live: LiveRoom, stanza: Inbound) -> None:
        """An error comes back: of a private message its sender hears; what was said to all is nobody's to hear of."""
        session = str(stanza.sender)
        teller = self._whispers.pop((live.room.address, session, stanza.element.id or ""), None)
        occupant = live.room.inside(session)
        if teller is not None and occupant is not None and live.room.inside(teller) is not None:
            from_ = in_room(live.jid, occupant.nick)
            self._host.post.send(restamp(_anonymous(stanza.element), from_=from_, to=teller), JID.parse(teller))


def _anonymous(answer: Element) -> Element:
    """An answer without the real address that an error may bear of who noticed it (§17.4: never revealed)."""
    child = answer.child(NS_CLIENT, "error")
    if child is None or b"by" not in answer.child_bytes(child):
        return answer
    tree = deepcopy(answer.tree())
    error = tree.find(f"{{{NS_CLIENT}}}error")
    if error is None or "by" not in error.attrib:
        return answer
    del error.attrib["by"]
    return Element.from_tree(tree)
