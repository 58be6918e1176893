"""Presence (RFC 6121 §4): broadcast, probes, directed presence. Subscriptions are in `subscribing.py`."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.edges.xmpp.clients.session import Presence, Session
from parley.edges.xmpp.extension import Inbound
from parley.edges.xmpp.people.blocking import is_blocked
from parley.edges.xmpp.people.spreading import Spreading
from parley.edges.xmpp.people.strangers import SUBSCRIPTION_TYPES, Strangers
from parley.edges.xmpp.people.subscribing import Subscribing
from parley.protocols.xmpp.builder import attribute
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_CLIENT

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.domain.contacts import Contact, Roster
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.origin import Origin

log = logs.get(__name__)

_TYPES: Final = frozenset({None, "unavailable", "probe", "error"}) | SUBSCRIPTION_TYPES
_PRIORITY: Final = re.compile(r"[+-]?[0-9]{1,3}")
_SHOWS: Final = frozenset({"", "away", "chat", "dnd", "xa"})


class Presences:
    """Takes presence from sessions and tells those who may know."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._subscribing = Subscribing(host)
        self._strangers = Strangers(host, self._subscribing)
        # Few extensions have to do with presence, and presence is most of what clients say.
        extensions = host.extensions
        self._decorators = [each.decorate_presence for each in extensions if each.decorate_presence is not None]
        self._on_presence = [each.on_presence for each in extensions if each.on_presence is not None]
        self._on_available = [each.on_available for each in extensions if each.on_available is not None]
        self._on_unavailable = [each.on_unavailable for each in extensions if each.on_unavailable is not None]

    def receive(self, origin: Origin, element: Element, token: int) -> None:
        """Handle a presence stanza.

        Raises:
            StanzaError: its type is unknown; RemoteProtocolError: it is malformed.
        """
        to = JID.parse(element.to) if element.to else None
        if element.type not in _TYPES:
            raise StanzaError(StanzaCondition.BAD_REQUEST, "unknown type of presence")
        if to is not None and self._host.router.service(to.domain):
            origin.run(self._to_service(origin, element, to), element, token)
        elif isinstance(origin, Session):
            self._from_client(origin, element, to, token)
        elif to is not None and not self._host.router.is_local(to):
            # Between components and other servers this one stands in the middle.
            self._host.abroad(to.domain).send(origin.stamped(element, to=str(to)), origin.sender(element), to)
            origin.handled(token)
        elif to is None or not self._host.router.is_account(to):
            origin.handled(token)  # RFC 6121 §8.5.1: presence for nobody is silently ignored
        else:
            origin.run(self._strangers.receive(origin, element, to), element, token)

    def _from_client(self, session: Session, element: Element, to: JID | None, token: int) -> None:
        kind = element.type
        if kind in SUBSCRIPTION_TYPES:
            if to is None or (not to.local and self._host.router.is_local(to)):
                # Gateways and other servers' bots have addresses without a name before the @ (XEP-0100 §4.1).
                raise StanzaError(StanzaCondition.BAD_REQUEST, "a subscription names a contact")
            session.run(self._subscribing.from_client(session, element, to.bare), element, token)
        elif to is not None:
            session.run(self._directed(session, element, to), element, token)
        elif kind is None:
            session.run(self._paced(session, partial(self._available, session, element)), element, token)
        elif kind == "unavailable":
            going = partial(self._unavailable, session, session.stamped(element, to=None))
            session.run(self._paced(session, going), element, token)
        else:
            session.handled(token)

    async def _paced(self, session: Session, broadcast: Callable[[], Awaitable[None]]) -> None:
        """Let a client's broadcast happen, and what it sends next wait when there were very many."""
        spreading = self._host.memory(Spreading)
        # Another connection of the account does not go past what this one owes.
        await spreading.pace(session.account.id, 0)
        await broadcast()
        roster = await self._host.rosters.get(session.account.id)
        told = sum(contact.state.from_ for contact in roster.contacts.values())
        await spreading.pace(session.account.id, told)

    async def _to_service(self, origin: Origin, element: Element, to: JID) -> None:
        if isinstance(origin, Session):
            self._remember(origin, element, to)
            element = await self._decorated(origin, element)
        await self._host.services.presence(Inbound(self._host, origin, element, origin.sender(element), to))

    def ended(self, session: Session) -> None:
        """The session is over without having said so."""
        if session.presence is not None or session.directed:
            stanza = xml("presence", {"from": str(session.jid), "type": "unavailable"})
            self._host.supervisor.spawn("unavailable", self._unavailable(session, stanza))

    # Broadcast.

    async def _available(self, session: Session, element: Element) -> None:
        host = self._host
        element = await self._decorated(session, element)
        presence = _read(element, session.stamped(element, to=None))
        roster = await host.rosters.get(session.account.id)
        if session.is_leaving:
            return
        is_first = session.presence is None
        was_ready = session.presence is not None and session.presence.priority >= 0
        session.presence = presence
        self._broadcast(session, session.presence.stanza, roster)
        if is_first:
            await self._first(session, roster)
        for hear in self._on_presence:
            await hear(host, session, element)
        for welcome in self._on_available if is_first else ():
            await welcome(host, session)
        if session.is_leaving or session.presence is None:
            return
        if session.presence.priority >= 0:
            host.mail.ready(session)
        elif was_ready:
            host.mail.resting(session)

    async def _first(self, session: Session, roster: Roster) -> None:
        """RFC 6121 §4.2.2 and §4.3: learn who is there; §3.1.3: requests that wait."""
        for contact in roster.contacts.values():
            await session.room()
            if session.is_leaving:
                return
            address = JID.parse(contact.address)
            if not self._host.router.is_local(address):
                self._ask_abroad(session, contact, address)
            elif contact.state.to:
                await self._answer_probe(session, address)
            if contact.state.pending_in and contact.request:
                session.send(contact.request)
        for other in self._host.router.available(session.account.address):
            if other is not session and other.presence is not None:
                session.send(_to(other.presence.stanza, session.jid))

    def _ask_abroad(self, session: Session, contact: Contact, address: JID) -> None:
        """RFC 6121 §4.3.1: probe; §3.1.2: ask again for a subscription that was not answered."""
        if is_blocked(session.blocks, session.account, address):
            return
        if contact.state.to:
            attrs = {"from": str(session.jid), "to": contact.address, "type": "probe"}
            self._quietly(xml("presence", attrs), session.jid, address)
        elif contact.state.pending_out and len(self._host.router.available(session.account.address)) == 1:
            attrs = {"from": session.account.address, "to": contact.address, "type": "subscribe"}
            self._quietly(xml("presence", attrs), session.jid.bare, address)

    async def _unavailable(self, session: Session, stanza: bytes) -> None:
        was_available = session.presence is not None
        session.presence = None
        session.notify_nodes = frozenset()
        directed, session.directed = session.directed, set()
        told: set[str] = set()
        if was_available:
            self._host.mail.resting(session)
            roster = await self._host.rosters.get(session.account.id)
            self._broadcast(session, stanza, roster)
            # RFC 6121 §4.5.2: as well as to the resource that it is about.
            session.send(_to(stanza, session.jid.bare))
            told = {session.account.address}
            told |= {contact.address for contact in roster.contacts.values() if contact.state.from_}
        for jid in directed:
            # RFC 6121 §4.6.3: those who hear it by the broadcast need not hear it twice.
            if str(jid.bare) not in told and not is_blocked(session.blocks, session.account, jid):
                self._send(stanza, session.jid, jid)
            if self._host.router.is_account(jid):
                await self._noticed(session, Element.from_bytes(stanza), jid)
        for part in self._on_unavailable if was_available else ():
            await part(self._host, session, stanza)

    def _broadcast(self, session: Session, stanza: bytes, roster: Roster) -> None:
        for contact in roster.contacts.values():
            if contact.state.from_:
                self._tell(session, stanza, JID.parse(contact.address))
        # RFC 6121 §4.2.2: to the user's own available resources as well, the one that sent it included.
        own = session.jid.bare
        for other in self._host.router.available(session.account.address):
            other.send(_to(stanza, own))

    def _tell(self, session: Session, stanza: bytes, to: JID) -> None:
        """Send a contact (bare address) what a session broadcasts, unless its user blocks them (XEP-0191 §3.3)."""
        blocks, account = session.blocks, session.account
        if is_blocked(blocks, account, to):
            return
        if not blocks.names_resource_of(str(to)):
            self._send(stanza, session.jid, to)
            return
        for other in self._host.router.available(str(to)):
            if not is_blocked(blocks, account, other.jid):
                self._send(stanza, session.jid, other.jid)

    def _send(self, stanza: bytes, sender: JID, to: JID) -> None:
        router = self._host.router
        if router.is_local(to):
            # Of most contacts nobody is there, and rosters are long.
            if not router.is_account(to) or router.of(str(to.bare)):
                self._host.post.send(_to(stanza, to), to)
        else:
            self._quietly(_to(stanza, to), sender, to)

    def _quietly(self, stanza: bytes, sender: JID, to: JID) -> None:
        """Send abroad what its sender did not address there: where it cannot go, nobody is told."""
        try:
            self._host.abroad(to.domain).send(stanza, sender, to)
        except StanzaError as error:
            log.debug("presence did not go to another server", code=error.code)

    # Probes and directed presence.

    async def _answer_probe(self, session: Session, contact: JID) -> None:
        """Send the contact's presence, as far as the contact lets the user see it (RFC 6121 §4.3.2)."""
        host = self._host
        available = host.router.available(str(contact.bare))
        own = session.account.address
        if available and str(contact.bare) != own:
            contact_roster = await host.rosters.get(available[0].account.id)
            allowed = contact_roster.contacts.get(own)
            if allowed is None or not allowed.state.from_:
                available = []
        for other in available:
            if other.presence is None or (contact.is_full and other.jid != contact):
                continue
            # XEP-0191 §3.3: to who is blocked, nobody is there.
            if not is_blocked(other.blocks, other.account, session.jid):
                session.send(_to(other.presence.stanza, session.jid))

    async def _say_nobody(self, session: Session, contact: JID) -> None:
        """RFC 6121 §4.3.2: who asks for a contact's presence, and may see it, is told as well that nobody is there."""
        host, address = self._host, contact.bare
        own = (await host.rosters.get(session.account.id)).contacts.get(str(address))
        if own is None or not own.state.to or host.router.available(str(address)):
            return
        account = await host.stores.directory.find(str(address))
        # XEP-0191 §3.3: to who is blocked, a probe MUST NOT be answered.
        if account is not None and not is_blocked(await host.blocking.get(account.id), account, session.jid):
            session.send(xml("presence", {"from": str(address), "to": str(session.jid), "type": "unavailable"}))

    async def _decorated(self, session: Session, element: Element) -> Element:
        """An available presence with what extensions add to it."""
        for decorate in self._decorators if element.type is None else ():
            element = await decorate(self._host, session, element)
        return element

    async def again(self, session: Session) -> None:
        """Tell those who may know what a session's presence is by now, with what extensions add to it."""
        presence = session.presence
        if presence is not None:
            element = await self._decorated(session, Element.from_bytes(presence.stanza))
            roster = await self._host.rosters.get(session.account.id)
            if session.presence is presence:
                session.presence = Presence(session.stamped(element, to=None), presence.priority, presence.show)
                self._broadcast(session, session.presence.stanza, roster)

    async def _directed(self, session: Session, element: Element, to: JID) -> None:
        element = await self._decorated(session, element)
        if not self._host.router.is_local(to):
            way = self._host.abroad(to.domain)
            way.send(session.stamped(element, to=str(to)), session.jid, to)
            self._remember(session, element, to)
            return
        if element.type == "probe":
            await self._answer_probe(session, to)
            await self._say_nobody(session, to)
            return
        if self._host.router.is_local(to) and not self._host.router.is_account(to):
            return  # RFC 6121 §8.5.1: presence for nobody is silently ignored
        self._remember(session, element, to)
        self._send(session.stamped(element, to=None), session.jid, to)
        if element.type != "error":
            await self._noticed(session, element, to)

    async def _noticed(self, session: Session, element: Element, to: JID) -> None:
        """Let an account of ours know who shows it their presence, or no longer does, by sending it there."""
        account = await self._host.stores.directory.find(str(to.bare))
        if account is None or account.id == session.account.id:
            return
        if not is_blocked(await self._host.blocking.get(account.id), account, session.jid):
            await self._strangers.noticed(account, session.jid, element)

    def _remember(self, session: Session, element: Element, to: JID) -> None:
        """RFC 6121 §4.6.3: who was told that the user is there is told as well that they are gone."""
        if element.type is None:
            most = self._host.settings.limits.max_directed_presences
            if to not in session.directed and len(session.directed) >= most:
                raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "too many have directed presence")
            session.directed.add(to)
        elif element.type == "unavailable":
            session.directed.discard(to)

    # For rosters and subscriptions.

    async def remove_contact(self, account: Account, contact: JID) -> None:
        """The user deletes a contact (bare address): what was between the two is over; raises StanzaError."""
        await self._subscribing.remove(account, contact)

    async def part(self, account: Account) -> None:
        """The account goes: its subscriptions end both ways, and its contacts are told (XEP-0077 §3.2)."""
        for address in (await self._host.rosters.get(account.id)).contacts:
            try:
                await self._subscribing.remove(account, JID.parse(address), is_user=False)
            except StanzaError as error:
                # It was deleted meanwhile.
                log.debug("a contact did not hear that an account goes", code=error.code)

    def show(self, account: Account, to: JID) -> None:
        """A subscription was granted: the contact sees who of the account is there."""
        for session in self._host.router.available(account.address):
            if session.presence is not None:
                self._tell(session, session.presence.stanza, to)

    async def show_unblocked(self, account: Account, contact: JID) -> None:
        """A contact is blocked no longer: each sees again who is there of the other, as far as they may."""
        roster = await self._host.rosters.get(account.id)
        known = roster.contacts.get(str(contact.bare))
        if known is not None and known.state.from_:
            self.show(account, contact)
        for session in self._host.router.available(account.address) if known is not None and known.state.to else ():
            if self._host.router.is_local(contact):
                await self._answer_probe(session, contact)
            elif known is not None:
                self._ask_abroad(session, known, contact)

    def hide(self, account: Account, to: JID) -> None:
        """A subscription ended: to the contact, everybody of the account is gone."""
        for session in self._host.router.available(account.address):
            self._send(xml("presence", {"from": str(session.jid), "type": "unavailable"}), session.jid, to)


def _to(stanza: bytes, to: JID) -> bytes:
    return b'<presence to="%b"%b' % (attribute(str(to)), stanza[9:])


def _read(element: Element, stanza: bytes) -> Presence:
    priority = (element.text_of(NS_CLIENT, "priority") or "0").strip()
    show = element.text_of(NS_CLIENT, "show") or ""
    number = int(priority) if _PRIORITY.fullmatch(priority) else None
    if number is None or not -128 <= number <= 127 or show not in _SHOWS:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "malformed priority or show")
    return Presence(stanza, number, show)
