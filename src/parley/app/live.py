"""What a running server does when an operator changes an account."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from parley.app.partnering import PartnerState
from parley.base import log as logs
from parley.domain.relations import deserted
from parley.edges.xmpp.extensions.profile.cards import Cards
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.edges.xmpp.rooms.service import rooms_of
from parley.protocols.xmpp.errors import StreamCondition

if TYPE_CHECKING:
    from parley.app.contents import Contents
    from parley.app.partnering import PartnersLive
    from parley.domain.accounts import Account
    from parley.domain.partners.agreements import Agreement
    from parley.domain.ports import AccountDirectory
    from parley.edges.xmpp.delivery.push import Outcome
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)


class LiveServer:
    """The `Live` of a server with clients.

    Args:
        host: where the sessions are.
        directory: remembers accounts.
        contents: holds files.
        partners: the streams to partners.
    """

    def __init__(
        self,
        host: Host,
        directory: AccountDirectory,
        contents: Contents,
        partners: PartnersLive | None = None,
    ) -> None:
        self._host = host
        self._directory = directory
        self._contents = contents
        self._partners = partners

    def changed(self, account: Account) -> None:
        """Forget what is remembered of the account."""
        self._directory.forget(account.address)
        self._host.rosters.forget(account.id)
        self._host.blocking.forget(account.id)
        self._host.memory(Cards).forget(account.id)
        self._host.push.forget(account.id)

    def resources(self, address: str) -> Collection[str]:
        """The resources of the account's sessions, those that wait to be resumed included."""
        return tuple(self._host.router.of(address))

    def end(self, account: Account, resources: Collection[str] | None, reason: str) -> int:
        """End sessions (None: all).

        RFC 6120 §4.9.3.12: not-authorized, for who has no right to the stream any more.
        """
        return self._close(account, resources, StreamCondition.NOT_AUTHORIZED, reason)

    def reset(self, account: Account, reason: str) -> int:
        """End all sessions.

        RFC 6120 §4.9.3.16: reset, when the security context has to be established anew.
        """
        return self._close(account, None, StreamCondition.RESET, reason)

    async def part(self, account: Account) -> None:
        """End the account's subscriptions both ways and tell its contacts, those on other servers too."""
        await self._host.presences.part(account)

    async def deserted(self, account: Account, address: str) -> None:
        """End what the account and the one at `address` granted each other, and tell the account's clients."""
        await self._host.rosters.update(account, address, deserted)

    def nodes_changed(self, account_id: int) -> None:
        """Forget what is remembered of the account's nodes."""
        self._host.memory(Nodes).forget(account_id)

    async def push(self, account: Account) -> Sequence[Outcome]:
        """Wake all devices of the account and wait for what their push services say."""
        push = self._host.push
        known = await push.of(account.id)
        return await asyncio.gather(*(push.send(account.id, account.address, each) for each in known))

    def occupants(self, room: str) -> Sequence[str]:
        """The nicknames of who is inside a room."""
        return rooms_of(self._host).occupants(room)

    async def end_room(self, room: str, reason: str) -> bool:
        """Put everybody out of a room and delete it."""
        return await rooms_of(self._host).end(room, reason)

    async def leave_rooms(self, address: str) -> None:
        """Make the account nothing to all rooms."""
        await rooms_of(self._host).forget_person(address)

    def partners_changed(self, agreements: Sequence[Agreement]) -> int:
        """Let the streams to partners know, which ends those that may be no longer."""
        return 0 if self._partners is None else self._partners.partners_changed(agreements)

    def partner_state(self, domain: str) -> PartnerState:
        """How things are with a partner now."""
        return PartnerState() if self._partners is None else self._partners.partner_state(domain)

    async def removed(self, account: Account) -> None:
        """Delete the files that only this account had, in the background."""
        self._host.supervisor.spawn("files of a removed account", self._drop_files())

    async def _drop_files(self) -> None:
        count = await self._contents.drop_unreferenced()
        log.info("deleted the files of a removed account", contents=count)

    def _close(
        self, account: Account, resources: Collection[str] | None, condition: StreamCondition, reason: str
    ) -> int:
        if resources is None:
            # Also streams of who has signed in but not bound a resource yet: they know the account as it was.
            for connection in list(self._host.sessions.connections):
                if connection.session is None and connection.account_id == account.id:
                    connection.fail(condition, reason)
        sessions = [
            session
            for resource, session in self._host.router.of(account.address).items()
            if resources is None or resource in resources
        ]
        for session in sessions:
            session.close(condition, reason)
        # Devices that were revoked are woken no more.
        self._host.push.forget(account.id)
        return len(sessions)
