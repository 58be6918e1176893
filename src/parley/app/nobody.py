"""What changes of an operator mean when no server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.app.partnering import PartnerState
from parley.domain.contacts import RosterEdit
from parley.domain.relations import deserted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from parley.app.contents import Contents
    from parley.domain.accounts import Account
    from parley.domain.partners.agreements import Agreement
    from parley.domain.ports import RosterStore
    from parley.domain.rooms.ports import RoomStore
    from parley.edges.xmpp.delivery.push import Outcome


class NobodyLive:
    """The `Live` of a command that runs without a server."""

    def __init__(self, contents: Contents, rosters: RosterStore, rooms: RoomStore) -> None:
        self._contents = contents
        self._rosters = rosters
        self._rooms = rooms

    def changed(self, account: Account) -> None:
        """Nothing is remembered."""

    def resources(self, address: str) -> Collection[str]:
        """Nobody is here."""
        return ()

    def end(self, account: Account, resources: Collection[str] | None, reason: str) -> int:
        """Nobody is here."""
        return 0

    def reset(self, account: Account, reason: str) -> int:
        """Nobody is here."""
        return 0

    async def part(self, account: Account) -> None:
        """Nobody is here to send anything; servers of others learn of it when they ask."""

    async def deserted(self, account: Account, address: str) -> None:
        """End what the account and the one at `address` granted each other."""
        contacts = (await self._rosters.load(account.id)).contacts
        edit = RosterEdit(account.id, address, deserted(contacts.get(address)))
        await self._rosters.edit([edit], limit=len(contacts))

    def nodes_changed(self, account_id: int) -> None:
        """Nothing is remembered."""

    async def push(self, account: Account) -> Sequence[Outcome]:
        """Nobody is here to send anything."""
        return ()

    def occupants(self, room: str) -> Sequence[str]:
        """Nobody is here."""
        return ()

    async def end_room(self, room: str, reason: str) -> bool:
        """Delete a room."""
        return await self._rooms.delete(room)

    async def leave_rooms(self, address: str) -> None:
        """Make the account nothing to all rooms."""
        await self._rooms.forget_person(address)

    def partners_changed(self, agreements: Sequence[Agreement]) -> int:
        """Nobody is here."""
        return 0

    def partner_state(self, domain: str) -> PartnerState:
        """Nobody is here."""
        return PartnerState()

    async def removed(self, account: Account) -> None:
        """Delete the files that only this account had."""
        await self._contents.drop_unreferenced()
