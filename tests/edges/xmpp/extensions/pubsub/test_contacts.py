"""XEP-0060 §9.1, §12.1 and §12.13, XEP-0163 §7.1: what a contact may read follows from what the owner shows."""

from __future__ import annotations

import pytest

from parley.domain.contacts import Contact
from parley.domain.subscriptions import SubscriptionState

from ...harness import Client, Harness, parse
from .service import (
    Partner,
    a_service,
    affiliate,
    configure,
    create,
    error,
    event,
    from_device,
    get_items,
    item,
    items_event,
    publish,
    refused,
    subscribe,
    subscription,
)

ALICE = "alice@example.org"
NODE = "urn:song"
PHONE = from_device("alice/phone")
LATE = "<delay xmlns='urn:xmpp:delay' from='*' stamp='*'/>"
CAPS = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://c.example' ver='x'/>"


async def comes(reader: Client, presence: str) -> list[str]:
    """Send a presence, answer what is asked about capabilities; what else comes."""
    reader.take()
    await reader.send(presence)
    came = reader.take()
    for question in [stanza for stanza in came if "disco#info" in stanza]:
        asked = parse(question)
        came.remove(question)
        await reader.send(
            f"<iq type='result' id='{asked.get('id')}' to='{asked.get('from')}'>"
            f"<query xmlns='http://jabber.org/protocol/disco#info' node='{asked[0].get('node')}'>"
            f"<identity category='client' type='pc'/><feature var='{NODE}+notify'/></query></iq>"
        )
        came += reader.take()
    return [stanza for stanza in came if stanza.startswith("<message")]


# Strangers of ours who show their presence.


@pytest.mark.parametrize(("model", "hears"), [("open", 1), ("presence", 0), ("whitelist", 0), ("authorize", 0)])
async def test_9_1_3_a_stranger_of_ours_who_shows_presence_hears_of_open_nodes(model: str, hears: int) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create(NODE, to=ALICE, access_model=model), publish(NODE, to=ALICE))
        last = await comes(reader, f"<presence to='{ALICE}'>{CAPS}</presence>")
        assert len(last) == hears
        await owner.send(publish(NODE, "2", to=ALICE))
        told = [items_event(NODE, item("2"), "bob/desk", of=ALICE)] * hears
        reader.expect(*told)
        await reader.send(f"<presence to='{ALICE}' type='unavailable'/>")
        await owner.send(publish(NODE, "3", to=ALICE))
        reader.expect()


async def test_9_1_3_what_a_broadcast_said_of_capabilities_counts_for_presence_shown_later() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create(NODE, to=ALICE, access_model="open"), publish(NODE, to=ALICE))
        assert await comes(reader, f"<presence>{CAPS}</presence>") == []
        assert len(await comes(reader, f"<presence to='{ALICE}'/>")) == 1
        await reader.send("<presence type='unavailable'/>")
        reader.take()
        await owner.send(publish(NODE, "2", to=ALICE))
        reader.expect()


async def test_9_1_3_a_stranger_who_became_a_contact_hears_it_once() -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create(NODE, to=ALICE, access_model="open"))
        await comes(reader, f"<presence>{CAPS}</presence>")
        await comes(reader, f"<presence to='{ALICE}'/>")
        await host.befriend("alice", "bob")
        await owner.send(publish(NODE, to=ALICE))
        reader.expect(items_event(NODE, item(), "bob/desk", PHONE, of=ALICE))


async def test_9_1_3_a_stranger_who_is_blocked_hears_nothing() -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create(NODE, to=ALICE, access_model="open"), publish(NODE, to=ALICE))
        await host.host.blocking.block(owner.session.account, ["bob@example.org"], [])
        assert await comes(reader, f"<presence to='{ALICE}'>{CAPS}</presence>") == []
        await owner.send(publish(NODE, "2", to=ALICE))
        reader.expect()


# What a contact loses.


async def regroup(owner: Client, *groups: str, who: str = "bob@example.org") -> None:
    inside = "".join(f"<group>{group}</group>" for group in groups)
    item_xml = f"<item jid='{who}'>{inside}</item>"
    await owner.send(f"<iq type='set' id='r'><query xmlns='jabber:iq:roster'>{item_xml}</query></iq>")
    owner.take()


@pytest.mark.parametrize("ending", ["<presence to='bob@example.org' type='unsubscribed'/>", "remove"])
@pytest.mark.parametrize("at", [ALICE, "pubsub.example.org"])
async def test_12_13_who_may_not_see_presence_any_more_loses_the_subscription(ending: str, at: str) -> None:
    async with a_service() as (host, owner, reader):
        await host.befriend("alice", "bob")
        for name, model in (("closed", "presence"), ("open", "open")):
            await owner.send(create(name, to=at, access_model=model))
            await reader.send(subscribe(name, "bob", to=at))
        reader.take()
        if ending == "remove":
            item_xml = "<item jid='bob@example.org' subscription='remove'/>"
            ending = f"<iq type='set' id='r'><query xmlns='jabber:iq:roster'>{item_xml}</query></iq>"
        await owner.send(ending)
        told = [stanza for stanza in reader.take() if stanza.startswith("<message")]
        reader.connection.sent.extend(stanza.encode() for stanza in told)
        reader.expect(event(subscription("closed", "bob", "none"), of=at))
        # It does not come back by itself.
        await host.befriend("alice", "bob")
        await owner.send(publish("closed", to=at), publish("open", to=at))
        assert ["open" in stanza for stanza in reader.take()] == [True]


async def test_7_1_who_leaves_the_group_loses_the_subscription_and_who_is_in_another_one_too_keeps_it() -> None:
    async with a_service() as (host, owner, reader):
        await host.befriend("alice", "bob", groups=("friends", "court"))
        config: dict[str, str | list[str]] = {"access_model": "roster", "roster_groups_allowed": ["friends", "court"]}
        await owner.send(create(NODE, to=ALICE, **config))
        await reader.send(subscribe(NODE, "bob", to=ALICE))
        await regroup(owner, "court")
        reader.take()
        await owner.send(publish(NODE, to=ALICE))
        reader.expect(items_event(NODE, item(), "bob/desk", PHONE, of=ALICE))
        await regroup(owner, "else")
        reader.expect(event(subscription(NODE, "bob", "none"), of=ALICE))
        denied = error("not-authorized", "auth", "not-in-roster-group", "bob/desk", of=ALICE)
        await refused(reader, get_items(NODE, to=ALICE), denied)


async def test_12_13_a_contact_of_another_server_loses_it_too() -> None:
    async with a_service() as (host, owner, _):
        partner = Partner(host)
        account = await host.storage.accounts.find(ALICE)
        assert account is not None
        contact = Contact("carol@example.net", state=SubscriptionState(to=True, from_=True))
        await host.storage.rosters.put(account.id, contact, 1000)
        host.host.rosters.forget(account.id)
        await owner.send(create(NODE, to=ALICE))
        request = subscribe(NODE, "carol@example.net", to=ALICE).replace("<iq ", "<iq from='carol@example.net/x' ")
        assert "subscribed" in (await partner.says(request))[0]
        came = await partner.says(f"<presence from='carol@example.net' to='{ALICE}' type='unsubscribe'/>")
        assert any('subscription="none"' in stanza for stanza in came)


async def test_4_1_a_member_reads_what_is_for_contacts_until_taken_off_the_list() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create(NODE, to=ALICE), publish(NODE, to=ALICE), affiliate(NODE, to=ALICE, bob="member"))
        await reader.send(subscribe(NODE, "bob", to=ALICE))
        reader.take()
        await owner.send(publish(NODE, to=ALICE))
        reader.expect(items_event(NODE, item(), "bob/desk", of=ALICE))
        await owner.send(affiliate(NODE, to=ALICE, bob="none"))
        reader.expect(event(subscription(NODE, "bob", "none"), of=ALICE))


async def test_9_1_3_what_becomes_known_of_a_stranger_later_counts() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create(NODE, to=ALICE, access_model="open"))
        await comes(reader, f"<presence to='{ALICE}'/>")
        await comes(reader, f"<presence>{CAPS}</presence>")
        await owner.send(publish(NODE, to=ALICE))
        reader.expect(items_event(NODE, item(), "bob/desk", of=ALICE))


# What a contact gains.


async def interested(host: Harness, reader: Client, *groups: str) -> None:
    await host.befriend("alice", "bob", groups=groups)
    reader.session.notify_nodes = frozenset({NODE, "urn:other"})
    reader.take()


async def test_12_1_who_comes_to_be_in_the_group_gets_the_last_item() -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create(NODE, to=ALICE, access_model="roster", roster_groups_allowed="friends"))
        await owner.send(publish(NODE, to=ALICE), publish("urn:other", to=ALICE))
        await interested(host, reader, "court")
        await regroup(owner, "court", "friends")
        reader.expect(items_event(NODE, item(), "bob/desk", PHONE + LATE, of=ALICE))
        await regroup(owner, "friends")
        reader.expect()


async def test_12_1_whom_another_access_model_lets_in_gets_the_last_item() -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create(NODE, to=ALICE, access_model="whitelist"), publish(NODE, to=ALICE))
        await interested(host, reader)
        await owner.send(configure(NODE, to=ALICE, access_model="presence"))
        reader.expect(items_event(NODE, item(), "bob/desk", PHONE + LATE, of=ALICE))
        # Who could read before has it.
        await owner.send(configure(NODE, to=ALICE, access_model="open"))
        reader.expect()


async def test_12_1_so_do_subscribers_and_guests() -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create(NODE, access_model="open"), publish(NODE))
        await reader.send(subscribe(NODE, "bob"))
        await owner.send(configure(NODE, access_model="whitelist"))
        reader.take()
        await owner.send(configure(NODE, access_model="open"))
        reader.expect(items_event(NODE, item(), "bob", LATE))
        partner = Partner(host)
        await owner.send(publish(NODE, to=ALICE))
        await partner.says(f"<presence from='carol@example.net/x' to='{ALICE}'>{CAPS}</presence>")
        asked = parse(partner.came[0])
        await partner.says(
            f"<iq type='result' id='{asked.get('id')}' from='carol@example.net/x' to='{ALICE}'>"
            "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc'/>"
            f"<feature var='{NODE}+notify'/></query></iq>"
        )
        assert partner.came == []
        assert await comes(reader, f"<presence to='{ALICE}'>{CAPS}</presence>") == []
        await owner.send(configure(NODE, to=ALICE, access_model="open"))
        (last,) = partner.came
        assert "urn:xmpp:delay" in last
        reader.expect(items_event(NODE, item(), "bob/desk", LATE, of=ALICE))
