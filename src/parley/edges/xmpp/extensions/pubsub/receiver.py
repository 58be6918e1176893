"""What else comes to the service: owners' answers to requests for a subscription, and errors (XEP-0060 §8.6, §12.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.domain.pubsub.nodes import PubsubService
from parley.edges.xmpp.extensions.pubsub import approval
from parley.edges.xmpp.extensions.pubsub.bounces import bounced
from parley.edges.xmpp.extensions.pubsub.leaving import end_subscriptions
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import Inbound
    from parley.edges.xmpp.host import Host


class PubsubReceiver:
    """Takes the stanzas for the service that are not requests about nodes."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def message(self, stanza: Inbound) -> None:
        """An owner's answer, or an error that a notification met."""
        service = PubsubService(stanza.to.domain)
        if stanza.element.type == "error":
            await bounced(self._host, service, stanza.sender, stanza.element)
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
