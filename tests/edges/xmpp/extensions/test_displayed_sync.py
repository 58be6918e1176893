"""XEP-0490: a node that other devices hear of, and the word in a message that publishes there."""

from __future__ import annotations

from parley.edges.xmpp.extensions.pubsub.asked import service_of

from ..harness import Harness
from .test_profile import items

NODE = "urn:xmpp:mds:displayed:0"
SEEN = (
    "<displayed xmlns='urn:xmpp:mds:displayed:0'>"
    "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@example.org' id='0423'/></displayed>"
)
MARKER = "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>"


async def test_a_word_in_a_message_is_published_and_goes_no_further() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, tablet = await host.connect("alice/phone", presence=""), await host.connect("alice/tablet", presence="")
        desk = await host.connect("bob/desk", presence="")
        tablet.session.notify_nodes = frozenset({NODE})
        tablet.session.is_carbons_enabled = True
        tablet.take()
        await phone.send(f"<message to='bob@example.org' type='chat'>{MARKER}{SEEN}</message>")
        (came,) = desk.take()
        assert "chat-markers" in came
        assert "mds" not in came
        told = tablet.take()
        assert sum("mds" in stanza for stanza in told) == 1
        assert sum("carbons" in stanza and "mds" not in stanza for stanza in told) == 1
        shown = "[displayed:[stanza-id by=alice@example.org id=0423:]]"
        assert await items(phone, NODE) == {"bob@example.org": shown}
        (node,) = await host.storage.nodes.nodes(service_of(phone.session.account))
        assert node.config.access_model.value == "whitelist"
        assert node.config.send_last_published_item.value == "never"
        assert node.config.max_items == host.settings.pep.max_items


async def test_what_names_no_message_is_not_published() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone = await host.connect("alice/phone", presence="")
        await phone.send(f"<message to='bob@example.org'>{MARKER}<displayed xmlns='{NODE}'/></message>")
        assert await items(phone, NODE) == {}


async def test_a_room_does_not_get_to_see_the_word() -> None:
    room = "den@conference.example.org"
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, desk = await host.connect("alice/phone", presence=""), await host.connect("bob/desk")
        for client, nick in ((phone, "alice"), (desk, "bob")):
            await client.send(f"<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
            if client is phone:
                submit = "<x xmlns='jabber:x:data' type='submit'/>"
                query = f"<query xmlns='http://jabber.org/protocol/muc#owner'>{submit}</query>"
                await client.send(f"<iq type='set' id='o' to='{room}'>{query}</iq>")
        desk.take()
        await phone.send(f"<message to='{room}' type='groupchat'>{MARKER}{SEEN}</message>")
        (came,) = desk.take()
        assert "chat-markers" in came
        assert "mds" not in came
        assert list(await items(phone, NODE)) == [room]
