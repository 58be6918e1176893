"""XEP-0430: conversations and what is unread in them."""

from __future__ import annotations

import pytest

from parley.base.config import ArchiveSettings
from parley.domain.pubsub.nodes import PubsubService

from ..harness import Client, Harness, address, parse

NS = "urn:xmpp:inbox:1"
MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"
ACTIVE = "<active xmlns='http://jabber.org/protocol/chatstates'/>"


def ask(attrs: str = "", page: str = "") -> str:
    rsm = f"<set xmlns='{RSM}'>{page}</set>" if page else ""
    return f"<iq type='get' id='q1'><inbox xmlns='{NS}'{attrs}>{rsm}</inbox></iq>"


def chat(id_: str, to: str, more: str = "") -> str:
    return f"<message type='chat' id='{id_}' to='{address(to)}'><body>{id_}</body>{more}</message>"


def marker(target: str, to: str, name: str = "displayed") -> str:
    return f"<message type='chat' to='{address(to)}'><{name} xmlns='urn:xmpp:chat-markers:0' id='{target}'/></message>"


def receipt(target: str, to: str) -> str:
    return f"<message type='chat' to='{address(to)}'><received xmlns='urn:xmpp:receipts' id='{target}'/></message>"


async def inbox(client: Client, attrs: str = "", page: str = "") -> tuple[list[tuple[str, int]], dict[str, str]]:
    """Names with their unread messages, and what the end says."""
    client.take()
    await client.send(ask(attrs, page))
    *entries, end = [parse(stanza) for stanza in client.take()]
    assert end.get("type") == "result", end
    found = [(each[0].get("jid").partition("@")[0], int(each[0].get("unread"))) for each in entries]
    told = {child.tag.rpartition("}")[2]: child.text for child in end[0][0]}
    return found, {**end[0].attrib, **told}


async def people(host: Harness) -> dict[str, Client]:
    await host.add("alice", "bob", "carol", "dave")
    names = ("alice/phone", "bob/desk", "carol/desk", "dave/desk")
    return {name.partition("/")[0]: await host.connect(name) for name in names}


async def test_it_is_as_on_the_wire() -> None:
    async with Harness() as host:
        clients = await people(host)
        await clients["bob"].send(chat("b1", "alice"))
        host.clock.advance(60)
        await clients["bob"].send(chat("b2", "alice"))
        await clients["alice"].ask(
            ask(),
            "<message from='alice@example.org' to='alice@example.org/phone'>"
            f"<entry xmlns='{NS}' jid='bob@example.org' unread='2' id='*'/>"
            f"<result xmlns='{MAM}' queryid='q1' id='*'><forwarded xmlns='urn:xmpp:forward:0'>"
            "<delay xmlns='urn:xmpp:delay' from='example.org' stamp='2024-01-01T00:01:00Z'/>"
            "<message xmlns='jabber:client' type='chat' id='b2' from='bob@example.org/desk' to='alice@example.org'>"
            "<body>b2</body></message></forwarded></result></message>",
            "<iq type='result' id='q1' to='alice@example.org/phone'>"
            f"<fin xmlns='{NS}' total='1' unread='1' all-unread='2'><set xmlns='{RSM}'>"
            "<first index='0'>*</first><last>*</last><count>1</count></set></fin></iq>",
        )
        await clients["alice"].ask(
            ask(" messages='false'"),
            "<message from='alice@example.org' to='alice@example.org/phone'>"
            f"<entry xmlns='{NS}' jid='bob@example.org' unread='2' id='*'/></message>",
            "*"
            and "<iq type='result' id='q1' to='alice@example.org/phone'>"
            f"<fin xmlns='{NS}' total='1' unread='1' all-unread='2'><set xmlns='{RSM}'>"
            "<first index='0'>*</first><last>*</last><count>1</count></set></fin></iq>",
        )


async def test_an_empty_one() -> None:
    async with Harness() as host:
        clients = await people(host)
        await clients["alice"].ask(
            ask(),
            "<iq type='result' id='q1' to='alice@example.org/phone'>"
            f"<fin xmlns='{NS}' total='0' unread='0' all-unread='0'><set xmlns='{RSM}'><count>0</count></set></fin>"
            "</iq>",
        )


async def test_the_latest_comes_first_and_receipts_move_nothing() -> None:
    async with Harness() as host:
        clients = await people(host)
        await clients["bob"].send(chat("b1", "alice"))
        await clients["carol"].send(chat("c1", "alice"))
        await clients["bob"].send(
            receipt("x", "alice"), f"<message type='chat' to='alice@example.org'>{ACTIVE}</message>"
        )
        await clients["dave"].send(receipt("y", "alice"))
        found, end = await inbox(clients["alice"])
        assert found == [("carol", 1), ("bob", 1)]
        assert (end["total"], end["unread"], end["all-unread"]) == ("2", "2", "2")
        # The id is the archive's last one, that of the receipt.
        await clients["alice"].send(ask(" messages='false'"))
        *entries, _end = [parse(stanza) for stanza in clients["alice"].take()]
        last = {entry[0].get("jid"): entry[0].get("id") for entry in entries}
        assert last["bob@example.org"] > last["carol@example.org"]


@pytest.mark.parametrize("name", ["displayed", "acknowledged"])
async def test_a_marker_reads_what_stands_before_it_and_nothing_behind(name: str) -> None:
    async with Harness() as host:
        clients = await people(host)
        alice = clients["alice"]
        await clients["bob"].send(*(chat(f"b{n}", "alice") for n in range(5)))
        await clients["carol"].send(chat("b4", "alice"))
        await alice.send(marker("b2", "bob", name))
        assert (await inbox(alice))[0] == [("carol", 1), ("bob", 2)]
        # An older one takes nothing back, an unknown one and one of the contact's change nothing.
        await alice.send(marker("b0", "bob", name), marker("nothing", "bob", name))
        await clients["bob"].send(marker("b4", "alice", name))
        assert (await inbox(alice))[0] == [("carol", 1), ("bob", 2)]
        await alice.send(marker("b4", "bob", name))
        assert (await inbox(alice))[0] == [("carol", 1), ("bob", 0)]
        await clients["bob"].send(chat("b5", "alice"))
        assert (await inbox(alice))[0] == [("bob", 1), ("carol", 1)]


async def test_a_marker_may_use_the_origin_id() -> None:
    async with Harness() as host:
        clients = await people(host)
        origin = "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"
        await clients["bob"].send(chat("b1", "alice", origin), chat("b2", "alice"))
        await clients["alice"].send(marker("o1", "bob"))
        assert (await inbox(clients["alice"]))[0] == [("bob", 1)]


async def test_who_answers_has_read_and_receipts_read_nothing() -> None:
    async with Harness() as host:
        clients = await people(host)
        await clients["bob"].send(chat("b1", "alice"), chat("b2", "alice"))
        await clients["alice"].send(receipt("b2", "bob"))
        assert (await inbox(clients["alice"]))[0] == [("bob", 2)]
        await clients["alice"].send(chat("a1", "bob"))
        assert (await inbox(clients["alice"]))[0] == [("bob", 0)]
        assert (await inbox(clients["bob"]))[0] == [("alice", 1)]


async def test_a_retraction_is_no_message_but_may_be_displayed() -> None:
    async with Harness() as host:
        clients = await people(host)
        retraction = "<retract xmlns='urn:xmpp:message-retract:1' id='b1'/>"
        await clients["bob"].send(chat("b1", "alice"), chat("r1", "alice", retraction))
        assert (await inbox(clients["alice"]))[0] == [("bob", 1)]
        await clients["alice"].send(ask())
        assert "<body>b1</body>" in clients["alice"].take()[0]
        await clients["alice"].send(marker("r1", "bob"))
        assert (await inbox(clients["alice"]))[0] == [("bob", 0)]


async def test_notes_to_oneself_are_read() -> None:
    async with Harness() as host:
        clients = await people(host)
        await clients["alice"].send("<message type='chat' id='n1'><body>note</body></message>")
        assert (await inbox(clients["alice"]))[0] == [("alice", 0)]


async def test_what_devices_tell_each_other_counts() -> None:
    async with Harness() as host:
        clients = await people(host)
        alice = clients["alice"]
        await alice.send("<presence/>")
        await clients["bob"].send(*(chat(f"b{n}", "alice") for n in range(3)))
        came = [parse(stanza) for stanza in alice.take() if "<body>" in stanza]
        second = came[1].find("{urn:xmpp:sid:0}stanza-id").get("id")

        async def tell(item: str, by: str, stanza_id: str) -> None:
            await alice.send(
                "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'>"
                f"<publish node='urn:xmpp:mds:displayed:0'><item id='{item}'>"
                "<displayed xmlns='urn:xmpp:mds:displayed:0'>"
                f"<stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='{stanza_id}'/></displayed></item></publish>"
                "</pubsub></iq>"
            )

        await tell("bob@example.org", "alice@example.org", second)
        assert (await inbox(alice))[0] == [("bob", 1)]
        # Ids of a room, of nobody, and no ids at all.
        await tell("carol@example.org", "alice@example.org", "nothing")
        await tell("bob@example.org", "room@conference.example.org", second)
        assert (await inbox(alice))[0] == [("bob", 3)]
        assert await host.storage.nodes.node(PubsubService("alice@example.org", alice.session.account.id), "x") is None


async def test_pages() -> None:
    async with Harness() as host:
        clients = await people(host)
        for name in ("bob", "carol", "dave"):
            await clients[name].send(chat(f"{name}1", "alice"))
        alice = clients["alice"]
        found, end = await inbox(alice, page="<max>2</max>")
        assert (found, end["count"]) == ([("dave", 1), ("carol", 1)], "3")
        found, end = await inbox(alice, page=f"<max>2</max><after>{end['last']}</after>")
        assert found == [("bob", 1)]
        found, end = await inbox(alice, page=f"<max>1</max><before>{end['first']}</before>")
        assert found == [("carol", 1)]
        assert (await inbox(alice, page="<max>1</max><before/>"))[0] == [("bob", 1)]
        assert (await inbox(alice, page="<max>1</max><index>1</index>"))[0] == [("carol", 1)]
        assert (await inbox(alice, page="<max>0</max>")) == (
            [],
            {"total": "3", "unread": "3", "all-unread": "3", "count": "3"},
        )
        # A page goes on from where it was, also when the conversation has moved meanwhile.
        _, end = await inbox(alice, page="<max>2</max>")
        await clients["carol"].send(chat("carol2", "alice"))
        assert (await inbox(alice, page=f"<after>{end['last']}</after>"))[0] == [("bob", 1)]


async def test_unread_only() -> None:
    async with Harness() as host:
        clients = await people(host)
        await clients["bob"].send(chat("b1", "alice"))
        await clients["carol"].send(chat("c1", "alice"))
        await clients["alice"].send(marker("c1", "carol"))
        found, end = await inbox(clients["alice"], " unread-only='true'")
        assert found == [("bob", 1)]
        assert (end["total"], end["unread"], end["all-unread"], end["count"]) == ("2", "1", "1", "1")


@pytest.mark.parametrize(
    ("attrs", "page", "condition"),
    [
        (" unread-only='maybe'", "", "bad-request"),
        (" messages='no'", "", "bad-request"),
        ("", "<max>many</max>", "bad-request"),
        ("", "<after>nothing</after>", "item-not-found"),
        ("", "<before>00000000-0000-7000-8000-000000000099</before>", "item-not-found"),
    ],
)
async def test_what_is_refused(attrs: str, page: str, condition: str) -> None:
    async with Harness() as host:
        clients = await people(host)
        await clients["bob"].send(chat("b1", "alice"))
        await clients["alice"].send(ask(attrs, page))
        (answer,) = clients["alice"].take()
        assert f"<{condition} " in answer


async def test_without_archives_there_is_none() -> None:
    async with Harness(archive=ArchiveSettings(enabled=False)) as host:
        clients = await people(host)
        await clients["alice"].send(ask())
        assert "service-unavailable" in clients["alice"].take()[0]
