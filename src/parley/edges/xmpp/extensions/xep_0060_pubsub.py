"""Publish-subscribe on bare addresses: nodes and their items, as far as personal eventing needs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.domain.errors import Conflict
from parley.domain.nodes import Node, NodeConfig, NodeItem
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.edges.xmpp.extensions.pubsub import events
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes, check_readable
from parley.edges.xmpp.extensions.pubsub.options import options_form, read_options
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
from parley.protocols.xmpp.rsm import Page

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.accounts import Account

_MAX_NAME_BYTES: Final = 1023
_MAX_ANSWER_BYTES: Final = 1024 * 1024
_NO_NAMESPACE: Final = "no namespace is the default one"

_Action = Callable[[IqRequest, "_Element"], Awaitable[bytes]]


def _dispatch(namespace: str, actions: Mapping[str, _Action]) -> Callable[[IqRequest], Awaitable[bytes]]:
    """A handler that looks for the child of `<pubsub/>` that says what is asked."""

    async def handle(request: IqRequest) -> bytes:
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
    # §7.1.3.1: only the owner publishes.
    raise StanzaError(StanzaCondition.FORBIDDEN)


def _owner(request: IqRequest) -> Account:
    if request.account is None:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    return request.account


def _node_name(element: _Element) -> str:
    name = element.get("node", "")
    if not name:
        raise refusal(StanzaCondition.BAD_REQUEST, "nodeid-required")
    return _checked(name)


def _checked(name: str) -> str:
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"a name has at most {_MAX_NAME_BYTES} bytes")
    return name


# Items


async def _items(request: IqRequest, asked: _Element) -> bytes:
    host, owner = request.host, _owner(request)
    node = await host.memory(Nodes).get(owner.id, _node_name(asked))
    await check_readable(host, owner, node, request.session.account.address)
    ids = [item.get("id", "") for item in asked.iterchildren(f"{{{NS_PUBSUB}}}item")]
    max_items = asked.get("max_items", "")
    if max_items and not (max_items.isascii() and max_items.isdigit() and len(max_items) < 10):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "max_items is not a number")
    items = await host.stores.nodes.items(owner.id, node.name, int(max_items) if max_items else None, ids)
    return xml("pubsub", {"xmlns": NS_PUBSUB}, *_answer(node, items))


def _answer(node: Node, items: Sequence[NodeItem]) -> list[bytes]:
    """The newest items that fit into one answer, and what was left out (§6.5.4)."""
    shown: list[bytes] = []
    size = 0
    for item in reversed(items):
        rendered = events.item_xml(item)
        size += len(rendered)
        if shown and size > _MAX_ANSWER_BYTES:
            break
        shown.append(rendered)
    answer = [xml("items", {"node": node.name}, *reversed(shown))]
    if len(shown) < len(items):
        first = len(items) - len(shown)
        answer.append(Page(items[first].id, items[-1].id, first, len(items)).to_bytes())
    return answer


async def _publish(request: IqRequest, asked: _Element) -> bytes:
    host, owner = request.host, _owner(request)
    name = _node_name(asked)
    item = _new_item(request, asked)
    node = await _node_to_publish(request, name)
    roster = await host.rosters.get(owner.id)
    async with host.memory(Nodes).lock(owner.id, name):
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
    item_id = _checked(elements[0].get("id") or request.host.new_id())
    return NodeItem(item_id, str(request.sender), request.host.clock.now_us(), payload)


async def _node_to_publish(request: IqRequest, name: str) -> Node:
    """The node, created if there is none, after its options were compared with those that the publisher wants."""
    nodes, account_id = request.host.memory(Nodes), _owner(request).id
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
    host, owner = request.host, _owner(request)
    node = await host.memory(Nodes).get(owner.id, _node_name(asked))
    ids = [item.get("id", "") for item in asked.iterchildren(f"{{{NS_PUBSUB}}}item")]
    if len(ids) != 1 or not ids[0]:
        raise refusal(StanzaCondition.BAD_REQUEST, "item-required")
    roster = await host.rosters.get(owner.id)
    async with host.memory(Nodes).lock(owner.id, node.name):
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
    await request.host.memory(Nodes).create(_owner(request).id, _checked(name), config)
    return b""


async def _get_configuration(request: IqRequest, asked: _Element) -> bytes:
    node = await request.host.memory(Nodes).get(_owner(request).id, _node_name(asked))
    answer = xml("configure", {"node": node.name}, options_form(node.config).to_bytes())
    return xml("pubsub", {"xmlns": NS_PUBSUB_OWNER}, answer)


async def _set_configuration(request: IqRequest, asked: _Element) -> bytes:
    nodes, account_id = request.host.memory(Nodes), _owner(request).id
    node = await nodes.get(account_id, _node_name(asked))
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
    host, owner = request.host, _owner(request)
    node = await host.memory(Nodes).get(owner.id, _node_name(asked))
    roster = await host.rosters.get(owner.id)
    async with host.memory(Nodes).lock(owner.id, node.name):
        await host.stores.nodes.purge(owner.id, node.name)
        if node.config.notify_retract:
            events.notify(host, owner, roster, node, events.purged(node))
    return b""


async def _delete(request: IqRequest, asked: _Element) -> bytes:
    host, owner = request.host, _owner(request)
    nodes = host.memory(Nodes)
    node = await nodes.get(owner.id, _node_name(asked))
    roster = await host.rosters.get(owner.id)
    async with nodes.lock(owner.id, node.name):
        if not await nodes.delete(owner.id, node.name):
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
        if node.config.notify_delete:
            events.notify(host, owner, roster, node, events.deleted(node))
    return b""


_READ: Final = MappingProxyType[str, _Action](
    {
        "items": _items,
        "subscriptions": _unsupported("retrieve-subscriptions"),
        "affiliations": _unsupported("retrieve-affiliations"),
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
        "affiliations": _unsupported("modify-affiliations"),
    }
)
_OWNER_WRITE: Final = MappingProxyType[str, _Action](
    {
        "configure": _set_configuration,
        "purge": _purge,
        "delete": _delete,
        "subscriptions": _unsupported("manage-subscriptions"),
        "affiliations": _unsupported("modify-affiliations"),
    }
)
_ACCOUNT: Final = frozenset({Target.ACCOUNT})
_CONTACT: Final = frozenset({Target.CONTACT})

EXTENSION = Extension(
    spec="XEP-0060",
    name="Publish-Subscribe",
    version="1.26.0",
    status=(
        "the part that personal eventing needs: no services of their own, no subscriptions by request, no affiliations,"
        " so that a whitelist holds the owner alone"
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
                "meta-data",
                "multi-items",
                "persistent-items",
                "publish",
                "publish-options",
                "purge-nodes",
                "retract-items",
                "retrieve-default",
                "retrieve-items",
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
    ),
)
