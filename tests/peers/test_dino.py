"""Dino (Debian) on a screen that nobody sees against a real server: the everyday things, seen from both ends.

It finds the server by its SRV records and trusts its certificate for the name alone. Which chats are to be sealed is
set in its database: the button for it can only be hit by the place where it happens to be drawn.
"""

from __future__ import annotations

import secrets

import pytest
from slixmpp import JID
from tests.support.desktop import DOMAIN, PICTURE, DesktopServer, may_unshare
from tests.support.dino import CONFIRMED, MISSING, OMEMO, RECEIVED, SENT, running
from tests.support.limits import until, within
from tests.support.links import fetched
from tests.support.omemo import OmemoClient
from tests.support.rooms import ROOM_PLUGINS, enters, opened
from tests.support.slix import SlixClient, befriend, signed_in

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(not MISSING and not may_unshare(), reason="not allowed: namespaces"),
    pytest.mark.xdist_group("dino"),
]


@within(120)
async def test_chats_with_a_contact(desktop_server: DesktopServer) -> None:
    person, bob = desktop_server.person(), SlixClient(desktop_server.person())
    async with signed_in(desktop_server, bob), running(desktop_server, person) as dino:
        await dino.open_chat(bob.person.address)
        await dino.write("hello from Dino")
        assert (await bob.receive_body("hello from Dino"))["from"].bare == person.address
        bob.send_message(person.address, "hello from slixmpp", mtype="chat")
        sent, received = await dino.keeps(bob.person.address, "hello from Dino", "hello from slixmpp")
        assert sent["marked"] in CONFIRMED
        assert received["counterpart_resource"] == "slix"


@within(120)
async def test_fetches_what_was_said_before(desktop_server: DesktopServer) -> None:
    person, bob = desktop_server.person(), SlixClient(desktop_server.person())
    elsewhere = SlixClient(person, "elsewhere")
    async with signed_in(desktop_server, bob):
        async with signed_in(desktop_server, elsewhere):
            # Delivered to another device, so that the archive alone still has it.
            bob.send_message(person.address, "said before", mtype="chat")
            await elsewhere.receive_body("said before")
            elsewhere.send_message(bob.person.address, "and answered", mtype="chat")
            await bob.receive_body("and answered")
        async with running(desktop_server, person) as dino:
            await dino.keeps(bob.person.address, "said before", "and answered")
            bob.send_message(person.address, "said now", mtype="chat")
            await dino.keeps(bob.person.address, "said before", "and answered", "said now")


@within(120)
async def test_sends_a_file(desktop_server: DesktopServer) -> None:
    person, bob, content = desktop_server.person(), SlixClient(desktop_server.person()), secrets.token_bytes(100_000)
    async with signed_in(desktop_server, bob), running(desktop_server, person) as dino:
        file = dino.desktop.home / "noise.bin"
        file.write_bytes(content)
        await dino.open_chat(bob.person.address)
        await dino.write("a file for you")
        await bob.receive_body("a file for you")
        await dino.send_file(bob.person.address, file)
        message = await bob.receive(lambda message: message["body"].endswith("/noise.bin"))
        assert await fetched(desktop_server.plain(message["body"])) == content
        assert [row["file_name"] for row in dino.files(bob.person.address)] == ["noise.bin"]


@within(120)
async def test_fetches_a_picture_of_a_contact(desktop_server: DesktopServer) -> None:
    person, bob = desktop_server.person(), SlixClient(desktop_server.person())
    before = SlixClient(person)
    bob.register_plugin("xep_0066")
    async with signed_in(desktop_server, bob):
        async with signed_in(desktop_server, before):
            await befriend(before, bob)
        async with running(desktop_server, person) as dino:
            await dino.open_chat(bob.person.address)
            link = await desktop_server.upload(bob, "point.png", PICTURE, "image/png")
            message = bob.make_message(person.address, link, mtype="chat")
            message["oob"]["url"] = link
            message.send()
            # Fetched without being asked, since it comes from a contact.
            await until(lambda: [path.read_bytes() for path in dino.downloads()] == [PICTURE])
            (row,) = dino.files(bob.person.address)
            assert (row["file_name"], row["direction"]) == ("point.png", RECEIVED)


@within(120)
async def test_enters_a_room_and_reads_its_history(desktop_server: DesktopServer) -> None:
    person, owner = desktop_server.person(), SlixClient(desktop_server.person(), plugins=ROOM_PLUGINS)
    room = JID(f"{secrets.token_hex(4)}@conference.{DOMAIN}")
    async with signed_in(desktop_server, owner), running(desktop_server, person) as dino:
        await opened(owner, room)
        owner.send_message(room, "thrice the brinded cat", mtype="groupchat")
        await owner.receive_body("thrice the brinded cat")
        await dino.enter_room(str(room), "saurian")
        await enters(owner, room, "saurian")
        await dino.keeps(str(room), "thrice the brinded cat")
        await dino.write("and once the hedge-pig")
        assert str((await owner.receive_body("and once the hedge-pig"))["from"]) == f"{room}/saurian"
        owner.send_message(room, "harpier cries", mtype="groupchat")
        rows = await dino.keeps(str(room), "thrice the brinded cat", "and once the hedge-pig", "harpier cries")
        assert [row["direction"] for row in rows] == [RECEIVED, SENT, RECEIVED]
        await dino.write("/nick hedgehog")
        await enters(owner, room, "hedgehog")
        # It quits, and says good-bye.
        await dino.press("ctrl+q")
        await until(lambda: owner.plugin["xep_0045"].get_roster(room) == ["owner"])


@within(180)
async def test_sealed_text_both_ways(desktop_server: DesktopServer) -> None:
    person, bob = desktop_server.person(), OmemoClient(desktop_server.person())
    async with (
        signed_in(desktop_server, bob),
        running(desktop_server, person, sealed=[bob.person.address]) as dino,
    ):
        await dino.may_seal(bob)
        await dino.open_chat(bob.person.address)
        await bob.knows(person.address, 1)
        await bob.send_sealed(person.address, "sealed by slixmpp")
        await dino.keeps(bob.person.address, "sealed by slixmpp")
        await dino.write("sealed by Dino")
        await bob.receive_sealed("sealed by Dino")
        assert bob.plain == ["sealed by Dino"]
        assert all("sealed by" not in str(message) for message in bob.sealed)
        rows = await dino.keeps(bob.person.address, "sealed by slixmpp", "sealed by Dino")
        assert [row["encryption"] for row in rows] == [OMEMO, OMEMO]
