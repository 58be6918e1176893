"""Who is told of an event, and how it reaches them.

Subscribers by request are told at each address that they subscribed (XEP-0060 §12.2). At accounts, so are the owner's
and the contacts' devices that asked by `+notify` (XEP-0163 §4), unless the event came to them as subscribers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import DomainError
from parley.domain.pubsub.nodes import AccessModel, Affiliation, Node, NodeItem, Subscription, SubscriptionOptions
from parley.edges.xmpp.extensions.pubsub.access import Circle, circle_of
from parley.edges.xmpp.extensions.pubsub.guests import Guests
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import RemoteProtocolError, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.extensions.pubsub.events import Event
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

NS_ADDRESS: Final = "http://jabber.org/protocol/address"

# So many in a row, then others have their turn.
_IN_A_ROW: Final = 100


async def notify(host: Host, node: Node, event: Event) -> int:
    """Tell everybody who may hear of it; returns to how many it went."""
    if not node.config.deliver_notifications:
        return 0
    return await (await prepared(host, node)).send(event)


async def prepared(host: Host, node: Node) -> Delivery:
    """A delivery to those who are subscribed now, whatever becomes of the node until it is sent."""
    return Delivery(host, node, await circle_of(host, node), await host.memory(Nodes).subscriptions(node))


class Delivery:
    """One event on its way to everybody."""

    def __init__(self, host: Host, node: Node, circle: Circle, subscriptions: Sequence[Subscription]) -> None:
        self._host = host
        self._node = node
        self._circle = circle
        self._subscriptions = subscriptions
        self._told: set[Session] = set()
        self._count = 0
        self._letters: list[tuple[bytes, JID]] = []

    async def send(self, event: Event, *, is_last: bool = False) -> int:
        """Tell subscribers first, then who asked by `+notify` and is none; returns to how many it went.

        `is_last`: the node is gone, which all subscribers are told, also those who wait or may not read (§8.4.2).
        """
        now, body = self._host.clock.now_us(), None
        reply = reply_to(self._node, event.item)
        for number, subscription in enumerate(self._subscriptions, 1):
            if not self._is_told(subscription, now, is_last=is_last):
                continue
            if subscription.options.include_body and body is None:
                body = event.body()
            content = (body or b"") + event.content if subscription.options.include_body else event.content
            if reply and self._circle.standing(subscription.address).is_watching:
                content += reply
            self._to_subscriber(JID.parse(subscription.jid), subscription.options, content)
            if number % _IN_A_ROW == 0:
                await asyncio.sleep(0)
        if self._node.service.is_personal:
            self._to_interested(event, reply)
        await asyncio.gather(*(self._mail(stanza, to) for stanza, to in self._letters))
        return self._count + len(self._letters)

    def _to_interested(self, event: Event, reply: bytes) -> None:
        host, node, content = self._host, self._node, event.content + reply
        for session in interested(host, node, self._circle):
            if session not in self._told:
                self._to_session(session, str(session.jid), content)
        subscribed = {subscription.jid for subscription in self._subscriptions}
        for guest in interested_guests(host, node, self._circle):
            # A device of ours may have become a contact's since it came.
            if host.router.find(guest) not in self._told and subscribed.isdisjoint((str(guest), str(guest.bare))):
                self._count += 1
                told = content if reply and self._circle.standing(str(guest.bare)).is_watching else event.content
                dispatch(host, node, message(host, node, str(guest), told), guest)

    def _to_session(self, session: Session, to: str, content: bytes) -> None:
        self._told.add(session)
        self._count += 1
        session.send(message(self._host, self._node, to, content))

    def _is_told(self, subscription: Subscription, now: int, *, is_last: bool) -> bool:
        if not subscription.options.deliver or subscription.options.is_over(now):
            return False
        if is_last:
            return self._circle.standing(subscription.address).affiliation is not Affiliation.OUTCAST
        return subscription.is_subscribed and self._circle.may_read(subscription.address)

    def _to_subscriber(self, to: JID, options: SubscriptionOptions, content: bytes) -> None:
        host, config = self._host, self._node.config
        if not host.router.is_account(to):
            # Whether people of other servers are there is not known here: they are told in any case.
            self._count += 1
            dispatch(host, self._node, message(host, self._node, str(to), content), to)
            return
        is_kept = config.notification_type == "normal" and not config.presence_based_delivery and not options.shows
        if is_kept:
            self._told.update(host.router.available(str(to.bare)) if to.is_bare else _found(host, to))
            self._letters.append((message(host, self._node, str(to), content), to))
            return
        # §6.1.6: a bare address and a full one of it are two entities, so a device may be told as both.
        for session in present(host, to, options, is_presence_needed=config.presence_based_delivery):
            # XEP-0163 §4.3.1: an account, which knows who is there, tells each device; §12.2: a service the subscriber.
            self._to_session(session, str(session.jid if self._node.service.is_personal else to), content)

    async def _mail(self, stanza: bytes, to: JID) -> None:
        try:
            await self._host.post.mail(stanza, JID.parse(self._node.service.address), to)
        except (DomainError, RemoteProtocolError) as error:
            log.info("a notification cannot be delivered", code=error.code, pii={"to": to})


def message(host: Host, node: Node, to: str, *content: bytes) -> bytes:
    """A notification; each has an id of its own, by which errors are told apart (§12.3)."""
    kind = node.config.notification_type
    attrs = {"from": node.service.address, "to": to, "type": None if kind == "normal" else kind, "id": host.new_id()}
    return xml("message", attrs, *content)


def reply_to(node: Node, item: NodeItem | None) -> bytes:
    """What tells which of the owner's devices published, for who sees the owner's presence alone (XEP-0163 §4.3.1).

    Empty at a service, and for what others or the server itself published.
    """
    if not node.service.is_personal or item is None or not item.publisher.startswith(f"{node.service.address}/"):
        return b""
    return xml("addresses", {"xmlns": NS_ADDRESS}, xml("address", {"type": "replyto", "jid": item.publisher}))


def dispatch(host: Host, node: Node, stanza: bytes, to: JID) -> None:
    """Send a notification; one that cannot go is lost, and whoever owns the node is not bothered with it."""
    if host.router.is_local(to):
        host.post.send(stanza, to)
        return
    try:
        host.abroad(to.domain).send(stanza, JID.parse(node.service.address), to)
    except StanzaError as error:
        log.debug("a notification cannot leave", code=error.code)


def present(host: Host, to: JID, options: SubscriptionOptions, *, is_presence_needed: bool) -> Iterator[Session]:
    """The sessions that an address of ours stands for, in one of the states of presence that are wanted.

    RFC 6121 §8.5.2.1.1: of a bare address those that are available and want messages.
    """
    sessions = host.router.available(str(to)) if to.is_bare else _found(host, to)
    for session in sessions:
        presence = session.presence
        if presence is None:
            if not (is_presence_needed or options.shows):
                yield session
        elif (to.is_full or presence.priority >= 0) and _is_wanted(presence.show, options.shows):
            yield session


def _found(host: Host, to: JID) -> Sequence[Session]:
    session = host.router.find(to)
    return () if session is None else (session,)


def _is_wanted(show: str, shows: tuple[str, ...]) -> bool:
    return not shows or (show or "online") in shows


def interested(host: Host, node: Node, circle: Circle) -> Iterator[Session]:
    """XEP-0163 §3: the owner's devices and those of contacts, as far as they asked by `+notify` and may read."""
    for session in host.router.available(node.service.address):
        if node.name in session.notify_nodes:
            yield session
    for roster in circle.rosters:
        for contact in roster.contacts.values():
            if contact.state.from_:
                sessions = [s for s in host.router.available(contact.address) if node.name in s.notify_nodes]
                if sessions and circle.may_read(contact.address):
                    yield from sessions


def interested_guests(host: Host, node: Node, circle: Circle) -> Iterator[JID]:
    """Devices that sent their presence and asked by `+notify`, also of strangers where the node is open (§9.1.3)."""
    for guest, nodes in host.memory(Guests).of(node.service.account_id):
        session = host.router.find(guest)
        # What a device of ours wants may be known since it sent its presence.
        if node.name not in nodes and (session is None or node.name not in session.notify_nodes):
            continue
        if may_guest_hear(node, circle, str(guest.bare)):
            yield guest


def may_guest_hear(node: Node, circle: Circle, address: str) -> bool:
    """Whether a guest with this bare address may hear of a node that it asked for."""
    is_let_in = node.config.access_model is AccessModel.OPEN or circle.standing(address).has_presence
    return is_let_in and circle.may_read(address)
