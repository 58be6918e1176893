"""The last published item: for who subscribes, who comes, and who may read now and could not before."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.nodes import Node, NodeItem, SendLast, Subscription
from parley.domain.pubsub.pages import ItemQuery
from parley.edges.xmpp.delivery.decoration import delay
from parley.edges.xmpp.extensions.pubsub import events
from parley.edges.xmpp.extensions.pubsub.access import Circle, circle_of, standing_of
from parley.edges.xmpp.extensions.pubsub.delivery import (
    dispatch,
    interested,
    interested_guests,
    may_guest_hear,
    message,
    reply_to,
)
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.domain.pubsub.nodes import PubsubService
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host

_NEWEST: Final = ItemQuery(newest=1)
_SECOND: Final = 1_000_000


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


async def _stanza(host: Host, node: Node, item: NodeItem, to: str) -> bytes:
    reply = reply_to(node, item)
    if reply and not (await standing_of(host, node, to.partition("/")[0])).is_watching:
        reply = b""
    return message(host, node, to, events.published(node, item).content, reply, late(node, item))


async def send_last(host: Host, node: Node, subscription: Subscription) -> None:
    """Send the last item to who has subscribed just now (§6.1.7); the node's lock is held."""
    config = node.config
    if config.send_last_published_item is SendLast.NEVER or not config.deliver_notifications:
        return
    if not subscription.is_subscribed or not subscription.options.deliver:
        return
    item = await last_item(host, node)
    if item is not None:
        dispatch(host, node, await _stanza(host, node, item, subscription.jid), JID.parse(subscription.jid))


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
    """Send the last item of an account's nodes in `names` to a guest that asked for them (see `guests.py`)."""
    known = await host.memory(Nodes).of(service)
    for name in sorted(known.keys() & set(names)):
        node = known[name]
        if node.config.send_last_published_item is not SendLast.ON_SUB_AND_PRESENCE:
            continue
        if not node.config.deliver_notifications:
            continue
        if not may_guest_hear(node, await circle_of(host, node), str(guest.bare)):
            continue
        await _send_last_to_guest(host, node, guest)


async def send_last_to_admitted(host: Host, before: Node, node: Node) -> None:
    """Send the last item to who may read a node since its configuration changed, and could not before (§12.1).

    Args:
        host: the edge.
        before: the node as it was.
        node: as it is.
    """
    config = node.config
    is_sent = config.deliver_notifications and config.send_last_published_item is not SendLast.NEVER
    if not is_sent or _doors(before) == _doors(node):
        return
    old, new = await circle_of(host, before), await circle_of(host, node)
    told: set[str] = set()
    async with host.memory(Nodes).lock(node.service, node.name):
        for subscription in await host.memory(Nodes).subscriptions(node):
            is_over = subscription.options.is_over(host.clock.now_us())
            if not is_over and _is_admitted(subscription.address, old, new):
                told.update((subscription.jid, subscription.address))
                await send_last(host, node, subscription)
    if not node.service.is_personal:
        return
    for session in list(interested(host, node, new)):
        address = session.account.address
        if told.isdisjoint((str(session.jid), address)) and _is_admitted(address, old, new):
            told.add(str(session.jid))
            await _send_last_to_session(host, session, node, str(session.jid), is_asked=True)
    for guest in list(interested_guests(host, node, new)):
        address = str(guest.bare)
        if told.isdisjoint((str(guest), address)) and not may_guest_hear(before, old, address):
            await _send_last_to_guest(host, node, guest)


def _doors(node: Node) -> tuple[object, ...]:
    return (node.config.access_model, frozenset(node.config.roster_groups_allowed))


def _is_admitted(address: str, old: Circle, new: Circle) -> bool:
    return new.may_read(address) and not old.may_read(address)


async def _send_last_to_guest(host: Host, node: Node, guest: JID) -> None:
    async with host.memory(Nodes).lock(node.service, node.name):
        item = await last_item(host, node)
        if item is not None:
            dispatch(host, node, await _stanza(host, node, item, str(guest)), guest)


async def _send_last_to_session(host: Host, session: Session, node: Node, to: str, *, is_asked: bool = False) -> None:
    # Outside the lock: who publishes must not wait for a slow reader.
    await session.room()
    async with host.memory(Nodes).lock(node.service, node.name):
        item = await last_item(host, node)
        stanza = b"" if item is None else await _stanza(host, node, item, to)
        # Time has passed: the client may be gone or have changed its mind.
        if stanza and not session.is_leaving and (not is_asked or node.name in session.notify_nodes):
            session.send(stanza)
