"""XEP-0060 §6.1 to §6.4: subscribing, unsubscribing, and what subscribers want."""

from __future__ import annotations

import pytest

from parley.base.config import PubsubSettings

from ...harness import address, parse
from .service import (
    NS,
    OWNER,
    SERVICE,
    Partner,
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
    subscribed,
    subscription,
    unsubscribe,
    unsupported,
)

DELAY = f"<delay xmlns='urn:xmpp:delay' from='{SERVICE}' stamp='*'/>"


async def test_6_1_1_an_entity_subscribes_and_hears() -> None:
    async with a_service() as (_, owner, reader):
        await owner.ask(create("n"), result())
        await reader.ask(subscribe("n", "bob"), subscribed("n", "bob", "bob/desk"))
        await owner.ask(publish("n"), published("n"))
        reader.expect(items_event("n", item()))
        owner.expect()


async def test_6_1_1_a_full_address_hears_alone() -> None:
    async with a_service() as (host, owner, desk):
        phone = await host.connect("bob/phone", presence="")
        await owner.send(create("n"))
        await phone.ask(subscribe("n", "bob/phone"), subscribed("n", "bob/phone", "bob/phone"))
        desk.take()
        await owner.send(publish("n"))
        phone.expect(items_event("n", item(), "bob/phone"))
        desk.expect()


@pytest.mark.parametrize("jid", ["alice", "alice/phone", "carol@example.net", "@"])
async def test_6_1_3_1_addresses_do_not_match(jid: str) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        request = subscribe("n", "bob").replace("bob@example.org", "@" if jid == "@" else address(jid))
        await refused(reader, request, error("bad-request", "modify", "invalid-jid", "bob/desk"))


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("presence", ("not-authorized", "auth", "presence-subscription-required")),
        ("roster", ("not-authorized", "auth", "not-in-roster-group")),
        ("whitelist", ("not-allowed", "cancel", "closed-node")),
    ],
)
async def test_6_1_3_2_to_4_access_models_refuse(model: str, answer: tuple[str, str, str]) -> None:
    async with a_service() as (_, owner, reader):
        await owner.ask(create("n", access_model=model), result())
        await refused(reader, subscribe("n", "bob"), error(*answer, "bob/desk"))


async def test_6_1_3_2_and_3_the_owners_roster_lets_in() -> None:
    async with a_service() as (host, owner, reader):
        await host.befriend("alice", "bob", groups=("Friends",))
        await owner.send(create("p", access_model="presence"))
        await owner.send(create("r", access_model="roster", roster_groups_allowed=["Friends", "Others"]))
        await owner.send(create("s", access_model="roster", roster_groups_allowed="Others"))
        for node in "pr":
            await reader.ask(subscribe(node, "bob"), subscribed(node, "bob", "bob/desk"))
        await refused(reader, subscribe("s", "bob"), error("not-authorized", "auth", "not-in-roster-group", "bob/desk"))


async def test_6_1_3_4_who_is_on_the_whitelist_gets_in() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", access_model="whitelist"), affiliate("n", bob="member"))
        await reader.ask(subscribe("n", "bob"), subscribed("n", "bob", "bob/desk"))


async def test_6_1_3_7_a_pending_subscription() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", access_model="authorize"))
        await reader.ask(subscribe("n", "bob"), subscribed("n", "bob", "bob/desk", "pending"))
        again = error("not-authorized", "auth", "pending-subscription", "bob/desk")
        await refused(reader, subscribe("n", "bob"), again)


async def test_6_1_3_8_an_outcast() -> None:
    async with a_service() as (_, owner, reader):
        for word in ("outcast", "publish-only"):
            await owner.send(create(word), affiliate(word, bob=word))
            await refused(reader, subscribe(word, "bob"), error("forbidden", "auth", to="bob/desk"))


async def test_6_1_3_9_too_many_subscriptions() -> None:
    async with a_service(pubsub=PubsubSettings(max_subscriptions=3, max_subscriptions_each=2)) as (host, owner, reader):
        await host.add("carol")
        carol = await host.connect("carol/x")
        await owner.send(create("n"))
        await reader.send(subscribe("n", "bob"), subscribe("n", "bob/desk"))
        full = error("policy-violation", "wait", "too-many-subscriptions", "bob/desk")
        await refused(reader, subscribe("n", "bob/phone"), full)
        await carol.send(subscribe("n", "carol"))
        await refused(carol, subscribe("n", "carol/x"), full.replace("bob@example.org/desk", "carol@example.org/x"))


async def test_6_1_3_10_a_node_that_takes_no_subscriptions() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", subscribe="0"))
        await refused(reader, subscribe("n", "bob"), unsupported("subscribe", "bob/desk"))


async def test_6_1_3_11_a_node_that_has_moved() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        redirect = "<delete node='n'><redirect uri='xmpp:pubsub.example.org?;node=m'/></delete>"
        await owner.ask(ask("set", redirect, OWNER), result())
        gone = (
            f"<iq type='error' id='1' from='{SERVICE}' to='bob@example.org/desk'><error type='cancel' code='302'>"
            "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:pubsub.example.org?;node=m</gone></error></iq>"
        )
        await reader.ask(subscribe("n", "bob"), gone)
        await reader.ask(get_items("n"), gone)
        await owner.ask(create("n"), result())
        await reader.ask(subscribe("n", "bob"), subscribed("n", "bob", "bob/desk"))


async def test_6_1_3_12_a_node_that_is_not_there() -> None:
    async with a_service() as (_, _owner, reader):
        await refused(reader, subscribe("n", "bob"), error("item-not-found", "cancel", to="bob/desk"))
        nameless = ask("set", "<subscribe jid='bob@example.org'/>")
        await refused(reader, nameless, error("bad-request", "modify", "nodeid-required", "bob/desk"))


async def test_6_1_6_one_subscription_for_each_address() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        for _time in range(2):
            await reader.ask(subscribe("n", "bob"), subscribed("n", "bob", "bob/desk"))
        await reader.ask(subscribe("n", "bob/desk"), subscribed("n", "bob/desk", "bob/desk"))
        reader.take()
        # Each is an entity of its own, which is sent all events (§4.2).
        await owner.send(publish("n"))
        reader.expect(items_event("n", item()), items_event("n", item(), "bob/desk"))
        two = ask("set", "<subscribe node='n' jid='bob@example.org'/><subscribe node='n' jid='bob@example.org'/>")
        await refused(reader, two, error("bad-request", "modify", to="bob/desk"))


@pytest.mark.parametrize("when", ["on_sub", "on_sub_and_presence", "never"])
async def test_6_1_7_the_last_item_comes_with_its_time(when: str) -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create("n", send_last_published_item=when), publish("n", "1"), publish("n", "2"))
        host.clock.advance(60)
        last = [items_event("n", item("2"), more=DELAY)] * (when != "never")
        await reader.ask(subscribe("n", "bob"), subscribed("n", "bob", "bob/desk"), *last)
        # Again only where its subscribers' presence counts (§4.3).
        phone = await host.connect("bob/phone")
        await phone.send("<presence/>")
        came = [stanza for stanza in phone.take() if stanza.startswith("<message")]
        assert len(came) == (when == "on_sub_and_presence")


async def test_6_2_2_an_entity_unsubscribes() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        await reader.send(subscribe("n", "bob"))
        # §12.13: the former subscriber is told, at the address that was subscribed. §6.2.3.5: a SubID is ignored.
        ended = event(subscription("n", "bob", "none"))
        await reader.ask(unsubscribe("n", "bob", attrs=" subid='x'"), result(to="bob/desk"), ended)
        await owner.send(publish("n"))
        reader.expect()


async def test_6_2_3_errors_of_unsubscribing() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        missing = error("unexpected-request", "cancel", "not-subscribed", "bob/desk")
        await refused(reader, unsubscribe("n", "bob"), missing)
        await refused(reader, unsubscribe("n", "alice"), error("forbidden", "auth", to="bob/desk"))
        await refused(reader, unsubscribe("m", "bob"), error("item-not-found", "cancel", to="bob/desk"))
        nobody = ask("set", "<unsubscribe node='n'/>")
        await refused(reader, nobody, error("bad-request", "modify", "jid-required", "bob/desk"))
        await reader.send(subscribe("n", "bob/desk"))
        await refused(reader, unsubscribe("n", "bob"), missing)


def options(node: str = "n", who: str = "bob", inside: str = "", kind: str = "set") -> str:
    return ask(kind, f"<options node='{node}' jid='{address(who)}'>{inside}</options>")


async def test_6_3_options_are_shown_and_changed() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        await reader.send(subscribe("n", "bob"))
        reader.take()

        async def shown() -> dict[str, list[str]]:
            await reader.send(options(kind="get"))
            (answer,) = reader.take()
            (element,) = parse(answer)[0]
            assert (element.get("node"), element.get("jid")) == ("n", "bob@example.org")
            assert element[0].get("type") == "form"
            fields = element.iter("{jabber:x:data}field")
            return {f.get("var"): [v.text for v in f.iterchildren("{jabber:x:data}value")] for f in fields}

        assert await shown() == {
            "FORM_TYPE": [f"{NS}#subscribe_options"],
            "pubsub#deliver": ["1"],
            "pubsub#digest": ["0"],
            "pubsub#include_body": ["0"],
            "pubsub#show-values": [],
            "pubsub#expire": [],
        }
        wanted = form(
            "subscribe_options", deliver="0", digest="0", include_body="false", show__values=["chat", "online"]
        )
        await reader.ask(options(inside=wanted), result(to="bob/desk"))
        assert (await shown())["pubsub#show-values"] == ["chat", "online"]
        await owner.send(publish("n"))
        reader.expect()
        await reader.ask(options(inside="<x xmlns='jabber:x:data' type='cancel'/>"), result(to="bob/desk"))
        assert (await shown())["pubsub#deliver"] == ["0"]


async def test_6_3_4_errors_of_options() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        for kind in ("get", "set"):
            missing = error("unexpected-request", "modify", "not-subscribed", "bob/desk")
            await refused(reader, options(kind=kind), missing)
            await refused(reader, options(who="alice", kind=kind), error("forbidden", "auth", to="bob/desk"))
            await refused(reader, options("m", kind=kind), error("item-not-found", "cancel", to="bob/desk"))
            nobody = ask(kind, "<options node='n'/>")
            await refused(reader, nobody, error("bad-request", "modify", "jid-required", "bob/desk"))


@pytest.mark.parametrize(
    "values",
    [
        {"deliver": "maybe"},
        {"digest": "1"},
        {"show__values": "sleeping"},
        {"expire": "soon"},
        {"dance": "wild"},
        {"expire": "2001-01-01T00:00:00Z"},
    ],
)
async def test_6_3_6_2_invalid_options(values: dict[str, str]) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        await reader.send(subscribe("n", "bob"))
        invalid = error("bad-request", "modify", "invalid-options", "bob/desk")
        await refused(reader, options(inside=form("subscribe_options", **values)), invalid)
        await refused(reader, options(), invalid)


async def test_6_3_7_subscribe_and_configure() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        wanted = f"<options>{form('subscribe_options', deliver='0')}</options>"
        await reader.send(subscribe("n", "bob", wanted))
        (answer,) = (stanza for stanza in reader.take() if stanza.startswith("<iq"))
        made, shown = parse(answer)[0]
        assert made.get("subscription") == "subscribed"
        assert shown[0].get("type") == "result"
        await owner.send(publish("n"))
        reader.expect()
        for attribute in ("node='n'", "jid='bob@example.org'"):
            bad = subscribe("n", "bob", f"<options {attribute}/>")
            await refused(reader, bad, error("bad-request", "modify", to="bob/desk"))
        before = ask("set", f"{wanted}<subscribe node='n' jid='bob@example.org'/>")
        await refused(reader, before, error("bad-request", "modify", to="bob/desk"))


async def test_6_4_default_options() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        for request, attrs in (("<default/>", {}), ("<default node='n'/>", {"node": "n"})):
            reader.take()
            await reader.send(ask("get", request))
            (default,) = parse(reader.take()[0])[0]
            assert (dict(default.attrib), default[0].get("type")) == (attrs, "result")
        await refused(reader, ask("get", "<default node='m'/>"), error("item-not-found", "cancel", to="bob/desk"))


@pytest.mark.parametrize(("show", "hears"), [("", True), ("<show>chat</show>", True), ("<show>dnd</show>", False)])
async def test_12_6_only_in_some_states_of_presence(show: str, hears: bool) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        wanted = f"<options>{form('subscribe_options', show__values=['chat', 'online'])}</options>"
        await reader.send(subscribe("n", "bob", wanted))
        await reader.available(show)
        await owner.send(publish("n"))
        reader.expect(*[items_event("n", item())] * hears)


async def test_12_7_a_body_for_who_wants_one() -> None:
    entry = (
        "<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title><summary>To be,\n or not</summary></entry>"
    )
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        wanted = f"<options>{form('subscribe_options', include_body='1')}</options>"
        await reader.send(subscribe("n", "bob", wanted))
        reader.take()
        await owner.send(publish("n", payload=entry))
        (came,) = reader.take()
        body, what = parse(came)
        assert (body.tag, body.text) == ("{jabber:client}body", "Soliloquy\nTo be, or not")
        assert what.tag.endswith("event")
        # Of what is not understood there is none.
        await owner.send(publish("n", "2"))
        reader.expect(items_event("n", item("2")))


async def test_12_18_a_lease_ends() -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create("n"))
        wanted = f"<options>{form('subscribe_options', expire='2024-01-01T00:10:00Z')}</options>"
        await reader.send(subscribe("n", "bob", wanted), publish("m"))
        reader.take()
        await owner.send(publish("n"))
        reader.expect(items_event("n", item()))
        host.clock.advance(601)
        await owner.send(publish("n", "2"))
        reader.expect()
        await reader.ask(ask("get", "<subscriptions/>"), result("<subscriptions/>", "bob/desk"))
        await reader.ask(
            subscribe("n", "bob"), subscribed("n", "bob", "bob/desk"), items_event("n", item("2"), more=DELAY)
        )


async def test_5_6_own_subscriptions() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"), create("m", access_model="authorize"))
        await reader.ask(ask("get", "<subscriptions/>"), result("<subscriptions/>", "bob/desk"))
        await reader.send(subscribe("n", "bob"), subscribe("n", "bob/phone"), subscribe("m", "bob"))
        known = subscription("n", "bob") + subscription("n", "bob/phone")
        everything = subscription("m", "bob", "pending") + known
        reader.take()
        await reader.ask(
            ask("get", "<subscriptions/>"), result(f"<subscriptions>{everything}</subscriptions>", "bob/desk")
        )
        await reader.ask(
            ask("get", "<subscriptions node='n'/>"),
            result(f"<subscriptions node='n'>{known}</subscriptions>", "bob/desk"),
        )
        await refused(reader, ask("get", "<subscriptions node='x'/>"), error("item-not-found", "cancel", to="bob/desk"))
        await owner.ask(ask("get", "<subscriptions/>"), result("<subscriptions/>"))


async def test_people_of_other_servers_subscribe_and_hear() -> None:
    async with a_service() as (host, owner, _):
        partner = Partner(host)
        await owner.send(create("n"))
        request = subscribe("n", "carol@example.net").replace("<iq ", "<iq from='carol@example.net/x' ")
        (answer,) = await partner.says(request)
        assert 'subscription="subscribed"' in answer
        partner.came.clear()
        await owner.send(publish("n"))
        (came,) = partner.came
        assert parse(came).get("to") == "carol@example.net"
        # §12.3: the subscription of who is there no more ends, and no other error ends one.
        bounce = (
            f"<message type='error' from='carol@example.net' to='{SERVICE}'><error type='cancel'>{{}}</error></message>"
        )
        for condition, heard in (("service-unavailable", 1), ("item-not-found", 0)):
            await partner.says(bounce.format(f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"))
            await owner.send(publish("n"))
            assert len(partner.came) == heard


async def test_who_may_not_read_any_more_hears_nothing() -> None:
    async with a_service() as (host, owner, reader):
        await host.befriend("alice", "bob")
        await owner.send(create("n", access_model="presence"))
        await reader.send(subscribe("n", "bob"))
        reader.take()
        await owner.send("<presence type='unsubscribed' to='bob@example.org'/>")
        reader.take()
        await owner.send(publish("n"))
        reader.expect()


async def test_who_is_away_is_sent_nothing_or_finds_it_later() -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create("headline"), create("normal", notification_type="normal"))
        await reader.send(subscribe("headline", "bob"), subscribe("normal", "bob"))
        await reader.send("<presence type='unavailable'/>")
        reader.take()
        await owner.send(publish("headline"), publish("normal"))
        reader.expect()
        await reader.send("<presence/>")
        came = [stanza for stanza in reader.take() if stanza.startswith("<message") and "offline" not in stanza]
        waited = [stanza for stanza in came if 'node="normal"' in stanza and "headline" not in stanza]
        assert waited, came
        # With presence-based delivery nothing waits for anybody (§12.5).
        await owner.send(configure("normal", presence_based_delivery="1"))
        await reader.send("<presence type='unavailable'/>")
        reader.take()
        await owner.send(publish("normal", "2"))
        phone = await host.connect("bob/phone", presence="<priority>-1</priority>")
        await owner.send(publish("normal", "3"))
        phone.expect()
