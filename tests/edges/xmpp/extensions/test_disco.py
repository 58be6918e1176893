"""XEP-0030, and that what is said follows from the constants."""

from __future__ import annotations

import pytest

from parley.base.config import ArchiveSettings, UploadSettings
from parley.domain.pubsub.nodes import Node, NodeConfig, PubsubService
from parley.edges.xmpp.extensions import load

from ..harness import Client, Harness, parse

INFO = "{http://jabber.org/protocol/disco#info}"
UNAVAILABLE = (
    "<iq type='error' id='1' from='{0}' to='alice@example.org/phone'><error type='cancel' code='503'>"
    "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
)
NOT_FOUND = (
    "<iq type='error' id='1' from='{0}' to='alice@example.org/phone'><error type='cancel' code='404'>"
    "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
)


def disco(what: str, to: str, node: str = "") -> str:
    attribute = f" node='{node}'" if node else ""
    return f"<iq type='get' id='1' to='{to}'><query xmlns='http://jabber.org/protocol/disco#{what}'{attribute}/></iq>"


async def info(client: Client, to: str, node: str = "") -> tuple[set[str], set[str]]:
    """Identities and features."""
    client.take()
    await client.send(disco("info", to, node))
    (answer,) = client.take()
    query = parse(answer)[0]
    identities = {f"{e.get('category')}/{e.get('type')}" for e in query.iterchildren(f"{INFO}identity")}
    return identities, {e.get("var") for e in query.iterchildren(f"{INFO}feature")}


async def test_server_and_account_say_what_the_constants_say() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        identities, features = await info(phone, "example.org")
        assert identities == {"server/im"}
        assert features == {feature for extension in load(host.settings) for feature in extension.server_features}
        assert {"urn:xmpp:carbons:2", "urn:xmpp:ping", "http://jabber.org/protocol/disco#info"} <= features
        identities, features = await info(phone, "alice@example.org")
        assert identities == {"account/registered", "pubsub/pep"}
        assert features == {feature for extension in load(host.settings) for feature in extension.account_features}
        assert {"urn:xmpp:mam:2", "http://jabber.org/protocol/pubsub#publish-options"} <= features


async def test_without_an_archive_nobody_speaks_of_one() -> None:
    async with Harness(archive=ArchiveSettings(enabled=False)) as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        _, features = await info(phone, "alice@example.org")
        assert not any("mam" in feature for feature in features)
        await phone.ask(
            "<iq type='set' id='1'><query xmlns='urn:xmpp:mam:2'/></iq>", UNAVAILABLE.format("alice@example.org")
        )


async def test_services() -> None:
    async with Harness(upload=UploadSettings(max_size_bytes=2048)) as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.ask(
            disco("items", "example.org"),
            "<iq type='result' id='1' from='example.org' to='alice@example.org/phone'>"
            "<query xmlns='http://jabber.org/protocol/disco#items'>"
            "<item jid='conference.example.org' name='Rooms'/>"
            "<item jid='pubsub.example.org' name='Publish-subscribe'/>"
            "<item jid='upload.example.org' name='Upload of files'/></query></iq>",
        )
        await phone.ask(
            disco("info", "upload.example.org"),
            "<iq type='result' id='1' from='upload.example.org' to='alice@example.org/phone'>"
            "<query xmlns='http://jabber.org/protocol/disco#info'>"
            "<identity category='store' type='file' name='Upload of files'/>"
            "<feature var='http://jabber.org/protocol/disco#info'/>"
            # XEP-0199 §5: who answers pings says so.
            "<feature var='http://jabber.org/protocol/disco#items'/><feature var='urn:xmpp:ping'/>"
            "<feature var='urn:xmpp:http:upload:0'/>"
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>"
            "<value>urn:xmpp:http:upload:0</value></field><field var='max-file-size'><value>2048</value></field></x>"
            "</query></iq>",
        )
        await phone.ask(
            disco("items", "upload.example.org"),
            "<iq type='result' id='1' from='upload.example.org' to='alice@example.org/phone'>"
            "<query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
        )


@pytest.mark.parametrize("what", ["info", "items"])
async def test_a_stranger_is_as_unknown_as_nobody(what: str) -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone = await host.connect("alice/phone")
        bob = await host.storage.accounts.find("bob@example.org")
        assert bob is not None
        await host.storage.nodes.create(Node(PubsubService(bob.address, bob.id), "urn:closed", NodeConfig()), 10)
        for to in ("bob@example.org", "nobody@example.org"):
            await phone.ask(disco(what, to), UNAVAILABLE.format(to))
            for node in ("urn:closed", "urn:none"):
                await phone.ask(disco(what, to, node), UNAVAILABLE.format(to))
        await host.befriend("alice", "bob")
        await phone.send(disco(what, "bob@example.org"))
        assert parse(phone.take()[0]).get("type") == "result"


@pytest.mark.parametrize("what", ["info", "items"])
async def test_unknown_nodes(what: str) -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        for to in ("example.org", "upload.example.org", "alice@example.org"):
            await phone.ask(disco(what, to, "attic"), NOT_FOUND.format(to))
