"""Subscriptions that wait for an owner (XEP-0060 §8.6), and what people are told when one changes (§12.13)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import DomainError
from parley.domain.pubsub.nodes import Affiliation, Node, PubsubService, Subscription, SubscriptionWord
from parley.edges.xmpp.extensions.pubsub import delivery, events, last
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.protocols.xmpp.dataforms import Field, Form, find_form
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import PayloadError, RemoteProtocolError, StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_DATA, NS_PUBSUB

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element

log = logs.get(__name__)

NS_AUTHORIZATION: Final = f"{NS_PUBSUB}#subscribe_authorization"

_NODE: Final = "pubsub#node"
_SUBSCRIBER: Final = "pubsub#subscriber_jid"
_ALLOW: Final = "pubsub#allow"


async def ask_owners(host: Host, node: Node, subscription: Subscription) -> None:
    """Send the owners the form by which one of them approves a subscription: the first answer counts (§12.12)."""
    for owner in node.owners:
        await ask_owner(host, node, subscription, owner)


async def ask_owner(host: Host, node: Node, subscription: Subscription, owner: str) -> None:
    """Send one owner the form; it waits for who is away."""
    fields = (
        Field("FORM_TYPE", (NS_AUTHORIZATION,), "hidden"),
        Field(_NODE, (node.name,), "text-single", "Node"),
        Field(_SUBSCRIBER, (subscription.jid,), "jid-single", "Subscriber"),
        Field(_ALLOW, ("false",), "boolean", "Allow the subscription?"),
    )
    form = Form("form", fields, "Request for a subscription", ("Somebody asks to subscribe to a node of yours.",))
    attrs = {"from": node.service.address, "to": owner, "id": host.new_id()}
    await _mail(host, node, xml("message", attrs, form.to_bytes()), JID.parse(owner))


def answer_in(element: Element) -> Form | None:
    """The form in a message by which an owner answers; None for any other message."""
    child = element.child(NS_DATA, "x")
    if child is None:
        return None
    try:
        tree = element.tree()
        form = find_form(tree, NS_AUTHORIZATION)
    except PayloadError:
        return None
    return form if form is not None and form.type in ("submit", "cancel") else None


async def answered(host: Host, service: PubsubService, owner: str, form: Form) -> None:
    """Do as an owner says; raises StanzaError.

    Args:
        host: the edge.
        service: where the node is.
        owner: the bare address of who answers.
        form: from `answer_in`.
    """
    if form.type == "cancel":
        # §8.6: the request MUST stay.
        return
    name, jid, is_allowed = form.value(_NODE), form.value(_SUBSCRIBER), form.flag(_ALLOW)
    if not name or not jid or is_allowed is None:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "the form lacks a field")
    nodes = host.memory(Nodes)
    async with nodes.lock(service, name):
        node = await nodes.get(service, name)
        if node.affiliation(owner) is not Affiliation.OWNER:
            raise StanzaError(StanzaCondition.FORBIDDEN)
        known = await nodes.subscription(node, str(JID.parse(jid)))
        if known is None or known.is_subscribed:
            # Another owner was faster, or who asked thought better of it.
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND, "there is no such request")
        state = SubscriptionWord.SUBSCRIBED if is_allowed else SubscriptionWord.NONE
        await change(host, node, replace(known, state=state))


async def change(host: Host, node: Node, subscription: Subscription) -> None:
    """Make a subscription what it is to be, and tell who has it; the node's lock is held."""
    await host.memory(Nodes).subscribe(node, [subscription])
    to = JID.parse(subscription.jid)
    if host.router.is_account(to) and not host.router.available(str(to.bare)):
        # Who is away did not see it happen, and finds it when coming back.
        attrs = {"from": node.service.address, "to": subscription.jid, "id": host.new_id()}
        event = events.subscription_changed(node, subscription)
        await _mail(host, node, xml("message", attrs, event.content), to)
    else:
        tell_subscriber(host, node, subscription)
    await tell_owners(host, node, subscription)
    await last.send_last(host, node, subscription)


async def _mail(host: Host, node: Node, stanza: bytes, to: JID) -> None:
    try:
        await host.post.mail(stanza, JID.parse(node.service.address), to)
    except (DomainError, RemoteProtocolError) as error:
        log.info("somebody cannot be told of a subscription", code=error.code, pii={"to": to})


def tell_subscriber(host: Host, node: Node, subscription: Subscription) -> None:
    """Tell the subscriber what the subscription is now (§12.13)."""
    event = events.subscription_changed(node, subscription)
    stanza = delivery.message(host, node, subscription.jid, event.content)
    delivery.dispatch(host, node, stanza, JID.parse(subscription.jid))


async def tell_owners(host: Host, node: Node, subscription: Subscription) -> None:
    """Tell the owners who subscribes and who no longer does, where they want to know (`notify_sub`)."""
    if not node.config.notify_sub:
        return
    event = events.subscription_changed(node, subscription)
    for owner in node.owners:
        delivery.dispatch(host, node, delivery.message(host, node, owner, event.content), JID.parse(owner))
