"""Gajim (Debian) on a screen that nobody sees against a real server: the everyday things, seen from both ends.

It finds the server by its SRV records and trusts its certificate for the name alone.
"""

from __future__ import annotations

import secrets

import pytest
from slixmpp import JID
from tests.support.desktop import DOMAIN, PICTURE, DesktopServer, may_unshare
from tests.support.gajim import HAS_OMEMO, MISSING, running
from tests.support.limits import until, within
from tests.support.links import fetched
from tests.support.omemo import OmemoClient
from tests.support.rooms import ROOM_PLUGINS, enters, opened
from tests.support.slix import SlixClient, signed_in

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(not MISSING and not may_unshare(), reason="not allowed: namespaces"),
    pytest.mark.xdist_group("gajim"),
]


def a_room() -> str:
    return f"{secrets.token_hex(4)}@conference.{DOMAIN}"


@within(120)
async def test_chats_with_a_contact(desktop_server: DesktopServer) -> None:
    person, bob = desktop_server.person(), SlixClient(desktop_server.person())
    bob.auto_authorize = bob.auto_subscribe = True
    async with signed_in(desktop_server, bob), running(desktop_server, person) as gajim:
        await gajim.does("befriend", bob.person.address)
        await until(lambda: bob.client_roster[person.address]["subscription"] == "both")
        await until(lambda: any(presence["from"].bare == person.address for presence in bob.presences))
        await gajim.does("open_chat", bob.person.address)
        assert await gajim.does("write", "hello from Gajim")
        assert (await bob.receive_body("hello from Gajim"))["from"].bare == person.address
        bob.send_message(person.address, "hello from slixmpp", mtype="chat")
        await gajim.shows("hello from slixmpp")
        await gajim.keeps(bob.person.address, "hello from Gajim", "hello from slixmpp")


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
        async with running(desktop_server, person) as gajim:
            await gajim.does("open_chat", bob.person.address)
            await gajim.shows("and answered")
            bob.send_message(person.address, "said now", mtype="chat")
            await gajim.shows("said now")
            await gajim.keeps(bob.person.address, "said before", "and answered", "said now")


@within(120)
async def test_sends_a_file(desktop_server: DesktopServer) -> None:
    person, bob, content = desktop_server.person(), SlixClient(desktop_server.person()), secrets.token_bytes(100_000)
    async with signed_in(desktop_server, bob), running(desktop_server, person) as gajim:
        file = gajim.desktop.home / "noise.bin"
        file.write_bytes(content)
        file.chmod(0o644)
        await gajim.does("open_chat", bob.person.address)
        await gajim.waits("may_send_files")
        await gajim.does("send_file", str(file))
        message = await bob.receive(lambda message: message["body"].endswith("/noise.bin"))
        assert await fetched(desktop_server.plain(message["body"])) == content
        await gajim.keeps(bob.person.address, message["body"])


@within(120)
async def test_shows_a_picture_of_a_contact(desktop_server: DesktopServer) -> None:
    person, bob = desktop_server.person(), SlixClient(desktop_server.person())
    bob.auto_authorize = bob.auto_subscribe = True
    bob.register_plugin("xep_0066")
    async with signed_in(desktop_server, bob), running(desktop_server, person) as gajim:
        await gajim.does("befriend", bob.person.address)
        await until(lambda: bob.client_roster[person.address]["subscription"] == "both")
        await gajim.does("open_chat", bob.person.address)
        link = await desktop_server.upload(bob, "point.png", PICTURE, "image/png")
        message = bob.make_message(person.address, link, mtype="chat")
        message["oob"]["url"] = link
        message.send()
        await gajim.keeps(bob.person.address, link)
        # Fetched without being asked, since it comes from a contact.
        await until(lambda: [path.read_bytes() for path in gajim.downloads()] == [PICTURE])


@within(120)
async def test_opens_a_room(desktop_server: DesktopServer) -> None:
    person, other = desktop_server.person(), SlixClient(desktop_server.person(), plugins=ROOM_PLUGINS)
    room = a_room()
    async with signed_in(desktop_server, other), running(desktop_server, person) as gajim:
        await gajim.does("open_room", room, {"muc#roomconfig_membersonly": False})
        await gajim.waits("participants", by=lambda names: names == [person.name])
        await gajim.waits("write", "is anybody here?")
        await gajim.shows("is anybody here?", person.name)
        _, _, occupants, history = await other.plugin["xep_0045"].join_muc_wait(JID(room), "other", timeout=30)
        assert [presence["from"].resource for presence in occupants] == [person.name, "other"]
        assert [message["body"] for message in history] == ["is anybody here?"]
        other.send_message(room, "somebody is", mtype="groupchat")
        await gajim.shows("somebody is", "other")
        await gajim.keeps(room, "is anybody here?", "somebody is")


@within(120)
async def test_enters_a_room_and_reads_its_history(desktop_server: DesktopServer) -> None:
    person, owner = desktop_server.person(), SlixClient(desktop_server.person(), plugins=ROOM_PLUGINS)
    room = a_room()
    async with signed_in(desktop_server, owner), running(desktop_server, person) as gajim:
        await opened(owner, JID(room), membersonly=False)
        owner.send_message(room, "thrice the brinded cat", mtype="groupchat")
        await owner.receive_body("thrice the brinded cat")
        await gajim.does("enter_room", room, "gaj")
        await enters(owner, JID(room), "gaj")
        await gajim.shows("thrice the brinded cat", "owner")
        await gajim.waits("write", "and once the hedge-pig")
        assert str((await owner.receive_body("and once the hedge-pig"))["from"]) == f"{room}/gaj"
        await gajim.shows("and once the hedge-pig", "gaj")
        await gajim.keeps(room, "thrice the brinded cat", "and once the hedge-pig")
        await gajim.does("leave_room", room)
        await until(lambda: "gaj" not in owner.plugin["xep_0045"].get_roster(JID(room)))


@within(180)
async def test_comes_back_to_its_room_and_hears_what_it_missed(desktop_server: DesktopServer) -> None:
    person, owner = desktop_server.person(), SlixClient(desktop_server.person(), plugins=ROOM_PLUGINS)
    room = a_room()
    async with signed_in(desktop_server, owner), running(desktop_server, person) as gajim:
        await opened(owner, JID(room))
        owner.send_message(room, "when shall we three meet again", mtype="groupchat")
        await owner.receive_body("when shall we three meet again")
        await gajim.does("enter_room", room, "gaj")
        # It has made its bookmark before it asked for the history.
        await gajim.keeps(room, "when shall we three meet again")
        gajim.desktop.kill()
        owner.send_message(room, "in thunder", mtype="groupchat")
        owner.send_message(person.address, "where are you?", mtype="chat")
        await owner.receive_body("in thunder")
        await gajim.start_again()
        await gajim.keeps(room, "when shall we three meet again", "in thunder")
        await gajim.keeps(owner.person.address, "where are you?")
        owner.send_message(room, "lightning, or in rain?", mtype="groupchat")
        await gajim.keeps(room, "when shall we three meet again", "in thunder", "lightning, or in rain?")


@pytest.mark.skipif(not MISSING and not HAS_OMEMO, reason="not installed: gajim-omemo")
@within(180)
async def test_sealed_text_both_ways(desktop_server: DesktopServer) -> None:
    person, bob = desktop_server.person(), OmemoClient(desktop_server.person())
    async with signed_in(desktop_server, bob), running(desktop_server, person) as gajim:
        await bob.knows(person.address, 1)
        await bob.send_sealed(person.address, "sealed by slixmpp")
        await gajim.does("open_chat", bob.person.address)
        await gajim.shows("sealed by slixmpp")
        await gajim.does("seal")
        await gajim.waits("write", "sealed by Gajim")
        await bob.receive_sealed("sealed by Gajim")
        assert bob.plain == ["sealed by Gajim"]
        assert all("sealed by" not in str(message) for message in bob.sealed)
        rows = await gajim.keeps(bob.person.address, "sealed by slixmpp", "sealed by Gajim")
        assert all("OMEMO" in row["additional_data"] for row in rows)
