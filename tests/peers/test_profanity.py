"""profanity (Debian) against a real server: TLS, roster, messages and OMEMO with a client of another author."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.limits import until, within
from tests.support.omemo import OmemoClient
from tests.support.profanity import MISSING, Profanity, running
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
