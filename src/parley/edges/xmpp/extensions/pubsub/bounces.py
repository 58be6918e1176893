"""Errors that notifications met (XEP-0060 §12.4): who will not come back is told nothing any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.domain.pubsub.nodes import PubsubService, SubscriptionWord
from parley.edges.xmpp.extensions.pubsub.asked import service_of
from parley.edges.xmpp.extensions.pubsub.guests import Guests
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_STANZAS

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.jid import JID

log = logs.get(__name__)

# Whoever is behind the address will not come back; any other error may pass.
_GONE: Final = frozenset({"gone", "item-not-found"})
# A device that went without a word. It shows its presence again when it comes back.
_AWAY: Final = _GONE | {"service-unavailable", "recipient-unavailable"}


async def account_bounced(host: Host, account: Account, sender: JID, element: Element) -> None:
    """A notification of an account came back (XEP-0163 §4.3.1: to the account, not to who published)."""
    if host.router.is_local(sender):
        return
    try:
        if sender.is_full and _condition(element) in _AWAY:
            host.memory(Guests).left(account.id, sender)
        await bounced(host, service_of(account), sender, element)
    except (PayloadError, StorageUnavailable) as error:
        log.info("a notification that came back changes nothing", reason=type(error).__name__)


async def bounced(host: Host, service: PubsubService, sender: JID, element: Element) -> None:
    """A notification of a service came back: end what an address of another server that is gone subscribed to there.

    Raises PayloadError, StorageUnavailable.
    """
    nodes = host.memory(Nodes)
    is_final = not host.router.is_local(sender) and _condition(element) in _GONE
    if not is_final or not await nodes.has_subscriptions(service):
        return
    for name, subscription in await host.stores.nodes.subscriptions_of(service, str(sender.bare)):
        if subscription.jid != str(sender):
            continue
        async with nodes.lock(service, name):
            node = await nodes.find(service, name)
            if node is not None:
                await nodes.subscribe(node, [replace(subscription, state=SubscriptionWord.NONE)])


def _condition(element: Element) -> str:
    """The condition of an error stanza, "" when it has none."""
    child = next((child for child in element.children if child.name == "error"), None)
    if child is None:
        return ""
    names = (str(each.tag).rpartition("}") for each in element.child_tree(child))
    return next((name for namespace, _, name in names if namespace == f"{{{NS_STANZAS}" and name != "text"), "")
