"""What service discovery says of nodes (XEP-0060 §5.2 to §5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.nodes import Affiliation, Node, PubsubService
from parley.domain.pubsub.pages import ItemQuery
from parley.edges.xmpp.extensions.pubsub.access import check_readable, circle_of
from parley.edges.xmpp.extensions.pubsub.last import since_of
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.protocols.xmpp.caps import DiscoInfo, Identity
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB
from parley.protocols.xmpp.rsm import Page, PageRequest

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host

_NS_META_DATA: Final = f"{NS_PUBSUB}#meta-data"
_PAGE: Final = 500


async def node_info(host: Host, node: Node) -> DiscoInfo:
    """A node and its meta-data (§5.3, §5.4)."""
    config = node.config
    publishers = [address for address, word in node.affiliations.items() if word is Affiliation.PUBLISHER]
    subscribers = {known.address for known in await host.memory(Nodes).subscriptions(node) if known.is_subscribed}
    created = format_datetime(node.created_at) if node.created_at else ""
    shown = (
        ("access_model", "list-single", (config.access_model.value,)),
        ("publish_model", "list-single", (config.publish_model.value,)),
        ("max_items", "text-single", (str(config.max_items),)),
        ("owner", "jid-multi", tuple(node.owners)),
        ("publisher", "jid-multi", tuple(publishers)),
        ("creator", "jid-single", (node.creator,)),
        ("creation_date", "text-single", (created,)),
        ("num_subscribers", "text-single", (str(len(subscribers)),)),
        ("title", "text-single", (config.title,)),
        ("description", "text-single", (config.description,)),
        ("type", "text-single", (config.type,)),
        ("language", "list-single", (config.language,)),
        ("contact", "jid-multi", config.contact),
    )
    fields = [Field(f"pubsub#{name}", values, kind) for name, kind, values in shown if any(values)]
    form = Form("result", (Field("FORM_TYPE", (_NS_META_DATA,), "hidden"), *fields))
    identity = Identity("pubsub", "leaf", name=config.title)
    return DiscoInfo((identity,), (NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB), (form,))


async def node_items(host: Host, node: Node, asker: str) -> list[bytes]:
    """The items of a node, as far as who asks may read them (§5.5). Raises StanzaError."""
    await check_readable(host, node, asker)
    page = await host.stores.nodes.items(node.service, node.name, _ALL, since_of(host, node))
    return [xml("item", {"jid": node.service.address, "name": item.id}) for item in page.items]


async def account_nodes(host: Host, service: PubsubService, asker: str) -> list[bytes]:
    """The nodes of an account that who asks may read."""
    found = (await host.memory(Nodes).of(service)).values()
    shown = [node for node in found if (await circle_of(host, node)).may_read(asker)]
    return [_item(service, node.name, node.config.title) for node in shown]


async def service_nodes(host: Host, service: PubsubService, asker: str, wanted: PageRequest) -> list[bytes]:
    """The nodes of a service that who asks may know of (§5.2), with which page of them it is, if there are more.

    They come by name. Raises StanzaError for a page that is asked for from its end.
    """
    if wanted.before is not None or wanted.index is not None:
        raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, "nodes are listed from the first one on")
    most = _PAGE if wanted.max is None else min(wanted.max, _PAGE)
    found = await host.stores.nodes.listed(service, asker, wanted.after or "", most + 1)
    parts = [_item(service, node.name, node.title) for node in found[:most]]
    if wanted != PageRequest() or len(found) > most:
        page = Page(found[0].name, found[:most][-1].name) if found[:most] else Page()
        parts.append(page.to_bytes())
    return parts


def _item(service: PubsubService, name: str, title: str) -> bytes:
    return xml("item", {"jid": service.address, "node": name, "name": title or None})


_ALL: Final = ItemQuery()
