"""What operators can do about rooms: list them, look at one, end one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from parley.app import requests
from parley.base import log as logs
from parley.domain.errors import NotFound
from parley.domain.rooms.standing import Affiliation
from parley.protocols.xmpp.errors import JIDError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.app.requests import Document
    from parley.domain.rooms.ports import RoomStore, RoomSummary

log = logs.get(__name__)

_COUNTED = (Affiliation.OWNER, Affiliation.ADMIN, Affiliation.MEMBER, Affiliation.OUTCAST)


class RoomsLive(Protocol):
    """What a running server knows of rooms, and does about them."""

    def occupants(self, room: str) -> Sequence[str]:
        """The nicknames of who is inside."""
        ...

    async def end_room(self, room: str, reason: str) -> bool:
        """Put everybody out and delete the room with its archive; False if there was none."""
        ...

    async def leave_rooms(self, address: str) -> None:
        """The account at `address` goes: it is nothing to any room any more."""
        ...


class Rooming:
    """Answers requests about rooms.

    Args:
        rooms: where they are kept.
        live: who is inside.
    """

    def __init__(self, rooms: RoomStore, live: RoomsLive) -> None:
        self._rooms = rooms
        self._live = live
        self.handlers: dict[type[Any], Callable[[Any], Awaitable[Document]]] = {
            requests.ListRooms: self._list,
            requests.ShowRoom: self._show,
            requests.DestroyRoom: self._destroy,
        }

    async def _list(self, request: requests.ListRooms) -> Document:
        rooms = [room for room in await self._rooms.all() if request.domain in ("", room.address.partition("@")[2])]
        return {"rooms": [self._line(room) for room in rooms]}

    def _line(self, room: RoomSummary) -> Document:
        return {
            "address": room.address,
            "name": room.name,
            "creator": room.creator,
            "created_at": _stamp(room.created_at),
            "is_persistent": room.is_persistent,
            "is_public": room.is_public,
            "occupants": len(self._live.occupants(room.address)),
        }

    async def _show(self, request: requests.ShowRoom) -> Document:
        state = await self._rooms.find(_address(request.address))
        if state is None:
            raise NotFound("room-not-found", f"there is no room {request.address}")
        config, bounds = state.config, await self._rooms.bounds(state.address)
        people = {
            word.value: sorted(address for address, one in state.standings.items() if one.affiliation is word)
            for word in _COUNTED
        }
        return {
            "address": state.address,
            "name": config.name,
            "creator": state.creator,
            "created_at": _stamp(state.created_at),
            "is_persistent": config.is_persistent,
            "is_public": config.is_public,
            "is_members_only": config.is_members_only,
            "is_moderated": config.is_moderated,
            "is_anonymous": config.is_anonymous,
            "has_password": bool(config.password),
            "people": people,
            "occupants": list(self._live.occupants(state.address)),
            "last_message_at": None if bounds is None else _stamp(bounds[1].at),
        }

    async def _destroy(self, request: requests.DestroyRoom) -> Document:
        address = _address(request.address)
        if not await self._live.end_room(address, request.reason):
            raise NotFound("room-not-found", f"there is no room {request.address}")
        log.info("room destroyed by an operator", pii={"room": address})
        return {"address": address}


def _stamp(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _address(text: str) -> str:
    try:
        return str(JID.parse(text).bare)
    except JIDError as error:
        raise NotFound("room-not-found", f"{text} is no address of a room") from error
