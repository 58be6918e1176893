"""slixmpp-omemo, which others wrote, on both sides of a real server: nothing in the server may break their sessions."""

from __future__ import annotations

import pytest
from tests.support.limits import until, within
from tests.support.omemo import OmemoClient
from tests.support.server import ParleyServer
from tests.support.slix import befriend, signed_in

pytestmark = pytest.mark.peer


@within(120)
async def test_text_both_ways(server: ParleyServer) -> None:
    alice, bob = OmemoClient(server.person()), OmemoClient(server.person())
    async with signed_in(server, alice, bob):
        await befriend(alice, bob)
        for number in range(3):
            sealed = await alice.send_sealed(bob.person.address, f"sealed {number}")
            assert f"sealed {number}" not in str(sealed)
            await bob.receive_sealed(f"sealed {number}")
            await bob.send_sealed(alice.person.address, f"opened {number}")
            await alice.receive_sealed(f"opened {number}")
        assert not alice.trouble
        assert not bob.trouble


@within(120)
async def test_strangers_can_write_sealed(server: ParleyServer) -> None:
    alice, bob = OmemoClient(server.person()), OmemoClient(server.person())
    async with signed_in(server, alice, bob):
        await alice.send_sealed(bob.person.address, "we never met")
        await bob.receive_sealed("we never met")


@within(120)
async def test_two_devices_each_all_see_all(server: ParleyServer) -> None:
    alice, bob = server.person(), server.person()
    clients = [OmemoClient(person, resource) for person in (alice, bob) for resource in ("phone", "desktop")]
    alice_phone, alice_desktop, bob_phone, bob_desktop = clients
    async with signed_in(server, *clients):
        await befriend(alice_phone, bob_phone)
        for client in clients:
            await client.knows(alice.address, 2)
            await client.knows(bob.address, 2)
        await alice_phone.send_sealed(bob.address, "to both of yours, and mine")
        for client in (bob_phone, bob_desktop, alice_desktop):
            await client.receive_sealed("to both of yours, and mine")
        await bob_desktop.send_sealed(alice.address, "back to both")
        for client in (alice_phone, alice_desktop, bob_phone):
            await client.receive_sealed("back to both")
        for client in clients:
            assert len(client.plain) == 1 + (client not in (alice_phone, bob_desktop))


@within(120)
async def test_offline_message_is_opened_on_return(server: ParleyServer) -> None:
    alice, bob = OmemoClient(server.person()), OmemoClient(server.person())
    async with signed_in(server, alice):
        async with signed_in(server, bob):
            await befriend(alice, bob)
        await alice.send_sealed(bob.person.address, "first while away")
        await alice.send_sealed(bob.person.address, "second while away")
        await alice.plugin["xep_0199"].send_ping("localhost")
        again = OmemoClient(bob.person, memory=bob.memory)
        async with signed_in(server, again):
            await again.receive_sealed("second while away")
            assert again.plain == ["first while away", "second while away"]


@within(120)
async def test_message_is_opened_from_the_archive(server: ParleyServer) -> None:
    alice, bob = OmemoClient(server.person()), OmemoClient(server.person())
    async with signed_in(server, alice):
        async with signed_in(server, bob):
            await befriend(alice, bob)
        other = OmemoClient(bob.person, "other")
        async with signed_in(server, other):
            await other.knows(bob.person.address, 2)
            await alice.knows(bob.person.address, 2)
            await alice.send_sealed(bob.person.address, "taken by the other device")
            await other.receive_sealed("taken by the other device")
        again = OmemoClient(bob.person, memory=bob.memory)
        async with signed_in(server, again):
            answer = await again.plugin["xep_0313"].retrieve(with_jid=alice.boundjid.bare)
            assert again.plain == []
            # The first one of the archive; those behind it only complete the sessions.
            stored = next(iter(answer["mam"]["results"]))["mam_result"]["forwarded"]["stanza"]
            assert await again.open(stored) == "taken by the other device"


@within(120)
async def test_new_device_is_announced_to_contacts(server: ParleyServer) -> None:
    alice, bob = OmemoClient(server.person()), OmemoClient(server.person(), "phone")
    announced: list[object] = []
    alice.add_event_handler("oldmemo_device_list_publish", announced.append)
    async with signed_in(server, alice, bob):
        await befriend(alice, bob)
        await alice.knows(bob.person.address, 1)
        announced.clear()
        tablet = OmemoClient(bob.person, "tablet")
        async with signed_in(server, tablet):
            await until(lambda: announced)
            await alice.knows(bob.person.address, 2)
