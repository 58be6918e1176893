"""What the service says of itself and its nodes when it is asked (XEP-0030, XEP-0060 §5.1 to §5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.domain.pubsub.nodes import Affiliation, PubsubService
from parley.edges.xmpp.extensions.pubsub.asked import Asked, asked
from parley.edges.xmpp.extensions.pubsub.discovery import node_info, node_items, service_nodes
from parley.edges.xmpp.extensions.pubsub.pending import GET_PENDING, NS_COMMANDS
from parley.protocols.xmpp.caps import DiscoInfo, Identity
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_DATA, NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB
from parley.protocols.xmpp.rsm import parse_page_request

if TYPE_CHECKING:
    from parley.domain.pubsub.nodes import Node
    from parley.edges.xmpp.extension import IqRequest, Service
    from parley.edges.xmpp.host import Host

_COMMAND_NAME = "Subscriptions that wait"


def services_of(host: Host, domain: str) -> list[PubsubService]:
    """The services below one of our domains: one, or none when it is switched off."""
    return [PubsubService(at) for at, key in host.router.services(domain).items() if key == "pubsub"]


async def get_info(request: IqRequest, service: Service) -> bytes:
    """Answer disco#info to the service or a node of it."""
    name = request.tree.get("node") or None
    if name is None:
        identity = Identity(service.identity.category, service.identity.type, name=service.identity.name)
        features = [feature for feature in service.features if _is_there(request.host, feature)]
        return DiscoInfo((identity,), (NS_DISCO_INFO, NS_DISCO_ITEMS, *features)).to_bytes()
    if name == GET_PENDING:
        command = Identity("automation", "command-node", name=_COMMAND_NAME)
        return DiscoInfo((command,), (NS_COMMANDS, NS_DATA)).to_bytes(name)
    if name == NS_COMMANDS:
        return DiscoInfo((Identity("automation", "command-list"),), (NS_DISCO_INFO, NS_DISCO_ITEMS)).to_bytes(name)
    node = await _node(asked(request), name)
    return (await node_info(request.host, node)).to_bytes(name)


def _is_there(host: Host, feature: str) -> bool:
    is_closed = host.settings.pubsub.creation == "nobody"
    of_creation = {f"{NS_PUBSUB}#{name}" for name in ("create-nodes", "create-and-configure", "instant-nodes")}
    return not (is_closed and feature in of_creation)


async def _node(wanted: Asked, name: str) -> Node:
    node = await wanted.nodes.get(wanted.service, name)
    if node.affiliation(wanted.asker) is Affiliation.OUTCAST:
        raise StanzaError(StanzaCondition.FORBIDDEN)
    return node


async def get_items(request: IqRequest) -> bytes:
    """Answer disco#items to the service or a node of it."""
    wanted, name = asked(request), request.tree.get("node") or None
    attrs = {"xmlns": NS_DISCO_ITEMS, "node": name}
    if name is None:
        page = parse_page_request(request.tree)
        return xml("query", attrs, *await service_nodes(request.host, wanted.service, wanted.asker, page))
    if name == NS_COMMANDS:
        command = {"jid": wanted.service.address, "node": GET_PENDING, "name": _COMMAND_NAME}
        return xml("query", attrs, xml("item", command))
    node = await _node(wanted, name)
    return xml("query", attrs, *await node_items(request.host, node, wanted.asker))
