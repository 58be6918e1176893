"""slixmpp in rooms of a real server: entering, options, people, what was said, invitations, and a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from slixmpp import JID
from slixmpp.exceptions import IqError, PresenceError
from tests.support.limits import until, within
from tests.support.rooms import ROOM_PLUGINS, a_room, guest, opened
from tests.support.server import ParleyServer
from tests.support.slix import SlixClient, signed_in

pytestmark = pytest.mark.peer


@within(90)
async def test_a_room_with_a_subject_history_and_messages(server: ParleyServer) -> None:
    owner, other, room = guest(server), guest(server), a_room()
    async with signed_in(server, owner, other):
        await opened(owner, room, changesubject=True)
        owner.plugin["xep_0045"].set_subject(room, "Spells")
        owner.send_message(room, "thrice", mtype="groupchat")
        await owner.receive_body("thrice")
        own, subject, occupants, history = await other.plugin["xep_0045"].join_muc_wait(room, "other", timeout=30)
        assert [presence["from"].resource for presence in occupants] == ["owner", "other"]
        assert 110 in own["muc"]["status_codes"]
        assert subject["subject"] == "Spells"
        assert [message["body"] for message in history] == ["thrice"]
        other.send_message(room, "and once", mtype="groupchat")
        heard = await owner.receive_body("and once")
        assert str(heard["from"]) == f"{room}/other"
        other.send_message(JID(f"{room}/owner"), "psst", mtype="chat")
        assert str((await owner.receive_body("psst"))["from"]) == f"{room}/other"
        await other.plugin["xep_0045"].set_self_nick(room, "renamed")
        assert "renamed" in other.plugin["xep_0045"].get_roster(room)


@within(90)
async def test_entry_is_refused_by_the_text(server: ParleyServer) -> None:
    owner, other, room = guest(server), guest(server), a_room()
    async with signed_in(server, owner, other):
        muc = other.plugin["xep_0045"]
        await opened(owner, room, passwordprotectedroom=True, roomsecret="cauldronburn")
        for options, condition in (({}, "not-authorized"), ({"password": "wrong"}, "not-authorized")):
            with pytest.raises(PresenceError) as refused:
                await muc.join_muc_wait(room, "other", timeout=30, **options)
            assert refused.value.condition == condition
        with pytest.raises(PresenceError) as refused:
            await muc.join_muc_wait(room, "owner", timeout=30, password="cauldronburn")
        assert refused.value.condition == "conflict"
        await muc.join_muc_wait(room, "other", timeout=30, password="cauldronburn")
        await owner.plugin["xep_0045"].set_affiliation(room, "outcast", jid=other.boundjid.bare)
        await until(lambda: "other" not in muc.get_roster(room))
        with pytest.raises(PresenceError) as refused:
            await muc.join_muc_wait(room, "other", timeout=30, password="cauldronburn")
        assert refused.value.condition == "forbidden"


@within(90)
async def test_people_of_a_room_and_its_end(server: ParleyServer) -> None:
    owner, other, room = guest(server), guest(server), a_room()
    async with signed_in(server, owner, other):
        muc = owner.plugin["xep_0045"]
        await opened(owner, room, moderatedroom=True, whois="anyone")
        await other.plugin["xep_0045"].join_muc_wait(room, "other", timeout=30)
        await until(lambda: muc.get_jid_property(room, "other", "role") == "visitor")
        await muc.set_role(room, "other", "participant")
        await until(lambda: muc.get_jid_property(room, "other", "role") == "participant")
        await muc.set_affiliation(room, "member", jid=other.boundjid.bare)
        assert await muc.get_affiliation_list(room, "member") == [other.boundjid.bare]
        assert await muc.get_roles_list(room, "participant") == ["other"]
        with pytest.raises(IqError) as refused:
            await other.plugin["xep_0045"].set_role(room, "owner", "none")
        assert refused.value.condition == "forbidden"
        with pytest.raises(IqError) as refused:
            await other.plugin["xep_0045"].destroy(room)
        assert refused.value.condition == "forbidden"
        ends = []
        other.add_event_handler(f"muc::{room}::self-presence", ends.append)
        await muc.destroy(room, "Macbeth doth come.")
        await until(lambda: any("Macbeth doth come." in str(presence) for presence in ends))


@within(90)
async def test_an_invitation_waits_for_who_is_away(server: ParleyServer) -> None:
    owner, room = guest(server), a_room()
    invited = server.person()
    async with signed_in(server, owner):
        await opened(owner, room)
        owner.plugin["xep_0045"].invite(room, JID(invited.address), "Come")
        other = SlixClient(invited, plugins=ROOM_PLUGINS)
        invitations: asyncio.Queue[object] = asyncio.Queue()
        other.add_event_handler("groupchat_invite", invitations.put_nowait)
        # What was sent before is handled before what is sent now.
        await owner.plugin["xep_0199"].send_ping(JID(room.domain), timeout=30)
        async with signed_in(server, other):
            message = await asyncio.wait_for(invitations.get(), 30)
            assert str(message["from"]) == str(room)  # type: ignore[index]


@pytest.fixture
def own_server() -> Iterator[ParleyServer]:
    """A server that may be restarted."""
    with ParleyServer(people=2) as server:
        yield server


@within(120)
async def test_a_restart_of_the_server_loses_no_room(own_server: ParleyServer) -> None:
    owner, room = guest(own_server), a_room()
    async with signed_in(own_server, owner):
        await opened(owner, room, persistentroom=True, roomname="Cave")
        owner.plugin["xep_0045"].set_subject(room, "Spells")
        owner.send_message(room, "thrice", mtype="groupchat")
        await owner.receive_body("thrice")
    own_server.restart()
    again = SlixClient(owner.person, plugins=ROOM_PLUGINS)
    async with signed_in(own_server, again):
        info = await again.plugin["xep_0030"].get_info(room)
        assert "muc_persistent" in info["disco_info"]["features"]
        _, subject, occupants, history = await again.plugin["xep_0045"].join_muc_wait(room, "owner", timeout=30)
        assert subject["subject"] == "Spells"
        assert [message["body"] for message in history] == ["thrice"]
        assert [presence["from"].resource for presence in occupants] == ["owner"]
        page = await again.plugin["xep_0313"].retrieve(room, reverse=False)
        assert int(page["mam_fin"]["rsm"]["count"]) == 2
