"""profanity (Debian) against a real server: TLS, roster, messages, archive, files, rooms, OMEMO with another author."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from tests.support.limits import until, within
from tests.support.links import fetched
from tests.support.omemo import OmemoClient
from tests.support.profanity import MISSING, Profanity, running
from tests.support.rooms import a_room, enters, guest, opened
from tests.support.server import ParleyServer
from tests.support.slix import SlixClient, signed_in

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.xdist_group("profanity"),
]


@within(120)
async def test_signs_in_fetches_its_roster_and_shows_a_message(server: ParleyServer, tmp_path: Path) -> None:
    person, bob = server.person(), SlixClient(server.person())
    first = SlixClient(person, "first")
    async with signed_in(server, first):
        await first.update_roster(bob.person.address, name="Robert")
    async with signed_in(server, bob), running(tmp_path) as profanity:
        await profanity.sign_in(server, person)
        profanity.type("/roster")
        await profanity.shows("Robert")
        bob.send_message(person.address, "hello from slixmpp", mtype="chat")
        await profanity.shows(bob.person.address)
        profanity.type(f"/msg {bob.person.address} hello from profanity")
        assert (await bob.receive_body("hello from profanity"))["from"].bare == person.address
        await profanity.shows("hello from slixmpp")


@within(120)
async def test_fetches_what_was_said_before(server: ParleyServer, tmp_path: Path) -> None:
    person, bob = server.person(), SlixClient(server.person())
    elsewhere = SlixClient(person, "elsewhere")
    async with signed_in(server, bob):
        async with signed_in(server, elsewhere):
            # Delivered to another device, so that the archive alone still has it.
            bob.send_message(person.address, "said before", mtype="chat")
            await elsewhere.receive_body("said before")
        async with running(tmp_path) as profanity:
            profanity.type("/mam on")
            await profanity.sign_in(server, person)
            # Behind what it asked the server for when it signed in, which tells it that there is an archive.
            profanity.type("/disco info")
            await profanity.shows("Service discovery info for localhost")
            profanity.type(f"/msg {bob.person.address}")
            await profanity.shows("said before")


@within(120)
async def test_sends_a_file(server: ParleyServer, tmp_path: Path) -> None:
    bob, content = SlixClient(server.person()), secrets.token_bytes(100_000)
    file = tmp_path / "noise.bin"
    file.write_bytes(content)
    async with signed_in(server, bob), running(tmp_path / "home") as profanity:
        await profanity.sign_in(server, server.person())
        profanity.type(f"/msg {bob.person.address} a file for you")
        await bob.receive_body("a file for you")
        profanity.type(f"/sendfile {file}")
        message = await bob.receive(lambda message: message["body"].endswith("/noise.bin"))
    assert await fetched(message["body"]) == content


@within(120)
async def test_opens_a_room(server: ParleyServer, tmp_path: Path) -> None:
    other, room = guest(server), a_room()
    async with signed_in(server, other), running(tmp_path) as profanity:
        await profanity.sign_in(server, server.person())
        profanity.type(f"/join {room} nick prof")
        await profanity.shows("Room locked")
        profanity.type("/room accept")
        await profanity.shows("Room unlocked")
        profanity.type("is anybody here?")
        await profanity.shows("prof: is anybody here?")
        _, _, occupants, history = await other.plugin["xep_0045"].join_muc_wait(room, "other", timeout=30)
        assert [presence["from"].resource for presence in occupants] == ["prof", "other"]
        assert [message["body"] for message in history] == ["is anybody here?"]
        other.send_message(room, "somebody is", mtype="groupchat")
        await profanity.shows("other: somebody is")
        profanity.type("/kick other")
        await until(lambda: "other" not in other.plugin["xep_0045"].get_roster(room))


@within(120)
async def test_enters_a_room_and_reads_its_history(server: ParleyServer, tmp_path: Path) -> None:
    owner, room = guest(server), a_room()
    async with signed_in(server, owner), running(tmp_path) as profanity:
        await opened(owner, room)
        owner.plugin["xep_0045"].set_subject(room, "Spells")
        owner.send_message(room, "thrice the brinded cat", mtype="groupchat")
        await owner.receive_body("thrice the brinded cat")
        await profanity.sign_in(server, server.person())
        profanity.type(f"/join {room} nick prof")
        await enters(owner, room, "prof")
        await profanity.shows("owner: thrice the brinded cat")
        await profanity.shows("Spells")
        profanity.type("and once the hedge-pig")
        assert str((await owner.receive_body("and once the hedge-pig"))["from"]) == f"{room}/prof"
        profanity.type("/close")
        await until(lambda: "prof" not in owner.plugin["xep_0045"].get_roster(room))


@within(180)
async def test_sealed_text_both_ways(server: ParleyServer, tmp_path: Path) -> None:
    person, bob = server.person(), OmemoClient(server.person())
    async with signed_in(server, bob), running(tmp_path) as profanity:
        await profanity.sign_in(server, person)
        profanity.type("/omemo policy automatic")
        profanity.type("/omemo trustmode blind")
        profanity.type("/omemo gen")
        await profanity.shows("materials generated")
        await befriend(bob, profanity, person.address)
        # Device lists are pushed when it comes anew with what it wants to hear of.
        profanity.type("/disconnect")
        await profanity.shows("[offline]")
        await profanity.sign_in(server, person)
        await bob.knows(person.address, 1)
        await bob.send_sealed(person.address, "sealed by slixmpp")
        profanity.type(f"/msg {bob.person.address}")
        await profanity.shows("sealed by slixmpp")
        profanity.type(f"/omemo start {bob.person.address}")
        profanity.type("sealed by profanity")
        await bob.receive_sealed("sealed by profanity")
        assert all("sealed by" not in str(message) for message in bob.sealed)


async def befriend(bob: OmemoClient, profanity: Profanity, address: str) -> None:
    """Subscribe both ways between slixmpp and profanity."""
    bob.auto_authorize = bob.auto_subscribe = True
    profanity.type(f"/sub request {bob.person.address}")
    await until(lambda: bob.client_roster[address]["from"])
    profanity.type(f"/sub allow {bob.person.address}")
    await until(lambda: bob.client_roster[address]["subscription"] == "both")
