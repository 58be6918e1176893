"""XEP-0060 on bare addresses: nodes, items, options, refusals."""

from __future__ import annotations

import asyncio

import pytest

from parley.base.config import PepSettings
from parley.domain.pubsub.nodes import NodeItem, PubsubService
from parley.protocols.xmpp.element import Element

from ..harness import Client, Harness, address, parse

NS = "http://jabber.org/protocol/pubsub"
DEVICES = "eu.siacs.conversations.axolotl.devicelist"
LIST = "<item id='current'><list xmlns='eu.siacs.conversations.axolotl'><device id='7'/></list></item>"


def form(kind: str, **values: str) -> str:
    fields = "".join(f"<field var='pubsub#{name}'><value>{value}</value></field>" for name, value in values.items())
    return (
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>"
        f"<value>{NS}#{kind}</value></field>{fields}</x>"
    )


def options(**values: str) -> str:
    return f"<publish-options>{form('publish-options', **values)}</publish-options>"


def publish(node: str, item: str, more: str = "") -> str:
    return f"<iq type='set' id='1'><pubsub xmlns='{NS}'><publish node='{node}'>{item}</publish>{more}</pubsub></iq>"


def get_items(node: str, to: str = "", inside: str = "", attrs: str = "") -> str:
    to = f" to='{address(to)}'" if to else ""
    return f"<iq type='get' id='1'{to}><pubsub xmlns='{NS}'><items node='{node}'{attrs}>{inside}</items></pubsub></iq>"


def owner(kind: str, content: str) -> str:
    return f"<iq type='{kind}' id='1'><pubsub xmlns='{NS}#owner'>{content}</pubsub></iq>"


def result(content: str = "", *, of: str = "", to: str = "alice/phone", ns: str = NS) -> str:
    sender = f" from='{address(of)}'" if of else ""
    inside = f"<pubsub xmlns='{ns}'>{content}</pubsub>" if content else ""
    return f"<iq type='result' id='1'{sender} to='{address(to)}'>{inside}</iq>"


def error(
    condition: str,
    kind: str,
    code: str,
    reason: str = "",
    *,
    of: str = "alice",
    to: str = "alice/phone",
    text: bool = False,
    feature: str = "",
) -> str:
    attribute = f" feature='{feature}'" if feature else ""
    words = "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>*</text>" if text else ""
    application = f"<{reason} xmlns='{NS}#errors'{attribute}/>" if reason else ""
    return (
        f"<iq type='error' id='1' from='{address(of)}' to='{address(to)}'><error type='{kind}' code='{code}'>"
        f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{words}{application}</error></iq>"
    )


NOT_FOUND = ("item-not-found", "cancel", "404")
PRECONDITION = error("conflict", "cancel", "409", "precondition-not-met")


async def one(host: Harness) -> Client:
    await host.add("alice")
    return await host.connect("alice/phone")


async def config_of(client: Client, node: str) -> dict[str, list[str]]:
    client.take()
    await client.send(owner("get", f"<configure node='{node}'/>"))
    (answer,) = client.take()
    fields = parse(answer).iter("{jabber:x:data}field")
    return {f.get("var"): [v.text for v in f.iterchildren("{jabber:x:data}value")] for f in fields}


async def test_a_device_list_comes_to_be() -> None:
    async with Harness() as host:
        phone = await one(host)
        # profanity waits for code='404' beside the condition before it publishes its first device.
        await phone.ask(get_items(DEVICES), error(*NOT_FOUND))
        await phone.ask(
            publish(DEVICES, LIST, options(access_model="open")),
            result(f"<publish node='{DEVICES}'><item id='current'/></publish>"),
        )
        await phone.ask(get_items(DEVICES), result(f"<items node='{DEVICES}'>{LIST}</items>"))
        config = await config_of(phone, DEVICES)
        assert config["pubsub#access_model"] == ["open"]
        assert config["pubsub#max_items"] == ["1"]


async def test_items_get_ids_and_the_oldest_go() -> None:
    async with Harness() as host:
        phone = await one(host)
        await phone.send(publish("urn:log", "<item><a xmlns='urn:a'>1</a></item>", options(max_items="2")))
        assert parse(phone.take()[0])[0][0][0].get("id")
        for number in "23":
            await phone.send(publish("urn:log", f"<item id='{number}'><a xmlns='urn:a'>{number}</a></item>"))
        shown = ["<item id='2'><a xmlns='urn:a'>2</a></item>", "<item id='3'><a xmlns='urn:a'>3</a></item>"]
        await phone.ask(get_items("urn:log"), result(f"<items node='urn:log'>{''.join(shown)}</items>"))
        await phone.ask(
            get_items("urn:log", attrs=" max_items='1'"), result(f"<items node='urn:log'>{shown[1]}</items>")
        )
        await phone.ask(
            get_items("urn:log", inside="<item id='2'/>"), result(f"<items node='urn:log'>{shown[0]}</items>")
        )
        await phone.ask(get_items("urn:log", attrs=" max_items='-1'"), error("bad-request", "modify", "400", text=True))


async def test_a_payload_keeps_its_namespaces() -> None:
    item = (
        "<item id='1'><p:a xmlns:p='urn:p' xmlns:q='urn:q' q:k='&lt;&quot;'><b xmlns=''/>x &amp; "
        "<c xmlns='urn:c'/></p:a></item>"
    )
    async with Harness() as host:
        phone = await one(host)
        await phone.send(publish("urn:n", item))
        await phone.ask(get_items("urn:n"), result(f"<items node='urn:n'>{item}</items>"))


async def test_options_are_preconditions() -> None:
    async with Harness() as host:
        phone = await one(host)
        wanted = {"access_model": "whitelist", "persist_items": "true", "max_items": "max"}
        for _ in range(2):
            await phone.ask(
                publish("urn:n", LIST, options(**wanted, send_last_published_item="never")),
                result("<publish node='urn:n'><item id='current'/></publish>"),
            )
        await phone.ask(publish("urn:n", LIST, options(access_model="open")), PRECONDITION)
        assert (await config_of(phone, "urn:n"))["pubsub#max_items"] == ["256"]
        # What cannot be had is not met, and no node comes to be by it.
        for values in ({"access_model": "nobody"}, {"dance": "wild"}, {"max_items": "0"}):
            await phone.ask(
                publish("urn:m", LIST, options(**values)),
                error("conflict", "cancel", "409", "precondition-not-met", text=True),
            )
        await phone.ask(get_items("urn:m"), error(*NOT_FOUND))
        await phone.send(publish("urn:m", LIST, options(deliver_payloads="1", publish_model="publishers")))
        assert "result" in phone.take()[0]


async def test_what_is_not_persisted_is_only_told() -> None:
    async with Harness() as host:
        phone = await one(host)
        await phone.send(publish("urn:n", LIST, options(persist_items="0")))
        nothing_kept = error("feature-not-implemented", "cancel", "501", "unsupported", feature="persistent-items")
        await phone.ask(get_items("urn:n"), nothing_kept)
        await phone.ask(owner("set", "<purge node='urn:n'/>"), nothing_kept)
        retract = "<retract node='urn:n'><item id='current'/></retract>"
        await phone.ask(f"<iq type='set' id='1'><pubsub xmlns='{NS}'>{retract}</pubsub></iq>", nothing_kept)


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("<publish><item/></publish>", error("bad-request", "modify", "400", "nodeid-required")),
        ("<publish node='n'/>", error("bad-request", "modify", "400", "item-required")),
        ("<publish node='n'><item/></publish>", error("bad-request", "modify", "400", "payload-required")),
        (
            "<publish node='n'><item><a/><b/></item></publish>",
            error("bad-request", "modify", "400", "invalid-payload"),
        ),
        (
            "<publish node='n'><item><a/></item><item><a/></item></publish>",
            error("bad-request", "modify", "400", text=True),
        ),
        (
            f"<publish node='n'><item><a>{'x' * 1024}</a></item></publish>",
            error("not-acceptable", "modify", "406", "payload-too-big"),
        ),
        (
            f"<publish node='{'n' * 1024}'><item><a/></item></publish>",
            error("not-acceptable", "modify", "406", text=True),
        ),
        ("<retract node='n'><item id='1'/></retract>", error(*NOT_FOUND)),
        ("<create/>", error("not-acceptable", "modify", "406", "nodeid-required")),
        ("<dance/>", error("bad-request", "modify", "400", text=True)),
        ("", error("bad-request", "modify", "400", text=True)),
    ],
)
async def test_bad_requests(content: str, answer: str) -> None:
    async with Harness(pep=PepSettings(max_item_bytes=1024)) as host:
        phone = await one(host)
        await phone.ask(
            f"<iq type='set' id='1' to='alice@example.org'><pubsub xmlns='{NS}'>{content}</pubsub></iq>", answer
        )


async def test_nodes_are_created_configured_and_deleted() -> None:
    async with Harness(pep=PepSettings(max_nodes=10)) as host:
        phone = await one(host)
        create = (
            f"<iq type='set' id='1'><pubsub xmlns='{NS}'><create node='urn:n'/>"
            f"<configure>{form('node_config', title='Notes', max_items='5')}</configure></pubsub></iq>"
        )
        await phone.ask(create, result())
        await phone.ask(create, error("conflict", "cancel", "409", text=True))
        config = await config_of(phone, "urn:n")
        assert (config["pubsub#title"], config["pubsub#max_items"]) == (["Notes"], ["5"])
        await phone.ask(
            owner("set", f"<configure node='urn:n'>{form('node_config', max_items='3')}</configure>"), result()
        )
        config = await config_of(phone, "urn:n")
        assert (config["pubsub#title"], config["pubsub#max_items"]) == (["Notes"], ["3"])
        cancel = "<x xmlns='jabber:x:data' type='cancel'/>"
        await phone.ask(owner("set", f"<configure node='urn:n'>{cancel}</configure>"), result())
        await phone.ask(
            owner("set", f"<configure node='urn:n'>{form('node_config', access_model='nobody')}</configure>"),
            error("not-acceptable", "modify", "406", "unsupported-access-model", text=True),
        )
        await phone.ask(owner("set", "<configure node='urn:n'/>"), error("bad-request", "modify", "400", text=True))
        await phone.ask(owner("set", "<delete node='urn:n'/>"), result())
        for request in ("<delete node='urn:n'/>", "<purge node='urn:n'/>"):
            await phone.ask(owner("set", request), error(*NOT_FOUND))
        await phone.ask(owner("get", "<configure node='urn:n'/>"), error(*NOT_FOUND))
        await phone.ask(owner("get", "<configure/>"), error("bad-request", "modify", "400", "nodeid-required"))
        for number in range(10):
            await phone.send(publish(f"urn:{number}", LIST))
        await phone.ask(publish("urn:n", LIST), error("resource-constraint", "wait", "500", text=True))


async def test_the_form_can_be_sent_back() -> None:
    async with Harness() as host:
        phone = await one(host)
        await phone.send(publish("urn:n", LIST))
        before = await config_of(phone, "urn:n")
        await phone.send(owner("get", "<configure node='urn:n'/>"))
        (answer,) = phone.take()
        filled = answer.split("<configure")[1].replace('type="form"', 'type="submit"').split("</pubsub>")[0]
        await phone.ask(owner("set", f"<configure{filled}"), result())
        assert await config_of(phone, "urn:n") == before
        await phone.send(owner("get", "<default/>"))
        assert "pubsub#access_model" in phone.take()[0]


async def test_retracting() -> None:
    async with Harness() as host:
        phone = await one(host)
        await phone.send(publish("urn:n", LIST))
        retract = f"<iq type='set' id='1'><pubsub xmlns='{NS}'><retract node='urn:n'>{{}}</retract></pubsub></iq>"
        await phone.ask(retract.format(""), error("bad-request", "modify", "400", "item-required"))
        await phone.ask(retract.format("<item id='current'/>"), result())
        await phone.ask(retract.format("<item id='current'/>"), error(*NOT_FOUND))
        await phone.ask(get_items("urn:n"), result("<items node='urn:n'/>"))


@pytest.mark.parametrize(
    ("model", "stranger", "friend"),
    [
        ("open", None, None),
        ("presence", ("not-authorized", "auth", "401", "presence-subscription-required"), None),
        (
            "roster",
            ("not-authorized", "auth", "401", "not-in-roster-group"),
            ("not-authorized", "auth", "401", "not-in-roster-group"),
        ),
        (
            "whitelist",
            ("not-allowed", "cancel", "405", "closed-node"),
            ("not-allowed", "cancel", "405", "closed-node"),
        ),
    ],
)
async def test_who_may_read(
    model: str, stranger: tuple[str, str, str, str] | None, friend: tuple[str, str, str, str] | None
) -> None:
    async with Harness() as host:
        phone = await one(host)
        await host.add("bob")
        bob = await host.connect("bob/desk")
        await phone.send(publish(DEVICES, LIST, options(access_model=model)))
        shown = result(f"<items node='{DEVICES}'>{LIST}</items>", of="alice", to="bob/desk")

        def expected(refused: tuple[str, str, str, str] | None) -> str:
            return shown if refused is None else error(*refused, of="alice", to="bob/desk")

        await bob.ask(get_items(DEVICES, "alice"), expected(stranger))
        await host.befriend("alice", "bob")
        await bob.ask(get_items(DEVICES, "alice"), expected(friend))
        visible = await node_names(bob)
        assert visible == ([DEVICES] if friend is None else [])
        assert await node_names(phone) == [DEVICES]


async def node_names(client: Client) -> list[str]:
    client.take()
    await client.send(
        "<iq type='get' id='1' to='alice@example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>"
    )
    return [item.get("node") for item in parse(client.take()[0])[0]]


async def test_only_the_owner_writes() -> None:
    async with Harness() as host:
        phone = await one(host)
        await host.add("bob")
        await host.befriend("alice", "bob")
        bob = await host.connect("bob/desk")
        await phone.send(publish(DEVICES, LIST, options(access_model="open")))
        await bob.ask(
            publish(DEVICES, LIST).replace("id='1'", "id='1' to='alice@example.org'", 1),
            error("forbidden", "auth", "403", of="alice", to="bob/desk"),
        )
        await bob.ask(
            owner("set", f"<delete node='{DEVICES}'/>").replace("id='1'", "id='1' to='alice@example.org'", 1),
            error("forbidden", "auth", "403", of="alice", to="bob/desk"),
        )
        await bob.ask(
            owner("get", f"<affiliations node='{DEVICES}'/>").replace("id='1'", "id='1' to='alice@example.org'", 1),
            error("forbidden", "auth", "403", of="alice", to="bob/desk"),
        )
        await phone.ask(get_items(DEVICES), result(f"<items node='{DEVICES}'>{LIST}</items>"))


async def test_node_information() -> None:
    async with Harness() as host:
        phone = await one(host)
        await phone.send(publish(DEVICES, LIST, options(title="Devices")))
        await phone.ask(
            f"<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info' node='{DEVICES}'/></iq>",
            "<iq type='result' id='1' to='alice@example.org/phone'>"
            f"<query xmlns='http://jabber.org/protocol/disco#info' node='{DEVICES}'>"
            "<identity category='pubsub' type='leaf' name='Devices'/>"
            "<feature var='http://jabber.org/protocol/disco#info'/>"
            f"<feature var='http://jabber.org/protocol/disco#items'/><feature var='{NS}'/>"
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>"
            f"<value>{NS}#meta-data</value></field>"
            "<field var='pubsub#access_model' type='list-single'><value>presence</value></field>"
            "<field var='pubsub#publish_model' type='list-single'><value>publishers</value></field>"
            "<field var='pubsub#max_items' type='text-single'><value>1</value></field>"
            "<field var='pubsub#owner' type='jid-multi'><value>alice@example.org</value></field>"
            "<field var='pubsub#creator' type='jid-single'><value>alice@example.org</value></field>"
            "<field var='pubsub#creation_date' type='text-single'><value>*</value></field>"
            "<field var='pubsub#num_subscribers' type='text-single'><value>0</value></field>"
            "<field var='pubsub#title' type='text-single'><value>Devices</value></field></x></query></iq>",
        )
        await phone.ask(
            f"<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#items' node='{DEVICES}'/></iq>",
            "<iq type='result' id='1' to='alice@example.org/phone'>"
            f"<query xmlns='http://jabber.org/protocol/disco#items' node='{DEVICES}'>"
            "<item jid='alice@example.org' name='current'/></query></iq>",
        )


async def test_a_node_too_large_for_one_answer() -> None:
    async with Harness() as host:
        phone = await one(host)
        for number in range(9):
            item = f"<item id='{number}'><a xmlns='urn:a'>{'x' * 130_000}</a></item>"
            await phone.send(publish("urn:n", item, options(max_items="max")))
        phone.take()
        await phone.send(get_items("urn:n"))
        (answer,) = phone.take()
        items, page = parse(answer)[0]
        assert [item.get("id") for item in items] == list("12345678")
        assert [child.text for child in page] == ["1", "8", "9"]


def paged(**fields: str) -> str:
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    page = f"<set xmlns='http://jabber.org/protocol/rsm'>{inside}</set>"
    return get_items("urn:n").replace("</pubsub>", f"{page}</pubsub>")


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"max": "2"}, "12"),
        ({"max": "2", "after": "2"}, "34"),
        ({"max": "2", "after": "4"}, "5"),
        ({"max": "2", "after": "5"}, ""),
        ({"max": "2", "before": ""}, "45"),
        ({"max": "2", "before": "4"}, "23"),
        ({"max": "2", "before": "2"}, "1"),
        ({"max": "2", "index": "1"}, "23"),
        ({"max": "2", "index": "9"}, ""),
        ({"max": "0"}, ""),
        ({"after": "3"}, "45"),
    ],
)
async def test_items_come_in_pages(fields: dict[str, str], shown: str) -> None:
    async with Harness() as host:
        phone = await one(host)
        items = {name: f"<item id='{name}'><x xmlns='urn:x'/></item>" for name in "12345"}
        for item in items.values():
            await phone.send(publish("urn:n", item, options(max_items="max")))
        first = f"<first index='{int(shown[0]) - 1}'>{shown[0]}</first><last>{shown[-1]}</last>" if shown else ""
        page = f"<set xmlns='http://jabber.org/protocol/rsm'>{first}<count>5</count></set>"
        content = "".join(items[name] for name in shown)
        await phone.ask(paged(**fields), result(f"<items node='urn:n'>{content}</items>{page}"))


async def test_a_page_behind_an_item_that_is_gone() -> None:
    async with Harness() as host:
        phone = await one(host)
        await phone.send(publish("urn:n", LIST))
        for fields in ({"after": "gone"}, {"before": "gone"}):
            await phone.ask(paged(**fields), error(*NOT_FOUND))
        await phone.ask(paged(after="1", index="1"), error("bad-request", "modify", "400", text=True))


async def test_two_devices_publish_the_first_item_at_once() -> None:
    async with Harness() as host:
        phone = await one(host)
        laptop = await host.connect("alice/laptop")
        request = Element.from_bytes(publish("urn:n", LIST).encode())
        phone.session.receive(request)
        laptop.session.receive(request)
        await host.settle()
        assert 'type="result"' in phone.take()[0]
        assert 'type="result"' in laptop.take()[0]


async def test_who_publishes_sees_what_became_of_the_node_in_the_meantime() -> None:
    async with Harness() as host:
        phone = await one(host)
        desk, tablet = await host.connect("alice/desk"), await host.connect("alice/tablet")
        await phone.send(publish(DEVICES, LIST))
        store, go_on = host.storage.nodes.publish, asyncio.Event()

        async def slow(service: PubsubService, name: str, item: NodeItem) -> None:
            await go_on.wait()
            await store(service, name, item)

        host.storage.nodes.publish = slow  # type: ignore[method-assign]
        await phone.send(publish(DEVICES, LIST))
        await desk.send(owner("set", f"<delete node='{DEVICES}'/>"))
        await tablet.send(publish(DEVICES, LIST, options(access_model="open")))
        assert tablet.take() == []
        go_on.set()
        await host.settle()
        # It was deleted before, so it is created anew with what this one wants of it.
        tablet.expect(result(f"<publish node='{DEVICES}'><item id='current'/></publish>", to="alice/tablet"))
        assert (await config_of(phone, DEVICES))["pubsub#access_model"] == ["open"]
