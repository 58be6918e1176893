"""XEP-0045 §5.1: in a moderated room a voice that was given, or taken, lasts across visits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from parley.domain.rooms.config import RoomConfig
from parley.domain.rooms.room import Room, StandingChange
from parley.domain.rooms.standing import Affiliation, Role
from parley.domain.rooms.voices import Voices

from .test_room import a_room, enter

ANN, BEN = "ann@x", "ben@x"
PARTICIPANT, VISITOR, MODERATOR = Role.PARTICIPANT, Role.VISITOR, Role.MODERATOR


def again(room: Room, who: str) -> Role:
    """The role of somebody who leaves and comes again."""
    room.leave(f"{who}/1")
    enter(room, who)
    return room.role(f"{who}/1")


@pytest.mark.parametrize(
    ("affiliation", "given", "wanted"),
    [
        (Affiliation.NONE, PARTICIPANT, PARTICIPANT),
        (Affiliation.NONE, MODERATOR, PARTICIPANT),
        (Affiliation.MEMBER, VISITOR, VISITOR),
        (Affiliation.MEMBER, MODERATOR, PARTICIPANT),
    ],
)
def test_a_voice_is_found_again(affiliation: Affiliation, given: Role, wanted: Role) -> None:
    room = a_room(is_moderated=True)
    room.change_standing(StandingChange(ANN, affiliation))
    enter(room, ANN)
    room.change_role(ANN, given)
    assert again(room, ANN) is wanted
    # Who is put out finds what they had, too.
    room.change_role(ANN, Role.NONE)
    enter(room, ANN)
    assert room.role(f"{ANN}/1") is wanted


@pytest.mark.parametrize(
    "what",
    [
        lambda room: room.change_role(ANN, VISITOR),
        lambda room: room.change_standing(StandingChange(ANN, Affiliation.OUTCAST)),
        lambda room: room.configure(RoomConfig()) + room.configure(RoomConfig(is_moderated=True)),
    ],
)
def test_a_voice_is_forgotten(what: Callable[[Room], object]) -> None:
    """By what takes it, by another affiliation, by the end of moderation."""
    room = a_room(is_moderated=True)
    enter(room, ANN)
    room.change_role(ANN, PARTICIPANT)
    assert room.voices.unsaved() == {ANN: PARTICIPANT}
    what(room)
    assert room.voices.known == {}
    assert room.voices.unsaved() == {ANN: None}


def test_without_moderation_and_of_admins_nothing_is_remembered() -> None:
    room = a_room()
    enter(room, ANN)
    room.change_role(ANN, VISITOR)
    assert again(room, ANN) is PARTICIPANT
    room = a_room(is_moderated=True)
    enter(room, ANN)
    room.change_role(ANN, PARTICIPANT)
    room.change_standing(StandingChange(ANN, Affiliation.ADMIN))
    assert again(room, ANN) is MODERATOR
    assert room.voices.known == {}


def test_so_many_are_remembered_and_no_more() -> None:
    voices = Voices({ANN: VISITOR, BEN: VISITOR}, 2)
    voices.set(ANN, PARTICIPANT)
    voices.set("cat@x", VISITOR)
    assert voices.known == {ANN: PARTICIPANT, "cat@x": VISITOR}
    assert voices.unsaved() == {ANN: PARTICIPANT, BEN: None, "cat@x": VISITOR}
    assert voices.unsaved() == {}
