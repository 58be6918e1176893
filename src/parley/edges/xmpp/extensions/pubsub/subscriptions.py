"""Subscriptions from the subscribers' side (XEP-0060 §5.6, §6.1 to §6.4).

An address has one subscription to a node, so there are no identifiers of subscriptions (§6.1.6).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.nodes import Node, Subscription, SubscriptionOptions, SubscriptionWord
from parley.domain.pubsub.rules import needs_approval, why_not_subscribe
from parley.edges.xmpp.extensions.pubsub import approval, last
from parley.edges.xmpp.extensions.pubsub.access import standing_of
from parley.edges.xmpp.extensions.pubsub.asked import Asked, form_in, jid_of, node_name
from parley.edges.xmpp.extensions.pubsub.events import subscription_xml
from parley.edges.xmpp.extensions.pubsub.refusals import denied, not_subscribed, refusal
from parley.edges.xmpp.extensions.pubsub.subscribe_options import (
    NS_SUBSCRIBE_OPTIONS,
    read_subscribe_options,
    subscribe_options_form,
)
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError, StanzaErrorType
from parley.protocols.xmpp.namespaces import NS_PUBSUB

if TYPE_CHECKING:
    from lxml.etree import _Element

_OPTIONS: Final = f"{{{NS_PUBSUB}}}options"
_SUBSCRIBE: Final = f"{{{NS_PUBSUB}}}subscribe"


async def subscribe(asked: Asked, element: _Element) -> bytes | None:
    """Subscribe an address of who asks (§6.1)."""
    beside = _options_beside(element)
    async with asked.nodes.lock(asked.service, node_name(element)):
        jid = jid_of(element, "invalid-jid")
        node = await _node(asked, element)
        if str(jid.bare) != asked.asker:
            # §6.1.3.1
            raise refusal(StanzaCondition.BAD_REQUEST, "invalid-jid")
        known = await asked.nodes.subscription(node, str(jid))
        standing = await standing_of(asked.host, node, asked.asker)
        denial = why_not_subscribe(node.config, standing)
        if denial is not None:
            raise denied(denial)
        if known is not None and not known.is_subscribed:
            # §6.1.3.7
            raise refusal(StanzaCondition.NOT_AUTHORIZED, "pending-subscription")
        options = SubscriptionOptions() if known is None else known.options
        form = form_in(beside, NS_SUBSCRIBE_OPTIONS)
        options = _for_node(node, read_subscribe_options(form, options, asked.host.clock.now_us()))
        is_pending = known is None and needs_approval(node.config, standing)
        state = SubscriptionWord.PENDING if is_pending else SubscriptionWord.SUBSCRIBED
        subscription = Subscription(str(jid), state, options)
        if subscription != known:
            await asked.nodes.subscribe(node, [subscription])
        parts = [subscription_xml(node.name, subscription)]
        if form is not None:
            # §6.3.7
            shown = subscribe_options_form(options, node.config, "result")
            parts.append(xml("options", None, shown.to_bytes()))
        asked.request.answer(xml("pubsub", {"xmlns": NS_PUBSUB}, *parts))
        if known is None:
            await _subscribed(asked, node, subscription)
    return None


def _for_node(node: Node, options: SubscriptionOptions) -> SubscriptionOptions:
    """What a subscriber wants as far as the owner lets them have it (§12.5)."""
    return replace(options, is_temporary=True) if node.config.is_temporary else options


async def _subscribed(asked: Asked, node: Node, subscription: Subscription) -> None:
    """What follows a new subscription, behind its answer."""
    if not subscription.is_subscribed:
        await approval.ask_owners(asked.host, node, subscription)
        return
    await approval.tell_owners(asked.host, node, subscription)
    await last.send_last(asked.host, node, subscription)


def _options_beside(element: _Element) -> _Element | None:
    parent = element.getparent()
    if parent is None:
        return None
    if sum(child.tag == _SUBSCRIBE for child in parent) > 1:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "one subscription is asked for at a time")
    found = parent.find(_OPTIONS)
    if found is None:
        return None
    is_misplaced = parent.index(found) < parent.index(element)
    if is_misplaced or found.get("node") is not None or found.get("jid") is not None:
        # §6.3.7
        raise StanzaError(StanzaCondition.BAD_REQUEST, "options stand behind subscribe and name nothing")
    return found


async def _node(asked: Asked, element: _Element) -> Node:
    return await asked.nodes.get(asked.service, node_name(element))


async def unsubscribe(asked: Asked, element: _Element) -> bytes | None:
    """End the subscription of an address of who asks (§6.2)."""
    async with asked.nodes.lock(asked.service, node_name(element)):
        node, known = await _own(asked, element, StanzaErrorType.CANCEL)
        ended = replace(known, state=SubscriptionWord.NONE)
        await asked.nodes.subscribe(node, [ended])
        asked.request.answer()
        approval.tell_subscriber(asked.host, node, ended)
        if known.is_subscribed:
            await approval.tell_owners(asked.host, node, ended)
    return None


async def _own(asked: Asked, element: _Element, kind: StanzaErrorType) -> tuple[Node, Subscription]:
    """The node that an element names, and the subscription of the address that it names; raises StanzaError."""
    name = node_name(element)
    jid = jid_of(element, "jid-required")
    node = await asked.nodes.get(asked.service, name)
    if str(jid.bare) != asked.asker:
        # §6.2.3.3, §6.3.4.1
        raise StanzaError(StanzaCondition.FORBIDDEN)
    known = await asked.nodes.subscription(node, str(jid))
    if known is None:
        raise not_subscribed(kind)
    return node, known


async def get_options(asked: Asked, element: _Element) -> bytes:
    """What a subscriber wants (§6.3.3)."""
    node, known = await _own(asked, element, StanzaErrorType.MODIFY)
    form = subscribe_options_form(known.options, node.config, "form")
    options = xml("options", {"node": node.name, "jid": known.jid}, form.to_bytes())
    return xml("pubsub", {"xmlns": NS_PUBSUB}, options)


async def set_options(asked: Asked, element: _Element) -> bytes:
    """Change what a subscriber wants (§6.3.5)."""
    async with asked.nodes.lock(asked.service, node_name(element)):
        node, known = await _own(asked, element, StanzaErrorType.MODIFY)
        form = form_in(element, NS_SUBSCRIBE_OPTIONS)
        if form is None or form.type not in ("submit", "cancel"):
            raise refusal(StanzaCondition.BAD_REQUEST, "invalid-options", "a form that is filled in is missing")
        if form.type == "submit":
            options = _for_node(node, read_subscribe_options(form, known.options, asked.host.clock.now_us()))
            await asked.nodes.subscribe(node, [replace(known, options=options)])
    return b""


async def get_default(asked: Asked, element: _Element) -> bytes:
    """The options of a subscription that was made without any (§6.4)."""
    name = element.get("node")
    config = (await _node(asked, element)).config if name else None
    options = SubscriptionOptions(is_temporary=config is not None and config.is_temporary)
    form = subscribe_options_form(options, config, "result")
    return xml("pubsub", {"xmlns": NS_PUBSUB}, xml("default", {"node": name}, form.to_bytes()))


async def get_own(asked: Asked, element: _Element) -> bytes:
    """The subscriptions of who asks, with all their addresses, at all nodes or at one (§5.6)."""
    name = element.get("node") or None
    if name is not None:
        await _node(asked, element)
    found = await asked.host.stores.nodes.subscriptions_of(asked.service, asked.asker)
    now = asked.host.clock.now_us()
    parts = [
        subscription_xml(node, subscription)
        for node, subscription in found
        if name in (None, node) and not subscription.options.is_over(now)
    ]
    return xml("pubsub", {"xmlns": NS_PUBSUB}, xml("subscriptions", {"node": name}, *parts))
