"""Presence that comes from other domains to people of ours (RFC 6121 §3, §4.3, §8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.people.blocking import is_blocked
from parley.protocols.xmpp.element import Element, restamp, xml
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.origin import Origin
    from parley.edges.xmpp.people.subscribing import Subscribing

_TAKING_BACK: Final = frozenset({"unsubscribe", "unsubscribed"})
SUBSCRIPTION_TYPES: Final = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed"})


class Strangers:
    """Takes presence of partners' people and of what is behind components."""

    def __init__(self, host: Host, subscribing: Subscribing) -> None:
        self._host = host
        self._subscribing = subscribing

    async def receive(self, origin: Origin, element: Element, to: JID) -> None:
        """Handle a presence for an account of ours, or for what looks like one.

        Raises:
            StanzaError: it is answered with an error; RemoteProtocolError: it is malformed.
        """
        sender = origin.sender(element)
        account = await self._host.stores.directory.find(str(to.bare))
        if account is None:
            # RFC 6121 §8.5.1: silently ignored; a probe tells as much as one that is not allowed.
            if element.type == "probe":
                self._deny(to.bare, sender)
        elif element.type not in _TAKING_BACK and await self._is_blocked(account, sender):
            pass  # XEP-0191 §3.3: presence of somebody blocked MUST NOT be answered
        elif element.type in SUBSCRIPTION_TYPES:
            await self._subscribing.from_abroad(account, sender.bare, element)
        elif element.type == "probe":
            await self._probed(account, sender, to)
        else:
            self._deliver(origin, element, to)
            if element.type != "error":
                await self.noticed(account, sender, element)

    async def _is_blocked(self, account: Account, sender: JID) -> bool:
        return is_blocked(await self._host.blocking.get(account.id), account, sender)

    def _deliver(self, origin: Origin, element: Element, to: JID) -> None:
        stanza = origin.stamped(element, to=str(to))
        if to.is_full:
            # RFC 6121 §8.5.3: for a resource that is gone it is silently ignored.
            session = self._host.router.find(to)
            if session is not None:
                session.send(stanza)
        elif element.type != "error":
            for session in self._host.router.available(str(to)):
                session.send(stanza)

    async def noticed(self, account: Account, sender: JID, element: Element) -> None:
        """Presence came to an account from this full address, and from nobody the account's contacts hear."""
        for extension in self._host.extensions:
            if extension.on_stranger is not None:
                await extension.on_stranger(self._host, account, sender, element)

    async def _probed(self, account: Account, sender: JID, to: JID) -> None:
        """Answer as far as the sender may see who is there (RFC 6121 §4.3.2)."""
        roster = await self._host.rosters.get(account.id)
        contact = roster.contacts.get(str(sender.bare))
        if contact is None or not contact.state.from_:
            self._deny(to.bare, sender)
            return
        available = self._host.router.available(account.address)
        if not available:
            # That nobody is there is told as well: the partner may remember somebody.
            attrs = {"from": str(to.bare), "to": str(sender), "type": "unavailable"}
            self._host.post.send(xml("presence", attrs), sender)
        for session in available:
            if session.presence is not None and (to.is_bare or session.jid == to):
                stanza = restamp(Element.from_bytes(session.presence.stanza), to=str(sender))
                self._host.post.send(stanza, sender)

    def _deny(self, own: JID, sender: JID) -> None:
        attrs = {"from": str(own), "to": str(sender.bare), "type": "unsubscribed"}
        self._host.post.send(xml("presence", attrs), sender.bare)
