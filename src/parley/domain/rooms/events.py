"""What happened in a room, for who tells the occupants. `by` is the nickname of who did it, empty for the room."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from parley.domain.rooms.standing import Affiliation, Role


@dataclass(slots=True, eq=False)
class Occupant:
    """Somebody inside, under one nickname; `address` is their bare address.

    `sessions` are their clients in the room, full address to presence (opaque), the one that spoke last at the end.
    """

    nick: str
    address: str
    role: Role
    sessions: dict[str, bytes] = field(default_factory=dict)

    @property
    def session(self) -> str:
        """The full address that stands for the occupant: of the client that sent presence last."""
        return next(reversed(self.sessions))

    @property
    def presence(self) -> bytes:
        """The presence that the others see."""
        return self.sessions[self.session]


class Removal(Enum):
    """Why somebody is inside no longer (XEP-0045 §15.6)."""

    LEFT = "left"
    KICKED = "kicked"
    BANNED = "banned"
    LOST_MEMBERSHIP = "lost membership"
    ROOM_CLOSED_TO_STRANGERS = "the room became members-only"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Entered:
    """A client is inside; `is_joined` when others of its user were already, under the same nickname."""

    occupant: Occupant
    session: str
    is_joined: bool


@dataclass(frozen=True, slots=True)
class Left:
    """A client is inside no longer. `is_gone`: nor is its occupant. `presence` is its last one (opaque)."""

    occupant: Occupant
    session: str
    is_gone: bool
    presence: bytes
    was_shown: bool
    """Whether the others saw this client's presence as the occupant's."""
    removal: Removal = Removal.LEFT


@dataclass(frozen=True, slots=True)
class Renamed:
    """An occupant has another nickname."""

    occupant: Occupant
    before: str


@dataclass(frozen=True, slots=True)
class Changed:
    """An occupant's role or affiliation changed; `was` is the role before."""

    occupant: Occupant
    was: Role
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """An occupant was put out with all clients."""

    occupant: Occupant
    removal: Removal
    was: Role
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """The affiliation of somebody who is not inside changed."""

    address: str
    before: Affiliation
    after: Affiliation
    by: str = ""
    reason: str = ""


Event = Entered | Left | Renamed | Changed | Removed | Absent
