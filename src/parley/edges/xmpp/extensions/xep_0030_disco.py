"""Service discovery: what the server, its services, accounts and nodes can do. It all comes from the constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.commands.running import Commands
from parley.edges.xmpp.extension import ANY_SERVICE, Extension, IqHandler, IqRequest, Service, Target
from parley.edges.xmpp.extension import Identity as DeclaredIdentity
from parley.edges.xmpp.extensions.pubsub.access import check_knowable, is_visible
from parley.edges.xmpp.extensions.pubsub.asked import service_of
from parley.edges.xmpp.extensions.pubsub.discovery import account_nodes, node_info, node_items
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.protocols.xmpp.caps import Caps, DiscoInfo, Identity, verification_string
from parley.protocols.xmpp.caps2 import hash_of
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.domain.pubsub.nodes import Node
    from parley.edges.xmpp.host import Host

_CAPS_NODE: Final = "urn:parley:server:0"


class ServerInfo:
    """What the server says of itself, made once: every stream asks for it."""

    def __init__(self, host: Host) -> None:
        features = {feature for extension in host.extensions for feature in extension.server_features}
        forms = [make(host) for extension in host.extensions for make in extension.server_forms]
        self.info = DiscoInfo(
            (Identity("server", "im", name="Parley"),),
            tuple(sorted(features)),
            tuple(form for form in forms if form is not None),
        )
        self.caps = Caps("sha-1", _CAPS_NODE, verification_string(self.info))
        own = {hash_of(self.info, algorithm).node for algorithm in ("sha-256", "sha3-256")}
        self.nodes = frozenset({f"{self.caps.node}#{self.caps.ver}", *own})
        features = {feature for extension in host.extensions for feature in extension.account_features}
        identities = [Identity("account", "registered")]
        identities += [_identity(i) for extension in host.extensions for i in extension.account_identities]
        self.account = DiscoInfo(tuple(identities), tuple(sorted(features)))
        self.services = {service.name: service for extension in host.extensions for service in extension.services}


def _identity(declared: DeclaredIdentity) -> Identity:
    return Identity(declared.category, declared.type, name=declared.name)


async def _info(request: IqRequest) -> bytes:
    node = request.tree.get("node")
    if request.account is not None:
        return await _account_info(request, request.account, node)
    known = request.host.memory(ServerInfo)
    service = _service(request)
    if service is not None:
        _check_no_node(node)
        return service_info(request.host, service).to_bytes()
    if node and request.host.memory(Commands).has_node(node):
        return request.host.memory(Commands).info(node, request.sender)
    # XEP-0115 §6.2, XEP-0390 §5.2: the nodes that our own capabilities name.
    if node not in known.nodes:
        _check_no_node(node)
    return known.info.to_bytes(node)


def _service(request: IqRequest) -> Service | None:
    name = request.host.router.service(request.to.domain)
    return request.host.memory(ServerInfo).services[name] if name else None


def _check_no_node(node: str | None) -> None:
    if node:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)


def service_info(host: Host, service: Service) -> DiscoInfo:
    """What a service says of itself."""
    forms = () if service.form is None else (service.form(host),)
    features = dict.fromkeys((NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, *service.features))
    return DiscoInfo((_identity(service.identity),), tuple(features), forms)


async def _account_info(request: IqRequest, account: Account, name: str | None) -> bytes:
    host, asker = request.host, str(request.asker)
    if not name:
        await _check_visible(host, account, asker)
        return host.memory(ServerInfo).account.to_bytes()
    node = await _known(host, account, name, asker)
    return (await node_info(host, node)).to_bytes(name)


async def _check_visible(host: Host, account: Account, asker: str) -> None:
    # §8: who may not see the presence learns nothing, not even whether there is such an account.
    if not await is_visible(host, account, asker):
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)


async def _known(host: Host, account: Account, name: str, asker: str) -> Node:
    try:
        node = await host.memory(Nodes).get(service_of(account), name)
        await check_knowable(host, node, asker)
    except StanzaError:
        # A stranger does not learn which nodes there are not, or are closed to them.
        await _check_visible(host, account, asker)
        raise
    return node


async def _items(request: IqRequest) -> bytes:
    node = request.tree.get("node")
    attrs = {"xmlns": NS_DISCO_ITEMS, "node": node}
    if request.account is not None:
        return xml("query", attrs, *await _account_items(request, request.account, node))
    if node and _service(request) is None and request.host.memory(Commands).has_node(node):
        return xml("query", attrs, *request.host.memory(Commands).items(node, request.sender, request.to))
    _check_no_node(node)
    if _service(request) is not None:
        return xml("query", attrs)
    services = request.host.memory(ServerInfo).services
    found = request.host.router.services(request.to.domain)
    items = [_service_item(services[key], at) for at, key in found.items()]
    items += [xml("item", {"jid": domain}) for domain in request.host.components]
    return xml("query", attrs, *items)


def _service_item(service: Service, address: str) -> bytes:
    return xml("item", {"jid": address, "name": service.identity.name or None})


async def _account_items(request: IqRequest, account: Account, name: str | None) -> list[bytes]:
    host, asker = request.host, str(request.asker)
    if name:
        return await node_items(host, await _known(host, account, name, asker), asker)
    await _check_visible(host, account, asker)
    return await account_nodes(host, service_of(account), asker)


_EVERYBODY: Final = frozenset(Target)

EXTENSION = Extension(
    spec="XEP-0030",
    name="Service Discovery",
    version="2.5.0",
    server_features=(NS_DISCO_INFO, NS_DISCO_ITEMS),
    account_features=(NS_DISCO_INFO, NS_DISCO_ITEMS),
    iq=(
        IqHandler("get", NS_DISCO_INFO, "query", _EVERYBODY, _info, service=ANY_SERVICE, for_strangers=True),
        IqHandler("get", NS_DISCO_ITEMS, "query", _EVERYBODY, _items, service=ANY_SERVICE, for_strangers=True),
    ),
)
