"""Rooms in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from parley.domain.errors import NotFound
from parley.domain.rooms.ports import RoomArchivePage, RoomArchiveQuery, RoomMessage, RoomSummary, StoredOccupant
from parley.domain.rooms.room import RoomState, Subject
from parley.domain.rooms.standing import Affiliation, Role, Standing


@dataclass(slots=True)
class _Table:
    """One room; its messages in order, each with the key it was sent under."""

    state: RoomState
    occupants: dict[str, StoredOccupant] = field(default_factory=dict)
    messages: dict[str, RoomMessage] = field(default_factory=dict)
    keys: dict[bytes, str] = field(default_factory=dict)


class MemoryRooms:
    """Rooms with their options, affiliations, occupants and archives; see the port."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Table] = {}
        self._secret: bytes | None = None

    async def find(self, address: str) -> RoomState | None:
        """One room."""
        found = self._rooms.get(address)
        return None if found is None else found.state

    async def save(self, state: RoomState) -> None:
        """Write a room, its affiliations included."""
        standings = {a: one for a, one in state.standings.items() if one.affiliation is not Affiliation.NONE}
        found = self._rooms.get(state.address)
        state = replace(state, standings=standings, voices={} if found is None else found.state.voices)
        if found is None:
            self._rooms[state.address] = _Table(state)
        else:
            found.state = replace(state, creator=found.state.creator, created_at=found.state.created_at)

    async def set_standings(self, address: str, standings: Mapping[str, Standing]) -> None:
        """Change what addresses are to a room."""
        found = self._rooms.get(address)
        if found is not None:
            known = {**found.state.standings, **standings}
            kept = {a: one for a, one in known.items() if one.affiliation is not Affiliation.NONE}
            found.state = replace(found.state, standings=kept)

    async def set_voices(self, address: str, voices: Mapping[str, Role | None]) -> None:
        """Change who has a voice."""
        found = self._rooms.get(address)
        if found is not None:
            known = {**found.state.voices, **voices}
            found.state = replace(found.state, voices={one: role for one, role in known.items() if role is not None})

    async def set_subject(self, address: str, subject: Subject) -> None:
        """Change the subject."""
        found = self._rooms.get(address)
        if found is not None:
            found.state = replace(found.state, subject=subject)

    async def delete(self, address: str) -> bool:
        """Delete a room with all that belongs to it."""
        return self._rooms.pop(address, None) is not None

    async def sweep(self) -> int:
        """Nothing is ever left of a room."""
        return 0

    async def count_created_by(self, creator: str) -> int:
        """How many rooms there are that a bare address made."""
        return sum(room.state.creator == creator for room in self._rooms.values())

    async def count(self) -> int:
        """How many rooms there are."""
        return len(self._rooms)

    async def listed(self, domain: str, after: str, limit: int) -> list[RoomSummary]:
        """Public rooms of a domain behind `after`."""
        return [_summary(state) for state in self._listed(domain) if state.address > after][:limit]

    async def listed_before(self, domain: str, before: str | None, limit: int) -> list[RoomSummary]:
        """The last public rooms of a domain in front of `before`."""
        found = [_summary(state) for state in self._listed(domain) if before is None or state.address < before]
        return found[max(len(found) - limit, 0) :]

    async def count_listed(self, domain: str) -> int:
        """How many rooms `listed` would name in all."""
        return len(self._listed(domain))

    def _listed(self, domain: str) -> list[RoomState]:
        states = (self._rooms[address].state for address in sorted(self._rooms))
        return [
            state
            for state in states
            if state.config.is_public and not state.is_locked and state.address.partition("@")[2] == domain
        ]

    async def all(self) -> list[RoomSummary]:
        """All rooms by address."""
        return [_summary(self._rooms[address].state) for address in sorted(self._rooms)]

    async def forget_person(self, address: str) -> list[str]:
        """Forget what a bare address is to any room; returns the rooms' addresses."""
        found = sorted(name for name, room in self._rooms.items() if address in room.state.standings)
        for name in found:
            await self.set_standings(name, {address: Standing(Affiliation.NONE)})
        for name in self._rooms:
            await self.set_voices(name, {address: None})
        return found

    async def put_occupant(self, occupant: StoredOccupant) -> None:
        """Remember a client that is inside, or what changed of it."""
        found = self._rooms.get(occupant.room)
        if found is not None:
            found.occupants.pop(occupant.session, None)
            found.occupants[occupant.session] = occupant

    async def drop_occupants(self, room: str, sessions: Sequence[str]) -> None:
        """Forget clients that are not inside any more."""
        found = self._rooms.get(room)
        if found is not None:
            for session in sessions:
                found.occupants.pop(session, None)

    async def occupants(self) -> list[StoredOccupant]:
        """All clients that are inside any room."""
        return [one for room in self._rooms.values() for one in room.occupants.values()]

    async def secret(self, fresh: bytes) -> bytes:
        """The secret that occupants' identifiers are made with."""
        if self._secret is None:
            self._secret = fresh
        return self._secret

    # The archive.

    async def append(self, room: str, message: RoomMessage, dedup_key: bytes | None = None) -> str | None:
        """Write a message; its id when it had been written before."""
        found = self._rooms.get(room)
        if found is None:
            raise NotFound("room-not-found")
        if dedup_key is not None:
            if dedup_key in found.keys:
                return found.keys[dedup_key]
            found.keys[dedup_key] = message.id
        found.messages[message.id] = message
        return None

    async def page(self, query: RoomArchiveQuery) -> RoomArchivePage:
        """One page."""
        found = self._rooms.get(query.room)
        messages = [] if found is None else list(found.messages.values())
        place = {message.id: number for number, message in enumerate(messages)}
        ends = (query.newer_than, query.older_than, query.after_id, query.before_id)
        for named in (*query.ids, *ends):
            if named is not None and named not in place:
                raise NotFound("item-not-found")
        newer, after = (-1 if one is None else place[one] for one in (query.newer_than, query.after_id))
        older, before = (len(messages) if one is None else place[one] for one in (query.older_than, query.before_id))
        matching = [message for message in messages[newer + 1 : max(older, 0)] if _fits(message, query)]
        inside = [message for message in matching[query.index or 0 :] if after < place[message.id] < before]
        shown = inside[max(len(inside) - query.limit, 0) :] if query.is_backward else inside[: query.limit]
        behind = min(older, before) if query.is_backward else max(newer, after) + 1
        first = place[shown[0].id] if shown else behind
        index = sum(place[message.id] < first for message in matching)
        if query.index is not None and not shown:
            index = min(query.index, len(matching))
        is_complete = len(inside) <= query.limit
        if query.counted is not None and len(matching) > query.counted:
            return RoomArchivePage(tuple(shown), is_complete, None, None)
        return RoomArchivePage(tuple(shown), is_complete, len(matching), index)

    async def bounds(self, room: str) -> tuple[RoomMessage, RoomMessage] | None:
        """The first and the last message."""
        found = self._rooms.get(room)
        messages = [] if found is None else list(found.messages.values())
        return (messages[0], messages[-1]) if messages else None

    async def message(self, room: str, message_id: str) -> RoomMessage | None:
        """One message."""
        found = self._rooms.get(room)
        return None if found is None else found.messages.get(message_id)

    async def replace(self, room: str, message_id: str, content: bytes) -> bool:
        """Put something else where a message was."""
        known = await self.message(room, message_id)
        if known is None:
            return False
        self._rooms[room].messages[message_id] = replace(known, content=content, in_history=False)
        return True

    async def history(self, room: str, limit: int) -> list[RoomMessage]:
        """The newest messages with `in_history`, oldest first."""
        found = self._rooms.get(room)
        shown = [] if found is None else [message for message in found.messages.values() if message.in_history]
        return shown[max(len(shown) - limit, 0) :]

    async def purge(self, before: int) -> int:
        """Delete messages of all rooms from before `before`."""
        deleted = 0
        for room in self._rooms.values():
            old = [message.id for message in room.messages.values() if message.at < before]
            for message_id in old:
                del room.messages[message_id]
            room.keys = {key: value for key, value in room.keys.items() if value in room.messages}
            deleted += len(old)
        return deleted


def _fits(message: RoomMessage, query: RoomArchiveQuery) -> bool:
    return (
        (not query.ids or message.id in query.ids)
        and (query.nick is None or message.nick == query.nick)
        and (query.start is None or message.at >= query.start)
        and (query.end is None or message.at <= query.end)
    )


def _summary(state: RoomState) -> RoomSummary:
    config = state.config
    return RoomSummary(
        state.address, config.name, state.creator, state.created_at, config.is_persistent, config.is_public
    )
