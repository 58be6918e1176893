"""Publish-subscribe on bare addresses: nodes and their items, as far as personal eventing needs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.domain.errors import Conflict
from parley.domain.nodes import Node, NodeConfig, NodeItem
from parley.edges.xmpp.extension import Extension, IqHandle, IqHandler, IqRequest, Target
from parley.edges.xmpp.extensions.pubsub import affiliations, events, paging
from parley.edges.xmpp.extensions.pubsub.asked import checked, node_name, node_of, owner_of
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes, check_readable
from parley.edges.xmpp.extensions.pubsub.options import options_form, read_options
from parley.edges.xmpp.extensions.pubsub.paging import page_of
from parley.edges.xmpp.extensions.pubsub.refusals import precondition_not_met, refusal, unsupported
from parley.protocols.xmpp.builder import serialise
from parley.protocols.xmpp.dataforms import Form, find_form
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import PayloadError, StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import (
    NS_PUBSUB,
    NS_PUBSUB_NODE_CONFIG,
    NS_PUBSUB_OWNER,
    NS_PUBSUB_PUBLISH_OPTIONS,
)
from parley.protocols.xmpp.rsm import PageRequest, parse_page_request

if TYPE_CHECKING:
    from lxml.etree import _Element

_NO_NAMESPACE: Final = "no namespace is the default one"

_Action = Callable[[IqRequest, "_Element"], Awaitable[bytes | None]]


def _dispatch(namespace: str, actions: Mapping[str, _Action]) -> IqHandle:
    """A handler that looks for the child of `<pubsub/>` that says what is asked."""

    async def handle(request: IqRequest) -> bytes | None:
        for child in request.tree:
            name = str(child.tag).removeprefix(f"{{{namespace}}}")
            if name in actions:
                return await actions[name](request, child)
        raise StanzaError(StanzaCondition.BAD_REQUEST, "nothing that is known is asked for")

    return handle


def _unsupported(feature: str) -> _Action:
    async def refuse(_request: IqRequest, _child: _Element) -> bytes:
        raise unsupported(feature)

    return refuse


async def _forbidden(_request: IqRequest, _child: _Element) -> bytes:
    # §7.1.3.1 and others: only the owner publishes, and does what owners do.
    raise StanzaError(StanzaCondition.FORBIDDEN)


# Items


async def _items(request: IqRequest, asked: _Element) -> bytes:
    host, owner, node = request.host, owner_of(request), await node_of(request, asked)
    await check_readable(host, owner, node, str(request.asker))
    _check_persists(node)
    ids = [item.get("id", "") for item in asked.iterchildren(f"{{{NS_PUBSUB}}}item")]
    max_items = asked.get("max_items", "")
    if max_items and not (max_items.isascii() and max_items.isdigit() and len(max_items) < 10):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "max_items is not a number")
    wanted = parse_page_request(request.tree)
    items = await host.stores.nodes.items(owner.id, node.name, int(max_items) if max_items else None, ids)
    is_paged = wanted != PageRequest() and not ids
    # Where no page is asked for, the newest are what matters.
    page = page_of(items, wanted if is_paged else PageRequest(before=""))
    max_bytes = host.settings.pep.max_answer_bytes
    return xml("pubsub", {"xmlns": NS_PUBSUB}, *paging.answer(node.name, page, max_bytes, is_asked_for=is_paged))


def _check_persists(node: Node) -> None:
    if not node.config.persist_items:
        # §6.5.9.4, §7.2.3.6, §8.5.3.3: nothing is kept that could be returned or deleted.
        raise unsupported("persistent-items")


async def _publish(request: IqRequest, asked: _Element) -> bytes:
    host, owner = request.host, owner_of(request)
    name = node_name(asked)
    item = _new_item(request, asked)
    # All that is decided on is read inside the lock: it may have changed while others held it.
    async with host.memory(Nodes).lock(owner.id, name):
        node = await _node_to_publish(request, name)
        roster = await host.rosters.get(owner.id)
        await host.stores.nodes.publish(owner.id, name, item)
        events.notify(host, owner, roster, node, events.published(node, item))
    answer = xml("publish", {"node": name}, xml("item", {"id": item.id}))
    return xml("pubsub", {"xmlns": NS_PUBSUB}, answer)


def _new_item(request: IqRequest, asked: _Element) -> NodeItem:
    # §7.1.3.5 and §7.1.3.6: an item with one payload, and not more than one.
    elements = list(asked.iterchildren(f"{{{NS_PUBSUB}}}item"))
    if not elements:
        raise refusal(StanzaCondition.BAD_REQUEST, "item-required")
    if len(elements) > 1:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "items are published one at a time")
    payloads = list(elements[0])
    if not payloads:
        raise refusal(StanzaCondition.BAD_REQUEST, "payload-required")
    if len(payloads) > 1:
        raise refusal(StanzaCondition.BAD_REQUEST, "invalid-payload")
    # It will stand in other places than this one, so it declares its own namespace.
    payload = serialise(payloads[0], default_namespace=_NO_NAMESPACE)
    if len(payload) > request.host.settings.pep.max_item_bytes:
        raise refusal(StanzaCondition.NOT_ACCEPTABLE, "payload-too-big")
    item_id = checked(elements[0].get("id") or request.host.new_id())
    return NodeItem(item_id, str(request.sender), request.host.clock.now_us(), payload)


async def _node_to_publish(request: IqRequest, name: str) -> Node:
    """The node, created if there is none, after its options were compared with those that the publisher wants."""
    nodes, account_id = request.host.memory(Nodes), owner_of(request).id
    options = _form(request.tree.find(f"{{{NS_PUBSUB}}}publish-options"), NS_PUBSUB_PUBLISH_OPTIONS)
    node = (await nodes.of(account_id)).get(name)
    if node is None:
        try:
            return await nodes.create(account_id, name, _wanted(request, options, NodeConfig()))
        except Conflict:
            # Another of the user's devices was faster.
            node = await nodes.get(account_id, name)
    if _wanted(request, options, node.config) != node.config:
        raise precondition_not_met()
    return node


def _wanted(request: IqRequest, options: Form | None, known: NodeConfig) -> NodeConfig:
    try:
        return read_options(options, known, request.host.settings.pep.max_items)
    except StanzaError as error:
        # §7.1.5: what cannot be had is a precondition that is not met.
        raise precondition_not_met(error.text) from error


def _form(parent: _Element | None, form_type: str) -> Form | None:
    form = None if parent is None else find_form(parent)
    if form is not None and form.form_type not in ("", form_type):
        raise PayloadError("a form of another type")
    return form


async def _retract(request: IqRequest, asked: _Element) -> bytes:
    host, owner = request.host, owner_of(request)
    async with host.memory(Nodes).lock(owner.id, node_name(asked)):
        node = await node_of(request, asked)
        _check_persists(node)
        ids = [item.get("id", "") for item in asked.iterchildren(f"{{{NS_PUBSUB}}}item")]
        if len(ids) != 1 or not ids[0]:
            raise refusal(StanzaCondition.BAD_REQUEST, "item-required")
        roster = await host.rosters.get(owner.id)
        if not await host.stores.nodes.retract(owner.id, node.name, ids):
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
        if node.config.notify_retract or asked.get("notify") in ("1", "true"):
            events.notify(host, owner, roster, node, events.retracted(node, ids[0]))
    return b""


# Nodes


async def _create(request: IqRequest, asked: _Element) -> bytes:
    name = asked.get("node", "")
    if not name:
        # §8.1.4: a personal node without a name would be found by nobody.
        raise refusal(StanzaCondition.NOT_ACCEPTABLE, "nodeid-required")
    form = _form(request.tree.find(f"{{{NS_PUBSUB}}}configure"), NS_PUBSUB_NODE_CONFIG)
    config = read_options(form, NodeConfig(), request.host.settings.pep.max_items)
    await request.host.memory(Nodes).create(owner_of(request).id, checked(name), config)
    return b""


async def _get_configuration(request: IqRequest, asked: _Element) -> bytes:
    node = await node_of(request, asked)
    answer = xml("configure", {"node": node.name}, options_form(node.config).to_bytes())
    return xml("pubsub", {"xmlns": NS_PUBSUB_OWNER}, answer)


async def _set_configuration(request: IqRequest, asked: _Element) -> bytes:
    nodes, account_id = request.host.memory(Nodes), owner_of(request).id
    async with nodes.lock(account_id, node_name(asked)):
        node = await node_of(request, asked)
        form = _form(asked, NS_PUBSUB_NODE_CONFIG)
        if form is None or form.type not in ("submit", "cancel"):
            raise StanzaError(StanzaCondition.BAD_REQUEST, "a form that is filled in is missing")
        if form.type == "submit":
            config = read_options(form, node.config, request.host.settings.pep.max_items)
            await nodes.configure(account_id, node.name, config)
    return b""


async def _get_default(_request: IqRequest, _asked: _Element) -> bytes:
    return xml("pubsub", {"xmlns": NS_PUBSUB_OWNER}, xml("default", None, options_form(NodeConfig()).to_bytes()))


async def _purge(request: IqRequest, asked: _Element) -> bytes:
    host, owner = request.host, owner_of(request)
    async with host.memory(Nodes).lock(owner.id, node_name(asked)):
        node = await node_of(request, asked)
        _check_persists(node)
        roster = await host.rosters.get(owner.id)
        await host.stores.nodes.purge(owner.id, node.name)
        if node.config.notify_retract:
            events.notify(host, owner, roster, node, events.purged(node))
    return b""


async def _delete(request: IqRequest, asked: _Element) -> bytes:
    host, owner = request.host, owner_of(request)
    nodes = host.memory(Nodes)
    async with nodes.lock(owner.id, node_name(asked)):
        node = await node_of(request, asked)
        roster = await host.rosters.get(owner.id)
        if not await nodes.delete(owner.id, node.name):
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
        if node.config.notify_delete:
            events.notify(host, owner, roster, node, events.deleted(node))
    return b""


_READ: Final = MappingProxyType[str, _Action](
    {
        "items": _items,
        "subscriptions": _unsupported("retrieve-subscriptions"),
        "affiliations": affiliations.get_own,
        "options": _unsupported("subscription-options"),
        "default": _unsupported("retrieve-default-sub"),
    }
)
_SUBSCRIBE: Final = MappingProxyType[str, _Action](
    {
        "subscribe": _unsupported("subscribe"),
        "unsubscribe": _unsupported("subscribe"),
        "options": _unsupported("subscription-options"),
    }
)
_WRITE: Final = MappingProxyType[str, _Action]({"publish": _publish, "retract": _retract, "create": _create})
_OWNER_READ: Final = MappingProxyType[str, _Action](
    {
        "configure": _get_configuration,
        "default": _get_default,
        "subscriptions": _unsupported("manage-subscriptions"),
        "affiliations": affiliations.get_all,
    }
)
_OWNER_WRITE: Final = MappingProxyType[str, _Action](
    {
        "configure": _set_configuration,
        "purge": _purge,
        "delete": _delete,
        "subscriptions": _unsupported("manage-subscriptions"),
        "affiliations": affiliations.change,
    }
)
_ACCOUNT: Final = frozenset({Target.ACCOUNT})
_CONTACT: Final = frozenset({Target.CONTACT})

EXTENSION = Extension(
    spec="XEP-0060",
    name="Publish-Subscribe",
    version="1.26.0",
    status=(
        "the part that personal eventing needs: no services of their own, no subscriptions by request, and so no nodes"
        " that ask their owner (authorize); only the owner publishes"
    ),
    account_features=(
        NS_PUBSUB,
        *(
            f"{NS_PUBSUB}#{name}"
            for name in (
                "access-open",
                "access-presence",
                "access-roster",
                "access-whitelist",
                "auto-create",
                "config-node",
                "config-node-max",
                "create-and-configure",
                "create-nodes",
                "delete-items",
                "delete-nodes",
                "item-ids",
                "member-affiliation",
                "meta-data",
                "modify-affiliations",
                "multi-items",
                "outcast-affiliation",
                "persistent-items",
                "publish",
                "publish-options",
                "purge-nodes",
                "retract-items",
                "retrieve-affiliations",
                "retrieve-default",
                "retrieve-items",
                "rsm",
            )
        ),
    ),
    iq=(
        IqHandler("get", NS_PUBSUB, "pubsub", _ACCOUNT | _CONTACT, _dispatch(NS_PUBSUB, _READ)),
        IqHandler("set", NS_PUBSUB, "pubsub", _ACCOUNT, _dispatch(NS_PUBSUB, {**_WRITE, **_SUBSCRIBE})),
        IqHandler(
            "set",
            NS_PUBSUB,
            "pubsub",
            _CONTACT,
            _dispatch(NS_PUBSUB, {**dict.fromkeys(_WRITE, _forbidden), **_SUBSCRIBE}),
        ),
        IqHandler("get", NS_PUBSUB_OWNER, "pubsub", _ACCOUNT, _dispatch(NS_PUBSUB_OWNER, _OWNER_READ)),
        IqHandler("set", NS_PUBSUB_OWNER, "pubsub", _ACCOUNT, _dispatch(NS_PUBSUB_OWNER, _OWNER_WRITE)),
        IqHandler(
            "get",
            NS_PUBSUB_OWNER,
            "pubsub",
            _CONTACT,
            _dispatch(NS_PUBSUB_OWNER, dict.fromkeys(_OWNER_READ, _forbidden)),
        ),
        IqHandler(
            "set",
            NS_PUBSUB_OWNER,
            "pubsub",
            _CONTACT,
            _dispatch(NS_PUBSUB_OWNER, dict.fromkeys(_OWNER_WRITE, _forbidden)),
        ),
    ),
)
