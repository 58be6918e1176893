"""Two servers and a name system: what people on one say reaches those on the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.edges.xmpp.federation.net import got, one, two_servers, until

from parley.protocols.xmpp.element import Element

HI = "<message to='bob@beta.example' type='chat' id='1'><body>hi</body></message>"
HI_ARRIVED = (
    "<message from='alice@alpha.example/a' to='bob@beta.example' type='chat' id='1'><body>hi</body>"
    "<stranger xmlns='urn:parley:stranger:0'/>"
    "<stanza-id xmlns='urn:xmpp:sid:0' by='bob@beta.example' id='*'/></message>"
)


async def test_a_message_and_its_answer(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(HI)
        await got(bob, HI_ARRIVED)
        await bob.send("<message to='alice@alpha.example/a' type='chat' id='2'><body>yes</body></message>")
        await got(
            alice,
            "<message from='bob@beta.example/b' to='alice@alpha.example/a' type='chat' id='2'><body>yes</body>"
            "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@alpha.example' id='*'/></message>",
        )
        # Both directions share the stream that the first message opened.
        assert alpha.streams == ["out"]
        assert beta.streams == ["in"]
        # What the partner has acknowledged waits no longer.
        await alpha.delivered()


async def test_the_other_devices_of_both_get_copies(tmp_path: Path) -> None:
    enable = "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        alice2 = await alpha.connect("alice@alpha.example/second", presence="<priority>-1</priority>")
        bob2 = await beta.connect("bob@beta.example/second", presence="<priority>-1</priority>")
        for client in (alice2, bob2):
            await client.send(enable)
            client.take()
        await alice.send(HI)
        await one(bob, "<body>hi")
        assert "<received" in await one(bob2, "<body>hi")
        assert "<sent" in await one(alice2, "<body>hi")


async def test_what_a_rooms_occupant_says_in_private_is_copied_for_who_says_it_alone(tmp_path: Path) -> None:
    # XEP-0280 §6.1: the recipient's devices get it from the room, each that is in it.
    enable = "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
    private = "<x xmlns='http://jabber.org/protocol/muc#user'/>"
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        alice2 = await alpha.connect("alice@alpha.example/second", presence="<priority>-1</priority>")
        bob2 = await beta.connect("bob@beta.example/second", presence="<priority>-1</priority>")
        for client in (alice2, bob2):
            await client.send(enable)
            client.take()
        elsewhere = await alpha.connect("alice@alpha.example/third", presence="<priority>-1</priority>")
        await elsewhere.send(enable)
        # Of the author's devices those have it that are in the room, which shows by the presence that they sent there.
        await alice2.send("<presence to='bob@beta.example'/>")
        elsewhere.take()
        await alice.send(
            f"<message to='bob@beta.example/b' type='chat' id='1'><body>psst</body>{private}</message>",
            "<message to='bob@beta.example/b' type='chat' id='2'><body>hi</body></message>",
        )
        await one(bob, "<body>psst")
        await one(bob, "<body>hi")
        assert "<sent" in await one(alice2, "<body>psst")
        await until(lambda: len(elsewhere.connection.sent) > 0)
        assert ["<body>hi" in copy for copy in elsewhere.take()] == [True]
        copies = [text for text in bob2.take() if "<received" in text]
        assert ["<body>hi" in copy for copy in copies] == [True]


async def test_what_is_private_is_copied_on_neither_side(tmp_path: Path) -> None:
    # XEP-0280 §9: both servers leave it alone, and the recipient's takes the word out.
    enable = "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        alice2 = await alpha.connect("alice@alpha.example/second", presence="<priority>-1</priority>")
        bob2 = await beta.connect("bob@beta.example/second", presence="<priority>-1</priority>")
        for client in (alice2, bob2):
            await client.send(enable)
            client.take()
        private = "<body>psst</body><private xmlns='urn:xmpp:carbons:2'/>"
        await alice.send(
            f"<message to='bob@beta.example/b' type='chat' id='1'>{private}</message>",
            "<message to='bob@beta.example/b' type='chat' id='2'><body>hi</body></message>",
        )
        assert "<private" not in await one(bob, "<body>psst")
        for client in (alice2, bob2):
            await until(lambda sent=client.connection.sent: any(b"<body>hi" in stanza for stanza in sent))
            assert "psst" not in "".join(client.take())


async def test_many_messages_keep_their_order(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        # Who was written to is no stranger.
        await bob.send("<message to='alice@alpha.example' type='chat' id='w'><body>write</body></message>")
        await one(alice, "<body>write")
        stanzas = []
        for number in range(150):
            stanzas.append(f"<message to='bob@beta.example' type='chat' id='{number}'><body>{number}</body></message>")
            stanzas.append(
                f"<message to='bob@beta.example' type='chat' id='t{number}'>"
                "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
            )
        await alice.send(*stanzas)
        await until(lambda: len(bob.connection.sent) == len(stanzas))
        ids = [re.search(r' id="(t?\d+)"', text)[1] for text in bob.take()]  # type: ignore[index]
        assert ids == [name for number in range(150) for name in (str(number), f"t{number}")]


@pytest.mark.parametrize(
    ("kind", "payload", "condition"),
    [
        ("set", "<query xmlns='urn:xmpp:mam:2'/>", "forbidden"),
        ("get", "<metadata xmlns='urn:xmpp:mam:2'/>", "forbidden"),
        ("set", "<enable xmlns='urn:xmpp:carbons:2'/>", "not-allowed"),
        ("set", "<disable xmlns='urn:xmpp:carbons:2'/>", "not-allowed"),
    ],
)
async def test_what_is_its_owners_alone(tmp_path: Path, kind: str, payload: str, condition: str) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        await beta.connect("bob@beta.example/b", presence="")
        await alice.send(f"<iq to='bob@beta.example' type='{kind}' id='q'>{payload}</iq>")
        assert f"<{condition} " in await one(alice, 'id="q"')


async def test_requests_and_their_answers(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send("<iq to='beta.example' type='get' id='s'><ping xmlns='urn:xmpp:ping'/></iq>")
        await got(alice, "<iq from='beta.example' to='alice@alpha.example/a' type='result' id='s'/>")
        await alice.send("<iq to='bob@beta.example/b' type='get' id='c'><x xmlns='urn:x'/></iq>")
        await got(
            bob, "<iq from='alice@alpha.example/a' to='bob@beta.example/b' type='get' id='c'><x xmlns='urn:x'/></iq>"
        )
        await bob.send("<iq to='alice@alpha.example/a' type='result' id='c'/>")
        await got(alice, "<iq from='bob@beta.example/b' to='alice@alpha.example/a' type='result' id='c'/>")


@pytest.mark.parametrize(
    "stanza",
    [
        "<message to='nobody@beta.example' type='chat' id='1'><body>hi</body></message>",
        "<iq to='bob@beta.example/gone' type='get' id='1'><x xmlns='urn:x'/></iq>",
        "<iq to='beta.example' type='get' id='1'><x xmlns='urn:x'/></iq>",
    ],
)
async def test_what_nobody_takes_there_is_answered_with_an_error(tmp_path: Path, stanza: str) -> None:
    async with two_servers(tmp_path) as (alpha, _beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        await alice.send(stanza)
        assert "<service-unavailable" in await one(alice, 'type="error"')


async def test_both_write_first(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        alice.session.receive(Element.from_bytes(HI.encode()))
        bob.session.receive(
            Element.from_bytes(b"<message to='alice@alpha.example' type='chat' id='2'><body>you</body></message>")
        )
        await one(bob, "<body>hi")
        await one(alice, "<body>you")
        await alice.send(HI.replace("hi", "again"))
        await one(bob, "<body>again")


async def test_who_is_away_finds_the_message_later(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        await alice.send(HI)
        await alpha.delivered()
        bob = await beta.connect("bob@beta.example/b")
        await bob.send("<presence/>")
        assert "<delay" in await one(bob, "<body>hi")


async def test_transcripts_hold_no_credentials(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(5, logger="parley.edges.xmpp.federation.connection")
    private = "<x xmlns='urn:xmpp:push:0' secret='sesame'/>"
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(HI)
        await got(bob, HI_ARRIVED)
        await alice.send(f"<message to='bob@beta.example' type='chat' id='2'><body>ho</body>{private}</message>")
        await one(bob, "<body>ho")
    contents = [str(getattr(record, "parley_attributes", {}).get("pii.content")) for record in caplog.records]
    assert any("<body>hi" in content for content in contents)
    assert not any("sesame" in content for content in contents)
