"""What operators do about rooms: with a server that runs, and by command without one."""

from __future__ import annotations

import asyncio

import pytest
from tests.app.calling import Cli
from tests.edges.xmpp.rooms.guests import ROOM, a_party, shown

from parley.app.requests import DestroyRoom, ListRooms, ShowRoom
from parley.app.rooming import Rooming
from parley.base.clock import SystemClock
from parley.domain.errors import NotFound
from parley.domain.rooms.room import RoomState
from parley.domain.rooms.standing import Affiliation, Standing
from parley.edges.xmpp.rooms.service import rooms_of
from parley.storage.sqlite.store import SqliteStorage


class Live:
    """A server's rooms, as `LiveServer` shows them."""

    def __init__(self, host) -> None:
        rooms = rooms_of(host)
        self.occupants, self.end_room, self.leave_rooms = rooms.occupants, rooms.end, rooms.forget_person


async def test_a_running_server_says_who_is_inside_and_ends_rooms() -> None:
    async with a_party("alice", "bob") as party:
        await party.open("alice", "bob", roomname="Cave", publicroom=False)
        await party.affiliate("alice", "bob", "member")
        rooming = Rooming(party.harness.storage.rooms, Live(party.harness.host)).handlers
        (line,) = (await rooming[ListRooms](ListRooms()))["rooms"]
        assert (line["address"], line["name"], line["occupants"], line["is_public"]) == (ROOM, "Cave", 2, False)
        assert (await rooming[ListRooms](ListRooms("elsewhere.example")))["rooms"] == []
        found = await rooming[ShowRoom](ShowRoom(ROOM.upper()))
        assert found["occupants"] == ["alice", "bob"]
        assert found["people"]["member"] == ["bob@example.org"]
        await rooming[DestroyRoom](DestroyRoom(ROOM, "closing"))
        destroy = "<destroy><reason>closing</reason></destroy>"
        party["bob"].expect(shown("bob", 110, to="bob", role="none", gone=True, destroy=destroy))
        for request in (ShowRoom(ROOM), DestroyRoom(ROOM, ""), ShowRoom("@")):
            with pytest.raises(NotFound) as refused:
                await rooming[type(request)](request)
            assert refused.value.code == "room-not-found"


async def _make(cli: Cli) -> None:
    async with SqliteStorage(cli.data / "parley.db", SystemClock()) as storage:
        standings = {"alice@example.org": Standing(Affiliation.OWNER)}
        await storage.rooms.save(RoomState(ROOM, "alice@example.org", 1_000_000, standings=standings))


def test_commands_without_a_server(cli: Cli) -> None:
    asyncio.run(_make(cli))
    assert cli.json("room", "list")["rooms"][0]["created_at"] == "1970-01-01T00:00:01Z"
    assert ROOM in cli("room", "list").stdout
    assert "owner: alice@example.org" in cli("room", "show", ROOM).stdout
    assert cli("room", "destroy", ROOM, given="n\n").exit_code == 1
    assert cli.json("room", "destroy", ROOM, "--yes") == {"address": ROOM}
    assert cli("room", "show", ROOM).exit_code == 1
