"""Subscriptions between accounts (RFC 6121 §3): what was decided goes into both rosters at once, then to clients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.domain.contacts import Contact
from parley.domain.relations import Outcome, decide, part
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.rosters import PairChange, RosterUpdate
    from parley.edges.xmpp.session import Session


log = logs.get(__name__)

# A request waits in the contact's roster until it is answered, and strangers may send it.


class Subscribing:
    """Subscription stanzas from clients, and what deleting a contact ends."""

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
        if len(stanza) > self._host.settings.limits.max_request_bytes:
            raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "a request is not that long")
        await self._decided(session.account, contact, element.type or "", stanza)

    async def _decided(self, account: Account, contact: JID, kind: str, stanza: bytes) -> None:
        # RFC 6121 §8.5.1: for nobody it is silently ignored; the user's own roster knows what they asked for.
        other = await self._host.stores.directory.find(str(contact))

        def change(own: Contact | None, theirs: Contact | None, has_room: bool) -> Outcome:
            if theirs is None and has_room:
                theirs = Contact(account.address, is_listed=False)
            elif theirs is None and other is not None and kind == "subscribe":
                # A request that is one too many is dropped: how full a roster is concerns nobody but its owner.
                log.info("a subscription request was dropped", pii={"address": contact, "contact": account.address})
            return decide(kind, own or Contact(str(contact), is_listed=False), theirs, stanza)

        def deliver(other: Account, outcome: Outcome) -> None:
            if outcome.passed_on:
                self._deliver(other, kind, stanza)
            if outcome.is_answered:
                attrs = {"from": str(contact), "to": account.address, "type": "subscribed"}
                self._deliver(account, "subscribed", xml("presence", attrs))

        await self._apply(account, contact, other, change, deliver)

    async def remove(self, account: Account, contact: JID) -> None:
        """The user deletes a roster item, and with it the subscriptions; `contact` is a bare address.

        Raises:
            StanzaError: there is no such item.
        """
        is_account = self._host.router.is_account(contact)
        other = await self._host.stores.directory.find(str(contact)) if is_account else None

        def change(own: Contact | None, theirs: Contact | None, _has_room: bool) -> Outcome:
            if own is None or not own.is_listed:
                # RFC 6121 §2.5.3
                raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
            return part(own, theirs)

        def deliver(other: Account, outcome: Outcome) -> None:
            for kind in outcome.passed_on:
                attrs = {"from": account.address, "to": str(contact), "type": kind}
                self._deliver(other, kind, xml("presence", attrs))

        await self._apply(account, contact, other, change, deliver)

    async def _apply(
        self,
        account: Account,
        contact: JID,
        other: Account | None,
        change: PairChange,
        deliver: Callable[[Account, Outcome], None],
    ) -> None:
        if other is None:
            ours = await self._host.rosters.update(account, str(contact), lambda own: change(own, None, False).own)
            await self._presence_follows(account, contact, ours)
            return
        ours, theirs = await self._host.rosters.update_both(account, other, change, partial(deliver, other))
        await self._presence_follows(other, JID.parse(account.address), theirs)
        await self._presence_follows(account, contact, ours)

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
