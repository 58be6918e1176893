"""Copies of messages for the other devices of both parties (XEP-0280 §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.messages import ArchiveQuery, Direction
from parley.edges.xmpp.delivery.decoration import carbon, with_stanza_id
from parley.edges.xmpp.delivery.traits import kind_of, traits_of
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host

_MOST_LATE: Final = 1000


class Carbons:
    """Knows who gets copies, and makes up for those that a crash kept back."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def sessions(self, address: str, without: Sequence[Session]) -> Sequence[Session]:
        """The sessions of an account that asked for copies."""
        sessions = self._host.router.of(address).values()
        return [session for session in sessions if session.is_carbons_enabled and session not in without]

    async def make_up(self, after: int) -> None:
        """Copy what is behind a place of the log to the other devices of its authors. Raises StorageUnavailable."""
        host = self._host
        sent = await host.stores.messages.sent_since(after, _MOST_LATE)
        for address in sorted({sender.partition("/")[0] for sender, _ in sent}):
            account = await host.stores.directory.find(address) if self.sessions(address, ()) else None
            if account is None:
                continue
            query = ArchiveQuery(account.id, is_backward=True, limit=_MOST_LATE, counted=0)
            for message in (await host.stores.messages.page(query)).messages:
                if message.seq > after and message.direction is Direction.OUT and _is_copied(message.content):
                    own = host.router.find(JID.parse(message.sender))
                    copies = self.sessions(address, () if own is None else (own,))
                    send_copies("sent", with_stanza_id(message.content, address, message.id), copies, 0)

    def make_up_for(self, account: Account, stanza: bytes, without: Sequence[Session], seq: int) -> None:
        """Copy a message that goes to some devices of an account only now to its others."""
        copies = self.sessions(account.address, without)
        if copies and _is_copied(stanza):
            send_copies("received", stanza, copies, seq)


def send_copies(direction: str, stanza: bytes, sessions: Sequence[Session], seq: int = 0) -> None:
    """Send copies of what was `sent` or `received`; with `seq` it is a message of the log."""
    for session in sessions:
        session.send(carbon(direction, stanza, session.account.address, str(session.jid)), seq)


def inside(sessions: Sequence[Session], room: str) -> Sequence[Session]:
    """XEP-0280 §6.1: what somebody says in private to an occupant is copied to their devices that are in the room."""
    return [session for session in sessions if any(str(jid.bare) == room for jid in session.directed)]


def _is_copied(stanza: bytes) -> bool:
    element = Element.from_bytes(stanza)
    return traits_of(element, kind_of(element)).is_copied
