"""XEP-0280: switched on and off by each client."""

from __future__ import annotations

import pytest

from ..harness import Client, Harness

NS = "urn:xmpp:carbons:2"


async def switch(client: Client, what: str) -> None:
    await client.ask(
        f"<iq type='set' id='1'><{what} xmlns='{NS}'/></iq>", f"<iq type='result' id='1' to='{client.session.jid}'/>"
    )


async def test_on_and_off_as_often_as_one_likes() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, laptop = await host.connect("alice/phone"), await host.connect("alice/laptop")
        for what in ("enable", "enable"):
            await switch(laptop, what)
        await phone.send("<message type='chat' id='m' to='bob@example.org'><body>Hi</body></message>")
        laptop.expect(
            "<message from='alice@example.org' to='alice@example.org/laptop' type='chat'>"
            f"<sent xmlns='{NS}'><forwarded xmlns='urn:xmpp:forward:0'>"
            "<message xmlns='jabber:client' type='chat' id='m' from='alice@example.org/phone' to='bob@example.org'>"
            "<body>Hi</body><stanza-id xmlns='urn:xmpp:sid:0' by='alice@example.org' id='*'/></message>"
            "</forwarded></sent></message>"
        )
        for what in ("disable", "disable"):
            await switch(laptop, what)
        await phone.send("<message type='chat' to='bob@example.org'><body>Hi</body></message>")
        laptop.expect()
        phone.expect()


@pytest.mark.parametrize(
    ("attributes", "copied"),
    [
        (" type='normal' id='m'", " type='normal'"),
        ('\n\tid="type=\'x\'" type="chat"', " type='chat'"),
        (" type='novel' id='m'", ""),
        (" id='m'", ""),
    ],
)
async def test_a_copy_is_of_the_type_of_what_is_copied(attributes: str, copied: str) -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, laptop = await host.connect("alice/phone"), await host.connect("alice/laptop")
        await switch(laptop, "enable")
        await phone.send(f"<message to='bob@example.org'{attributes}><body>Hi</body></message>")
        (copy,) = laptop.take()
        wrapper = copy[: copy.index(">")].replace('"', "'")
        assert wrapper == f"<message from='alice@example.org' to='alice@example.org/laptop'{copied}"


@pytest.mark.parametrize("what", ["enable", "disable"])
async def test_those_of_somebody_else_are_not_for_one_to_switch(what: str) -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, desk = await host.connect("alice/phone"), await host.connect("bob/desk")
        await switch(desk, "enable" if what == "disable" else "disable")
        before = desk.session.is_carbons_enabled
        # XEP-0280 §4.1, §5.1.
        await phone.ask(
            f"<iq type='set' id='1' to='bob@example.org'><{what} xmlns='{NS}'/></iq>",
            "<iq type='error' id='1' from='bob@example.org' to='alice@example.org/phone'>"
            "<error type='cancel' code='405'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        )
        assert desk.session.is_carbons_enabled == before


async def test_private_words_to_an_occupant_are_copied_to_devices_that_are_in_the_room() -> None:
    room = "den@conference.example.org"
    async with Harness() as host:
        await host.add("alice", "bob")
        bob = await host.connect("bob/desk")
        phone, laptop, tablet = [await host.connect(f"alice/{name}") for name in ("phone", "laptop", "tablet")]
        for client, nick in ((bob, "bob"), (phone, "alice"), (laptop, "alice")):
            await client.send(f"<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
            if client is bob:
                submit = "<x xmlns='jabber:x:data' type='submit'/>"
                query = f"<query xmlns='http://jabber.org/protocol/muc#owner'>{submit}</query>"
                await client.send(f"<iq type='set' id='o' to='{room}'>{query}</iq>")
        for client in (laptop, tablet):
            await switch(client, "enable")
        bob.take()
        await phone.send(f"<message type='chat' id='m' to='{room}/bob'><body>psst</body></message>")
        assert "psst" in bob.take()[0]
        # XEP-0280 §6.1.
        laptop.expect(
            "<message from='alice@example.org' to='alice@example.org/laptop' type='chat'>"
            f"<sent xmlns='{NS}'><forwarded xmlns='urn:xmpp:forward:0'>"
            f"<message xmlns='jabber:client' type='chat' id='m' from='alice@example.org/phone' to='{room}/bob'>"
            "<body>psst</body></message></forwarded></sent></message>"
        )
        tablet.expect()
        # What the room refuses is copied to nobody.
        await phone.send(f"<message type='chat' id='m' to='{room}/nobody'><body>psst</body></message>")
        laptop.expect()
