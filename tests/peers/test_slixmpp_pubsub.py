"""slixmpp against the publish-subscribe service of a real server: nodes, subscriptions, approval, lists of people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0004 import Form
from tests.support.limits import until, within
from tests.support.server import ParleyServer
from tests.support.slix import SlixClient, signed_in

pytestmark = pytest.mark.peer

SERVICE = "pubsub.localhost"
ENTRY = "urn:example:entry"
AUTHORIZATION = "http://jabber.org/protocol/pubsub#subscribe_authorization"


def entry(text: str) -> ET.Element:
    element = ET.Element(f"{{{ENTRY}}}entry")
    element.text = text
    return element


def listening(client: SlixClient, event: str) -> list[str]:
    """What comes as `event` from now on, as XML."""
    came: list[str] = []
    client.add_event_handler(event, lambda stanza: came.append(ET.tostring(stanza.xml, encoding="unicode")))
    return came


def config(client: SlixClient, **values: str) -> Form:
    form: Form = client.plugin["xep_0004"].make_form(ftype="submit")
    form.add_field("FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#node_config")
    for name, value in values.items():
        form.add_field(f"pubsub#{name}", value=value)
    return form


async def condition_of(answer: Callable[[], Any]) -> str:
    with pytest.raises(IqError) as refused:
        await answer()
    return str(refused.value.condition)


@within(90)
async def test_a_node_lives(server: ParleyServer) -> None:
    owner, reader = SlixClient(server.person()), SlixClient(server.person())
    node = f"news-{owner.person.name}"
    published, retracted = listening(reader, "pubsub_publish"), listening(reader, "pubsub_retract")
    purged, deleted = listening(reader, "pubsub_purge"), listening(reader, "pubsub_delete")
    async with signed_in(server, owner, reader):
        theirs, mine = reader.plugin["xep_0060"], owner.plugin["xep_0060"]
        info = await owner.plugin["xep_0030"].get_info(SERVICE)
        assert {(each[0], each[1]) for each in info["disco_info"]["identities"]} == {("pubsub", "service")}
        await mine.create_node(SERVICE, node, config=config(owner, title="News", max_items="5"))
        listed = await theirs.get_nodes(SERVICE)
        assert (SERVICE, node, "News") in listed["disco_items"]["items"]
        made = await theirs.subscribe(SERVICE, node)
        assert made["pubsub"]["subscription"]["subscription"] == "subscribed"
        for number in "12":
            await mine.publish(SERVICE, node, id=number, payload=entry(f"entry {number}"))
        await until(lambda: len(published) == 2)
        assert "entry 1" in published[0]
        items = await theirs.get_items(SERVICE, node, max_items=1)
        assert [item["id"] for item in items["pubsub"]["items"]] == ["2"]
        await mine.retract(SERVICE, node, "1", notify=True)
        await until(lambda: retracted)
        await mine.purge(SERVICE, node)
        await until(lambda: purged)
        own = await theirs.get_subscriptions(SERVICE)
        assert [each["node"] for each in own["pubsub"]["subscriptions"]] == [node]
        await mine.delete_node(SERVICE, node)
        await until(lambda: deleted)
        assert await condition_of(lambda: theirs.get_items(SERVICE, node)) == "item-not-found"


@within(90)
async def test_options_and_lists(server: ParleyServer) -> None:
    owner, writer = SlixClient(server.person()), SlixClient(server.person())
    node = f"lists-{owner.person.name}"
    async with signed_in(server, owner, writer):
        theirs, mine = writer.plugin["xep_0060"], owner.plugin["xep_0060"]
        await mine.create_node(SERVICE, node)
        assert await condition_of(lambda: theirs.publish(SERVICE, node, payload=entry("no"))) == "forbidden"
        await mine.modify_affiliations(SERVICE, node, affiliations=[(writer.person.address, "publisher")])
        await theirs.publish(SERVICE, node, id="1", payload=entry("yes"))
        known = await mine.get_node_affiliations(SERVICE, node)
        words = {str(each["jid"]): each["affiliation"] for each in known["pubsub_owner"]["affiliations"]}
        assert words == {owner.person.address: "owner", writer.person.address: "publisher"}
        await mine.modify_subscriptions(SERVICE, node, subscriptions=[(writer.person.address, "subscribed")])
        people = await mine.get_node_subscriptions(SERVICE, node)
        assert [str(each["jid"]) for each in people["pubsub_owner"]["subscriptions"]] == [writer.person.address]
        options = await theirs.get_subscription_options(SERVICE, node, writer.person.address)
        assert "pubsub#deliver" in str(options)
        form = (await mine.get_node_config(SERVICE, node))["pubsub_owner"]["configure"]["form"]
        assert form["values"]["pubsub#access_model"] == "open"
        await mine.set_node_config(SERVICE, node, config(owner, access_model="whitelist"))
        await theirs.unsubscribe(SERVICE, node)
        await mine.modify_affiliations(SERVICE, node, affiliations=[(writer.person.address, "none")])
        assert await condition_of(lambda: theirs.subscribe(SERVICE, node)) == "not-allowed"


@within(90)
async def test_a_subscription_is_approved(server: ParleyServer) -> None:
    owner, reader = SlixClient(server.person()), SlixClient(server.person())
    node = f"closed-{owner.person.name}"
    told, asking = listening(reader, "pubsub_subscription"), listening(owner, "message_xform")
    async with signed_in(server, owner, reader):
        await owner.plugin["xep_0060"].create_node(SERVICE, node, config=config(owner, access_model="authorize"))
        made = await reader.plugin["xep_0060"].subscribe(SERVICE, node)
        assert made["pubsub"]["subscription"]["subscription"] == "pending"
        await until(lambda: asking)
        asked = ET.fromstring(asking[0])
        reply = owner.make_message(mto=SERVICE, mtype="normal")
        reply["id"] = asked.get("id")
        form = owner.plugin["xep_0004"].make_form(ftype="submit")
        form.add_field("FORM_TYPE", ftype="hidden", value=AUTHORIZATION)
        form.add_field("pubsub#node", value=node)
        form.add_field("pubsub#subscriber_jid", value=reader.person.address)
        form.add_field("pubsub#allow", value="true")
        reply.append(form)
        reply.send()
        await until(lambda: told)
        assert 'subscription="subscribed"' in told[0]
