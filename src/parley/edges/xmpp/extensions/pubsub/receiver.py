"""What else comes to the service: owners' answers to requests for a subscription, and errors (XEP-0060 §8.6, §12.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.nodes import PubsubService, SubscriptionWord
from parley.edges.xmpp.extensions.pubsub import approval
from parley.edges.xmpp.extensions.pubsub.leaving import end_subscriptions
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_STANZAS

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import Inbound
    from parley.edges.xmpp.host import Host

# Whoever is behind the address will not come back; any other error may pass.
_GONE: Final = frozenset({"gone", "item-not-found"})


class PubsubReceiver:
    """Takes the stanzas for the service that are not requests about nodes."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def message(self, stanza: Inbound) -> None:
        """An owner's answer, or an error that a notification met."""
        service = PubsubService(stanza.to.domain)
        if stanza.element.type == "error":
            await self._failed(service, stanza)
            return
        form = approval.answer_in(stanza.element)
        if form is None:
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        await approval.answered(self._host, service, str(stanza.sender.bare), form)

    async def presence(self, stanza: Inbound) -> None:
        """That somebody of another server is gone ends what they subscribed to for the time being (§12.5)."""
        is_abroad = not self._host.router.is_local(stanza.sender)
        if is_abroad and stanza.element.type == "unavailable" and await self._host.memory(Nodes).has_passing():
            await end_subscriptions(self._host, stanza.sender, is_last=False, at=PubsubService(stanza.to.domain))

    async def iq(self, stanza: Inbound) -> bytes | None:
        """Nobody is asked anything by the service, and it knows nothing else."""
        if stanza.element.type in ("get", "set"):
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        return None

    async def _failed(self, service: PubsubService, stanza: Inbound) -> None:
        """End the subscriptions of an address of another server that is there no more (§12.3)."""
        if self._host.router.is_local(stanza.sender) or not _is_final(stanza):
            return
        nodes = self._host.memory(Nodes)
        found = await self._host.stores.nodes.subscriptions_of(service, str(stanza.sender.bare))
        for name, subscription in found:
            if subscription.jid != str(stanza.sender):
                continue
            async with nodes.lock(service, name):
                node = await nodes.find(service, name)
                if node is not None:
                    await nodes.subscribe(node, [replace(subscription, state=SubscriptionWord.NONE)])


def _is_final(stanza: Inbound) -> bool:
    child = next((child for child in stanza.element.children if child.name == "error"), None)
    if child is None:
        return False
    return any(
        str(each.tag) in {f"{{{NS_STANZAS}}}{name}" for name in _GONE} for each in stanza.element.child_tree(child)
    )
