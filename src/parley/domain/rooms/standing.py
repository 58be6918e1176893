"""What people are to a room for long (affiliation) and while they are in it (role), and how one gives the other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Affiliation(StrEnum):
    """What an address is to a room, whether its owner is there or not (XEP-0045 §5.2)."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    NONE = "none"
    OUTCAST = "outcast"

    @property
    def rank(self) -> int:
        """Higher may do more."""
        return _AFFILIATION_RANK[self]


class Role(StrEnum):
    """What an occupant may do for now (XEP-0045 §5.1)."""

    MODERATOR = "moderator"
    PARTICIPANT = "participant"
    VISITOR = "visitor"
    NONE = "none"

    @property
    def rank(self) -> int:
        """Higher may do more."""
        return _ROLE_RANK[self]


_AFFILIATION_RANK: Final = MappingProxyType(
    {
        Affiliation.OUTCAST: 0,
        Affiliation.NONE: 1,
        Affiliation.MEMBER: 2,
        Affiliation.ADMIN: 3,
        Affiliation.OWNER: 4,
    }
)
_ROLE_RANK: Final = MappingProxyType({Role.NONE: 0, Role.VISITOR: 1, Role.PARTICIPANT: 2, Role.MODERATOR: 3})


@dataclass(frozen=True, slots=True)
class Standing:
    """What a bare address is to a room: `nick` is the nickname reserved for it, `reason` why it is what it is."""

    affiliation: Affiliation
    nick: str = ""
    reason: str = ""


def initial_role(affiliation: Affiliation, *, is_moderated: bool) -> Role:
    """The role that somebody enters with (XEP-0045 §7.2.4)."""
    if affiliation.rank >= Affiliation.ADMIN.rank:
        return Role.MODERATOR
    if affiliation is Affiliation.OUTCAST:
        return Role.NONE
    if is_moderated and affiliation is Affiliation.NONE:
        return Role.VISITOR
    return Role.PARTICIPANT


def role_after(role: Role, before: Affiliation, after: Affiliation, *, is_moderated: bool) -> Role:
    """The role of an occupant whose affiliation changes (XEP-0045 §5.1.2).

    Who loses what made them a moderator gets the role they would enter with; who gains keeps what was more.
    """
    initial = initial_role(after, is_moderated=is_moderated)
    if after is Affiliation.OUTCAST:
        return Role.NONE
    if before.rank >= Affiliation.ADMIN.rank > after.rank:
        return initial
    return max(role, initial, key=lambda one: one.rank) if after.rank > before.rank else role
