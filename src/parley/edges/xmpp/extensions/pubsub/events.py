"""What subscribers are told, as XML (XEP-0060 §7.1.2 and others)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parley.edges.xmpp.extensions.pubsub.bodies import body_of
from parley.edges.xmpp.extensions.pubsub.options import options_form
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.namespaces import NS_PUBSUB_EVENT

if TYPE_CHECKING:
    from parley.domain.pubsub.nodes import Node, NodeItem, Subscription


@dataclass(frozen=True, slots=True)
class Event:
    """An event: `content` is the XML of `<event/>`, `item` what was published, for who wants a body."""

    content: bytes
    item: NodeItem | None = None

    def body(self) -> bytes:
        """`<body/>` with what people can read of the item; empty when there is nothing."""
        text = "" if self.item is None else body_of(self.item.payload)
        return xml("body", None, text) if text else b""


def item_xml(node: Node, item: NodeItem, *, is_bare: bool = False) -> bytes:
    """An item, for an event or for the answer to a query; `is_bare` leaves the payload out."""
    attrs = {"id": item.id, "publisher": node.publisher_of(item)}
    return xml("item", attrs, b"" if is_bare else item.payload)


def published(node: Node, item: NodeItem | None) -> Event:
    """The event of a new item; None where items are only announced (§7.1.2.2)."""
    content = b"" if item is None else item_xml(node, item, is_bare=not node.config.deliver_payloads)
    return Event(_event(xml("items", {"node": node.name}, content)), item)


def retracted(node: Node, item_id: str) -> Event:
    """The event of a deleted item (§7.2.2.1)."""
    return Event(_event(xml("items", {"node": node.name}, xml("retract", {"id": item_id}))))


def purged(node: Node) -> Event:
    """The event of a node without items (§8.5.2)."""
    return Event(_event(xml("purge", {"node": node.name})))


def deleted(node: Node, moved_to: str) -> Event:
    """The event of a deleted node (§8.4.2)."""
    redirect = xml("redirect", {"uri": moved_to}) if moved_to else b""
    return Event(_event(xml("delete", {"node": node.name}, redirect)))


def configured(node: Node) -> Event:
    """The event of other options (§8.2.5.3)."""
    form = options_form(node.config, "result").to_bytes() if node.config.deliver_payloads else b""
    return Event(_event(xml("configuration", {"node": node.name}, form)))


def subscription_changed(node: Node, subscription: Subscription) -> Event:
    """The event of a subscription that is another one than before (§12.13)."""
    return Event(_event(subscription_xml(node.name, subscription)))


def subscription_xml(name: str | None, subscription: Subscription) -> bytes:
    """A subscription, for an event or an answer; without `name` where the node is named around it."""
    return xml("subscription", {"node": name, "jid": subscription.jid, "subscription": subscription.state.value})


def _event(content: bytes) -> bytes:
    return xml("event", {"xmlns": NS_PUBSUB_EVENT}, content)
