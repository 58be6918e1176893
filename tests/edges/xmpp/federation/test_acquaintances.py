"""Strangers of a partner: marked and bounded; whom people know is neither."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.edges.xmpp.federation.net import Server, got, one, two_servers, until
from tests.edges.xmpp.harness import Client

MARK = "<stranger xmlns='urn:parley:stranger:0'/>"
HI = "<message to='bob@beta.example' type='chat' id='{0}'><body>hi</body></message>"


def arrived(number: int, *, is_marked: bool) -> str:
    return (
        f"<message from='alice@alpha.example/a' to='bob@beta.example' type='chat' id='{number}'><body>hi</body>"
        f"{MARK if is_marked else ''}<stanza-id xmlns='urn:xmpp:sid:0' by='bob@beta.example' id='*'/></message>"
    )


async def people(alpha: Server, beta: Server) -> tuple[Client, Client]:
    return (
        await alpha.connect("alice@alpha.example/a", presence=""),
        await beta.connect("bob@beta.example/b", presence=""),
    )


async def test_a_stranger_is_marked_until_somebody_answers(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await people(alpha, beta)
        await alice.send(HI.format(1))
        await got(bob, arrived(1, is_marked=True))
        await alice.send(HI.format(2))
        await got(bob, arrived(2, is_marked=True))
        await bob.send("<message to='alice@alpha.example/a' type='chat' id='3'><body>who are you?</body></message>")
        # She wrote to him first: he is no stranger to her.
        assert "urn:parley:stranger" not in await one(alice, "who are you")
        await alice.send(HI.format(4))
        await got(bob, arrived(4, is_marked=False))


async def test_who_was_written_to_before_the_restart_is_known(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await people(alpha, beta)
        await bob.send("<message to='alice@alpha.example' type='chat' id='1'><body>hi</body></message>")
        await one(alice, "hi")
        beta.host.acquaintances._cache.clear()
        await alice.send(HI.format(2))
        await got(bob, arrived(2, is_marked=False))


async def test_a_contact_is_no_stranger(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await people(alpha, beta)
        item = "<item jid='alice@alpha.example'/>"
        await bob.send(f"<iq type='set' id='r'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
        await one(bob, 'id="r"')
        await alice.send(HI.format(1))
        await got(bob, arrived(1, is_marked=False))


async def test_strangers_have_a_bound_and_are_told(tmp_path: Path) -> None:
    options = {"federation": {"stranger_messages_per_hour": 4}}
    async with two_servers(tmp_path, **options) as (alpha, beta):
        alice, bob = await people(alpha, beta)
        for number in range(4):
            await alice.send(HI.format(number))
        refused = await one(alice, 'type="error"')
        assert all(part in refused for part in ('id="2"', "<resource-constraint", 'type="wait"'))
        await got(bob, arrived(0, is_marked=True), arrived(1, is_marked=True))


async def test_typing_and_errors_pass_unmarked(tmp_path: Path) -> None:
    options = {"federation": {"stranger_messages_per_hour": 2}}
    async with two_servers(tmp_path, **options) as (alpha, beta):
        alice, bob = await people(alpha, beta)
        for _ in range(3):
            await alice.send(
                "<message to='bob@beta.example' type='chat'>"
                "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
            )
        await alice.send(HI.format(1))
        stanzas: list[str] = []
        await until(lambda: stanzas.extend(bob.take()) or len(stanzas) == 4)
        assert ["urn:parley:stranger:0" in stanza for stanza in stanzas] == [False, False, False, True]


@pytest.mark.parametrize(("kind", "is_told"), [("groupchat", True), ("headline", True), ("error", False)], ids=str)
async def test_no_type_of_message_goes_past_the_bound(tmp_path: Path, kind: str, is_told: bool) -> None:
    options = {"federation": {"stranger_messages_per_hour": 2}}
    async with two_servers(tmp_path, **options) as (alpha, beta):
        alice, bob = await people(alpha, beta)
        for number in range(3):
            await alice.send(f"<message to='bob@beta.example/b' type='{kind}' id='{number}'><body>hi</body></message>")
        if is_told:
            refused = await one(alice, 'id="1"')
            assert "<resource-constraint" in refused
        # Typing is not bounded: it comes behind.
        composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
        await alice.send(f"<message to='bob@beta.example/b' type='chat' id='3'>{composing}</message>")
        stanzas: list[str] = []
        await until(lambda: stanzas.extend(bob.take()) or any('id="3"' in stanza for stanza in stanzas))
        assert [stanza.partition('id="')[2][0] for stanza in stanzas] == ["0", "3"]


async def test_who_was_asked_for_something_is_known(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice, bob = await people(alpha, beta)
        await bob.send("<iq type='get' id='q' to='alice@alpha.example/a'><ping xmlns='urn:xmpp:ping'/></iq>")
        await one(alice, 'id="q"')
        await alice.send(HI.format(1))
        await got(bob, arrived(1, is_marked=False))


async def test_requests_of_strangers_share_the_bound(tmp_path: Path) -> None:
    options = {"federation": {"strangers_per_account_per_hour": 2}}
    async with two_servers(tmp_path, **options) as (alpha, beta):
        _, bob = await people(alpha, beta)
        await alpha.add("carol@alpha.example", "dave@alpha.example")
        carol = await alpha.connect("carol@alpha.example/x", presence="")
        await carol.send("<presence to='bob@beta.example' type='subscribe'/>")
        await one(bob, "carol@alpha.example")
        dave = await alpha.connect("dave@alpha.example/x", presence="")
        await dave.send("<presence to='bob@beta.example' type='subscribe'/>", HI.format(1))
        await one(dave, "<resource-constraint")
        account = await beta.storage.accounts.find("bob@beta.example")
        assert account is not None
        assert set((await beta.storage.rosters.load(account.id)).contacts) == {"carol@alpha.example"}
