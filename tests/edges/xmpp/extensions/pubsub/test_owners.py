"""XEP-0060 §8.1 to §8.4, §8.8 and §8.9: nodes created, configured, deleted, and the people around them."""

from __future__ import annotations

import pytest

from parley.base.config import PubsubSettings

from ...harness import Client, address, parse
from .service import (
    NS,
    OWNER,
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


def owners(kind: str, content: str) -> str:
    return ask(kind, content, OWNER)


async def config_of(client: Client, request: str) -> dict[str, list[str]]:
    client.take()
    await client.send(request)
    (answer,) = client.take()
    fields = parse(answer).iter("{jabber:x:data}field")
    return {f.get("var"): [v.text for v in f.iterchildren("{jabber:x:data}value")] for f in fields}


# Creating.


async def test_8_1_1_a_node_is_created_once() -> None:
    async with a_service() as (_, owner, reader):
        await owner.ask(create("n"), result())
        for client, name in ((owner, "alice/phone"), (reader, "bob/desk")):
            await refused(client, create("n"), error("conflict", "cancel", to=name))


async def test_8_1_1_an_instant_node() -> None:
    async with a_service() as (_, owner, _reader):
        await owner.send(ask("set", "<create/>"))
        (made,) = parse(owner.take()[0])[0]
        name = made.get("node")
        assert name
        await owner.ask(publish(name), published(name))


@pytest.mark.parametrize(
    ("creation", "account", "stranger"),
    [
        ("accounts", None, ("forbidden", "auth")),
        ("everyone", None, None),
        ("nobody", ("feature-not-implemented", "cancel", "unsupported"), ("feature-not-implemented", "cancel")),
    ],
)
async def test_8_1_1_who_may_create(
    creation: str, account: tuple[str, ...] | None, stranger: tuple[str, ...] | None
) -> None:
    async with a_service(pubsub=PubsubSettings(creation=creation)) as (host, owner, _):
        partner = Partner(host)
        if account is None:
            await owner.ask(create("n"), result())
        else:
            await refused(owner, create("n"), unsupported("create-nodes"))
        (answer,) = await partner.says(create("m").replace("<iq ", "<iq from='carol@example.net/x' "))
        assert (stranger is None) == ('type="result"' in answer)
        assert stranger is None or f"<{stranger[0]} " in answer


async def test_8_1_1_only_so_many_nodes() -> None:
    async with a_service(pubsub=PubsubSettings(max_nodes=2)) as (_, owner, reader):
        await owner.send(create("a"), create("b"))
        await refused(owner, create("c"), error("resource-constraint", "wait"))
        await reader.ask(create("c"), result(to="bob/desk"))
        await owner.send(owners("set", "<delete node='a'/>"))
        await owner.ask(create("d"), result())


async def test_8_1_2_an_access_model_that_is_none() -> None:
    async with a_service() as (_, owner, _reader):
        unknown = error("not-acceptable", "modify", "unsupported-access-model")
        await refused(owner, create("n", access_model="nobody"), unknown)
        await refused(owner, get_items("n"), error("item-not-found", "cancel"))


async def test_8_1_3_create_and_configure() -> None:
    async with a_service() as (_, owner, _reader):
        # The form of the specification's own example, with options that nobody here knows.
        wanted = {
            "title": "Princely Musings (Atom)",
            "deliver_notifications": "1",
            "deliver_payloads": "1",
            "persist_items": "1",
            "max_items": "10",
            "item_expire": "604800",
            "access_model": "open",
            "publish_model": "publishers",
            "purge_offline": "0",
            "send_last_published_item": "never",
            "presence_based_delivery": "false",
            "notification_type": "headline",
            "notify_config": "0",
            "notify_delete": "0",
            "notify_retract": "0",
            "notify_sub": "0",
            "max_payload_size": "1028",
            "type": "http://www.w3.org/2005/Atom",
            "body_xslt": "http://jabxslt.jabberstudio.org/atom_body.xslt",
        }
        await owner.ask(create("n", **wanted), result())
        config = await config_of(owner, owners("get", "<configure node='n'/>"))
        assert config["pubsub#title"] == ["Princely Musings (Atom)"]
        assert (config["pubsub#item_expire"], config["pubsub#max_payload_size"]) == (["604800"], ["1028"])
        assert config["pubsub#presence_based_delivery"] == ["0"]


@pytest.mark.parametrize(
    "content",
    [
        f"<create node='n'/><configure node='n'>{form('node_config', title='T')}</configure>",
        f"<configure>{form('node_config', title='T')}</configure><create node='n'/>",
    ],
)
async def test_8_1_3_configure_stands_behind_create_and_names_nothing(content: str) -> None:
    async with a_service() as (_, owner, _reader):
        await refused(owner, ask("set", content), error("bad-request", "modify"))


# Configuring.


async def test_8_2_the_form_can_be_sent_back() -> None:
    async with a_service() as (_, owner, _reader):
        await owner.send(create("n", access_model="authorize", contact=["a@example.org", "b@example.org"]))
        owner.take()
        before = await config_of(owner, owners("get", "<configure node='n'/>"))
        assert before["FORM_TYPE"] == [f"{NS}#node_config"]
        assert before["pubsub#contact"] == ["a@example.org", "b@example.org"]
        await owner.send(owners("get", "<configure node='n'/>"))
        filled = owner.take()[0].split("<configure")[1].replace('type="form"', 'type="submit"').split("</pubsub>")[0]
        await owner.ask(owners("set", f"<configure{filled}"), result())
        assert await config_of(owner, owners("get", "<configure node='n'/>")) == before


async def test_8_2_3_errors() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        for kind in ("get", "set"):
            await refused(reader, owners(kind, "<configure node='n'/>"), error("forbidden", "auth", to="bob/desk"))
            await refused(owner, owners(kind, "<configure/>"), error("bad-request", "modify", "nodeid-required"))
            await refused(owner, owners(kind, "<configure node='m'/>"), error("item-not-found", "cancel"))


@pytest.mark.parametrize(
    "values",
    [
        {"max_items": "0"},
        {"max_items": "many"},
        {"publish_model": "everybody"},
        {"send_last_published_item": "always"},
        {"notification_type": "groupchat"},
        {"deliver_payloads": "perhaps"},
        {"tempsub": "maybe"},
        {"purge_offline": "never"},
        {"itemreply": "room"},
        {"publish_node_full": "explode"},
        {"contact": "@"},
        {"title": "x" * 1001},
        {"roster_groups_allowed": ["x"] * 101},
        {"roster_groups_allowed": "x" * 256},
    ],
)
async def test_8_2_5_2_what_cannot_be(values: dict[str, str | list[str]]) -> None:
    async with a_service() as (_, owner, _reader):
        await owner.send(create("n"))
        before = await config_of(owner, owners("get", "<configure node='n'/>"))
        await refused(owner, configure("n", description="D", **values), error("not-acceptable", "modify"))
        assert await config_of(owner, owners("get", "<configure node='n'/>")) == before


@pytest.mark.parametrize("values", [{"node_type": "collection"}, {"collection": "blogs"}])
async def test_xep_0248_there_are_no_collections(values: dict[str, str]) -> None:
    async with a_service() as (_, owner, _reader):
        await refused(owner, create("n", **values), unsupported("collections"))
        await owner.ask(create("n", node_type="leaf"), result())
        await refused(owner, configure("n", **values), unsupported("collections"))
        associate = "<collection node='blogs'><associate node='n'/></collection>"
        await refused(owner, owners("set", associate), unsupported("collections"))


async def test_8_2_4_a_form_that_is_cancelled_changes_nothing() -> None:
    async with a_service() as (_, owner, _reader):
        await owner.send(create("n"))
        before = await config_of(owner, owners("get", "<configure node='n'/>"))
        cancel = "<configure node='n'><x xmlns='jabber:x:data' type='cancel'/></configure>"
        await owner.ask(owners("set", cancel), result())
        assert await config_of(owner, owners("get", "<configure node='n'/>")) == before


@pytest.mark.parametrize("payloads", ["1", "0"])
async def test_8_2_5_3_subscribers_hear_of_it(payloads: str) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", deliver_payloads=payloads))
        await reader.send(subscribe("n", "bob"))
        reader.take()
        await owner.send(configure("n", title="Quiet"))
        reader.expect()
        await owner.send(configure("n", title="Loud", notify_config="1"))
        (came,) = reader.take()
        (configuration,) = parse(came)[0]
        assert configuration.get("node") == "n"
        assert len(configuration) == int(payloads)
        if payloads == "1":
            assert configuration[0].get("type") == "result"
            assert "<value>Loud</value>" in came


async def test_8_3_default_configuration() -> None:
    async with a_service() as (_, owner, _reader):
        defaults = await config_of(owner, owners("get", "<default/>"))
        await owner.send(create("n"))
        owner.take()
        assert await config_of(owner, owners("get", "<configure node='n'/>")) == defaults
        assert defaults["pubsub#access_model"] == ["open"]
        # §4.3: where last-published is offered this MUST be the default.
        assert defaults["pubsub#send_last_published_item"] == ["on_sub_and_presence"]


# Deleting.


@pytest.mark.parametrize("notify", ["1", "0"])
async def test_8_4_a_node_is_deleted(notify: str) -> None:
    async with a_service() as (host, owner, reader):
        await host.add("carol")
        carol = await host.connect("carol/x", presence="")
        await owner.send(create("n", notify_delete=notify, access_model="authorize"), affiliate("n", bob="member"))
        await reader.send(subscribe("n", "bob"))
        await carol.send(subscribe("n", "carol"))
        reader.take(), carol.take()
        await refused(reader, owners("set", "<delete node='n'/>"), error("forbidden", "auth", to="bob/desk"))
        delete = "<delete node='n'><redirect uri='xmpp:hamlet@denmark.lit?;node=blog'/></delete>"
        await owner.ask(owners("set", delete), result())
        told = delete * (notify == "1")
        reader.expect(*[event(told)] if told else [])
        # §8.4.2: also those that wait.
        carol.expect(*[event(told, "carol")] if told else [])
        await owner.send(owners("set", "<delete node='n'/>"))
        assert "<gone " in owner.take()[-1]
        await refused(owner, owners("set", "<delete node='m'/>"), error("item-not-found", "cancel"))


async def test_8_4_2_who_may_not_read_any_more_is_told_too() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        await reader.send(subscribe("n", "bob"))
        await owner.send(configure("n", access_model="whitelist"))
        reader.take()
        await owner.send(owners("set", "<delete node='n'/>"))
        reader.expect(event("<delete node='n'/>"))


# Subscriptions.


def manage(node: str = "n", **states: str) -> str:
    inside = "".join(f"<subscription jid='{address(n)}' subscription='{word}'/>" for n, word in states.items())
    return owners("set", f"<subscriptions node='{node}'>{inside}</subscriptions>")


def managed(**states: str) -> str:
    inside = "".join(f"<subscription jid='{address(n)}' subscription='{word}'/>" for n, word in states.items())
    return f"<subscriptions node='n'>{inside}</subscriptions>"


async def test_8_8_1_the_list_of_subscriptions() -> None:
    async with a_service() as (host, owner, reader):
        await host.add("carol")
        carol = await host.connect("carol/x", presence="")
        await owner.send(create("n", access_model="authorize"), affiliate("n", bob="member"))
        await reader.send(subscribe("n", "bob"))
        await carol.send(subscribe("n", "carol"))
        owner.take()
        listing = owners("get", "<subscriptions node='n'/>")
        # Those that wait do not stand in it.
        await owner.ask(listing, result(managed(bob="subscribed"), ns=OWNER))
        await refused(reader, listing, error("forbidden", "auth", to="bob/desk"))
        await refused(owner, owners("get", "<subscriptions node='m'/>"), error("item-not-found", "cancel"))


async def test_8_8_2_and_4_an_owner_subscribes_people_and_they_are_told() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        await owner.ask(manage(bob="subscribed"), result())
        reader.expect(event(subscription("n", "bob")))
        await owner.send(publish("n"))
        assert len(reader.take()) == 1
        await owner.ask(
            owners("set", "<subscriptions node='n'><subscription jid='bob@example.org'/></subscriptions>"), result()
        )
        await owner.ask(manage(bob="none"), result())
        reader.expect(event(subscription("n", "bob", "none")))
        await owner.ask(owners("get", "<subscriptions node='n'/>"), result(managed(), ns=OWNER))
        await owner.ask(manage(bob="none"), result())
        reader.expect()


async def test_8_8_2_3_and_4_errors() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"), affiliate("n", carol="outcast"))
        await refused(reader, manage(bob="subscribed"), error("forbidden", "auth", to="bob/desk"))
        await refused(owner, manage("m", bob="subscribed"), error("item-not-found", "cancel"))
        await refused(owner, manage(), error("bad-request", "modify"))
        two = "<subscription jid='bob@example.org' subscription='none'/>" * 2
        await refused(
            owner, owners("set", f"<subscriptions node='n'>{two}</subscriptions>"), error("bad-request", "modify")
        )
        # What is not returned was done.
        wrong = managed(carol="none", dave="none")
        await refused(
            owner,
            manage(bob="subscribed", carol="subscribed", dave="unconfigured"),
            error("not-acceptable", "modify").replace("<error", f"<pubsub xmlns='{OWNER}'>{wrong}</pubsub><error", 1),
        )
        await owner.ask(owners("get", "<subscriptions node='n'/>"), result(managed(bob="subscribed"), ns=OWNER))


async def test_notify_sub_tells_owners() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", notify_sub="1"))
        owner.take()
        await reader.send(subscribe("n", "bob"))
        owner.expect(event(subscription("n", "bob"), "alice"))
        await reader.send(unsubscribe("n", "bob"))
        owner.expect(event(subscription("n", "bob", "none"), "alice"))


# Affiliations.


def affiliated(**words: str) -> str:
    inside = "".join(f"<affiliation jid='{address(n)}' affiliation='{word}'/>" for n, word in words.items())
    return f"<affiliations node='n'>{inside}</affiliations>"


async def test_8_9_1_and_2_lists_of_people() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        listing = owners("get", "<affiliations node='n'/>")
        await owner.ask(listing, result(affiliated(alice="owner"), ns=OWNER))
        words = {"bob": "publisher", "carol": "publish-only", "dave": "member", "eve": "outcast"}
        await owner.ask(affiliate("n", **words), result())
        await owner.ask(listing, result(affiliated(alice="owner", **words), ns=OWNER))
        # §8.9.3
        await owner.ask(affiliate("n", bob="none"), result())
        del words["bob"]
        await owner.ask(listing, result(affiliated(alice="owner", **words), ns=OWNER))
        for request in (listing, affiliate("n", bob="owner")):
            await refused(reader, request, error("forbidden", "auth", to="bob/desk"))
        for kind in ("get", "set"):
            await refused(owner, owners(kind, "<affiliations node='m'/>"), error("item-not-found", "cancel"))


async def test_8_9_2_4_the_last_owner_stays() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"))
        kept = f"<pubsub xmlns='{OWNER}'>{affiliated(alice='owner')}</pubsub>"
        unchanged = error("not-acceptable", "modify").replace("<error", f"{kept}<error", 1)
        # What is not returned was done.
        await refused(owner, affiliate("n", alice="none", bob="publisher"), unchanged)
        await reader.ask(publish("n"), published("n", to="bob/desk"))
        await owner.ask(affiliate("n", bob="owner"), result())
        # One of two may resign, both may not.
        both = affiliate("n", alice="none", bob="none")
        left = f"<pubsub xmlns='{OWNER}'>{affiliated(bob='owner')}</pubsub>"
        await refused(owner, both, error("not-acceptable", "modify").replace("<error", f"{left}<error", 1))
        await refused(owner, affiliate("n", alice="owner"), error("forbidden", "auth"))
        await reader.ask(owners("get", "<affiliations node='n'/>"), result(affiliated(bob="owner"), "bob/desk", OWNER))


@pytest.mark.parametrize(("before", "word"), [("owner", "member"), ("owner", "outcast"), ("publisher", "member")])
async def test_4_1_what_nobody_becomes_at_once(before: str, word: str) -> None:
    async with a_service() as (_, owner, _reader):
        await owner.send(create("n"), affiliate("n", bob=before))
        kept = f"<pubsub xmlns='{OWNER}'>{affiliated(bob=before)}</pubsub>"
        unchanged = error("not-acceptable", "modify").replace("<error", f"{kept}<error", 1)
        await refused(owner, affiliate("n", bob=word), unchanged)


async def test_8_9_2_4_nobody_is_named_twice() -> None:
    async with a_service() as (_, owner, _reader):
        await owner.send(create("n"))
        two = "<affiliation jid='bob@example.org' affiliation='member'/><affiliation jid='bob@example.org/x'/>"
        await refused(
            owner, owners("set", f"<affiliations node='n'>{two}</affiliations>"), error("bad-request", "modify")
        )
        await refused(owner, affiliate("n"), error("bad-request", "modify"))


async def test_there_are_at_most_so_many_people_in_lists() -> None:
    async with a_service(pubsub=PubsubSettings(max_affiliations=3)) as (_, owner, _reader):
        await owner.send(create("n"), affiliate("n", bob="member", carol="member"))
        await refused(owner, affiliate("n", dave="member"), error("resource-constraint", "wait"))
        await owner.ask(affiliate("n", bob="none", dave="member"), result())


async def test_an_outcast_loses_the_subscription_and_so_does_who_leaves_a_whitelist() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n"), create("w", access_model="whitelist"), affiliate("w", bob="member"))
        await reader.send(subscribe("n", "bob"), subscribe("w", "bob"))
        reader.take()
        await owner.send(affiliate("n", bob="outcast"))
        reader.expect(event(subscription("n", "bob", "none")))
        await owner.send(affiliate("w", bob="none"))
        reader.expect(event(subscription("w", "bob", "none")))
        await reader.ask(ask("get", "<subscriptions/>"), result("<subscriptions/>", "bob/desk"))


async def test_5_7_own_affiliations() -> None:
    async with a_service() as (_, owner, reader):
        mine = ask("get", "<affiliations/>")
        await reader.ask(mine, result("<affiliations/>", "bob/desk"))
        await owner.send(create("a"), create("b"), affiliate("b", bob="publisher"))
        listed = "<affiliation node='b' affiliation='publisher'/>"
        await reader.ask(mine, result(f"<affiliations>{listed}</affiliations>", "bob/desk"))
        both = "".join(f"<affiliation node='{node}' affiliation='owner'/>" for node in "ab")
        await owner.ask(mine, result(f"<affiliations>{both}</affiliations>"))
        one = ask("get", "<affiliations node='b'/>")
        await reader.ask(one, result(f"<affiliations>{listed}</affiliations>", "bob/desk"))
        await reader.ask(subscribe("b", "bob"), subscribed("b", "bob", "bob/desk"))
