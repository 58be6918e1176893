"""Who was given a voice in a moderated room, or lost it, and finds it so when they come again (XEP-0045 §5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from parley.domain.rooms.standing import Role


class Voices:
    """Bare addresses that have another voice than those of their affiliation have.

    Args:
        known: what is stored, oldest first.
        limit: so many are remembered; of more, those changed last.
    """

    def __init__(self, known: Mapping[str, Role], limit: int) -> None:
        self._roles = dict(known)
        self._limit = limit
        self._unsaved: dict[str, Role | None] = {}

    @property
    def known(self) -> Mapping[str, Role]:
        """PARTICIPANT for who has one, VISITOR for who has none."""
        return MappingProxyType(self._roles)

    def set(self, address: str, role: Role | None) -> None:
        """Somebody has a voice, or has none; None: what is usual for them."""
        if self._roles.pop(address, None) is not role:
            self._unsaved[address] = role
        if role is not None:
            self._roles[address] = role
        while len(self._roles) > self._limit:
            self.set(next(iter(self._roles)), None)

    def clear(self) -> None:
        """Moderation has ended: everybody has a voice."""
        for address in tuple(self._roles):
            self.set(address, None)

    def unsaved(self) -> Mapping[str, Role | None]:
        """What changed since the last call; None is to be forgotten."""
        unsaved, self._unsaved = self._unsaved, {}
        return unsaved
