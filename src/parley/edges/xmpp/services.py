"""The services on subdomains: each stanza for one of their addresses goes to the service's receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.domain.errors import DomainError
from parley.edges.xmpp.extension import Inbound
from parley.edges.xmpp.refusals import stanza_error
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import (
    RemoteProtocolError,
    StanzaCondition,
    StanzaError,
    error_reply,
    may_be_answered,
)
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import Receiver
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)


class Services:
    """Finds the receiver of a stanza by its address."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._declared = {service.name: service for extension in host.extensions for service in extension.services}

    async def message(self, stanza: Inbound) -> None:
        """Hand on a message. Raises as `Receiver`."""
        await self._receiver(stanza).message(stanza)

    async def presence(self, stanza: Inbound) -> None:
        """Hand on a presence. Raises as `Receiver`."""
        await self._receiver(stanza).presence(stanza)

    async def iq(self, stanza: Inbound) -> bytes | None:
        """Hand on an iq. Raises as `Receiver`."""
        return await self._receiver(stanza).iq(stanza)

    def send(self, stanza: bytes, to: JID) -> None:
        """Hand on what the server or another service sends, in the order of the calls; an error goes back there."""
        element = Element.from_bytes(stanza)
        inbound = Inbound(self._host, None, element, JID.parse(element.from_ or to.domain), to)
        self._host.supervisor.spawn("service", self._take(inbound))

    async def _take(self, inbound: Inbound) -> None:
        element = inbound.element
        try:
            await self._hand_on(inbound)
        except (DomainError, RemoteProtocolError) as error:
            if may_be_answered(element):
                self._host.post.send(error_reply(element, stanza_error(error)), inbound.sender)
        except Exception as error:
            # The edge of a task that nobody waits for.
            log.defect("stanza for a service failed", error, kind=element.name, pii={"jid": inbound.to})

    async def _hand_on(self, inbound: Inbound) -> None:
        element = inbound.element
        if element.name == "message":
            await self.message(inbound)
        elif element.name == "presence":
            await self.presence(inbound)
        else:
            result = await self.iq(inbound)
            if result is not None:
                attrs = {"type": "result", "id": element.id, "from": str(inbound.to), "to": str(inbound.sender)}
                self._host.post.send(xml("iq", attrs, result), inbound.sender)

    def _receiver(self, stanza: Inbound) -> Receiver:
        declared = self._declared[self._host.router.service(stanza.to.domain) or ""]
        if declared.receiver is None:
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        return self._host.memory(declared.receiver)
