"""Rooms for tests, opened and looked at with slixmpp."""

from __future__ import annotations

import secrets

from slixmpp import JID
from tests.support.limits import until
from tests.support.server import ParleyServer
from tests.support.slix import PLUGINS, SlixClient

ROOM_PLUGINS = (*PLUGINS, "xep_0004", "xep_0045", "xep_0249", "xep_0410", "xep_0421")


def guest(server: ParleyServer) -> SlixClient:
    """A client of an unused account that knows rooms."""
    return SlixClient(server.person(), plugins=ROOM_PLUGINS)


def a_room() -> JID:
    """The address of a room that is not there yet."""
    return JID(f"{secrets.token_hex(4)}@conference.localhost")


async def opened(owner: SlixClient, room: JID, **options: object) -> None:
    """A room with options, with its owner inside."""
    muc = owner.plugin["xep_0045"]
    await muc.join_muc_wait(room, "owner", timeout=30)
    form = await muc.get_room_config(room)
    for name, value in options.items():
        form.get_fields()[f"muc#roomconfig_{name}"]["value"] = value
    form["type"] = "submit"
    await muc.set_room_config(room, form)


async def enters(client: SlixClient, room: JID, nick: str) -> None:
    """Wait until a client that is inside has seen somebody enter."""
    await until(lambda: nick in (client.plugin["xep_0045"].get_roster(room) or ()))
