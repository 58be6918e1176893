"""poezio (Debian) against a real server: sign-in, messages and their archive, a room and what was said there."""

from __future__ import annotations

import pytest
from tests.support.limits import until, within
from tests.support.poezio import MISSING, running
from tests.support.rooms import a_room, enters, guest, opened
from tests.support.server import ParleyServer
from tests.support.slix import SlixClient, signed_in

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.xdist_group("poezio"),
]


@within(180)
async def test_chats_and_fetches_what_was_said_before(server: ParleyServer) -> None:
    person, bob = server.person(), SlixClient(server.person())
    elsewhere = SlixClient(person, "elsewhere")
    async with signed_in(server, bob):
        async with signed_in(server, elsewhere):
            # Delivered to another device, so that the archive alone still has it.
            bob.send_message(person.address, "said before", mtype="chat")
            await elsewhere.receive_body("said before")
        async with running(server, person) as poezio:
            await poezio.type(f"/message {bob.person.address} hello from poezio")
            assert (await bob.receive_body("hello from poezio"))["from"].bare == person.address
            await poezio.shows("said before")
            bob.send_message(person.address, "hello from slixmpp", mtype="chat")
            await poezio.shows("hello from slixmpp")
            await poezio.type("and good-bye")
            await bob.receive_body("and good-bye")


@within(180)
async def test_enters_a_room_reads_its_history_and_takes_part(server: ParleyServer) -> None:
    owner, room = guest(server), a_room()
    async with signed_in(server, owner):
        await opened(owner, room)
        owner.plugin["xep_0045"].set_subject(room, "Spells")
        owner.send_message(room, "thrice the brinded cat", mtype="groupchat")
        await owner.receive_body("thrice the brinded cat")
        async with running(server, server.person()) as poezio:
            await poezio.type(f"/join {room}/poe")
            await enters(owner, room, "poe")
            await poezio.shows("thrice the brinded cat")
            await poezio.type("and once the hedge-pig")
            assert str((await owner.receive_body("and once the hedge-pig"))["from"]) == f"{room}/poe"
            owner.send_message(room, "harpier cries", mtype="groupchat")
            screen = await poezio.shows("harpier cries")
            assert screen.count("thrice the brinded cat") == screen.count("and once the hedge-pig") == 1
            await poezio.type("/nick hedgehog")
            await enters(owner, room, "hedgehog")
            await poezio.type("/part")
            await until(lambda: "hedgehog" not in owner.plugin["xep_0045"].get_roster(room))
