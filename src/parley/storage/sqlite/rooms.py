"""`RoomStore` on SQLite: rooms and who is inside. Their archives are in `room_archive.py`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from parley.domain.rooms.config import Audience, RoomConfig
from parley.domain.rooms.ports import RoomSummary, StoredOccupant
from parley.domain.rooms.room import RoomState, Subject
from parley.domain.rooms.standing import Affiliation, Role, Standing
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.room_archive import RoomArchive
from parley.storage.sqlite.rows import Row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_FIND = sql("rooms.find")
_ID = sql("rooms.id")
_SAVE = sql("rooms.save")
_STANDINGS = sql("rooms.standings")
_PUT_STANDING = sql("rooms.put_standing")
_DROP_STANDING = sql("rooms.drop_standing")
_DROP_STANDINGS = sql("rooms.drop_standings")
_VOICES = sql("rooms.voices")
_PUT_VOICE = sql("rooms.put_voice")
_DROP_VOICE = sql("rooms.drop_voice")
_DROP_VOICES = sql("rooms.drop_voices")
_DROP_VOICE_OF = sql("rooms.drop_voice_of")
_ROOMS_NAMING = sql("rooms.rooms_naming")
_DROP_PERSON = sql("rooms.drop_person")
_SET_SUBJECT = sql("rooms.set_subject")
_DROP_OCCUPANTS = sql("rooms.drop_occupants")
_DELETE = sql("rooms.delete")
_GIVE_UP = sql("rooms.give_up")
_GIVEN_UP = sql("rooms.given_up")
_DELETE_PIECE = sql("rooms.delete_piece")
_COUNT_CREATED_BY = sql("rooms.count_created_by")
_COUNT = sql("rooms.count")
_LISTED = sql("rooms.listed")
_LISTED_BEFORE = sql("rooms.listed_before")
_COUNT_LISTED = sql("rooms.count_listed")
_ALL = sql("rooms.all")
_PUT_OCCUPANT = sql("rooms.put_occupant")
_DROP_OCCUPANT = sql("rooms.drop_occupant")
_OCCUPANTS = sql("rooms.occupants")
_ADD_SECRET = sql("rooms.add_secret")
_SECRET = sql("rooms.secret")

_PIECE = 500
"""Messages deleted in one transaction."""

_BEHIND_ALL = "\U0010ffff"
"""A text that comes after every address."""

_AFFILIATION_CODE = {Affiliation.OUTCAST: 0, Affiliation.MEMBER: 2, Affiliation.ADMIN: 3, Affiliation.OWNER: 4}
_AFFILIATION_OF = {code: word for word, code in _AFFILIATION_CODE.items()}
_ROLE_CODE = {Role.VISITOR: 1, Role.PARTICIPANT: 2, Role.MODERATOR: 3}
_ROLE_OF = {code: word for word, code in _ROLE_CODE.items()}


class SqliteRooms(RoomArchive):
    """Rooms with their options, affiliations, occupants and archives; see the port."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        super().__init__(writer, readers)
        self._writer = writer
        self._readers = readers

    async def find(self, address: str) -> RoomState | None:
        """One room."""

        def query(connection: sqlite3.Connection) -> RoomState | None:
            row = connection.execute(_FIND, (address,)).fetchone()
            if row is None:
                return None
            standings, voices = (connection.execute(which, (row[0],)).fetchall() for which in (_STANDINGS, _VOICES))
            return _state(row, standings, voices)

        return await self._readers.run(query)

    async def save(self, state: RoomState) -> None:
        """Write a room, its affiliations included."""

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(_SAVE, _row(state))
            (room,) = connection.execute(_ID, (state.address,)).fetchone()
            connection.execute(_DROP_STANDINGS, (room,))
            _put_standings(connection, room, state.standings)

        await self._writer.run(change)

    async def set_standings(self, address: str, standings: Mapping[str, Standing]) -> None:
        """Change what addresses are to a room."""

        def change(connection: sqlite3.Connection) -> None:
            row = connection.execute(_ID, (address,)).fetchone()
            if row is not None:
                _put_standings(connection, row[0], standings)

        await self._writer.run(change)

    async def set_voices(self, address: str, voices: Mapping[str, Role | None]) -> None:
        """Change who has a voice."""

        def change(connection: sqlite3.Connection) -> None:
            row = connection.execute(_ID, (address,)).fetchone()
            for person, role in voices.items() if row is not None else ():
                if role is None:
                    connection.execute(_DROP_VOICE, (row[0], person))
                else:
                    connection.execute(_PUT_VOICE, (row[0], person, _ROLE_CODE[role]))

        await self._writer.run(change)

    async def set_subject(self, address: str, subject: Subject) -> None:
        """Change the subject."""
        values = (subject.content, subject.text, subject.nick, subject.at, address)
        await self._writer.run(lambda connection: connection.execute(_SET_SUBJECT, values).rowcount)

    async def delete(self, address: str) -> bool:
        """Delete a room with all that belongs to it."""

        def change(connection: sqlite3.Connection) -> bool:
            row = connection.execute(_ID, (address,)).fetchone()
            if row is None:
                return False
            for each in (_DROP_STANDINGS, _DROP_OCCUPANTS, _DROP_VOICES):
                connection.execute(each, row)
            if not _delete_piece(connection, row[0]):
                # Nobody finds it any more; `sweep` deletes the rest, so that messages need not wait behind it.
                connection.execute(_GIVE_UP, row)
            return True

        return await self._writer.run(change)

    async def sweep(self) -> int:
        """Delete what is left of rooms that were deleted; returns how many rooms."""
        rows = await self._readers.run(lambda connection: connection.execute(_GIVEN_UP).fetchall())
        for (room,) in rows:
            while not await self._writer.run(partial(_delete_piece, room=room)):
                pass
        return len(rows)

    async def count_created_by(self, creator: str) -> int:
        """How many rooms there are that a bare address made."""
        return await self._number(_COUNT_CREATED_BY, creator)

    async def count(self) -> int:
        """How many rooms there are."""
        return await self._number(_COUNT)

    async def listed(self, domain: str, after: str, limit: int) -> list[RoomSummary]:
        """Public rooms of a domain behind `after`."""
        values = (domain, after, limit)
        rows = await self._readers.run(lambda connection: connection.execute(_LISTED, values).fetchall())
        return [_summary(row) for row in rows]

    async def listed_before(self, domain: str, before: str | None, limit: int) -> list[RoomSummary]:
        """The last public rooms of a domain in front of `before`."""
        values = (domain, _BEHIND_ALL if before is None else before, limit)
        rows = await self._readers.run(lambda connection: connection.execute(_LISTED_BEFORE, values).fetchall())
        return [_summary(row) for row in reversed(rows)]

    async def count_listed(self, domain: str) -> int:
        """How many rooms `listed` would name in all."""
        return await self._number(_COUNT_LISTED, domain)

    async def all(self) -> list[RoomSummary]:
        """All rooms by address."""
        return [_summary(row) for row in await self._readers.run(lambda c: c.execute(_ALL).fetchall())]

    async def forget_person(self, address: str) -> list[str]:
        """Forget what a bare address is to any room; returns the rooms' addresses."""

        def change(connection: sqlite3.Connection) -> list[str]:
            found = [row[0] for row in connection.execute(_ROOMS_NAMING, (address,))]
            connection.execute(_DROP_PERSON, (address,))
            connection.execute(_DROP_VOICE_OF, (address,))
            return found

        return await self._writer.run(change)

    async def put_occupant(self, occupant: StoredOccupant) -> None:
        """Remember a client that is inside, or what changed of it."""
        values = (occupant.session, occupant.nick, _ROLE_CODE[occupant.role], occupant.presence)

        def change(connection: sqlite3.Connection) -> None:
            row = connection.execute(_ID, (occupant.room,)).fetchone()
            if row is not None:
                connection.execute(_PUT_OCCUPANT, (row[0], *values))

        await self._writer.run(change)

    async def drop_occupants(self, room: str, sessions: Sequence[str]) -> None:
        """Forget clients that are not inside any more."""

        def change(connection: sqlite3.Connection) -> None:
            row = connection.execute(_ID, (room,)).fetchone()
            if row is not None:
                connection.executemany(_DROP_OCCUPANT, [(row[0], session) for session in sessions])

        await self._writer.run(change)

    async def occupants(self) -> list[StoredOccupant]:
        """All clients that are inside any room."""
        rows = await self._readers.run(lambda connection: connection.execute(_OCCUPANTS).fetchall())
        return [StoredOccupant(room, session, nick, _ROLE_OF[role], data) for room, session, nick, role, data in rows]

    async def secret(self, fresh: bytes) -> bytes:
        """The secret that occupants' identifiers are made with."""

        def change(connection: sqlite3.Connection) -> bytes:
            connection.execute(_ADD_SECRET, (fresh,))
            return bytes(connection.execute(_SECRET).fetchone()[0])

        return await self._writer.run(change)

    async def _number(self, statement: str, *values: str) -> int:
        row = await self._readers.run(lambda connection: connection.execute(statement, values).fetchone())
        return int(row[0])


def _delete_piece(connection: sqlite3.Connection, room: int) -> bool:
    """Delete some of a room's messages; with the last one goes the room, and True is returned."""
    if connection.execute(_DELETE_PIECE, (room, _PIECE)).rowcount >= _PIECE:
        return False
    connection.execute(_DELETE, (room,))
    return True


def _put_standings(connection: sqlite3.Connection, room: int, standings: Mapping[str, Standing]) -> None:
    for address, one in standings.items():
        if one.affiliation is Affiliation.NONE:
            connection.execute(_DROP_STANDING, (room, address))
        else:
            values = (room, address, _AFFILIATION_CODE[one.affiliation], one.nick, one.reason)
            connection.execute(_PUT_STANDING, values)


def _row(state: RoomState) -> Row:
    config, subject = state.config, state.subject
    return (
        state.address,
        state.address.partition("@")[2],
        state.creator,
        state.created_at,
        state.is_locked,
        config.is_public and not state.is_locked,
        config.name,
        _config_text(config),
        subject.content,
        subject.text,
        subject.nick,
        subject.at,
        state.avatar,
    )


def _state(row: Row, standings: Sequence[Row], voices: Sequence[Row]) -> RoomState:
    return RoomState(
        address=row[1],
        creator=row[2],
        created_at=row[3],
        is_locked=bool(row[4]),
        config=_config(row[5]),
        standings={one[0]: Standing(_AFFILIATION_OF[one[1]], one[2], one[3]) for one in standings},
        subject=Subject(row[6], row[7], row[8], row[9]),
        avatar=row[10],
        voices={address: _ROLE_OF[role] for address, role in voices},
    )


def _summary(row: Row) -> RoomSummary:
    config = _config(row[4])
    return RoomSummary(row[0], row[1], row[2], row[3], config.is_persistent, config.is_public)


def _config_text(config: RoomConfig) -> str:
    values: dict[str, Any] = asdict(config)
    for name in ("presence_of", "member_list_for"):
        values[name] = sorted(values[name])
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _config(text: str) -> RoomConfig:
    values = json.loads(text)
    values["private_messages"] = Audience(values["private_messages"])
    for name in ("presence_of", "member_list_for"):
        values[name] = frozenset(Role(word) for word in values[name])
    return RoomConfig(**values)
