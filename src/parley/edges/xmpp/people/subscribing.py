"""Subscriptions between accounts (RFC 6121 §3): what was decided goes into both rosters at once, then to clients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.domain.contacts import Contact
from parley.domain.relations import Outcome, arrive, decide, decide_abroad, part, part_abroad
from parley.edges.xmpp.people.befriending import befriend
from parley.edges.xmpp.people.blocking import is_blocked
from parley.protocols.xmpp.element import Child, Element, restamp, xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.registration import NS_PARS, token_of

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.people.rosters import PairChange, RosterUpdate


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
        if self._host.router.is_local(contact) and not self._host.router.is_account(contact):
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        stanza = session.stamped(element, from_=session.account.address, to=str(contact))
        if len(stanza) > self._host.settings.limits.max_request_bytes:
            raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "a request is not that long")
        if await self._is_invited(session.account, contact, element):
            return
        if self._host.router.is_local(contact):
            await self._decided(session.account, contact, element.type or "", stanza)
        else:
            await self._decided_abroad(session.account, contact, element.type or "", stanza)

    async def _is_invited(self, guest: Account, contact: JID, element: Element) -> bool:
        """Whether a request carried a token of the contact's, with which both became contacts (XEP-0379 §3.4).

        §4.1: a token that is unknown or over is as good as none.
        """
        preauth = element.child(NS_PARS, "preauth")
        if preauth is None or element.type != "subscribe" or not self._host.router.is_account(contact):
            return False
        inviter = await self._host.stores.directory.find(str(contact))
        if inviter is None or not await self._takes_up(element, preauth, inviter):
            return False
        return await befriend(self._host, inviter, guest)

    async def _takes_up(self, element: Element, preauth: Child, inviter: Account) -> bool:
        administration = self._host.administration
        invitation = await administration.invitation(token_of(element.child_tree(preauth)))
        if invitation is None or invitation.inviter_id != inviter.id or invitation.address:
            return False
        return await administration.take_up(invitation)

    async def _decided_abroad(self, account: Account, contact: JID, kind: str, stanza: bytes) -> None:
        """The contact's item is on another server, which learns of the decision by the stanza."""
        way = self._host.abroad(contact.domain)
        if kind == "subscribe" and self._host.federation is not None and way is self._host.federation:
            # Who can not be asked is not waited for.
            self._host.federation.check(stanza, JID.parse(account.address), contact)
        passed_on: list[str] = []

        def change(own: Contact | None) -> Contact | None:
            outcome = decide_abroad(kind, own or Contact(str(contact), is_listed=False))
            passed_on.extend(outcome.passed_on)
            return outcome.own

        update = await self._host.rosters.update(account, str(contact), change)
        self._presence_ends(account, contact, update)
        if passed_on:
            self._send_abroad(account, contact, stanza)
        await self._presence_begins(account, contact, update)

    def _send_abroad(self, account: Account, contact: JID, stanza: bytes) -> None:
        sender = JID.parse(account.address)
        try:
            way = self._host.abroad(contact.domain)
            if self._host.federation is not None and way is self._host.federation:
                self._host.federation.keep(stanza, sender, contact)
            else:
                way.send(stanza, sender, contact)
        except StanzaError as error:
            # What the user decided holds here, whether or not the other server hears of it.
            log.info("a decision did not go to another server", code=error.code, pii={"contact": contact})

    async def from_abroad(self, account: Account, sender: JID, element: Element) -> None:
        """Somebody on another server (bare address) subscribes, unsubscribes, grants or denies (RFC 6121 §3)."""
        host, kind, address = self._host, element.type or "", str(sender)
        stanza = restamp(element, from_=address, to=account.address)
        if kind == "subscribe" and len(stanza) > host.settings.limits.max_request_bytes:
            raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "a request is not that long")
        roster = await host.rosters.get(account.id)
        if address not in roster.contacts and not await host.rosters.has_room_for_strangers(account):
            # How full a roster is concerns nobody but its owner.
            log.info("a subscription request was dropped", pii={"address": account.address, "contact": sender})
            return
        preauth = element.child(NS_PARS, "preauth") if kind == "subscribe" else None
        if preauth is not None and await self._takes_up(element, preauth, account):
            await self._befriend_abroad(account, sender)
            return
        is_first = kind == "subscribe" and address not in roster.contacts and sender.domain not in host.components
        if is_first and not host.acquaintances.admit_request(account, sender):
            return
        outcomes: list[Outcome] = []

        def change(own: Contact | None) -> Contact | None:
            outcome = arrive(kind, own or Contact(address, is_listed=False), stanza)
            outcomes.append(outcome)
            return outcome.own

        def deliver() -> None:
            if outcomes[-1].passed_on:
                self._deliver(account, kind, stanza)

        update = await host.rosters.update(account, address, change, deliver)
        if outcomes[-1].is_answered:
            attrs = {"from": account.address, "to": address, "type": "subscribed"}
            self._send_abroad(account, sender, xml("presence", attrs))
        await self._presence_follows(account, sender, update)
        if outcomes[-1].is_answered and update.before is not None and update.before.state.from_:
            # Who asks again has forgotten that they may see who is there.
            host.presences.show(account, sender)

    async def _befriend_abroad(self, account: Account, guest: JID) -> None:
        """XEP-0379 §3.4: grant what was asked for, and ask for the same."""
        address = str(guest)

        def change(own: Contact | None) -> Contact:
            contact = own or Contact(address)
            state = replace(contact.state, from_=True, pending_in=False, pending_out=not contact.state.to)
            return replace(contact.with_state(state), is_listed=True)

        update = await self._host.rosters.update(account, address, change)
        for kind in ("subscribed", "subscribe"):
            self._send_abroad(account, guest, xml("presence", {"from": account.address, "to": address, "type": kind}))
        await self._presence_follows(account, guest, update)

    async def _decided(self, account: Account, contact: JID, kind: str, stanza: bytes) -> None:
        # RFC 6121 §8.5.1: for nobody it is silently ignored; the user's own roster knows what they asked for.
        other = await self._host.stores.directory.find(str(contact))
        if other is not None and kind == "subscribe" and await self._is_blocked_by(other, account.address):
            other = None

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

    async def _is_blocked_by(self, account: Account, address: str) -> bool:
        """XEP-0191 §3.3: a request of somebody blocked is as good as never made; what they take back counts."""
        return is_blocked(await self._host.blocking.get(account.id), account, JID.parse(address))

    async def remove(self, account: Account, contact: JID, *, is_user: bool = True) -> None:
        """The user deletes a roster item, and with it the subscriptions; `contact` is a bare address.

        Without `is_user` it is the account that goes, and what waits for an answer is denied as well.

        Raises:
            StanzaError: there is no such item.
        """
        if not self._host.router.is_local(contact):
            await self._remove_abroad(account, contact, is_user=is_user)
            return
        is_account = self._host.router.is_account(contact)
        other = await self._host.stores.directory.find(str(contact)) if is_account else None

        def change(own: Contact | None, theirs: Contact | None, _has_room: bool) -> Outcome:
            return part(_item(own, is_user=is_user), theirs)

        def deliver(other: Account, outcome: Outcome) -> None:
            for kind in outcome.passed_on:
                attrs = {"from": account.address, "to": str(contact), "type": kind}
                self._deliver(other, kind, xml("presence", attrs))

        await self._apply(account, contact, other, change, deliver)

    async def _remove_abroad(self, account: Account, contact: JID, *, is_user: bool) -> None:
        partings: list[str] = []

        def change(own: Contact | None) -> Contact | None:
            partings.extend(part_abroad(_item(own, is_user=is_user)).passed_on)
            return None

        update = await self._host.rosters.update(account, str(contact), change)
        self._presence_ends(account, contact, update)
        for kind in partings:
            attrs = {"from": account.address, "to": str(contact), "type": kind}
            self._send_abroad(account, contact, xml("presence", attrs))

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

        def tell(outcome: Outcome, ours: RosterUpdate) -> None:
            self._presence_ends(account, contact, ours)
            deliver(other, outcome)

        ours, theirs = await self._host.rosters.update_both(account, other, change, tell)
        await self._presence_follows(other, JID.parse(account.address), theirs)
        await self._presence_begins(account, contact, ours)

    def _deliver(self, account: Account, kind: str, stanza: bytes) -> None:
        for session in list(self._host.router.of(account.address).values()):
            # RFC 6121 §3.1.3: requests to who is available; §3.1.6, §3.2.3, §3.3.3: the rest to who asked for a roster.
            if session.presence is not None if kind == "subscribe" else session.is_roster_requested:
                session.send(stanza)

    async def _presence_follows(self, account: Account, contact: JID, update: RosterUpdate) -> None:
        self._presence_ends(account, contact, update)
        await self._presence_begins(account, contact, update)

    def _presence_ends(self, account: Account, contact: JID, update: RosterUpdate) -> None:
        # RFC 6121 §3.2.2: who is told `unsubscribed` MUST have been told before that everybody is gone.
        if _is_seen(update.before) and not _is_seen(update.after):
            self._host.presences.hide(account, contact)

    async def _presence_begins(self, account: Account, contact: JID, update: RosterUpdate) -> None:
        if _is_seen(update.after) and not _is_seen(update.before):
            self._host.presences.show(account, contact)
            for extension in self._host.extensions:
                if extension.on_subscribed is not None:
                    await extension.on_subscribed(self._host, account, contact)


def _item(own: Contact | None, *, is_user: bool) -> Contact:
    if own is None or (is_user and not own.is_listed):
        # RFC 6121 §2.5.3
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    return own


def _is_seen(contact: Contact | None) -> bool:
    """Whether the contact may see the user's presence."""
    return contact is not None and contact.state.from_
