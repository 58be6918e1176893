"""The command by which an owner asks for the subscriptions that wait (XEP-0060 §8.7, XEP-0050)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.nodes import Affiliation, Node
from parley.edges.xmpp.extensions.pubsub import approval
from parley.edges.xmpp.extensions.pubsub.asked import Asked
from parley.edges.xmpp.extensions.pubsub.refusals import refusal
from parley.protocols.xmpp.dataforms import Field, Form, find_form
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_PUBSUB

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.pubsub.nodes import Subscription

NS_COMMANDS: Final = "http://jabber.org/protocol/commands"
GET_PENDING: Final = f"{NS_PUBSUB}#get-pending"

_NODE: Final = "pubsub#node"


async def command(asked: Asked, element: _Element) -> bytes | None:
    """One step of the command: the nodes that somebody waits for, then the requests for one of them.

    It keeps nothing between its steps, so a session's id says nothing more than that there is one.
    """
    if element.get("node") != GET_PENDING:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    action = element.get("action") or "execute"
    if action == "cancel":
        return _answer(element, "canceled")
    if action not in ("execute", "next", "complete"):
        raise _bad_action(element)
    form = find_form(element)
    if form is not None and form.type == "cancel":
        return _answer(element, "canceled")
    if form is not None:
        return await _send(asked, element, form)
    owned = await _owned(asked)
    if not owned:
        # §8.7.3.3
        raise StanzaError(StanzaCondition.FORBIDDEN)
    waiting = [node.name for node in owned if await _pending(asked, node)] or [node.name for node in owned]
    fields = (
        Field("FORM_TYPE", (approval.NS_AUTHORIZATION,), "hidden"),
        Field(_NODE, (), "list-single", "Node", tuple(("", name) for name in waiting)),
    )
    actions = xml("actions", {"execute": "complete"}, xml("complete"))
    return _answer(element, "executing", actions, Form("form", fields).to_bytes())


async def _send(asked: Asked, element: _Element, form: Form) -> bytes | None:
    name = form.value(_NODE)
    if not name:
        raise refusal(StanzaCondition.BAD_REQUEST, "nodeid-required")
    node = await asked.nodes.get(asked.service, name)
    if node.affiliation(asked.asker) is not Affiliation.OWNER:
        # §8.7.3.3
        raise StanzaError(StanzaCondition.FORBIDDEN)
    asked.request.answer(_answer(element, "completed"))
    for subscription in await _pending(asked, node):
        await approval.ask_owner(asked.host, node, subscription, asked.asker)
    return None


async def _owned(asked: Asked) -> list[Node]:
    known = await asked.host.stores.nodes.affiliations_of(asked.service, asked.asker)
    found = [await asked.nodes.find(asked.service, name) for name, word in known if word is Affiliation.OWNER]
    return [node for node in found if node is not None]


async def _pending(asked: Asked, node: Node) -> list[Subscription]:
    return [known for known in await asked.nodes.subscriptions(node) if not known.is_subscribed]


def _answer(element: _Element, status: str, *content: bytes) -> bytes:
    session = element.get("sessionid") or "get-pending"
    attrs = {"xmlns": NS_COMMANDS, "node": GET_PENDING, "sessionid": session, "status": status}
    return xml("command", attrs, *content)


def _bad_action(element: _Element) -> StanzaError:
    # XEP-0050 §4.4
    is_known = element.get("action") == "prev"
    reason = xml("bad-action" if is_known else "malformed-action", {"xmlns": NS_COMMANDS})
    return StanzaError(StanzaCondition.BAD_REQUEST, application=reason)
