"""Where rooms are kept. As in `parley.domain.ports`: what is `async` returns when it is committed and synced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from parley.domain.rooms.room import RoomState, Subject
from parley.domain.rooms.standing import Role, Standing


@dataclass(frozen=True, slots=True)
class RoomMessage:
    """A message of a room's archive. `id` is a UUID in text form, `at` microseconds since the epoch.

    `sender` is the bare address of who wrote it, `nick` the name it was written under, both empty for the room itself.
    `content` is the stanza as it was reflected, without recipient. `in_history` tells whether who enters is shown it.
    """

    id: str
    at: int
    sender: str
    nick: str
    content: bytes
    in_history: bool = True


@dataclass(frozen=True, slots=True)
class RoomArchiveQuery:
    """A page of one room's archive; as `ArchiveQuery`, with `nick` for the one whose messages are wanted.

    Behind `newer_than` and before `older_than` is what matches, which is counted; inside of that the page is behind
    `after_id` and before `before_id`, or starts with message number `index`.
    """

    room: str
    nick: str | None = None
    start: int | None = None
    end: int | None = None
    after_id: str | None = None
    before_id: str | None = None
    ids: tuple[str, ...] = ()
    is_backward: bool = False
    limit: int = 50
    counted: int | None = 5_000
    newer_than: str | None = None
    older_than: str | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class RoomArchivePage:
    """Messages in the order of the room. `index` is the place of the first one among the `total` that match.

    Both are None when more match than the query wanted to have counted.
    """

    messages: tuple[RoomMessage, ...]
    is_complete: bool
    total: int | None
    index: int | None


@dataclass(frozen=True, slots=True)
class StoredOccupant:
    """A client that is inside: `session` is its full address, `presence` what it last sent (opaque)."""

    room: str
    session: str
    nick: str
    role: Role
    presence: bytes


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """A room in a list."""

    address: str
    name: str
    creator: str
    created_at: int
    is_persistent: bool
    is_public: bool


class RoomStore(Protocol):
    """Rooms with their options, affiliations, occupants and archives."""

    async def find(self, address: str) -> RoomState | None:
        """One room."""
        ...

    async def save(self, state: RoomState) -> None:
        """Write a room, its affiliations included; of one of that address its archive and voices stay."""
        ...

    async def set_standings(self, address: str, standings: Mapping[str, Standing]) -> None:
        """Change what addresses are to a room; NONE forgets them. Does nothing for a room that is gone."""
        ...

    async def set_voices(self, address: str, voices: Mapping[str, Role | None]) -> None:
        """Change who finds themselves with voice (PARTICIPANT) or without it (VISITOR); None forgets an address.

        Does nothing for a room that is gone.
        """
        ...

    async def set_subject(self, address: str, subject: Subject) -> None:
        """Change the subject. Does nothing for a room that is gone."""
        ...

    async def delete(self, address: str) -> bool:
        """Delete a room with all that belongs to it; False if there was none.

        Of a long archive some may be left for `sweep`; nobody finds it any more.
        """
        ...

    async def sweep(self) -> int:
        """Delete what is left of rooms that were deleted; returns of how many."""
        ...

    async def count_created_by(self, creator: str) -> int:
        """How many rooms there are that a bare address made."""
        ...

    async def count(self) -> int:
        """How many rooms there are."""
        ...

    async def listed(self, domain: str, after: str, limit: int) -> list[RoomSummary]:
        """Public rooms of a domain that are not locked, by address, behind the address `after`."""
        ...

    async def listed_before(self, domain: str, before: str | None, limit: int) -> list[RoomSummary]:
        """The last ones in front of the address `before`, or of all when it is None; by address, too."""
        ...

    async def count_listed(self, domain: str) -> int:
        """How many rooms `listed` would name in all."""
        ...

    async def all(self) -> list[RoomSummary]:
        """All rooms by address."""
        ...

    async def forget_person(self, address: str) -> list[str]:
        """Forget what a bare address is to any room, and its voice; for an account that goes.

        Returns:
            The addresses of the rooms that it was anything to.
        """
        ...

    # Who is inside, so that a restart can put them back.

    async def put_occupant(self, occupant: StoredOccupant) -> None:
        """Remember a client that is inside, or what changed of it. Does nothing for a room that is gone."""
        ...

    async def drop_occupants(self, room: str, sessions: Sequence[str]) -> None:
        """Forget clients that are not inside any more."""
        ...

    async def occupants(self) -> list[StoredOccupant]:
        """All clients that are inside any room, by room, in the order in which they spoke last."""
        ...

    # The archive.

    async def append(self, room: str, message: RoomMessage, dedup_key: bytes | None = None) -> str | None:
        """Write a message; callers are woken in the order of their calls.

        Returns:
            None, or the id of the message that was written before under the same key (16 bytes): then nothing was.

        Raises:
            NotFound: ("room-not-found") the room is gone.
        """
        ...

    async def page(self, query: RoomArchiveQuery) -> RoomArchivePage:
        """One page; raises NotFound("item-not-found") for an id that the query names and nobody knows."""
        ...

    async def bounds(self, room: str) -> tuple[RoomMessage, RoomMessage] | None:
        """The first and the last message."""
        ...

    async def message(self, room: str, message_id: str) -> RoomMessage | None:
        """One message."""
        ...

    async def replace(self, room: str, message_id: str, content: bytes) -> bool:
        """Put something else where a message was, which is not shown to who enters; False if there is none."""
        ...

    async def history(self, room: str, limit: int) -> list[RoomMessage]:
        """The newest messages with `in_history`, oldest first."""
        ...

    async def purge(self, before: int) -> int:
        """Delete messages of all rooms from before `before`; returns how many."""
        ...

    async def secret(self, fresh: bytes) -> bytes:
        """The secret that occupants' identifiers are made with: `fresh` becomes it when there was none."""
        ...
