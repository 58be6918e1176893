"""Push for rooms (XEP-0357): members' devices that are not connected are woken when something is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.domain.rooms.standing import Affiliation
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.rooms.live import LiveRoom

log = logs.get(__name__)

_INTERVAL_S: Final = 1.0
"""A lively room asks for its members no oftener; each device has an interval of its own, which is longer."""


class Waking:
    """Wakes those who belong to one room, whoever else is inside."""

    def __init__(self, live: LiveRoom) -> None:
        self._live = live
        self._host: Host = live.host
        self._is_running = False
        self._authors: set[str] = set()

    def said(self, author: str) -> None:
        """Somebody (bare address) said something."""
        self._authors.add(author)
        if not self._is_running:
            self._is_running = True
            self._host.supervisor.spawn("push for a room", self._run())

    async def _run(self) -> None:
        try:
            while self._authors:
                authors, self._authors = self._authors, set()
                await self._wake(authors)
                await self._host.clock.sleep(_INTERVAL_S)
        except StorageUnavailable as error:
            log.error("members of a room cannot be woken", code=error.code)
        finally:
            self._is_running = False

    async def _wake(self, authors: set[str]) -> None:
        for address in self._belonging():
            # Who alone was talking need not hear of it.
            if authors == {address} or not self._host.router.is_account(JID.parse(address)):
                continue
            directory = self._host.stores.directory
            account = directory.cached(address) or await directory.find(address)
            if account is not None:
                self._host.push.wake(account.id, address)

    def _belonging(self) -> set[str]:
        """Members and above, and those inside: a client whose connection broke is inside for a while."""
        room = self._live.room
        members = {a for a, one in room.standings.items() if one.affiliation.rank >= Affiliation.MEMBER.rank}
        return members | {occupant.address for occupant in room.occupants.values()}
