"""XEP-0313: pages of the archive."""

from __future__ import annotations

import asyncio

import pytest

from parley.base.config import ArchiveSettings
from parley.domain.messages import (
    ArchivePage,
    ArchiveQuery,
    Confidentiality,
    Direction,
    MailboxEntry,
    NewMessage,
)
from parley.protocols.xmpp.element import Element

from ..harness import Client, Harness, address, parse

NS = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"


def message_id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"


def form(**values: str | tuple[str, ...]) -> str:
    fields = ""
    for name, value in values.items():
        given = "".join(f"<value>{v}</value>" for v in ((value,) if isinstance(value, str) else value))
        fields += f"<field var='{name.replace('_', '-').strip('-')}'>{given}</field>"
    return (
        f"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{NS}</value></field>"
        f"{fields}</x>"
    )


def rsm(content: str) -> str:
    return f"<set xmlns='{RSM}'>{content}</set>"


def query(content: str = "", attrs: str = "") -> str:
    return f"<iq type='set' id='1'><query xmlns='{NS}'{attrs}>{content}</query></iq>"


def stored(number: int, sender: str, to: str, body: str, stamp: str, query_id: str = "") -> str:
    attribute = f" queryid='{query_id}'" if query_id else ""
    return (
        f"<message from='alice@example.org' to='alice@example.org/phone'>"
        f"<result xmlns='{NS}'{attribute} id='{message_id(number)}'><forwarded xmlns='urn:xmpp:forward:0'>"
        f"<delay xmlns='urn:xmpp:delay' from='example.org' stamp='{stamp}'/>"
        f"<message xmlns='jabber:client' from='{address(sender)}' to='{address(to)}' type='chat' id='{body}'>"
        f"<body>{body}</body></message></forwarded></result></message>"
    )


def fin(first: int, last: int, index: int, count: int, *, is_complete: bool) -> str:
    complete = " complete='true'" if is_complete else ""
    return (
        f"<iq type='result' id='1' to='alice@example.org/phone'><fin xmlns='{NS}'{complete}>"
        f"<set xmlns='{RSM}'><first index='{index}'>{message_id(first)}</first><last>{message_id(last)}</last>"
        f"<count>{count}</count></set></fin></iq>"
    )


def error(condition: str, kind: str, code: str, text: bool = False) -> str:
    words = "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>*</text>" if text else ""
    return (
        "<iq type='error' id='1' from='alice@example.org' to='alice@example.org/phone'>"
        f"<error type='{kind}' code='{code}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{words}"
        "</error></iq>"
    )


async def five_messages(host: Harness) -> Client:
    """1, 3 and 5 go from alice to bob, 2 comes from bob, 4 goes to carol; one each minute."""
    await host.add("alice", "bob", "carol")
    phone, bob = await host.connect("alice/phone"), await host.connect("bob/desk")
    for number in range(1, 6):
        client, to = (bob, "alice") if number == 2 else (phone, "carol" if number == 4 else "bob")
        await client.send(
            f"<message type='chat' id='m{number}' to='{address(to)}'><body>m{number}</body></message>",
            # Not kept, and so without an id.
            f"<message type='chat' to='{address(to)}'><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
        )
        host.clock.advance(60)
    phone.take()
    return phone


async def fill(host: Harness, owner: int) -> None:
    """So many messages that they are not counted unasked."""
    for number in range(6, 5002):
        new = NewMessage(
            message_id(number),
            number,
            address("alice"),
            address("bob"),
            Confidentiality.MANAGED,
            b"<message/>",
            (MailboxEntry(owner, address("bob"), Direction.OUT, is_archived=True, is_mailed=False),),
        )
        host.storage.messages.append(new, lambda _: None)


async def ids(client: Client, content: str) -> tuple[list[int], dict[str, str]]:
    """Numbers of the messages that a query brings, and the attributes and counts of its end."""
    client.take()
    await client.send(query(content))
    *messages, end = [parse(stanza) for stanza in client.take()]
    assert end.get("type") == "result", end
    found = [int(message[0].get("id").rpartition("-")[2], 16) for message in messages]
    page = {child.tag.rpartition("}")[2]: child.text for child in end[0][0]}
    return found, {**end[0].attrib, **page}


async def test_a_page_as_it_is_on_the_wire() -> None:
    async with Harness() as host:
        phone = await five_messages(host)
        await phone.ask(
            query(form(_with="bob@example.org") + rsm("<max>2</max>"), " queryid='q7'"),
            stored(1, "alice/phone", "bob", "m1", "2024-01-01T00:00:00Z", "q7"),
            stored(2, "bob/desk", "alice", "m2", "2024-01-01T00:01:00Z", "q7"),
            fin(1, 2, 0, 4, is_complete=False),
        )


@pytest.mark.parametrize(
    ("content", "found", "is_complete"),
    [
        ("", [1, 2, 3, 4, 5], True),
        (rsm("<max>3</max>"), [1, 2, 3], False),
        (rsm(f"<max>3</max><after>{message_id(3)}</after>"), [4, 5], True),
        (rsm("<max>2</max><before/>"), [4, 5], False),
        (rsm(f"<max>2</max><before>{message_id(3)}</before>"), [1, 2], True),
        (rsm("<max>2</max><before/>") + "<flip-page/>", [5, 4], False),
        (form(_with="carol@example.org"), [4], True),
        # A full address is that device alone; a message to the bare address is not with any.
        (form(_with="bob@example.org/desk"), [2], True),
        (form(_with="bob@example.org/phone"), [], True),
        (form(_with="dave@example.org"), [], True),
        (form(start="2024-01-01T00:01:00Z", end="2024-01-01T00:03:00Z"), [2, 3, 4], True),
        (form(after_id=message_id(1), before_id=message_id(4)), [2, 3], True),
        (form(after_id=message_id(1)) + rsm("<max>2</max><before/>"), [4, 5], False),
        (form(before_id=message_id(4)) + rsm(f"<after>{message_id(2)}</after>"), [3], True),
        (form(before_id=message_id(4)) + rsm("<max>2</max><before/>"), [2, 3], False),
        (rsm("<max>2</max><index>2</index>"), [3, 4], False),
        (form(_with="bob@example.org") + rsm("<max>2</max><index>2</index>"), [3, 5], True),
        (rsm("<max>2</max><index>5</index>"), [], True),
        (rsm("<max>2</max><index>4000000000</index>"), [], True),
        (form(after_id=message_id(2)) + "<flip-page/>", [5, 4, 3], True),
        (form(ids=(message_id(4), message_id(2))), [2, 4], True),
        (form(include_groupchat="true", _with="carol@example.org"), [4], True),
        (form(include_groupchat="false") + rsm("<max>1</max>"), [1], False),
    ],
)
async def test_which_messages(content: str, found: list[int], is_complete: bool) -> None:
    async with Harness() as host:
        phone = await five_messages(host)
        numbers, end = await ids(phone, content)
        assert numbers == found
        assert end.get("complete", "false") == ("true" if is_complete else "false")


async def test_only_the_count() -> None:
    async with Harness() as host:
        phone = await five_messages(host)
        await phone.ask(
            query(rsm("<max>0</max>")),
            f"<iq type='result' id='1' to='alice@example.org/phone'><fin xmlns='{NS}'>"
            f"<set xmlns='{RSM}'><count>5</count></set></fin></iq>",
        )


async def test_a_large_archive_is_counted_only_when_asked() -> None:
    async with Harness() as host:
        phone = await five_messages(host)
        await fill(host, phone.session.account.id)
        assert (await ids(phone, rsm("<max>1</max>")))[1] == {
            "first": message_id(1),
            "last": message_id(1),
        }
        assert (await ids(phone, rsm("<max>0</max>")))[1] == {"count": "5001"}


async def test_the_server_limits_a_page() -> None:
    async with Harness(archive=ArchiveSettings(max_page_items=2)) as host:
        phone = await five_messages(host)
        for content in ("", rsm("<max>1000</max>")):
            assert (await ids(phone, content))[0] == [1, 2]


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (rsm(f"<after>{message_id(99)}</after>"), error("item-not-found", "cancel", "404")),
        (form(before_id="yesterday"), error("item-not-found", "cancel", "404")),
        (form(ids=(message_id(1), message_id(99))), error("item-not-found", "cancel", "404")),
        (form(include_groupchat="perhaps"), error("bad-request", "modify", "400", text=True)),
        (form(include_rooms="true"), error("feature-not-implemented", "cancel", "501", text=True)),
        (rsm("<index>1</index><before/>"), error("bad-request", "modify", "400", text=True)),
        (rsm("<max>many</max>"), error("bad-request", "modify", "400", text=True)),
        (form(start="yesterday"), error("bad-request", "modify", "400", text=True)),
        (form(_with="a@b@c"), error("jid-malformed", "modify", "400", text=True)),
        ("<x xmlns='jabber:x:data' type='cancel'/>", error("bad-request", "modify", "400", text=True)),
    ],
)
async def test_bad_queries(content: str, answer: str) -> None:
    async with Harness() as host:
        phone = await five_messages(host)
        await phone.ask(query(content), answer)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("set", f"<query xmlns='{NS}'/>"), ("get", f"<query xmlns='{NS}'/>"), ("get", f"<metadata xmlns='{NS}'/>")],
)
async def test_nobody_reads_the_archive_of_another(kind: str, payload: str) -> None:
    async with Harness() as host:
        phone = await five_messages(host)
        await host.befriend("alice", "bob")
        await phone.ask(
            f"<iq type='{kind}' id='1' to='bob@example.org'>{payload}</iq>",
            error("forbidden", "auth", "403", text=True).replace("from='alice", "from='bob"),
        )


async def test_the_count_is_that_of_the_range_and_the_index_that_of_the_page() -> None:
    async with Harness() as host:
        phone = await five_messages(host)
        for content, expected in (
            (form(after_id=message_id(2)) + rsm("<max>0</max>"), {"count": "3"}),
            (form(after_id=message_id(1), before_id=message_id(5)) + rsm("<max>0</max>"), {"count": "3"}),
            (rsm(f"<max>0</max><after>{message_id(2)}</after>"), {"count": "5"}),
            (rsm("<max>0</max><index>9</index>"), {"count": "5"}),
        ):
            _, end = await ids(phone, content)
            assert {name: value for name, value in end.items() if name != "complete"} == expected, content
        await phone.ask(
            query(form(after_id=message_id(1)) + rsm("<max>1</max><index>2</index>")),
            stored(4, "alice/phone", "carol", "m4", "2024-01-01T00:03:00Z"),
            fin(4, 4, 2, 4, is_complete=False),
        )


async def test_a_page_by_number_is_refused_where_no_count_is_told() -> None:
    async with Harness() as host:
        phone = await five_messages(host)
        await fill(host, phone.session.account.id)
        await phone.ask(
            query(rsm("<max>1</max><index>5001</index>")),
            error("feature-not-implemented", "cancel", "501", text=True),
        )
        assert (await ids(phone, rsm("<max>1</max><index>5000</index>")))[0] == [5001]


async def test_notes_to_oneself() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone, desk = await host.connect("alice/phone"), await host.connect("alice/desk")
        await phone.send("<message type='chat' id='m1'><body>m1</body></message>")
        await phone.send("<message type='chat' id='m2' to='bob@example.org'><body>m2</body></message>")
        await desk.send("<message type='chat' id='m3' to='alice@example.org/phone'><body>m3</body></message>")
        for with_, found in (
            ("alice@example.org", [1, 3]),
            ("alice@example.org/phone", [1, 3]),
            ("alice@example.org/desk", [3]),
        ):
            assert (await ids(phone, form(_with=with_)))[0] == found


async def test_queries_of_one_account_take_turns() -> None:
    async with Harness() as host:
        phone = await five_messages(host)
        desk = await host.connect("alice/desk")
        running, most = 0, 0
        page = host.storage.messages.page

        async def slow(wanted: ArchiveQuery) -> ArchivePage:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            return await page(wanted)

        host.storage.messages.page = slow  # type: ignore[method-assign]
        for client in (phone, desk):
            client.session.receive(Element.from_bytes(query(rsm("<max>0</max>")).encode()))
        await host.settle()
        assert most == 1
        assert [len(client.take()) for client in (phone, desk)] == [1, 1]


async def test_a_query_sees_what_was_sent_before_it() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone = await host.connect("alice/phone")
        await phone.send("<message type='chat' id='m1' to='bob@example.org'><body>m1</body></message>", query())
        phone.expect(stored(1, "alice/phone", "bob", "m1", "2024-01-01T00:00:00Z"), fin(1, 1, 0, 1, is_complete=True))


VALIDATION = "http://jabber.org/protocol/xdata-validate"


async def test_form_and_metadata() -> None:
    async with Harness() as host:
        phone = await five_messages(host)
        await phone.send(f"<iq type='get' id='1'><query xmlns='{NS}'/></iq>")
        fields = list(parse(phone.take()[0]).iter("{jabber:x:data}field"))
        ids = next(f for f in fields if f.get("var") == "ids")
        # §4.1.5: the list MUST say that it is open (XEP-0122).
        assert ids.find("{0}validate[@datatype='xs:string']/{0}open".format(f"{{{VALIDATION}}}")) is not None
        assert [f.get("var") for f in fields] == [
            "FORM_TYPE",
            "with",
            "start",
            "end",
            "before-id",
            "after-id",
            "ids",
            "include-groupchat",
        ]
        ask = f"<iq type='get' id='1'><metadata xmlns='{NS}'/></iq>"
        await phone.ask(
            ask,
            f"<iq type='result' id='1' to='alice@example.org/phone'><metadata xmlns='{NS}'>"
            f"<start id='{message_id(1)}' timestamp='2024-01-01T00:00:00Z'/>"
            f"<end id='{message_id(5)}' timestamp='2024-01-01T00:04:00Z'/></metadata></iq>",
        )
        await host.add("dave")
        dave = await host.connect("dave/desk")
        await dave.ask(ask, f"<iq type='result' id='1' to='dave@example.org/desk'><metadata xmlns='{NS}'/></iq>")
