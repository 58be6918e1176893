"""Notifications of what happens at a node, to those who may read it and asked by `+notify` (XEP-0163 §4)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from parley.domain.nodes import Node, NodeItem
from parley.edges.xmpp.decoration import delay
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes, why_not
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.namespaces import NS_PUBSUB_EVENT

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.domain.contacts import Roster
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.session import Session


def item_xml(item: NodeItem) -> bytes:
    """An item, for an event or for the answer to a query."""
    return xml("item", {"id": item.id}, item.payload)


def published(node: Node, item: NodeItem) -> bytes:
    """The event of a new item."""
    return _event(xml("items", {"node": node.name}, item_xml(item)))


def retracted(node: Node, item_id: str) -> bytes:
    """The event of a deleted item."""
    return _event(xml("items", {"node": node.name}, xml("retract", {"id": item_id})))


def purged(node: Node) -> bytes:
    """The event of a node without items."""
    return _event(xml("purge", {"node": node.name}))


def deleted(node: Node) -> bytes:
    """The event of a deleted node."""
    return _event(xml("delete", {"node": node.name}))


def _event(content: bytes) -> bytes:
    return xml("event", {"xmlns": NS_PUBSUB_EVENT}, content)


def notify(host: Host, owner: Account, roster: Roster, node: Node, event: bytes) -> None:
    """Tell everybody; `roster` is the owner's."""
    for session in _subscribers(host, owner, roster, node):
        _send(host, session, owner, event)


def _subscribers(host: Host, owner: Account, roster: Roster, node: Node) -> Iterator[Session]:
    for session in host.router.available(owner.address):
        if node.name in session.notify_nodes:
            yield session
    for contact in roster.contacts.values():
        # XEP-0163 §3: who receives the owner's presence is subscribed, as far as the access model lets them.
        if contact.state.from_:
            sessions = [s for s in host.router.available(contact.address) if node.name in s.notify_nodes]
            if sessions and why_not(node, contact.address, contact) is None:
                yield from sessions


def _send(host: Host, session: Session, owner: Account, *content: bytes) -> None:
    attrs = {"from": owner.address, "to": str(session.jid), "type": "headline", "id": host.new_id()}
    session.send(xml("message", attrs, *content))


async def send_last_items(host: Host, session: Session, names: Collection[str]) -> None:
    """Send the last item of each node in `names` that the user and their contacts have (XEP-0163 §4.3.1)."""
    await _send_last(host, session, session.account, names)
    roster = await host.rosters.get(session.account.id)
    for contact in roster.contacts.values():
        if contact.state.to and not session.is_leaving:
            owner = await host.stores.directory.find(contact.address)
            if owner is not None:
                await _send_last(host, session, owner, names)


async def send_last_items_of(host: Host, owner: Account, address: str) -> None:
    """Send the last item of each node of `owner` to the sessions of an account that was subscribed just now."""
    # Each may have to wait for its client, and none for those of the others.
    sending = [
        _send_last(host, session, owner, session.notify_nodes, is_new=True)
        for session in host.router.available(address)
    ]
    await asyncio.gather(*sending)


async def _send_last(
    host: Host, session: Session, owner: Account, names: Collection[str], *, is_new: bool = False
) -> None:
    known = host.memory(Nodes)
    nodes = await known.of(owner.id)
    occasions = {"on_sub", "on_sub_and_presence"} if is_new else {"on_sub_and_presence"}
    for name in sorted(nodes.keys() & set(names)):
        node = nodes[name]
        if node.config.send_last_published_item not in occasions:
            continue
        if owner.id != session.account.id:
            roster = await host.rosters.get(owner.id)
            reader = session.account.address
            contact = roster.contacts.get(reader)
            if contact is None or not contact.state.from_ or why_not(node, reader, contact) is not None:
                continue
        # Outside the lock: who publishes must not wait for a slow reader.
        await session.room()
        async with known.lock(owner.id, name):
            items = await host.stores.nodes.items(owner.id, name, 1)
            # Time has passed: the client may be gone or have changed its mind.
            if items and name in session.notify_nodes and not session.is_leaving:
                # XEP-0060 §6.1.7: an item that is not new carries its time.
                _send(host, session, owner, published(node, items[-1]), delay(owner.address, items[-1].published_at))
