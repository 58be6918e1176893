"""Nodes: created, configured and deleted (XEP-0060 §8.1 to §8.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.errors import NotFound
from parley.domain.pubsub.nodes import Affiliation, Node
from parley.edges.xmpp.extensions.pubsub import delivery, events
from parley.edges.xmpp.extensions.pubsub.asked import Asked, checked, form_in, node_name
from parley.edges.xmpp.extensions.pubsub.last import send_last_to_admitted
from parley.edges.xmpp.extensions.pubsub.nodes import default_config
from parley.edges.xmpp.extensions.pubsub.options import options_form, read_options
from parley.edges.xmpp.extensions.pubsub.refusals import refusal, unsupported
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_PUBSUB, NS_PUBSUB_NODE_CONFIG, NS_PUBSUB_OWNER

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_URI: Final = 2000


async def create(asked: Asked, element: _Element) -> bytes:
    """Create a node, with options beside it (§8.1)."""
    _check_may_create(asked)
    name, is_named = element.get("node", ""), bool(element.get("node"))
    if not name:
        if asked.service.is_personal:
            # §8.1.1: a personal node without a name would be found by nobody.
            raise refusal(StanzaCondition.NOT_ACCEPTABLE, "nodeid-required")
        name = asked.host.new_id()
    form = form_in(configure_beside(element), NS_PUBSUB_NODE_CONFIG)
    config = read_options(form, default_config(asked.host, asked.service), asked.limits)
    owners = {} if asked.service.is_personal else {asked.asker: Affiliation.OWNER}
    now = asked.host.clock.now_us()
    await asked.nodes.create(Node(asked.service, checked(name), config, owners, asked.asker, now))
    if is_named:
        # §8.1.1: where the name is the one that was asked for, the result MUST NOT tell it.
        return b""
    return xml("pubsub", {"xmlns": NS_PUBSUB}, xml("create", {"node": name}))


def _check_may_create(asked: Asked) -> None:
    if asked.service.is_personal:
        is_allowed = asked.is_own
    else:
        creation = asked.host.settings.pubsub.creation
        if creation == "nobody":
            raise unsupported("create-nodes")
        is_allowed = creation == "everyone" or asked.request.origin.owner is not None
    if not is_allowed:
        raise StanzaError(StanzaCondition.FORBIDDEN)


def configure_beside(element: _Element) -> _Element | None:
    """`<configure/>` behind `<create/>`; raises StanzaError for one that breaks the rules of §8.1.3."""
    parent = element.getparent()
    found = None if parent is None else parent.find(f"{{{NS_PUBSUB}}}configure")
    if parent is None or found is None:
        return None
    if found.get("node") is not None or parent.index(found) < parent.index(element):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "configure stands behind create and names no node")
    return found


async def get_configuration(asked: Asked, element: _Element) -> bytes:
    """The form with a node's options (§8.2.2)."""
    node = await asked.owned(element)
    answer = xml("configure", {"node": node.name}, options_form(node.config).to_bytes())
    return xml("pubsub", {"xmlns": NS_PUBSUB_OWNER}, answer)


async def set_configuration(asked: Asked, element: _Element) -> bytes:
    """Change a node's options (§8.2.4)."""
    async with asked.nodes.lock(asked.service, node_name(element)):
        node = await asked.owned(element)
        form = form_in(element, NS_PUBSUB_NODE_CONFIG)
        if form is None or form.type not in ("submit", "cancel"):
            raise StanzaError(StanzaCondition.BAD_REQUEST, "a form that is filled in is missing")
        if form.type == "submit":
            config = read_options(form, node.config, asked.limits)
            await asked.nodes.configure(node, config)
            changed = await asked.node(element)
            if config.notify_config and config != node.config:
                await delivery.notify(asked.host, changed, events.configured(changed))
            asked.host.supervisor.spawn("last items", send_last_to_admitted(asked.host, node, changed))
    return b""


async def get_default(asked: Asked, _element: _Element) -> bytes:
    """The options of a node that is created without any (§8.3)."""
    form = options_form(default_config(asked.host, asked.service))
    return xml("pubsub", {"xmlns": NS_PUBSUB_OWNER}, xml("default", None, form.to_bytes()))


async def delete(asked: Asked, element: _Element) -> bytes:
    """Delete a node; those who ask for it later are told where it is now, if the owner says so (§8.4)."""
    redirect = element.find(f"{{{NS_PUBSUB_OWNER}}}redirect")
    uri = "" if redirect is None else redirect.get("uri") or (redirect.text or "").strip()
    if len(uri) > _MAX_URI:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the address to redirect to is too long")
    async with asked.nodes.lock(asked.service, node_name(element)):
        node = await asked.owned(element)
        # Who is to be told is known only as long as the node is there.
        told = await delivery.prepared(asked.host, node) if node.config.notify_delete else None
        if not await asked.nodes.delete(node, uri):
            raise NotFound("node-not-found")
        if told is not None:
            await told.send(events.deleted(node, uri), is_last=True)
    return b""
