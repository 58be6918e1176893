"""Who announces capabilities: sessions of ours, and guests, who have shown an account their presence by sending it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extensions.pubsub.guests import Guests
from parley.edges.xmpp.extensions.pubsub.personal import send_last_items_to, send_last_items_to_guest

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.jid import JID

_ANSWER_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class SessionListener:
    """A client of ours."""

    host: Host
    session: Session

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self.session.is_ended

    async def ask(self, payload: bytes) -> Element:
        """Ask the client; raises QueryTimeoutError."""
        own = self.session.account.address
        return await self.host.queries.ask(self.session, payload, from_=own, timeout_s=_ANSWER_TIMEOUT_S)

    def learned(self, nodes: frozenset[str]) -> None:
        """It wants to hear of these nodes: of those that are new, it gets the last items."""
        session = self.session
        if session.presence is None:
            return
        news = nodes - session.notify_nodes
        session.notify_nodes = nodes
        if news:
            self.host.supervisor.spawn("last items", send_last_items_to(self.host, session, news))


@dataclass(frozen=True, slots=True)
class GuestListener:
    """A device that is no contact's of ours, as one account of ours sees it: mostly one of another server."""

    host: Host
    account: Account
    jid: JID

    @property
    def is_gone(self) -> bool:
        """Whether it has gone."""
        return not self.host.memory(Guests).is_here(self.account.id, self.jid)

    async def ask(self, payload: bytes) -> Element:
        """Ask it in the name of the account; raises QueryTimeoutError."""
        queries, own = self.host.queries, self.account.address
        session = self.host.router.find(self.jid)
        if session is not None:
            return await queries.ask(session, payload, from_=own, timeout_s=_ANSWER_TIMEOUT_S)
        return await queries.ask_at(
            self.host.post, self.jid, payload, from_=own, timeout_s=_ANSWER_TIMEOUT_S, kind="get"
        )

    def learned(self, nodes: frozenset[str]) -> None:
        """It wants to hear of these nodes: of those that are new, it gets the last items."""
        news = self.host.memory(Guests).asks(self.account.id, self.jid, nodes)
        if news:
            sending = send_last_items_to_guest(self.host, self.account, self.jid, news)
            self.host.supervisor.spawn("last items", sending)
