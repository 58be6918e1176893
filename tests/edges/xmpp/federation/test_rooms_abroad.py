"""A room on one server with people of both: the room's domain has streams of its own."""

from __future__ import annotations

from pathlib import Path

from tests.edges.xmpp.federation.net import Names, Server, one
from tests.support.certificates import Authority

ROOM = "talk@conference.beta.example"


async def test_somebody_of_another_server_joins_and_speaks(tmp_path: Path) -> None:
    names, authority = Names(), Authority(tmp_path)
    theirs = authority.sign("beta.example", "conference.beta.example")
    async with (
        Server("alpha.example", names, authority, authority.sign("alpha.example")) as alpha,
        Server("beta.example", names, authority, theirs) as beta,
    ):
        names.targets["conference.beta.example"] = names.targets["beta.example"]
        await alpha.add("alice@alpha.example")
        await beta.add("bob@beta.example")
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await bob.send(f"<presence to='{ROOM}/bob'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        await one(bob, "<subject")
        owner = "http://jabber.org/protocol/muc#owner"
        await bob.send(
            f"<iq type='set' to='{ROOM}' id='i'><query xmlns='{owner}'>"
            "<x xmlns='jabber:x:data' type='submit'/></query></iq>"
        )
        await one(bob, 'id="i"')
        await alice.send(f"<presence to='{ROOM}/alice'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        assert 'status code="110"' in await one(alice, f'from="{ROOM}/alice"')
        await one(bob, f'from="{ROOM}/alice"')
        await alice.send(f"<message to='{ROOM}' type='groupchat' id='m'><body>hi all</body></message>")
        assert f'from="{ROOM}/alice"' in await one(bob, "<body>hi all")
        assert f'from="{ROOM}/alice"' in await one(alice, "<body>hi all")
        # Whose stream is gone for good leaves no ghost.
        alice.session.end()
        assert 'type="unavailable"' in await one(bob, f'from="{ROOM}/alice"')
