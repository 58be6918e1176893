"""XEP-0060 §5.1 to §5.5: what service discovery says of the service and its nodes."""

from __future__ import annotations

from typing import Any

from parley.base.config import PubsubSettings
from parley.base.config.sections import ServicesSettings

from ...harness import Client, Harness, parse
from .service import NS, SERVICE, a_service, affiliate, create, error, item, publish, refused, subscribe

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"


def disco(ns: str, node: str = "", inside: str = "") -> str:
    attribute = f" node='{node}'" if node else ""
    return f"<iq type='get' id='1' to='{SERVICE}'><query xmlns='{ns}'{attribute}>{inside}</query></iq>"


async def query(client: Client, request: str) -> Any:
    client.take()
    await client.send(request)
    (answer,) = client.take()
    assert parse(answer).get("type") == "result", answer
    return parse(answer)[0]


async def names(client: Client, inside: str = "") -> list[str]:
    return [each.get("node") for each in await query(client, disco(ITEMS, inside=inside)) if each.tag.endswith("item")]


async def test_5_1_features() -> None:
    async with a_service() as (_, owner, _reader):
        info = await query(owner, disco(INFO))
        assert (info[0].get("category"), info[0].get("type")) == ("pubsub", "service")
        features = {each.get("var").removeprefix(f"{NS}#") for each in info if each.tag.endswith("feature")}
        assert {NS, "publish", "subscribe", "instant-nodes", "get-pending", "subscription-options"} <= features
        assert "urn:xmpp:ping" in features
        ping = f"<iq type='get' id='1' to='{SERVICE}'><ping xmlns='urn:xmpp:ping'/></iq>"
        await owner.ask(ping, f"<iq type='result' id='1' from='{SERVICE}' to='alice@example.org/phone'/>")
        # Not there: nothing that would be refused.
        assert not {"collections", "multi-subscribe", "auto-create", "auto-subscribe", "modify-items"} & features
        assert not any(feature.endswith("pubsub-on-a-jid") for feature in features)


async def test_5_1_where_nobody_creates_nodes_nobody_is_told_to() -> None:
    async with a_service(pubsub=PubsubSettings(creation="nobody")) as (_, owner, _reader):
        info = await query(owner, disco(INFO))
        assert not any("create" in each.get("var", "") or "instant" in each.get("var", "") for each in info)


async def test_5_2_nodes() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("b", title="Second"), create("a"), create("c", access_model="whitelist"))
        nodes = await query(reader, disco(ITEMS))
        assert [dict(each.attrib) for each in nodes] == [
            {"jid": SERVICE, "node": "a"},
            {"jid": SERVICE, "node": "b", "name": "Second"},
        ]
        await owner.send(affiliate("c", bob="member"), affiliate("a", bob="outcast"))
        assert await names(reader) == ["b", "c"]
        assert await names(owner) == ["a", "b", "c"]


async def test_5_2_nodes_come_in_pages() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(*(create(name) for name in "abcde"))
        page = "<set xmlns='http://jabber.org/protocol/rsm'>{}</set>"
        assert await names(reader, page.format("<max>2</max>")) == ["a", "b"]
        assert await names(reader, page.format("<max>2</max><after>b</after>")) == ["c", "d"]
        assert await names(reader, page.format("<max>2</max><after>e</after>")) == []
        found = await query(reader, disco(ITEMS, inside=page.format("<max>2</max>")))
        assert [child.text for child in found[-1]] == ["a", "b"]


async def test_5_3_and_5_4_information_about_a_node() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", title="News", description="All that is fit", type="urn:entry", language="en"))
        await owner.send(affiliate("n", carol="publisher", bob="member"))
        await reader.send(subscribe("n", "bob"), subscribe("n", "bob/desk"))
        info = await query(reader, disco(INFO, "n"))
        assert info.get("node") == "n"
        assert dict(info[0].attrib) == {"category": "pubsub", "type": "leaf", "name": "News"}
        fields = info.iter("{jabber:x:data}field")
        values = {f.get("var").removeprefix("pubsub#"): [v.text for v in f] for f in fields}
        created = values.pop("creation_date")
        assert created[0].startswith("2024-01-01T")
        assert values == {
            "FORM_TYPE": [f"{NS}#meta-data"],
            "access_model": ["open"],
            "publish_model": ["publishers"],
            "max_items": ["1000"],
            "owner": ["alice@example.org"],
            "publisher": ["carol@example.org"],
            "creator": ["alice@example.org"],
            "num_subscribers": ["1"],
            "title": ["News"],
            "description": ["All that is fit"],
            "type": ["urn:entry"],
            "language": ["en"],
        }


async def test_5_5_items_of_a_node() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"), publish("n", "1"), publish("n", "2"), create("w", access_model="whitelist"))
        found = await query(reader, disco(ITEMS, "n"))
        assert [dict(each.attrib) for each in found] == [{"jid": SERVICE, "name": name} for name in "12"]
        closed = error("not-allowed", "cancel", "closed-node", "bob/desk")
        await refused(reader, disco(ITEMS, "w"), closed)
        assert item() in publish("n", "1")


async def test_unknown_nodes_and_outcasts() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"), affiliate("n", bob="outcast"))
        for ns in (INFO, ITEMS):
            await refused(reader, disco(ns, "m"), error("item-not-found", "cancel", to="bob/desk"))
            await refused(reader, disco(ns, "n"), error("forbidden", "auth", to="bob/desk"))


async def test_the_service_can_have_another_name_or_none() -> None:
    for label, listed in (("nodes", ["nodes.example.org"]), ("", [])):
        async with Harness(services=ServicesSettings(pubsub=label)) as host:
            await host.add("alice")
            phone = await host.connect("alice/phone")
            await phone.send(f"<iq type='get' id='1' to='example.org'><query xmlns='{ITEMS}'/></iq>")
            found = [each.get("jid") for each in parse(phone.take()[0])[0]]
            assert [jid for jid in found if jid.startswith(("nodes", "pubsub"))] == listed
