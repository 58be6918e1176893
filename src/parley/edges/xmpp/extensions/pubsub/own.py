"""What the server itself publishes in the name of an account, and who of the extensions hears what its user does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.domain.errors import Conflict, DomainError
from parley.domain.pubsub.nodes import AccessModel, Node, NodeConfig, NodeItem, SendLast
from parley.domain.pubsub.pages import ItemQuery
from parley.edges.xmpp.extensions.pubsub import delivery, events
from parley.edges.xmpp.extensions.pubsub.asked import service_of
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.protocols.xmpp.errors import RemoteProtocolError

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)


def private_config(host: Host) -> NodeConfig:
    """The options of a node with many items for the account alone (XEP-0223)."""
    return NodeConfig(
        AccessModel.WHITELIST, max_items=host.settings.pep.max_items, send_last_published_item=SendLast.NEVER
    )


async def published(host: Host, account: Account, node: Node, item: NodeItem) -> None:
    """Tell the extensions of an item that was published; it is, whatever they make of it."""
    for extension in host.extensions:
        if extension.on_published is not None:
            try:
                await extension.on_published(host, account, node, item)
            except (DomainError, RemoteProtocolError) as error:
                log.error("an item was not converted", code=error.code, spec=extension.spec)


async def retracted(host: Host, account: Account, node: Node, item_id: str) -> None:
    """Tell the extensions that an item was deleted; "" for all of a node."""
    for extension in host.extensions:
        if extension.on_retracted is not None:
            try:
                await extension.on_retracted(host, account, node, item_id)
            except (DomainError, RemoteProtocolError) as error:
                log.error("a deleted item was not followed", code=error.code, spec=extension.spec)


async def publish_own(host: Host, account: Account, name: str, item: tuple[str, bytes], config: NodeConfig) -> None:
    """Publish an item (its id and payload) at a node of the account, which is made with `config` if there is none."""
    nodes, service, now = host.memory(Nodes), service_of(account), host.clock.now_us()
    async with nodes.lock(service, name):
        node = await nodes.find(service, name)
        if node is None:
            try:
                node = await nodes.create(Node(service, name, config, {}, account.address, now))
            except Conflict:
                node = await nodes.get(service, name)
        new = NodeItem(item[0], account.address, now, item[1])
        await nodes.publish(node, new)
        await delivery.notify(host, node, events.published(node, new))


async def retract_own(host: Host, account: Account, name: str, item_id: str) -> None:
    """Delete an item of a node of the account, if it is there."""
    nodes, service = host.memory(Nodes), service_of(account)
    async with nodes.lock(service, name):
        node = await nodes.find(service, name)
        if node is not None and await host.stores.nodes.retract(service, name, [item_id]):
            await delivery.notify(host, node, events.retracted(node, item_id))


async def own_items(host: Host, account: Account, name: str, *ids: str) -> Sequence[NodeItem]:
    """Items of a node of the account, those with the ids or all."""
    return (await host.stores.nodes.items(service_of(account), name, ItemQuery(ids=ids))).items
