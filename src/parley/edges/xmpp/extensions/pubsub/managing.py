"""Subscriptions from the owners' side (XEP-0060 §8.8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.nodes import Node, Subscription, SubscriptionOptions, SubscriptionWord
from parley.domain.pubsub.rules import why_not_subscribe
from parley.edges.xmpp.extensions.pubsub import approval
from parley.edges.xmpp.extensions.pubsub.access import Circle, circle_of
from parley.edges.xmpp.extensions.pubsub.asked import Asked, jid_of, node_name
from parley.edges.xmpp.extensions.pubsub.events import subscription_xml
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_PUBSUB_OWNER

if TYPE_CHECKING:
    from lxml.etree import _Element

_SUBSCRIPTION: Final = f"{{{NS_PUBSUB_OWNER}}}subscription"


@dataclass(frozen=True, slots=True)
class _Entry:
    jid: str
    word: str | None


async def get_all(asked: Asked, element: _Element) -> bytes:
    """Who is subscribed to a node; not who waits (§8.8.1)."""
    node = await asked.owned(element)
    now = asked.host.clock.now_us()
    known = await asked.nodes.subscriptions(node)
    return _list(node, [each for each in known if each.is_subscribed and not each.options.is_over(now)])


async def change(asked: Asked, element: _Element) -> bytes | None:
    """Subscribe people and end subscriptions, each that is allowed; the others are told back (§8.8.2)."""
    async with asked.nodes.lock(asked.service, node_name(element)):
        node = await asked.owned(element)
        entries = [_Entry(str(jid_of(each, "jid-required")), each.get("subscription")) for each in _entries(element)]
        if not entries or len({entry.jid for entry in entries}) != len(entries):
            # §8.8.2.4: who is named twice would need identifiers of subscriptions.
            raise StanzaError(StanzaCondition.BAD_REQUEST, "each subscriber is named once")
        circle = await circle_of(asked.host, node)
        refused = [entry for entry in entries if not await _changed(asked, circle, entry)]
        if not refused:
            return b""
        unchanged = [await _known(asked, node, entry.jid) for entry in refused]
    error = StanzaError(StanzaCondition.NOT_ACCEPTABLE, "some subscriptions cannot become that")
    asked.refuse_some(error, _list(node, unchanged))
    return None


def _entries(element: _Element) -> list[_Element]:
    return list(element.iterchildren(_SUBSCRIPTION))


async def _changed(asked: Asked, circle: Circle, entry: _Entry) -> bool:
    if entry.word is None:
        # An entry without the attribute changes nothing.
        return True
    known = await _known(asked, circle.node, entry.jid)
    if entry.word == known.state.value:
        return True
    if entry.word == SubscriptionWord.NONE:
        state = SubscriptionWord.NONE
    elif entry.word == SubscriptionWord.SUBSCRIBED:
        state = SubscriptionWord.SUBSCRIBED
        if why_not_subscribe(circle.node.config, circle.standing(known.address)) is not None:
            return False
    else:
        return False
    await approval.change(asked.host, circle.node, replace(known, state=state))
    return True


async def _known(asked: Asked, node: Node, jid: str) -> Subscription:
    known = await asked.nodes.subscription(node, jid)
    options = SubscriptionOptions(is_temporary=node.config.is_temporary)
    return Subscription(jid, SubscriptionWord.NONE, options) if known is None else known


def _list(node: Node, known: list[Subscription]) -> bytes:
    parts = [subscription_xml(None, each) for each in known]
    return xml("pubsub", {"xmlns": NS_PUBSUB_OWNER}, xml("subscriptions", {"node": node.name}, *parts))
