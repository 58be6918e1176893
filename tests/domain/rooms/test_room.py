"""One room: a model of who is inside, driven at random, and the cases that are easily got wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from parley.domain.rooms.config import Audience, RoomConfig, RoomLimits, check_config
from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.events import Absent, Changed, Removal, Removed
from parley.domain.rooms.room import Room, RoomState, StandingChange
from parley.domain.rooms.standing import Affiliation, Role, Standing, initial_role

LIMITS = RoomLimits(max_occupants=4, max_standings=5, max_history=10, max_nick_bytes=16)
OWNER = "owner@x"


def a_room(**options: object) -> Room:
    config = RoomConfig(**options)  # type: ignore[arg-type]
    return Room(RoomState("r@c.x", OWNER, 1, config=config, standings={OWNER: Standing(Affiliation.OWNER)}), LIMITS)


def enter(room: Room, who: str, nick: str = "", session: str = "1", password: str = "") -> None:
    room.check_enter(f"{who}/{session}", who, nick or who, password)
    room.enter(f"{who}/{session}", who, nick or who, b"")


@contextmanager
def refused(why: Why) -> Iterator[None]:
    with pytest.raises(RoomRefused) as caught:
        yield
    assert caught.value.why is why


def test_the_last_client_of_an_occupant_takes_the_nickname_along() -> None:
    room = a_room()
    enter(room, "a@x", "a", "1")
    enter(room, "a@x", "a", "2")
    assert room.occupants["a"].session == "a@x/2"
    room.update("a@x/1", b"new")
    assert room.occupants["a"].presence == b"new"
    left = room.leave("a@x/1")
    assert left is not None
    assert (left.is_gone, left.was_shown) == (False, True)
    left = room.leave("a@x/2")
    assert left is not None
    assert left.is_gone
    assert room.is_empty
    assert room.leave("a@x/2") is None


def test_a_domain_is_banned_with_everybody_in_it() -> None:
    room = a_room()
    enter(room, "a@bad", "a")
    enter(room, "b@good", "b")
    change = StandingChange("bad", Affiliation.OUTCAST, reason="spam")
    room.check_standings(OWNER, [change])
    (event,) = room.change_standing(change, "owner")
    assert isinstance(event, Removed)
    assert (event.removal, event.reason, event.by) == (Removal.BANNED, "spam", "owner")
    with refused(Why.BANNED):
        enter(room, "c@bad")
    # Who is named is what is said of them, whatever their domain is.
    room.change_standing(StandingChange("c@bad", Affiliation.MEMBER))
    enter(room, "c@bad")


def test_many_changes_are_looked_at_together() -> None:
    room = a_room()
    changes = [StandingChange(OWNER, Affiliation.NONE), StandingChange("b@x", Affiliation.OWNER)]
    room.check_standings(OWNER, changes)
    with refused(Why.LAST_OWNER):
        room.check_standings(OWNER, changes[:1])
    same = [StandingChange(f"{name}@x", Affiliation.MEMBER, "nick") for name in "ab"]
    with refused(Why.NICK_TAKEN):
        room.check_standings(OWNER, same)
    with refused(Why.TOO_MANY_STANDINGS):
        room.check_standings(OWNER, [StandingChange(f"m{number}@x", Affiliation.MEMBER) for number in range(5)])


def test_a_reserved_nickname_waits_for_its_owner() -> None:
    room = a_room()
    room.change_standing(room.check_register("a@x", "king"))
    assert room.standing("a@x") == Standing(Affiliation.MEMBER, "king")
    with refused(Why.NICK_TAKEN):
        enter(room, "b@x", "king")
    enter(room, "b@x", "b")
    with refused(Why.NICK_TAKEN):
        room.check_rename("b@x/1", "king")
    enter(room, "a@x", "king")
    room.change_standing(StandingChange("a@x", Affiliation.OUTCAST))
    enter(room, "c@x", "king")


def test_what_is_configured_reaches_those_inside() -> None:
    room = a_room(is_moderated=True)
    enter(room, OWNER, "o")
    enter(room, "a@x", "a")
    assert room.occupants["a"].role is Role.VISITOR
    (event,) = room.configure(room.with_config(is_moderated=False))
    assert isinstance(event, Changed)
    assert room.occupants["a"].role is Role.PARTICIPANT
    (removed,) = room.configure(room.with_config(is_members_only=True))
    assert isinstance(removed, Removed)
    assert removed.removal is Removal.ROOM_CLOSED_TO_STRANGERS
    assert list(room.occupants) == ["o"]
    with refused(Why.NO_MEMBER):
        enter(room, "a@x", "a")


def test_who_is_not_inside_is_told_apart() -> None:
    room = a_room()
    assert room.change_standing(StandingChange("a@x", Affiliation.MEMBER, reason="r"), "o") == [
        Absent("a@x", Affiliation.NONE, Affiliation.MEMBER, "o", "r")
    ]
    assert room.change_standing(StandingChange("a@x", Affiliation.MEMBER)) == []


def test_an_owner_needs_no_password_while_the_room_is_locked() -> None:
    room = a_room(password="s")
    room.is_locked = True
    enter(room, OWNER, "o")
    with refused(Why.ROOM_LOCKED):
        enter(room, "a@x", "a", password="s")
    room.configure(room.config)
    with refused(Why.PASSWORD_WRONG):
        enter(room, "a@x", "a", password="t")
    enter(room, "a@x", "a", password="s")


@pytest.mark.parametrize(
    "config", [RoomConfig(name="x" * 5000), RoomConfig(max_occupants=5), RoomConfig(history_length=11)]
)
def test_options_beyond_the_limits(config: RoomConfig) -> None:
    with refused(Why.CONFIG_BAD):
        check_config(config, LIMITS)


def test_audiences() -> None:
    roles = (Role.VISITOR, Role.PARTICIPANT, Role.MODERATOR)
    assert [[audience.includes(role) for role in roles] for audience in Audience] == [
        [True, True, True],
        [False, True, True],
        [False, False, True],
        [False, False, False],
    ]


PEOPLE = st.sampled_from(["a@x", "b@x", "c@y"])
NICKS = st.sampled_from(["a", "b", "c"])
SESSIONS = st.sampled_from(["1", "2"])


class RoomMachine(RuleBasedStateMachine):
    """Whatever is asked of it, a room knows who is inside, and nobody is inside who must not be."""

    def __init__(self) -> None:
        super().__init__()
        self.room = a_room()

    @rule(who=PEOPLE, nick=NICKS, session=SESSIONS)
    def enters(self, who: str, nick: str, session: str) -> None:
        full = f"{who}/{session}"
        try:
            if self.room.inside(full) is None:
                self.room.check_enter(full, who, nick, "")
                self.room.enter(full, who, nick, b"")
            else:
                self.room.check_rename(full, nick)
                self.room.rename(full, nick, b"")
        except RoomRefused:
            pass

    @rule(who=PEOPLE, session=SESSIONS)
    def leaves(self, who: str, session: str) -> None:
        self.room.leave(f"{who}/{session}")

    @rule(nick=NICKS, role=st.sampled_from(Role))
    def changes_role(self, nick: str, role: Role) -> None:
        try:
            self.room.check_role(OWNER, nick, role)
        except RoomRefused:
            return
        self.room.change_role(nick, role)

    @rule(
        who=st.sampled_from(["a@x", "b@x", "c@y", "y", OWNER]),
        to=st.sampled_from(Affiliation),
        nick=NICKS | st.just(""),
    )
    def changes_standing(self, who: str, to: Affiliation, nick: str) -> None:
        change = StandingChange(who, to, nick)
        try:
            self.room.check_standings(OWNER, [change])
        except RoomRefused:
            return
        self.room.change_standing(change)

    @rule(members=st.booleans(), moderated=st.booleans())
    def configures(self, members: bool, moderated: bool) -> None:
        self.room.configure(self.room.with_config(is_members_only=members, is_moderated=moderated))

    @invariant()
    def knows_who_is_inside(self) -> None:
        room = self.room
        inside = {session: one for one in room.occupants.values() for session in one.sessions}
        assert set(room.sessions) == set(inside)
        for nick, occupant in room.occupants.items():
            assert occupant.nick == nick
            assert occupant.sessions
            assert all(session.startswith(f"{occupant.address}/") for session in occupant.sessions)
            assert room.inside(occupant.session) is occupant

    @invariant()
    def nobody_is_inside_who_must_not_be(self) -> None:
        room = self.room
        for occupant in room.occupants.values():
            affiliation = room.affiliation(occupant.address)
            assert affiliation is not Affiliation.OUTCAST
            assert affiliation is not Affiliation.NONE or not room.config.is_members_only
            assert occupant.role is not Role.NONE
            if affiliation.rank >= Affiliation.ADMIN.rank:
                assert occupant.role is initial_role(affiliation, is_moderated=True)

    @invariant()
    def somebody_owns_it_and_nicknames_belong_to_one(self) -> None:
        standings = self.room.standings
        assert any(one.affiliation is Affiliation.OWNER for one in standings.values())
        nicks = [one.nick for one in standings.values() if one.nick]
        assert len(nicks) == len(set(nicks))


TestRoom = RoomMachine.TestCase
TestRoom.settings = settings(max_examples=80, stateful_step_count=40)
