"""XEP-0163 and XEP-0060 §9: an account as a service of its own, subscriptions by request, guests from elsewhere."""

from __future__ import annotations

import pytest

from parley.base.config import PepSettings
from parley.domain.contacts import Contact
from parley.domain.subscriptions import SubscriptionState
from parley.edges.xmpp.extensions.pubsub.guests import MAX_CONTACTS, MAX_DEVICES, MAX_STRANGERS, Guests
from parley.protocols.xmpp.caps import Caps, DiscoInfo, Identity, verification_string
from parley.protocols.xmpp.caps2 import caps2_to_bytes, hash_of
from parley.protocols.xmpp.jid import JID

from ...harness import Harness, address, parse
from .service import (
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
    from_device,
    get_items,
    item,
    items_event,
    publish,
    refused,
    result,
    subscribe,
    subscribed,
    subscription,
    unsubscribe,
)
from .test_approval import answer

ALICE = "alice@example.org"
NODE = "urn:song"
GUEST = "carol@example.net/phone"
CLIENT = DiscoInfo((Identity("client", "phone"),), (f"{NODE}+notify",))
CAPS = Caps("sha-1", "https://client.example", verification_string(CLIENT))


async def test_a_contact_subscribes_and_hears_without_capabilities() -> None:
    async with a_service() as (host, owner, reader):
        await host.befriend("alice", "bob")
        await owner.send(create(NODE, to=ALICE))
        await reader.ask(subscribe(NODE, "bob", to=ALICE), subscribed(NODE, "bob", "bob/desk", of=ALICE))
        await owner.send(publish(NODE, to=ALICE))
        # XEP-0163 §4.3.1: to each device that is known to be there.
        reader.expect(items_event(NODE, item(), "bob/desk", from_device("alice/phone"), of=ALICE))
        # Who asked by +notify as well hears it once.
        reader.session.notify_nodes = frozenset({NODE})
        await owner.send(publish(NODE, "2", to=ALICE))
        reader.expect(items_event(NODE, item("2"), "bob/desk", from_device("alice/phone"), of=ALICE))
        ended = event(subscription(NODE, "bob", "none"), of=ALICE)
        await reader.ask(unsubscribe(NODE, "bob", to=ALICE), result(to="bob/desk", of=ALICE), ended)


async def test_a_stranger_may_not_subscribe_to_what_only_contacts_see() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create(NODE, to=ALICE))
        denied = error("not-authorized", "auth", "presence-subscription-required", "bob/desk", of=ALICE)
        await refused(reader, subscribe(NODE, "bob", to=ALICE), denied)
        await owner.send(configure(NODE, to=ALICE, access_model="open"))
        await reader.ask(subscribe(NODE, "bob", to=ALICE), subscribed(NODE, "bob", "bob/desk", of=ALICE))


@pytest.mark.parametrize(("allow", "state"), [("true", "subscribed"), ("false", "none")])
async def test_8_6_the_owner_of_the_account_approves(allow: str, state: str) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create(NODE, to=ALICE, access_model="authorize"), publish(NODE, to=ALICE))
        owner.take()
        await reader.ask(subscribe(NODE, "bob", to=ALICE), subscribed(NODE, "bob", "bob/desk", "pending", ALICE))
        (asked,) = owner.take()
        assert (parse(asked).get("from"), parse(asked).get("to")) == (ALICE, ALICE)
        reply = answer(parse(asked).get("id"), allow, node=NODE).replace("pubsub.example.org", ALICE)
        await owner.send(reply)
        owner.expect()
        told = reader.take()[0]
        reader.connection.sent.append(told.encode())
        reader.expect(event(subscription(NODE, "bob", state), of=ALICE))
        # Forms of others are messages like any other.
        await owner.send(f"<message to='{ALICE}' type='chat'>{form('node_config')}<body>x</body></message>")
        assert "node_config" in "".join(owner.take())


async def test_publishers_publish_at_an_account() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create(NODE, to=ALICE), affiliate(NODE, to=ALICE, bob="publisher"))
        done = result(f"<publish node='{NODE}'><item id='1'/></publish>", "bob/desk", of=ALICE)
        await reader.ask(publish(NODE, to=ALICE), done)
        for request in (create("urn:x", to=ALICE), publish("urn:x", to=ALICE), configure(NODE, to=ALICE, title="T")):
            await refused(reader, request, error("forbidden", "auth", to="bob/desk", of=ALICE))
        # §8.9.2.4: nobody else becomes an owner.
        await owner.send(affiliate(NODE, to=ALICE, bob="owner"))
        assert "<not-acceptable " in owner.take()[-1]


async def test_contacts_count_as_subscribers_who_may_publish() -> None:
    async with a_service() as (host, owner, reader):
        await owner.send(create(NODE, to=ALICE, publish_model="subscribers"))
        await refused(reader, publish(NODE, to=ALICE), error("forbidden", "auth", to="bob/desk", of=ALICE))
        await host.befriend("alice", "bob")
        done = result(f"<publish node='{NODE}'><item id='1'/></publish>", "bob/desk", of=ALICE)
        await reader.ask(publish(NODE, to=ALICE), done)


async def test_own_subscriptions_at_an_account() -> None:
    async with a_service() as (host, owner, reader):
        await host.befriend("alice", "bob")
        await owner.send(create(NODE, to=ALICE))
        await reader.send(subscribe(NODE, "bob", to=ALICE))
        reader.take()
        listed = result(f"<subscriptions>{subscription(NODE, 'bob')}</subscriptions>", "bob/desk", of=ALICE)
        await reader.ask(ask("get", "<subscriptions/>", to=ALICE), listed)


async def test_there_are_bounds() -> None:
    async with a_service(pep=PepSettings(max_subscriptions=1, max_affiliations=1)) as (host, owner, reader):
        await host.befriend("alice", "bob")
        await owner.send(create(NODE, to=ALICE))
        await reader.send(subscribe(NODE, "bob", to=ALICE))
        full = error("policy-violation", "wait", "too-many-subscriptions", "bob/desk", of=ALICE)
        await refused(reader, subscribe(NODE, "bob/desk", to=ALICE), full)
        await owner.send(affiliate(NODE, to=ALICE, bob="member", carol="member"))
        assert "<resource-constraint " in owner.take()[-1]


async def test_xep_0191_who_is_blocked_hears_and_reads_nothing() -> None:
    async with a_service() as (host, owner, reader):
        await host.befriend("alice", "bob")
        await owner.send(create(NODE, to=ALICE, access_model="open"))
        await reader.send(subscribe(NODE, "bob", to=ALICE))
        reader.session.notify_nodes = frozenset({NODE})
        await host.host.blocking.block(owner.session.account, ["bob@example.org"], [])
        reader.take()
        await owner.send(publish(NODE, to=ALICE))
        reader.expect()
        await reader.send(get_items(NODE, to=ALICE))
        assert 'type="error"' in reader.take()[0]
        await owner.send(ask("set", f"<delete node='{NODE}'/>", OWNER, ALICE))
        reader.expect()


# Guests.


async def _befriend_abroad(host: Harness) -> None:
    account = await host.storage.accounts.find(ALICE)
    assert account is not None
    contact = Contact("carol@example.net", state=SubscriptionState(to=True, from_=True))
    await host.storage.rosters.put(account.id, contact, 1000)
    host.host.rosters.forget(account.id)


async def _comes(partner: Partner, announced: bytes, info: DiscoInfo = CLIENT) -> list[str]:
    """A guest shows presence and answers what it is asked; what it is sent then."""
    came = await partner.says(f"<presence from='{GUEST}' to='{ALICE}'>{announced.decode()}</presence>")
    questions = [stanza for stanza in came if "disco#info" in stanza]
    for question in questions:
        asked = parse(question)
        assert (asked.get("type"), asked.get("from"), asked.get("to")) == ("get", ALICE, GUEST)
        node = asked[0].get("node")
        came = await partner.says(
            f"<iq type='result' id='{asked.get('id')}' from='{GUEST}' to='{ALICE}'>{info.to_bytes(node).decode()}</iq>"
        )
    return [stanza for stanza in came if stanza.startswith("<message")]


@pytest.mark.parametrize("announced", [CAPS.to_bytes(), caps2_to_bytes([hash_of(CLIENT, "sha-256")])])
async def test_9_2_a_contact_of_another_server_hears_what_it_asked_for(announced: bytes) -> None:
    async with a_service() as (host, owner, _):
        partner = Partner(host)
        await _befriend_abroad(host)
        await owner.send(publish(NODE, to=ALICE), publish("urn:other", to=ALICE))
        (last,) = await _comes(partner, announced)
        assert parse(last).get("to") == GUEST
        assert "urn:xmpp:delay" in last
        assert 'type="replyto" jid="alice@example.org/phone"' in last
        partner.came.clear()
        await owner.send(publish(NODE, "2", to=ALICE), publish("urn:other", "2", to=ALICE))
        (told,) = partner.came
        assert f'node="{NODE}"' in told
        assert 'type="replyto" jid="alice@example.org/phone"' in told
        # It is asked once.
        assert await _comes(partner, announced) == []
        await partner.says(f"<presence from='{GUEST}' to='{ALICE}' type='unavailable'/>")
        await owner.send(publish(NODE, "3", to=ALICE))
        assert partner.came == []


@pytest.mark.parametrize(("model", "hears"), [("open", 1), ("presence", 0), ("whitelist", 0)])
async def test_9_1_3_who_shows_presence_hears_of_open_nodes(model: str, hears: int) -> None:
    async with a_service() as (host, owner, _):
        partner = Partner(host)
        await owner.send(create(NODE, to=ALICE, access_model=model))
        await _comes(partner, CAPS.to_bytes())
        partner.came.clear()
        await owner.send(publish(NODE, to=ALICE))
        assert len(partner.came) == hears
        # XEP-0163 §4.3.1: who does not see the presence MUST NOT learn of the device.
        assert "replyto" not in "".join(partner.came)


async def test_9_2_capabilities_that_lie_count_for_the_liar_alone() -> None:
    other = DiscoInfo(CLIENT.identities, ("urn:else+notify",))
    async with a_service() as (host, owner, reader):
        partner = Partner(host)
        await _befriend_abroad(host)
        await host.befriend("alice", "bob")
        await _comes(partner, CAPS.to_bytes(), other)
        partner.came.clear()
        await owner.send(publish(NODE, to=ALICE), publish("urn:else", to=ALICE))
        (told,) = partner.came
        assert 'node="urn:else"' in told
        await reader.send(f"<presence>{CAPS.to_bytes().decode()}</presence>")
        assert any("disco#info" in stanza for stanza in reader.take())


def test_strangers_take_nobodys_place() -> None:
    guests = Guests(Harness().host)
    contact = JID.parse(GUEST)
    guests.came(1, contact, is_contact=True)
    assert guests.asks(1, contact, frozenset({NODE})) == {NODE}
    for number in range(MAX_STRANGERS + 5):
        guests.came(1, JID.parse(f"s{number}@flood.example/x"), is_contact=False)
    assert guests.is_here(1, contact)
    assert len(guests.of(1)) == MAX_STRANGERS + 1
    for number in range(MAX_DEVICES + 5):
        guests.came(1, JID.parse(f"dave@example.net/{number}"), is_contact=True)
    assert sum(guest.local == "dave" for guest, _ in guests.of(1)) == MAX_DEVICES
    for number in range(MAX_CONTACTS + 5):
        guests.came(2, JID.parse(f"c{number}@example.net/x"), is_contact=True)
    assert len(guests.of(2)) == MAX_CONTACTS
    # Who becomes a contact, or comes again, keeps what was asked for.
    guests.came(1, contact, is_contact=False)
    assert guests.asks(1, contact, frozenset({NODE})) == frozenset()
    guests.left(1, contact)
    assert not guests.is_here(1, contact)
    assert guests.asks(1, contact, frozenset({NODE})) == frozenset()


def _bounce(condition: str, kind: str = "cancel", sender: str = GUEST, to: str = ALICE) -> str:
    inside = f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" if condition else ""
    return f"<message type='error' from='{sender}' to='{to}'><error type='{kind}'>{inside}</error></message>"


@pytest.mark.parametrize(
    ("bounce", "hears"),
    [
        (_bounce("service-unavailable"), 0),
        (_bounce("gone"), 0),
        (_bounce("remote-server-timeout", "wait"), 1),
        (_bounce(""), 1),
        (_bounce("gone", sender="carol@example.net/tablet"), 1),
        (_bounce("gone", to=f"{ALICE}/phone"), 1),
    ],
)
async def test_4_3_1_a_device_that_went_without_a_word_is_told_nothing_any_more(bounce: str, hears: int) -> None:
    async with a_service() as (host, owner, _):
        partner = Partner(host)
        await owner.send(create(NODE, to=ALICE, access_model="open"))
        await _comes(partner, CAPS.to_bytes())
        await partner.says(bounce)
        partner.came.clear()
        await owner.send(publish(NODE, to=ALICE))
        assert len(partner.came) == hears


@pytest.mark.parametrize(("condition", "hears"), [("gone", 0), ("item-not-found", 0), ("service-unavailable", 1)])
async def test_12_4_who_is_gone_loses_the_subscription(condition: str, hears: int) -> None:
    async with a_service() as (host, owner, _):
        partner = Partner(host)
        await owner.send(create(NODE, to=ALICE, access_model="open"))
        await partner.says(subscribe(NODE, GUEST, to=ALICE).replace("<iq ", f"<iq from='{GUEST}' "))
        owner.take()
        await partner.says(_bounce(condition))
        owner.expect()
        partner.came.clear()
        await owner.send(publish(NODE, to=ALICE))
        assert len(partner.came) == hears


async def test_an_owner_is_not_bothered_with_what_cannot_leave() -> None:
    async with a_service() as (host, owner, _):
        partner = Partner(host)
        await owner.send(create(NODE, to=ALICE, access_model="open"))
        await partner.says(subscribe(NODE, "carol@example.net", to=ALICE).replace("<iq ", f"<iq from='{GUEST}' "))
        host.host.federation = None
        await owner.ask(publish(NODE, to=ALICE), result(f"<publish node='{NODE}'><item id='1'/></publish>", of=ALICE))


async def test_items_of_an_account_are_read_from_elsewhere() -> None:
    async with a_service() as (host, owner, _):
        partner = Partner(host)
        await owner.send(create("urn:open", to=ALICE, access_model="open"), publish("urn:open", to=ALICE))
        await owner.send(publish(NODE, to=ALICE))
        request = get_items("urn:open", to=ALICE).replace("<iq ", f"<iq from='{GUEST}' ")
        (read,) = await partner.says(request)
        assert "Soliloquy" in read
        (closed,) = await partner.says(request.replace("urn:open", NODE))
        assert "presence-subscription-required" in closed
        (unknown,) = await partner.says(request.replace("urn:open", "urn:none"))
        assert "item-not-found" in unknown
        assert address("alice") == ALICE
