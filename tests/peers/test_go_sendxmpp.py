"""go-sendxmpp (Debian) against a real server: both kinds of TLS, a person, a room, a file."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from tests.support.go_sendxmpp import MISSING, GoSendxmpp, Refused
from tests.support.limits import within
from tests.support.links import fetched
from tests.support.rooms import a_room, enters, guest, opened
from tests.support.server import ParleyServer, Person
from tests.support.slix import SlixClient, signed_in

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


@pytest.mark.parametrize("transport", ["starttls", "tls"])
@within(90)
async def test_sends_to_a_person(server: ParleyServer, tmp_path: Path, transport: str) -> None:
    bob, sender = SlixClient(server.person()), GoSendxmpp(server, server.person(), tmp_path, transport)
    async with signed_in(server, bob):
        await sender.send(bob.person.address, text="two\nlines")
        assert (await bob.receive_body("two\nlines"))["from"].bare == sender.person.address


@within(90)
async def test_a_wrong_password_is_refused(server: ParleyServer, tmp_path: Path) -> None:
    person = server.person()
    sender = GoSendxmpp(server, Person(person.address, "wrong"), tmp_path)
    with pytest.raises(Refused, match="not-authorized"):
        await sender.send(person.address, text="to myself")


@within(90)
async def test_reads_what_a_person_writes(server: ParleyServer, tmp_path: Path) -> None:
    bob, alice = SlixClient(server.person()), GoSendxmpp(server, server.person(), tmp_path)
    async with signed_in(server, bob), alice.reading(bob.person.address) as reader:
        # Whether it is there already or not: what it is not there for waits in the mailbox.
        bob.send_message(alice.person.address, "hello from slixmpp", mtype="chat")
        assert bob.person.address in await reader.reads("hello from slixmpp")


@within(90)
async def test_writes_to_a_room_and_reads_there(server: ParleyServer, tmp_path: Path) -> None:
    owner, room = guest(server), a_room()
    alice, writer = (GoSendxmpp(server, server.person(), tmp_path) for _ in range(2))
    async with signed_in(server, owner):
        await opened(owner, room)
        async with alice.reading("-a", "alice", "-c", str(room)) as reader:
            await enters(owner, room, "alice")
            await writer.send("-a", "writer", "-c", str(room), text="hello, room")
            assert str((await owner.receive_body("hello, room"))["from"]) == f"{room}/writer"
            assert f"{room}/writer" in await reader.reads("hello, room")
            owner.send_message(room, "welcome", mtype="groupchat")
            await reader.reads("welcome")


@within(90)
async def test_sends_a_file(server: ParleyServer, tmp_path: Path) -> None:
    bob, sender = SlixClient(server.person()), GoSendxmpp(server, server.person(), tmp_path)
    content = secrets.token_bytes(100_000)
    (tmp_path / "noise.bin").write_bytes(content)
    async with signed_in(server, bob):
        await sender.send("-h", str(tmp_path / "noise.bin"), bob.person.address)
        link = (await bob.receive(lambda message: message["body"].endswith("/noise.bin")))["body"]
    assert link.startswith(server.http)
    assert await fetched(link) == content
