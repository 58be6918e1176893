"""XEP-0060 §6.5 and §7, XEP-0413: items published, retrieved and deleted."""

from __future__ import annotations

import pytest

from parley.base.config import PubsubSettings
from parley.domain.pubsub.nodes import PubsubService
from parley.domain.pubsub.pages import ItemQuery

from ...harness import Client, parse
from .service import (
    ENTRY,
    NS,
    OWNER,
    SERVICE,
    a_service,
    affiliate,
    ask,
    configure,
    create,
    error,
    event,
    form,
    get_items,
    item,
    items_event,
    publish,
    published,
    refused,
    result,
    subscribe,
    unsupported,
)


def retract(node: str, item_id: str = "1", attrs: str = "") -> str:
    return ask("set", f"<retract node='{node}'{attrs}><item id='{item_id}'/></retract>")


def shown(node: str, ids: str, to: str = "bob/desk") -> str:
    return result(f"<items node='{node}'>{''.join(item(each) for each in ids)}</items>", to)


async def ids_of(client: Client, request: str) -> str:
    client.take()
    await client.send(request)
    (answer,) = client.take()
    assert parse(answer).get("type") == "result", answer
    return "".join(each.get("id") for each in parse(answer)[0][0])


# Retrieving.


async def test_6_5_2_all_items_and_6_5_7_the_newest_and_6_5_8_some() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"), *(publish("n", each) for each in "123"))
        await reader.ask(get_items("n"), shown("n", "123"))
        await reader.ask(get_items("n", attrs=" max_items='2'"), shown("n", "23"))
        await reader.ask(get_items("n", "<item id='1'/><item id='3'/>"), shown("n", "13"))
        # §6.5.9.12
        await reader.ask(get_items("n", "<item id='9'/>"), shown("n", ""))
        await refused(reader, get_items("n", attrs=" max_items='x'"), error("bad-request", "modify", to="bob/desk"))


async def test_6_5_4_what_does_not_fit_is_told_of() -> None:
    async with a_service(pubsub=PubsubSettings(max_answer_bytes=1024)) as (_, owner, reader):
        payload = f"<a xmlns='urn:a'>{'x' * 400}</a>"
        await owner.send(create("n"), *(publish("n", each, payload) for each in "123"))
        reader.take()
        await reader.send(get_items("n"))
        items, page = parse(reader.take()[0])[0]
        assert [each.get("id") for each in items] == ["2", "3"]
        assert [(child.text, dict(child.attrib)) for child in page] == [("2", {"index": "1"}), ("3", {}), ("3", {})]


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("open", None),
        ("presence", ("not-authorized", "auth", "presence-subscription-required")),
        ("roster", ("not-authorized", "auth", "not-in-roster-group")),
        ("authorize", ("not-authorized", "auth", "not-subscribed")),
        ("whitelist", ("not-allowed", "cancel", "closed-node")),
    ],
)
async def test_6_5_9_3_to_8_access_models(model: str, answer: tuple[str, str, str] | None) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", access_model=model), publish("n"))
        if answer is None:
            await reader.ask(get_items("n"), shown("n", "1"))
        else:
            await refused(reader, get_items("n"), error(*answer, "bob/desk"))
        if model == "authorize":
            await reader.send(subscribe("n", "bob"))
            await refused(reader, get_items("n"), error(*answer or (), "bob/desk"))
        # §6.5.1: owners always, publishers too.
        await owner.ask(get_items("n"), shown("n", "1", "alice/phone"))
        await owner.send(affiliate("n", bob="publisher"))
        await reader.ask(get_items("n"), shown("n", "1"))
        await owner.send(affiliate("n", bob="outcast"))
        await refused(reader, get_items("n"), error("forbidden", "auth", to="bob/desk"))


async def test_6_5_9_2_and_4_and_11_errors() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", persist_items="0"), create("m"))
        await reader.send(subscribe("m", "bob"))
        await refused(reader, get_items("n"), unsupported("persistent-items", "bob/desk"))
        bad = error("not-acceptable", "modify", "invalid-subid", "bob/desk")
        await refused(reader, get_items("m", attrs=" subid='x'"), bad)
        await refused(reader, get_items("x"), error("item-not-found", "cancel", to="bob/desk"))
        await refused(reader, ask("get", "<items/>"), error("bad-request", "modify", "nodeid-required", "bob/desk"))


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("", "231"),
        ("by='modification'", "231"),
        ("by='creation'", "123"),
        ("by='creation' desc='true'", "321"),
        ("by='modification' desc='1'", "132"),
    ],
)
async def test_xep_0413_orders(order: str, ids: str) -> None:
    beside = f"<order xmlns='urn:xmpp:order-by:1' {order}/>" if order else ""
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"), *(publish("n", each) for each in "1231"))
        assert await ids_of(reader, get_items("n", beside=beside)) == ids
        page = "<set xmlns='http://jabber.org/protocol/rsm'><max>2</max></set>"
        assert await ids_of(reader, get_items("n", beside=beside + page)) == ids[:2]
        behind = page.replace("<max>", f"<after>{ids[0]}</after><max>")
        assert await ids_of(reader, get_items("n", beside=beside + behind)) == ids[1:]


async def test_xep_0413_an_order_that_is_not_known() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        unknown = get_items("n", beside="<order xmlns='urn:xmpp:order-by:1' by='size'/>")
        await refused(reader, unknown, error("feature-not-implemented", "cancel", to="bob/desk"))


# Publishing.


async def test_7_1_2_an_id_is_made_and_an_item_is_replaced() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        await owner.send(ask("set", f"<publish node='n'><item>{ENTRY}</item></publish>"))
        made = parse(owner.take()[-1])[0][0][0].get("id")
        assert made
        await owner.ask(publish("n", "1", "<a xmlns='urn:a'/>"), published("n"))
        await owner.ask(publish("n", "1"), published("n"))
        await reader.ask(get_items("n", "<item id='1'/>"), shown("n", "1"))


@pytest.mark.parametrize(
    ("persist", "deliver", "inside", "answer", "told"),
    [
        # §4.3, table 4: what is published to which node, and what is told of it.
        ("1", "1", item(), "1", item()),
        ("1", "1", "<item id='1'/>", "payload-required", None),
        ("1", "1", "", "item-required", None),
        ("1", "0", item(), "1", "<item id='1'/>"),
        ("1", "0", "<item id='1'/>", "1", "<item id='1'/>"),
        ("1", "0", "", "item-required", None),
        ("0", "1", item(), "1", item()),
        ("0", "1", "<item id='1'/>", "payload-required", None),
        ("0", "1", "", "item-required", None),
        ("0", "0", "", "", ""),
        ("0", "0", item(), "item-forbidden", None),
        ("0", "0", "<item/>", "item-forbidden", None),
    ],
)
async def test_7_1_3_6_the_four_kinds_of_nodes(
    persist: str, deliver: str, inside: str, answer: str, told: str | None
) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", persist_items=persist, deliver_payloads=deliver))
        await reader.send(subscribe("n", "bob"))
        reader.take()
        request = ask("set", f"<publish node='n'>{inside}</publish>")
        if told is None:
            await refused(owner, request, error("bad-request", "modify", answer))
            reader.expect()
        else:
            done = f"<item id='{answer}'/>" if answer else ""
            await owner.ask(request, result(f"<publish node='n'>{done}</publish>"))
            reader.expect(items_event("n", told))


@pytest.mark.parametrize(
    ("model", "before", "may"),
    [
        ("publishers", "", False),
        ("publishers", subscribe("n", "bob"), False),
        ("subscribers", "", False),
        ("subscribers", subscribe("n", "bob"), True),
        ("open", "", True),
    ],
)
async def test_7_1_3_1_publish_models(model: str, before: str, may: bool) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", publish_model=model))
        if before:
            await reader.send(before)
        if may:
            await reader.send(publish("n"))
            assert 'type="result"' in "".join(reader.take())
        else:
            await refused(reader, publish("n"), error("forbidden", "auth", to="bob/desk"))


@pytest.mark.parametrize(
    ("word", "may"),
    [("publisher", True), ("publish-only", True), ("member", False), ("outcast", False), ("owner", True)],
)
async def test_7_1_3_1_affiliations(word: str, may: bool) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", publish_model="open" if word == "outcast" else "publishers"))
        await owner.send(affiliate("n", bob=word))
        if may:
            await reader.ask(publish("n"), published("n", to="bob/desk"))
        else:
            await refused(reader, publish("n"), error("forbidden", "auth", to="bob/desk"))


async def test_7_1_3_3_to_5_errors() -> None:
    async with a_service(pubsub=PubsubSettings(max_item_bytes=2000)) as (_, owner, _reader):
        await refused(owner, publish("n"), error("item-not-found", "cancel"))
        await owner.send(create("n"), create("typed", type="urn:entry"), create("small", max_payload_size="50"))
        big = error("not-acceptable", "modify", "payload-too-big")
        await refused(owner, publish("n", payload=f"<a xmlns='urn:a'>{'x' * 2000}</a>"), big)
        await refused(owner, publish("small"), big)
        await owner.ask(publish("small", payload="<a xmlns='urn:a'/>"), published("small"))
        invalid = error("bad-request", "modify", "invalid-payload")
        await refused(owner, publish("n", payload="<a/><b/>"), invalid)
        await refused(owner, publish("typed", payload="<a xmlns='urn:a'/>"), invalid)
        await owner.ask(publish("typed"), published("typed"))
        await refused(owner, publish(""), error("bad-request", "modify", "nodeid-required"))
        two = ask("set", f"<publish node='n'>{item('1')}{item('2')}</publish>")
        await refused(owner, two, error("bad-request", "modify"))


async def test_7_1_5_options_are_preconditions() -> None:
    async with a_service() as (_, owner, _reader):
        await owner.send(create("n", access_model="presence"))

        def with_options(**values: str) -> str:
            options = f"<publish-options>{form('publish-options', **values)}</publish-options>"
            return publish("n").replace("</publish>", f"</publish>{options}")

        await owner.ask(with_options(access_model="presence"), published("n"))
        unmet = error("conflict", "cancel", "precondition-not-met")
        await refused(owner, with_options(access_model="open"), unmet)
        await refused(owner, with_options(dance="wild"), unmet)


async def test_7_1_2_the_oldest_goes() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", max_items="2"), *(publish("n", each) for each in "123"))
        await reader.ask(get_items("n"), shown("n", "23"))
        await owner.send(configure("n", max_items="1"))
        await reader.ask(get_items("n"), shown("n", "3"))


async def test_items_expire() -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create("n", item_expire="60"), publish("n", "1"))
        host.clock.advance(40)
        await owner.send(publish("n", "2"))
        host.clock.advance(40)
        await reader.ask(get_items("n"), shown("n", "2"))
        # They are deleted, too, when somebody publishes anywhere an hour later.
        host.clock.advance(3600)
        await owner.send(create("other"), publish("other"))
        page = await host.storage.nodes.items(PubsubService(SERVICE), "n", ItemQuery())
        assert page.count == 0


async def test_no_notifications_where_none_are_wanted() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", deliver_notifications="false"))
        await reader.send(subscribe("n", "bob"))
        reader.take()
        await owner.send(publish("n"), retract("n"))
        reader.expect()


async def test_notifications_have_ids_of_their_own() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        await reader.send(subscribe("n", "bob"))
        reader.take()
        await owner.send(publish("n"), publish("n", "2"))
        first, second = (parse(stanza).get("id") for stanza in reader.take())
        assert first
        assert first != second


# Deleting.


@pytest.mark.parametrize(
    ("notify_retract", "attrs", "told"),
    [("1", "", True), ("0", "", False), ("0", " notify='true'", True), ("0", " notify='1'", True)],
)
async def test_7_2_2_an_item_is_deleted(notify_retract: str, attrs: str, told: bool) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", notify_retract=notify_retract), publish("n"))
        await reader.send(subscribe("n", "bob"))
        reader.take()
        await owner.ask(retract("n", attrs=attrs), result())
        reader.expect(*[items_event("n", "<retract id='1'/>")] * told)
        await reader.ask(get_items("n"), shown("n", ""))


async def test_7_2_3_errors() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"), publish("n"), create("t", persist_items="0"))
        await refused(reader, retract("n"), error("forbidden", "auth", to="bob/desk"))
        await refused(owner, retract("n", "9"), error("item-not-found", "cancel"))
        await refused(owner, retract("m"), error("item-not-found", "cancel"))
        await refused(owner, retract(""), error("bad-request", "modify", "nodeid-required"))
        for inside in ("", "<item/>"):
            bare = ask("set", f"<retract node='n'>{inside}</retract>")
            await refused(owner, bare, error("bad-request", "modify", "item-required"))
        await refused(owner, retract("t"), unsupported("persistent-items"))


@pytest.mark.parametrize("word", ["publisher", "publish-only"])
async def test_4_1_publishers_delete_what_they_published(word: str) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"), affiliate("n", bob=word), publish("n", "1"))
        await reader.send(publish("n", "2"))
        await refused(reader, retract("n", "1"), error("forbidden", "auth", to="bob/desk"))
        await reader.ask(retract("n", "2"), result(to="bob/desk"))
        await owner.ask(retract("n", "1"), result())


async def test_8_5_purging() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"), publish("n", "1"), publish("n", "2"), create("t", persist_items="0"))
        await reader.send(subscribe("n", "bob"))
        reader.take()

        def purge(node: str) -> str:
            return ask("set", f"<purge node='{node}'/>", OWNER)

        await refused(reader, purge("n"), error("forbidden", "auth", to="bob/desk"))
        await owner.ask(purge("n"), result())
        reader.expect(event("<purge node='n'/>"))
        await reader.ask(get_items("n"), shown("n", ""))
        await refused(owner, purge("t"), unsupported("persistent-items"))
        await refused(owner, purge("m"), error("item-not-found", "cancel"))
        await refused(owner, purge(""), error("bad-request", "modify", "nodeid-required"))
        assert NS in purge("n")
