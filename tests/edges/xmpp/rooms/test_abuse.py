"""What people do to rooms, and by rooms to others: strangers who write, long lists, names that are to be found out."""

from __future__ import annotations

import pytest

from parley.base.config.rooms import RoomSettings
from parley.domain.rooms.errors import RoomRefused
from parley.edges.xmpp.rooms.service import Rooms

from ..harness import parse
from .guests import NS_MUC, ROOM, a_party, admin, refusal

NS_ADMIN = f"{{{NS_MUC}#admin}}"
SLOW = RoomSettings(messages_per_s=1, burst_messages=5)
TOO_FAST = ("wait", "resource-constraint", "500")


def declines(count: int, to: str) -> str:
    said = f"<decline to='{to}'><reason>Buy</reason></decline>" * count
    return f"<message id='n' to='{ROOM}'><x xmlns='{NS_MUC}#user'>{said}</x></message>"


async def test_a_stranger_refuses_no_more_invitations_than_one_may_send() -> None:
    async with a_party("alice", "mallory", rooms=SLOW) as party:
        await party.open("alice")
        await party["mallory"].send(declines(5, f"{ROOM}/alice"))
        assert len(party["alice"].take()) == 5
        await party["mallory"].send(declines(1, f"{ROOM}/alice"))
        assert refusal(party["mallory"]) == TOO_FAST
        assert party["alice"].take() == []


async def test_many_new_members_are_not_all_invited_at_once() -> None:
    names = tuple(f"guest{number}" for number in range(8))
    async with a_party("alice", *names, rooms=SLOW) as party:
        await party.open("alice", membersonly=True)
        party.harness.clock.advance(10)
        items = "".join(f"<item jid='{name}@example.org' affiliation='member'/>" for name in names)
        await party["alice"].send(admin(items))
        # The request itself is one of the five.
        assert sum("<invite" in stanza for name in names for stanza in party[name].take()) == 4
        state = await party.harness.storage.rooms.find(ROOM)
        assert len(state.standings) == 1 + len(names)


async def test_rooms_that_come_and_go_are_made_no_faster_than_one_may_talk() -> None:
    async with a_party("mallory", rooms=SLOW) as party:
        for number in range(5):
            await party.enter("mallory", room=f"r{number}@conference.example.org")
            leaving = f"<presence type='unavailable' to='r{number}@conference.example.org/mallory'/>"
            await party["mallory"].send(leaving)
        party.forget()
        await party.enter("mallory", room="r5@conference.example.org")
        assert refusal(party["mallory"]) == TOO_FAST
        party.harness.clock.advance(1)
        await party.enter("mallory", room="r5@conference.example.org")
        assert "type='error'" not in party["mallory"].take()[0].replace('"', "'")


async def test_who_keeps_talking_is_not_forgotten_for_others_who_come_and_go() -> None:
    async with a_party("mallory", rooms=SLOW) as party:
        rooms = party.harness.host.memory(Rooms)
        for number in range(20_050):
            if number % 5_000 == 0:
                rooms.check_rate(ROOM, "mallory@example.org", 1)
            rooms.check_rate(ROOM, f"{number}@example.net", 1)
        with pytest.raises(RoomRefused):
            rooms.check_rate(ROOM, "mallory@example.org", 1)


async def test_nobody_finds_out_by_a_refusal_whether_somebody_is_inside() -> None:
    async with a_party("alice", "bob", "mallory") as party:
        await party.open("alice", "bob", "mallory")
        answers = []
        for address in ("bob@example.org/r", "carol@example.org/r"):
            await party["mallory"].send(admin(f"<item jid='{address}' role='none'/>"))
            answers += party["mallory"].take()
        assert answers[0] == answers[1]
        assert "forbidden" in answers[0]


async def test_whom_an_owner_shows_the_members_of_a_semi_anonymous_room_does_not_see_who_is_who() -> None:
    async with a_party("alice", "bob", "carol") as party:
        await party.open("alice", membersonly=True, getmemberlist=["moderator", "participant"])
        for name in ("bob", "carol"):
            await party.affiliate("alice", name, "member")
        await party.enter("bob", "thirdwitch")
        await party.enter("carol")
        party.forget()
        for asker, nick in (("carol", None), ("alice", "thirdwitch")):
            await party[asker].send(admin("<item affiliation='member'/>", kind="get"))
            (answer,) = party[asker].take()
            listed = {item.get("jid"): item.get("nick") for item in parse(answer).iter(f"{NS_ADMIN}item")}
            assert listed["bob@example.org"] == nick
            assert "carol@example.org" in listed


async def test_invitations_make_no_more_members_than_a_room_may_have() -> None:
    async with a_party("alice", "bob", "carol", "dave", rooms=RoomSettings(max_affiliations=10)) as party:
        await party.open("alice", membersonly=True, allowinvites=True)
        for name in ("bob", *(f"guest{number}" for number in range(8))):
            await party.affiliate("alice", name, "member")
        await party.enter("bob")
        party.forget()
        invites = "<invite to='carol@example.org'/><invite to='dave@example.org'/>"
        await party["bob"].send(f"<message to='{ROOM}'><x xmlns='{NS_MUC}#user'>{invites}</x></message>")
        assert refusal(party["bob"]) == TOO_FAST
        assert party["carol"].take() == []
        state = await party.harness.storage.rooms.find(ROOM)
        assert len(state.standings) == 10
