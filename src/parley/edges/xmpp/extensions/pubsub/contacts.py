"""What follows for nodes when a contact may see more or less of its owner (XEP-0060 §12.1, §12.13, XEP-0163 §7.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.domain.errors import DomainError
from parley.domain.pubsub.nodes import AccessModel, Node, PubsubService, SubscriptionWord
from parley.domain.pubsub.rules import BY_ROSTER, why_not_read
from parley.edges.xmpp.extensions.pubsub import approval
from parley.edges.xmpp.extensions.pubsub.access import standing_of
from parley.edges.xmpp.extensions.pubsub.asked import service_of
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.edges.xmpp.extensions.pubsub.personal import send_last_items_of
from parley.edges.xmpp.extensions.pubsub.service_discovery import services_of
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.domain.contacts import Contact
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.people.rosters import RosterUpdate

log = logs.get(__name__)


def contact_changed(host: Host, update: RosterUpdate) -> None:
    """A roster item is another: see to it, if what it lets the contact read is another as well."""
    if _rights(update.before) != _rights(update.after):
        host.supervisor.spawn("access to nodes", _follow(host, update))


def _rights(contact: Contact | None) -> frozenset[str] | None:
    """The groups by which a contact may read; None for one who may not see the account's presence."""
    return None if contact is None or not contact.state.from_ else frozenset(contact.groups)


async def _follow(host: Host, update: RosterUpdate) -> None:
    account, before, after = update.account, _rights(update.before), _rights(update.after)
    is_less = before is not None and (after is None or not before <= after)
    services = (service_of(account), *services_of(host, JID.parse(account.address).domain))
    try:
        for service in services if is_less else ():
            await _end_subscriptions(host, update, service)
        if before is not None and after is not None:
            names = [node.name for node in await _opened(host, update, after - before)]
            await send_last_items_of(host, account, JID.parse(update.address), names)
    except DomainError as error:
        log.error("access to nodes was not reconsidered", code=error.code, pii={"contact": update.address})


async def _end_subscriptions(host: Host, update: RosterUpdate, service: PubsubService) -> None:
    """XEP-0163 §7.1: who may not read any more MUST lose the subscription."""
    nodes = host.memory(Nodes)
    if not await nodes.has_subscriptions(service):
        return
    for name, subscription in await host.stores.nodes.subscriptions_of(service, update.address):
        async with nodes.lock(service, name):
            node = await nodes.find(service, name)
            if node is None or update.account.address not in node.owners:
                continue
            known = await nodes.subscription(node, subscription.jid)
            denial = why_not_read(node.config, await standing_of(host, node, update.address))
            if known is not None and denial in BY_ROSTER:
                await approval.change(host, node, replace(known, state=SubscriptionWord.NONE))


async def _opened(host: Host, update: RosterUpdate, groups: frozenset[str]) -> list[Node]:
    """The nodes of the account that are for one of the groups, which the contact is new in."""
    known = (await host.memory(Nodes).of(service_of(update.account))).values() if groups else ()
    return [
        node
        for node in known
        if node.config.access_model is AccessModel.ROSTER and not groups.isdisjoint(node.config.roster_groups_allowed)
    ]
