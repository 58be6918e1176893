"""What ends when somebody goes offline: subscriptions for the time being, and items that are to go with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.domain.pubsub.nodes import PubsubService, SubscriptionWord
from parley.edges.xmpp.extensions.pubsub import approval, delivery, events
from parley.edges.xmpp.extensions.pubsub.asked import service_of
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.edges.xmpp.extensions.pubsub.service_discovery import services_of

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.jid import JID

log = logs.get(__name__)


async def session_left(host: Host, session: Session) -> None:
    """A device of ours is available no longer."""
    try:
        if not await host.memory(Nodes).has_passing():
            return
        is_last = not host.router.available(session.account.address)
        await end_subscriptions(host, session.jid, is_last=is_last)
        if is_last:
            for service in (service_of(session.account), *services_of(host, session.jid.domain)):
                await _purge(host, service, session.account.address)
    except StorageUnavailable as error:
        log.error("what somebody leaves behind at nodes stays", code=error.code, pii={"jid": session.jid})


async def end_subscriptions(host: Host, who: JID, *, is_last: bool, at: PubsubService | None = None) -> None:
    """End what a full address subscribed to for the time being (XEP-0060 §12.5). Raises StorageUnavailable.

    Args:
        host: the edge.
        who: the address.
        is_last: with those of its bare address, which is at no other one.
        at: at this service alone; None for all.
    """
    nodes, ending = host.memory(Nodes), {str(who), *((str(who.bare),) if is_last else ())}
    for service, name, subscription in await host.stores.nodes.temporary_subscriptions(str(who.bare)):
        if subscription.jid not in ending or at not in (None, service):
            continue
        async with nodes.lock(service, name):
            node = await nodes.find(service, name)
            if node is not None:
                ended = replace(subscription, state=SubscriptionWord.NONE)
                await nodes.subscribe(node, [ended])
                await approval.tell_owners(host, node, ended)


async def _purge(host: Host, service: PubsubService, address: str) -> None:
    """XEP-0060 §8.2: `pubsub#purge_offline`."""
    nodes = host.memory(Nodes)
    for name, item_id in await host.stores.nodes.purged_offline(service, address):
        async with nodes.lock(service, name):
            node = await nodes.find(service, name)
            gone = node is not None and await host.stores.nodes.retract(service, name, [item_id])
            if node is not None and gone and node.config.notify_retract:
                await delivery.notify(host, node, events.retracted(node, item_id))
