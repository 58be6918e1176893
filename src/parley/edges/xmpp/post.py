"""What the server, an account or a service of it sends: to wherever its address is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import StanzaError, error_reply, may_be_answered
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host


class Abroad(Protocol):
    """The way to addresses that are not ours: partners' servers, or a component."""

    def send(self, stanza: bytes, sender: JID, to: JID) -> None:
        """Send a complete stanza of ours on; raises StanzaError when it may or can not go there.

        What fails later comes back as an error stanza.
        """
        ...


class Federated(Abroad, Protocol):
    """The way to partners' servers, who may be away: messages wait for them in the log."""

    def check(self, stanza: bytes, sender: JID, to: JID) -> None:
        """Whether a message may be queued for a partner: asked before it is committed; raises StanzaError."""
        ...

    def keep(self, stanza: bytes, sender: JID, to: JID) -> None:
        """As `send`, for what is to survive a restart."""
        ...

    def depart(self, stanza: bytes, sender: JID, to: JID, seq: int) -> None:
        """Send a committed message, which is number `seq` of what waits for partners."""
        ...


class Post:
    """Sends stanzas that are complete, with `from` and `to`."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def send(self, stanza: bytes, to: JID) -> None:
        """Send a stanza that nobody waits for: nothing is stored, an error goes back to its sender.

        To the session of a full address, to the available ones of a bare address, to a service, or abroad. An iq for a
        bare address answers what the server asked in the account's name.
        """
        host = self._host
        if host.router.is_account(to):
            if to.is_full:
                session = host.router.find(to)
                if session is not None:
                    session.send(stanza)
                return
            if stanza.startswith(b"<iq "):
                element = Element.from_bytes(stanza)
                host.queries.came(element.from_ or "", element)
                return
            for session in host.router.available(str(to)):
                session.send(stanza)
        elif host.router.service(to.domain):
            host.services.send(stanza, to)
        elif not host.router.is_local(to):
            self._abroad(stanza, to)

    def _abroad(self, stanza: bytes, to: JID) -> None:
        element = Element.from_bytes(stanza)
        sender = JID.parse(element.from_ or self._host.domains[0])
        try:
            self._host.abroad(to.domain).send(stanza, sender, to)
        except StanzaError as error:
            # Presence is broadcast: nobody waits for an answer to it (RFC 6121 §8.5.1).
            if element.name != "presence" and may_be_answered(element) and self._host.router.is_local(sender):
                self.send(error_reply(element, error), sender)

    async def mail(self, stanza: bytes, sender: JID, to: JID) -> None:
        """Send a message that is kept for a person of ours who is away, as one from another person would be.

        Raises:
            StanzaError: there is no such account, or the way is closed; StorageUnavailable: nothing was stored.
        """
        if self._host.router.is_account(to):
            await self._host.messages.deliver(Element.from_bytes(stanza), sender, to)
        elif self._host.router.is_local(to):
            self.send(stanza, to)
        else:
            self._host.abroad(to.domain).send(stanza, sender, to)
