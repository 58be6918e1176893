"""Who is told of an event, and how it reaches them.

Subscribers by request are told at each address that they subscribed (XEP-0060 §12.2). At accounts, so are the owner's
and the contacts' devices that asked by `+notify` (XEP-0163 §4), unless the event came to them as subscribers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import DomainError
from parley.domain.pubsub.nodes import (
    AccessModel,
    Affiliation,
    Node,
    NodeItem,
    SendLast,
    Subscription,
    SubscriptionOptions,
)
from parley.domain.pubsub.pages import ItemQuery
from parley.edges.xmpp.decoration import delay
from parley.edges.xmpp.extensions.pubsub import events
from parley.edges.xmpp.extensions.pubsub.access import Circle, circle_of
from parley.edges.xmpp.extensions.pubsub.guests import Guests
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import RemoteProtocolError, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.domain.pubsub.nodes import PubsubService
    from parley.edges.xmpp.extensions.pubsub.events import Event
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.session import Session

log = logs.get(__name__)

_NEWEST: Final = ItemQuery(newest=1)
_SECOND: Final = 1_000_000
# So many in a row, then others have their turn.
_IN_A_ROW: Final = 100


async def notify(host: Host, node: Node, event: Event) -> None:
    """Tell everybody who may hear of it."""
    if node.config.deliver_notifications:
        await (await prepared(host, node)).send(event)


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
        self._letters: list[tuple[bytes, JID]] = []

    async def send(self, event: Event, *, is_last: bool = False) -> None:
        """Tell subscribers first, then who asked by `+notify` and is none.

        `is_last`: the node is gone, which all subscribers are told, also those who wait or may not read (§8.4.2).
        """
        now, body = self._host.clock.now_us(), None
        for number, subscription in enumerate(self._subscriptions, 1):
            if not self._is_told(subscription, now, is_last=is_last):
                continue
            if subscription.options.include_body and body is None:
                body = event.body()
            content = (body or b"") + event.content if subscription.options.include_body else event.content
            self._to_subscriber(JID.parse(subscription.jid), subscription.options, content)
            if number % _IN_A_ROW == 0:
                await asyncio.sleep(0)
        if self._node.service.is_personal:
            for session in _interested(self._host, self._node, self._circle):
                if session not in self._told:
                    session.send(message(self._host, self._node, str(session.jid), event.content))
            subscribed = {subscription.jid for subscription in self._subscriptions}
            for guest in _interested_guests(self._host, self._node, self._circle):
                if subscribed.isdisjoint((str(guest), str(guest.bare))):
                    stanza = message(self._host, self._node, str(guest), event.content)
                    dispatch(self._host, self._node, stanza, guest)
        await asyncio.gather(*(self._mail(stanza, to) for stanza, to in self._letters))

    def _is_told(self, subscription: Subscription, now: int, *, is_last: bool) -> bool:
        if not subscription.options.deliver or subscription.options.is_over(now):
            return False
        if is_last:
            return self._circle.standing(subscription.address).affiliation is not Affiliation.OUTCAST
        return subscription.is_subscribed and self._circle.may_read(subscription.address)

    def _to_subscriber(self, to: JID, options: SubscriptionOptions, content: bytes) -> None:
        host, config = self._host, self._node.config
        stanza = message(host, self._node, str(to), content)
        if not host.router.is_account(to):
            # Whether people of other servers are there is not known here: they are told in any case.
            dispatch(host, self._node, stanza, to)
            return
        is_kept = config.notification_type == "normal" and not config.presence_based_delivery and not options.shows
        if is_kept:
            self._told.update(host.router.available(str(to.bare)) if to.is_bare else _found(host, to))
            self._letters.append((stanza, to))
            return
        # §6.1.6: a bare address and a full one of it are two entities, so a device may be told as both.
        for session in present(host, to, options, is_presence_needed=config.presence_based_delivery):
            self._told.add(session)
            session.send(stanza)

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


def _interested(host: Host, node: Node, circle: Circle) -> Iterator[Session]:
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


def _interested_guests(host: Host, node: Node, circle: Circle) -> Iterator[JID]:
    """Devices of people of other servers that asked by `+notify`, also of strangers where the node is open (§9.1.3)."""
    for guest, nodes in host.memory(Guests).of(node.service.account_id):
        if node.name not in nodes:
            continue
        if _may_guest_hear(node, circle, str(guest.bare)):
            yield guest


def _may_guest_hear(node: Node, circle: Circle, address: str) -> bool:
    is_let_in = node.config.access_model is AccessModel.OPEN or circle.standing(address).has_presence
    return is_let_in and circle.may_read(address)


# The last item.


async def last_item(host: Host, node: Node) -> NodeItem | None:
    """The item published last, if it is kept and not too old."""
    if not node.config.persist_items:
        return None
    page = await host.stores.nodes.items(node.service, node.name, _NEWEST, since_of(host, node))
    return page.items[0] if page.items else None


def since_of(host: Host, node: Node) -> int:
    """From when on items of the node are not too old, in microseconds (`item_expire`)."""
    seconds = node.config.item_expire_s
    return host.clock.now_us() - seconds * _SECOND if seconds else 0


def late(node: Node, item: NodeItem) -> bytes:
    """What marks an item as one that is not new (§6.1.7)."""
    return delay(node.service.address, item.published_at)


async def send_last(host: Host, node: Node, subscription: Subscription) -> None:
    """Send the last item to who has subscribed just now (§6.1.7); the node's lock is held."""
    config = node.config
    if config.send_last_published_item is SendLast.NEVER or not config.deliver_notifications:
        return
    if not subscription.is_subscribed or not subscription.options.deliver:
        return
    item = await last_item(host, node)
    if item is not None:
        stanza = message(host, node, subscription.jid, events.published(node, item).content, late(node, item))
        dispatch(host, node, stanza, JID.parse(subscription.jid))


async def send_last_to_arrived(host: Host, session: Session, service: PubsubService) -> None:
    """Send the last item of each node of a service that the user who came just now is subscribed to."""
    own = {str(session.jid), session.account.address}
    nodes = host.memory(Nodes)
    for name, subscription in await host.stores.nodes.subscriptions_of(service, session.account.address):
        if subscription.jid not in own or not subscription.options.deliver or not subscription.is_subscribed:
            continue
        node = await nodes.find(service, name)
        if node is None or node.config.send_last_published_item is not SendLast.ON_SUB_AND_PRESENCE:
            continue
        if not node.config.deliver_notifications or subscription.options.is_over(host.clock.now_us()):
            continue
        if (await circle_of(host, node)).may_read(session.account.address):
            await _send_last_to_session(host, session, node, subscription.jid)


async def send_last_items(
    host: Host, session: Session, service: PubsubService, names: Collection[str], *, is_new: bool = False
) -> None:
    """Send the last item of an account's nodes in `names` to a device that asked by `+notify` (XEP-0163 §4.3.1).

    `is_new`: its user may see the account's presence since just now.
    """
    known = await host.memory(Nodes).of(service)
    occasions = {SendLast.ON_SUB_AND_PRESENCE, SendLast.ON_SUB} if is_new else {SendLast.ON_SUB_AND_PRESENCE}
    reader = session.account.address
    for name in sorted(known.keys() & set(names)):
        node = known[name]
        if node.config.send_last_published_item not in occasions or not node.config.deliver_notifications:
            continue
        circle = await circle_of(host, node)
        if reader != service.address and not (circle.standing(reader).has_presence and circle.may_read(reader)):
            continue
        await _send_last_to_session(host, session, node, str(session.jid), is_asked=True)


async def send_last_to_guest(host: Host, service: PubsubService, guest: JID, names: Collection[str]) -> None:
    """Send the last item of an account's nodes in `names` to a device of another server that asked for them."""
    known = await host.memory(Nodes).of(service)
    for name in sorted(known.keys() & set(names)):
        node = known[name]
        if node.config.send_last_published_item is not SendLast.ON_SUB_AND_PRESENCE:
            continue
        if not node.config.deliver_notifications:
            continue
        if not _may_guest_hear(node, await circle_of(host, node), str(guest.bare)):
            continue
        async with host.memory(Nodes).lock(service, name):
            item = await last_item(host, node)
            if item is not None:
                stanza = message(host, node, str(guest), events.published(node, item).content, late(node, item))
                dispatch(host, node, stanza, guest)


async def _send_last_to_session(host: Host, session: Session, node: Node, to: str, *, is_asked: bool = False) -> None:
    # Outside the lock: who publishes must not wait for a slow reader.
    await session.room()
    async with host.memory(Nodes).lock(node.service, node.name):
        item = await last_item(host, node)
        # Time has passed: the client may be gone or have changed its mind.
        if item is None or session.is_leaving or (is_asked and node.name not in session.notify_nodes):
            return
        session.send(message(host, node, to, events.published(node, item).content, late(node, item)))
