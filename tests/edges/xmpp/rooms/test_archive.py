"""XEP-0313 for rooms: pages by every field, who may read, who sees whose address."""

from __future__ import annotations

import pytest

from parley.base.config import ArchiveSettings

from ..harness import parse
from .guests import ROOM, Party, a_party, refusal

MAM = "{urn:xmpp:mam:2}"
FORBIDDEN = ("auth", "forbidden", "403")


def query(fields: str = "", page: str = "", flip: bool = False) -> str:
    form = "<field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>" + fields
    inside = f"<x xmlns='jabber:x:data' type='submit'>{form}</x>"
    inside += f"<set xmlns='http://jabber.org/protocol/rsm'>{page}</set>" if page else ""
    inside += "<flip-page/>" if flip else ""
    return f"<iq type='set' id='a' to='{ROOM}'><query xmlns='urn:xmpp:mam:2' queryid='f'>{inside}</query></iq>"


def field(var: str, *values: str) -> str:
    return f"<field var='{var}'>{''.join(f'<value>{value}</value>' for value in values)}</field>"


async def _talk(party: Party) -> list[str]:
    """alice says 1 and 3, bob 2 and 4, ten seconds apart; returns the ids."""
    await party.open("alice", "bob")
    ids = []
    for number, name in (("1", "alice"), ("2", "bob"), ("3", "alice"), ("4", "bob")):
        await party[name].send(f"<message type='groupchat' id='m{number}' to='{ROOM}'><body>{number}</body></message>")
        (stanza,) = party["alice"].take()
        ids.append(parse(stanza).find("{urn:xmpp:sid:0}stanza-id").get("id"))
        party.harness.clock.advance(10)
    party.forget()
    return ids


def _bodies(party: Party, name: str = "bob") -> tuple[list[str], str]:
    """What came, and how the page was closed."""
    *results, fin = party[name].take()
    trees = [parse(stanza) for stanza in results]
    assert all(tree.get("from") == ROOM and tree[0].get("queryid") == "f" for tree in trees)
    return [next(tree.iter("{jabber:client}body")).text for tree in trees], fin


PAGES = [
    ("", "", "1234"),
    (field("with", f"{ROOM}/alice"), "", "13"),
    (field("start", "2024-01-01T00:00:10Z"), "", "234"),
    (field("end", "2024-01-01T00:00:10Z"), "", "12"),
    (field("after-id", "{1}"), "", "34"),
    (field("before-id", "{1}"), "", "1"),
    (field("ids", "{3}", "{0}"), "", "14"),
    ("", "<max>2</max>", "12"),
    ("", "<max>2</max><after>{1}</after>", "34"),
    ("", "<max>2</max><before/>", "34"),
    ("", "<max>2</max><before>{2}</before>", "12"),
    ("", "<max>0</max>", ""),
    (field("with", f"{ROOM}/bob"), "<max>1</max><before/>", "4"),
    (field("after-id", "{0}") + field("before-id", "{3}"), "<max>1</max><after>{1}</after>", "3"),
    ("", "<max>2</max><index>1</index>", "23"),
    (field("with", f"{ROOM}/alice"), "<max>2</max><index>1</index>", "3"),
    ("", "<max>2</max><index>6000</index>", ""),
]


@pytest.mark.parametrize(("fields", "page", "wanted"), PAGES)
async def test_pages(fields: str, page: str, wanted: str) -> None:
    async with a_party("alice", "bob") as party:
        ids = await _talk(party)
        for flip in (False, True):
            await party["bob"].send(query(fields.format(*ids), page.format(*ids), flip))
            bodies, fin = _bodies(party)
            assert bodies == (list(reversed(wanted)) if flip else list(wanted))
            assert "<count>" in fin


async def test_what_cannot_be_asked_for() -> None:
    async with a_party("alice", "bob") as party:
        await _talk(party)
        for fields, page, wanted in (
            (field("colour", "red"), "", ("cancel", "feature-not-implemented", "501")),
            (field("with", "alice@example.org"), "", ("modify", "bad-request", "400")),
            (field("start", "noon"), "", ("modify", "bad-request", "400")),
            ("", "<after>unknown</after>", ("cancel", "item-not-found", "404")),
            (field("ids", "unknown"), "", ("cancel", "item-not-found", "404")),
        ):
            await party["bob"].send(query(fields, page))
            assert refusal(party["bob"]) == wanted, fields + page


async def test_the_form_and_the_ends() -> None:
    async with a_party("alice", "bob") as party:
        ids = await _talk(party)
        await party["bob"].send(f"<iq type='get' id='a' to='{ROOM}'><query xmlns='urn:xmpp:mam:2'/></iq>")
        (form,) = party["bob"].take()
        assert all(f'var="{var}"' in form for var in ("with", "start", "end", "before-id", "after-id", "ids"))
        await party["bob"].send(f"<iq type='get' id='a' to='{ROOM}'><metadata xmlns='urn:xmpp:mam:2'/></iq>")
        (metadata,) = party["bob"].take()
        tree = parse(metadata)[0]
        assert [(edge.get("id"), edge.get("timestamp")) for edge in tree] == [
            (ids[0], "2024-01-01T00:00:00Z"),
            (ids[3], "2024-01-01T00:00:30Z"),
        ]


async def test_real_addresses_are_for_those_who_see_them_in_the_room() -> None:
    async with a_party("alice", "bob") as party:
        await _talk(party)
        for name, is_shown in (("alice", True), ("bob", False)):
            await party[name].send(query())
            assert ("bob@example.org" in "".join(party[name].take()[:-1]).replace("bob@example.org/r", "")) is is_shown
        await party.configure("alice", whois="anyone")
        party.forget()
        await party["bob"].send(query())
        assert 'jid="alice@example.org"' in "".join(party["bob"].take())


READERS = [
    # options, who asks, what of them, may read
    ({}, None, True),
    ({}, "outcast", False),
    ({"membersonly": True}, None, False),
    ({"membersonly": True}, "member", True),
    ({"passwordprotectedroom": True, "roomsecret": "s"}, None, False),
    ({"passwordprotectedroom": True, "roomsecret": "s"}, "member", True),
]


@pytest.mark.parametrize(("options", "affiliation", "may_read"), READERS)
async def test_who_may_read(options: dict[str, object], affiliation: str | None, may_read: bool) -> None:
    async with a_party("alice", "bob", "carol") as party:
        await _talk(party)
        await party.configure("alice", **options)
        if affiliation:
            await party.affiliate("alice", "carol", affiliation)
        party.forget()
        await party["carol"].send(query())
        if may_read:
            assert len(_bodies(party, "carol")[0]) == 4
        else:
            assert refusal(party["carol"]) == FORBIDDEN


async def test_there_is_no_archive_where_nobody_wants_one() -> None:
    async with a_party("alice", "bob") as party:
        await _talk(party)
        await party.configure("alice", enablearchiving=False)
        party.forget()
        await party["bob"].send(query())
        assert refusal(party["bob"]) == ("cancel", "service-unavailable", "503")
    async with a_party("alice", "bob", archive=ArchiveSettings(enabled=False)) as party:
        await party.open("alice", "bob")
        await party["bob"].send(query())
        assert refusal(party["bob"]) == ("cancel", "service-unavailable", "503")


async def test_a_page_is_counted_within_what_the_form_asks_for() -> None:
    """XEP-0059 §2.6: the count is of all that matches; the form narrows that, the page does not."""
    async with a_party("alice", "bob") as party:
        ids = await _talk(party)
        await party["bob"].send(query(field("after-id", ids[0]), f"<max>1</max><after>{ids[1]}</after>"))
        bodies, fin = _bodies(party)
        assert bodies == ["3"]
        assert "<count>3</count>" in fin
        assert '<first index="1">' in fin
