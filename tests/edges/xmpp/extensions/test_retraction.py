"""XEP-0424: what becomes of a message that its author takes back."""

from __future__ import annotations

from typing import Any

import pytest

from parley.base.config import ArchiveSettings

from ..harness import Client, Harness, address, parse

NS = "urn:xmpp:message-retract:1"
CLIENT = "{jabber:client}"


def chat(id_: str, to: str, more: str = "") -> str:
    return f"<message type='chat' id='{id_}' to='{address(to)}'><body>{id_}</body>{more}</message>"


def retract(target: str, to: str) -> str:
    return (
        f"<message type='chat' id='r1' to='{address(to)}'><retract xmlns='{NS}' id='{target}'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/><body>took back</body>"
        "<store xmlns='urn:xmpp:hints'/></message>"
    )


async def archive(client: Client) -> list[Any]:
    """The messages of the client's archive."""
    client.take()
    await client.send("<iq type='set' id='1'><query xmlns='urn:xmpp:mam:2'/></iq>")
    *found, _end = [parse(stanza) for stanza in client.take()]
    return [message.find(f".//{CLIENT}message") for message in found]


def said(messages: list[Any]) -> list[str | None]:
    return [message.findtext(f"{CLIENT}body") for message in messages]


async def test_everything_is_kept_where_that_is_the_rule() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, bob = await host.connect("alice/phone"), await host.connect("bob/desk")
        await phone.send(chat("m1", "bob"), retract("m1", "bob"))
        for client in (phone, bob):
            assert said(await archive(client)) == ["m1", "took back"]


@pytest.mark.parametrize("target", ["m1", "o1"])
async def test_a_tombstone_stays_in_both_archives_and_in_the_mail(target: str) -> None:
    async with Harness(archive=ArchiveSettings(retractions="tombstone")) as host:
        await host.add("alice", "bob")
        phone, bob = await host.connect("alice/phone"), await host.connect("bob/desk")
        origin = "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"
        await phone.send(chat("m1", "bob", origin), chat("m2", "bob"))
        host.clock.advance(60)
        tablet = await host.connect("alice/tablet")
        await tablet.send(retract(target, "bob"))
        for client in (phone, bob):
            found = await archive(client)
            assert said(found) == [None, "m2", "took back"]
            assert dict(found[0].attrib) == {
                "from": "alice@example.org/phone",
                "to": "bob@example.org",
                "type": "chat",
                "id": "m1",
            }
            (stone,) = found[0]
            assert stone.tag == f"{{{NS}}}retracted"
            assert dict(stone.attrib) == {"id": "r1", "stamp": "2024-01-01T00:01:00Z"}
        await bob.send("<presence/>")
        assert not any("<body>m1</body>" in stanza for stanza in bob.take())


async def test_nobody_takes_back_what_others_said() -> None:
    async with Harness(archive=ArchiveSettings(retractions="tombstone")) as host:
        await host.add("alice", "bob", "carol")
        phone, bob = await host.connect("alice/phone"), await host.connect("bob/desk")
        carol = await host.connect("carol/desk")
        await phone.send(chat("m1", "bob"))
        await bob.send(retract("m1", "alice"))
        await carol.send(retract("m1", "bob"), retract("m1", "alice"))
        await phone.send(retract("m1", "carol"), retract("m2", "bob"))
        assert said(await archive(phone))[0] == "m1"
        assert said(await archive(bob))[0] == "m1"


@pytest.mark.parametrize(("retractions", "has_tombstones"), [("keep", False), ("tombstone", True)])
async def test_the_server_says_which(retractions: str, has_tombstones: bool) -> None:
    async with Harness(archive=ArchiveSettings(retractions=retractions)) as host:  # type: ignore[arg-type]
        await host.add("alice")
        phone = await host.connect("alice/phone")
        for to in ("example.org", "alice@example.org"):
            await phone.send(
                f"<iq type='get' id='1' to='{to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
            )
            (answer,) = phone.take()
            assert f"'{NS}'" in answer.replace('"', "'")
            assert (f"{NS}#tombstone" in answer) == has_tombstones
