"""XEP-0049."""

from __future__ import annotations

import pytest

from parley.base.config import PersonalSettings

from ..harness import Client, Harness, parse

DONE = "<iq type='result' id='1' to='alice@example.org/phone'/>"


def stanza(kind: str, content: str, to: str = "") -> str:
    return f"<iq type='{kind}' id='1'{to}><query xmlns='jabber:iq:private'>{content}</query></iq>"


def stored(content: str) -> str:
    query = f"<query xmlns='jabber:iq:private'>{content}</query>"
    return f"<iq type='result' id='1' to='alice@example.org/phone'>{query}</iq>"


async def refused(client: Client, sent: str) -> str:
    client.take()
    await client.send(sent)
    (answer,) = client.take()
    return parse(answer).find("{jabber:client}error")[0].tag.partition("}")[2]


async def test_what_was_stored_comes_back() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        prefs = "<exodus xmlns='exodus:prefs' a='1'>t&lt;<nick>Hamlet</nick> <x:y xmlns:x='urn:x'/></exodus>"
        await phone.ask(stanza("get", "<exodus xmlns='exodus:prefs'/>"), stored("<exodus xmlns='exodus:prefs'/>"))
        await phone.ask(stanza("set", prefs), DONE)
        await phone.ask(stanza("get", "<exodus xmlns='exodus:prefs'/>"), stored(prefs))
        await phone.ask(stanza("get", "<other xmlns='exodus:prefs'/>"), stored("<other xmlns='exodus:prefs'/>"))
        await phone.ask(stanza("set", "<exodus xmlns='exodus:prefs'/>"), DONE)
        await phone.ask(stanza("get", "<exodus xmlns='exodus:prefs'/>"), stored("<exodus xmlns='exodus:prefs'/>"))


async def test_several_at_once() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.ask(stanza("set", "<a xmlns='urn:a'>1</a><b xmlns='urn:a'/><a xmlns='urn:a'>2</a>"), DONE)
        await phone.ask(stanza("get", "<a xmlns='urn:a'/>"), stored("<a xmlns='urn:a'>1</a><a xmlns='urn:a'>2</a>"))


@pytest.mark.parametrize(
    ("kind", "content", "condition"),
    [
        ("get", "", "bad-request"),
        ("get", "<a xmlns='urn:a'/><b xmlns='urn:b'/>", "bad-request"),
        ("set", "", "not-acceptable"),
        ("set", "<a/>", "not-acceptable"),
        ("set", "<a xmlns=''/>", "not-acceptable"),
        ("get", "<vCard xmlns='vcard-temp'/>", "not-acceptable"),
        ("set", "<query xmlns='jabber:iq:roster'>x</query>", "not-acceptable"),
        ("set", "<x xmlns='http://jabber.org/protocol/x'>x</x>", "not-acceptable"),
    ],
)
async def test_what_cannot_be_stored(kind: str, content: str, condition: str) -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        assert await refused(phone, stanza(kind, content)) == condition


async def test_nobody_else_stores_or_reads() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone = await host.connect("alice/phone")
        for kind in ("get", "set"):
            assert await refused(phone, stanza(kind, "<a xmlns='urn:a'>1</a>", " to='bob@example.org'")) == "forbidden"


async def test_room_is_limited() -> None:
    async with Harness(personal=PersonalSettings(max_private_elements=1)) as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.ask(stanza("set", "<a xmlns='urn:a'>1</a>"), DONE)
        assert await refused(phone, stanza("set", "<b xmlns='urn:a'>1</b>")) == "resource-constraint"
