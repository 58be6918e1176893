"""Who is inside, by what each client was told, is whom it may see: people do to a room what comes to their mind."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from parley.base.config.rooms import RoomSettings
from parley.domain.rooms.standing import Role
from parley.edges.xmpp.rooms.service import Rooms

from ..harness import parse
from .guests import NS_MUC, ROOM, WISH, Party, a_party, admin, config

PEOPLE = ("alice", "bob", "carol", "dave")
CLIENTS = (*PEOPLE, "alice/2", "bob/2")
NICKS = (*PEOPLE, "x", "y")
UNHURRIED = RoomSettings(messages_per_s=1_000, burst_messages=10_000)
STEPS = 60

ROLES = ("none", "visitor", "participant", "moderator")
AFFILIATIONS = ("none", "member", "admin", "owner", "outcast")
FLAGS = ("membersonly", "moderatedroom", "x_reservednick")
Choice = random.Random

ACTS: tuple[Callable[[Choice], str], ...] = (
    lambda at: f"<presence to='{ROOM}/{at.choice(NICKS)}'>{WISH}</presence>",
    lambda at: f"<presence to='{ROOM}/{at.choice(NICKS)}'>{WISH}</presence>",
    lambda at: f"<presence to='{ROOM}/{at.choice(NICKS)}'><show>{at.choice(('away', 'xa'))}</show></presence>",
    lambda at: f"<presence to='{ROOM}/{at.choice(NICKS)}' type='unavailable'/>",
    lambda at: admin(f"<item nick='{at.choice(NICKS)}' role='{at.choice(ROLES)}'/>"),
    lambda at: admin(f"<item jid='{at.choice(PEOPLE)}@example.org' affiliation='{at.choice(AFFILIATIONS)}'/>"),
    lambda at: admin(f"<item jid='{at.choice(PEOPLE)}@example.org' affiliation='member' nick='{at.choice(NICKS)}'/>"),
    lambda at: config(**{at.choice(FLAGS): at.random() < 0.4}),
    lambda at: config(whois=at.choice(("anyone", "moderators"))),
    lambda at: config(presencebroadcast=at.sample(ROLES[1:], at.randint(0, 3))),
)


class View:
    """What one client has been told: by nickname, the role and the affiliation."""

    def __init__(self) -> None:
        self.inside: dict[str, tuple[str, str]] = {}

    def hear(self, stanza: str) -> None:
        tree = parse(stanza)
        if tree.tag != "{jabber:client}presence" or tree.get("type") == "error":
            return
        nick = tree.get("from").partition("/")[2]
        said = tree.find(f"{{{NS_MUC}#user}}x")
        item = said.find(f"{{{NS_MUC}#user}}item")
        codes = {status.get("code") for status in said.iter(f"{{{NS_MUC}#user}}status")}
        if tree.get("type") is None:
            self.inside[nick] = item.get("role"), item.get("affiliation")
        elif "110" in codes and "303" not in codes:
            self.inside.clear()
        else:
            self.inside.pop(nick, None)


def visible(party: Party, name: str) -> dict[str, tuple[str, str]]:
    """Whom a client may see."""
    live = party.harness.host.memory(Rooms)._live.get(ROOM)
    own = None if live is None else live.room.inside(str(party[name].session.jid))
    if live is None or own is None:
        return {}
    return {
        nick: (one.role.value, live.room.affiliation(one.address).value)
        for nick, one in live.room.occupants.items()
        if one is own or one.role in live.room.config.presence_of or own.role is Role.MODERATOR
    }


@pytest.mark.parametrize("seed", range(60))
async def test_everybody_is_told_of_those_they_may_see_and_of_nobody_else(seed: int) -> None:
    at = random.Random(seed)
    async with a_party(*PEOPLE, rooms=UNHURRIED) as party:
        for name in CLIENTS[len(PEOPLE) :]:
            await party.connect(name)
        party.forget()
        await party.enter("alice")
        await party.configure("alice", moderatedroom=at.random() < 0.5)
        views = {name: View() for name in CLIENTS}
        for _ in range(STEPS):
            for name, view in views.items():
                for stanza in party[name].take():
                    view.hear(stanza)
                assert view.inside == visible(party, name), name
            await party[at.choice(CLIENTS)].send(at.choice(ACTS)(at))
