"""Subscriptions between accounts (RFC 6121 §3): the tables of `domain/subscriptions.py`, applied at both ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.contacts import Contact
from parley.domain.errors import LimitReached
from parley.domain.subscriptions import INBOUND, NOT_SUBSCRIBED, OUTBOUND, Reply, Transition
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.rosters import RosterUpdate
    from parley.edges.xmpp.session import Session


log = logs.get(__name__)

# A request waits in the contact's roster until it is answered, and strangers may send it.
_MAX_REQUEST_BYTES: Final = 4096


class Subscribing:
    """Subscription stanzas from clients, and from one account of ours to another."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def from_client(self, session: Session, element: Element, contact: JID) -> None:
        """The user subscribes, unsubscribes, grants or denies; `contact` is a bare address."""
        if contact == session.jid.bare:
            raise StanzaError(StanzaCondition.NOT_ALLOWED, "nobody subscribes to themselves")
        if not self._host.router.is_account(contact):
            is_local = self._host.router.is_local(contact)
            raise StanzaError(
                StanzaCondition.SERVICE_UNAVAILABLE if is_local else StanzaCondition.REMOTE_SERVER_NOT_FOUND
            )
        stanza = session.stamped(element, from_=session.account.address, to=str(contact))
        if len(stanza) > _MAX_REQUEST_BYTES:
            raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "a request is not that long")
        await self.outbound(session.account, contact, element.type or "", stanza)

    async def outbound(self, account: Account, contact: JID, kind: str, stanza: bytes) -> None:
        """Apply what the user of `account` decided, and pass it on where the table says so."""
        transition: Transition | None = None

        def change(before: Contact | None) -> Contact | None:
            nonlocal transition
            known = before or Contact(str(contact), is_listed=False)
            transition = OUTBOUND[kind](known.state)
            after = known.with_state(transition.state)
            # RFC 6121 §3.1.2, §3.1.5, §3.4.2: the item joins the roster with a request, a grant or an approval.
            gained = kind in ("subscribe", "subscribed") and after.state != known.state
            return _kept(replace(after, is_listed=after.is_listed or gained))

        update = await self._host.rosters.update(account, str(contact), change)
        if transition is not None and transition.goes_on:
            await self.inbound(contact, JID.parse(account.address), kind, stanza)
        await self._presence_follows(account, contact, update)

    async def inbound(self, to: JID, contact: JID, kind: str, stanza: bytes) -> None:
        """Apply what `contact` decided to the account `to`; both bare. Nothing happens if there is no such account."""
        account = await self._host.stores.directory.find(str(to))
        if account is None:
            return  # RFC 6121 §8.5.1: silently ignored
        transition: Transition | None = None

        def change(before: Contact | None) -> Contact | None:
            nonlocal transition
            known = before or Contact(str(contact), is_listed=False)
            transition = INBOUND[kind](known.state)
            after = known.with_state(transition.state)
            if kind == "subscribe" and transition.goes_on:
                after = replace(after, request=stanza)
            return _kept(after)

        try:
            update = await self._host.rosters.update(account, str(contact), change)
        except LimitReached:
            # A request that is one too many is dropped: how full a roster is concerns nobody but its owner.
            log.info("a subscription request was dropped", pii={"address": account.address, "contact": contact})
            return
        if transition is None:
            return
        if transition.goes_on:
            self._deliver(account, kind, stanza)
        if transition.reply is Reply.SUBSCRIBED:
            attrs = {"from": account.address, "to": str(contact), "type": "subscribed"}
            await self.inbound(contact, to, "subscribed", xml("presence", attrs))
        await self._presence_follows(account, contact, update)

    async def removed(self, account: Account, contact: JID, before: Contact) -> None:
        """The user deleted a roster item: the subscriptions end at both sides (RFC 6121 §2.5.2)."""
        kinds = []
        if before.state.to or before.state.pending_out:
            kinds.append("unsubscribe")
        if before.state.from_ or before.state.pending_in:
            kinds.append("unsubscribed")
        for kind in kinds:
            stanza = xml("presence", {"from": account.address, "to": str(contact), "type": kind})
            if self._host.router.is_account(contact):
                await self.inbound(contact, JID.parse(account.address), kind, stanza)
        if before.state.from_:
            self._host.presences.hide(account, contact)

    def _deliver(self, account: Account, kind: str, stanza: bytes) -> None:
        for session in list(self._host.router.of(account.address).values()):
            # RFC 6121 §3.1.3: requests to who is available; §3.1.6 and the rest: to who asked for the roster.
            if session.presence is not None or (kind != "subscribe" and session.is_roster_requested):
                session.send(stanza)

    async def _presence_follows(self, account: Account, contact: JID, update: RosterUpdate) -> None:
        had = update.before is not None and update.before.state.from_
        has = update.after is not None and update.after.state.from_
        if has and not had:
            self._host.presences.show(account, contact)
            for extension in self._host.extensions:
                if extension.on_subscribed is not None:
                    await extension.on_subscribed(self._host, account, contact)
        elif had and not has:
            self._host.presences.hide(account, contact)


def _kept(contact: Contact) -> Contact | None:
    """The contact, or None when nothing about it is worth keeping."""
    return None if not contact.is_listed and contact.state == NOT_SUBSCRIBED else contact
