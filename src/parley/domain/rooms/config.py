"""The options of a room."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.standing import Role

ALL_ROLES: Final = frozenset({Role.MODERATOR, Role.PARTICIPANT, Role.VISITOR})


class Audience(StrEnum):
    """Whom an option concerns: those of that role or above."""

    ANYONE = "anyone"
    PARTICIPANTS = "participants"
    MODERATORS = "moderators"
    NOBODY = "none"

    def includes(self, role: Role) -> bool:
        """Whether somebody with this role is among them."""
        return role.rank >= _LEAST_RANK[self]


_LEAST_RANK: Final = {
    Audience.ANYONE: Role.VISITOR.rank,
    Audience.PARTICIPANTS: Role.PARTICIPANT.rank,
    Audience.MODERATORS: Role.MODERATOR.rank,
    Audience.NOBODY: Role.MODERATOR.rank + 1,
}


@dataclass(frozen=True, slots=True)
class RoomConfig:
    """What an owner may choose.

    Attributes:
        name, description, language, pubsub: for people; empty where nothing was said.
        is_persistent: the room stays when the last occupant leaves.
        is_public: lists of rooms name it.
        is_members_only: only members and above may enter.
        is_moderated: who is no member enters without voice.
        password: what it takes to enter; empty for nothing.
        is_anonymous: only moderators see real addresses; otherwise everybody inside does.
        is_subject_open: participants may change the subject, not only moderators.
        is_invite_open: in a members-only room, members may invite, and so add members; elsewhere everybody inside may.
        private_messages: who may send them.
        max_occupants: at most so many nicknames at a time; 0 for as many as the server allows.
        presence_of: the roles whose occupants are shown to all.
        member_list_for: the roles that may fetch the lists of members.
        is_logged: the discussion is public; who enters is told.
        is_archived: messages are kept.
        history_length: messages shown to who enters, at most.
        is_nick_reserved_only: who has a reserved nickname enters under that one only, and nobody changes it.
        is_registration_open: people may register a nickname themselves, and so become members.
        are_occupants_public: who is not inside may ask for the nicknames of those who are.
    """

    name: str = ""
    description: str = ""
    language: str = ""
    pubsub: str = ""
    is_persistent: bool = False
    is_public: bool = True
    is_members_only: bool = False
    is_moderated: bool = False
    password: str = ""
    is_anonymous: bool = True
    is_subject_open: bool = False
    is_invite_open: bool = False
    private_messages: Audience = Audience.ANYONE
    max_occupants: int = 0
    presence_of: frozenset[Role] = ALL_ROLES
    member_list_for: frozenset[Role] = frozenset({Role.MODERATOR})
    is_logged: bool = False
    is_archived: bool = True
    history_length: int = 20
    is_nick_reserved_only: bool = False
    is_registration_open: bool = True
    are_occupants_public: bool = False


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What the server allows every room.

    `max_occupants` nicknames at a time, `max_standings` addresses with an affiliation, `max_history` messages for who
    enters; texts in bytes of UTF-8.
    """

    max_occupants: int = 1000
    max_standings: int = 5000
    max_history: int = 100
    max_nick_bytes: int = 256
    max_text_bytes: int = 4096


_BLANK: Final = " \u2800"
"""What an address lets pass and nobody sees."""


def check_nick(nick: str, limits: RoomLimits) -> None:
    """Raises RoomRefused(NICK_BAD) for a nickname of which nothing is seen, or that is too long (XEP-0045 §17.1)."""
    if not nick.strip(_BLANK) or len(nick.encode()) > limits.max_nick_bytes:
        raise RoomRefused(Why.NICK_BAD, "the nickname is empty or too long")


def check_config(config: RoomConfig, limits: RoomLimits) -> None:
    """Raises RoomRefused(CONFIG_BAD) for options that a room cannot have."""
    texts = (config.name, config.description, config.language, config.pubsub, config.password)
    if any(len(text.encode()) > limits.max_text_bytes for text in texts):
        raise RoomRefused(Why.CONFIG_BAD, "a text is too long")
    if not 0 <= config.max_occupants <= limits.max_occupants:
        raise RoomRefused(Why.CONFIG_BAD, f"at most {limits.max_occupants} occupants")
    if not 0 <= config.history_length <= limits.max_history:
        raise RoomRefused(Why.CONFIG_BAD, f"at most {limits.max_history} messages of history")
