"""XEP-0441: what archives keep, and who may choose."""

from __future__ import annotations

import pytest

from parley.base.config import ArchiveSettings

from ..harness import Client, Harness, address, parse

NS = "urn:xmpp:mam:2"


def prefs(default: str, always: tuple[str, ...] = (), never: tuple[str, ...] = ()) -> str:
    lists = [
        f"<{name}>{''.join(f'<jid>{jid}</jid>' for jid in jids)}</{name}>"
        for name, jids in (("always", always), ("never", never))
    ]
    return f"<prefs xmlns='{NS}' default='{default}'>{''.join(lists)}</prefs>"


def answer(content: str, to: str = "alice/phone") -> str:
    return f"<iq type='result' id='1' to='{address(to)}'>{content}</iq>"


def refused(condition: str, kind: str, code: str) -> str:
    return (
        "<iq type='error' id='1' from='alice@example.org' to='alice@example.org/phone'>"
        f"<error type='{kind}' code='{code}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>*</text></error></iq>"
    )


async def choose(client: Client, content: str) -> None:
    """Set preferences, which apply from then on."""
    await client.ask(f"<iq type='set' id='1'>{content}</iq>", answer(content, str(client.session.jid)))


async def archived(client: Client) -> list[str]:
    """The ids of the messages in the client's archive."""
    client.take()
    await client.send(f"<iq type='set' id='1'><query xmlns='{NS}'/></iq>")
    *found, _end = [parse(stanza) for stanza in client.take()]
    return [message.find(".//{jabber:client}message").get("id") for message in found]


def chat(id_: str, to: str) -> str:
    return f"<message type='chat' id='{id_}' to='{address(to)}'><body>{id_}</body></message>"


async def test_they_are_read_and_changed() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        ask = f"<iq type='get' id='1'><prefs xmlns='{NS}'/></iq>"
        await phone.ask(ask, answer(prefs("always")))
        chosen = prefs("roster", ("bob@example.org", "carol@example.org/phone"), ("dave@example.org",))
        await choose(phone, chosen)
        await phone.ask(ask, answer(chosen))
        # §2.1.2: a list that is missing is an empty one.
        await phone.ask(f"<iq type='set' id='1'><prefs xmlns='{NS}' default='never'/></iq>", answer(prefs("never")))
        await phone.ask(ask, answer(prefs("never")))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (prefs("sometimes"), refused("bad-request", "modify", "400")),
        (f"<prefs xmlns='{NS}'/>", refused("bad-request", "modify", "400")),
        (prefs("always", never=("a@b@c",)), refused("jid-malformed", "modify", "400")),
        (prefs("always", tuple(f"a{n}@b.org" for n in range(1001))), refused("resource-constraint", "wait", "500")),
    ],
)
async def test_what_is_no_preference_changes_nothing(content: str, error: str) -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.ask(f"<iq type='set' id='1'>{content}</iq>", error)
        await phone.ask(f"<iq type='get' id='1'><prefs xmlns='{NS}'/></iq>", answer(prefs("always")))


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        (prefs("always"), ["contact", "in", "out", "self", "device"]),
        (prefs("never"), []),
        (prefs("roster"), ["contact", "self"]),
        (prefs("never", ("bob@example.org",)), ["in", "out", "device"]),
        (prefs("always", (), ("bob@example.org",)), ["contact", "self"]),
        (prefs("always", (), ("bob@example.org/desk",)), ["contact", "out", "self"]),
        (prefs("always", ("bob@example.org/desk",), ("bob@example.org",)), ["contact", "in", "self", "device"]),
        (prefs("roster", ("bob@example.org",), ("carol@example.org",)), ["in", "out", "self", "device"]),
    ],
)
async def test_they_hold_for_both_directions_and_for_their_owner_alone(chosen: str, kept: list[str]) -> None:
    async with Harness() as host:
        await host.add("alice", "bob", "carol")
        await host.befriend("alice", "carol")
        phone, desk = await host.connect("alice/phone"), await host.connect("bob/desk", presence="")
        await choose(phone, chosen)
        await phone.send(chat("contact", "carol"))
        await desk.send(chat("in", "alice"))
        await phone.send(chat("out", "bob"), chat("self", "alice"), chat("device", "bob/desk"))
        assert await archived(phone) == kept
        assert await archived(desk) == ["in", "out", "device"]


async def test_what_is_not_archived_is_delivered_without_an_id() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone = await host.connect("alice/phone")
        await choose(phone, prefs("never"))
        bob = await host.connect("bob/desk")
        await bob.send(chat("away", "alice"))
        await phone.send("<presence/>")
        (waited,) = [parse(stanza) for stanza in phone.take() if "away" in stanza]
        await bob.send(chat("there", "alice"))
        (came,) = [parse(stanza) for stanza in phone.take() if "there" in stanza]
        assert [waited.find("{urn:xmpp:sid:0}stanza-id"), came.find("{urn:xmpp:sid:0}stanza-id")] == [None, None]
        assert waited.find("{urn:xmpp:delay}delay") is not None
        assert await archived(phone) == []


async def test_a_copy_for_the_senders_other_device_has_the_id_of_the_senders_archive_alone() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, tablet = await host.connect("alice/phone"), await host.connect("alice/tablet")
        await tablet.send("<iq type='set' id='1'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
        bob = await host.connect("bob/desk", presence="")
        await choose(phone, prefs("never"))
        tablet.take()
        await phone.send(chat("m1", "bob"))
        assert ["stanza-id" in stanza for stanza in (*tablet.take(), *bob.take())] == [False, True]


async def test_where_they_are_fixed_nobody_chooses() -> None:
    async with Harness(archive=ArchiveSettings(preferences="fixed")) as host:
        account = await host.add("alice", "bob")
        phone, bob = await host.connect("alice/phone"), await host.connect("bob/desk")
        await choose(phone, prefs("always"))
        for content in (prefs("never"), prefs("always", never=("bob@example.org",))):
            await phone.ask(f"<iq type='set' id='1'>{content}</iq>", refused("not-allowed", "cancel", "405"))
        await phone.send(chat("m1", "bob"))
        assert [await archived(phone), await archived(bob)] == [["m1"], ["m1"]]
        assert await host.storage.preferences.get(account.id) is None


async def test_a_default_of_the_server() -> None:
    async with Harness(archive=ArchiveSettings(default="roster")) as host:
        await host.add("alice", "bob", "carol")
        await host.befriend("alice", "carol")
        phone = await host.connect("alice/phone")
        await phone.ask(f"<iq type='get' id='1'><prefs xmlns='{NS}'/></iq>", answer(prefs("roster")))
        await phone.send(chat("m1", "bob"), chat("m2", "carol"))
        assert await archived(phone) == ["m2"]
