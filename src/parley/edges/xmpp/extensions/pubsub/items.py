"""Items: retrieved, published and deleted (XEP-0060 §6.5, §7, §8.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parley.domain.errors import Conflict
from parley.domain.pubsub.nodes import Node, NodeConfig, NodeItem, WhenFull
from parley.domain.pubsub.pages import ItemQuery
from parley.domain.pubsub.rules import may_publish, may_retract, why_not_item, why_not_read
from parley.edges.xmpp.extensions.pubsub import delivery, events, last
from parley.edges.xmpp.extensions.pubsub.access import check_readable, standing_of
from parley.edges.xmpp.extensions.pubsub.asked import Asked, checked, form_in, node_name
from parley.edges.xmpp.extensions.pubsub.nodes import default_config
from parley.edges.xmpp.extensions.pubsub.options import read_options
from parley.edges.xmpp.extensions.pubsub.own import published, retracted
from parley.edges.xmpp.extensions.pubsub.paging import answer, query_of
from parley.edges.xmpp.extensions.pubsub.refusals import precondition_not_met, refusal, unsupported
from parley.edges.xmpp.people.spreading import Spreading
from parley.protocols.xmpp.builder import serialise, split_tag
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_PUBSUB, NS_PUBSUB_PUBLISH_OPTIONS

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.protocols.xmpp.dataforms import Form

_ITEM: Final = f"{{{NS_PUBSUB}}}item"
_PAGE_BYTES: Final = 4096
_NO_NAMESPACE: Final = "no namespace is the default one"


async def get_items(asked: Asked, element: _Element) -> bytes:
    """Items of a node: all, some by their ids, the newest, or a page (§6.5)."""
    host, node = asked.host, await asked.node(element)
    await check_readable(host, node, asked.asker)
    if element.get("subid") and await _has_subscription(asked, node):
        # §6.5.9.2: subscriptions have no identifiers here, so none is valid.
        raise refusal(StanzaCondition.NOT_ACCEPTABLE, "invalid-subid")
    _check_persists(node)
    query = query_of(element, asked.request.tree, asked.limits.max_answer_bytes)
    page = await host.stores.nodes.items(asked.service, node.name, query, last.since_of(host, node))
    return xml("pubsub", {"xmlns": NS_PUBSUB}, *answer(node, page, is_asked_for=query.is_paged))


async def _has_subscription(asked: Asked, node: Node) -> bool:
    return any(known.address == asked.asker for known in await asked.nodes.subscriptions(node))


def _check_persists(node: Node) -> None:
    if not node.config.persist_items:
        # §6.5.9.4, §7.2.3.5, §8.5.3.3: nothing is kept that could be returned or deleted.
        raise unsupported("persistent-items")


async def publish(asked: Asked, element: _Element) -> bytes:
    """Publish an item (§7.1)."""
    host, name = asked.host, node_name(element)
    # All that is decided on is read inside the lock: it may have changed while others held it.
    async with asked.nodes.lock(asked.service, name):
        node = await _node_to_publish(asked, element, name)
        item = _new_item(asked, node, element)
        dropped = [] if item is None else await _stored(asked, node, item)
        told = await delivery.notify(host, node, events.published(node, item))
        for item_id in dropped:
            told += await delivery.notify(host, node, events.retracted(node, item_id))
    await _pace(asked, item, told)
    if item is None:
        return xml("pubsub", {"xmlns": NS_PUBSUB}, xml("publish", {"node": name}))
    if asked.request.account is not None:
        await published(host, asked.request.account, node, item)
    return xml("pubsub", {"xmlns": NS_PUBSUB}, xml("publish", {"node": name}, xml("item", {"id": item.id})))


async def _stored(asked: Asked, node: Node, item: NodeItem) -> list[str]:
    """Keep an item; returns the ids of those that went for it, as far as subscribers hear of them (§7.1.2.5)."""
    try:
        dropped = await asked.nodes.publish(node, item)
    except Conflict as error:
        # §7.1.3.4
        raise refusal(StanzaCondition.CONFLICT, "node-full") from error
    config = node.config
    # Where there is but one item, the new one says it all.
    is_told = config.when_full is WhenFull.RETRACT_OLDEST and config.notify_retract and config.max_items > 1
    return dropped if is_told else []


async def _pace(asked: Asked, item: NodeItem | None, told: int) -> None:
    """Let a publisher of ours wait when very much went out: all who were told count, by pages of what it is.

    Partners' people are bounded as their server is.
    """
    host, publisher = asked.host, asked.request.origin.owner
    if publisher is None:
        return
    pages = 1 + (0 if item is None else len(item.payload) // _PAGE_BYTES)
    await host.memory(Spreading).pace(publisher.id, told * pages)


async def _node_to_publish(asked: Asked, element: _Element, name: str) -> Node:
    """The node, created if there is none, after its options were compared with those that the publisher wants."""
    options = form_in(asked.request.tree.find(f"{{{NS_PUBSUB}}}publish-options"), NS_PUBSUB_PUBLISH_OPTIONS)
    node = await asked.nodes.find(asked.service, name)
    if node is None and asked.is_own:
        # XEP-0163 §3: what is published to no node yet makes one; but nothing that would be refused there.
        config = _wanted(asked, options, default_config(asked.host, asked.service))
        _new_item(asked, Node(asked.service, name, config), element)
        node = await _created(asked, name, config)
    if asked.service.is_personal and node is None:
        raise StanzaError(StanzaCondition.FORBIDDEN)
    node = node or await asked.nodes.get(asked.service, name)
    if not await _may_publish(asked, node):
        raise StanzaError(StanzaCondition.FORBIDDEN)
    if _wanted(asked, options, node.config) != node.config:
        raise precondition_not_met()
    return node


async def _created(asked: Asked, name: str, config: NodeConfig) -> Node:
    node = Node(asked.service, name, config, {}, asked.asker, asked.host.clock.now_us())
    try:
        return await asked.nodes.create(node)
    except Conflict:
        # Another of the user's devices was faster.
        return await asked.nodes.get(asked.service, name)


async def _may_publish(asked: Asked, node: Node) -> bool:
    standing = await standing_of(asked.host, node, asked.asker)
    if asked.service.is_personal and standing.has_presence and why_not_read(node.config, standing) is None:
        # §9.1.2: who sees the owner's presence counts as subscribed to what they may read.
        standing = replace(standing, is_subscribed=True)
    return may_publish(node.config, standing)


def _wanted(asked: Asked, options: Form | None, known: NodeConfig) -> NodeConfig:
    try:
        return read_options(options, known, asked.limits, is_strict=True)
    except StanzaError as error:
        # §7.1.5: what cannot be had is a precondition that is not met.
        raise precondition_not_met(error.text) from error


def _new_item(asked: Asked, node: Node, element: _Element) -> NodeItem | None:
    """The item to be published, None where a node only announces; raises StanzaError (§7.1.3)."""
    elements = list(element.iterchildren(_ITEM))
    if len(elements) > 1:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "items are published one at a time")
    payloads = list(elements[0]) if elements else []
    namespace = split_tag(str(payloads[0].tag))[0] if payloads else ""
    denial = why_not_item(node.config, len(payloads) if elements else None, namespace)
    if denial is not None:
        raise refusal(StanzaCondition.BAD_REQUEST, denial.value)
    if not elements:
        return None
    # It will stand in other places than this one, so it declares its own namespace.
    payload = serialise(payloads[0], default_namespace=_NO_NAMESPACE) if payloads else b""
    most = asked.limits.max_item_bytes
    if len(payload) > (min(node.config.max_payload_bytes, most) or most):
        raise refusal(StanzaCondition.NOT_ACCEPTABLE, "payload-too-big")
    item_id = checked(elements[0].get("id") or asked.host.new_id())
    return NodeItem(item_id, str(asked.request.sender), asked.host.clock.now_us(), payload)


async def retract(asked: Asked, element: _Element) -> bytes:
    """Delete an item (§7.2)."""
    host, name = asked.host, node_name(element)
    ids = [item.get("id", "") for item in element.iterchildren(_ITEM)]
    if len(ids) != 1 or not ids[0]:
        raise refusal(StanzaCondition.BAD_REQUEST, "item-required")
    async with asked.nodes.lock(asked.service, name):
        node = await _node_to_retract(asked, name)
        _check_persists(node)
        page = await host.stores.nodes.items(asked.service, name, ItemQuery(ids=(ids[0],)))
        affiliation = node.affiliation(asked.asker)
        if page.items and not may_retract(affiliation, asked.asker, page.items[0]):
            raise StanzaError(StanzaCondition.FORBIDDEN)
        if not await host.stores.nodes.retract(asked.service, name, ids):
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
        if node.config.notify_retract or element.get("notify") in ("1", "true"):
            await delivery.notify(host, node, events.retracted(node, ids[0]))
    if asked.request.account is not None:
        await retracted(host, asked.request.account, node, ids[0])
    return b""


async def _node_to_retract(asked: Asked, name: str) -> Node:
    node = await asked.nodes.find(asked.service, name)
    if node is None and asked.service.is_personal and not asked.is_own:
        raise StanzaError(StanzaCondition.FORBIDDEN)
    node = node or await asked.nodes.get(asked.service, name)
    if not await _may_publish(asked, node):
        raise StanzaError(StanzaCondition.FORBIDDEN)
    return node


async def purge(asked: Asked, element: _Element) -> bytes:
    """Delete all items of a node (§8.5)."""
    host = asked.host
    async with asked.nodes.lock(asked.service, node_name(element)):
        node = await asked.owned(element)
        _check_persists(node)
        await host.stores.nodes.purge(asked.service, node.name)
        if node.config.notify_retract:
            await delivery.notify(host, node, events.purged(node))
    if asked.request.account is not None:
        await retracted(host, asked.request.account, node, "")
    return b""
