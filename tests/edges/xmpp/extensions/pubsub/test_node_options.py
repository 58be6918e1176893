"""XEP-0060 §7.1.2.3, §7.1.2.5, §12.5, §12.16 and §16.4.4: options that change what is kept, shown and ended."""

from __future__ import annotations

import pytest

from .service import (
    ENTRY,
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
    item,
    items_event,
    publish,
    published,
    refused,
    result,
    subscribe,
    subscription,
    unsupported,
)

ALICE = "alice@example.org"


def by(publisher: str, item_id: str = "1") -> str:
    return f"<item id='{item_id}' publisher='{publisher}'>{ENTRY}</item>"


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("publisher", by("bob@example.org")),
        ("owner", by("alice@example.org")),
        ("none", item()),
    ],
)
async def test_7_1_2_3_items_show_whose_they_are_everywhere(reply: str, shown: str) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", itemreply=reply), affiliate("n", bob="publisher"))
        await reader.send(subscribe("n", "bob"))
        reader.take()
        # What the publisher says of it does not count.
        claimed = publish("n").replace("<item ", "<item publisher='mallory@example.org' ")
        await reader.ask(claimed, items_event("n", shown), published("n", to="bob/desk"))
        await reader.ask(get_items("n"), result(f"<items node='n'>{shown}</items>", "bob/desk"))


async def test_7_1_2_3_who_is_on_no_list_is_shown_by_the_full_address() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", itemreply="publisher", publish_model="open"))
        await reader.send(publish("n"))
        await owner.ask(get_items("n"), result(f"<items node='n'>{by('bob@example.org/desk')}</items>"))


@pytest.mark.parametrize(
    ("config", "is_told"),
    [
        ({}, True),
        ({"publish_node_full": "retract-oldest"}, True),
        ({"publish_node_full": "discard-oldest"}, False),
        ({"notify_retract": "0"}, False),
    ],
)
async def test_7_1_2_5_subscribers_hear_of_the_item_that_went_for_another(
    config: dict[str, str | list[str]], is_told: bool
) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", max_items="2", **config))
        await reader.send(subscribe("n", "bob"))
        await owner.send(publish("n", "1"), publish("n", "2"), publish("n", "2"))
        reader.take()
        await owner.send(publish("n", "3"))
        gone = [event("<items node='n'><retract id='1'/></items>")] if is_told else []
        reader.expect(items_event("n", item("3")), *gone)


async def test_7_1_2_5_where_there_is_one_item_the_new_one_says_it_all() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", max_items="1"), publish("n", "1"))
        await reader.send(subscribe("n", "bob"))
        reader.take()
        await owner.send(publish("n", "2"))
        reader.expect(items_event("n", item("2")))


async def test_7_1_3_4_a_full_node_can_refuse() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", max_items="1", publish_node_full="reject"), publish("n", "1"))
        await reader.send(subscribe("n", "bob"))
        reader.take()
        await refused(owner, publish("n", "2"), error("conflict", "cancel", "node-full"))
        reader.expect()
        # What is there already may change.
        await owner.ask(publish("n", "1"), published("n"))
        reader.expect(items_event("n", item()))
        await reader.ask(get_items("n"), result(f"<items node='n'>{item()}</items>", "bob/desk"))


@pytest.mark.parametrize("at", ["pubsub.example.org", "bob@example.org"])
async def test_16_4_4_items_go_with_who_published_them(at: str) -> None:
    async with a_service() as (host, owner, reader):
        await reader.send(create("n", to=at, purge_offline="1", max_items="9", access_model="open"))
        await reader.send(affiliate("n", to=at, alice="publisher"), publish("n", "1", to=at))
        await owner.send(publish("n", "2", to=at), subscribe("n", "alice", to=at))
        other = await host.connect("bob/phone", presence="")
        owner.take()
        await reader.send("<presence type='unavailable'/>")
        assert not [stanza for stanza in owner.take() if stanza.startswith("<message")]
        await other.send("<presence type='unavailable'/>")
        told = [stanza for stanza in owner.take() if stanza.startswith("<message")]
        assert len(told) == 1
        assert '<retract id="1"/>' in told[0]
        await owner.ask(get_items("n", to=at), result(f"<items node='n'>{item('2')}</items>", of=at))


# §12.5


def while_there(node: str, who: str, to: str = "pubsub.example.org") -> str:
    return subscribe(node, who, f"<options>{form('subscribe_options', expire='presence')}</options>", to)


@pytest.mark.parametrize("at", ["pubsub.example.org", ALICE])
async def test_12_5_a_subscription_ends_with_the_presence_of_its_address(at: str) -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create("n", to=at, access_model="open", notify_sub="1"))
        await reader.send(
            while_there("n", "bob", at), while_there("n", "bob/desk", at), subscribe("n", "bob/phone", to=at)
        )
        assert "<value>presence</value>" in reader.take()[0]
        phone = await host.connect("bob/phone", presence="")
        owner.take()
        await reader.send("<presence type='unavailable'/>")
        owner.expect(event(subscription("n", "bob/desk", "none"), "alice", of=at))
        phone.take()
        await owner.send(publish("n", to=at))
        assert len(phone.take()) == 2
        await phone.send("<presence type='unavailable'/>")
        owner.take()
        await phone.send("<presence/>")
        phone.take()
        await owner.send(publish("n", "2", to=at))
        assert len(phone.take()) == 1


async def test_12_5_an_owner_lets_all_subscriptions_be_temporary() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", tempsub="1"))
        wanted = f"<options>{form('subscribe_options', expire='2030-01-01T00:00:00Z')}</options>"
        await reader.send(subscribe("n", "bob", wanted), "<presence type='unavailable'/>", "<presence/>")
        reader.take()
        await owner.send(publish("n"))
        reader.expect()
        # So are those that the owner makes.
        made = "<subscription jid='bob@example.org' subscription='subscribed'/>"
        await owner.send(ask("set", f"<subscriptions node='n'>{made}</subscriptions>", OWNER))
        await reader.send("<presence type='unavailable'/>", "<presence/>")
        reader.take()
        await owner.send(publish("n"))
        reader.expect()
        # Those that are there stay what they were.
        await owner.send(configure("n", tempsub="0"))
        await reader.send(subscribe("n", "bob"), "<presence type='unavailable'/>", "<presence/>")
        reader.take()
        await owner.send(publish("n", "2"))
        reader.expect(items_event("n", item("2")))


@pytest.mark.parametrize("at", ["pubsub.example.org", ALICE])
async def test_12_5_people_of_other_servers_say_that_they_are_gone(at: str) -> None:
    async with a_service() as (host, owner, _):
        partner = Partner(host)
        await owner.send(create("n", to=at, access_model="open"))
        request = while_there("n", "carol@example.net/x", at).replace("<iq ", "<iq from='carol@example.net/x' ")
        assert "subscribed" in (await partner.says(request))[0]
        await partner.says(f"<presence from='carol@example.net/x' to='{at}' type='unavailable'/>")
        partner.came.clear()
        await owner.send(publish("n", to=at))
        assert partner.came == []


async def test_what_is_not_kept_is_not_full() -> None:
    async with a_service() as (_, owner, _reader):
        await owner.send(create("n", persist_items="0", max_items="1", publish_node_full="reject"), publish("n", "1"))
        await owner.ask(publish("n", "2"), published("n", "2"))
        await refused(owner, get_items("n"), unsupported("persistent-items"))
