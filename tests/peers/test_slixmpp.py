"""slixmpp against a real server: sign-in, contacts, messages, archive, resumption, personal eventing, uploads."""

from __future__ import annotations

import asyncio
import secrets
from xml.etree import ElementTree as ET

import httpx
import pytest
from slixmpp.exceptions import IqError
from tests.support.limits import until, within
from tests.support.server import ParleyServer, Person
from tests.support.slix import SlixClient, Transport, befriend, signed_in

pytestmark = pytest.mark.peer

TUNE = "http://jabber.org/protocol/tune"


def bare(client: SlixClient) -> str:
    return str(client.boundjid.bare)


@pytest.mark.parametrize("transport", ["starttls", "tls", "plain"])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@within(90)
async def test_signs_in(server: ParleyServer, transport: Transport, mechanism: str) -> None:
    client = SlixClient(server.person(), transport=transport, mechanism=mechanism)
    async with signed_in(server, client):
        assert client.boundjid.full == f"{client.person.address}/slix"
        assert client.plugin["feature_mechanisms"].mech.name == mechanism


@pytest.mark.parametrize("transport", ["starttls", "tls"])
@within(90)
async def test_signs_in_with_plain_under_tls(server: ParleyServer, transport: Transport) -> None:
    client = SlixClient(server.person(), transport=transport, mechanism="PLAIN")
    async with signed_in(server, client):
        assert client.boundjid.bare == client.person.address


@within(90)
async def test_picks_the_strongest_mechanism_that_it_can_use(server: ParleyServer) -> None:
    client = SlixClient(server.person())
    async with signed_in(server, client):
        assert client.plugin["feature_mechanisms"].mech.name.startswith("SCRAM-SHA-512")


@within(90)
async def test_wrong_password_is_refused(server: ParleyServer) -> None:
    person = server.person()
    client = SlixClient(Person(person.address, "wrong"))
    with pytest.raises(PermissionError):
        await client.sign_in(server)
    await client.leave()


@within(90)
async def test_roster_is_set_got_and_removed(server: ParleyServer) -> None:
    person = server.person()
    client = SlixClient(person)
    async with signed_in(server, client):
        await client.update_roster("friend@localhost", name="A Friend", groups=["Work", "Choir"])
        await until(lambda: client.client_roster["friend@localhost"]["name"] == "A Friend")
    again = SlixClient(person)
    async with signed_in(server, again):
        item = again.client_roster["friend@localhost"]
        assert (item["name"], sorted(item["groups"])) == ("A Friend", ["Choir", "Work"])
        await again.del_roster_item("friend@localhost")
        await until(lambda: "friend@localhost" not in again.client_roster)
        answer = await again.get_roster()
        assert answer is None or not answer["roster"]["items"]


@within(90)
async def test_roster_version_saves_sending_it_again(server: ParleyServer) -> None:
    client = SlixClient(server.person())
    async with signed_in(server, client):
        assert "rosterver" in client.features
        await client.update_roster("one@localhost", name="One")
        await until(lambda: client.client_roster["one@localhost"]["name"] == "One")
        unchanged = client.make_iq_get()
        unchanged["roster"]["ver"] = client.client_roster.version
        answer = await unchanged.send()
        assert answer.xml.find("{jabber:iq:roster}query") is None
        stale = client.make_iq_get()
        stale["roster"]["ver"] = ""
        assert "one@localhost" in (await stale.send())["roster"]["items"]


@within(90)
async def test_roster_push_reaches_the_other_device(server: ParleyServer) -> None:
    person = server.person()
    phone, desktop = SlixClient(person, "phone"), SlixClient(person, "desktop")
    async with signed_in(server, phone, desktop):
        await phone.update_roster("new@localhost", name="New")
        await until(lambda: desktop.client_roster["new@localhost"]["name"] == "New")


@within(90)
async def test_subscription_both_ways_shows_presence(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    async with signed_in(server, alice, bob):
        await befriend(alice, bob)
        bob.send_presence(pshow="away", pstatus="at lunch")
        await until(lambda: any(p["status"] == "at lunch" for p in alice.presences))
        shown = next(p for p in alice.presences if p["status"] == "at lunch")
        assert (str(shown["from"]), shown["show"]) == (bob.boundjid.full, "away")
        bob.send_presence(ptype="unavailable")
        await until(lambda: any(p["type"] == "unavailable" and p["from"] == bob.boundjid for p in alice.presences))


@within(90)
async def test_subscription_is_refused(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    bob.auto_authorize = False
    async with signed_in(server, alice, bob):
        alice.send_presence_subscription(pto=bare(bob))
        await until(lambda: any(p["type"] == "unsubscribed" for p in alice.presences))
        assert alice.client_roster[bare(bob)]["subscription"] == "none"


@within(90)
async def test_request_waits_for_somebody_who_is_away(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    bob.auto_authorize = None
    async with signed_in(server, alice):
        alice.send_presence_subscription(pto=bob.person.address)
        await until(lambda: alice.client_roster[bob.person.address]["pending_out"])
        async with signed_in(server, bob):
            await until(lambda: any(p["type"] == "subscribe" and p["from"].bare == bare(alice) for p in bob.presences))


@within(90)
async def test_messages_both_ways(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    async with signed_in(server, alice, bob):
        alice.send_message(bare(bob), "Grüße, 你好, 🎤 & <tags>", mtype="chat")
        received = await bob.receive(lambda message: message["body"])
        assert received["body"] == "Grüße, 你好, 🎤 & <tags>"
        assert received["from"] == alice.boundjid
        received.reply("back").send()
        assert (await alice.receive_body("back"))["from"] == bob.boundjid


@within(90)
async def test_message_to_nobody_comes_back(server: ParleyServer) -> None:
    alice = SlixClient(server.person())
    async with signed_in(server, alice):
        alice.send_message("nobody@localhost", "hello", mtype="chat")
        error = await alice.receive(lambda message: message["type"] == "error")
        assert error["error"]["condition"] == "service-unavailable"


@within(90)
async def test_carbons_show_both_directions_to_the_other_device(server: ParleyServer) -> None:
    person = server.person()
    phone, desktop, bob = SlixClient(person, "phone"), SlixClient(person, "desktop"), SlixClient(server.person())
    copies: list[tuple[str, str]] = []
    for direction in ("received", "sent"):
        desktop.add_event_handler(
            f"carbon_{direction}",
            lambda message, direction=direction: copies.append((direction, message[f"carbon_{direction}"]["body"])),
        )
    async with signed_in(server, phone, desktop, bob):
        await desktop.plugin["xep_0280"].enable()
        phone.send_message(bare(bob), "from the phone", mtype="chat")
        await until(lambda: ("sent", "from the phone") in copies)
        bob.send_message(phone.boundjid.full, "to the phone", mtype="chat")
        await until(lambda: ("received", "to the phone") in copies)
        await phone.receive_body("to the phone")
        assert len(copies) == 2
        await desktop.plugin["xep_0280"].disable()
        phone.send_message(bare(bob), "unseen", mtype="chat")
        await bob.receive_body("unseen")
        await desktop.plugin["xep_0199"].send_ping("localhost")
        assert len(copies) == 2


@within(90)
async def test_receipts_and_chat_states(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    receipts: list[str] = []
    states: list[str] = []
    alice.add_event_handler("receipt_received", lambda message: receipts.append(message["receipt"]))
    bob.add_event_handler("chatstate", lambda message: states.append(message["chat_state"]))
    async with signed_in(server, alice, bob):
        typing = alice.make_message(bare(bob), mtype="chat")
        typing["chat_state"] = "composing"
        typing.send()
        await until(lambda: states == ["composing"])
        message = alice.make_message(bare(bob), "Did it arrive?", mtype="chat")
        message["request_receipt"] = True
        message.send()
        await until(lambda: receipts == [message["id"]])


@within(90)
async def test_archive_is_paged_both_ways(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    texts = [f"message {number}" for number in range(25)]
    async with signed_in(server, alice, bob):
        for text in texts:
            alice.send_message(bare(bob), text, mtype="chat")
        await until(lambda: bob.bodies == texts)
        for client, with_jid in ((alice, bare(bob)), (bob, bare(alice))):
            for is_reverse in (False, True):
                found = [
                    result["mam_result"]["forwarded"]["stanza"]["body"]
                    async for result in client.plugin["xep_0313"].iterate(
                        with_jid=with_jid, rsm={"max": 10}, reverse=is_reverse
                    )
                ]
                assert found == (texts[::-1] if is_reverse else texts)
        answer = await alice.plugin["xep_0313"].retrieve(with_jid="nobody@localhost")
        assert answer["mam_fin"]["rsm"]["count"] in ("0", "")


@within(90)
async def test_archive_has_the_ids_that_messages_came_with(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    async with signed_in(server, alice, bob):
        alice.send_message(bare(bob), "identified", mtype="chat")
        live = await bob.receive_body("identified")
        answer = await bob.plugin["xep_0313"].retrieve(with_jid=bare(alice))
        (result,) = answer["mam"]["results"]
        assert live["stanza_id"]["by"] == bare(bob)
        assert result["mam_result"]["id"] == live["stanza_id"]["id"]


@within(90)
async def test_resumption_after_a_cut_loses_and_doubles_nothing(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    resumed: list[object] = []
    ends: list[object] = []
    alice.add_event_handler("session_resumed", resumed.append)
    alice.add_event_handler("session_end", ends.append)
    to_alice = [f"to alice {number}" for number in range(60)]
    to_bob = [f"to bob {number}" for number in range(60)]
    async with signed_in(server, alice, bob):
        for number, text in enumerate(to_alice):
            bob.send_message(bare(alice), text, mtype="chat")
            alice.send_message(bare(bob), to_bob[number], mtype="chat")
            if number in (20, 40):
                # What slixmpp has not written when the connection breaks, it writes to the next one before signing in.
                await until(alice.waiting_queue.empty)
                is_down = asyncio.Event()
                alice.add_event_handler("disconnected", lambda _, down=is_down: down.set(), disposable=True)
                alice.transport.abort()
                await is_down.wait()
                count = len(resumed)
                alice.connect("127.0.0.1", server.c2s_port)
                await until(lambda count=count: len(resumed) > count)
        await until(lambda: len(alice.bodies) >= 60 and len(bob.bodies) >= 60)
        await alice.plugin["xep_0199"].send_ping("localhost")
        await bob.plugin["xep_0199"].send_ping("localhost")
        assert alice.bodies == to_alice
        assert bob.bodies == to_bob
        assert not ends


@within(90)
async def test_personal_events_are_published_and_pushed(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    events: list[str] = []

    def seen(message: object) -> None:
        item = ET.tostring(message.xml, encoding="unicode")  # type: ignore[attr-defined]
        events.append(item)

    bob.plugin["xep_0060"].map_node_event(TUNE, "tune")
    bob.plugin["xep_0163"].add_interest(TUNE)
    bob.add_event_handler("tune_publish", seen)
    async with signed_in(server, alice, bob):
        await befriend(alice, bob)
        tune = ET.Element(f"{{{TUNE}}}tune")
        ET.SubElement(tune, f"{{{TUNE}}}title").text = "Heart of the Sunrise"
        await alice.plugin["xep_0060"].publish(bare(alice), TUNE, id="current", payload=tune)
        await until(lambda: any("Heart of the Sunrise" in event for event in events))
        items = await bob.plugin["xep_0060"].get_items(bare(alice), TUNE)
        assert [item["id"] for item in items["pubsub"]["items"]] == ["current"]
        await alice.plugin["xep_0060"].retract(bare(alice), TUNE, "current")
        items = await bob.plugin["xep_0060"].get_items(bare(alice), TUNE)
        assert not list(items["pubsub"]["items"])


@within(90)
async def test_last_personal_event_reaches_who_comes_later(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    events: list[object] = []
    bob.plugin["xep_0060"].map_node_event(TUNE, "tune")
    bob.plugin["xep_0163"].add_interest(TUNE)
    bob.add_event_handler("tune_publish", events.append)
    async with signed_in(server, alice):
        async with signed_in(server, bob):
            await befriend(alice, bob)
        await alice.plugin["xep_0060"].publish(bare(alice), TUNE, id="current", payload=ET.Element(f"{{{TUNE}}}tune"))
        assert not events
        async with signed_in(server, bob):
            await until(lambda: events)


@within(90)
async def test_personal_events_are_hidden_from_strangers(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    async with signed_in(server, alice, bob):
        await alice.plugin["xep_0060"].publish(bare(alice), TUNE, id="x", payload=ET.Element(f"{{{TUNE}}}tune"))
        with pytest.raises(IqError) as refused:
            await bob.plugin["xep_0060"].get_items(bare(alice), TUNE)
        assert refused.value.condition == "not-authorized"
        with pytest.raises(IqError) as missing:
            await alice.plugin["xep_0060"].get_items(bare(alice), "no:such:node")
        assert missing.value.condition == "item-not-found"


@within(90)
async def test_upload_slot_is_filled_and_read(server: ParleyServer) -> None:
    client = SlixClient(server.person())
    content = secrets.token_bytes(100_000)
    async with signed_in(server, client), httpx.AsyncClient() as http:
        slot = await client.upload_slot("voice message.ogg", len(content), "audio/ogg")
        put = await http.put(slot.put, content=content, headers={**slot.headers, "Content-Type": "audio/ogg"})
        assert put.status_code == 201
        got = await http.get(slot.get)
        assert got.status_code == 200
        assert got.content == content


@within(90)
async def test_too_large_a_slot_is_refused(server: ParleyServer) -> None:
    client = SlixClient(server.person())
    async with signed_in(server, client):
        with pytest.raises(IqError) as refused:
            await client.upload_slot("x.bin", 10**15, "audio/ogg")
        assert refused.value.condition == "not-acceptable"


@within(90)
async def test_discovery_version_and_ping(server: ParleyServer) -> None:
    client = SlixClient(server.person())
    async with signed_in(server, client):
        domain = await client.plugin["xep_0030"].get_info("localhost")
        assert ("server", "im") in {identity[:2] for identity in domain["disco_info"]["identities"]}
        own = await client.plugin["xep_0030"].get_info(bare(client))
        assert {"urn:xmpp:mam:2", f"{'http://jabber.org/protocol/pubsub'}#publish"} <= set(
            own["disco_info"]["features"]
        )
        items = await client.plugin["xep_0030"].get_items("localhost")
        assert "upload.localhost" in {str(item[0]) for item in items["disco_items"]["items"]}
        version = await client.plugin["xep_0092"].get_version("localhost")
        assert version["software_version"]["name"] == "Parley"
        assert await client.plugin["xep_0199"].ping("localhost") > 0


@within(90)
async def test_offline_messages_wait_in_order_and_come_once(server: ParleyServer) -> None:
    alice, bob = SlixClient(server.person()), SlixClient(server.person())
    texts = [f"while you were out {number}" for number in range(5)]
    async with signed_in(server, alice):
        for text in texts:
            alice.send_message(bob.person.address, text, mtype="chat")
        await alice.plugin["xep_0199"].send_ping("localhost")
    async with signed_in(server, bob):
        await until(lambda: len(bob.bodies) == 5)
        assert bob.bodies == texts
        assert all(message["delay"]["stamp"] for message in bob.messages if message["body"])
    again = SlixClient(bob.person)
    async with signed_in(server, again):
        await again.plugin["xep_0199"].send_ping("localhost")
        assert again.bodies == []


@within(90)
async def test_same_resource_replaces_the_older_session(server: ParleyServer) -> None:
    person = server.person()
    first, second = SlixClient(person, "phone"), SlixClient(person, "phone")
    async with signed_in(server, first), signed_in(server, second):
        await until(lambda: "conflict" in first.failures)
        assert second.boundjid.full == f"{person.address}/phone"
        await second.plugin["xep_0199"].send_ping("localhost")
